"""Blame and log of a task, on the servers in memory."""

import pytest

from ops.core.canonical import encode_record
from ops.core.history import Change, TaskChange, Verb, blame, task_log
from ops.core.names import MAIN, record_path
from ops.core.records import CommitId, Json, TaskKey, TaskState
from ops.core.selection import Selection
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import Upload
from ops.runner.finish import finish_round
from ops.runner.history import task_history
from ops.runner.rebase import rebase_round
from ops.runner.revert import revert_to
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.world import World, region

KEY = TaskKey("p000.png")


def annotation(world: World, key: str = KEY) -> int:
    """Label Studio's number of the one annotation of a task in the newest project."""
    task = world.task(key)
    return next(one.id for one in world.studio.annotations.values() if one.task == task)


def edit_round(world: World, name: str, *result: dict[str, Json]) -> None:
    """A round in which somebody replaces what the annotation says."""
    start_round(world.context, name, Selection(keys=(KEY,), edit=True, labeled_too=True))
    world.clock.advance(60)
    world.studio.update_annotation(annotation(world), result)
    finish_round(world.context, name)


@pytest.fixture
def world() -> World:
    """Three rounds on one task: drawn, one of two changed, one removed and one more drawn."""
    world = World()
    start_round(world.context, "one", Selection(limit=2))
    world.label(KEY, "brie", "brie")
    world.label("p001.png", "brie")
    finish_round(world.context, "one")
    edit_round(world, "two", region("brie", 0), {**region("gouda", 1)})
    edit_round(world, "three", region("gouda", 1), region("brie", 2))
    return world


def log(world: World, ref: str = MAIN) -> list[TaskChange]:
    """The task's log, oldest first."""
    return list(task_log(task_history(world.context, KEY, ref).revisions))


def brief(change: Change) -> tuple[str, Verb, int | None, str | None, str | None]:
    """What a test looks at."""
    place, revision = change.place, change.revision
    return (place.region, change.verb, revision.version, change.round, change.person)


def regions(
    changes: tuple[Change, ...],
) -> list[tuple[str, Verb, int | None, str | None, str | None]]:
    """The changes of regions."""
    return [brief(change) for change in changes if not change.place.is_whole]


def test_each_region_has_its_last_change(world: World) -> None:
    """Version, round and person; what was removed has its remover.

    Edits by the API are the administrator's; what was submitted in ann's name is hers.
    """
    found = blame(log(world))
    admin = world.studio.users[1]
    assert regions(found.present) == [
        ("r1", Verb.CHANGED, 2, "two", admin),
        ("r2", Verb.ADDED, 3, "three", admin),
    ]
    assert regions(found.removed) == [("r0", Verb.REMOVED, 3, "three", admin)]
    assert {change.annotator for change in found.present} == {"ann@example.org"}


def test_log_has_every_version_that_changed_the_task(world: World) -> None:
    """And not those that did not: another round on other tasks is no entry."""
    start_round(world.context, "other", Selection(limit=1))
    world.label("p002.png", "brie")
    finish_round(world.context, "other")
    entries = log(world)
    assert [entry.revision.version for entry in entries] == [1, 2, 3]
    assert [tuple(entry.count(verb) for verb in Verb) for entry in entries] == [
        (2, 0, 0),
        (0, 1, 0),
        (1, 0, 1),
    ]
    assert [(entry.before, entry.after) for entry in entries] == [
        (None, TaskState.LABELED),
        (TaskState.LABELED, TaskState.LABELED),
        (TaskState.LABELED, TaskState.LABELED),
    ]


def test_revert_is_its_own_cause(world: World) -> None:
    """Who ran it brought back what it brought back; what it left alone is as it was."""
    world.clock.advance(60)
    revert_to(world.context, "v2")
    found = blame(log(world))
    assert regions(found.present) == [
        ("r0", Verb.ADDED, 4, None, "lena@example.org"),
        ("r1", Verb.CHANGED, 2, "two", world.studio.users[1]),
    ]
    assert regions(found.removed) == [("r2", Verb.REMOVED, 4, None, "lena@example.org")]
    assert found.removed[0].revision.kind == "revert"


