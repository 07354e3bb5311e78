"""Pictures are measured once for their bytes, and what cannot be measured is said."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

import pytest
from PIL import Image

from ops.core.image_profile import Problem
from ops.core.names import IMAGE_PROFILE_PATH, MAIN, media_path
from ops.core.records import Json, TaskKey
from ops.engines import Work
from ops.engines.threads import ThreadEngine
from ops.errors import InvalidDataError, NotFoundError, UnavailableError
from ops.ports import Upload
from ops.runner.deposit import deposit
from ops.runner.profile import COLUMNS, Profiled, profile_images, read_profile
from tests.runner.world import World


class Counting(ThreadEngine):
    """An engine on threads that notes what it was asked for."""

    def __init__(self, world: World) -> None:
        super().__init__(world.lake.read_many, jobs=2)
        self.asked: list[str] = []

    def map(
        self, work: Work, ref: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
        """As the engine."""
        self.asked += paths
        return super().map(work, ref, paths)


class Blind(ThreadEngine):
    """An engine whose workers reach no server."""

    def map(
        self, work: Work, ref: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
        """Nothing of any path."""
        del work, ref
        return ((path, None) for path in paths)


def png(number: int) -> bytes:
    """A picture of its own."""
    data = BytesIO()
    Image.new("RGB", (20 + number, 10), (number, 90, 90)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def world() -> World:
    found = World(image_count=0)
    put(found, {f"p{number}.png": png(number) for number in range(4)})
    return found


def put(world: World, pictures: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
    """Bring pictures onto main."""
    uploads = [Upload(path=media_path(TaskKey(key)), data=data) for key, data in pictures.items()]
    paths = [media_path(TaskKey(key)) for key in removed]
    deposit(world.context, "data-add", uploads, message="pictures", removed=paths)


def run(world: World, *, again: bool = False) -> tuple[Profiled, Counting]:
    """One run, and what it asked the engine for."""
    engine = Counting(world)
    return profile_images(world.context, engine, again=again), engine


def test_every_picture_gets_a_row_once(world: World) -> None:
    """And the second run writes nothing."""
    found, engine = run(world)
    assert found.commit == world.lake.find_commit(MAIN)
    assert sorted(engine.asked) == [f"images/p{number}.png" for number in range(4)]
    profiles = read_profile(world.context, MAIN)
    assert {key: one.width for key, one in profiles.items()} == {
        f"p{number}.png": 20 + number for number in range(4)
    }
    again, engine = run(world)
    assert (again.commit, again.measured, again.kept, engine.asked) == (None, (), 4, [])
    assert world.lake.find_commit(MAIN) == found.commit


def test_only_new_and_replaced_bytes_are_read(world: World) -> None:
    """A picture under another name is read again: nothing is known of a path but its checksum."""
    run(world)
    put(world, {"p1.png": png(7), "new.png": png(8)}, removed=["p0.png"])
    assert sorted(read_profile(world.context, MAIN)) == ["p2.png", "p3.png"]
    found, engine = run(world)
    assert found.measured == ("new.png", "p1.png")
    assert sorted(engine.asked) == ["images/new.png", "images/p1.png"]
    profiles = read_profile(world.context, MAIN)
    assert sorted(profiles) == ["new.png", "p1.png", "p2.png", "p3.png"]
    assert profiles[TaskKey("p1.png")].width == 27


def test_the_same_pictures_make_the_same_bytes(world: World) -> None:
    """In one run or in several, however long each picture takes."""
    run(world)
    other = World(image_count=0)
    for number in (2, 0, 3, 1):
        put(other, {f"p{number}.png": png(number)})
        run(other)
    assert other.lake.read(MAIN, IMAGE_PROFILE_PATH) == world.lake.read(MAIN, IMAGE_PROFILE_PATH)


def test_what_cannot_be_decoded_is_listed_and_no_failure(world: World) -> None:
    put(world, {"none.png": b"", "cut.png": png(1)[:40], "notes.txt": b"buy cheese"})
    found, _ = run(world)
    problems = {one.key: one.problem for one in found.problems}
    assert problems == {
        "none.png": Problem.EMPTY,
        "cut.png": Problem.DAMAGED,
        "notes.txt": Problem.NO_IMAGE,
    }
    again, engine = run(world)
    assert again.problems == found.problems
    assert engine.asked == []


def test_all_can_be_measured_again(world: World) -> None:
    """The table and its facts are as they were, so nothing but the time of making differs."""
    first, _ = run(world)
    table = world.lake.read(MAIN, IMAGE_PROFILE_PATH)
    found, _ = run(world, again=True)
    assert found.measured == first.measured
    assert world.lake.read(MAIN, IMAGE_PROFILE_PATH) == table


def test_a_dry_run_reads_no_picture(world: World) -> None:
    engine = Counting(world)
    head = world.lake.find_commit(MAIN)
    found = profile_images(world.context, engine, dry_run=True)
    assert (len(found.measured), found.commit, engine.asked) == (4, None, [])
    assert world.lake.find_commit(MAIN) == head


def test_a_picture_that_vanishes_meanwhile_is_named_and_nothing_is_written(world: World) -> None:
    """As one in a bucket in place can."""

    class Vanishing(Counting):
        def map(
            self, work: Work, ref: str, paths: Sequence[str]
        ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
            return super().map(work, ref, [*paths, "images/gone.png"])

    head = world.lake.find_commit(MAIN)
    with pytest.raises(NotFoundError, match=r"gone\.png"):
        profile_images(world.context, Vanishing(world))
    assert world.lake.find_commit(MAIN) == head


def test_workers_that_read_nothing_are_told_from_pictures_that_are_gone(world: World) -> None:
    with pytest.raises(UnavailableError) as caught:
        profile_images(world.context, Blind(world.lake.read_many))
    assert caught.value.code == "engine-cannot-read"
    assert read_profile(world.context, MAIN) == {}


def test_a_damaged_table_is_refused_until_it_is_made_anew(world: World) -> None:
    run(world)
    damaged = Upload(path=IMAGE_PROFILE_PATH, data=b"no parquet")
    deposit(world.context, "profile", [damaged], message="somebody's")
    with pytest.raises(InvalidDataError):
        run(world)
    found, _ = run(world, again=True)
    assert found.commit
    assert len(read_profile(world.context, MAIN)) == 4


def test_a_row_holds_every_column(world: World) -> None:
    run(world)
    rows = [one.as_row() for one in read_profile(world.context, MAIN).values()]
    assert all([*row] == [*COLUMNS] for row in rows)
