"""The rules for annotations and their regions one by one, as examples made by hand."""

from dataclasses import replace
from typing import cast

import pytest

from ops.core.canonical import content, encode_record
from ops.core.conflicts import (
    AnnotationConflict,
    ConflictKind,
    Merged,
    RegionConflict,
)
from ops.core.merge import merge_records
from ops.core.records import Annotation, Json, Origin
from tests.controls import CASES, Case
from tests.core.merge_edits import (
    NOISE,
    Region,
    annotation,
    box,
    question,
    record,
    relation,
    scene,
)


def _merge(base: list[Region], ours: list[Region], theirs: list[Region]) -> Merged:
    """The merge of one annotation, given as results."""
    return merge_records(*(record(annotation("u", *one)) for one in (base, ours, theirs)))


def _result(merged: Merged) -> list[Region]:
    assert merged.conflicts == ()
    assert merged.record
    (one,) = merged.record.annotations
    return [dict(entry) for entry in one.result]


def _conflict(merged: Merged) -> AnnotationConflict:
    (conflict,) = merged.conflicts
    assert isinstance(conflict, AnnotationConflict)
    return conflict


def _region(merged: Merged) -> RegionConflict:
    (conflict,) = _conflict(merged).regions
    return conflict


def test_additions_on_both_sides_are_both_kept() -> None:
    """Two people labeled a task in two rounds: two annotations."""
    merged = merge_records(None, record(annotation("u", box("a"))), record(annotation("v")))
    assert merged.record == record(annotation("u", box("a")), annotation("v"))
    assert merged.conflicts == ()


def test_regions_drawn_on_both_sides_are_both_kept() -> None:
    """Also in one annotation."""
    merged = _merge([box("a")], [box("a"), box("b")], [box("a"), box("c")])
    assert _result(merged) == [box("a"), box("b"), box("c")]


def test_edits_of_different_regions_go_together() -> None:
    """One side moves a box and removes another, the other side relabels a third."""
    merged = _merge(
        [box("a"), box("b"), box("c")],
        [box("a", x=10), box("c")],
        [box("a"), box("b"), box("c", "gouda")],
    )
    assert _result(merged) == [box("a", x=10), box("c", "gouda")]


def test_a_region_edited_differently_is_a_conflict_of_this_region_alone() -> None:
    """Both answers are in it, and what the sides agree on beside it."""
    merged = _merge(
        [box("a"), box("b")], [box("a", x=10), box("b")], [box("a", x=20), box("b", "gouda")]
    )
    assert _region(merged) == RegionConflict(
        kind=ConflictKind.EDIT_EDIT,
        region="a",
        base=(box("a"),),
        ours=(box("a", x=10),),
        theirs=(box("a", x=20),),
    )
    conflict = _conflict(merged)
    assert conflict.kind is ConflictKind.EDIT_EDIT
    assert conflict.agreed
    assert conflict.agreed.result == (box("b", "gouda"),)
    assert merged.record == record(annotation("u", box("a"), box("b")))


def test_a_region_edited_and_removed_is_a_conflict() -> None:
    """The edit is not dropped, the removal not undone."""
    conflict = _region(_merge([box("a")], [box("a", x=10)], []))
    assert (conflict.kind, conflict.theirs) == (ConflictKind.EDIT_DELETE, ())


def test_a_region_both_removed_is_gone() -> None:
    """No conflict."""
    assert _result(_merge([box("a"), box("b")], [box("b")], [box("b")])) == [box("b")]


def test_an_annotation_removed_and_left_alone_is_gone() -> None:
    """Deleting is an edit like any other; saving without a change is none."""
    before = record(annotation("u", box("a")), annotation("v"))
    saved = record(
        replace(annotation("u", {**box("a"), "origin": "manual"}), updated_at=_LATER),
        annotation("v"),
    )
    merged = merge_records(before, record(annotation("v")), saved)
    assert merged == Merged(record=record(annotation("v")))


def test_an_annotation_removed_and_edited_is_a_conflict() -> None:
    """It holds the edit, and the record has the annotation as it was."""
    before, after = annotation("u", box("a")), annotation("u", box("a", x=10))
    merged = merge_records(record(before), record(after), record())
    assert _conflict(merged) == AnnotationConflict(
        unique_id="u", kind=ConflictKind.EDIT_DELETE, base=before, ours=after, theirs=None
    )
    assert merged.record == record(before)


def test_one_identity_added_differently_is_a_conflict_as_a_whole() -> None:
    """Without a base nobody knows which regions were removed: they are not thrown together."""
    merged = merge_records(
        None, record(annotation("u", box("a"))), record(annotation("u", box("b")))
    )
    assert _conflict(merged).kind is ConflictKind.ADD_ADD
    assert merged.record == record()


