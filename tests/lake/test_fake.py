"""The crashes a lakeFS in memory can be told to have."""

import pytest

from ops.ports import Upload
from tests.fakes.lake import FakeLake

MAIN = "main"
UPLOADS = [Upload(path=str(number), data=b"1") for number in range(5)]


class CrashError(Exception):
    """The process is gone."""


@pytest.fixture
def lake() -> FakeLake:
    """A repository in memory."""
    lake = FakeLake("labels")
    lake.create_repository("mem://labels")
    return lake


def crash(_: str) -> None:
    """Be gone."""
    raise CrashError


def paths(lake: FakeLake) -> list[str]:
    """What is staged."""
    lake.before = lake.after = lake.stored = lambda _: None
    return [found.path for found in lake.list_objects(MAIN)]


def test_a_crash_before_leaves_all_undone(lake: FakeLake) -> None:
    """The request never went out."""
    lake.before = crash
    with pytest.raises(CrashError):
        lake.write_many(MAIN, UPLOADS)
    assert paths(lake) == []


def test_a_crash_after_leaves_it_done(lake: FakeLake) -> None:
    """Only the answer is lost."""
    lake.after = crash
    with pytest.raises(CrashError):
        lake.write_many(MAIN, UPLOADS)
    assert paths(lake) == ["0", "1", "2", "3", "4"]


def test_a_crash_on_the_way_leaves_some_of_it(lake: FakeLake) -> None:
    """As many as had been stored."""
    stored: list[str] = []

    def third(path: str) -> None:
        stored.append(path)
        if len(stored) == 3:
            raise CrashError

    lake.stored = third
    with pytest.raises(CrashError):
        lake.write_many(MAIN, UPLOADS)
    assert paths(lake) == stored == ["0", "1", "2"]


def test_the_hooks_are_told_which_method_it_is(lake: FakeLake) -> None:
    """Both, in this order."""
    told: list[str] = []
    lake.before = lambda name: told.append(f"before {name}")
    lake.after = lambda name: told.append(f"after {name}")
    lake.find_commit(MAIN)
    lake.branches()
    assert told == [
        "before find_commit",
        "after find_commit",
        "before branches",
        "after branches",
    ]
