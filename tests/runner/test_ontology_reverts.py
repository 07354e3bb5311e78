"""Going back over a migration: older answers come back under the names main's labels have now."""

from dataclasses import replace

import pytest

from ops.core.migration import Operation
from ops.core.selection import Selection
from ops.core.settle import Policy
from ops.core.undo import Target
from ops.errors import RefusedError
from ops.runner.change_merge import merge_change
from ops.runner.finish import finish_round
from ops.runner.revert import propose_revert, revert_round, revert_to, work_request
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from ops.runner.verify import verify_dataset
from tests.runner.test_ontology import ask, labeled, migrate, said, to_camembert
from tests.runner.world import World


@pytest.fixture
def world() -> World:
    """Four labeled tasks, v1."""
    return labeled()


def test_back_to_a_version_before_a_rename(world: World) -> None:
    """Its answers, in today's words; then there is nothing more to go back to."""
    start_round(world.context, "more", Selection())
    world.label("p004.png", "brie")
    world.label("p005.png", "brie")
    finish_round(world.context, "more")
    migrate(world, to_camembert())
    done = revert_to(world.context, "v1")
    assert done.version == 4
    assert said(world) == {
        "p000.png": [["camembert", "gouda"], ["camembert"]],
        "p001.png": [["gouda"]],
        "p002.png": [[]],
        "p003.png": [["camembert"]],
    }
    assert revert_to(world.context, "v1").version is None
    assert revert_to(world.context, "v3").version == 5
    assert said(world)["p004.png"] == [["camembert"]]


def test_a_round_before_a_rename_is_undone(world: World) -> None:
    """The rename is no later work that anybody has to decide about."""
    migrate(world, to_camembert())
    done = revert_round(world.context, "cheese", Policy.FAIL)
    assert done.version == 3
    assert said(world) == {}


def test_work_before_a_rename_is_undone(world: World) -> None:
    """A person's, and a class's by its name of today; nobody is asked about the rename."""
    start_round(world.context, "more", Selection(labeled_too=True, limit=2))
    world.label("p000.png", "brie", by=world.studio.ensure_member("cleo@example.org"))
    world.label("p001.png", "brie", by=world.ben)
    finish_round(world.context, "more")
    migrate(world, to_camembert())
    work = Target(annotator="cleo@example.org", label=None)
    assert undo(world, work) == 4
    assert said(world)["p000.png"] == [["camembert", "gouda"], ["camembert"]]
    assert said(world)["p001.png"] == [["gouda"], ["camembert"]]
    assert undo(world, Target(annotator=None, label="camembert")) == 5
    assert said(world)["p000.png"] == [["camembert", "gouda"], ["camembert"]]
    assert said(world)["p001.png"] == [["gouda"]]


def undo(world: World, target: Target) -> int | None:
    request = work_request(world.context, target, "v1", Policy.FAIL)
    found = propose_revert(world.context, request, None)
    return merge_change(world.context, found.change.name, rule_of).version


def test_what_was_dropped_comes_back_only_with_its_label(world: World) -> None:
    """A removal is not made again on what somebody wants back."""
    migrate(world, replace(ask(Operation.REMOVE, "brie"), drops=True))
    with pytest.raises(RefusedError) as caught:
        revert_to(world.context, "v1")
    assert caught.value.code == "unknown-labels"


def test_an_answer_held_back_for_its_label_is_no_defect(world: World) -> None:
    """A finish kept it for people to decide; nothing was done around ops."""
    start_round(world.context, "more", Selection())
    world.label("p004.png", "brie")
    world.label("p005.png", "gouda")
    migrate(world, replace(ask(Operation.REMOVE, "brie"), drops=True))
    finish_round(world.context, "more", quarantine=True)
    assert said(world)["p004.png"] == [["brie"]]
    assert [one for check in verify_dataset(world.context).checks for one in check.findings] == []
