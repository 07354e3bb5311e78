"""Tasks into and out of an open round: each once, the count law kept, and no label lost by it."""

from collections.abc import Callable

import pytest

from ops.core.amendments import AmendmentKind
from ops.core.names import RECORD_PREFIX, manifest_path, record_key
from ops.core.records import TaskKey
from ops.core.rounds import Manifest
from ops.core.selection import Selection
from ops.core.task_list import encode_tasks, tasks_digest
from ops.errors import ConflictError, NotFoundError, OpsError, RefusedError
from ops.ports import Upload
from ops.runner.context import load_round
from ops.runner.finish import finish_round
from ops.runner.rebase import rebase_round
from ops.runner.round_tasks import add_tasks, drop_tasks, reselect
from ops.runner.start import start_round
from ops.runner.status import find_manifest, round_status
from ops.runner.sync import sync_round
from tests.runner.test_crash import Killed, kill_at
from tests.runner.world import World

Act = Callable[[World], object]


def keys(*names: int) -> tuple[TaskKey, ...]:
    """The keys of pictures by number."""
    return tuple(TaskKey(f"p{name:03}.png") for name in names)


def named(*names: int) -> Selection:
    """These pictures, named one by one."""
    return Selection(keys=keys(*names))


def opened(count: int = 3) -> World:
    """A world with an open round of its first pictures, one of them answered."""
    world = World()
    start_round(world.context, "cheese", Selection(limit=count))
    world.label("p000.png", "brie")
    sync_round(world.context, "cheese")
    return world


def in_round(world: World) -> list[str]:
    """The round's tasks by its branch."""
    return list(load_round(world.context, "cheese").tasks)


def in_studio(world: World) -> list[str]:
    """The keys Label Studio's project holds."""
    return sorted(str(row.key) for row in world.studio.task_rows(1))


def manifest(world: World) -> Manifest:
    """The round's manifest, wherever it is."""
    return find_manifest(world.context, "cheese")


def check_law(world: World) -> None:
    """Tasks are what the manifest says, in Label Studio too, and add up by state."""
    synced = sync_round(world.context, "cheese")
    assert synced.counts.tasks == len(in_round(world)) == manifest(world).task_count
    assert in_studio(world) == in_round(world)
    assert not [*synced.foreign, *synced.vanished, *synced.repeated]
    again = reselect(world.context, manifest(world))
    assert tasks_digest(encode_tasks(again.values())) == manifest(world).tasks_digest


def test_added_tasks_are_labeled_and_finished_with_the_rest() -> None:
    world = opened()
    found = add_tasks(world.context, "cheese", named(4, 5))
    assert (found.keys, found.task_count) == (keys(4, 5), 5)
    check_law(world)
    world.label("p004.png", "gouda")
    done = finish_round(world.context, "cheese", allow_unlabeled=True)
    assert (done.counts.labeled, done.counts.unfinished, done.counts.tasks) == (2, 3, 5)


def test_dropped_tasks_leave_no_trace_on_main() -> None:
    world = opened()
    found = drop_tasks(world.context, "cheese", named(2))
    assert (found.keys, found.task_count, found.answered) == (keys(2), 2, ())
    check_law(world)
    done = finish_round(world.context, "cheese", allow_unlabeled=True)
    assert (done.counts.tasks, done.counts.labeled) == (2, 1)
    assert sorted(map(record_key, world.records())) == [*keys(0, 1)]


def test_the_manifest_says_what_was_done_by_whom() -> None:
    world = opened()
    before = load_round(world.context, "cheese").head
    rita = world.another("rita@example.org")
    add_tasks(rita, "cheese", Selection(limit=1))
    drop_tasks(world.context, "cheese", named(1))
    one, two = manifest(world).amendments
    assert (one.kind, one.actor, one.task_count) == (AmendmentKind.ADDED, "rita@example.org", 1)
    assert (two.kind, two.actor, two.task_count) == (AmendmentKind.DROPPED, world.context.actor, 1)
    assert one.onto == before
    assert two.tasks_digest == manifest(world).tasks_digest
    assert one.at < two.at or one.at == two.at == world.context.timestamp()
    assert "1 tasks added by rita@example.org" in one.in_words


def test_the_same_words_add_once_and_again_if_meant() -> None:
    world = opened(count=2)
    one = Selection(limit=1)
    add_tasks(world.context, "cheese", one)
    assert add_tasks(world.context, "cheese", one).already_done
    assert in_round(world) == [*keys(0, 1, 2)]
    assert add_tasks(world.context, "cheese", named(1)).already_done
    assert add_tasks(world.context, "cheese", one, again=True).keys == keys(3)
    check_law(world)


