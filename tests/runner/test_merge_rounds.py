"""Rounds that overlap: both sides' work counts, or somebody says whose does."""

import json

import pytest

from ops.core.names import manifest_path
from ops.core.records import TaskKey, TaskState
from ops.core.rounds import HoldReason, Manifest, decode_manifest
from ops.core.selection import Selection
from ops.core.settle import Policy
from ops.errors import ConflictError, InvalidDataError
from ops.ports import Upload
from ops.runner.dataset import list_versions
from ops.runner.finish import finish_round
from ops.runner.rebase import rebase_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.overlap import (
    EDIT,
    add,
    answers_in,
    boxes,
    edit,
    labeled,
    project_of,
    record,
    remove,
)
from tests.runner.world import World


def manifest_on_main(world: World, name: str) -> Manifest:
    data = world.lake.read("main", manifest_path(name))
    assert data is not None
    return decode_manifest(data, name)


@pytest.fixture
def world() -> World:
    """Two rounds to change the same three labeled tasks, both open."""
    world = labeled()
    start_round(world.context, "ours", EDIT)
    start_round(world.context, "theirs", EDIT)
    return world


@pytest.fixture
def conflict(world: World) -> World:
    """Theirs is on main: gouda at 10; ours says brie at 15. On p001 theirs alone said something."""
    edit(world, "theirs", "p000.png", "gouda")
    edit(world, "theirs", "p001.png", "gouda")
    edit(world, "ours", "p000.png", "brie", moved=5)
    add(world, "ours", "p002.png", "gouda", by=world.ben)
    finish_round(world.context, "theirs")
    return world


def test_answers_of_both_sides_are_kept() -> None:
    """Nobody contradicts anybody: two people answered the same tasks in two rounds."""
    world = World(3)
    start_round(world.context, "one", Selection())
    start_round(world.context, "two", Selection())
    for key in ("p000.png", "p001.png", "p002.png"):
        add(world, "one", key, "brie", by=world.ann)
        add(world, "two", key, "gouda", by=world.ben)
    finish_round(world.context, "one")
    done = finish_round(world.context, "two")
    assert boxes(record(world, "p001.png")) == [("ann", "brie", 10), ("ben", "gouda", 10)]
    taken_in = done.manifest.taken_in
    assert taken_in is not None
    assert (taken_in.merged_count, taken_in.settled) == (3, ())
    assert done.packed is not None
    assert done.packed.card.history[-1].remark == "3 tasks merged"
    assert done.packed.card.annotation_count == 6


def test_edits_of_different_regions_are_merged(world: World) -> None:
    edit(world, "theirs", "p000.png", "gouda")
    edit(world, "ours", "p000.png", "brie", "brie")
    finish_round(world.context, "theirs")
    finish_round(world.context, "ours")
    assert boxes(record(world, "p000.png")) == [("ann", "brie", 11), ("ann", "gouda", 10)]


def test_what_main_alone_changed_stays(conflict: World) -> None:
    """The round had these labels before its annotators as they were, and said nothing."""
    finish_round(conflict.context, "ours", on_conflict=Policy.OURS)
    assert boxes(record(conflict, "p001.png")) == [("ann", "gouda", 10)]
    assert boxes(record(conflict, "p002.png")) == [("ann", "brie", 10), ("ben", "gouda", 10)]


def test_conflict_is_refused_with_both_answers(conflict: World) -> None:
    before = (conflict.records(), conflict.lake.find_commit("main"))
    with pytest.raises(ConflictError) as caught:
        finish_round(conflict.context, "ours")
    error = caught.value
    assert (error.code, error.exit_code) == ("tasks-changed-on-both-sides", 5)
    assert dict(error.where)["tasks"].splitlines() == [
        "p000.png: region r0 (edit-edit)",
        "  ours    ops@localhost.local: brie at x 15 y 20.5 width 30 height 25.25 rotation 0",
        "  theirs  ops@localhost.local: gouda at x 10 y 20.5 width 30 height 25.25 rotation 0",
    ]
    (told,) = json.loads(json.dumps(error.details["conflicts"]))
    assert (told["task"], told["kind"]) == ("p000.png", "edit-edit")
    assert "ops round finish ours --on-conflict" in error.hint
    assert (conflict.records(), conflict.lake.find_commit("main")) == before


