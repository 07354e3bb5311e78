"""Two rounds over the same tasks on the real servers, through the command line alone.

One is finished; the other meets a main that has moved: conflicts with both answers, rebase,
quarantine and the round that opens with what was held back.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.core.records import Json
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.training import read_by_boto3

pytestmark = pytest.mark.servers

KEYS = ("p000.png", "p001.png", "p002.png")


def box(label: str, x: float = 10.0) -> Mapping[str, Json]:
    """A region as Label Studio's editor makes it."""
    return {
        "id": "r1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 160,
        "original_height": 120,
        "value": {"x": x, "y": 20, "width": 30, "height": 25, "rotation": 0,
                  "rectanglelabels": [label]},
    }  # fmt: skip


class Desk:
    """Annotators at work in the rounds of one dataset."""

    def __init__(self, ops: Ops, servers: Connection) -> None:
        self.ops = ops
        self.studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
        self.people = StudioAnnotators(self.studio)
        self.ann, self.ben = (
            self.people.ensure_member(f"{who}@example.org") for who in ("ann", "ben")
        )

    def start(self, name: str, *options: str) -> int:
        """Open a round and give its project."""
        project = self.ops.run("round", "start", name, *options).data["project"]
        assert isinstance(project, int)
        return project

    def task(self, project: int, key: str) -> int:
        """The Label Studio task of a key."""
        return next(row.id for row in self.studio.task_rows(project) if row.key == key)

    def answers(self, project: int, key: str) -> list[int]:
        """The annotations of a task, by their ids."""
        (document,) = self.studio.export(project, [self.task(project, key)])
        found = document["annotations"]
        assert isinstance(found, list)
        return [one["id"] for one in found if isinstance(one, dict) and isinstance(one["id"], int)]

    def edit(self, project: int, key: str, label: str, x: float = 10.0) -> None:
        """Change the answer that was put before the annotators."""
        (annotation,) = self.answers(project, key)
        self.people.update_annotation(annotation, [box(label, x)])


@pytest.fixture
def desk(servers: Connection, tmp_path: Path) -> Desk:
    """Three labeled pictures (v1), and two rounds to change them; theirs is on main (v2)."""
    ops = Ops(tmp_path, servers)
    draw_pictures(tmp_path / "pictures", len(KEYS))
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    desk = Desk(ops, servers)
    first = desk.start("first")
    for key in KEYS:
        desk.people.annotate(desk.task(first, key), [box("brie")], annotator=desk.ann)
    ops.run("round", "finish", "first", "--yes")
    ours, theirs = desk.start("ours", "--edit"), desk.start("theirs", "--edit")
    desk.edit(theirs, "p000.png", "gouda")
    desk.edit(theirs, "p001.png", "gouda")
    desk.edit(ours, "p000.png", "brie", 15)
    desk.people.annotate(desk.task(ours, "p002.png"), [box("gouda")], annotator=desk.ben)
    ops.run("round", "finish", "theirs", "--yes")
    return desk


def labels_at(ops: Ops, servers: Connection, ref: str) -> list[tuple[str, str]]:
    """What a training job reads: key and label of every region."""
    rows = read_by_boto3(servers, ops.repository, ref, "annotations")
    return sorted((str(row["key"]), str(row["label"])) for row in rows)