def test_one_identity_added_alike_is_one_annotation() -> None:
    """Both sides took it over from the same place."""
    side = record(annotation("u", box("a")))
    assert merge_records(None, side, side) == Merged(record=side)


_LATER = "2026-11-22T14:02:00.000000Z"
_LATEST = "2026-11-23T14:02:00.000000Z"


@pytest.mark.parametrize("name", ["skipped", "ground_truth"])
def test_who_skips_or_marks_speaks_of_the_regions_as_they_were(name: str) -> None:
    """A skip would take a label the other side has just drawn; a mark would vouch for it unseen."""
    before = annotation("u", box("a"))
    spoken = replace(before, skipped=name == "skipped", ground_truth=name == "ground_truth")
    alone = merge_records(record(before), record(spoken), record(before))
    assert alone == Merged(record=record(spoken))
    drawn = annotation("u", box("a"), box("b"))
    conflict = _conflict(merge_records(record(before), record(spoken), record(drawn)))
    assert (conflict.kind, conflict.regions) == (ConflictKind.VERDICT, ())


def test_a_relation_to_a_removed_region_is_a_conflict_of_both() -> None:
    """Neither the relation nor the removal is dropped, and nothing leads nowhere."""
    both = [box("a"), box("b")]
    conflict = _conflict(_merge(both, [*both, relation("a", "b")], [box("a")]))
    assert [(one.region, one.kind) for one in conflict.regions] == [
        ("b", ConflictKind.RELATION),
        ("a → b", ConflictKind.RELATION),
    ]
    assert [(one.ours, one.theirs) for one in conflict.regions] == [
        ((box("b"),), ()),
        ((relation("a", "b"),), ()),
    ]


def test_a_relation_goes_with_its_region() -> None:
    """As the editor removes them."""
    both = [box("a"), box("b"), relation("a", "b")]
    merged = _merge(both, [box("a")], [*both, box("c")])
    assert _result(merged) == [box("a"), box("c")]


def test_a_relation_is_known_by_its_ends() -> None:
    """It has no id: another label is an edit, the other direction another relation."""
    both = [box("a"), box("b"), relation("a", "b", "on")]
    under = [*both[:2], relation("a", "b", "under")]
    merged = _merge(both, under, [*both, relation("b", "a")])
    assert _result(merged) == [*under, relation("b", "a")]
    assert _region(_merge(both, under, both[:2])).kind is ConflictKind.EDIT_DELETE


def test_an_answer_about_the_whole_task_is_known_by_its_question() -> None:
    """Each editor gives it another id: the same answer counts once, two answers are a conflict."""
    merged = _merge([], [scene("brie", "p")], [scene("brie", "q")])
    assert len(_result(merged)) == 1
    conflict = _region(_merge([], [scene("brie", "p")], [scene("gouda", "q")]))
    assert (conflict.region, conflict.kind) == ("scene", ConflictKind.ADD_ADD)
    assert _result(_merge([scene("brie", "p")], [scene("gouda", "q")], [scene("brie", "p")])) == [
        scene("gouda", "q")
    ]


def test_answers_about_a_region_go_together_by_question() -> None:
    """Two questions about one box, answered on either side."""
    note: Region = {**question(box("a"), "brie"), "from_name": "second"}
    merged = _merge([box("a")], [box("a"), question(box("a"), "gouda")], [box("a"), note])
    assert _result(merged) == [question(box("a"), "gouda"), box("a"), note]


def test_a_box_is_not_moved_away_from_its_answers() -> None:
    """Each entry of a region repeats where it is: it cannot be in two places."""
    merged = _merge([box("a")], [box("a", x=10)], [box("a"), question(box("a"), "gouda")])
    assert _region(merged).kind is ConflictKind.EDIT_EDIT


def test_copies_the_editor_makes_are_no_edit() -> None:
    """A save on one side, a move on the other; the copied answer does not outlive the answer."""
    asked = [box("a"), question(box("a"), "brie")]
    value = cast("Region", box("a")["value"])
    saved: Region = {**box("a"), "origin": "manual", "value": {**value, "choices": ["brie"]}}
    moved = [box("a", x=10), question(box("a", x=10), "brie")]
    assert _result(_merge(asked, moved, [saved, asked[1]])) == [moved[1], moved[0]]
    answered = [box("a"), question(box("a"), "gouda")]
    relabelled: list[Region] = [
        {**saved, "value": {**value, "choices": ["brie"], "rectanglelabels": ["gouda"]}}
    ]
    merged = _merge(asked, answered, [*relabelled, asked[1]])
    assert _result(merged) == [answered[1], box("a", "gouda")]


