"""ports.Lake on the real lakeFS and on the one in memory: commits, branches, merges, tags."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.errors import ConflictError, InvalidDataError, NotFoundError, RefusedError
from ops.lake import LakeFS
from ops.ports import ChangeKind, Lake, Upload
from tests.lake_bench import (
    BENCHES,
    MAIN,
    NOWHERE,
    REASON,
    LakeBench,
    fork,
    kinds,
    open_bench,
    paths,
    put,
    save,
)


@pytest.fixture(params=BENCHES)
def lakes(request: pytest.FixtureRequest) -> LakeBench:
    """Each server in turn."""
    return open_bench(request)


@pytest.fixture
def lake(lakes: LakeBench) -> Lake:
    """A new repository."""
    return lakes.lake()


@pytest.mark.parametrize(
    "ref", ["nope", "", "main~9", "main$", "main~x", "main^7", "a b", "..", "x/y", NOWHERE]
)
def test_a_ref_that_names_nothing_has_no_commit(lake: Lake, ref: str) -> None:
    """Malformed ones too, which lakeFS answers with status 500."""
    assert lake.find_commit(ref) is None
    with pytest.raises(NotFoundError):
        lake.commit_facts(ref)


def test_refs_are_written_as_lakefs_does(lake: Lake) -> None:
    """Branch, tag, commit id in full and in short, and steps back from them."""
    root = lake.find_commit(MAIN)
    first = save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    second = save(lake, "side", {"b": b"1"})
    third = lake.merge("side", MAIN, "Merge", {})
    lake.create_tag("v1", first)
    found = {
        ref: lake.find_commit(ref)
        for ref in ("main", "side", "v1", "main~1", "main~2", "main^2", "main@", first[:16], second)
    }
    assert found == {
        "main": third,
        "side": second,
        "v1": first,
        "main~1": first,
        "main~2": root,
        "main^2": second,
        "main@": third,
        first[:16]: first,
        second: second,
    }


def test_a_commit_says_what_it_was_given(lake: Lake) -> None:
    """Message and metadata come back as they were, and who and when is known."""
    before = int(time.time()) if isinstance(lake, LakeFS) else 0
    root = lake.find_commit(MAIN)
    put(lake, MAIN, {"a": b"1"})
    commit = lake.commit(MAIN, 'Grüße, "Käse"\n\nzwei', {"ops.round": "käse", "ops.count": "1"})
    facts = lake.commit_facts(MAIN)
    assert facts.id == commit
    assert facts.parents == (root,)
    assert facts.message == 'Grüße, "Käse"\n\nzwei'
    assert facts.metadata == {"ops.round": "käse", "ops.count": "1"}
    assert facts.committer
    assert facts.created_at >= before
    assert len(facts.id) == 64


def test_the_first_commit_has_no_parents(lake: Lake) -> None:
    """Where every walk back ends."""
    facts = lake.commit_facts(MAIN)
    assert facts.parents == ()
    assert facts.message == "Repository created"


def test_nothing_staged_makes_no_commit(lake: Lake) -> None:
    """Uploading what is there already is nothing either: a repeated sync is no version."""
    assert lake.commit(MAIN, "Nothing", {}) is None
    head = save(lake, MAIN, {"a": b"1"})
    put(lake, MAIN, {"a": b"1"})
    assert list(lake.uncommitted(MAIN)) == []
    assert lake.commit(MAIN, "The same bytes", {}) is None
    assert lake.find_commit(MAIN) == head


def test_the_log_goes_from_new_to_old(lake: Lake) -> None:
    """All the way, or along the destinations of the merges."""
    first = save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    second = save(lake, "side", {"b": b"1"})
    third = lake.merge("side", MAIN, "Merge", {"k": "v"})
    log = list(lake.log(MAIN))
    assert [commit.id for commit in log][:3] == [third, second, first]
    assert log[3].parents == ()
    assert len(log) == 4
    line = list(lake.log(MAIN, first_parent=True))
    assert [commit.id for commit in line] == [third, first, log[3].id]
    assert line[0].metadata == {"k": "v", ".lakefs.merge.strategy": "default"}
    assert line[0].parents == (first, second)
    assert [commit.id for commit in lake.log("side")] == [second, first, log[3].id]


def test_branches_are_created_listed_and_deleted(lake: Lake) -> None:
    """Each once, and by name."""
    head = save(lake, MAIN, {"a": b"1"})
    assert lake.create_branch("round-b", MAIN)
    assert lake.create_branch("round-a", "main~1")
    assert not lake.create_branch("round-a", MAIN)
    root = lake.find_commit("main~1")
    assert list(lake.branches()) == [(MAIN, head), ("round-a", root), ("round-b", head)]
    assert list(lake.branches("round-")) == [("round-a", root), ("round-b", head)]
    put(lake, "round-a", {"staged": b"1"})
    assert lake.delete_branch("round-a")
    assert not lake.delete_branch("round-a")
    assert lake.find_commit("round-a") is None


def test_the_default_branch_stays(lake: Lake) -> None:
    """It holds the versions."""
    with pytest.raises(RefusedError) as caught:
        lake.delete_branch(MAIN)
    assert caught.value.code == "default-branch"
    assert lake.find_commit(MAIN)


@pytest.mark.parametrize("name", ["a.b", "a/b", "-a", "ä b"])
def test_a_branch_has_a_name_lakefs_takes(lake: Lake, name: str) -> None:
    """Letters, digits, - and _."""
    with pytest.raises(InvalidDataError) as caught:
        lake.create_branch(name, MAIN)
    assert caught.value.code == "lakefs-name"


def test_a_branch_and_a_tag_share_no_name(lake: Lake) -> None:
    """It is not the same as being there already."""
    head = save(lake, MAIN, {"a": b"1"})
    lake.create_tag("v1", head)
    lake.create_branch("side", MAIN)
    with pytest.raises(ConflictError) as branch:
        lake.create_branch("v1", MAIN)
    with pytest.raises(ConflictError) as tag:
        lake.create_tag("side", head)
    assert branch.value.code == tag.value.code == "name-taken"


def test_tags_name_commits_for_good(lake: Lake) -> None:
    """A tag that is there at the same commit is no failure, at another it is."""
    first = save(lake, MAIN, {"a": b"1"})
    second = save(lake, MAIN, {"a": b"2"})
    assert lake.create_tag("v1", first)
    assert not lake.create_tag("v1", first)
    with pytest.raises(ConflictError) as caught:
        lake.create_tag("v1", second)
    assert caught.value.code == "tag-elsewhere"
    assert caught.value.subject == "v1"
    assert lake.create_tag("v10", second)
    assert lake.create_tag("v2", second)
    assert list(lake.tags()) == [("v1", first), ("v10", second), ("v2", second)]
    assert lake.read("v1", "a") == b"1"


def test_a_tag_has_a_name_lakefs_takes(lake: Lake) -> None:
    """No spaces."""
    head = lake.find_commit(MAIN)
    assert head
    with pytest.raises(InvalidDataError) as caught:
        lake.create_tag("a b", head)
    assert caught.value.code == "lakefs-name"


def test_a_comparison_says_what_the_right_side_has(lake: Lake) -> None:
    """That the left has not, whoever changed it."""
    left, right = fork(lake)
    assert kinds(lake.diff(left, right)) == {
        "both": ChangeKind.CHANGED,
        "dropped": ChangeKind.ADDED,
        "gone": ChangeKind.ADDED,
        "only-left": ChangeKind.REMOVED,
        "only-right": ChangeKind.ADDED,
    }
    assert kinds(lake.diff(left, right, "only-")) == {
        "only-left": ChangeKind.REMOVED,
        "only-right": ChangeKind.ADDED,
    }
    assert list(lake.diff(left, left)) == []
    listed = {found.path: found.checksum for found in lake.list_objects(right)}
    for since_base in (False, True):
        compared = list(lake.diff(left, right, since_base=since_base))
        told = {ChangeKind.ADDED, ChangeKind.CHANGED}
        assert {change.path: change.checksum for change in compared} == {
            change.path: listed[change.path] if change.kind in told else None for change in compared
        }


def test_a_comparison_since_the_base_says_what_the_right_side_changed(lake: Lake) -> None:
    """Alike changes are none; what both changed apart is a conflict."""
    left, right = fork(lake)
    assert kinds(lake.diff(left, right, since_base=True)) == {
        "both": ChangeKind.CONFLICT,
        "gone": ChangeKind.CONFLICT,
        "only-right": ChangeKind.ADDED,
    }
    assert kinds(lake.diff(right, left, since_base=True)) == {
        "both": ChangeKind.CONFLICT,
        "dropped": ChangeKind.REMOVED,
        "gone": ChangeKind.CONFLICT,
        "only-left": ChangeKind.ADDED,
    }


def test_a_merge_takes_what_the_source_has_committed(lake: Lake) -> None:
    """Not what is staged there; the merge commit has the destination as first parent."""
    base = save(lake, MAIN, {"a": b"1", "b": b"1"})
    lake.create_branch("side", MAIN)
    theirs = save(lake, "side", {"a": b"2"})
    put(lake, "side", {"staged": b"1"})
    ours = save(lake, MAIN, {"c": b"1"})
    assert lake.merge_base("side", MAIN) == base
    commit = lake.merge("side", MAIN, "Merge side", {"round": "x"})
    assert commit == lake.find_commit(MAIN)
    facts = lake.commit_facts(MAIN)
    assert facts.parents == (ours, theirs)
    assert facts.message == "Merge side"
    assert facts.metadata["round"] == "x"
    assert dict(lake.read_many(MAIN, paths(lake, MAIN))) == {"a": b"2", "b": b"1", "c": b"1"}
    assert lake.merge_base("side", MAIN) == theirs


def test_a_merge_of_nothing_new_is_none(lake: Lake) -> None:
    """Which makes it repeatable."""
    head = save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    assert lake.merge("side", MAIN, "Nothing", {}) is None
    assert lake.merge(MAIN, MAIN, "Itself", {}) is None
    save(lake, "side", {"a": b"2"})
    assert lake.merge("side", MAIN, "Something", {})
    assert lake.merge("side", MAIN, "Again", {}) is None
    assert lake.find_commit("main~1") == head


def test_alike_changes_on_both_sides_merge(lake: Lake) -> None:
    """Equal objects are no conflict."""
    save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    save(lake, "side", {"a": b"2"})
    save(lake, MAIN, {"a": b"2"})
    assert lake.merge("side", MAIN, "Alike", {})
    assert lake.read(MAIN, "a") == b"2"


def test_different_changes_on_both_sides_conflict(lake: Lake) -> None:
    """And leave the destination as it was."""
    left, right = fork(lake)
    head = lake.find_commit(right)
    with pytest.raises(ConflictError) as caught:
        lake.merge(left, right, "Merge", {})
    assert caught.value.code == "merge-conflict"
    assert lake.find_commit(right) == head
    assert list(lake.uncommitted(right)) == []


def test_the_destination_can_be_kept(lake: Lake) -> None:
    """Object by object where both changed; the source counts as merged from then on."""
    left, right = fork(lake)
    theirs = lake.find_commit(left)
    commit = lake.merge(left, right, "Merge", {}, keep_destination=True)
    assert commit
    assert dict(lake.read_many(right, paths(lake, right))) == {
        "both": b"right",
        "gone": b"1",
        "only-left": b"1",
        "only-right": b"1",
        "same": b"1",
        "still": b"0",
    }
    assert lake.commit_facts(right).parents[1] == theirs
    assert lake.merge_base(left, right) == theirs
    assert lake.merge(right, left, "Back", {})
    assert lake.read(left, "both") == b"right"


def test_nothing_merges_into_what_is_staged(lake: Lake) -> None:
    """It would be unclear whose it is."""
    save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    save(lake, "side", {"a": b"2"})
    put(lake, MAIN, {"staged": b"1"})
    with pytest.raises(RefusedError) as caught:
        lake.merge("side", MAIN, "Merge", {})
    assert caught.value.code == "dirty-branch"
    assert lake.read(MAIN, "staged") == b"1"
    lake.discard(MAIN)
    assert lake.merge("side", MAIN, "Merge", {})


def test_staged_bytes_that_change_nothing_do_not_hinder_a_merge(lake: Lake) -> None:
    """They differ from nothing."""
    save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    save(lake, "side", {"a": b"2"})
    put(lake, MAIN, {"a": b"1"})
    assert lake.merge("side", MAIN, "Merge", {})
    assert lake.read(MAIN, "a") == b"2"


def test_a_gate_refuses_in_its_own_words(lakes: LakeBench) -> None:
    """People read what the gate's author wrote."""
    lake = lakes.lake()
    lakes.add_gate(lake)
    lake.create_branch("side", MAIN)
    save(lake, "side", {"a": b"1"})
    head = lake.find_commit(MAIN)
    with pytest.raises(RefusedError) as caught:
        lake.merge("side", MAIN, "Merge", {})
    assert caught.value.code == "gate"
    assert caught.value.message.endswith(REASON)
    assert lake.find_commit(MAIN) == head
    assert lake.merge("side", MAIN, "Merge", {"round": "x"})