def test_conflict_is_shown_and_settled(desk: Desk, servers: Connection) -> None:
    ops = desk.ops
    said = ops.say("round", "finish", "ours", "--yes")
    assert said.exit_code == 5
    assert "error[tasks-changed-on-both-sides]" in said.stderr
    assert "p000.png: region r1 (edit-edit)" in said.stderr
    assert "brie at x 15" in said.stderr
    assert "gouda at x 10" in said.stderr
    refused = ops.run("round", "finish", "ours", "--yes", expect=5)
    assert [one["task"] for one in refused.data["conflicts"]] == ["p000.png"]
    assert ops.run("dataset", "log").data["versions"][0]["version"] == 2

    plan = ops.run("round", "finish", "ours", "--on-conflict", "both", "--dry-run").data
    done = ops.run("round", "finish", "ours", "--on-conflict", "both", "--yes").data
    assert {**done, "commit": None} == {**plan, "commit": None}
    assert (done["tag"], done["settled"], done["merged"]) == ("v3", ["p000.png"], 0)
    assert labels_at(ops, servers, "v3") == [
        ("p000.png", "brie"),
        ("p000.png", "gouda"),
        ("p001.png", "gouda"),
        ("p002.png", "brie"),
        ("p002.png", "gouda"),
    ]
    facts = ops.run("dataset", "log").data["versions"][0]["facts"]
    assert (facts["on_conflict"], facts["settled_tasks"]) == ("both", "1")
    assert (
        "1 in conflict (both)"
        in ops.run("dataset", "show", "v3").document["data"]["history"][-1]["remark"]
    )


def test_rebase_then_finish(desk: Desk, servers: Connection) -> None:
    ops = desk.ops
    refused = ops.run("round", "rebase", "ours", expect=5).document["errors"][0]
    assert refused["code"] == "tasks-changed-on-both-sides"
    assert ops.run("round", "status", "ours").data["main_moved"]
    done = ops.run("round", "rebase", "ours", "--on-conflict", "theirs").data
    assert (done["settled"], done["changed"]) == (["p000.png"], ["p000.png", "p001.png"])
    assert ops.run("round", "rebase", "ours").data["already_done"]
    assert not ops.run("round", "status", "ours").data["main_moved"]
    assert ops.run("round", "sync", "ours").data["changed"] == []
    ops.run("round", "finish", "ours", "--yes")
    assert labels_at(ops, servers, "v3") == [
        ("p000.png", "gouda"),
        ("p001.png", "gouda"),
        ("p002.png", "brie"),
        ("p002.png", "gouda"),
    ]


def test_quarantine_opens_a_round_with_both_answers(desk: Desk, servers: Connection) -> None:
    ops = desk.ops
    done = ops.run("round", "finish", "ours", "--quarantine", "--yes")
    assert done.data["rework"] == "ours-rework"
    assert done.data["held"] == [{"task": "p000.png", "reason": "conflict", "detail": None}]
    assert done.data["dataset_counts"]["quarantined"] == 1
    assert [warning["code"] for warning in done.document["warnings"]] == ["held-conflict"]
    assert ops.run("round", "finish", "ours", "--yes").data["already_done"]
    (rework,) = [
        one for one in ops.run("round", "list").data["rounds"] if one["round"] == "ours-rework"
    ]
    assert (rework["state"], rework["tasks"]) == ("open", 1)
    undecided = ops.run("round", "finish", "ours-rework", "--yes", expect=4)
    assert undecided.document["errors"][0]["code"] == "undecided-tasks"
    answers = desk.answers(rework["project"], "p000.png")
    assert len(answers) == 2
    desk.people.delete_annotation(answers[0])
    finished = ops.run("round", "finish", "ours-rework", "--yes").data
    assert (finished["tag"], finished["counts"]["labeled"], finished["held"]) == ("v4", 1, [])
    states = [row["state"] for row in read_by_boto3(servers, ops.repository, "v4", "tasks")]
    assert states == ["labeled"] * 3


def test_replaced_picture_reopens_exactly_its_task(desk: Desk) -> None:
    ops = desk.ops
    (picture,) = draw_pictures(ops.directory / "retake", 1, start=40)
    picture.rename(picture.with_name("p002.png"))
    replaced = ops.run("data", "add", "retake", "--replace").data
    assert replaced["replaced"] == ["p002.png"]
    done = ops.run("round", "finish", "ours", "--on-conflict", "ours", "--yes")
    assert done.data["held"] == [{"task": "p002.png", "reason": "picture-changed", "detail": None}]
    assert [warning["code"] for warning in done.document["warnings"]] == ["held-picture-changed"]
    again = ops.run("round", "start", "again").data
    assert again["tasks"] == 1
    assert len(desk.answers(again["project"], "p002.png")) == 2