def test_an_older_ref_is_told_as_it_was_then(world: World) -> None:
    """Tag, expression and commit alike."""
    v1 = dict(world.lake.tags())["v1"]
    for ref in ("v1", "main~2", v1):
        found = blame(log(world, ref))
        assert [one[:3] for one in regions(found.present)] == [
            ("r0", Verb.ADDED, 1),
            ("r1", Verb.ADDED, 1),
        ]
        assert {change.person for change in found.present} == {"ann@example.org"}


def test_an_open_round_is_told_as_not_on_main(world: World) -> None:
    """What it has synced, on top of main as it started from."""
    start_round(world.context, "four", Selection(keys=(KEY,), edit=True, labeled_too=True))
    world.studio.update_annotation(annotation(world), [region("gouda", 1)])
    sync_round(world.context, "four")
    entries = log(world, "round-four")
    assert [entry.revision.version for entry in entries] == [1, 2, 3, None]
    assert not entries[-1].revision.is_on_main
    assert regions(entries[-1].changes) == [
        ("r2", Verb.REMOVED, None, "four", world.studio.users[1])
    ]
    assert [entry.revision.version for entry in log(world)] == [1, 2, 3]
    finish_round(world.context, "four")
    assert [entry.revision.version for entry in log(world)] == [1, 2, 3, 4]


@pytest.mark.parametrize("is_rebased", [False, True])
def test_two_rounds_merged_in_one_annotation_are_told_apart(
    world: World, *, is_rebased: bool
) -> None:
    """The record names the later of both; who changed what is known all the same."""
    selection = Selection(keys=(KEY,), edit=True, labeled_too=True)
    for name, who, result in (
        ("five", world.ben, [region("brie", 1), region("brie", 2)]),
        ("four", world.ann, [region("gouda", 1), region("gouda", 2)]),
    ):
        start_round(world.context, name, selection)
        world.clock.advance(60)
        world.studio.update_annotation(annotation(world), result)
        world.studio.annotations[annotation(world)].updated_by = who
        sync_round(world.context, name)
    finish_round(world.context, "four")
    if is_rebased:
        rebase_round(world.context, "five")
        five = max(world.studio.projects) - 1
        world.studio.annotate(world.task(KEY, five), [region("brie", 9)], annotator=world.ben)
        assert sync_round(world.context, "five").commit
    finish_round(world.context, "five")
    record = task_history(world.context, KEY).revisions[-1].record
    assert record is not None
    assert record.annotations[0].round == "four"
    told = blame(log(world)).present
    first = tuple(one for one in told if one.place.annotation == record.annotations[0].unique_id)
    assert regions(first) == [
        ("r1", Verb.CHANGED, 5, "five", "ben@example.org"),
        ("r2", Verb.CHANGED, 4, "four", "ann@example.org"),
    ]


def test_deleted_annotation_has_no_known_remover(world: World) -> None:
    """Label Studio does not say who deleted it: the round is all that is known."""
    start_round(world.context, "four", Selection(keys=(KEY,), edit=True, labeled_too=True))
    world.studio.delete_annotation(annotation(world))
    finish_round(world.context, "four", allow_unlabeled=True)
    entry = log(world)[-1]
    assert regions(entry.changes) == [
        ("r1", Verb.REMOVED, 4, "four", None),
        ("r2", Verb.REMOVED, 4, "four", None),
    ]
    assert entry.after in {None, TaskState.UNFINISHED}


def by_hand(world: World, data: bytes) -> CommitId:
    """Put other bytes in the place of the record on main, as ops would not."""
    world.lake.create_branch("raw", MAIN)
    world.lake.write_many("raw", [Upload(path=record_path(KEY), data=data)])
    world.lake.commit("raw", "By hand", {})
    commit = world.lake.merge("raw", MAIN, "By hand", {})
    world.lake.delete_branch("raw")
    assert commit is not None
    return commit


