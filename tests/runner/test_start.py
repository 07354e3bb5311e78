"""Starting a round: once, by whoever; and what is refused."""

import pytest

from ops.core.rounds import RoundState
from ops.core.selection import Selection
from ops.errors import ConfigurationError, RefusedError, UsageError
from ops.runner.abort import abort_round
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.status import list_rounds, round_status
from tests.runner.world import World


def test_dry_run_is_the_plan_that_is_applied() -> None:
    world = World()
    planned = start_round(world.context, "cheese", Selection(limit=3), dry_run=True)
    assert world.studio.projects == {}
    assert [name for name, _ in world.lake.branches()] == ["main"]
    done = start_round(world.context, "cheese", Selection(limit=3))
    assert planned.steps == done.steps
    assert planned.keys == done.keys


def test_open_round_is_found_open() -> None:
    world = World()
    start_round(world.context, "cheese", Selection(limit=3))
    assert start_round(world.context, "cheese", Selection(limit=3)).steps == ()
    assert start_round(world.context, "cheese", Selection()).steps == ()
    with pytest.raises(RefusedError, match="with another selection"):
        start_round(world.context, "cheese", Selection(limit=2))


@pytest.mark.parametrize("step", range(1, 30))
def test_two_starts_at_once_are_one_round(step: int) -> None:
    """The other start runs whole, just before our `step`th request."""
    world = World()
    rival = world.another("rita@example.org")
    requests = 0

    def overtake(_: str) -> None:
        nonlocal requests
        requests += 1
        if requests == step:
            world.lake.before = world.studio.before = lambda _: None
            start_round(rival, "cheese", Selection(limit=4))

    world.lake.before = world.studio.before = overtake
    found = start_round(world.context, "cheese", Selection(limit=4))
    world.lake.before = world.studio.before = lambda _: None
    assert found.manifest is not None
    assert found.manifest.state is RoundState.OPEN
    assert len(world.studio.projects) == 1
    keys = [row.key for row in world.studio.task_rows(found.manifest.project or 0)]
    assert sorted(str(key) for key in keys) == [f"p00{number}.png" for number in range(4)]
    assert start_round(world.context, "cheese", Selection(limit=4)).steps == ()


def test_picture_that_does_not_load_keeps_the_round_closed() -> None:
    world = World()
    world.studio.has_media = lambda _: False
    with pytest.raises(ConfigurationError, match="cannot show"):
        start_round(world.context, "cheese", Selection())
    [manifest] = list_rounds(world.context)
    assert manifest.state is RoundState.STARTING
    world.studio.has_media = lambda _: True
    start_round(world.context, "cheese", Selection())
    assert round_status(world.context, "cheese").manifest.state is RoundState.OPEN


def test_nothing_to_label() -> None:
    world = World(image_count=0)
    with pytest.raises(RefusedError) as caught:
        start_round(world.context, "cheese", Selection())
    assert caught.value.code == "nothing-to-label"
    assert [name for name, _ in world.lake.branches()] == ["main"]


def test_names_are_used_once() -> None:
    world = World()
    start_round(world.context, "cheese", Selection(limit=1))
    world.label("p000.png", "brie")
    finish_round(world.context, "cheese")
    with pytest.raises(RefusedError, match="is finished"):
        start_round(world.context, "cheese", Selection())
    start_round(world.context, "ham", Selection(limit=1))
    abort_round(world.context, "ham")
    with pytest.raises(RefusedError, match="is aborted"):
        start_round(world.context, "ham", Selection())
    with pytest.raises(UsageError):
        start_round(world.context, "no/slash", Selection())


def test_lost_project_is_made_again() -> None:
    world = World()
    start_round(world.context, "cheese", Selection(limit=2))
    world.studio.delete_project(1)
    again = start_round(world.context, "cheese", Selection(limit=2))
    assert again.manifest is not None
    assert again.manifest.project in world.studio.projects
    assert len(list(world.studio.task_rows(again.manifest.project or 0))) == 2


def test_labeled_images_are_left_out_unless_asked_for() -> None:
    world = World()
    start_round(world.context, "one", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p001.png", skipped=True)
    finish_round(world.context, "one")
    rest = start_round(world.context, "two", Selection(), dry_run=True)
    assert list(rest.keys) == [f"p00{number}.png" for number in range(2, 6)]
    every = start_round(world.context, "two", Selection(labeled_too=True), dry_run=True)
    assert len(every.keys) == 6
