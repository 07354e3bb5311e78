"""Changes: reviewed as they are, merged on main as it is, one version, whatever is killed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.core.changes import decode_change
from ops.core.names import change_branch, change_path, record_path
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.core.undo import Target
from ops.errors import NotFoundError, OpsError, RefusedError
from ops.ports import Upload
from ops.runner.change_merge import merge_change
from ops.runner.changes import Proposed, discard_change, list_changes
from ops.runner.finish import finish_round
from ops.runner.revert import propose_revert, revert_round, revert_to, work_request
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from tests.laws import note
from tests.runner.world import World

ANN = "ann@example.org"
NAME = "revert-annotator-ann-example-org-since-v1"
BRANCH = change_branch(NAME)
Act = Callable[[World], object]


def two_rounds() -> World:
    """v1: ben on 0 to 2. v2: ann beside him on 2, and alone on 3 and 4."""
    world = World(6)
    start_round(world.context, "first", Selection(limit=3))
    for number in range(3):
        world.label(f"p00{number}.png", "brie", by=world.ben)
    finish_round(world.context, "first")
    start_round(world.context, "second", Selection(labeled_too=True, limit=5))
    for number in range(2, 5):
        world.label(f"p00{number}.png", "gouda")
    finish_round(world.context, "second", allow_unlabeled=True)
    return world


@pytest.fixture
def world() -> World:
    return two_rounds()


def proposal(world: World, *, dry_run: bool = False, name: str | None = None) -> Proposed:
    request = work_request(world.context, Target(annotator=ANN), "v1")
    return propose_revert(world.context, request, name, dry_run=dry_run)


def merge(world: World) -> None:
    merge_change(world.context, NAME, rule_of)


def third_round(world: World) -> None:
    """Somebody else finishes a round, with ann on task 5."""
    context = world.another("max@example.org")
    start_round(context, "third", Selection(labeled_too=True))
    world.label("p005.png", "brie")
    world.label("p000.png", "gouda", by=world.ben)
    finish_round(context, "third", allow_unlabeled=True)


def code_of(act: Callable[[], object], error: type[OpsError] = RefusedError) -> str:
    with pytest.raises(error) as caught:
        act()
    return caught.value.code


def test_a_proposal_touches_main_never(world: World) -> None:
    """The plan is what the branch gets; proposed twice it is there already."""
    main = world.lake.find_commit("main")
    planned = proposal(world, dry_run=True)
    assert planned.commit is None
    assert list(world.lake.branches("change-")) == []
    found, again = proposal(world), proposal(world)
    assert (found.branch, found.already_done, again.already_done) == (BRANCH, False, True)
    assert planned.computed.as_json() == found.computed.as_json() == again.computed.as_json()
    assert found.commit == again.commit == world.lake.find_commit(BRANCH)
    assert world.lake.find_commit("main") == main
    changed = {change.path for change in world.lake.diff("main", BRANCH)}
    assert changed == {change_path(NAME), *(record_path(TaskKey(f"p00{n}.png")) for n in (2, 3, 4))}
    [listed] = list_changes(world.context)
    assert (listed.name, listed.is_behind, listed.change) == (NAME, False, found.change)


def test_main_keeps_what_the_change_was(world: World) -> None:
    """Its document says who asked for what, and which version it became."""
    proposal(world)
    merged = merge_change(world.context, NAME, rule_of)
    data = world.lake.read("v3", change_path(NAME))
    assert data
    assert decode_change(data, NAME) == merged.change
    assert (merged.change.version, merged.change.merged_by) == (3, "lena@example.org")
    assert list(list_changes(world.context)) == []
    again = merge_change(world.context, NAME, rule_of)
    assert (again.version, again.already_done, again.commit) == (3, True, merged.commit)
    assert code_of(lambda: proposal(world, name=NAME)) == "change-exists"


def test_main_that_moved_has_the_change_made_anew(world: World) -> None:
    """What came meanwhile is kept, and what of it the change is about goes too."""
    proposal(world)
    third_round(world)
    [listed] = list_changes(world.context)
    assert listed.is_behind
    planned = merge_change(world.context, NAME, rule_of, dry_run=True)
    merged = merge_change(world.context, NAME, rule_of)
    assert (planned.is_replayed, merged.is_replayed, merged.version) == (True, True, 4)
    assert planned.computed
    assert merged.computed
    assert planned.computed.as_json() == merged.computed.as_json()
    assert "p005.png" in merged.computed.reopened
    assert ANN not in str(world.records())
    assert (
        world.records()[record_path(TaskKey("p000.png"))]
        == (world.records("v3")[record_path(TaskKey("p000.png"))])
    )


def test_main_that_moves_while_it_is_merged(world: World) -> None:
    """Just before the merge somebody else is first: it starts over, and neither is lost."""
    proposal(world)
    done: list[str] = []

    def interfere(method: str) -> None:
        if method == "merge" and not done:
            done.append(method)
            third_round(world)

    world.lake.before = interfere
    merged = merge_change(world.context, NAME, rule_of)
    world.lake.before = lambda _: None
    assert merged.version == 4
    assert ANN not in str(world.records())
    versions = [
        commit.metadata["ops.version"]
        for commit in world.lake.log("main", first_parent=True)
        if "ops.version" in commit.metadata
    ]
    assert versions == ["4", "3", "2", "1"]
    assert list(world.lake.branches("merge-")) == []


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_branch_somebody_edited_is_refused(world: World, *, is_committed: bool) -> None:
    """Committed or staged, on a record or beside: a change is reviewed, not edited."""
    proposal(world)
    main = world.lake.find_commit("main")
    for path in (record_path(TaskKey("p000.png")), "notes.txt", change_path(NAME)):
        world.lake.write_many(BRANCH, [Upload(path=path, data=b"{}")])
        if is_committed:
            world.lake.commit(BRANCH, "an edit", {})
            assert code_of(lambda: merge(world), OpsError) in {
                "foreign-changes", "change-invalid",
            }  # fmt: skip
        else:
            assert code_of(lambda: merge(world)) == "foreign-changes"
            assert code_of(lambda: proposal(world)) == "foreign-changes"
    assert world.lake.find_commit("main") == main
    assert discard_change(world.context, NAME) == (BRANCH,)
    proposal(world)
    merge(world)


def test_a_commit_that_takes_an_edit_back_is_refused_too(world: World) -> None:
    """The branch says what it said; who looked at it saw more than one commit."""
    proposal(world)
    for data in (b"{}", None):
        if data:
            world.lake.write_many(BRANCH, [Upload(path="notes.txt", data=data)])
        else:
            world.lake.delete_many(BRANCH, ["notes.txt"])
        world.lake.commit(BRANCH, "an edit", {})
    assert code_of(lambda: merge(world)) == "foreign-changes"


def test_a_name_is_one_change(world: World) -> None:
    """Another request under the name of an open change is refused; a free name is given."""
    proposal(world, name="mine")
    request = work_request(world.context, Target(label="brie"), "v1")
    assert code_of(lambda: propose_revert(world.context, request, "mine")) == "change-exists"
    other = replace(request, name="another")
    assert code_of(lambda: merge_change(world.context, "another", rule_of), NotFoundError) == (
        "no-such-change"
    )
    assert propose_revert(world.context, other, None).computed.is_empty
    assert code_of(lambda: discard_change(world.context, "another"), NotFoundError) == (
        "no-such-change"
    )


def test_a_change_that_main_has_already_is_nothing_to_do(world: World) -> None:
    """Undone by another way meanwhile."""
    proposal(world)
    revert_round(world.context, "second")
    found = merge_change(world.context, NAME, rule_of)
    assert (found.version, found.already_done) == (None, True)
    discard_change(world.context, NAME)


class Killed(BaseException):
    """The process is gone."""


def revert_v1(world: World) -> None:
    revert_to(world.context, "v1")


def revert_second(world: World) -> None:
    revert_round(world.context, "second")


STORY: tuple[tuple[str, tuple[Act, ...], Act], ...] = (
    ("revert to a version", (), revert_v1),
    ("revert a round", (), revert_second),
    ("propose a change", (), proposal),
    ("merge a change", (proposal,), merge),
    ("merge a change on a main that moved", (proposal, third_round), merge),
)


def kill_at(number: int, *, after: bool) -> tuple[Callable[[str], None], Callable[[str], None]]:
    """Hooks that kill at the `number`th request, before or after the server took it."""
    counts = {True: 0, False: 0}

    def hook(is_after: bool) -> Callable[[str], None]:
        def kill(_: str) -> None:
            counts[is_after] += 1
            if counts[is_after] == number and is_after is after:
                raise Killed

        return kill

    return hook(False), hook(True)


def undisturbed(before: tuple[Act, ...], act: Act) -> tuple[World, int]:
    world, requests = two_rounds(), 0

    def count(_: str) -> None:
        nonlocal requests
        requests += 1

    for earlier in before:
        earlier(world)
    world.watch(count, lambda _: None)
    act(world)
    world.watch(lambda _: None, lambda _: None)
    return world, requests


def state(world: World) -> dict[str, object]:
    """What the servers say, but for ids and times."""
    branches = [name for name, _ in world.lake.branches()]
    return {
        "branches": branches,
        "tags": [name for name, _ in world.lake.tags()],
        "records": {name: world.records(name) for name in branches},
        "snapshot": world.snapshot(),
        "versions": [
            commit.metadata["ops.version"]
            for commit in world.lake.log("main", first_parent=True)
            if "ops.version" in commit.metadata
        ],
        "changes": [found.path for found in world.lake.list_objects("main", "changes/")],
        "staged": [name for name in branches if list(world.lake.uncommitted(name))],
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "before", "act"), STORY, ids=[name for name, _, _ in STORY])
def test_run_again_after_a_kill(
    name: str, before: tuple[Act, ...], act: Act, *, after: bool
) -> None:
    """At every request: the same branches, records, tags and changes as if nothing had happened."""
    clean, count = undisturbed(before, act)
    expected = state(clean)
    for number in range(1, count + 1):
        world = two_rounds()
        for earlier in before:
            earlier(world)
        world.watch(*kill_at(number, after=after))
        with pytest.raises(Killed):
            act(world)
        world.watch(lambda _: None, lambda _: None)
        act(world)
        act(world)
        assert state(world) == expected, f"request {number}"
    assert count >= 15
    when = "after" if after else "before"
    text = f"{name}: killed {when} each of {count} requests, run again"
    note("crash points on the fakes", text)
