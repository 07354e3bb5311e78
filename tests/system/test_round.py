"""A whole round on the real servers, through the command line alone; versions read over S3."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.core.records import Json
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.training import read_by_boto3, read_by_pyarrow

pytestmark = pytest.mark.servers


def box(label: str, *, x: float = 10.0, name: str = "r1") -> Mapping[str, Json]:
    """A region as Label Studio's editor makes it."""
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 160,
        "original_height": 120,
        "image_rotation": 0,
        "value": {
            "x": x, "y": 20.5, "width": 30, "height": 25.25, "rotation": 0,
            "rectanglelabels": [label],
        },
    }  # fmt: skip


def test_two_rounds_make_two_versions(servers: Connection, tmp_path: Path) -> None:
    ops = Ops(tmp_path, servers)
    pictures = draw_pictures(tmp_path / "pictures", 8)
    (tmp_path / "pictures" / "notes.csv").write_text("not a picture")
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann, ben = (people.ensure_member(f"{who}@example.org") for who in ("ann", "ben"))

    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    assert ops.run("init").data["already_done"]
    added = ops.run("data", "add", "pictures").data
    assert added["added"] == [path.name for path in pictures]
    assert [file["name"] for file in added["ignored"]] == ["notes.csv"]

    started = ops.run("round", "start", "first", "--limit", "6").data
    assert started["tasks"] == 6
    assert ops.run("round", "start", "first", "--limit", "6").data["already_done"]
    tasks = {str(row.key): row.id for row in studio.task_rows(started["project"])}
    assert len(tasks) == 6

    people.annotate(tasks["p000.png"], [box("brie")], annotator=ann, lead_time_s=4.5)
    people.annotate(tasks["p000.png"], [box("gouda")], annotator=ben)
    changed = people.annotate(tasks["p001.png"], [box("brie")], annotator=ann)
    people.annotate(tasks["p002.png"], [], annotator=ann)
    people.annotate(tasks["p003.png"], [], annotator=ben, skipped=True)
    gone = people.annotate(tasks["p004.png"], [box("brie")], annotator=ben)
    synced = ops.run("round", "sync", "first").data
    assert synced["counts"] == {
        "tasks": 6, "labeled": 3, "empty": 1, "skipped": 1, "unfinished": 1, "quarantined": 0,
    }  # fmt: skip
    again = ops.run("round", "sync", "first").data
    assert (again["changed"], again["commit"]) == ([], None)

    people.update_annotation(changed, [box("gouda", x=12)])
    people.delete_annotation(gone)
    assert ops.run("round", "sync", "first").data["changed"] == ["p001.png", "p004.png"]

    refused = ops.run("round", "finish", "first", "--yes", expect=4).document["errors"][0]
    assert refused["code"] == "unlabeled-tasks"
    plan = ops.run("round", "finish", "first", "--allow-unlabeled", "--dry-run").data
    done = ops.run("round", "finish", "first", "--allow-unlabeled", "--yes").data
    assert {**done, "commit": None} == {**plan, "commit": None}
    assert ops.run("round", "finish", "first", "--yes").data["already_done"]

    second = ops.run("round", "start", "second", "--edit").data
    assert second["tasks"] == 3
    copies = {str(row.key): row.id for row in studio.task_rows(second["project"])}
    documents = studio.export(second["project"], [copies["p000.png"]])
    annotations = next(iter(documents))["annotations"]
    assert isinstance(annotations, list)
    wrong = next(
        one["id"] for one in annotations if isinstance(one, dict) and "gouda" in str(one["result"])
    )
    assert isinstance(wrong, int)
    people.update_annotation(wrong, [box("brie")])
    assert ops.run("round", "sync", "second").data["counts"]["labeled"] == 2
    diff = ops.run("round", "diff", "second").data
    assert diff["transitions"] == [{"from": "gouda", "to": "brie", "regions": 1}]
    assert diff["tasks"]["changed"] == ["p000.png"]
    ops.run("round", "finish", "second", "--yes")

    log = ops.run("dataset", "log").data["versions"]
    assert [version["version"] for version in log] == [2, 1]
    v1 = Counter(
        row["label"] for row in read_by_boto3(servers, ops.repository, "v1", "annotations")
    )
    v2 = Counter(
        row["label"] for row in read_by_boto3(servers, ops.repository, "v2", "annotations")
    )
    assert (v1, v2) == ({"brie": 1, "gouda": 2}, {"brie": 2, "gouda": 1})
    states = Counter(row["state"] for row in read_by_boto3(servers, ops.repository, "v2", "tasks"))
    assert states == {"labeled": 2, "empty": 1, "skipped": 1, "unfinished": 2}

    by_commit = read_by_pyarrow(servers, ops.repository, log[1]["commit"], "annotations")
    assert Counter(row["label"] for row in by_commit) == v1

    reverted = ops.run("dataset", "revert", "--to", "v1", "--yes").data
    assert reverted["version"] == 3
    shown = [ops.run("dataset", "show", ref).data["snapshot_digest"] for ref in ("v1", "v3")]
    assert shown[0] == shown[1]
    assert ops.run("dataset", "revert", "--to", "v1", "--yes").data["already_done"]


def test_aborted_round_reaches_nobody(servers: Connection, tmp_path: Path) -> None:
    ops = Ops(tmp_path, servers)
    draw_pictures(tmp_path / "pictures", 2)
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ops.run("init", "--labels", "brie", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    started = ops.run("round", "start", "doomed").data
    task = next(iter(studio.task_rows(started["project"])))
    people.annotate(task.id, [box("brie")], annotator=people.ensure_member("ann@example.org"))
    ops.run("round", "sync", "doomed")

    assert (
        ops.run("round", "abort", "doomed", expect=2).document["errors"][0]["code"] == "needs-yes"
    )
    done = ops.run("round", "abort", "doomed", "--yes", "--remove-project").data
    assert done["labeled"] == [task.key]
    assert ops.run("round", "abort", "doomed", "--yes").data["already_done"]
    assert (
        ops.run("round", "sync", "doomed", expect=4).document["errors"][0]["code"]
        == "round-aborted"
    )
    assert ops.run("round", "finish", "doomed", "--yes", expect=4).exit_code == 4
    assert ops.run("dataset", "log").data["versions"] == []
    assert [r["state"] for r in ops.run("round", "list").data["rounds"]] == ["aborted"]
    assert ops.run("round", "start", "again").data["tasks"] == 2
