"""Undoing a round, a person's work and a class, against an oracle and by example."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.canonical import encode_record
from ops.core.conflicts import AnnotationConflict, Merged
from ops.core.merge import merge_records
from ops.core.records import Annotation, Json, Record, TaskState
from ops.core.settle import Policy, settle
from ops.core.steps import State, doubtful_annotations
from ops.core.undo import Target, undo_merge, undo_work
from tests.core.merge_edits import annotation, box, question, record, relation
from tests.core.undo_world import (
    CLASH,
    EVE,
    FAY,
    LABELS,
    Said,
    Story,
    is_plain,
    tell,
    to_annotation,
    to_record,
    without_class,
    without_person,
    words_of,
)
from tests.laws import note

_HISTORIES = 500
stories = st.integers(0, 2**32).map(lambda seed: tell(Random(seed)))  # noqa: S311 - no secret


def states_of(story: Story) -> list[State]:
    return [
        State(record=to_record(commit), is_by_ops=by_ops)
        for commit, by_ops in zip(story.commits, story.by_ops, strict=True)
    ]


def check(story: Story, merged: Merged, expected: dict[str, Said | str | None]) -> None:
    """Hold what ops makes of a story against the oracle, annotation by annotation."""
    clashing = {one for one, said in expected.items() if said == CLASH}
    assert {one.unique_id for one in merged.conflicts if isinstance(one, AnnotationConflict)} == (
        clashing
    )
    assert merged.record
    found = {one.unique_id: one for one in merged.record.annotations}
    for unique_id, said in expected.items():
        if isinstance(said, Said):
            assert words_of(found[unique_id]) == said.words
            if is_plain(story, unique_id, EVE):
                # Nobody's words are touched, not even who and when.
                assert found[unique_id] == to_annotation(unique_id, said)
    assert found.keys() - clashing == {one for one, said in expected.items() if said} - clashing


def test_without_a_person_as_the_oracle_says() -> None:
    """Whatever was done to the task, by whom, and in which order."""
    hold_without_a_person()
    note("undoing", f"{_HISTORIES} histories without one person are as the oracle says")


@settings(max_examples=_HISTORIES)
@given(stories)
def hold_without_a_person(story: Story) -> None:
    merged = undo_work(states_of(story), Target(annotator=EVE))
    check(
        story,
        merged,
        {one: without_person(story, one, EVE) for one in story.commits[-1]},
    )


def test_without_a_class_as_the_oracle_says() -> None:
    """Of everybody, and of one person."""
    hold_without_a_class()
    note("undoing", f"{_HISTORIES} histories without one class are as the oracle says")


@settings(max_examples=_HISTORIES)
@given(stories, st.sampled_from([None, EVE]), st.sampled_from(LABELS))
def hold_without_a_class(story: Story, who: str | None, label: str) -> None:
    merged = undo_work(states_of(story), Target(annotator=who, label=label))
    check(
        story,
        merged,
        {one: without_class(story, one, who, label) for one in story.commits[-1]},
    )


@settings(max_examples=300)
@given(stories, st.sampled_from([None, *LABELS]), st.sampled_from([*Policy][1:]))
def test_undone_again_nothing_changes(story: Story, label: str | None, policy: Policy) -> None:
    """The undone state on main is by ops; whatever the policy, there is nothing left to do."""
    states, target = states_of(story), Target(annotator=EVE, label=label)
    undone = settle(undo_work(states, target), policy)
    again = undo_work([*states, State(record=undone, is_by_ops=True)], target)
    assert settle(again, policy) == undone


@settings(max_examples=300)
@given(stories, st.sampled_from([*Policy][1:]))
def test_no_word_is_invented(story: Story, policy: Policy) -> None:
    """Every region left was said in some state; everybody untouched by her is left to the byte."""
    states = states_of(story)
    undone = settle(undo_work(states, Target(annotator=EVE)), policy)
    assert undone
    said = {
        (name, region)
        for commit in story.commits
        for one in commit.values()
        for name, region in one.regions.items()
    }
    assert all(region in said for one in undone.annotations for region in words_of(one)[0].items())
    found = {one.unique_id: one for one in undone.annotations}
    for unique_id, one in story.commits[-1].items():
        people = {
            person
            for state in story.chain(unique_id)
            if state
            for person in (state.made_by, state.saved_by)
        }
        if EVE not in people and without_person(story, unique_id, EVE) == one:
            assert found[unique_id] == to_annotation(unique_id, one)


def work(*records: Record | None, by: str | None = EVE, label: str | None = None) -> Merged:
    return undo_work([State(record=one) for one in records], Target(annotator=by, label=label))


def saved(known: Annotation, by: str, second: int, *result: Mapping[str, Json]) -> Annotation:
    """The annotation as somebody saved it later."""
    return replace(
        known,
        result=result,
        updated_by=by if by != known.annotator else None,
        updated_at=f"2026-11-22T14:02:{second:02}.000000Z",
    )


ADA = "ada@example.com"
FIRST = annotation("u", box("a"))


def test_what_she_changed_goes_back_with_who_said_it() -> None:
    """To the byte; the annotation beside it, too."""
    beside = annotation("v", box("b"))
    base = record(FIRST, beside)
    merged = work(base, record(saved(FIRST, EVE, 1, box("a", "gouda")), beside))
    assert merged.record
    assert encode_record(merged.record) == encode_record(base)


def test_what_she_added_goes_away_and_the_task_is_open_again() -> None:
    """Unfinished, not empty; nothing is left to hold back."""
    hers = replace(record(replace(FIRST, annotator=EVE)), quarantined=True)
    merged = work(record(), hers)
    assert merged.record == record()
    assert merged.record is not None
    assert merged.record.state is TaskState.UNFINISHED
    assert work(None, hers).record == record()


def test_others_who_came_after_her_keep_their_words() -> None:
    """Another region beside hers: hers goes, theirs stays."""
    hers = saved(FIRST, EVE, 1, box("a"), box("b"))
    later = saved(hers, FAY, 2, box("a"), box("b"), box("c"))
    merged = work(record(FIRST), record(hers), record(later))
    assert merged.conflicts == ()
    assert merged.record
    [left] = merged.record.annotations
    assert left.result == record(saved(FIRST, FAY, 2, box("a"), box("c"))).annotations[0].result
    assert left.updated_by == FAY


def test_others_who_changed_her_words_are_asked() -> None:
    """Main's answer and the undone one; each policy does what it says."""
    hers = saved(FIRST, EVE, 1, box("a", x=10))
    later = saved(hers, FAY, 2, box("a", x=20))
    merged = work(record(FIRST), record(hers), record(later))
    [conflict] = merged.conflicts
    assert isinstance(conflict, AnnotationConflict)
    assert (conflict.ours, conflict.theirs) == (
        record(later).annotations[0],
        record(FIRST).annotations[0],
    )
    assert settle(merged, Policy.OURS) == record(later)
    undone = settle(merged, Policy.THEIRS)
    assert undone
    assert undone.annotations[0].result == record(FIRST).annotations[0].result
    both = settle(merged, Policy.BOTH)
    assert both
    assert len(both.annotations) == 2


