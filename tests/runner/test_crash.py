"""A verb killed at any request, and run again, ends as if nothing had happened.

The kill is an exception no code of ours catches, raised before or after each single request; what
the process knew is gone, what the servers took is there. The real servers' turn is in tests/system.
"""

from collections.abc import Callable, Iterator

import pytest

from ops.core.selection import Selection
from ops.errors import OpsError
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.world import World

Act = Callable[[World], None]


class Killed(BaseException):
    """The process is gone."""


def start(world: World) -> None:
    start_round(world.context, "cheese", Selection(limit=5))


def annotate(world: World) -> None:
    world.label("p000.png", "brie", "gouda")
    world.label("p000.png", "gouda", by=world.ben)
    world.label("p001.png")
    world.label("p002.png", skipped=True)
    world.label("p003.png", "brie")


def sync(world: World) -> None:
    sync_round(world.context, "cheese")


def finish(world: World) -> None:
    finish_round(world.context, "cheese", allow_unlabeled=True)


STORY: tuple[tuple[str, tuple[Act, ...], Act], ...] = (
    ("start", (), start),
    ("sync", (start, annotate), sync),
    ("finish", (start, annotate, sync), finish),
    ("finish without a sync before", (start, annotate), finish),
)


def kill_at(number: int, *, after: bool) -> tuple[Callable[[str], None], Callable[[str], None]]:
    """Hooks that kill at the `number`th request, before or after the server took it."""
    begun = ended = 0

    def begin(_: str) -> None:
        nonlocal begun
        begun += 1
        if begun == number and not after:
            raise Killed

    def end(_: str) -> None:
        nonlocal ended
        ended += 1
        if ended == number and after:
            raise Killed

    return begin, end


def undisturbed(before: tuple[Act, ...], act: Act) -> tuple[World, int]:
    """The world after a clean run, and how many requests the act made."""
    world, requests = World(), 0

    def count(_: str) -> None:
        nonlocal requests
        requests += 1

    for earlier in before:
        earlier(world)
    world.watch(count, lambda _: None)
    act(world)
    world.watch(lambda _: None, lambda _: None)
    return world, requests


def points() -> Iterator[tuple[str, tuple[Act, ...], Act, int, bool]]:
    for name, before, act in STORY:
        _, requests = undisturbed(before, act)
        for number in range(1, requests + 1):
            for after in (False, True):
                yield name, before, act, number, after


POINTS = list(points())


def test_there_are_enough_points() -> None:
    assert len(POINTS) >= 100


@pytest.mark.parametrize(
    ("before", "act", "number", "after"),
    [point[1:] for point in POINTS],
    ids=[
        f"{name}-{number}-{'after' if after else 'before'}" for name, _, _, number, after in POINTS
    ],
)
def test_run_again_after_a_kill(
    before: tuple[Act, ...], act: Act, number: int, *, after: bool
) -> None:
    clean, _ = undisturbed(before, act)
    world = World()
    for earlier in before:
        earlier(world)
    world.watch(*kill_at(number, after=after))
    with pytest.raises(Killed):
        act(world)
    world.watch(lambda _: None, lambda _: None)
    act(world)
    act(world)

    assert len(world.studio.projects) == 1
    assert len(world.studio.tasks) == 5
    assert world.records("round-cheese") == clean.records("round-cheese")
    assert world.records() == clean.records()
    assert dict(world.lake.tags()).keys() == dict(clean.lake.tags()).keys()
    assert versions(world) == versions(clean)
    for branch in ("main", "round-cheese"):
        assert not list(world.lake.uncommitted(branch)), f"{branch} has something staged"
    if act is finish:
        assert world.snapshot() == clean.snapshot()


def versions(world: World) -> list[str]:
    """The versions along main, as their merge commits state them."""
    commits = world.lake.log("main", first_parent=True)
    return [c.metadata["ops.version"] for c in commits if "ops.version" in c.metadata]


@pytest.mark.parametrize("seed", range(40))
def test_killed_again_and_again(seed: int) -> None:
    """The whole story with a kill in every verb, at requests chosen by the seed."""
    clean = World()
    for act in (start, annotate, sync, finish):
        act(clean)
    world = World()
    for place, act in enumerate((start, annotate, sync, finish)):
        if act is annotate:
            act(world)
            continue
        for turn in range(3):
            number = 1 + (seed * 31 + place * 7 + turn * 13) % 20
            world.watch(*kill_at(number, after=bool((seed + turn) % 2)))
            try:
                act(world)
            except Killed:
                continue
            except OpsError as error:
                pytest.fail(f"{act.__name__}: {error.code}: {error.message}")
        world.watch(lambda _: None, lambda _: None)
        act(world)
    assert world.records() == clean.records()
    assert world.snapshot() == clean.snapshot()
    assert [tag for tag, _ in world.lake.tags()] == ["v1"]
    assert len(world.studio.projects) == 1
