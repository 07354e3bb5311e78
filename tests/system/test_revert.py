"""Undoing on the real servers, through the command line alone: a person, a round, a version."""

from pathlib import Path

import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.names import record_path
from ops.core.records import Record, TaskKey
from ops.lake import LakeFS
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.system.test_round import box

pytestmark = pytest.mark.servers

ANN, BEN = "ann@example.org", "ben@example.org"


class Dataset:
    """A dataset of eight pictures, two annotators, and the rounds they label."""

    def __init__(self, servers: Connection, directory: Path) -> None:
        self.ops = Ops(directory, servers)
        self.studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
        self.people = StudioAnnotators(self.studio)
        self.ids = {who: self.people.ensure_member(who) for who in (ANN, BEN)}
        self.lake = LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            self.ops.repository,
        )
        draw_pictures(directory / "pictures", 8)
        self.ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
        self.ops.run("data", "add", "pictures")

    def round(self, name: str, answers: dict[int, tuple[str, str]], *options: str) -> None:
        """A round in which each task is answered by one person with one label."""
        project = self.ops.run("round", "start", name, *options).data["project"]
        tasks = {str(row.key): row.id for row in self.studio.task_rows(project)}
        for number, (who, label) in answers.items():
            self.people.annotate(tasks[key(number)], [box(label)], annotator=self.ids[who])
        self.ops.run("round", "finish", name, "--allow-unlabeled", "--yes")

    def record(self, number: int, ref: str = "main") -> Record:
        """A task's record."""
        data = self.lake.read(ref, record_path(TaskKey(key(number))))
        assert data is not None
        return decode_record(data, key=TaskKey(key(number)))

    def answers(self, ref: str, who: str) -> dict[int, list[bytes]]:
        """One person's annotations of each task, as bytes."""
        return {
            number: [
                encode_record(Record(task=record.task, annotations=(one,)))
                for one in record.annotations
                if one.annotator == who
            ]
            for number in range(8)
            for record in [self.record(number, ref)]
        }


def key(number: int) -> str:
    """A picture's key."""
    return f"p{number:03}.png"


def test_three_rounds_and_one_annotator_undone(servers: Connection, tmp_path: Path) -> None:
    """Others' answers stay to the byte, and the next round takes exactly the reopened tasks."""
    data = Dataset(servers, tmp_path)
    ops = data.ops
    data.round("first", {n: (ANN if n < 4 else BEN, "brie") for n in range(8)})
    data.round("second", dict.fromkeys((0, 4), (BEN, "gouda")), "--all")
    data.round("third", dict.fromkeys((1, 4, 5), (ANN, "gouda")), "--all")
    start = list(data.lake.log("main", first_parent=True))[-2].id
    main = data.lake.find_commit("main")
    bens = data.answers("v3", BEN)

    words = ("dataset", "revert", "--annotator", ANN, "--since", start)
    planned = ops.run(*words, "--dry-run").data
    found = ops.run(*words).data
    assert planned["reopened"] == found["reopened"] == [key(n) for n in (1, 2, 3)]
    assert planned["diff"] == found["diff"]
    assert ops.run(*words).data["already_done"]
    assert data.lake.find_commit("main") == main
    [listed] = ops.run("dataset", "changes").data["changes"]
    assert (listed["name"], listed["behind"]) == (found["name"], False)

    assert ops.run("dataset", "merge", found["name"], "--dry-run").data["version"] == 4
    merged = ops.run("dataset", "merge", found["name"], "--yes").data
    assert (merged["version"], merged["replayed"]) == (4, False)
    assert ops.run("dataset", "merge", found["name"], "--yes").data["already_done"]
    assert data.answers("v4", BEN) == bens
    assert not any(data.answers("v4", ANN).values())
    metadata = data.lake.commit_facts("v4").metadata
    assert (metadata["ops.kind"], metadata["ops.reverted_annotator"]) == ("revert", ANN)
    assert ops.run("dataset", "changes").data["changes"] == []
    ops.run("dataset", "verify")

    started = ops.run("round", "start", "again").data
    rows = data.studio.task_rows(started["project"])
    assert {str(row.key) for row in rows} == set(merged["reopened"])

    undone = ops.run("dataset", "revert", "--round", "second", "--yes").data
    assert (undone["version"], undone["changed"], undone["reopened"]) == (5, 2, [key(0)])
    assert data.record(0).annotations == ()
    assert ops.run("dataset", "revert", "--round", "second", "--yes").data["already_done"]
    back = ops.run("dataset", "revert", "--to", "v4", "--yes").data
    assert back["version"] == 6
    shown = [ops.run("dataset", "show", ref).data["snapshot_digest"] for ref in ("v4", "v6")]
    assert shown[0] == shown[1]
    ops.run("dataset", "verify")
