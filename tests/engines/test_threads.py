"""The engine of this process: every object once, in flat memory, and nothing hidden."""

from collections.abc import Iterable, Iterator, Mapping

import pytest

from ops.core.records import Json
from ops.engines.threads import ThreadEngine
from ops.errors import NotFoundError
from tests.fakes.lake import FakeLake
from tests.runner.world import World


def size(data: bytes) -> Mapping[str, Json]:
    """A piece of work."""
    return {"size": len(data)}


class Reader:
    """Gives objects of growing size, and notes how far it was read."""

    def __init__(self) -> None:
        self.given = 0

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each path with as many bytes as its name says."""
        assert ref == "commit"
        for path in paths:
            self.given += 1
            yield path, bytes(int(path))


def test_every_object_is_worked_on_once() -> None:
    paths = [str(number) for number in range(500)]
    with ThreadEngine(Reader().read_many, jobs=7) as engine:
        found = list(engine.map(size, "commit", paths))
    assert dict(found) == {path: {"size": int(path)} for path in paths}
    assert len(found) == len(paths)


def test_no_more_is_read_than_can_be_worked_on() -> None:
    """Memory does not grow with the number of objects."""
    reader = Reader()
    with ThreadEngine(reader.read_many, jobs=2) as engine:
        results = engine.map(size, "commit", [str(number) for number in range(10_000)])
        next(results)
        assert reader.given <= 5


def test_nothing_is_read_for_nothing() -> None:
    reader = Reader()
    with ThreadEngine(reader.read_many) as engine:
        assert list(engine.map(size, "commit", [])) == []
    assert reader.given == 0


def test_an_object_that_is_gone_is_an_error_that_names_it() -> None:
    world = World(image_count=3)
    lake: FakeLake = world.lake
    with ThreadEngine(lake.read_many) as engine, pytest.raises(NotFoundError) as caught:
        list(engine.map(size, "main", ["images/p000.png", "images/gone.png", "images/p001.png"]))
    assert "gone.png" in str(caught.value.subject)
