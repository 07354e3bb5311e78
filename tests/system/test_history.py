"""Blame and log of a task on the real servers, through the command line."""

from pathlib import Path

import pytest

from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.runner.world import region

pytestmark = pytest.mark.servers


def test_a_task_edited_by_rounds_and_a_revert(servers: Connection, tmp_path: Path) -> None:
    """Drawn in the first, one of two changed and one added in the second; then taken back."""
    ops = Ops(tmp_path, servers)
    key = draw_pictures(tmp_path / "pictures", 2)[0].name
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann = people.ensure_member("ann@example.org")

    project = ops.run("round", "start", "one", "--task", key).data["project"]
    [row] = studio.task_rows(project)
    people.annotate(row.id, [region("brie", 0), region("brie", 1)], annotator=ann)
    ops.run("round", "finish", "one", "--yes")

    project = ops.run("round", "start", "two", "--task", key, "--edit").data["project"]
    [row] = studio.task_rows(project)
    [document] = studio.export(project, [row.id])
    annotations = document["annotations"]
    assert isinstance(annotations, list)
    assert isinstance(annotations[0], dict)
    people.update_annotation(
        int(str(annotations[0]["id"])), [region("brie", 0), region("gouda", 1), region("brie", 2)]
    )
    ops.run("round", "sync", "two")
    open_round = ops.run("dataset", "blame", key, "--ref", "round-two").data["regions"]
    assert [
        (one["region"], one["version"], one["round"], one["on_main"]) for one in open_round
    ] == [
        (None, 1, "one", True),
        ("r0", 1, "one", True),
        ("r1", None, "two", False),
        ("r2", None, "two", False),
    ]
    ops.run("round", "finish", "two", "--yes")
    studio.close()

    blamed = ops.run("dataset", "blame", key).data
    administrator = servers.label_studio_email
    assert blamed["state"] == "labeled"
    assert [
        (one["region"], one["version"], one["round"], one["person"], one["annotator"])
        for one in blamed["regions"]
    ] == [
        (None, 1, "one", "ann@example.org", "ann@example.org"),
        ("r0", 1, "one", "ann@example.org", "ann@example.org"),
        ("r1", 2, "two", administrator, "ann@example.org"),
        ("r2", 2, "two", administrator, "ann@example.org"),
    ]

    ops.run("dataset", "revert", "--to", "v1", "--yes")
    log = ops.run("dataset", "log", key).data["commits"]
    assert [(one["version"], one["kind"], one["regions"]) for one in log] == [
        (3, "revert", {"added": 0, "changed": 1, "removed": 1}),
        (2, "finish", {"added": 1, "changed": 1, "removed": 0}),
        (1, "finish", {"added": 2, "changed": 0, "removed": 0}),
    ]
    assert log[0]["people"] == ["lena@example.org"]
    assert log[-1]["state"] == {"from": None, "to": "labeled"}
    removed = ops.run("dataset", "blame", key, "--removed").data["removed"]
    assert [(one["region"], one["version"], one["person"]) for one in removed] == [
        ("r2", 3, "lena@example.org")
    ]
    told = ops.say("dataset", "blame", key).stdout.splitlines()
    assert told[0] == f"{key} at main: labeled"
    assert [line.split()[2:4] for line in told[2:]] == [["r0", "brie"], ["r1", "brie"]]
    assert ops.run("dataset", "blame", key, "--ref", "v2").data["removed"] == []