def test_the_same_words_drop_once_until_the_task_is_back() -> None:
    world = opened()
    drop_tasks(world.context, "cheese", named(2))
    assert drop_tasks(world.context, "cheese", named(2)).already_done
    add_tasks(world.context, "cheese", named(2))
    assert not drop_tasks(world.context, "cheese", named(2)).already_done
    check_law(world)
    assert in_round(world) == [*keys(0, 1)]


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    world = opened()
    head = world.lake.find_commit("round-cheese")
    planned = add_tasks(world.context, "cheese", Selection(limit=2), dry_run=True)
    leaving = drop_tasks(world.context, "cheese", named(1), dry_run=True)
    assert (planned.keys, leaving.keys) == (keys(3, 4), keys(1))
    assert world.lake.find_commit("round-cheese") == head
    assert in_studio(world) == [*keys(0, 1, 2)]
    assert add_tasks(world.context, "cheese", Selection(limit=2)).keys == planned.keys


def test_an_answered_task_is_not_dropped() -> None:
    """Whether its answer was synced or not."""
    world = opened()
    world.label("p001.png", "gouda")
    with pytest.raises(RefusedError) as caught:
        drop_tasks(world.context, "cheese", named(0, 1, 2))
    assert caught.value.code == "nothing-left"
    for number, who in ((0, "ann"), (1, "ann")):
        with pytest.raises(RefusedError) as caught:
            drop_tasks(world.context, "cheese", named(number, 2))
        assert caught.value.code == "answered-tasks"
        assert f"p00{number}.png  {who}@example.org" in dict(caught.value.where)["tasks"]
    check_law(world)
    assert in_round(world) == [*keys(0, 1, 2)]


@pytest.mark.parametrize("answer", ["skip", "draft", "empty"])
def test_whatever_somebody_did_with_a_task_keeps_it(answer: str) -> None:
    world = opened()
    if answer == "draft":
        world.studio.draft(world.task("p001.png"), [])
    else:
        world.label("p001.png", skipped=answer == "skip")
    with pytest.raises(RefusedError) as caught:
        drop_tasks(world.context, "cheese", named(1))
    assert caught.value.code == "answered-tasks"


def test_answers_are_discarded_by_name_and_stay_in_history() -> None:
    world = opened()
    found = drop_tasks(world.context, "cheese", named(0, 2), discard_answers=True)
    assert found.answered == keys(0)
    assert found.amendment is not None
    assert found.amendment.discarded == keys(0)
    check_law(world)
    assert round_status(world.context, "cheese").annotators == {}
    assert world.lake.read(found.amendment.onto, f"{RECORD_PREFIX}p000.png.json") is not None
    assert not [path for path in world.records("round-cheese") if "p000" in path]


def test_an_edit_round_drops_what_nobody_changed_and_adds_editable_tasks() -> None:
    """What was put before annotators is no answer; what they made of it is one."""
    world = World()
    start_round(world.context, "first", Selection())
    for number in range(6):
        world.label(f"p{number:03}.png", "brie")
    finish_round(world.context, "first")
    before = world.records()
    edit = Selection(labeled_too=True, edit=True, limit=3)
    start_round(world.context, "cheese", edit)
    drop_tasks(world.context, "cheese", named(1))
    add_tasks(world.context, "cheese", named(4))
    project = manifest(world).project or 0
    rows = {str(row.key): row for row in world.studio.task_rows(project)}
    assert {key: row.annotation_count for key, row in rows.items()} == dict.fromkeys(
        keys(0, 2, 4), 1
    )
    changed = next(a for a in world.studio.annotations.values() if a.task == rows["p004.png"].id)
    world.clock.advance(1)
    world.studio.update_annotation(changed.id, [])
    with pytest.raises(RefusedError) as caught:
        drop_tasks(world.context, "cheese", named(4))
    assert caught.value.code == "answered-tasks"
    finish_round(world.context, "cheese")
    after = world.records()
    assert [path for path in before if before[path] != after[path]] == [
        f"{RECORD_PREFIX}p004.png.json"
    ]


def test_labeled_tasks_are_dropped_by_any_wish() -> None:
    """Not only by their names: the first of them, or some by chance."""
    world = World()
    start_round(world.context, "first", Selection(limit=4))
    for number in range(4):
        world.label(f"p{number:03}.png", "brie")
    finish_round(world.context, "first")
    start_round(world.context, "cheese", Selection(labeled_too=True))
    assert drop_tasks(world.context, "cheese", Selection(limit=1)).keys == keys(0)
    assert drop_tasks(world.context, "cheese", Selection(where="label = 'brie'", limit=2)).keys == (
        keys(1, 2)
    )
    assert in_round(world) == [*keys(3, 4, 5)]


