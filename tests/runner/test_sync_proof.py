"""A sync ends where the project's own totals are what was read, whatever hides a change."""

from collections.abc import Mapping, Sequence

import pytest

from ops.core.canonical import decode_record
from ops.core.names import record_path
from ops.core.records import Json, Record, TaskKey, TaskState
from ops.core.selection import Selection
from ops.errors import InvalidDataError
from ops.ports import Upload
from ops.runner.start import start_round
from ops.runner.sync import REREADS, Synced, sync_round
from tests.runner.world import World, region

BRANCH = "round-cheese"


@pytest.fixture
def world() -> World:
    """An open round of six tasks, synced once, a day ago."""
    world = World()
    start_round(world.context, "cheese", Selection())
    world.label("p000.png", "brie")
    sync(world)
    world.clock.advance(86_400)
    return world


def sync(world: World, *, full: bool = False) -> Synced:
    return sync_round(world.context, "cheese", full=full)


def record(world: World, key: str) -> Record:
    data = world.lake.read(BRANCH, record_path(TaskKey(key)))
    assert data is not None
    return decode_record(data, key=TaskKey(key))


def is_proven(world: World) -> bool:
    """Whether a full read finds nothing more."""
    found = sync(world, full=True)
    return (found.changed, found.commit) == ((), None)


def import_foreign(world: World, data: dict[str, Json]) -> int:
    [task] = world.studio.import_tasks(1, [{"data": data}])
    world.studio.annotate(task, [region("brie")], annotator=world.ann)
    return task


@pytest.mark.parametrize("data", [{"image": "s3://x/y"}, {"image": "s3://x/y", "key": "other.png"}])
def test_a_deletion_behind_an_import_is_found(world: World, data: dict[str, Json]) -> None:
    """An answered task of the round goes, an answered foreign one comes: all totals are equal."""
    world.studio.delete_tasks(1, [world.task("p000.png")])
    foreign = import_foreign(world, data)
    found = sync(world)
    assert (found.vanished, found.foreign) == (("p000.png",), (foreign,))
    assert record(world, "p000.png").state is TaskState.UNFINISHED
    assert is_proven(world)


def test_foreign_tasks_cost_no_scan_after_the_first(world: World) -> None:
    foreign = import_foreign(world, {"image": "s3://x/y"})
    world.studio.miscounted[foreign] = (0, 0)
    sync(world)
    world.clock.advance(86_400)
    world.label("p001.png", "brie")
    world.clock.advance(86_400)
    sync(world)
    asked: list[str] = []
    world.watch(asked.append, lambda _: None)
    again = sync(world)
    assert (again.scanned, again.foreign, again.commit) == (False, (foreign,), None)
    assert asked.count("totals") == 1


@pytest.mark.parametrize("counters", [(0, 0), (1, -1), (0, -1), (0, 3)])
def test_a_task_that_miscounts_itself_is_read(world: World, counters: tuple[int, int]) -> None:
    world.label("p001.png", "brie")
    world.studio.miscounted[world.task("p001.png")] = counters
    assert sync(world).changed == ("p001.png",)
    assert record(world, "p001.png").state is TaskState.LABELED
    assert sync(world).commit is None
    assert is_proven(world)

    world.clock.advance(86_400)
    world.label("p002.png", "gouda")
    found = sync(world)
    assert (found.changed, found.scanned) == (("p002.png",), False)
    assert record(world, "p001.png").state is TaskState.LABELED


def test_counters_gone_wrong_long_after_lose_nothing(world: World) -> None:
    """The time moved and the counters say nothing, while the answer is still there."""
    task = world.task("p000.png")
    world.studio.replace_data(task, world.studio.tasks[task].data)
    world.studio.miscounted[task] = (0, 0)
    assert sync(world).counts.labeled == 1
    assert is_proven(world)


def test_what_another_sync_left_staged_is_read_again(world: World) -> None:
    """It was overtaken and staged what it had read before: older than what the index says."""
    before = world.records(BRANCH)
    path = record_path(TaskKey("p000.png"))
    world.lake.write_many(
        BRANCH, [Upload(path=path, data=before[record_path(TaskKey("p001.png"))])]
    )
    assert sync(world).changed == ("p000.png",)
    assert world.records(BRANCH) == before
    assert next(iter(world.lake.uncommitted(BRANCH)), None) is None


def test_a_task_edited_while_it_is_read_is_read_again(world: World) -> None:
    """Somebody points it at another picture between the index and the export."""
    task, pointed = world.task("p000.png"), {"image": "s3://x/y", "key": "moved-away.png"}
    edits = _edit_before_exports(world, task, [pointed])
    world.label("p000.png", "gouda")
    found = sync(world)
    assert (edits, found.vanished, found.foreign) == ([], ("p000.png",), (task,))
    assert is_proven(world)


def test_a_task_that_is_edited_at_every_read_is_refused(world: World) -> None:
    known = world.studio.tasks[task := world.task("p000.png")].data
    away = {"image": "s3://x/y", "key": "moved-away.png"}
    edits = _edit_before_exports(world, task, [away, known] * REREADS)
    world.label("p000.png", "gouda")
    before = world.records(BRANCH)
    with pytest.raises(InvalidDataError) as caught:
        sync(world)
    assert (caught.value.code, len(edits)) == ("task-moved", REREADS - 1)
    assert world.records(BRANCH) == before
    world.studio.before = lambda _: None
    sync(world)
    assert is_proven(world)


def _edit_before_exports(
    world: World, task: int, edits: Sequence[Mapping[str, Json]]
) -> list[Mapping[str, Json]]:
    """Give the task other data before each export; the edits that are left."""
    left = list(edits)

    def edit(request: str) -> None:
        if request == "export" and left:
            world.studio.replace_data(task, left.pop(0))

    world.studio.before = edit
    return left


def test_a_project_without_tasks_is_synced_once(world: World) -> None:
    world.studio.delete_tasks(1, [*world.studio.tasks])
    found = sync(world)
    assert (len(found.vanished), found.counts.unfinished) == (6, 6)
    assert sync(world).commit is None
    assert is_proven(world)


def test_people_at_work_cost_no_full_read(world: World) -> None:
    """Totals that move while they are compared say nothing about counters; the next sync does."""
    turn = 0

    def answer(request: str) -> None:
        nonlocal turn
        if request == "totals":
            turn += 1
            world.studio.annotate(world.task("p003.png"), [region("brie")], annotator=world.ben)

    world.watch(answer, lambda _: None)
    found = sync(world)
    assert (turn, found.fetched_count) == (2, 1)
    world.watch(lambda _: None, lambda _: None)
    sync(world)
    assert len(record(world, "p003.png").annotations) == 2
    assert is_proven(world)
