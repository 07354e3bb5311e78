"""A sync index comes back from its bytes, and its sums and times are those of its rows."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.index import Seen, Standing, SyncIndex, decode_index, encode_index
from ops.core.records import Counts, Json, TaskKey, TaskState
from ops.errors import InvalidDataError
from tests.strategies import emails, keys, moments

rows = st.builds(
    Seen,
    key=keys,
    updated_at=moments,
    annotation_count=st.integers(0, 50),
    skipped_count=st.integers(0, 50),
)
standings = st.builds(
    Standing,
    state=st.sampled_from(TaskState),
    annotators=st.lists(emails, max_size=3).map(tuple),
)
loose = st.builds(
    SyncIndex,
    seen=st.dictionaries(st.integers(0, 10**9), rows, max_size=5),
    standings=st.dictionaries(keys, standings, max_size=5),
    synced_at=st.none() | moments,
)


def _whole(index: SyncIndex) -> SyncIndex:
    """The index with a standing for every task that was seen, as a sync leaves it."""
    seen = {row.key: Standing() for row in index.seen.values() if row.key is not None}
    return replace(index, standings={**seen, **index.standings})


indexes = loose.map(_whole)


@given(indexes)
def test_an_index_round_trips(index: SyncIndex) -> None:
    """Nothing is lost, and the order in which rows were seen leaves no trace in the bytes."""
    data = encode_index(index)
    assert decode_index(data, "cheese") == index
    reordered = SyncIndex(
        seen=dict([*index.seen.items()][::-1]),
        standings=dict([*index.standings.items()][::-1]),
        synced_at=index.synced_at,
    )
    assert encode_index(reordered) == data
    assert data.count(b"\n") == 1 + len(index.seen) + len(index.standings)


@given(indexes, st.lists(keys, max_size=6, unique=True))
def test_the_count_law_holds_for_any_tasks(index: SyncIndex, tasks: list[TaskKey]) -> None:
    """Every task asked for is counted once; one nobody has seen is unfinished."""
    counts = index.counts(tasks)
    assert counts.tasks == len(tasks)
    states = [index.standings[key].state for key in tasks if key in index.standings]
    for state in TaskState:
        unseen = len(tasks) - len(states) if state is TaskState.UNFINISHED else 0
        assert counts.as_mapping()[state.value] == states.count(state) + unseen


@given(indexes)
def test_totals_are_those_of_the_rows(index: SyncIndex) -> None:
    """They are compared with Label Studio's own."""
    assert index.annotation_count == sum(row.annotation_count for row in index.seen.values())
    assert index.skipped_count == sum(row.skipped_count for row in index.seen.values())


@given(indexes, st.integers(0, 86_400))
def test_the_next_look_begins_before_the_newest_change(index: SyncIndex, overlap_s: int) -> None:
    """By exactly the overlap; where nothing was seen there is no time to begin at."""
    times = [datetime.fromisoformat(row.updated_at) for row in index.seen.values()]
    since = index.since(overlap_s)
    if not times:
        assert since is None
        assert index.cursor is None
        return
    assert since is not None
    assert datetime.fromisoformat(since) == max(times) - timedelta(seconds=overlap_s)
    assert index.since(0) == index.cursor


def test_no_rows_are_an_index_too() -> None:
    """Of a round nobody has synced."""
    assert decode_index(encode_index(SyncIndex()), "cheese") == SyncIndex()
    assert SyncIndex().counts([TaskKey("a.png")]) == Counts(unfinished=1)


HEAD: Json = {"schema": "ops.index/1", "synced_at": None}
ROW: list[Json] = [31, "a.png", "2026-11-21T14:02:00.000000Z", 1, 0]
STANDING: dict[str, Json] = {"key": "a.png", "state": "labeled", "annotators": ["ann@example.com"]}

MALFORMED: Mapping[str, tuple[list[Json], str]] = {
    "no heading": ([ROW], "line 1"),
    "a standing for a heading": ([STANDING], "line 1.schema"),
    "another schema": ([{"schema": "ops.index/2", "synced_at": None}], "line 1.schema"),
    "schema is a number": ([{"schema": 1, "synced_at": None}], "line 1.schema"),
    "unknown field in the heading": (
        [{"schema": "ops.index/1", "synced_at": None, "x": 1}],
        "line 1.x",
    ),
    "synced sometime": ([{"schema": "ops.index/1", "synced_at": "later"}], "line 1.synced_at"),
    "two headings": ([HEAD, HEAD], "line 2.schema"),
    "a line of a text": ([HEAD, "a.png"], "line 2"),
    "a line of a number": ([HEAD, 31], "line 2"),
    "a line of null": ([HEAD, None], "line 2"),
    "a short row": ([HEAD, ROW[:4]], "line 2"),
    "a long row": ([HEAD, [*ROW, 0]], "line 2"),
    "an empty row": ([HEAD, []], "line 2"),
    "task id is a text": ([HEAD, ["31", *ROW[1:]]], "line 2.task"),
    "task id is true": ([HEAD, [True, *ROW[1:]]], "line 2.task"),
    "task id below zero": ([HEAD, [-31, *ROW[1:]]], "line 2.task"),
    "key is a number": ([HEAD, [31, 7, *ROW[2:]]], "line 2.key"),
    "key is empty": ([HEAD, [31, "", *ROW[2:]]], "line 2.key"),
    "updated sometime": ([HEAD, [31, "a.png", "later", 1, 0]], "line 2.updated_at"),
    "updated in no zone": (
        [HEAD, [31, "a.png", "2026-11-21T14:02:00.000000", 1, 0]],
        "line 2.updated_at",
    ),
    "answers are a fraction": ([HEAD, [*ROW[:3], 1.5, 0]], "line 2.annotation_count"),
    "answers below zero": ([HEAD, [*ROW[:3], -1, 0]], "line 2.annotation_count"),
    "skips are true": ([HEAD, [*ROW[:3], 1, True]], "line 2.skipped_count"),
    "a task twice": ([HEAD, ROW, ROW], "line 3"),
    "a standing twice": ([HEAD, STANDING, STANDING], "line 3"),
    "a standing of no key": ([HEAD, {"state": "labeled", "annotators": []}], "line 2.key"),
    "a standing of no state": ([HEAD, {"key": "a", "annotators": []}], "line 2.state"),
    "an unknown state": (
        [HEAD, {"key": "a", "state": "lost", "annotators": []}],
        "line 2.state",
    ),
    "an unknown field": ([HEAD, {**STANDING, "colour": "red"}], "line 2.colour"),
    "annotators are a text": ([HEAD, {**STANDING, "annotators": "ann"}], "line 2.annotators"),
    "an annotator is a number": ([HEAD, {**STANDING, "annotators": [1]}], "line 2.annotators"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_index_is_refused(case: str) -> None:
    """With its code, its path, and the line and field that are wrong."""
    lines, place = MALFORMED[case]
    data = b"".join(json.dumps(value).encode() + b"\n" for value in lines)
    with pytest.raises(InvalidDataError) as caught:
        decode_index(data, "cheese")
    assert caught.value.code == "index-invalid"
    assert caught.value.subject == "rounds/cheese.index.jsonl"
    assert dict(caught.value.where)["field"] == place


@pytest.mark.parametrize("data", [b"", b"\n", b"{", b"\xff\n", b'{"schema": "ops.index/1"}\n\n'])
def test_what_is_no_json_lines_document_is_no_index(data: bytes) -> None:
    """An empty line is none of JSON."""
    with pytest.raises(InvalidDataError) as caught:
        decode_index(data, "cheese")
    assert caught.value.code == "index-invalid"