def test_another_ones_amendment_is_not_taken_for_ones_own() -> None:
    """Two of one head use one branch: what is merged is looked at first."""
    world = opened()
    rivals = world.another("rita@example.org")

    def write(method: str) -> None:
        if method == "commit":
            world.watch(lambda _: None, lambda _: None)
            [branch] = [name for name, _ in world.lake.branches("amend-")]
            path = manifest_path("cheese")
            stated = world.lake.read("round-cheese", path) or b""
            rivals.lake.write_many(
                branch, [Upload(path=path, data=stated.replace(b"lena", b"rita"))]
            )

    sync_round(world.context, "cheese")
    world.watch(write, lambda _: None)
    with pytest.raises(ConflictError, match="just now"):
        add_tasks(world.context, "cheese", named(4))
    check_law(world)
    assert in_round(world) == [*keys(0, 1, 2)]


def test_an_added_task_without_the_labels_to_be_changed_is_imported_again() -> None:
    """Stock SQLite can lose them where nobody looks; what people delete stays deleted."""
    world = World()
    start_round(world.context, "first", Selection())
    for number in range(6):
        world.label(f"p{number:03}.png", "brie")
    finish_round(world.context, "first")
    start_round(world.context, "cheese", Selection(labeled_too=True, edit=True, limit=2))
    sync_round(world.context, "cheese")
    add_tasks(world.context, "cheese", named(4, 5))
    world.studio.annotations.pop(annotation_of(world, "p005.png"))
    world.studio.delete_annotation(annotation_of(world, "p000.png"))
    assert not add_tasks(world.context, "cheese", named(4, 5)).already_done
    assert annotation_of(world, "p005.png")
    assert add_tasks(world.context, "cheese", named(4, 5)).already_done
    synced = sync_round(world.context, "cheese")
    assert synced.changed == keys(0)
    assert synced.counts.labeled == 3
    world.studio.delete_annotation(annotation_of(world, "p005.png"))
    sync_round(world.context, "cheese")
    assert add_tasks(world.context, "cheese", named(4, 5)).already_done
    assert sync_round(world.context, "cheese").counts.labeled == 2


def annotation_of(world: World, key: str) -> int:
    """The annotation of a task in the newest project."""
    task = world.task(key)
    [found] = [one.id for one in world.studio.annotations.values() if one.task == task]
    return found


def test_an_answer_given_while_its_task_is_dropped_is_kept_and_named() -> None:
    """Between the commit and the deletion: the task stays in Label Studio, and can come back."""
    world = opened()
    has_answered = False

    def answer(method: str) -> None:
        nonlocal has_answered
        if method == "merge" and not has_answered:
            has_answered = True
            world.label("p002.png", "brie")

    world.watch(lambda _: None, answer)
    with pytest.raises(ConflictError) as caught:
        drop_tasks(world.context, "cheese", named(1, 2))
    world.watch(lambda _: None, lambda _: None)
    assert caught.value.code == "answered-meanwhile"
    assert in_studio(world) == [*keys(0, 2)]
    with pytest.raises(ConflictError):
        drop_tasks(world.context, "cheese", named(1, 2))
    add_tasks(world.context, "cheese", named(2))
    check_law(world)
    assert sync_round(world.context, "cheese").counts.labeled == 2


