"""`ops dataset export` on the real servers: from real documents through people's hands and back."""

import json
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from ops.core.exporting.words import Format
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import Line, variables_for
from tests.exporting.scene import bccd, bytes_of, json_of, rows_of, states_of, voc_boxes
from tests.exporting.test_blood_cells import CONFIG, read_cells

pytestmark = pytest.mark.servers

COUNT = 8


def test_an_export_does_its_work_and_says_so(
    call: Call, servers: Connection, tmp_path: Path
) -> None:
    """Boxes of real documents, submitted by people, finished, exported: the same boxes."""
    line = Line(call=call, variables=variables_for(servers), worked=set())
    folder = bccd()
    cells = dict(list(read_cells(folder).items())[:COUNT])
    paths = [str(folder / "images" / key) for key in cells]
    (tmp_path / "config.xml").write_text(CONFIG)
    line.do("init", "--label-config", "config.xml")
    line.do("data", "add", *paths)
    started = line.do("round", "start", "blood")["data"]
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann, ben = (people.ensure_member(f"{who}@example.org") for who in ("ann", "ben"))
    tasks = {str(row.key): row.id for row in studio.task_rows(started["project"])}
    *boxed, empty, skipped, left = cells
    for key in boxed:
        people.annotate(tasks[key], cells[key].result, annotator=ann, unique_id=str(uuid4()))
    people.annotate(tasks[empty], [], annotator=ann)
    people.annotate(tasks[skipped], [], annotator=ben, skipped=True)
    assert left in tasks
    line.do("round", "finish", "blood", "--yes", "--allow-unlabeled")

    voc = ("dataset", "export", "v1", "--format", "voc", "--out", "voc", "--media", "copy")
    planned = line.do(*voc, "--dry-run")
    assert planned["status"] == "planned"
    assert not (tmp_path / "voc").exists()
    done = line.do(*voc)
    assert (done["status"], done["warnings"]) == ("ok", [])
    counts = {"labeled": COUNT - 3, "empty": 1, "skipped": 1, "unfinished": 1, "quarantined": 0}
    assert done["data"]["tasks"] == {"tasks": COUNT, **counts}
    assert states_of(tmp_path / "voc") == {k: n for k, n in counts.items() if n}
    for key in boxed:
        stem = key.removesuffix(".jpg")
        ours = voc_boxes(tmp_path / "voc" / "Annotations" / f"{stem}.xml")
        # Label Studio and the canonical form order regions by id, which are the documents' order.
        assert ours == voc_boxes(folder / "voc" / f"{stem}.xml")
        picture = tmp_path / "voc" / "JPEGImages" / key
        assert picture.read_bytes() == (folder / "images" / key).read_bytes()
    assert not (tmp_path / "voc" / "JPEGImages" / skipped).exists()
    said = line.read("dataset", "export", "v1", "--format", "voc", "--out", "voc")
    assert f"exported {COUNT - 3} labeled and 1 empty tasks of v1" in said

    # A second answer to one task needs a word, whatever the format; then every format is written.
    second = line.do("round", "start", "second", "--task", boxed[0])["data"]
    [task] = studio.task_rows(second["project"])
    people.annotate(task.id, [], annotator=ben)
    line.do("round", "finish", "second", "--yes")
    export = ("dataset", "export", "main", "--out")
    refused = line.fail(*export, "x", "--format", "coco")
    assert (refused["code"], refused["exit_code"]) == ("several-answers", 4)
    for form in Format:
        for out in ("one", "two"):
            where = f"{out}/{form}"
            line.do(*export, where, "--format", form, "--policy", "latest", "--media", "copy")
        one, two = (bytes_of(tmp_path / out / form) for out in ("one", "two"))
        assert one == two
    coco = json_of(tmp_path / "one" / "coco" / "annotations" / "instances_all.json")
    assert len(coco["images"]) == COUNT - 2
    assert Counter(row["exported_as"] for row in rows_of(tmp_path / "one/coco/states.csv")) == {
        "labeled": COUNT - 4, "empty": 2, "": 2,
    }  # fmt: skip
    classes = json.loads((tmp_path / "one" / "coco" / "export.json").read_text())["classes"]
    assert [(one["id"], one["name"], one["frozen"]) for one in classes] == [
        (0, "Platelets", True), (1, "RBC", True), (2, "WBC", True),
    ]  # fmt: skip

    where = ("--where", "label = 'WBC'")
    some = line.do(*export, "some", "--format", "csv", "--policy", "latest", *where)["data"]
    assert 0 < some["tasks"]["labeled"] < COUNT
    assert line.fail(*export, "y", "--format", "csv", "--where", "colour = 1")["exit_code"] == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    assert line.fail(*export, "mine", "--format", "csv")["code"] == "out-in-the-way"
    assert line.fail("dataset", "export", "v9", "--format", "csv", "--out", "z")["exit_code"] == 3
    assert line.worked >= {("dataset", "export")}
    assert line.do("dataset", "verify")["data"]["findings"] == []
    studio.close()
