"""What ops exports comes in again: the same boxes, in every format that holds them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.core.canonical import content
from ops.core.exporting.words import Format, MediaMode
from ops.core.records import TaskState
from ops.core.regions import labels, value_of
from ops.runner.export import Order, export_dataset
from ops.runner.finish import finish_round
from tests.runner.importing import Desk, voc
from tests.tree import ROOT
from tests.wanted import missing

BCCD = Path(os.environ.get("OPS_TEST_DATA", ROOT.parent / "shared" / "data")) / "bccd"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Twelve real pictures with their boxes, and one that is empty, as v1."""
    if not BCCD.is_dir():
        missing(
            "NO BCCD: the blood-cell pictures beside the tree; OPS_TEST_DATA names their parent"
        )
    desk = Desk(tmp_path / "from", labels=("Platelets", "RBC", "WBC"))
    for path in sorted((BCCD / "voc").glob("*.xml"))[:12]:
        desk.write(f"voc/{path.name}", path.read_bytes())
        picture = f"{path.stem}.jpg"
        (desk.pictures / picture).write_bytes((BCCD / "images" / picture).read_bytes())
    desk.draw("empty.jpg")
    desk.write("voc/empty.xml", voc("empty.jpg"))
    desk.take("voc", desk.folder / "voc")
    finish_round(desk.context, "old")
    return desk


def boxes(desk: Desk, key: str) -> Sequence[tuple[str, list[float]]]:
    """The boxes of a task's one answer, in percent."""
    found: list[tuple[str, list[float]]] = []
    for region in desk.regions(key):
        sides = [value_of(region)[name] for name in ("x", "y", "width", "height")]
        found.append((labels(region)[0], [float(str(one)) for one in sides]))
    return sorted(found)


PATHS = {
    "coco": "annotations/instances_all.json",
    "voc": "Annotations",
    "yolo": ".",
    "labelstudio": "tasks.json",
    "json-min": "result.json",
}


@pytest.mark.parametrize("format_", PATHS)
def test_an_export_is_an_import(desk: Desk, tmp_path: Path, format_: str) -> None:
    """Into a repository of its own, with the pictures that were exported."""
    out = tmp_path / "out"
    order = Order(format=Format(format_), media=MediaMode.COPY)
    export_dataset(desk.context, "v1", out=out, order=order)
    other = Desk(tmp_path / "to", labels=("Platelets", "RBC", "WBC"))
    given: dict[str, Any] = {"images": out} if format_ != "yolo" else {}
    if format_ == "coco":
        given["empty"] = True
    found = other.take(format_, out / PATHS[format_], given=False, **given)
    assert found.unmatched == {}
    assert found.losses == () or format_ in {"coco", "json-min", "labelstudio"}
    assert (found.counts.labeled, found.counts.empty) == (12, 1)
    finish_round(other.context, "old")
    by_name = {key.rpartition("/")[2]: key for key in found.started.keys} if found.started else {}
    for path in sorted((desk.folder / "voc").glob("*.xml")):
        key = f"{path.stem}.jpg"
        record = other.record(by_name[key])
        if key == "empty.jpg":
            assert record.state is TaskState.EMPTY
            continue
        came, went = boxes(other, by_name[key]), boxes(desk, key)
        # YOLO's text has a number's first digits; every other format has all of them.
        near = 1e-5 if format_ == "yolo" else 0
        assert [label for label, _ in came] == [label for label, _ in went]
        for (_, ours), (_, theirs) in zip(went, came, strict=True):
            assert theirs == pytest.approx(ours, abs=near, rel=0)
        if format_ == "labelstudio":
            [ours], [theirs] = desk.record(key).annotations, record.annotations
            assert (ours.unique_id, content(ours)) == (theirs.unique_id, content(theirs))