@pytest.mark.parametrize(
    ("policy", "stated"),
    [
        (Policy.OURS, [("ann", "brie", 15)]),
        (Policy.THEIRS, [("ann", "gouda", 10)]),
        (Policy.BOTH, [("ann", "brie", 15), ("ann", "gouda", 10)]),
        (Policy.QUARANTINE, [("ann", "brie", 15), ("ann", "gouda", 10)]),
    ],
)
def test_somebody_says_whose_answer_counts(
    conflict: World, policy: Policy, stated: list[tuple[str, str, float]]
) -> None:
    done = finish_round(conflict.context, "ours", on_conflict=policy)
    found = record(conflict, "p000.png")
    assert boxes(found) == stated
    assert found.quarantined is (policy is Policy.QUARANTINE)
    assert done.manifest.taken_in is not None
    assert done.manifest.taken_in.settled == ("p000.png",)
    assert done.manifest == manifest_on_main(conflict, "ours")
    assert done.packed is not None
    assert f"1 in conflict ({policy.value})" in done.packed.card.history[-1].remark
    facts = next(iter(list_versions(conflict.context))).facts
    assert (facts["on_conflict"], facts["settled_tasks"]) == (policy.value, "1")
    assert done.packed.card.counts.tasks == 3


def test_quarantined_answers_count_as_no_label(conflict: World) -> None:
    done = finish_round(conflict.context, "ours", on_conflict=Policy.QUARANTINE)
    assert (done.counts.quarantined, done.counts.labeled) == (1, 2)
    (held,) = done.manifest.held
    assert (held.key, held.reason) == ("p000.png", HoldReason.CONFLICT)
    assert done.manifest.rework is None


def test_an_edit_against_a_removal_is_a_conflict(world: World) -> None:
    edit(world, "theirs", "p000.png", "gouda")
    remove(world, "ours", "p000.png")
    finish_round(world.context, "theirs")
    with pytest.raises(ConflictError):
        finish_round(world.context, "ours", allow_unlabeled=True)
    finish_round(world.context, "ours", allow_unlabeled=True, on_conflict=Policy.OURS)
    assert record(world, "p000.png").state is TaskState.UNFINISHED


def test_both_sides_alike_is_no_conflict(world: World) -> None:
    for name in ("ours", "theirs"):
        edit(world, name, "p000.png", "gouda")
    finish_round(world.context, "theirs")
    finish_round(world.context, "ours")
    assert boxes(record(world, "p000.png")) == [("ann", "gouda", 10)]


def test_dry_run_of_a_merge_is_the_run(conflict: World) -> None:
    before = conflict.lake.find_commit("round-ours")
    planned = finish_round(conflict.context, "ours", on_conflict=Policy.BOTH, dry_run=True)
    assert conflict.lake.find_commit("round-ours") == before
    done = finish_round(conflict.context, "ours", on_conflict=Policy.BOTH)
    assert planned.packed is not None
    assert done.packed is not None
    assert planned.packed.uploads == done.packed.uploads
    assert planned.packed.checksums == done.packed.checksums
    assert (planned.changed, planned.counts) == (done.changed, done.counts)
    assert set(done.changed) == {"p000.png", "p002.png"}
    assert planned.conflicts == done.conflicts


def test_a_task_that_becomes_another_one_is_not_read_for_it(conflict: World) -> None:
    """Its data is edited between the sync of a finish and what the merge reads again."""
    task = conflict.task("p000.png", project_of(conflict, "ours"))
    exports = 0

    def meddle(name: str) -> None:
        nonlocal exports
        exports += name == "export"
        if name == "export" and exports == 2:
            conflict.studio.before = lambda _: None
            conflict.studio.replace_data(task, {"image": "s3://x/y", "key": "p001.png"})

    before = conflict.records()
    conflict.studio.before = meddle
    with pytest.raises(InvalidDataError) as caught:
        finish_round(conflict.context, "ours", on_conflict=Policy.OURS)
    assert caught.value.code == "task-moved"
    assert conflict.records() == before


