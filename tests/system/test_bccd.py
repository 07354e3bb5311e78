"""Real pictures with real boxes through a round: every box of the XML comes back in v1's snapshot.

BCCD: 364 pictures of blood, 640 x 480 pixels, 4 888 boxes of three classes in VOC XML. Two of the
boxes are a single point: they must come back, too.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ops.core.records import Json
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.snapshots import read_object, read_rows

pytestmark = pytest.mark.servers

CLASSES = ("Platelets", "RBC", "WBC")
WIDTH, HEIGHT = 640, 480
TOLERANCE = 1e-9
"""Pixels: what dividing by the image's size and multiplying again may lose, and nothing more."""

Box = tuple[str, float, float, float, float]
"""Class, then left, top, right and bottom edge in pixels."""


@pytest.fixture
def bccd() -> Path:
    """The folder with `images` and `voc`."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("OPS_TEST_DATA", beside)) / "bccd"
    if not folder.is_dir():
        pytest.skip(f"NO BCCD: {folder} is not there; name its parent with OPS_TEST_DATA")
    return folder


def read_voc(folder: Path) -> Mapping[str, Sequence[Box]]:
    """The boxes of each picture, by its file name."""
    found: dict[str, list[Box]] = {}
    for path in sorted(folder.glob("*.xml")):
        root = ET.parse(path).getroot()  # noqa: S314 - our own test data
        assert (root.findtext("size/width"), root.findtext("size/height")) == ("640", "480")
        boxes = found.setdefault(f"{path.stem}.jpg", [])
        for thing in root.iter("object"):
            edges = [
                float(thing.findtext(f"bndbox/{edge}", "nan"))
                for edge in ("xmin", "ymin", "xmax", "ymax")
            ]
            boxes.append((thing.findtext("name", ""), edges[0], edges[1], edges[2], edges[3]))
    return found


def as_region(box: Box, number: int) -> dict[str, Json]:
    """A box as the editor makes it: percent of the picture."""
    label, left, top, right, bottom = box
    return {
        "id": f"b{number:03}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {
            "x": left / WIDTH * 100,
            "y": top / HEIGHT * 100,
            "width": (right - left) / WIDTH * 100,
            "height": (bottom - top) / HEIGHT * 100,
            "rotation": 0,
            "rectanglelabels": [label],
        },
    }


def as_box(row: Mapping[str, Any]) -> Box:
    """A row of the snapshot in pixels, each edge on a whole one as in the XML."""
    left, top = row["x"] * WIDTH / 100, row["y"] * HEIGHT / 100
    right, bottom = left + row["width"] * WIDTH / 100, top + row["height"] * HEIGHT / 100
    edges = [left, top, right, bottom]
    assert edges == pytest.approx([round(edge) for edge in edges], rel=0, abs=TOLERANCE)
    return (row["label"], round(left), round(top), round(right), round(bottom))


def annotate_all(
    servers: Connection, project: int, boxes: Mapping[str, Sequence[Box]]
) -> Mapping[str, int]:
    """Have two people submit the boxes of every picture; gives how many each submitted."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    emails = ("ann@example.org", "ben@example.org")
    members = [people.ensure_member(email) for email in emails]
    tasks = {str(row.key): row.id for row in studio.task_rows(project)}
    assert tasks.keys() == boxes.keys()

    def submit(name: str, member: int) -> None:
        regions = [as_region(box, number) for number, box in enumerate(boxes[name])]
        people.annotate(tasks[name], regions, annotator=member, lead_time_s=12.5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(submit, tasks, cycle(members)))
    studio.close()
    return {emails[0]: (len(tasks) + 1) // 2, emails[1]: len(tasks) // 2}


def test_every_box_comes_back(servers: Connection, tmp_path: Path, bccd: Path) -> None:
    boxes = read_voc(bccd / "voc")
    assert (len(boxes), sum(map(len, boxes.values()))) == (364, 4888)
    ops = Ops(tmp_path, servers)
    ops.run("init", "--labels", ",".join(CLASSES), "--kind", "boxes")
    added = ops.run("data", "add", str(bccd / "images")).data
    assert (len(added["added"]), added["ignored"]) == (364, [])
    started = ops.run("round", "start", "blood").data
    by_annotator = annotate_all(servers, started["project"], boxes)
    counts = ops.run("round", "sync", "blood").data["counts"]
    assert (counts["tasks"], counts["labeled"]) == (364, 364)
    done = ops.run("round", "finish", "blood", "--yes").data
    assert (done["version"], done["counts"]) == (1, counts)

    rows = read_rows(servers, ops.repository, "v1", "annotations.parquet")
    assert Counter(row["label"] for row in rows) == {"Platelets": 361, "RBC": 4155, "WBC": 372}
    found: dict[str, Counter[Box]] = {name: Counter() for name in boxes}
    for row in rows:
        found[row["key"]][as_box(row)] += 1
    assert found == {name: Counter(known) for name, known in boxes.items()}
    people = Counter(name for name, _ in {(row["annotator"], row["key"]) for row in rows})
    assert people == by_annotator

    tasks = read_rows(servers, ops.repository, "v1", "tasks.parquet")
    assert {(row["state"], row["width"], row["height"]) for row in tasks} == {
        ("labeled", WIDTH, HEIGHT)
    }
    assert {row["key"]: row["media_sha256"] for row in tasks} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (bccd / "images").iterdir()
    }
    first = min(boxes)
    picture = read_object(servers, ops.repository, f"v1/images/{first}")
    assert picture == (bccd / "images" / first).read_bytes()
