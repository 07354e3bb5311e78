"""Manifests and task lists come back from their bytes; whatever else is in them is refused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from ops.core.names import media_path
from ops.core.records import CommitId, Counts, Media, Task, TaskKey, TaskState
from ops.core.rounds import (
    Held,
    HoldReason,
    Manifest,
    RoundState,
    TakenIn,
    decode_manifest,
    encode_manifest,
)
from ops.core.selection import Selection, select
from ops.core.settle import Policy
from ops.core.task_list import RoundTask, decode_tasks, encode_tasks, tasks_digest
from ops.errors import InvalidDataError
from tests.strategies import digests, emails, keys, moments, numbers, texts

counts = st.builds(Counts, **{state.value: st.integers(0, 10**6) for state in TaskState})
selections = st.builds(
    Selection,
    labeled_too=st.booleans(),
    limit=st.none() | st.integers(1, 10**9),
    sample=st.none() | st.integers(1, 10**9),
    seed=st.integers(-(2**63), 2**63),
    edit=st.booleans(),
    keys=st.none() | st.lists(keys, max_size=3).map(tuple),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """A manifest in any state; its counts, if any, add up."""
    counted = draw(st.none() | counts)
    return Manifest(
        id=draw(digests)[:32],
        name="cheese",
        base=CommitId(draw(digests)),
        actor=draw(emails),
        created_at=draw(moments),
        selection=draw(selections),
        task_count=counted.tasks if counted else draw(st.integers(0, 10**6)),
        tasks_digest="sha256:" + draw(digests),
        ontology_digest=draw(digests),
        state=draw(st.sampled_from(RoundState)),
        project=draw(st.none() | st.integers(1, 10**9)),
        ended_at=draw(st.none() | moments),
        ended_by=draw(st.none() | emails),
        version=draw(st.none() | st.integers(1, 10**6)),
        counts=counted,
        annotators=tuple(draw(st.lists(emails, max_size=3))),
        taken_in=draw(st.none() | takings),
        held=tuple(draw(st.lists(holds, max_size=3))),
        rework=draw(st.none() | st.just("cheese-rework")),
    )


takings = st.builds(
    TakenIn,
    main=digests.map(CommitId),
    on_conflict=st.sampled_from(Policy),
    merged_count=st.integers(0, 10**6),
    settled=st.lists(keys, max_size=3).map(tuple),
)
holds = st.builds(
    Held, key=keys, reason=st.sampled_from(HoldReason), detail=st.none() | texts.filter(bool)
)


@st.composite
def round_tasks(draw: st.DrawFn) -> RoundTask:
    """One line of a task list."""
    key = draw(keys)
    media = Media(
        path=media_path(key),
        checksum=draw(digests)[:32],
        size_bytes=draw(st.integers(0, 2**40)),
        sha256=draw(st.none() | digests),
        width=draw(st.none() | st.integers(1, 10_000)),
        height=draw(st.none() | st.integers(1, 10_000)),
    )
    return RoundTask(
        task=Task(key=key, media=media, data=draw(data)),
        has_record=draw(st.booleans()),
        carried=draw(st.booleans()),
    )


data = st.dictionaries(texts, texts | numbers | st.none(), max_size=2)
task_lists = st.lists(round_tasks(), max_size=3, unique_by=lambda entry: entry.task.key)


@given(manifests())
def test_a_manifest_round_trips(manifest: Manifest) -> None:
    """Nothing is lost in its bytes, and equal manifests are equal bytes."""
    data = encode_manifest(manifest)
    assert decode_manifest(data, "cheese") == manifest
    assert encode_manifest(decode_manifest(data, "cheese")) == data


@given(manifests())
def test_the_marker_is_one_word_of_the_id(manifest: Manifest) -> None:
    """It is looked for as a word in Label Studio's project descriptions."""
    assert manifest.marker == f"ops:round/{manifest.id}"
    assert manifest.marker.split() == [manifest.marker]


@given(task_lists)
def test_a_task_list_round_trips_in_key_order(entries: list[RoundTask]) -> None:
    """Whatever order it was given in, its bytes are the same."""
    data = encode_tasks(entries)
    found = list(decode_tasks(data, "cheese"))
    assert found == sorted(entries, key=lambda entry: entry.task.key)
    assert encode_tasks(reversed(found)) == data
    assert data.count(b"\n") == len(entries)


@given(task_lists, round_tasks())
def test_the_digest_tells_task_lists_apart(entries: list[RoundTask], more: RoundTask) -> None:
    """A task more, or one that has a record by now, is another list."""
    digest = tasks_digest(encode_tasks(entries))
    assert digest == tasks_digest(encode_tasks(entries[::-1]))
    assert digest != tasks_digest(encode_tasks([*entries, more]))
    changed = replace(more, has_record=not more.has_record)
    assert tasks_digest(encode_tasks([more])) != tasks_digest(encode_tasks([changed]))


