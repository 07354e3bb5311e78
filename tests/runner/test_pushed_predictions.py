"""Predictions come before annotators once, whatever is killed, and count as no label."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ops.core.names import MAIN
from ops.core.plan import StartStep
from ops.core.records import Counts, Json, Origin, TaskKey, TaskState
from ops.core.rounds import RoundState
from ops.core.selection import Selection
from ops.errors import (
    ConflictError,
    NotFoundError,
    PartialError,
    RefusedError,
    UsageError,
)
from ops.parquet import read_states
from ops.ports import Upload
from ops.runner.attach import push_predictions
from ops.runner.context import branch_manifest
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.predicting import NAME, NET, keep, origins, predicted, said, write
from tests.runner.world import World, region

Act = Callable[[World], object]


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def world() -> World:
    return World()


def test_a_round_begins_with_them(world: World, tmp_path: Path) -> None:
    """With model version and score, one a task that has one; started again, nothing is to do."""
    keep(world, write(tmp_path, said()))
    started = start_round(world.context, "cheese", Selection(), predictions=[NAME])
    assert started.manifest
    assert started.manifest.predictions == (NAME,)
    # They came with the tasks.
    assert StartStep.PREDICT not in {step.kind for step in started.steps}
    expected = {f"p{number:03}.png": [NAME] * (number < 4) for number in range(6)}
    assert predicted(world) == expected
    assert world.studio.shown[started.manifest.project or 0] == NAME
    assert start_round(world.context, "cheese", Selection()).steps == ()
    assert start_round(world.context, "cheese", Selection(), predictions=[NAME]).steps == ()
    assert predicted(world) == expected


def test_of_two_models_the_last_named_is_shown(world: World, tmp_path: Path) -> None:
    """Whichever of them speaks of the last task."""
    keep(world, write(tmp_path, said(6)))
    keep(world, write(tmp_path, said(2)), version="4")
    names = [NAME, "cheese-net@4"]
    started = start_round(world.context, "cheese", Selection(), predictions=names)
    assert started.manifest
    assert started.manifest.predictions == tuple(names)
    assert world.studio.shown[started.manifest.project or 0] == "cheese-net@4"
    assert (predicted(world)["p000.png"], predicted(world)["p005.png"]) == (names, [NAME])


def test_predictions_that_are_not_there_stop_a_start_before_anything(
    world: World, tmp_path: Path
) -> None:
    """No such version; or one that says nothing of these tasks; or a name that is none."""
    keep(world, write(tmp_path, said(2)))
    refused: tuple[tuple[str, type[Exception]], ...] = (
        ("cheese-net@9", NotFoundError),
        ("cheese-net", UsageError),
        (NAME, RefusedError),
    )
    for name, kind in refused:
        selection = Selection(keys=(TaskKey("p005.png"),))
        with pytest.raises(kind):
            start_round(world.context, "cheese", selection, predictions=[name])
    assert world.studio.projects == {}
    assert not list(world.lake.branches("round-"))


def test_another_start_does_not_change_what_was_shown(world: World, tmp_path: Path) -> None:
    """It says how to."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection())
    with pytest.raises(RefusedError) as caught:
        start_round(world.context, "cheese", Selection(), predictions=[NAME])
    assert caught.value.hint.endswith(f"ops predict push cheese {NAME}")
    assert predicted(world) == {f"p{number:03}.png": [] for number in range(6)}


def test_an_open_round_is_given_more(world: World, tmp_path: Path) -> None:
    """The last one is shown; answers that are there stay as they are; twice is once."""
    keep(world, write(tmp_path, said()))
    keep(world, write(tmp_path, said(6)), version="4")
    start_round(world.context, "cheese", Selection(), predictions=[NAME])
    world.label("p000.png", "gouda")
    before = dict(world.studio.annotations)
    planned = push_predictions(world.context, "cheese", "cheese-net@4", dry_run=True)
    assert (planned.count, planned.of_tasks, planned.already_done) == (6, 6, False)
    assert predicted(world)["p005.png"] == []
    pushed = push_predictions(world.context, "cheese", "cheese-net@4")
    assert (pushed.count, pushed.already_done) == (6, False)
    assert predicted(world)["p000.png"] == [NAME, "cheese-net@4"]
    assert predicted(world)["p005.png"] == ["cheese-net@4"]
    assert world.studio.shown[pushed.project] == "cheese-net@4"
    manifest = branch_manifest(world.lake, "cheese")
    assert manifest
    assert (manifest.predictions, manifest.state) == ((NAME, "cheese-net@4"), RoundState.OPEN)
    asked: list[str] = []
    world.watch(asked.append, lambda _: None)
    assert push_predictions(world.context, "cheese", "cheese-net@4").already_done
    assert "predicted_tasks" in asked
    assert "add_predictions" not in asked
    assert world.studio.annotations == before
    assert sync_round(world.context, "cheese").counts.labeled == 1


