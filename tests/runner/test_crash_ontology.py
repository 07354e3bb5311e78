"""A migration killed at any request and run again ends as if it had not been; an addition, too."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.core.migration import MigrationRequest, Operation
from ops.core.names import LABEL_CONFIG_PATH
from ops.runner.change_merge import merge_change
from ops.runner.changes import list_changes
from ops.runner.ontology import add_labels, propose_migration
from ops.runner.rules import rule_of
from tests.laws import note
from tests.runner.test_crash import Killed, kill_at, versions
from tests.runner.test_ontology import ask, labeled
from tests.runner.world import World

Act = Callable[[World], None]

MERGED = ask(Operation.MERGE, "brie", "gouda", into=("cheese",))
DROPPED = replace(ask(Operation.REMOVE, "brie"), drops=True)


def add(world: World) -> None:
    add_labels(world.context, ["feta", "edam"])


def proposal(asked: MigrationRequest) -> Act:
    def propose(world: World) -> None:
        propose_migration(world.context, asked, name="mine")

    return propose


def merge(world: World) -> None:
    merge_change(world.context, "mine", rule_of)


ACTS: dict[str, tuple[tuple[Act, ...], Act]] = {
    "add labels": ((), add),
    "propose a merge of labels": ((), proposal(MERGED)),
    "merge a merge of labels": ((proposal(MERGED),), merge),
    "merge a removal": ((proposal(DROPPED),), merge),
}


def prepared(before: tuple[Act, ...]) -> World:
    world = labeled()
    for act in before:
        act(world)
    return world


@pytest.mark.parametrize("name", ACTS)
def test_run_again_after_a_kill(name: str) -> None:
    before, act = ACTS[name]
    clean = prepared(before)
    requests: list[str] = []
    clean.watch(requests.append, lambda _: None)
    act(clean)
    clean.watch(lambda _: None, lambda _: None)
    for number in range(1, len(requests) + 1):
        for after in (False, True):
            world = prepared(before)
            world.watch(*kill_at(number, after=after))
            with pytest.raises(Killed):
                act(world)
            world.watch(lambda _: None, lambda _: None)
            act(world)
            act(world)
            assert state(world) == state(clean), (number, after)
    assert len(requests) > 6
    note("crash points on the fakes", f"{name}: killed around each of {len(requests)} requests")


def state(world: World) -> list[object]:
    """Everything that may differ, but for ids and times."""
    lake = world.lake
    return [
        world.records(),
        world.records("v1"),
        lake.read("main", LABEL_CONFIG_PATH),
        versions(world),
        sorted(name for name, _ in lake.tags()),
        sorted(name for name, _ in lake.branches()),
        [(one.name, one.change and one.change.digest) for one in list_changes(world.context)],
        [lake.read(one.branch, LABEL_CONFIG_PATH) for one in list_changes(world.context)],
    ]
