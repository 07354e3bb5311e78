"""A label is renamed on main while a round is open: what people say arrives under the new name."""

from ops.core.migration import MigrationRequest, Operation
from ops.core.selection import Selection
from ops.runner.change_merge import merge_change
from ops.runner.changes import Proposed
from ops.runner.finish import finish_round
from ops.runner.ontology import propose_migration
from ops.runner.rebase import rebase_round
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.overlap import EDIT, add, boxes, edit, labeled, record
from tests.runner.world import World


def rename(world: World, old: str, new: str) -> None:
    """Rename a label on main, reviewed and merged."""
    asked = MigrationRequest(operation=Operation.RENAME, sources=(old,), targets=(new,))
    found = propose_migration(world.context, asked)
    assert isinstance(found, Proposed)
    merge_change(world.context, found.change.name, rule_of)


def test_new_answers_get_the_new_name() -> None:
    world = World(2)
    start_round(world.context, "cheese", Selection())
    world.label("p000.png", "brie")
    sync_round(world.context, "cheese")
    rename(world, "brie", "camembert")
    world.label("p001.png", "brie", by=world.ben)
    finish_round(world.context, "cheese")
    assert boxes(record(world, "p000.png")) == [("ann", "camembert", 10)]
    assert boxes(record(world, "p001.png")) == [("ben", "camembert", 10)]


def test_answers_put_before_annotators_are_no_edits() -> None:
    """They show the old name in Label Studio; main has the new one, and nobody contradicted it."""
    world = labeled()
    start_round(world.context, "check", EDIT)
    rename(world, "brie", "camembert")
    edit(world, "check", "p000.png", "gouda")
    edit(world, "check", "p001.png", "brie", moved=5)
    done = finish_round(world.context, "check")
    assert done.conflicts == ()
    assert boxes(record(world, "p000.png")) == [("ann", "gouda", 10)]
    assert boxes(record(world, "p001.png")) == [("ann", "camembert", 15)]
    assert boxes(record(world, "p002.png")) == [("ann", "camembert", 10)]
    assert boxes(record(world, "p002.png", "v1")) == [("ann", "brie", 10)]


def test_a_rebased_round_goes_on_in_the_new_words() -> None:
    world = labeled()
    start_round(world.context, "check", EDIT)
    rename(world, "brie", "camembert")
    rebase_round(world.context, "check")
    assert boxes(record(world, "p002.png", "round-check")) == [("ann", "camembert", 10)]
    add(world, "check", "p002.png", "brie", by=world.ben)
    sync_round(world.context, "check")
    found = [("ann", "camembert", 10), ("ben", "camembert", 10)]
    assert boxes(record(world, "p002.png", "round-check")) == found
    rename(world, "camembert", "reblochon")
    finish_round(world.context, "check")
    assert [name for _, name, _ in boxes(record(world, "p002.png"))] == ["reblochon"] * 2
