"""`dataset revert` on the servers in memory: to a version, without a round, without a person."""

import pytest

from ops.core.canonical import decode_record
from ops.core.names import record_path
from ops.core.records import Annotation, Record, TaskKey
from ops.core.rounds import Selection
from ops.core.settle import Policy
from ops.core.undo import Target
from ops.errors import ConflictError, NotFoundError, RefusedError
from ops.runner.change_merge import merge_change
from ops.runner.changes import propose
from ops.runner.finish import finish_round
from ops.runner.revert import (
    propose_revert,
    revert_round,
    revert_to,
    round_request,
    work_request,
)
from ops.runner.revert_rules import revert_rule
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from tests.runner.world import World, region

ANN, BEN = "ann@example.org", "ben@example.org"


def finish(world: World, name: str) -> None:
    finish_round(world.context, name, allow_unlabeled=True)


def record(world: World, key: str, ref: str = "main") -> Record:
    data = world.lake.read(ref, record_path(TaskKey(key)))
    assert data is not None
    return decode_record(data, key=TaskKey(key))


def by(world: World, key: str, annotator: str) -> Annotation:
    return next(one for one in record(world, key).annotations if one.annotator == annotator)


@pytest.fixture
def world() -> World:
    """Version 1 by ann, version 2 by ben on other tasks and beside ann's, version 3 an edit."""
    world = World(8)
    start_round(world.context, "first", Selection(limit=4))
    for number in range(4):
        world.label(f"p00{number}.png", "brie")
    finish(world, "first")
    start_round(world.context, "second", Selection(labeled_too=True, limit=6))
    for number in range(2, 6):
        world.label(f"p00{number}.png", "gouda", by=world.ben)
    finish(world, "second")
    return world


def test_undo_a_round_keeps_what_came_later(world: World) -> None:
    after = world.records()
    done = revert_round(world.context, "first")
    assert done.version == 3
    assert {key for key in ("p000.png", "p001.png")} == set(done.computed.reopened)  # type: ignore
    left = world.records()
    assert set(left) == {record_path(TaskKey(f"p00{n}.png")) for n in range(2, 6)}
    for number in (2, 3):
        [one] = record(world, f"p00{number}.png").annotations
        assert one.annotator == BEN
    for number in (4, 5):
        path = record_path(TaskKey(f"p00{number}.png"))
        assert left[path] == after[path]
    assert revert_round(world.context, "first").version is None
    revert_to(world.context, "v2")
    assert world.records() == after
