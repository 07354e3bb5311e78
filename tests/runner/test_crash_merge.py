"""A round that meets a moved main, killed at any request and run again, ends as if it had not been.

As tests/runner/test_crash.py, for what takes main in: rebase, finish, and the round that opens with
what was held back.
"""

from collections.abc import Callable

import pytest

from ops.core.settle import Policy
from ops.runner.finish import finish_round
from ops.runner.rebase import rebase_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.laws import note
from tests.runner.overlap import EDIT, add, edit, labeled
from tests.runner.test_crash import Killed, kill_at, versions
from tests.runner.world import World

Act = Callable[[World], None]


def overlapping() -> World:
    """Theirs is on main and contradicts ours on p000; each said something alone elsewhere."""
    world = labeled(4)
    start_round(world.context, "ours", EDIT)
    start_round(world.context, "theirs", EDIT)
    edit(world, "theirs", "p000.png", "gouda")
    edit(world, "theirs", "p001.png", "gouda")
    edit(world, "ours", "p000.png", "brie", moved=5)
    add(world, "ours", "p002.png", "gouda", by=world.ben)
    sync_round(world.context, "ours")
    edit(world, "ours", "p003.png", "gouda")
    finish_round(world.context, "theirs")
    return world


def rebase(world: World) -> None:
    rebase_round(world.context, "ours", on_conflict=Policy.BOTH)


def finish(world: World) -> None:
    finish_round(world.context, "ours", on_conflict=Policy.BOTH)


def rebased() -> World:
    """The same, with main taken into the open round, and a word more said in it."""
    world = overlapping()
    rebase(world)
    add(world, "ours", "p001.png", "brie", by=world.ben)
    return world


def quarantine(world: World) -> None:
    finish_round(world.context, "ours", quarantine=True)


ACTS: dict[str, tuple[Callable[[], World], Act]] = {
    "rebase": (overlapping, rebase),
    "finish": (overlapping, finish),
    "finish after a rebase": (rebased, finish),
    "finish with quarantine": (overlapping, quarantine),
}


def requests_of(make: Callable[[], World], act: Act) -> tuple[World, int]:
    """The world after a clean run, and how many requests that made."""
    world, count = make(), 0

    def request(_: str) -> None:
        nonlocal count
        count += 1

    world.watch(request, lambda _: None)
    act(world)
    world.watch(lambda _: None, lambda _: None)
    return world, count


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ACTS)
def test_run_again_after_a_kill(name: str, *, after: bool) -> None:
    make, act = ACTS[name]
    clean, count = requests_of(make, act)
    for number in range(1, count + 1):
        world = make()
        world.watch(*kill_at(number, after=after))
        with pytest.raises(Killed):
            act(world)
        world.watch(lambda _: None, lambda _: None)
        act(world)
        act(world)
        where = f"killed {'after' if after else 'before'} request {number}"
        assert state(world) == state(clean), where
    when = "after" if after else "before"
    note("crash points on the fakes", f"{name}: killed {when} each of {count} requests, run again")


def state(world: World) -> object:
    """Everything that must be the same: records on every branch, versions, tags, projects."""
    branches = [name for name, _ in world.lake.branches()]
    return (
        {name: world.records(name) for name in branches},
        world.snapshot(),
        versions(world),
        sorted(name for name, _ in world.lake.tags()),
        [project.title for project in world.studio.projects.values()],
        len(world.studio.tasks),
    )