def test_merged_around_ops_is_said_to_be(world: World) -> None:
    """A commit of main that ops did not make has no kind; its annotation speaks for itself."""
    record = task_history(world.context, KEY, "v1").revisions[-1].record
    assert record is not None
    by_hand(world, encode_record(record))
    entry = log(world)[-1]
    assert (entry.revision.kind, entry.revision.version, entry.revision.round) == (None, None, None)
    assert {change.person for change in entry.changes} == {"ann@example.org"}


def test_removed_record_takes_everything_with_it(world: World) -> None:
    """What it said is told under what was removed, until it comes back."""
    data = world.records()[record_path(KEY)]
    world.lake.create_branch("raw", MAIN)
    world.lake.delete_many("raw", [record_path(KEY)])
    world.lake.commit("raw", "By hand", {})
    gone = world.lake.merge("raw", MAIN, "By hand", {})
    world.lake.delete_branch("raw")
    found = blame(log(world))
    assert found.present == ()
    assert {change.place.region: change.revision.commit == gone for change in found.removed} == {
        "": True,
        "r0": False,
        "r1": True,
        "r2": True,
    }
    assert log(world)[-1].after is None
    back = by_hand(world, data)
    assert {change.revision.commit for change in blame(log(world)).present} == {back}


def test_branch_is_told_from_the_main_it_took_in(world: World) -> None:
    """A rebased round stands on a newer main; a finished one's commit is not the version."""
    start_round(world.context, "five", Selection(keys=(KEY,), edit=True, labeled_too=True))
    world.clock.advance(60)
    world.studio.update_annotation(annotation(world), [region("gouda", 1), region("gouda", 2)])
    edit_round(world, "four", region("brie", 1), region("brie", 2))
    assert [entry.revision.version for entry in log(world, "round-five")] == [1, 2, 3]
    rebase_round(world.context, "five")
    assert [entry.revision.version for entry in log(world, "round-five")] == [1, 2, 3, 4, None]
    finish_round(world.context, "five")
    merged = world.lake.commit_facts("v5").parents[-1]
    [*_, last] = log(world, merged)
    assert (last.revision.kind, last.revision.round) == ("finish", "five")
    assert (last.revision.version, last.revision.is_on_main) == (None, False)


def test_unreadable_record_on_the_way_is_passed_over(world: World) -> None:
    """And named; the labels it did not change keep their versions. At the ref itself it fails."""
    good = world.records()[record_path(KEY)]
    broken = by_hand(world, good[: len(good) // 2])
    with pytest.raises(InvalidDataError) as caught:
        task_history(world.context, KEY)
    assert caught.value.subject == KEY
    by_hand(world, good)
    found = task_history(world.context, KEY)
    assert [commit for commit, _ in found.unreadable] == [broken]
    told = blame(task_log(found.revisions))
    assert [one[2] for one in regions(told.present)] == [2, 3]


@pytest.mark.parametrize(
    ("key", "ref", "code"),
    [
        ("p003.png", MAIN, "no-labels"),
        ("p099.png", MAIN, "no-such-image"),
        ("", MAIN, "no-such-image"),
        ("../p000.png", MAIN, "no-such-image"),
        ("x" * 2000, MAIN, "no-such-image"),
        ("p000.png", "v9", "no-such-ref"),
        ("p000.png", "a b", "no-such-ref"),
        ("p000.png", "", "no-such-ref"),
        ("p000.png", "main~99", "no-such-ref"),
        ("p000.png", "round-nope", "no-such-ref"),
    ],
)
def test_what_is_not_there_is_said(world: World, key: str, ref: str, code: str) -> None:
    """A task without labels, an image that is none, a ref that names nothing."""
    with pytest.raises(NotFoundError) as caught:
        task_history(world.context, TaskKey(key), ref)
    assert caught.value.code == code


def test_cost_is_a_look_a_commit_and_a_read_a_change(world: World) -> None:
    """Whatever else the dataset holds."""
    asked: list[str] = []
    world.lake.before = asked.append
    task_history(world.context, KEY)
    assert sorted(asked) == ["checksums_at", "find_commit", "log", "read", "read", "read"]