def test_rebase_takes_main_into_an_open_round(conflict: World) -> None:
    rebased = rebase_round(conflict.context, "ours", on_conflict=Policy.BOTH)
    assert rebased.changed == ("p000.png", "p001.png")
    at_round = record(conflict, "p000.png", "round-ours")
    assert boxes(at_round) == [("ann", "brie", 15), ("ann", "gouda", 10)]
    assert boxes(record(conflict, "p001.png", "round-ours")) == [("ann", "gouda", 10)]
    assert conflict.lake.merge_base("round-ours", "main") == conflict.lake.find_commit("main")
    assert rebase_round(conflict.context, "ours").taken is None, "done already"
    # The round goes on: what is said from now on is merged with the same main, by the same policy.
    add(conflict, "ours", "p001.png", "brie", by=conflict.ben)
    sync_round(conflict.context, "ours")
    found = boxes(record(conflict, "p001.png", "round-ours"))
    assert found == [("ann", "gouda", 10), ("ben", "brie", 10)]
    finish_round(conflict.context, "ours")
    assert boxes(record(conflict, "p001.png")) == found
    assert record(conflict, "p000.png") == at_round


def test_rebase_refuses_what_nobody_decided(conflict: World) -> None:
    sync_round(conflict.context, "ours")
    before = conflict.lake.find_commit("round-ours")
    for dry_run in (True, False):
        with pytest.raises(ConflictError) as caught:
            rebase_round(conflict.context, "ours", dry_run=dry_run)
        assert caught.value.code == "tasks-changed-on-both-sides"
        assert "ops round rebase ours --on-conflict" in caught.value.hint
    assert conflict.lake.find_commit("round-ours") == before
    assert not list(conflict.lake.uncommitted("round-ours"))


def test_rebase_onto_the_base_has_nothing_to_do(world: World) -> None:
    sync_round(world.context, "ours")
    before = world.lake.find_commit("round-ours")
    assert rebase_round(world.context, "ours").taken is None
    assert world.lake.find_commit("round-ours") == before


def test_a_conflict_after_a_rebase_waits_for_a_decision(world: World) -> None:
    """Labels are saved by every sync; whose counts is asked at the next rebase or finish."""
    edit(world, "theirs", "p000.png", "gouda")
    finish_round(world.context, "theirs")
    rebase_round(world.context, "ours")
    edit(world, "ours", "p000.png", "brie", moved=5)
    synced = sync_round(world.context, "ours")
    assert synced.conflicts == ("p000.png",)
    assert boxes(record(world, "p000.png", "round-ours")) == [("ann", "brie", 15)]
    with pytest.raises(ConflictError):
        finish_round(world.context, "ours")
    finish_round(world.context, "ours", on_conflict=Policy.THEIRS)
    assert boxes(record(world, "p000.png")) == [("ann", "gouda", 10)]


def test_a_main_that_took_it_back_is_followed(conflict: World) -> None:
    """Rebased onto a version that was reverted since: the round does not bring it back."""
    from ops.runner.revert import revert_to

    rebase_round(conflict.context, "ours", on_conflict=Policy.THEIRS)
    revert_to(conflict.context, "v1")
    finish_round(conflict.context, "ours")
    assert boxes(record(conflict, "p001.png")) == [("ann", "brie", 10)]
    assert boxes(record(conflict, "p000.png")) == [("ann", "brie", 15)]


def test_quarantine_merges_the_rest_and_opens_a_round(conflict: World) -> None:
    done = finish_round(conflict.context, "ours", quarantine=True)
    assert done.manifest.rework == "ours-rework"
    assert record(conflict, "p000.png").quarantined
    assert boxes(record(conflict, "p002.png")) == [("ann", "brie", 10), ("ben", "gouda", 10)]
    # Both answers are before the annotator, who takes one of them away.
    shown = answers_in(conflict, "ours-rework", "p000.png")
    assert len(shown) == 2
    (again,) = [finish_round(conflict.context, "ours")]
    assert again.already_done
    remove(conflict, "ours-rework", "p000.png", number=1)
    finished = finish_round(conflict.context, "ours-rework")
    found = record(conflict, "p000.png")
    assert (found.quarantined, found.state) == (False, TaskState.LABELED)
    assert len(boxes(found)) == 1
    assert finished.manifest.held == ()