def test_a_correction_of_her_new_annotation_is_asked() -> None:
    """Whether made in the same round or later: to take hers away takes theirs, too."""
    hers = replace(FIRST, annotator=EVE)
    in_one = saved(hers, FAY, 1, box("a"))
    later = saved(hers, FAY, 2, box("a"), box("b"))
    for states in ((None, record(in_one)), (None, record(hers), record(later))):
        merged = work(*states)
        assert len(merged.conflicts) == 1
        assert settle(merged, Policy.OURS) == states[-1]
        assert settle(merged, Policy.THEIRS) == record()


def test_words_nobody_saved_are_asked() -> None:
    """A merge of two sides keeps one side's saving."""
    hers = saved(FIRST, EVE, 1, box("a", x=10))
    mixed = replace(hers, result=(box("a", x=10), box("b")))
    assert len(work(record(FIRST), record(hers), record(mixed)).conflicts) == 1
    assert doubtful_annotations(record(hers), record(mixed)) == {"u"}
    assert doubtful_annotations(record(FIRST), record(hers)) == frozenset()


@pytest.mark.parametrize(("saver", "left"), [(EVE, [box("a")]), (FAY, [box("a"), box("b")])])
def test_whose_words_came_in_may_be_known(saver: str, left: list[dict[str, Json]]) -> None:
    """From the round's branch: then there is nothing to ask."""
    hers = saved(FIRST, EVE, 1, box("a", x=10))
    mixed = replace(hers, result=(box("a", x=10), box("b")))
    states = [State(record=record(FIRST)), State(record=record(hers))]
    states.append(State(record=record(mixed), savers={"u": saver}))
    merged = undo_work(states, Target(annotator=EVE))
    assert merged.conflicts == ()
    assert merged.record
    assert (
        merged.record.annotations[0].result
        == record(saved(FIRST, EVE, 1, *left)).annotations[0].result
    )


