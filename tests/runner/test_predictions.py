"""Predictions are kept once, come before annotators once, and count as nothing."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ops.core.names import MAIN
from ops.core.prediction_rules import Matching, MatchOn
from ops.core.predictions import check_model_version
from ops.core.records import Counts, Json, Origin, TaskKey, TaskState
from ops.core.rounds import RoundState
from ops.core.selection import Selection
from ops.errors import (
    ConflictError,
    InvalidDataError,
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
from ops.runner.prediction_files import open_predictions
from ops.runner.predictions import Added, add_predictions, list_predictions, read_predictions
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.world import World, region

NET, NAME = check_model_version("cheese-net", "3"), "cheese-net@3"
Act = Callable[[World], object]


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def world() -> World:
    return World()


def said(count: int = 4) -> list[dict[str, Json]]:
    """What the model says of the first pictures: a box each, as Label Studio has it."""
    return [
        {"key": f"p{number:03}.png", "score": 0.5, "result": [region("brie")]}
        for number in range(count)
    ]


def write(folder: Path, entries: list[dict[str, Json]], name: str = "said.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return path


def keep(
    world: World,
    path: Path,
    *,
    version: str = "3",
    matching: Matching | None = None,
    skip_unknown: bool = False,
    dry_run: bool = False,
) -> Added:
    return add_predictions(
        world.context,
        open_predictions(path),
        check_model_version("cheese-net", version),
        matching=matching or Matching(),
        skip_unknown=skip_unknown,
        dry_run=dry_run,
    )


def predicted(world: World) -> dict[str, list[str]]:
    """Which model versions speak of each task in the newest project, each prediction once."""
    project = max(world.studio.projects)
    return {
        str(task.data["key"]): [one.model_version for one in task.predictions]
        for task in world.studio.tasks.values()
        if task.project == project
    }


def origins(world: World, ref: str, key: str) -> Mapping[str, Origin]:
    """Where the regions of a task's one annotation came from."""
    record = json.loads(world.records(ref)[f"annotations/{key}.json"])
    [annotation] = record["annotations"]
    return {name: Origin(one) for name, one in annotation.get("origins", {}).items()}


# Keeping them


def test_what_a_model_says_is_kept_and_read_again(world: World, tmp_path: Path) -> None:
    """On main, beside the labels; a second time it is there."""
    path = write(tmp_path, said())
    planned = keep(world, path, dry_run=True)
    assert (planned.commit, planned.already_done, planned.facts.rows) == (None, False, 4)
    assert world.lake.read(MAIN, NET.path) is None
    before = world.lake.find_commit(MAIN)
    kept = keep(world, path)
    assert kept.commit == world.lake.find_commit(MAIN) != before
    found = read_predictions(world.context, NAME)
    assert sorted(found.by_key) == [f"p{number:03}.png" for number in range(4)]
    [one] = found.by_key[TaskKey("p000.png")].result
    assert one == region("brie")
    again = keep(world, path)
    assert (again.already_done, again.commit) == (True, None)
    assert world.lake.find_commit(MAIN) == kept.commit
    [facts] = list_predictions(world.context)
    assert (str(facts.of), facts.rows, facts.made_by) == (NAME, 4, "lena@example.org")
    assert not list(world.lake.branches("predict-"))


def test_a_version_does_not_change(world: World, tmp_path: Path) -> None:
    """The same said from another file is the same; something else needs another version."""
    keep(world, write(tmp_path, said()))
    assert keep(world, write(tmp_path, said()[::-1], "other.jsonl")).already_done
    emptied: dict[str, Json] = {"key": "p003.png", "boxes": []}
    for entries in (said(3), [*said(3), emptied]):
        with pytest.raises(ConflictError) as caught:
            keep(world, write(tmp_path, entries))
        assert caught.value.code == "predictions-exist"
        assert "another --version" in caught.value.hint
    assert keep(world, write(tmp_path, said(3)), version="4").facts.rows == 3
    assert [str(one.of) for one in list_predictions(world.context)] == [NAME, "cheese-net@4"]


def test_nothing_is_left_out_in_silence(world: World, tmp_path: Path) -> None:
    """Refused with each problem named; with --skip-unknown the rest is taken, and they are told."""
    wrong: list[dict[str, Json]] = [
        {"key": "elsewhere.png", "boxes": []},
        {"key": "p004.png", "result": [region("edam")]},
    ]
    path = write(tmp_path, [*said(), *wrong])
    with pytest.raises(InvalidDataError) as caught:
        keep(world, path)
    assert caught.value.code == "predictions-invalid"
    assert caught.value.message == "2 of 6 predictions in said.jsonl cannot be taken"
    told = dict(caught.value.where)["problems"]
    assert "line 5 (elsewhere.png): there is no such task" in told
    assert "line 6 (p004.png): says the label 'edam'" in told
    assert world.lake.read(MAIN, NET.path) is None
    kept = keep(world, path, skip_unknown=True)
    assert (kept.facts.rows, kept.facts.left_out) == (4, 2)
    assert [one.place for one in kept.problems] == ["line 5", "line 6"]