def test_what_only_looks_like_a_copy_is_not_lost_as_one() -> None:
    """A program wrote one side's answer into the box of the other: that is no copy to leave out."""
    asked = [box("a"), question(box("a"), "brie")]
    value = cast("Region", box("a", "gouda")["value"])
    written: Region = {**box("a", "gouda"), "value": {**value, "choices": ["gouda"]}}
    merged = _merge(asked, [box("a"), question(box("a"), "gouda")], [written, asked[1]])
    assert _region(merged).kind is ConflictKind.EDIT_EDIT


def test_several_answers_to_one_question_are_told_apart_by_id() -> None:
    """Swapped, they say something else."""
    before = record(annotation("u", scene("brie", "p"), scene("gouda", "q")))
    swapped = record(annotation("u", scene("gouda", "p"), scene("brie", "q")))
    assert _conflict(merge_records(before, swapped, record())).kind is ConflictKind.EDIT_DELETE


def test_float_noise_is_no_edit() -> None:
    """Beside a removal as beside an edit; further than the tolerance it is one."""
    assert _result(_merge([box("a"), box("b")], [box("b")], [box("a", x=NOISE), box("b")])) == [
        box("b")
    ]
    assert _result(_merge([box("a")], [box("a", x=NOISE)], [box("a", x=10)])) == [box("a", x=10)]
    both = _merge([box("a")], [box("a", x=10)], [box("a", x=10 + NOISE)])
    assert _result(both) == [box("a", x=10 + NOISE)]
    assert _region(_merge([box("a")], [], [box("a", x=2e-6)])).kind is ConflictKind.EDIT_DELETE


def test_the_tolerance_is_the_callers() -> None:
    """In percent of the image; zero tells every digit."""
    before, after = record(annotation("u", box("a"))), record(annotation("u", box("a", x=0.5)))
    assert merge_records(before, after, record(), tolerance_percent=0.5).conflicts == ()
    assert merge_records(before, after, record(), tolerance_percent=0.4).conflicts
    shaken = record(annotation("u", box("a", x=NOISE)))
    assert merge_records(before, shaken, record(), tolerance_percent=0).conflicts


def test_numbers_that_are_no_percents_are_compared_as_they_are() -> None:
    """An integer may be larger than any float."""
    merged = _merge([box("a", x=0.5)], [box("a", x=10**400)], [])
    assert _region(merged).kind is ConflictKind.EDIT_DELETE


def test_only_geometry_has_a_tolerance() -> None:
    """A rating, a moment of a sound or a number somebody typed is what it is."""

    def stated(number: float) -> list[Region]:
        return [{**scene(""), "type": "number", "value": {"number": number}}]

    merged = _merge(stated(1e-7), stated(2e-7), [])
    assert _region(merged).kind is ConflictKind.EDIT_DELETE
    assert _region(_merge(stated(1), [{**stated(1)[0], "value": {"number": True}}], []))


def test_what_is_said_of_who_said_it_goes_with_the_words() -> None:
    """Round, times, lead time and ontology digest are of the side that changed what is said."""
    before = annotation("u", box("a"))
    edited = replace(
        annotation("u", box("a", x=10)),
        round="cheese-2",
        updated_at=_LATER,
        updated_by="bob@example.com",
        lead_time_s=2.5,
        ontology_digest="1" * 64,
    )
    saved = replace(before, round="cheese-3", updated_at=_LATEST, lead_time_s=9)
    assert merge_records(record(before), record(edited), record(saved)).record == record(edited)
    assert merge_records(record(before), record(before), record(saved)).record == record(saved)


def test_of_two_that_changed_what_is_said_the_later_is_named() -> None:
    """With all that goes with it."""
    ours = replace(annotation("u", box("a", x=10), box("b")), updated_at=_LATER, round="cheese-2")
    theirs = replace(annotation("u", box("a")), updated_at=_LATEST, round="cheese-3")
    merged = merge_records(
        record(annotation("u", box("a"), box("b"))), record(ours), record(theirs)
    )
    assert merged.record == record(replace(theirs, result=(box("a", x=10),)))


def test_annotator_birth_and_prediction_are_merged_one_by_one() -> None:
    """A corrected name is not lost beside an edit of a region."""
    before = annotation("u", box("a"))
    renamed = replace(before, annotator="bob@example.com", prediction={"model_version": "m"})
    edited = replace(annotation("u", box("a", x=10)), updated_at=_LATER)
    merged = merge_records(record(before), record(renamed), record(edited))
    assert merged.record == record(
        replace(edited, annotator="bob@example.com", prediction={"model_version": "m"})
    )
    other = replace(edited, annotator="zoë@example.org")
    merged = merge_records(record(before), record(renamed), record(other))
    assert merged.record
    assert merged.record.annotations[0].annotator == "zoë@example.org"