def test_a_round_that_is_over_is_given_nothing(world: World, tmp_path: Path) -> None:
    keep(world, write(tmp_path, said()))
    with pytest.raises(NotFoundError):
        push_predictions(world.context, "cheese", NAME)
    start_round(world.context, "cheese", Selection(limit=1))
    world.label("p000.png", "brie")
    finish_round(world.context, "cheese")
    with pytest.raises(RefusedError):
        push_predictions(world.context, "cheese", NAME)
    assert predicted(world)["p000.png"] == []


def test_what_an_interrupted_sync_left_is_not_committed_by_a_push(
    world: World, tmp_path: Path
) -> None:
    """Only a sync may commit records, with their index."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection())
    stray = Upload(path="annotations/p000.png.json", data=b"{}\n")
    world.lake.write_many("round-cheese", [stray])
    with pytest.raises(ConflictError) as caught:
        push_predictions(world.context, "cheese", NAME)
    assert caught.value.code == "branch-unsettled"
    sync_round(world.context, "cheese")
    assert push_predictions(world.context, "cheese", NAME).count == 4


def test_what_label_studio_leaves_out_is_noticed(world: World, tmp_path: Path) -> None:
    """It says 201 to what it does not keep: tasks without one are named."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection())
    refusing = world.studio.is_kept
    world.studio.is_kept = lambda _: False
    with pytest.raises(PartialError) as caught:
        push_predictions(world.context, "cheese", NAME)
    assert caught.value.code == "predictions-short"
    assert "p000.png" in dict(caught.value.where)["without one"]
    world.studio.is_kept = refusing
    assert push_predictions(world.context, "cheese", NAME).count == 4


def test_tasks_that_come_back_come_with_their_predictions(world: World, tmp_path: Path) -> None:
    """Somebody deleted tasks; a start imports them again, as the manifest says."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection(), predictions=[NAME])
    world.studio.delete_tasks(max(world.studio.projects), [world.task("p000.png")])
    start_round(world.context, "cheese", Selection())
    assert predicted(world)["p000.png"] == [NAME]


# Killed anywhere


def begin(world: World) -> object:
    return start_round(world.context, "cheese", Selection(), predictions=[NAME])


def begin_bare(world: World) -> object:
    return start_round(world.context, "cheese", Selection())


def push(world: World) -> object:
    return push_predictions(world.context, "cheese", NAME)


def killed_world(
    folder: Path, before: tuple[Act, ...], act: Act, number: int, *, after: bool
) -> World:
    """A world in which the act died at a request, and was run again."""
    world = World()
    keep(world, write(folder, said()))
    for one in before:
        one(world)
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise Killed

    def nothing(_: str) -> None:
        """Let it pass."""

    world.watch(nothing if after else count, count if after else nothing)
    try:
        act(world)
    except Killed:
        pass
    finally:
        world.watch(nothing, nothing)
    act(world)
    return world


STORIES: dict[str, tuple[tuple[Act, ...], Act]] = {
    "start": ((), begin),
    "push": ((begin_bare,), push),
}


def requests(folder: Path, name: str) -> int:
    """How many requests the act makes undisturbed."""
    world, seen = World(), 0
    keep(world, write(folder, said()))

    def count(_: str) -> None:
        nonlocal seen
        seen += 1

    before, act = STORIES[name]
    for one in before:
        one(world)
    world.watch(count, lambda _: None)
    act(world)
    return seen


@pytest.mark.parametrize("name", STORIES)
def test_killed_at_any_request_each_task_has_one(name: str, tmp_path: Path) -> None:
    """Before and after each; the manifest names them, and nothing is there twice."""
    before, act = STORIES[name]
    total = requests(tmp_path, name)
    assert total > 10
    for number in range(1, total + 1):
        for after in (False, True):
            world = killed_world(tmp_path, before, act, number, after=after)
            place = f"{name} killed {'after' if after else 'before'} request {number}"
            found = predicted(world)
            assert found == {f"p{n:03}.png": [NAME] * (n < 4) for n in range(6)}, place
            manifest = branch_manifest(world.lake, "cheese")
            assert manifest, place
            assert (manifest.predictions, manifest.state) == ((NAME,), RoundState.OPEN), place
            assert sync_round(world.context, "cheese").counts == Counts(unfinished=6), place


def test_what_a_late_request_brings_twice_is_taken_back(world: World, tmp_path: Path) -> None:
    """The server was still at it when the next run looked: one of both stays."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection())
    push(world)
    task = world.task("p000.png")
    for model in (NAME, "somebody-else"):
        for _ in range(2):
            world.studio.predict(task, [region("brie")], model_version=model)
    assert push_predictions(world.context, "cheese", NAME).already_done
    assert predicted(world)["p000.png"] == [NAME, "somebody-else", "somebody-else"]