def test_what_is_not_there_is_named() -> None:
    world = opened()
    for act, wanted in (
        (lambda: drop_tasks(world.context, "cheese", named(5)), "not-in-round"),
        (lambda: add_tasks(world.context, "cheese", named(77)), "no-such-task"),
        (lambda: add_tasks(world.context, "cheese", named(77, 0)), "no-such-task"),
        (lambda: add_tasks(world.context, "nope", named(1)), "no-such-round"),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert caught.value.code == wanted
    add_tasks(world.context, "cheese", Selection())
    with pytest.raises(RefusedError) as refused:
        add_tasks(world.context, "cheese", Selection(labeled_too=True))
    assert refused.value.code == "nothing-to-add"
    with pytest.raises(RefusedError) as refused:
        drop_tasks(world.context, "cheese", Selection(where="state = 'labeled'"))
    assert refused.value.code == "nothing-to-drop"


def test_a_picture_that_came_later_is_for_another_round() -> None:
    """A round shows the pictures of its base, also after a rebase."""
    world = opened()
    world.add_images(["later.png"])
    rebase_round(world.context, "cheese")
    with pytest.raises(RefusedError) as caught:
        add_tasks(world.context, "cheese", Selection(keys=(TaskKey("later.png"),)))
    assert caught.value.code == "not-at-base"
    assert "start another round" in caught.value.hint
    add_tasks(world.context, "cheese", named(5))
    check_law(world)


def test_a_rebased_round_keeps_mains_side_of_added_and_dropped_tasks() -> None:
    """Another round's labels of these tasks stay as main has them."""
    world = opened()
    start_round(world.context, "other", Selection(keys=keys(2, 4)))
    world.label("p002.png", "gouda")
    world.label("p004.png", "gouda")
    finish_round(world.context, "other")
    on_main = world.records()
    rebase_round(world.context, "cheese")
    drop_tasks(world.context, "cheese", named(2))
    add_tasks(world.context, "cheese", named(4))
    sync_round(world.context, "cheese")
    finish_round(world.context, "cheese", allow_unlabeled=True)
    after = world.records()
    assert [path for path in on_main if after[path] != on_main[path]] == []
    assert sorted(map(record_key, after)) == [*keys(0, 1, 2, 4)]


def test_a_round_that_is_not_open_is_not_amended() -> None:
    world = opened()
    finish_round(world.context, "cheese", allow_unlabeled=True)
    for act in (add_tasks, drop_tasks):
        with pytest.raises(RefusedError, match="is finished"):
            act(world.context, "cheese", named(1))


@pytest.mark.parametrize("step", range(1, 45))
def test_two_people_at_once(step: int) -> None:
    """Whichever step the other one comes before, both end up done or told; nothing is twice."""
    world = opened(count=2)
    rita, requests = world.another("rita@example.org"), 0

    def overtake(_: str) -> None:
        nonlocal requests
        requests += 1
        if requests == step:
            world.lake.before = world.studio.before = lambda _: None
            add_tasks(rita, "cheese", named(4))

    world.lake.before = world.studio.before = overtake
    try:
        add_tasks(world.context, "cheese", named(3))
    except OpsError:
        world.lake.before = world.studio.before = lambda _: None
        add_tasks(world.context, "cheese", named(3))
    world.lake.before = world.studio.before = lambda _: None
    add_tasks(rita, "cheese", named(4))
    check_law(world)
    assert in_round(world) == [*keys(0, 1, 3, 4)]


def test_records_that_a_sync_is_staging_are_waited_for() -> None:
    """Nothing is amended then; after that sync, the same command does it."""
    world = opened()
    staged = Upload(path=f"{RECORD_PREFIX}p001.png.json", data=b"{}")

    def stage(method: str) -> None:
        if method == "merge":
            world.watch(lambda _: None, lambda _: None)
            world.lake.write_many("round-cheese", [staged])

    world.watch(stage, lambda _: None)
    with pytest.raises(ConflictError) as caught:
        add_tasks(world.context, "cheese", named(4))
    assert caught.value.code == "branch-moved"
    assert "ops round sync cheese" in caught.value.hint
    assert in_round(world) == [*keys(0, 1, 2)]
    assert add_tasks(world.context, "cheese", named(4)).keys == keys(4)
    check_law(world)
    assert [name for name, _ in world.lake.branches()] == ["main", "round-cheese"]


def add(world: World) -> None:
    """Two more tasks, by words that would find two others the next time."""
    add_tasks(world.context, "cheese", Selection(limit=2))


def drop(world: World) -> None:
    """Two of the three, one of them answered."""
    drop_tasks(world.context, "cheese", named(0, 2), discard_answers=True)


def requests_of(act: Act) -> int:
    """How many requests an undisturbed run makes."""
    world, count = opened(), 0

    def more(_: str) -> None:
        nonlocal count
        count += 1

    world.watch(more, lambda _: None)
    act(world)
    return count


POINTS = [
    (act, number, after)
    for act in (add, drop)
    for number in range(1, requests_of(act) + 1)
    for after in (False, True)
]


def test_there_are_enough_points() -> None:
    assert len(POINTS) >= 100


@pytest.mark.parametrize(("act", "number", "after"), POINTS)
def test_run_again_after_a_kill(act: Act, number: int, *, after: bool) -> None:
    clean = opened()
    act(clean)
    world = opened()
    world.watch(*kill_at(number, after=after))
    with pytest.raises(Killed):
        act(world)
    world.watch(lambda _: None, lambda _: None)
    # Whatever the kill left, the round can be read and synced, and the law holds.
    assert sync_round(world.context, "cheese").counts.tasks == manifest(world).task_count
    act(world)
    act(world)
    check_law(world)
    assert in_round(world) == in_round(clean)
    assert in_studio(world) == in_studio(clean)
    assert [one.discarded for one in manifest(world).amendments] == [
        one.discarded for one in manifest(clean).amendments
    ]
    sync_round(clean.context, "cheese")
    assert world.records("round-cheese") == clean.records("round-cheese")
    assert [name for name, _ in world.lake.branches()] == ["main", "round-cheese"]
    assert not list(world.lake.uncommitted("round-cheese"))
    assert (
        round_status(world.context, "cheese").counts == round_status(clean.context, "cheese").counts
    )
    finish_round(world.context, "cheese", allow_unlabeled=True)
    finish_round(clean.context, "cheese", allow_unlabeled=True)
    assert world.records() == clean.records()