MANIFEST = Manifest(
    id="0" * 32,
    name="cheese",
    base=CommitId("c" * 64),
    actor="ann",
    created_at="2026-11-21T14:02:00.000000Z",
    selection=Selection(sample=3, seed=7),
    task_count=3,
    tasks_digest="sha256:00",
    ontology_digest="11",
    state=RoundState.FINISHED,
    project=31,
    ended_at="2026-11-22T14:02:00.000000Z",
    ended_by="ben",
    version=4,
    counts=Counts(labeled=1, empty=1, skipped=1),
    annotators=("ann@example.com",),
)

Document = dict[str, Any]


def _set(name: str, value: object) -> Callable[[Document], None]:
    """Set a field, `selection.seed` being the seed of the selection."""

    def change(document: Document) -> None:
        *path, last = name.split(".")
        for step in path:
            document = document[step]
        document[last] = value

    return change


def _drop(name: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        *path, last = name.split(".")
        for step in path:
            document = document[step]
        del document[last]

    return change


MALFORMED_MANIFESTS: Mapping[str, tuple[Callable[[Document], None], str]] = {
    "another schema": (_set("schema", "ops.round/2"), "schema"),
    "no schema": (_drop("schema"), "schema"),
    "another round's": (_set("name", "wine"), "name"),
    "unknown field": (_set("colour", "red"), "colour"),
    "no id": (_drop("id"), "id"),
    "id is a number": (_set("id", 7), "id"),
    "id is empty": (_set("id", ""), "id"),
    "no base": (_drop("base"), "base"),
    "base is null": (_set("base", None), "base"),
    "no actor": (_drop("actor"), "actor"),
    "created on a day": (_set("created_at", "2026-11-21"), "created_at"),
    "created in no zone": (_set("created_at", "2026-11-21T14:02:00.000000"), "created_at"),
    "created on a day that is none": (_set("created_at", "2026-02-30T00:00:00.000000Z"), "created"),
    "selection is a list": (_set("selection", []), "selection"),
    "selection with an unknown wish": (_set("selection.biggest", 3), "selection.biggest"),
    "edit is a text": (_set("selection.edit", "no"), "selection.edit"),
    "limit is a fraction": (_set("selection.limit", 1.5), "selection.limit"),
    "limit below zero": (_set("selection.limit", -1), "selection.limit"),
    "sample is true": (_set("selection.sample", True), "selection.sample"),
    "no seed": (_drop("selection.seed"), "selection.seed"),
    "seed is a text": (_set("selection.seed", "7"), "selection.seed"),
    "seed is true": (_set("selection.seed", True), "selection.seed"),
    "keys are a text": (_set("selection.keys", "a.png"), "selection.keys"),
    "a key is a number": (_set("selection.keys", [1]), "selection.keys"),
    "a key is empty": (_set("selection.keys", [""]), "selection.keys"),
    "tasks are a number": (_set("tasks", 3), "tasks"),
    "no task count": (_drop("tasks.count"), "tasks.count"),
    "task count below zero": (_set("tasks.count", -3), "tasks.count"),
    "an unknown fact of the tasks": (_set("tasks.colour", 1), "tasks.colour"),
    "no digest": (_drop("tasks.digest"), "tasks.digest"),
    "no state": (_drop("state"), "state"),
    "an unknown state": (_set("state", "paused"), "state"),
    "project is a text": (_set("project", "31"), "project"),
    "version below zero": (_set("version", -1), "version"),
    "ended by nobody": (_set("ended_by", ""), "ended_by"),
    "ended sometime": (_set("ended_at", "later"), "ended_at"),
    "counts are a list": (_set("counts", [1, 1, 1]), "counts"),
    "a state is not counted": (_drop("counts.skipped"), "counts.skipped"),
    "an unknown state is counted": (_set("counts.lost", 1), "counts.lost"),
    "counts that do not add up": (_set("counts.labeled", 2), "counts.states"),
    "a total that does not add up": (_set("counts.tasks", 4), "counts.tasks"),
    "fewer counted than there are": (_set("tasks.count", 4), "counts.tasks"),
    "a state too few": (_set("counts.labeled", 0), "counts.states"),
    "more counted than there are": (_set("tasks.count", 2), "counts.tasks"),
    "annotators are a text": (_set("annotators", "ann"), "annotators"),
    "an annotator is null": (_set("annotators", [None]), "annotators"),
}


@pytest.mark.parametrize("case", MALFORMED_MANIFESTS)
def test_a_malformed_manifest_is_refused(case: str) -> None:
    """With its code, its path, and the field that is wrong."""
    change, place = MALFORMED_MANIFESTS[case]
    document: Document = json.loads(encode_manifest(MANIFEST))
    change(document)
    with pytest.raises(InvalidDataError) as caught:
        decode_manifest(json.dumps(document).encode(), "cheese")
    assert (caught.value.code, caught.value.subject) == ("manifest-invalid", "rounds/cheese.json")
    assert dict(caught.value.where)["field"].startswith(place)


NO_DOCUMENTS = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a text": b'"manifest"',
    "NaN": b'{"schema": NaN}',
    "not UTF-8": b'{"schema": "\xff"}',
    "a field twice": b'{"schema": "ops.round/1", "schema": "ops.round/1"}',
    "two documents": b"{}{}",
    "too deep": b"[" * 100_000,
    "too many digits": b'{"schema": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("case", NO_DOCUMENTS)
def test_what_is_no_json_object_is_no_manifest(case: str) -> None:
    """The object in lakeFS is named."""
    with pytest.raises(InvalidDataError) as caught:
        decode_manifest(NO_DOCUMENTS[case], "cheese")
    assert (caught.value.code, caught.value.subject) == ("manifest-invalid", "rounds/cheese.json")


def test_counts_may_be_missing_until_the_round_ends() -> None:
    """An open round has none."""
    open_ = replace(MANIFEST, state=RoundState.OPEN, counts=None, version=None)
    assert decode_manifest(encode_manifest(open_), "cheese") == open_


ENTRY: Document = {
    "checksum": "c" * 32,
    "data": {},
    "carried": False,
    "has_record": False,
    "key": "a.png",
    "path": "images/a.png",
    "size_bytes": 3,
}
MALFORMED_TASK_LINES: Mapping[str, tuple[Callable[[Document], None], str]] = {
    "unknown field": (_set("colour", "red"), "line 2.colour"),
    "no key": (_drop("key"), "line 2.key"),
    "key is empty": (_set("key", ""), "line 2.key"),
    "key is a number": (_set("key", 7), "line 2.key"),
    "another picture's path": (_set("path", "images/b.png"), "line 2.path"),
    "a path outside": (_set("path", "../a.png"), "line 2.path"),
    "no path": (_drop("path"), "line 2.path"),
    "no checksum": (_drop("checksum"), "line 2.checksum"),
    "size is a text": (_set("size_bytes", "3"), "line 2.size_bytes"),
    "size below zero": (_set("size_bytes", -3), "line 2.size_bytes"),
    "width is a fraction": (_set("width", 1.5), "line 2.width"),
    "height is true": (_set("height", True), "line 2.height"),
    "sha256 is a number": (_set("sha256", 256), "line 2.sha256"),
    "data are a list": (_set("data", []), "line 2.data"),
    "no data": (_drop("data"), "line 2.data"),
    "has_record is a number": (_set("has_record", 0), "line 2.has_record"),
}


def _task_list(*entries: Document) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


@pytest.mark.parametrize("case", MALFORMED_TASK_LINES)
def test_a_malformed_line_of_a_task_list_is_refused(case: str) -> None:
    """With its code, its path, and the line and field that are wrong; the lines before it read."""
    change, place = MALFORMED_TASK_LINES[case]
    first = {**ENTRY, "key": "0.png", "path": "images/0.png"}
    second = {**ENTRY}
    change(second)
    lines = decode_tasks(_task_list(first, second), "cheese")
    assert next(lines).task.key == "0.png"
    with pytest.raises(InvalidDataError) as caught:
        next(lines)
    assert caught.value.code == "task-list-invalid"
    assert caught.value.subject == "rounds/cheese.tasks.jsonl"
    assert dict(caught.value.where)["field"] == place


@pytest.mark.parametrize("keys", [("a.png", "a.png"), ("b.png", "a.png")])
def test_a_task_twice_or_out_of_order_is_refused(keys: tuple[str, str]) -> None:
    """A task that was there twice would be counted once."""
    entries = [{**ENTRY, "key": key, "path": f"images/{key}"} for key in keys]
    with pytest.raises(InvalidDataError, match="and once"):
        list(decode_tasks(_task_list(*entries), "cheese"))


@pytest.mark.parametrize("data", [b"\n", b"[]\n", b"7\n", b"{}\n", b"{\n}\n", b"\xff\n"])
def test_what_is_no_line_of_an_object_is_refused(data: bytes) -> None:
    """A line is one JSON object."""
    with pytest.raises(InvalidDataError) as caught:
        list(decode_tasks(data, "cheese"))
    assert caught.value.code == "task-list-invalid"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Selection(), "tasks nobody has labeled"),
        (Selection(labeled_too=True, limit=4), "labeled tasks too, at most 4"),
        (Selection(sample=50, seed=7), "tasks nobody has labeled, 50 by chance (seed 7)"),
        (
            Selection(labeled_too=True, edit=True),
            "labeled tasks, with their labels to be changed",
        ),
        (
            Selection(keys=(TaskKey("a"), TaskKey("b")), edit=True),
            "2 tasks named one by one, with their labels to be changed",
        ),
    ],
)
def test_a_selection_reads_well(asked: Selection, words: str) -> None:
    """In errors, and where a round is shown."""
    assert asked.in_words == words


