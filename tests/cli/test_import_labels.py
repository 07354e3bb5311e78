"""`ops import` on the real servers, with real labels: the blood cells' own VOC files."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ops.core.canonical import decode_record
from ops.core.names import record_path
from ops.core.pixels import corners_of_box, to_pixels
from ops.core.records import Json, Origin, Record, TaskKey
from ops.core.regions import labels, value_of
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import Line, variables_for
from tests.context import real_context
from tests.tree import ROOT
from tests.wanted import missing

pytestmark = pytest.mark.servers

BCCD = Path(os.environ.get("OPS_TEST_DATA", ROOT.parent / "shared" / "data")) / "bccd"
TAKEN = 40
ODD = ("BloodImage_00338", "BloodImage_00343")
"""Two files with a box of no width and no height."""

Corners = tuple[str, float, float, float, float]


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Forty of the pictures with their VOC files, the two odd ones among them."""
    if not BCCD.is_dir():
        missing("the blood-cell pictures beside the tree")
    stems = sorted(path.stem for path in (BCCD / "voc").glob("*.xml"))
    for stem in [*[one for one in stems if one not in ODD][: TAKEN - len(ODD)], *ODD]:
        for kind, ending in (("voc", "xml"), ("images", "jpg")):
            target = tmp_path / kind / f"{stem}.{ending}"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes((BCCD / kind / target.name).read_bytes())
    return tmp_path


def stated(path: Path) -> list[Corners]:
    """The boxes of a VOC file, read by the standard library."""
    found: list[Corners] = []
    for one in ET.parse(path).getroot().iter("object"):  # noqa: S314 - our own file
        sides = [float(one.findtext(f"bndbox/{side}") or "x") for side in SIDES]
        found.append((one.findtext("name") or "", sides[0], sides[1], sides[2], sides[3]))
    return sorted(found)


SIDES = ("xmin", "ymin", "xmax", "ymax")


def kept(record: Record) -> list[Corners]:
    """The boxes of a record, in pixels."""
    found: list[Corners] = []
    for region in record.annotations[0].result:
        value = value_of(region)
        x, y, width, height = (_number(value[name]) for name in ("x", "y", "width", "height"))
        corners = corners_of_box(to_pixels((x, y, width, height), 640, 480))
        found.append((labels(region)[0], *corners))
    return sorted(found)


def _number(value: Json) -> float:
    assert isinstance(value, int | float)
    return value


def records(servers: Connection, line: Line, ref: str, keys: Sequence[str]) -> dict[str, bytes]:
    """Records' bytes by key."""
    lake = real_context(servers, line.variables["OPS_REPOSITORY"]).lake
    paths = {record_path(TaskKey(key)): key for key in keys}
    return {paths[path]: data for path, data in lake.read_many(ref, list(paths))}


def test_real_boxes_come_in_as_a_round_and_out_as_a_version(
    line: Line, servers: Connection, cells: Path
) -> None:
    """Every box of forty VOC files: imported, one changed by a person, finished, and compared."""
    arguments = ("import", "voc", "voc", "--images", "images", "--round", "old")
    missing_repository = line.fail(*arguments)
    assert (missing_repository["code"], missing_repository["exit_code"]) == ("no-repository", 3)
    assert "ops init --labels Platelets,RBC,WBC --kind boxes" in missing_repository["hint"]

    line.do("init", "--labels", "RBC,WBC", "--kind", "boxes")
    lacking = line.fail(*arguments)
    assert (lacking["code"], lacking["exit_code"]) == ("labels-missing", 4)
    assert lacking["hint"] == "ops ontology add Platelets --control label"
    line.do("ontology", "add", "Platelets", "--control", "label")

    boxes = {path.stem: stated(path) for path in (cells / "voc").glob("*.xml")}
    count = sum(map(len, boxes.values()))
    planned = line.do(*arguments, "--annotator", "old@example.org", "--dry-run")
    assert planned["status"] == "planned"
    assert planned["data"]["pictures"]["imported"]["labeled"] == TAKEN
    assert planned["data"]["regions"] == count
    assert planned["data"]["lost"] == []
    [odd] = planned["data"]["kept"]
    assert (odd["what"], odd["count"]) == ("boxes without area", 2)
    assert line.do("data", "list")["data"]["images"] == []

    done = line.do(*arguments, "--annotator", "old@example.org")["data"]
    assert (len(done["pictures"]["added"]), done["regions"]) == (TAKEN, count)
    assert "nothing to do" in line.read(*arguments, "--annotator", "old@example.org")

    keys = [f"{stem}.jpg" for stem in boxes]
    assert line.do("round", "sync", "old")["data"]["counts"]["labeled"] == TAKEN
    assert line.do("round", "status", "old")["exit_code"] == 0
    assert line.do("round", "diff", "old")["exit_code"] == 0
    before = records(servers, line, "round-old", keys)
    changed = _change_one_box(servers, line, done["project"])
    assert line.do("round", "sync", "old")["data"]["changed"] == [changed]
    finished = line.do("round", "finish", "old", "--yes")["data"]
    assert finished["version"] == 1

    after = records(servers, line, "main", keys)
    assert [key for key in keys if before[key] != after[key]] == [changed]
    for key in keys:
        record = decode_record(after[key])
        [annotation] = record.annotations
        assert annotation.annotator == "old@example.org"
        if key != changed:
            assert kept(record) == boxes[key.removesuffix(".jpg")]
            assert set(annotation.origins.values()) == {Origin.IMPORTED}
    edited = decode_record(after[changed])
    same = set(kept(edited)) & set(boxes[changed.removesuffix(".jpg")])
    assert len(same) == len(boxes[changed.removesuffix(".jpg")]) - 1
    assert len(edited.annotations[0].origins) == len(boxes[changed.removesuffix(".jpg")]) - 1

    again = line.do(*arguments[:-1], "again", "--annotator", "old@example.org")["data"]
    assert (again["already_done"], len(again["pictures"]["there"])) == (True, TAKEN)
    assert len(line.do("round", "list")["data"]["rounds"]) == 1
    assert line.do("dataset", "verify")["warnings"] == []


def _change_one_box(servers: Connection, line: Line, project: int) -> str:
    """Somebody moves a box in Label Studio; the key of its task."""
    studio = real_context(servers, line.variables["OPS_REPOSITORY"]).studio
    row = next(iter(studio.task_rows(project)))
    [document] = studio.export(project, [row.id])
    annotations = document["annotations"]
    assert isinstance(annotations, list)
    [annotation] = annotations
    assert isinstance(annotation, dict)
    result = json.loads(json.dumps(annotation["result"]))
    result[0]["value"]["x"] += 1.25
    desk = StudioAnnotators(LabelStudio(servers.label_studio_url, servers.label_studio_token))
    desk.update_annotation(int(str(annotation["id"])), result)
    assert row.key is not None
    return row.key
