"""Open rounds on a main whose labels changed in ways that are not one rename."""

from dataclasses import replace

import pytest

from ops.core.canonical import decode_record
from ops.core.migration import MigrationRequest, Operation
from ops.core.names import RECORD_PREFIX
from ops.core.regions import labels
from ops.core.selection import Selection
from ops.errors import RefusedError
from ops.runner.change_merge import merge_change
from ops.runner.changes import Proposed
from ops.runner.finish import finish_round
from ops.runner.ontology import list_uses, propose_migration
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from tests.runner.world import World

RENAME, MERGE, SPLIT, REMOVE = Operation


@pytest.fixture
def world() -> World:
    """p000 and p001 are labeled, v1; round `more` labels the others."""
    world = World(4)
    start_round(world.context, "cheese", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p001.png", "gouda")
    finish_round(world.context, "cheese")
    start_round(world.context, "more", Selection())
    world.label("p002.png", "brie", "gouda")
    world.label("p003.png", "gouda")
    return world


def migrate(world: World, operation: Operation, *sources: str, into: tuple[str, ...] = ()) -> None:
    change(world, MigrationRequest(operation=operation, sources=sources, targets=into))


def change(world: World, asked: MigrationRequest) -> None:
    found = propose_migration(world.context, asked)
    assert isinstance(found, Proposed)
    merge_change(world.context, found.change.name, rule_of)


def said(world: World, ref: str = "main") -> dict[str, list[str]]:
    return {
        path.removeprefix(RECORD_PREFIX)[:4]: [
            label
            for one in decode_record(data).annotations
            for region in one.result
            for label in labels(region)
        ]
        for path, data in world.records(ref).items()
    }


def test_migrations_are_made_again_in_their_order(world: World) -> None:
    """Two renames and a merge, before anything was synced."""
    migrate(world, RENAME, "brie", into=("camembert",))
    migrate(world, RENAME, "camembert", into=("soft",))
    migrate(world, MERGE, "soft", "gouda", into=("cheese",))
    done = finish_round(world.context, "more")
    assert done.conflicts == ()
    assert said(world) == {
        "p000": ["cheese"], "p001": ["cheese"], "p002": ["cheese", "cheese"], "p003": ["cheese"],
    }  # fmt: skip


def test_labels_that_change_places_change_in_open_rounds_too(world: World) -> None:
    """Though the ontology is as it was when they started."""
    for old, new in (("brie", "x"), ("gouda", "brie"), ("x", "gouda")):
        migrate(world, RENAME, old, into=(new,))
    finish_round(world.context, "more")
    assert said(world) == {
        "p000": ["gouda"], "p001": ["brie"], "p002": ["gouda", "brie"], "p003": ["brie"],
    }  # fmt: skip


def test_an_answer_with_a_label_that_was_removed_is_for_people(world: World) -> None:
    """It is neither dropped unseen nor merged."""
    asked = MigrationRequest(operation=REMOVE, sources=("brie",), drops=True)
    change(world, asked)
    before = world.records()
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "more")
    assert "the label 'brie' of 'label'" in str(caught.value.where)
    assert world.records() == before


def test_a_split_asks_about_what_nobody_decided(world: World) -> None:
    """Unless it was said what the rest is."""
    asked = MigrationRequest(operation=SPLIT, sources=("brie",), targets=("young", "old"))
    places = [use.place for use in list_uses(world.context, asked)]
    change(world, replace(asked, decisions=dict.fromkeys(places, "old")))
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "more")
    assert "the label 'brie' of 'label'" in str(caught.value.where)
    change(
        world, MigrationRequest(operation=SPLIT, sources=("gouda",), targets=("a", "b"), rest="b")
    )
    for annotation in list(world.studio.annotations.values()):
        if annotation.task == world.task("p002.png", 2):
            world.studio.update_annotation(annotation.id, [])
    finish_round(world.context, "more")
    assert said(world) == {"p000": ["old"], "p001": ["b"], "p002": [], "p003": ["b"]}