def test_what_ops_did_is_nobodys() -> None:
    """A label renamed after she added a region: hers goes all the same, the rest stays renamed."""
    hers = replace(annotation("v", box("b")), annotator=EVE)
    renamed = [
        replace(one, result=tuple(box(name, "bree") for name in names))
        for one, names in ((FIRST, "a"), (hers, "b"))
    ]
    states = [
        State(record=record(FIRST)),
        State(record=record(FIRST, hers)),
        State(record=record(*renamed), is_by_ops=True),
    ]
    assert undo_work(states, Target(annotator=EVE)).record == record(renamed[0])


def test_a_region_goes_with_its_answers_and_relations() -> None:
    """All entries of the region, and what led to it; the others stay."""
    asked = [box("a"), box("b", "gouda"), question(box("b", "gouda"), "hard"), relation("a", "b")]
    merged = work(record(FIRST), record(saved(FIRST, FAY, 1, *asked)), by=None, label="gouda")
    assert merged.record == record(FIRST)


def test_an_annotation_that_loses_its_last_region_is_gone() -> None:
    """Nobody said that the picture is empty; one that was empty is again."""
    made = record(annotation("u", box("b", "gouda")))
    assert work(record(), made, by=None, label="gouda").record == record()
    empty = annotation("u")
    drawn = record(saved(empty, FAY, 1, box("b", "gouda")))
    merged = work(record(empty), drawn, by=None, label="gouda")
    assert merged.record == record(empty)
    assert merged.record
    assert merged.record.state is TaskState.EMPTY


def test_a_disputed_region_is_decided_and_the_others_are_not_asked() -> None:
    """Hers of that class go; where somebody changed hers, main's or none."""
    hers = saved(FIRST, EVE, 1, box("a"), box("b", "gouda"), box("c", "gouda"))
    later = saved(hers, FAY, 2, box("a"), box("b", "gouda"), box("c", "gouda", 20))
    merged = work(record(FIRST), record(hers), record(later), label="gouda")
    [conflict] = merged.conflicts
    assert isinstance(conflict, AnnotationConflict)
    assert [one.region for one in conflict.regions] == ["c"]
    for policy, left in ((Policy.OURS, [box("a"), box("c", "gouda", 20)]), (Policy.THEIRS, None)):
        settled = settle(merged, policy)
        expected = saved(FIRST, FAY, 2, *left) if left else FIRST
        assert settled == record(expected)


@pytest.mark.parametrize("later", [None, annotation("v", box("b"))])
def test_a_round_that_made_the_record(later: Annotation | None) -> None:
    """The record goes with it, unless somebody else said something of the task since."""
    made = record(FIRST)
    now = record(FIRST, later) if later else made
    merged = undo_merge(made, now, None)
    assert merged.conflicts == ()
    assert merged.record == (record(later) if later else None)
    assert undo_merge(made, merged.record, None).record == merged.record


def test_a_round_that_changed_the_record() -> None:
    """What came later about something else stays; what touched the same is asked."""
    made = record(saved(FIRST, ADA, 1, box("a", "gouda")))
    beside = record(saved(FIRST, ADA, 2, box("a", "gouda"), box("b")))
    merged = undo_merge(made, beside, record(FIRST))
    assert merged.record
    assert merged.record.annotations[0].result == (
        record(saved(FIRST, ADA, 2, box("a"), box("b"))).annotations[0].result
    )
    touched = record(saved(FIRST, ADA, 2, box("a", "gouda", 10)))
    assert len(undo_merge(made, touched, record(FIRST)).conflicts) == 1
    assert undo_merge(made, made, record(FIRST)) == merge_records(made, made, record(FIRST))
    assert undo_merge(None, None, made).record == made


def test_a_round_undone_leaves_nothing_empty_that_nobody_left_empty() -> None:
    """It drew b, somebody then removed a: without b nothing would be left."""
    made = record(saved(FIRST, ADA, 1, box("a"), box("b")))
    now = record(saved(FIRST, ADA, 2, box("b")))
    merged = undo_merge(made, now, record(FIRST))
    assert len(merged.conflicts) == 1
    assert settle(merged, Policy.OURS) == now
    assert settle(merged, Policy.THEIRS) == record(FIRST)
    assert undo_merge(made, record(FIRST), record(FIRST)).conflicts == ()


@settings(max_examples=400)
@given(stories, st.sampled_from([*Policy][1:]), st.booleans())
def test_a_merge_undone_again_changes_nothing(
    story: Story, policy: Policy, made_the_record: bool
) -> None:
    """Whatever came later, and whatever decided; what nobody touched since is as before."""
    before, made, *later = [to_record(commit) for commit in story.commits]
    known = None if made_the_record else before
    now = later[-1] if later else made
    undone = settle(undo_merge(made, now, known), policy)
    assert settle(undo_merge(made, undone, known), policy) == undone
    assert undo_merge(made, made, known).record == known
