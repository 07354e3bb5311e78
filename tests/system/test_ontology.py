"""The ontology changed on the real servers, by the command line alone, while a round is open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.core.names import LABEL_CONFIG_PATH, RECORD_PREFIX
from ops.core.records import Json
from ops.lake import LakeFS
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers


def box(label: str, name: str = "r1") -> Mapping[str, Json]:
    """A region as Label Studio's editor makes it."""
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 160,
        "original_height": 120,
        "value": {"x": 10, "y": 20, "width": 30, "height": 25, "rotation": 0,
                  "rectanglelabels": [label]},
    }  # fmt: skip


class Desk:
    """One dataset, and annotators at work in its rounds."""

    def __init__(self, directory: Path, servers: Connection) -> None:
        self.ops = Ops(directory, servers)
        self.studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
        self.people = StudioAnnotators(self.studio)
        self.ann = self.people.ensure_member("ann@example.org")
        self.lake = LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            self.ops.repository,
        )

    def start(self, name: str, *options: str) -> dict[str, int]:
        """Open a round and give its tasks by key."""
        project = self.ops.run("round", "start", name, *options).data["project"]
        return {str(row.key): row.id for row in self.studio.task_rows(project)}

    def label(self, task: int, *labels: str) -> None:
        """Submit an annotation with a region a label."""
        regions = [box(label, f"r{number}") for number, label in enumerate(labels)]
        self.people.annotate(task, regions, annotator=self.ann)

    def objects(self, ref: str) -> Mapping[str, bytes]:
        """Records and label config at a ref, by path, to the byte."""
        paths = [found.path for found in self.lake.list_objects(ref, RECORD_PREFIX)]
        return dict(self.lake.read_many(ref, [*paths, LABEL_CONFIG_PATH]))

    def labels(self, ref: str = "main") -> list[str]:
        """What main offers."""
        [control] = self.ops.run("ontology", "show", "--ref", ref).data["controls"]
        return control["labels"]

    def change(self, *arguments: str) -> dict[str, Any]:
        """Propose a migration and merge it."""
        proposed = self.ops.run("ontology", *arguments).data
        self.ops.run("dataset", "merge", proposed["name"], "--yes")
        return proposed


@pytest.fixture
def desk(servers: Connection, tmp_path: Path) -> Desk:
    """Three labeled pictures of five (v1)."""
    desk = Desk(tmp_path, servers)
    draw_pictures(tmp_path / "pictures", 5)
    desk.ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    desk.ops.run("data", "add", "pictures")
    tasks = desk.start("first", "--limit", "3")
    desk.label(tasks["p000.png"], "brie", "gouda")
    desk.label(tasks["p001.png"], "gouda")
    desk.label(tasks["p002.png"], "brie")
    desk.ops.run("round", "finish", "first", "--yes")
    return desk


def test_a_round_that_was_open_arrives_under_the_new_name(desk: Desk) -> None:
    """It is told; older versions read as before, byte for byte."""
    first = desk.objects("v1")
    tasks = desk.start("second")
    desk.label(tasks["p003.png"], "brie")

    added = desk.ops.run("ontology", "add", "feta").data
    assert [one["round"] for one in added["rounds"]] == ["second"]
    plan = desk.ops.run("ontology", "rename", "brie", "camembert", "--dry-run")
    assert plan.document["status"] == "planned"
    proposed = desk.ops.run("ontology", "rename", "brie", "camembert")
    told = {**plan.data, "commit": None}
    assert told == {**proposed.data, "commit": None}
    [warning] = proposed.document["warnings"]
    assert warning["code"] == "round-left-behind"
    assert "'brie' will be 'camembert' when the round is merged" in warning["message"]
    assert desk.labels() == ["brie", "gouda", "feta"]
    merged = desk.ops.run("dataset", "merge", proposed.data["name"], "--yes").data
    assert merged["version"] == 2
    assert desk.labels() == ["camembert", "gouda", "feta"]
    assert desk.ops.run("ontology", "rename", "brie", "camembert").data["already_done"]

    desk.label(tasks["p004.png"], "gouda", "brie")
    moved = desk.ops.run("round", "status", "second").data["ontology_moved"]
    assert [(one["old"], one["new"]) for one in moved["labels"]] == [
        ("brie", "camembert"),
        (None, "feta"),
    ]
    desk.ops.run("round", "finish", "second", "--yes")
    records = desk.objects("v3")
    assert b'"brie"' not in b"".join(records.values())
    assert records[f"{RECORD_PREFIX}p004.png.json"].count(b'"camembert"') == 1
    assert records[f"{RECORD_PREFIX}p001.png.json"] == first[f"{RECORD_PREFIX}p001.png.json"]
    assert desk.objects("v1") == first
    assert desk.labels("v1") == ["brie", "gouda"]
    assert desk.ops.run("dataset", "verify").document["status"] == "ok"


def test_labels_are_merged_split_and_removed(desk: Desk, tmp_path: Path) -> None:
    """Refused while something is undecided or in use; nothing is written then."""
    main = desk.lake.find_commit("main")
    refused = desk.ops.run("ontology", "remove", "brie", expect=4).document
    assert refused["errors"][0]["code"] == "label-in-use"
    assert len(refused["data"]["regions"]) == 2
    undecided = desk.ops.run("ontology", "split", "brie", "young", "old", expect=4).document
    assert undecided["errors"][0]["code"] == "undecided-regions"
    assert desk.lake.find_commit("main") == main

    listed = desk.ops.run("ontology", "split", "brie", "young", "old", "--list", "t.tsv").data
    assert listed["regions"] == 2
    table = tmp_path / "t.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[1] + "young", lines[2] + "old"]))
    desk.change("split", "brie", "young", "old", "--by", "t.tsv")
    assert desk.labels() == ["young", "old", "gouda"]
    desk.change("merge", "old", "gouda", "--into", "old")
    desk.change("remove", "young", "--regions", "drop")
    assert desk.labels() == ["old"]
    said = {path: data.count(b'"old"') for path, data in desk.objects("main").items()}
    assert [said[f"{RECORD_PREFIX}p00{number}.png.json"] for number in range(3)] == [1, 1, 1]
    last = desk.ops.run("ontology", "remove", "old", expect=4).document["errors"][0]
    assert last["code"] == "last-label"
    assert desk.ops.run("dataset", "verify").document["status"] == "ok"