def test_undecided_stays_quarantined(conflict: World) -> None:
    """Opened and left: neither answer becomes a label by that."""
    finish_round(conflict.context, "ours", quarantine=True)
    before = record(conflict, "p000.png")
    with pytest.raises(Exception, match="still quarantined") as caught:
        finish_round(conflict.context, "ours-rework")
    assert getattr(caught.value, "code", "") == "undecided-tasks"
    done = finish_round(conflict.context, "ours-rework", allow_unlabeled=True)
    assert (done.counts.quarantined, done.counts.labeled) == (1, 0)
    assert [held.reason for held in done.manifest.held] == [HoldReason.UNDECIDED]
    assert record(conflict, "p000.png") == before


def test_any_later_round_shows_what_was_quarantined(conflict: World) -> None:
    """Not only the rework: whoever gets the task sees the answers that wait for a decision."""
    finish_round(conflict.context, "ours", on_conflict=Policy.QUARANTINE)
    started = start_round(conflict.context, "next", Selection())
    assert started.keys == (TaskKey("p000.png"),)
    assert len(answers_in(conflict, "next", "p000.png")) == 2
    remove(conflict, "next", "p000.png")
    finish_round(conflict.context, "next")
    assert record(conflict, "p000.png").state is TaskState.LABELED


def test_a_replaced_picture_reopens_its_task(conflict: World) -> None:
    """Somebody put another picture behind a task while people were labeling the old one."""
    replace_picture(conflict, "p002.png")
    done = finish_round(conflict.context, "ours", on_conflict=Policy.OURS)
    (held,) = done.manifest.held
    assert (held.key, held.reason) == ("p002.png", HoldReason.PICTURE)
    found = record(conflict, "p002.png")
    assert found.quarantined
    assert boxes(found) == [("ann", "brie", 10), ("ben", "gouda", 10)], "kept, not counted"
    assert (done.counts.quarantined, done.counts.tasks) == (1, 3)
    # Exactly this task is to be labeled again, on the new picture, with the old answers in sight.
    started = start_round(conflict.context, "again", Selection())
    assert started.keys == (TaskKey("p002.png"),)
    assert len(answers_in(conflict, "again", "p002.png")) == 2


def test_a_picture_replaced_and_labeled_elsewhere(world: World) -> None:
    """The other round saw the new picture; what was said of the old one is held back beside it."""
    replace_picture(world, "p000.png")
    start_round(world.context, "newer", EDIT)
    edit(world, "newer", "p000.png", "gouda")
    finish_round(world.context, "newer")
    add(world, "ours", "p000.png", "brie", by=world.ben)
    done = finish_round(world.context, "ours")
    assert [(held.key, held.reason) for held in done.manifest.held] == [
        ("p000.png", HoldReason.PICTURE)
    ]
    found = record(world, "p000.png")
    assert boxes(found) == [("ann", "gouda", 10), ("ben", "brie", 10)]
    listed = {one.path: one.checksum for one in world.lake.list_objects("main", "images/")}
    assert found.task.media.checksum == listed["images/p000.png"]


def test_a_picture_that_vanished_is_reported(world: World) -> None:
    add(world, "ours", "p001.png", "gouda", by=world.ben)
    world.lake.create_branch("tidy", "main")
    world.lake.delete_many("tidy", ["images/p001.png"])
    world.lake.commit("tidy", "tidy up", {})
    world.lake.merge("tidy", "main", "tidy up", {})
    done = finish_round(world.context, "ours")
    assert [held.key for held in done.manifest.held] == ["p001.png"]
    assert len(record(world, "p001.png").annotations) == 2


def replace_picture(world: World, key: str) -> None:
    """Put other bytes behind a task, through a branch as everything goes to main."""
    world.lake.create_branch("retake", "main")
    upload = Upload(path=f"images/{key}", data=b"another picture", content_type="image/png")
    world.lake.write_many("retake", [upload])
    world.lake.commit("retake", "retake", {})
    world.lake.merge("retake", "main", "retake", {})
    world.lake.delete_branch("retake")