def test_a_protected_branch_changes_by_merges_alone(lake: Lake) -> None:
    """It bites once protecting has returned, and has left nothing staged."""
    head = save(lake, MAIN, {"a": b"1"})
    lake.create_branch("side", MAIN)
    assert not lake.is_protected(MAIN)
    lake.protect(MAIN)
    lake.protect(MAIN)
    assert lake.is_protected(MAIN)
    assert not lake.is_protected("side")
    refused: Sequence[Callable[[], object]] = (
        lambda: lake.write_many(MAIN, [Upload(path="b", data=b"1")]),
        lambda: lake.write_if_absent(MAIN, Upload(path="b", data=b"1")),
        lambda: lake.delete_many(MAIN, ["a"]),
        lambda: lake.discard(MAIN),
        lambda: lake.commit(MAIN, "Direct", {}),
    )
    for use in refused:
        with pytest.raises(RefusedError) as caught:
            use()
        assert caught.value.code == "protected-branch"
    assert not lake.write_if_absent(MAIN, Upload(path="a", data=b"2"))
    assert list(lake.uncommitted(MAIN)) == []
    assert lake.find_commit(MAIN) == head
    save(lake, "side", {"a": b"2"})
    assert lake.merge("side", MAIN, "Merge", {})
    assert lake.read(MAIN, "a") == b"2"


def test_protecting_keeps_other_rules(lake: Lake) -> None:
    """Those that are set at the same time, too."""
    names = [MAIN, "side", "other"]
    for name in names[1:]:
        lake.create_branch(name, MAIN)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lake.protect, names))
    assert all(lake.is_protected(name) for name in names)
    with pytest.raises(RefusedError):
        put(lake, "side", {"a": b"1"})
