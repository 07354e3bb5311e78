"""What a sync takes from Label Studio, and what it leaves alone."""

import pytest

from ops.core.canonical import decode_record
from ops.core.names import index_path, record_path
from ops.core.records import Record, TaskKey, TaskState
from ops.core.selection import Selection
from ops.errors import NotFoundError, RefusedError
from ops.ports import Upload
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import Synced, sync_round
from tests.runner.world import World, region


@pytest.fixture
def world() -> World:
    world = World()
    start_round(world.context, "cheese", Selection())
    return world


def sync(world: World, *, full: bool = False) -> Synced:
    return sync_round(world.context, "cheese", full=full)


def record(world: World, key: str, ref: str = "round-cheese") -> Record:
    data = world.lake.read(ref, record_path(TaskKey(key)))
    assert data is not None
    return decode_record(data, key=TaskKey(key))


def test_four_states_are_four_things(world: World) -> None:
    world.label("p000.png", "brie")
    world.label("p001.png")
    world.label("p002.png", skipped=True)
    counts = sync(world).counts
    assert (counts.labeled, counts.empty, counts.skipped, counts.unfinished) == (1, 1, 1, 3)
    states = [record(world, f"p00{number}.png").state for number in range(4)]
    assert states == [TaskState.LABELED, TaskState.EMPTY, TaskState.SKIPPED, TaskState.UNFINISHED]


def test_nothing_changed_writes_nothing(world: World) -> None:
    world.label("p000.png", "brie")
    sync(world)
    head = world.lake.find_commit("round-cheese")
    writes: list[str] = []
    world.watch(writes.append, lambda _: None)
    again = sync(world)
    assert (again.commit, again.changed) == (None, ())
    assert world.lake.find_commit("round-cheese") == head
    assert "commit" not in writes
    assert "export" not in writes


def test_edits_deletions_and_second_answers_are_followed(world: World) -> None:
    edited = world.label("p000.png", "brie")
    deleted = world.label("p001.png", "brie")
    sync(world)
    world.clock.advance(500)
    world.studio.update_annotation(edited, [region("gouda")])
    world.studio.delete_annotation(deleted)
    world.label("p002.png", "gouda", by=world.ben)
    world.label("p002.png", "brie", by=world.ann)
    assert sync(world).changed == ("p000.png", "p001.png", "p002.png")
    assert "gouda" in str(record(world, "p000.png").annotations[0].result)
    assert record(world, "p001.png").annotations == ()
    answers = record(world, "p002.png").annotations
    assert {one.annotator for one in answers} == {"ann@example.org", "ben@example.org"}


def test_drafts_and_predictions_are_no_labels(world: World) -> None:
    world.studio.draft(world.task("p000.png"), [region("brie")])
    world.studio.predict(world.task("p001.png"), [region("brie")], model_version="m1")
    found = sync(world, full=True)
    assert found.counts.unfinished == found.counts.tasks == 6


def test_annotations_moved_by_remove_duplicates_are_found(world: World) -> None:
    """That action moves them without touching any time; only the totals tell, or a full read."""
    sync(world)
    [first] = [row for row in world.studio.task_rows(1) if row.key == "p000.png"]
    [copy] = world.studio.import_tasks(1, [{"data": dict(first.data)}])
    world.studio.annotate(copy, [region("brie")], annotator=world.ann)
    assert sync(world).repeated == ("p000.png",)
    world.clock.advance(1000)
    world.studio.remove_duplicates(1)
    found = sync(world)
    assert found.repeated == ()
    assert len(record(world, "p000.png").annotations) == 1


def test_vanished_task_is_named_and_unfinished(world: World) -> None:
    world.label("p000.png", "brie")
    sync(world)
    world.studio.delete_tasks(1, [world.task("p000.png")])
    found = sync(world)
    assert found.vanished == ("p000.png",)
    assert found.counts.unfinished == 6
    start_round(world.context, "cheese", Selection())
    assert sync(world).vanished == ()


def test_reused_task_id_is_another_task(world: World) -> None:
    """SQLite gives the deleted newest task's id to the next one."""
    sync(world)
    newest = max(row.id for row in world.studio.task_rows(1))
    [gone] = [row for row in world.studio.task_rows(1) if row.id == newest]
    world.studio.delete_tasks(1, [newest])
    [again] = world.studio.import_tasks(1, [{"data": {"image": "s3://x/y", "key": "p000.png"}}])
    assert again == newest
    world.studio.annotate(again, [region("brie")], annotator=world.ann)
    found = sync(world)
    assert found.vanished == (gone.key,)
    assert record(world, "p000.png").state is TaskState.LABELED


