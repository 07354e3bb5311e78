"""An import from files to a version, on the servers in memory."""

from pathlib import Path

import pytest

from ops.core.pixels import corners_of_box, to_pixels
from ops.core.records import Origin
from ops.runner.finish import finish_round
from ops.runner.sync import sync_round
from tests.runner.importing import Desk, voc


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty repository for cats and dogs."""
    return Desk(tmp_path)


def corners(region: dict) -> list[float]:
    value = region["value"]
    box = value["x"], value["y"], value["width"], value["height"]
    return list(corners_of_box(to_pixels(box, 640, 480)))


def test_an_import_becomes_a_version(desk: Desk) -> None:
    """Pictures come along, people look, finish makes v1; every corner is the one of the file."""
    desk.draw("a.jpg", "b.jpg", "c.jpg")
    desk.write("voc/a.xml", voc("a.jpg", ("cat", 87, 1, 640, 479), ("dog", 3, 5, 4, 6)))
    desk.write("voc/b.xml", voc("b.jpg"))
    found = desk.take("voc", desk.folder / "voc", annotator="old@example.org")
    assert (found.pictures, found.counts.labeled, found.counts.empty) == (2, 1, 1)
    assert (found.annotation_count, found.region_count, found.unspoken) == (2, 2, 1)
    assert found.added
    assert found.added.added == ("a.jpg", "b.jpg")
    synced = sync_round(desk.context, "old")
    assert synced.counts == found.counts
    finished = finish_round(desk.context, "old")
    assert finished.version == 1
    [annotation] = desk.record("a.jpg").annotations
    assert annotation.annotator == "old@example.org"
    assert set(annotation.origins.values()) == {Origin.IMPORTED}
    assert sorted(corners(region) for region in annotation.result) == [
        [3, 5, 4, 6],
        [87, 1, 640, 479],
    ]
