"""A label diff on the real servers, by the command line: of an open round, then of versions."""

from pathlib import Path
from typing import cast

import pytest

from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.system.test_round import box

pytestmark = pytest.mark.servers


def test_a_correction_is_seen_on_the_branch_and_between_versions(
    servers: Connection, tmp_path: Path
) -> None:
    """Ben relabels one of ann's boxes, moves another by half its width, and draws a third."""
    ops = Ops(tmp_path, servers)
    draw_pictures(tmp_path / "pictures", 3)
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann, ben = (people.ensure_member(f"{who}@example.org") for who in ("ann", "ben"))
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")

    first = ops.run("round", "start", "first").data["project"]
    tasks = {str(row.key): row.id for row in studio.task_rows(first)}
    for key in ("p000.png", "p001.png"):
        people.annotate(tasks[key], [box("brie"), box("gouda", name="r2")], annotator=ann)
    people.annotate(tasks["p002.png"], [], annotator=ann)
    ops.run("round", "sync", "first")
    opened = ops.run("round", "diff", "first").data
    assert opened["tasks"] == {"added": [*sorted(tasks)], "removed": [], "changed": []}
    ops.run("round", "finish", "first", "--yes")

    second = ops.run("round", "start", "second", "--task", "p000.png", "--edit").data["project"]
    [task] = studio.task_rows(second)
    [document] = studio.export(second, [task.id])
    [known] = cast("list[dict[str, int]]", document["annotations"])
    people.update_annotation(
        known["id"], [box("gouda"), box("gouda", x=25, name="r2"), box("brie", x=60, name="r3")]
    )
    people.annotate(task.id, [box("brie")], annotator=ben)
    ops.run("round", "sync", "second")
    branch = ops.run("round", "diff", "second").data
    assert branch["round"] == "second"
    assert branch["to"]["ref"] == "round-second"
    ops.run("round", "finish", "second", "--yes")

    versions = ops.run("dataset", "diff", "v1", "v2").data
    for diff in (branch, versions):
        assert diff["tasks"] == {"added": [], "removed": [], "changed": ["p000.png"]}
        assert diff["annotations"] == {"added": 1, "removed": 0, "changed": 1}
        assert diff["regions"] == {"added": 2, "removed": 0, "changed": 2}
        assert diff["transitions"] == [{"from": "brie", "to": "gouda", "regions": 1}]
        assert diff["geometry"]["measured"] == 1
        assert diff["geometry"]["median"] == pytest.approx(1 / 3, abs=1e-4)
        people_ = {one["annotator"]: one for one in diff["annotators"]}
        assert people_["ben@example.org"]["annotations"]["added"] == 1
    back = ops.run("dataset", "diff", "v2", "v1").data
    assert back["transitions"] == [{"from": "gouda", "to": "brie", "regions": 1}]
    assert ops.run("dataset", "diff", "v2").data["tasks"]["changed"] == []

    text = ops.say("dataset", "diff", "v1", "v2", "--by", "task").stdout
    assert "brie → gouda" in text
    assert f"{servers.lakefs_url}/repositories/{ops.repository}/compare?ref=v1&compare=v2" in text
    markdown = ops.say("round", "diff", "second", "--markdown").stdout
    assert markdown.startswith("### round second: labels from v2\\~1 to v2")
    assert "| brie | gouda | 1 |" in markdown
    missing = ops.run("dataset", "diff", "v9", expect=3).document["errors"][0]
    assert (missing["code"], missing["subject"]) == ("no-such-ref", "v9")
    assert ops.run("dataset", "diff", "v1", "v9", expect=3).document["errors"][0]["subject"] == "v9"