@given(selections, selections)
def test_selections_of_other_wishes_read_differently(one: Selection, two: Selection) -> None:
    """But for the names of tasks and the seed of no sample."""
    wishes = [(s.edit, s.limit, s.sample, s.labeled_too and not s.edit) for s in (one, two)]
    if wishes[0] != wishes[1] and one.keys is two.keys is None:
        assert one.in_words != two.in_words


# Which tasks a selection takes.

key_sets = st.lists(keys, max_size=12, unique=True)
states: Strategy[TaskState] = st.sampled_from(TaskState)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[list[TaskKey], dict[TaskKey, TaskState]]:
    """Images, and the states of some of them."""
    found = draw(key_sets)
    return found, {key: draw(states) for key in found if draw(st.booleans())}


@given(candidates(), selections)
def test_a_selection_is_the_same_on_any_machine(
    given_: tuple[list[TaskKey], dict[TaskKey, TaskState]], asked: Selection
) -> None:
    """The order of the listing plays no part; the result is sorted, unique and within bounds."""
    found, stated = given_
    taken = select(found, stated, asked)
    assert list(select(found[::-1], stated, asked)) == list(taken)
    assert list(select(sorted(found), stated, asked)) == list(taken)
    assert list(taken) == sorted(set(taken))
    assert set(taken) <= set(found)
    assert len(taken) <= min(asked.limit or len(found), asked.sample or len(found))