def test_a_file_of_other_pictures_shows_both_shapes(world: World, tmp_path: Path) -> None:
    """Not one fits: the names are put otherwise, and the error shows how."""
    path = write(tmp_path, [{**one, "key": f"/data/x/{one['key']}"} for one in said()])
    with pytest.raises(NotFoundError) as caught:
        keep(world, path, skip_unknown=True)
    assert caught.value.code == "no-task-matches"
    where = dict(caught.value.where)
    assert "/data/x/p000.png" in where["named there"]
    assert where["task keys"].startswith("p000.png")
    assert "--strip-prefix" in caught.value.hint
    assert keep(world, path, matching=Matching(on=MatchOn.NAME), dry_run=True).facts.rows == 4
    assert keep(world, path, matching=Matching(strip_prefix="/data/x/")).facts.rows == 4


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("said.jsonl", b""),
        ("said.jsonl", b'{"key": "p000.png", "boxes": [\xff]}'),
        ("said.json", b"[]"),
        ("said.json", b"[[["),
    ],
)
def test_what_is_no_file_of_predictions_is_refused(
    world: World, tmp_path: Path, name: str, data: bytes
) -> None:
    """Empty, not UTF-8, not JSON; with --skip-unknown too."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidDataError) as caught:
        keep(world, tmp_path / name, skip_unknown=True)
    assert caught.value.code == "predictions-unreadable"
    with pytest.raises(NotFoundError):
        keep(world, tmp_path / "nowhere.jsonl")


def test_a_folder_of_yolo_texts_names_classes_itself_or_by_the_datasets_ids(
    world: World, tmp_path: Path
) -> None:
    """The same number is another class where a file says so."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "p000.txt").write_text("0 0.5 0.5 0.2 0.2 0.75\n")
    keep(world, folder)
    (tmp_path / "data.yaml").write_text("path: ../x\nnames:\n  0: gouda\n  1: brie\n")
    opened = open_predictions(folder, names=tmp_path / "data.yaml")
    other = check_model_version("cheese-net", "4")
    add_predictions(world.context, opened, other, matching=Matching())
    (folder / "classes.txt").write_text("gouda\nbrie\n")
    keep(world, folder, version="5")
    labels = [
        str(read_predictions(world.context, f"cheese-net@{version}").by_key[TaskKey("p000.png")])
        for version in (3, 4, 5)
    ]
    assert [("brie" in one, "gouda" in one) for one in labels] == [
        (True, False),
        (False, True),
        (False, True),
    ]


def test_of_two_who_keep_one_version_at_once_one_wins(world: World, tmp_path: Path) -> None:
    """The other is told; run again, it says that something else is kept."""
    mine, other = write(tmp_path, said()), write(tmp_path, said(3), "other.jsonl")

    def meanwhile(method: str) -> None:
        if method == "write_many":
            world.watch(lambda _: None, lambda _: None)
            add_predictions(
                world.another("olga@example.org"), open_predictions(other), NET, matching=Matching()
            )

    world.watch(meanwhile, lambda _: None)
    with pytest.raises(ConflictError):
        keep(world, mine)
    with pytest.raises(ConflictError) as caught:
        keep(world, mine)
    assert caught.value.code == "predictions-exist"
    assert keep(world, other).already_done


def test_keeping_them_makes_no_version(world: World, tmp_path: Path) -> None:
    """The commit names the model; what an audit takes for a version's number is not there."""
    commit = keep(world, write(tmp_path, said())).commit
    assert commit
    facts = world.lake.commit_facts(commit).metadata
    assert (facts["ops.kind"], facts["ops.predictions"], facts["ops.rows"]) == (
        "predict",
        NAME,
        "4",
    )
    assert "ops.version" not in facts


# Before annotators


def test_a_round_begins_with_them(world: World, tmp_path: Path) -> None:
    """With model version and score, one a task that has one; started again, nothing is to do."""
    keep(world, write(tmp_path, said()))
    started = start_round(world.context, "cheese", Selection(), predictions=[NAME])
    assert started.manifest
    assert started.manifest.predictions == (NAME,)
    expected = {f"p{number:03}.png": [NAME] * (number < 4) for number in range(6)}
    assert predicted(world) == expected
    assert world.studio.shown[started.manifest.project or 0] == NAME
    assert start_round(world.context, "cheese", Selection()).steps == ()
    assert start_round(world.context, "cheese", Selection(), predictions=[NAME]).steps == ()
    assert predicted(world) == expected


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
    assert push_predictions(world.context, "cheese", "cheese-net@4").already_done
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
