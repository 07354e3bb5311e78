"""Equal and near pictures are found, others are not, and labels that contradict are named."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ops.core.names import MAIN
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.engines.threads import ThreadEngine
from ops.errors import UsageError
from ops.ports import Upload
from ops.runner.dataset import resolve
from ops.runner.duplicates import Duplicates, find_duplicates
from ops.runner.finish import finish_round
from ops.runner.profile import profile_images
from ops.runner.start import start_round
from tests.looks import look, picture, put
from tests.runner.world import World
from tests.tree import ROOT
from tests.wanted import missing

WORST = 20
"""JPEG quality of the near copies."""


def find(world: World, *, profiled: bool = True, distance: int = 4) -> Duplicates:
    if profiled:
        profile_images(world.context, ThreadEngine(world.lake.read_many))
    return find_duplicates(world.context, resolve(world.context, MAIN), distance=distance)


def test_10_equal_and_5_near_are_found_among_200_and_nothing_else() -> None:
    world = World(image_count=0)
    every = {f"{number:03}.png": picture(look(number)) for number in range(200)}
    every |= {f"equal/{number}.png": every[f"{number:03}.png"] for number in range(10)}
    near = [picture(look(20 + number), size=(90, 60), kind="JPEG") for number in range(5)]
    put(world, every | {f"near/{number}.jpg": data for number, data in enumerate(near)})
    found = find(world)
    assert {group.keys for group in found.groups if group.is_exact} == {
        (f"{number:03}.png", f"equal/{number}.png") for number in range(10)
    }
    assert {group.keys for group in found.groups if not group.is_exact} == {
        (f"{20 + number:03}.png", f"near/{number}.jpg") for number in range(5)
    }
    assert (found.pictures.unprofiled, found.pictures.undecodable) == (0, 0)


def test_equal_ones_need_no_profile_and_near_ones_say_so() -> None:
    world = World(image_count=0)
    one = picture(look(1))
    put(world, {"a.png": one, "b.png": one, "half.png": picture(look(1), size=(90, 60))})
    found = find(world, profiled=False)
    [group] = found.groups
    assert group.keys == ("a.png", "b.png")
    assert group.is_exact
    assert found.pictures.unprofiled == 3


def test_pictures_whose_digest_is_known_are_equal_whatever_lakefs_lists() -> None:
    """What a bucket had in parts is listed by another checksum."""
    world = World(image_count=0)
    world.lake.create_branch("data", MAIN)
    uploads = [
        Upload(path=f"images/{key}.png", data=key.encode(), metadata={"sha256": sha256})
        for key, sha256 in (("a", "1" * 64), ("b", "1" * 64), ("c", "2" * 64))
    ]
    world.lake.write_many("data", uploads)
    world.lake.commit("data", "images", {})
    world.lake.merge("data", MAIN, "images", {})
    assert [group.keys for group in find(world, profiled=False).groups] == [("a.png", "b.png")]


def test_a_group_is_what_pairs_hold_together() -> None:
    """Two equal ones and a near one are one group, not three."""
    world = World(image_count=0)
    one = picture(look(1))
    put(world, {"a.png": one, "b.png": one, "half.png": picture(look(1), size=(90, 60))})
    [group] = find(world).groups
    assert group.keys == ("a.png", "b.png", "half.png")
    assert not group.is_exact


def test_what_cannot_be_seen_is_counted_and_told_by_its_bytes() -> None:
    """Blank pictures of two colours, a cut-off one twice, two without a byte."""
    world = World(image_count=0)
    white, black = (picture(Image.new("L", (60, 40), gray)) for gray in (255, 0))
    cut = picture(look(3))[:-40]
    put(world, {"white.png": white, "black.png": black, "cut.png": cut, "too.png": cut})
    put(world, {"no.png": b"", "none.png": b""})
    found = find(world)
    assert [group.keys for group in found.groups] == [
        ("cut.png", "too.png"),
        ("no.png", "none.png"),
    ]
    assert (found.pictures.undecodable, found.pictures.plain_count(4)) == (4, 2)


def test_labels_of_one_picture_that_contradict_each_other_are_told() -> None:
    """Brie here and gouda there; brie twice; brie and nothing; brie and nobody asked."""
    world = World(image_count=0)
    for number in range(4):
        data = picture(look(number))
        put(world, {f"{number}.png": data, f"{number}-too.png": data})
    start_round(world.context, "cheese", Selection())
    said = {"0-too.png": ["gouda"], "1-too.png": ["brie"], "2-too.png": []}
    for key, labels in {**{f"{number}.png": ["brie"] for number in range(4)}, **said}.items():
        world.label(key, *labels)
    finish_round(world.context, "cheese", allow_unlabeled=True)
    found = find(world, profiled=False)
    assert [found.contradicts(group) for group in found.groups] == [True, False, True, False]
    assert found.said[TaskKey("0-too.png")].labels == ("gouda",)


@pytest.mark.parametrize("distance", [-1, 9])
def test_a_distance_that_tells_nothing_is_refused(distance: int) -> None:
    with pytest.raises(UsageError) as caught:
        find_duplicates(World().context, resolve(World().context, MAIN), distance=distance)
    assert caught.value.code == "near-distance"


def test_no_pictures_no_duplicates() -> None:
    assert find(World(image_count=0)).groups == ()


def test_microscope_pictures_which_are_all_alike_are_told_apart() -> None:
    """120 blood-cell pictures with 10 equal and 5 worse copies; one pair of them is the same field.

    BloodImage_00037 and 00038 show the same cells at another focus: nobody who published or used
    the set says so.
    """
    beside = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("OPS_TEST_DATA", beside)) / "bccd" / "images"
    if not folder.is_dir():
        missing(f"NO BCCD: {folder} is not there; name its parent with OPS_TEST_DATA")
    every = {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:120]}
    names = [*every]
    worse = {f"worse/{name}": _worse(every[name]) for name in names[60:65]}
    equal = {f"equal/{name}": every[name] for name in names[40:50]}
    world = World(image_count=0)
    put(world, every | equal | worse)
    found = {group.keys for group in find(world).groups}
    wanted = {(name.partition("/")[2], name) for name in [*equal, *worse]}
    assert found == wanted | {("BloodImage_00037.jpg", "BloodImage_00038.jpg")}


def _worse(data: bytes) -> bytes:
    """Half the size, and as JPEG at quality 20."""
    sink = BytesIO()
    with Image.open(BytesIO(data)) as image:
        image.reduce(2).save(sink, "JPEG", quality=WORST)
    return sink.getvalue()