def test_foreign_tasks_are_named_and_not_read(world: World) -> None:
    [foreign] = world.studio.import_tasks(1, [{"data": {"image": "s3://x/y", "key": "other.png"}}])
    world.studio.annotate(foreign, [region("brie")], annotator=world.ann)
    found = sync(world)
    assert found.foreign == (foreign,)
    assert found.counts.tasks == 6
    assert world.lake.read("round-cheese", record_path(TaskKey("other.png"))) is None


def test_lost_index_costs_one_full_read(world: World) -> None:
    world.label("p000.png", "brie")
    sync(world)
    before = world.records("round-cheese")
    world.lake.delete_many("round-cheese", [index_path("cheese")])
    world.lake.commit("round-cheese", "lose the index", {})
    assert sync(world).changed == ()
    assert world.records("round-cheese") == before


def test_record_spoilt_on_the_branch_is_mended_by_a_full_sync(world: World) -> None:
    world.label("p000.png", "brie")
    sync(world)
    before = world.records("round-cheese")
    path = record_path(TaskKey("p000.png"))
    world.lake.write_many("round-cheese", [Upload(path=path, data=b"{}\n")])
    world.lake.commit("round-cheese", "spoil it", {})
    assert sync(world, full=True).changed == ("p000.png",)
    assert world.records("round-cheese") == before


def test_earlier_rounds_answers_stay(world: World) -> None:
    world.label("p000.png", "brie")
    finish_round(world.context, "cheese", allow_unlabeled=True)
    start_round(world.context, "again", Selection(labeled_too=True, limit=1))
    world.label("p000.png", "gouda", by=world.ben)
    sync_round(world.context, "again")
    answers = record(world, "p000.png", "round-again").annotations
    assert [(one.annotator, one.round) for one in answers] == [
        ("ann@example.org", "cheese"),
        ("ben@example.org", "again"),
    ]


def test_edit_round_changes_and_deletes_what_was_said(world: World) -> None:
    for number in range(3):
        world.label(f"p00{number}.png", "brie")
    finish_round(world.context, "cheese", allow_unlabeled=True)
    start_round(world.context, "again", Selection(labeled_too=True, edit=True))
    before = world.records()
    assert sync_round(world.context, "again").changed == ()
    edited, deleted = (
        next(a for a in world.studio.annotations.values() if a.task == world.task(key))
        for key in ("p000.png", "p001.png")
    )
    world.clock.advance(10)
    world.studio.update_annotation(edited.id, [region("gouda")])
    world.studio.delete_annotation(deleted.id)
    assert sync_round(world.context, "again").changed == ("p000.png", "p001.png")
    [annotation] = record(world, "p000.png", "round-again").annotations
    [earlier] = record(world, "p000.png", "main").annotations
    assert annotation.unique_id == earlier.unique_id
    assert (earlier.round, annotation.round) == ("cheese", "again")
    assert record(world, "p001.png", "round-again").annotations == ()
    path = record_path(TaskKey("p002.png"))
    assert world.records("round-again")[path] == before[path]


def test_task_deleted_in_an_edit_round_keeps_its_labels(world: World) -> None:
    world.label("p000.png", "brie")
    finish_round(world.context, "cheese", allow_unlabeled=True)
    before = world.records()
    start_round(world.context, "again", Selection(labeled_too=True, edit=True))
    sync_round(world.context, "again")
    world.studio.delete_tasks(2, [world.task("p000.png")])
    found = sync_round(world.context, "again")
    assert found.vanished == ("p000.png",)
    finish_round(world.context, "again", allow_unlabeled=True)
    assert world.records() == before


def test_dry_run_writes_nothing_and_says_what_a_run_writes(world: World) -> None:
    world.label("p000.png", "brie")
    planned = sync_round(world.context, "cheese", dry_run=True)
    assert next(iter(world.lake.uncommitted("round-cheese")), None) is None
    done = sync(world)
    assert (planned.changed, planned.counts) == (done.changed, done.counts)
    assert world.records("round-cheese") == planned.pending


def test_round_that_is_not_there_or_over(world: World) -> None:
    with pytest.raises(NotFoundError, match="there is no round brie"):
        sync_round(world.context, "brie")
    finish_round(world.context, "cheese", allow_unlabeled=True)
    with pytest.raises(RefusedError, match="round cheese is finished"):
        sync(world)
