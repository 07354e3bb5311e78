"""What a change leaves on main: read strictly, named so that names are found again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.changes import (
    ChangeCounts,
    ChangeRequest,
    DatasetChange,
    DatasetChangeKind,
    DatasetChangeState,
    change_name,
    decode_change,
    effect_digest,
    encode_change,
    numbered,
)
from ops.core.names import (
    LONGEST_CHANGE_NAME,
    branch_change,
    change_branch,
    change_path,
    check_change_name,
    merge_branch,
    merge_branch_change,
    path_change,
)
from ops.core.records import CommitId
from ops.core.settle import Policy
from ops.errors import InvalidDataError, UsageError

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,79}", fullmatch=True)
MAIN = "5d41402abc4b2a76b9719d911017c592" * 2
REQUEST = ChangeRequest(
    name="revert-round-cheese",
    kind=DatasetChangeKind.REVERT,
    title="revert round cheese",
    arguments={"round": "cheese", "merge": MAIN},
    policy=Policy.BOTH,
)
CHANGE = DatasetChange(
    id="1f",
    request=REQUEST,
    base=CommitId(MAIN),
    actor="lena@example.org",
    created_at="2026-11-21T14:02:00.000000Z",
    counts=ChangeCounts(changed=3, removed=1, reopened=2, settled=1),
    digest="0" * 64,
)
MERGED = replace(
    CHANGE, version=7, merged_by="max@example.org", merged_at="2026-11-22T14:02:00.000000Z"
)


@pytest.mark.parametrize("change", [CHANGE, MERGED])
def test_a_change_is_read_as_it_was_written(change: DatasetChange) -> None:
    """Proposed, and merged; the bytes are the same again."""
    data = encode_change(change)
    found = decode_change(data, change.name)
    assert found == change
    assert encode_change(found) == data
    assert found.state.value == json.loads(data)["state"]


def test_a_change_is_merged_once_it_has_a_version() -> None:
    assert (CHANGE.state, MERGED.state) == (
        DatasetChangeState.PROPOSED,
        DatasetChangeState.MERGED,
    )


BROKEN: dict[str, tuple[dict[str, object], str]] = {
    "another schema": ({"schema": "ops.change/2"}, "schema"),
    "another change's": ({"name": "other"}, "name"),
    "a field nobody knows": ({"colour": "red"}, "colour"),
    "a kind nobody knows": ({"kind": "rename"}, "kind"),
    "a policy nobody knows": ({"on_conflict": "merge"}, "on_conflict"),
    "no argument": ({"arguments": []}, "arguments"),
    "an argument that is no text": ({"arguments": {"round": 7}}, "arguments.round"),
    "counts short of one": ({"counts": {"changed": 1}}, "counts"),
    "a count below none": (
        {"counts": {"changed": -1, "removed": 0, "reopened": 0, "settled": 0}},
        "counts.changed",
    ),
    "a time that is none": ({"created_at": "yesterday"}, "created_at"),
    "merged without a version": ({"state": "merged"}, "state"),
    "proposed with a version": ({"version": 3}, "state"),
    "no digest": ({"digest": ""}, "digest"),
}


@pytest.mark.parametrize(("changes", "place"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_change_is_refused_and_the_place_named(
    changes: dict[str, object], place: str
) -> None:
    """Whoever edited it."""
    document = {**json.loads(encode_change(CHANGE)), **changes}
    with pytest.raises(InvalidDataError) as caught:
        decode_change(json.dumps(document).encode(), CHANGE.name)
    assert caught.value.code == "change-invalid"
    assert caught.value.subject == change_path(CHANGE.name)
    assert caught.value.where[0][1].startswith(place)


@pytest.mark.parametrize("field", sorted(json.loads(encode_change(CHANGE)).keys()))
def test_a_change_without_a_field_is_refused(field: str) -> None:
    """But for those that come with the merge."""
    document = json.loads(encode_change(CHANGE))
    del document[field]
    data = json.dumps(document).encode()
    if field in {"version", "merged_by", "merged_at"}:
        assert decode_change(data, CHANGE.name) == CHANGE
    else:
        with pytest.raises(InvalidDataError):
            decode_change(data, CHANGE.name)


@given(names)
def test_names_are_found_again(name: str) -> None:
    """In branches and paths; a round's branch is no change's."""
    assert check_change_name(name) == name
    assert branch_change(change_branch(name)) == name
    assert path_change(change_path(name)) == name
    assert merge_branch_change(merge_branch(name, MAIN)) == name
    assert branch_change(f"round-{name}") is None
    assert path_change(f"rounds/{name}.json") is None


def test_what_names_no_change_is_none() -> None:
    assert branch_change("change-") is None
    assert path_change("changes/a/b.json") is None
    assert merge_branch_change("merge-cheese") is None


@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_default_name_can_always_be_one(parts: list[str]) -> None:
    """Whatever an e-mail address, a label or a ref holds; deterministic."""
    name = change_name("revert", *parts)
    assert check_change_name(name) == name
    assert change_name("revert", *parts) == name
    second = numbered(replace(REQUEST, name=name), 12).name
    assert check_change_name(second) == second
    assert second.endswith("-12")


def test_long_names_are_told_apart() -> None:
    """By a digest at the end."""
    one, two = (change_name("revert", "x" * 100, end) for end in "ab")
    assert one != two
    assert len(one) <= LONGEST_CHANGE_NAME
    assert change_name("revert", "annotator", "Ann.Lee@example.org", "since", "v7") == (
        "revert-annotator-ann-lee-example-org-since-v7"
    )


@pytest.mark.parametrize("name", ["", "-a", "A", "a.b", "a/b", "x" * 81, "ä"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError):
        check_change_name(name)


@given(st.dictionaries(st.text(), st.text()), st.sets(st.text()))
def test_a_digest_is_of_what_is_written_and_removed(
    written: dict[str, str], removed: set[str]
) -> None:
    """In no particular order; one object more is another digest."""
    digest = effect_digest(written, removed)
    assert effect_digest(dict(reversed(written.items())), sorted(removed)) == digest
    path = "".join([*written, *removed]) + "x"
    assert effect_digest({**written, path: "c"}, removed) != digest
    assert effect_digest(written, {*removed, path}) != digest