def _oracle(
    found: list[TaskKey], stated: Mapping[TaskKey, TaskState], asked: Selection
) -> set[TaskKey]:
    """What may be taken, by the words of the documentation alone."""
    if asked.keys is not None:
        return set(found) & set(asked.keys)
    done = {TaskState.LABELED, TaskState.EMPTY, TaskState.SKIPPED}
    fitting: set[TaskKey] = set()
    for key in found:
        state = stated.get(key, TaskState.UNFINISHED)
        if asked.edit and state not in {TaskState.LABELED, TaskState.EMPTY}:
            continue
        if asked.labeled_too or state not in done:
            fitting.add(key)
    return fitting


@given(candidates(), selections)
def test_without_bounds_exactly_the_fitting_tasks_are_taken(
    given_: tuple[list[TaskKey], dict[TaskKey, TaskState]], asked: Selection
) -> None:
    """None is left out and none is added."""
    found, stated = given_
    taken = select(found, stated, replace(asked, limit=None, sample=None))
    assert set(taken) == _oracle(found, stated, asked)


@given(candidates(), selections, keys)
def test_growing_data_change_a_sample_only_by_the_new(
    given_: tuple[list[TaskKey], dict[TaskKey, TaskState]], asked: Selection, new: TaskKey
) -> None:
    """An image more takes at most one place, and only for itself."""
    found, stated = given_
    asked = replace(asked, limit=None)
    before = set(select(found, stated, asked))
    after = set(select([*found, new] if new not in found else found, stated, asked))
    assert after - before <= {new}
    assert len(before - after) <= len(after - before)


def test_a_sample_is_pinned() -> None:
    """The same on any machine and in any version: these names were drawn once and for all."""
    found = [TaskKey(f"{number:03}.png") for number in range(100)]
    drawn = ["030.png", "046.png", "055.png", "085.png"]
    assert select(found, {}, Selection(sample=4, seed=7)) == drawn
    assert select(found, {}, Selection(sample=4, seed=8)) != drawn


def test_samples_of_different_seeds_are_fair() -> None:
    """Each of 50 tasks is drawn about as often as the others in 400 samples of 10."""
    found = [TaskKey(f"{number}.png") for number in range(50)]
    drawn = [
        key for seed in range(400) for key in select(found, {}, Selection(sample=10, seed=seed))
    ]
    for key in found:
        assert 45 <= drawn.count(key) <= 115  # 80 expected, standard deviation 8