def test_of_two_names_given_at_one_moment_one_is_taken() -> None:
    """The same one, whichever side is ours."""
    names = ("bob@example.com", "zoë@example.org")
    ours, theirs = (record(replace(annotation("u"), annotator=name)) for name in names)
    there = merge_records(record(annotation("u")), ours, theirs)
    assert there == merge_records(record(annotation("u")), theirs, ours) == Merged(record=theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        (Origin.ACCEPTED, Origin.IMPORTED, Origin.IMPORTED),
        (Origin.IMPORTED, Origin.ACCEPTED, Origin.IMPORTED),
        (Origin.IMPORTED, Origin.CHANGED, Origin.CHANGED),
        (Origin.IMPORTED, Origin.HUMAN, Origin.HUMAN),
        (Origin.CHANGED, Origin.HUMAN, Origin.HUMAN),
    ],
)
def test_of_a_region_left_alone_the_origin_is_that_of_who_changed_it(
    ours: Origin, theirs: Origin, merged: Origin
) -> None:
    """Accepted from a prediction in base; of two that changed it, the most human."""
    base, one, two = (
        record(replace(annotation("u", box("a")), origins={"a": origin}))
        for origin in (Origin.ACCEPTED, ours, theirs)
    )
    expected = record(replace(annotation("u", box("a")), origins={"a": merged}))
    assert merge_records(base, one, two) == Merged(record=expected)


def test_an_origin_goes_with_its_region() -> None:
    """Of the side whose region it is; where both say the same, the side that changed it."""
    predicted = {"a": Origin.ACCEPTED, "b": Origin.ACCEPTED, "c": Origin.ACCEPTED}
    before = replace(annotation("u", box("a"), box("b"), box("c")), origins=predicted)
    ours = replace(
        annotation("u", box("a", x=10), box("b"), box("c")),
        origins={**predicted, "a": Origin.CHANGED, "c": Origin.CHANGED},
    )
    theirs = replace(
        annotation("u", box("a"), box("b", x=10), box("c")),
        origins={"a": Origin.IMPORTED, "b": Origin.CHANGED, "c": Origin.IMPORTED},
    )
    merged = merge_records(record(before), record(ours), record(theirs))
    assert merged.record
    assert merged.record.annotations[0].origins == {
        "a": Origin.CHANGED,
        "b": Origin.CHANGED,
        # Changed on both sides: the one a person had most to do with.
        "c": Origin.CHANGED,
    }


def test_ids_used_for_two_things_are_not_thrown_together() -> None:
    """A box drawn under the id of the other side's answer: the annotation is in conflict."""
    conflict = _conflict(_merge([], [box("p")], [scene("brie", "p")]))
    assert (conflict.kind, conflict.regions) == (ConflictKind.EDIT_EDIT, ())


def _saved(result: list[Region], noise: float) -> list[Region]:
    """The result as the editor writes it when nobody changed it, its geometry off by noise."""

    def shaken(value: Json) -> Json:
        if isinstance(value, list):
            return [shaken(one) for one in value]
        return value + noise if isinstance(value, float) else value

    return [
        {
            **entry,
            "origin": "manual",
            **(
                {
                    "value": {
                        n: shaken(one) if n in {"x", "y", "points"} else one
                        for n, one in value.items()
                    }
                }
                if isinstance(value := entry.get("value"), dict)
                else {}
            ),
        }
        for entry in result
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_control_is_merged(case: Case) -> None:
    """One side answers anew, the other saves without a change: the new answer is what is said."""
    saved = _saved(case.first, NOISE)
    merged = _merge(case.first, case.second, saved)
    assert merged.conflicts == ()
    assert merged.record
    assert content(merged.record.annotations[0]) == content(_normal(case.second))
    back = _merge(case.first, saved, case.second)
    assert encode_record(back.record or record()) == encode_record(merged.record)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_control_answered_by_two_comes_to_both_or_to_a_conflict(case: Case) -> None:
    """Of what two sides say beyond base, each entry is in the merged result or in a conflict."""
    merged = _merge([], case.first, case.second)
    assert merged.record
    disputed = [
        entry
        for conflict in merged.conflicts
        if isinstance(conflict, AnnotationConflict)
        for region in conflict.regions
        for entry in (*region.ours, *region.theirs)
    ]
    agreed = [
        entry
        for conflict in merged.conflicts
        if isinstance(conflict, AnnotationConflict) and conflict.agreed
        for entry in conflict.agreed.result
    ]
    kept = [*disputed, *agreed] if merged.conflicts else merged.record.annotations[0].result
    for entry in (*_normal(case.first).result, *_normal(case.second).result):
        assert entry in kept


def _normal(result: list[Region]) -> Annotation:
    return record(annotation("u", *result)).annotations[0]