# Never labels


def answers(world: World) -> Iterator[str]:
    """Of four pre-labeled tasks: one accepted, one changed, one drawn anew; one is left alone."""
    proposed = region("brie")
    own = {**region("gouda", 5), "id": "own"}
    moved = {**proposed, "value": {**_value(proposed), "x": 42}}
    for number, result in enumerate(([proposed], [moved, own], [own])):
        key = f"p{number:03}.png"
        world.clock.advance(1)
        world.studio.annotate(world.task(key), result, annotator=world.ann)
        yield key


def _value(entry: Mapping[str, Json]) -> dict[str, Json]:
    value = entry["value"]
    assert isinstance(value, dict)
    return value


def test_a_prediction_nobody_touched_is_no_label(world: World, tmp_path: Path) -> None:
    """Not in a sync, not in a finish, not in the snapshot; and origins are counted exactly."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection(limit=4), predictions=[NAME])
    assert sync_round(world.context, "cheese").counts == Counts(unfinished=4)
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "cheese")
    assert caught.value.code == "unlabeled-tasks"
    accepted, changed, drawn = answers(world)
    assert sync_round(world.context, "cheese").counts == Counts(labeled=3, unfinished=1)
    finished = finish_round(world.context, "cheese", allow_unlabeled=True)
    assert finished.counts == Counts(labeled=3, unfinished=1)
    assert origins(world, MAIN, accepted) == {"r0": Origin.ACCEPTED}
    assert origins(world, MAIN, changed) == {"r0": Origin.CHANGED}
    assert origins(world, MAIN, drawn) == {}
    record = json.loads(world.records()[f"annotations/{accepted}.json"])
    assert record["annotations"][0]["prediction"] == {"model_version": NAME, "score": 0.5}
    untouched = json.loads(world.records()["annotations/p003.png.json"])
    assert (untouched["state"], untouched["annotations"]) == ("unfinished", [])
    states = read_states(world.snapshot())
    assert states[TaskKey("p003.png")] is TaskState.UNFINISHED


def test_a_later_round_knows_where_regions_came_from(world: World, tmp_path: Path) -> None:
    """What was accepted and is moved is changed; what is taken over beside it is accepted."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection(limit=1), predictions=[NAME])
    proposed = region("brie")
    noted = {**proposed, "origin": "prediction"}
    world.studio.annotate(world.task("p000.png"), [noted], annotator=world.ann)
    finish_round(world.context, "cheese")
    assert origins(world, MAIN, "p000.png") == {"r0": Origin.ACCEPTED}

    more = {**region("gouda", 7), "id": "more"}
    line: dict[str, Json] = {"key": "p000.png", "result": [more]}
    keep(world, write(tmp_path, [line]), version="4")
    edit = Selection(edit=True, labeled_too=True)
    start_round(world.context, "again", edit, predictions=["cheese-net@4"])
    [put] = [one for one in world.studio.annotations.values() if one.import_id is not None]
    moved = {**noted, "value": {**_value(proposed), "x": 42}}
    world.clock.advance(60)
    world.studio.update_annotation(put.id, [moved, more])
    finish_round(world.context, "again")
    assert origins(world, MAIN, "p000.png") == {"r0": Origin.CHANGED, "more": Origin.ACCEPTED}


def test_a_full_sync_says_the_same(world: World, tmp_path: Path) -> None:
    """Whatever is shown by then, records do not move."""
    keep(world, write(tmp_path, said()))
    start_round(world.context, "cheese", Selection(limit=4), predictions=[NAME])
    list(answers(world))
    sync_round(world.context, "cheese")
    before = world.records("round-cheese")
    world.clock.advance(60)
    keep(world, write(tmp_path, said(3)), version="4")
    push_predictions(world.context, "cheese", "cheese-net@4")
    assert sync_round(world.context, "cheese", full=True).changed == ()
    assert world.records("round-cheese") == before


def test_predictions_that_are_gone_stop_a_sync_rather_than_change_origins(
    world: World, tmp_path: Path
) -> None:
    """Nothing is written; kept again, they are what they were."""
    path = write(tmp_path, said())
    keep(world, path)
    start_round(world.context, "cheese", Selection(limit=4), predictions=[NAME])
    list(answers(world))
    world.lake.create_branch("gone", MAIN)
    world.lake.delete_many("gone", [NET.path])
    world.lake.commit("gone", "gone", {})
    world.lake.merge("gone", MAIN, "gone", {})
    with pytest.raises(NotFoundError) as caught:
        sync_round(world.context, "cheese")
    assert caught.value.code == "no-such-predictions"
