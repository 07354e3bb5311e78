"""Conflicts decided by a policy: what is kept, under which identity, and that nothing is lost."""

import random
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import content, encode_record, region_ids
from ops.core.conflicts import AnnotationConflict, ConflictKind, Merged, RecordConflict
from ops.core.exports import identity_number
from ops.core.merge import merge_records
from ops.core.records import Annotation, Json, Origin, Record, TaskState
from ops.core.settle import Policy, second_answer, settle
from ops.errors import ConflictError
from tests.core.merge_edits import Sides, annotation, box, record, sides
from tests.core.merge_oracle import meanings

edited = st.randoms(use_true_random=False).map(sides)
_DECIDED = [policy for policy in Policy if policy is not Policy.FAIL]
_MIRROR = {Policy.OURS: Policy.THEIRS, Policy.THEIRS: Policy.OURS}


def _bytes(given_: Record | None) -> bytes | None:
    return given_ and encode_record(given_)


def _contested(count: int = 1) -> tuple[Merged, Record, Record]:
    """A merge of annotations each of which had its first box moved to two places."""
    names = "uvw"[:count]

    def side(x: float, second: str) -> Record:
        return record(*(annotation(name, box("a", x=x), box("b", second)) for name in names))

    ours, theirs = side(10, "brie"), side(20, "gouda")
    return merge_records(side(0, "brie"), ours, theirs), ours, theirs


@pytest.mark.parametrize("policy", Policy)
def test_without_conflict_the_policy_plays_no_part(policy: Policy) -> None:
    """Nothing is to be decided."""
    merged = merge_records(record(), record(annotation("u")), record(annotation("v")))
    assert settle(merged, policy) == merged.record
    assert settle(Merged(record=None), policy) is None


def test_to_fail_names_every_conflict() -> None:
    """With what to type next."""
    merged, _, _ = _contested(2)
    with pytest.raises(ConflictError) as caught:
        settle(merged, Policy.FAIL)
    error = caught.value
    assert (error.code, error.subject, error.exit_code) == ("merge-conflict", "cheese/1.jpg", 5)
    assert error.where == (
        ("annotation", "u (edit-edit): a (edit-edit)"),
        ("annotation", "v (edit-edit): a (edit-edit)"),
    )
    assert "--on-conflict" in error.hint
    assert error.unchanged == "nothing was merged"


def _with(known: Record, *, checksum: str, data: dict[str, Json]) -> Record:
    media = replace(known.task.media, checksum=checksum)
    return replace(known, task=replace(known.task, media=media, data=data))


def test_media_and_data_are_ours_or_theirs() -> None:
    """There can be only one; what is in no conflict stays as merged."""
    ours = _with(record(annotation("u")), checksum="c1", data={"f": 1, "g": 1})
    theirs = _with(record(annotation("v")), checksum="c2", data={"f": 2})
    merged = merge_records(_with(record(), checksum="c0", data={"f": 0}), ours, theirs)
    with pytest.raises(ConflictError) as caught:
        settle(merged, Policy.FAIL)
    assert caught.value.where == (("media", "c1 · c2"), ("data", "f"))
    both = record(annotation("u"), annotation("v"))
    mine = _with(both, checksum="c1", data={"f": 1, "g": 1})
    assert settle(merged, Policy.OURS) == settle(merged, Policy.BOTH) == mine
    assert settle(merged, Policy.THEIRS) == _with(both, checksum="c2", data={"f": 2, "g": 1})
    assert settle(merged, Policy.QUARANTINE) == replace(mine, quarantined=True)


def test_a_field_removed_on_the_side_that_counts_is_gone() -> None:
    """Also where the other side changed it."""
    before = _with(record(), checksum="c0", data={"f": 0})
    ours = _with(record(), checksum="c0", data={})
    theirs = _with(record(), checksum="c0", data={"f": 1})
    merged = merge_records(before, ours, theirs)
    assert settle(merged, Policy.OURS) == ours
    assert settle(merged, Policy.THEIRS) == theirs


def test_a_side_wins_the_regions_in_dispute_and_no_others() -> None:
    """What the other side said elsewhere in the annotation is kept."""
    merged, ours, theirs = _contested()
    assert settle(merged, Policy.OURS) == record(annotation("u", box("a", x=10), box("b", "gouda")))
    assert settle(merged, Policy.THEIRS) == theirs
    assert settle(merge_records(ours, ours, theirs), Policy.OURS) == theirs


def test_who_said_it_goes_with_the_side_that_counts() -> None:
    """Round and times of the side, origins with its regions; a corrected name is kept."""
    before = annotation("u", box("a"), box("b"))
    ours = replace(
        annotation("u", box("a", x=10), box("b")), round="mine", origins={"a": Origin.CHANGED}
    )
    theirs = replace(
        annotation("u", box("a", x=20), box("b", x=20)),
        annotator="bob@example.com",
        round="other",
        updated_at="2026-11-24T14:02:00.000000Z",
        origins={"b": Origin.IMPORTED},
    )
    merged = merge_records(record(before), record(ours), record(theirs))
    settled = settle(merged, Policy.OURS)
    assert settled == record(
        replace(
            ours,
            annotator="bob@example.com",
            result=(box("a", x=10), box("b", x=20)),
            origins={"a": Origin.CHANGED, "b": Origin.IMPORTED},
        )
    )


def test_both_answers_are_two_annotations() -> None:
    """Ours keeps the identity, theirs gets one of its own; each as its side has it."""
    merged, ours, theirs = _contested()
    settled = settle(merged, Policy.BOTH)
    assert settled
    first, second = sorted(settled.annotations, key=lambda one: one.unique_id != "u")
    assert first == ours.annotations[0]
    assert second == replace(theirs.annotations[0], unique_id=second.unique_id)
    assert UUID(second.unique_id).version == 5
    assert identity_number(second.unique_id) != identity_number("u")
    assert settled.state is TaskState.LABELED


def test_quarantine_holds_the_task_back_with_both_answers() -> None:
    """They are there to be looked at, and count for nothing until then."""
    merged, _, _ = _contested()
    both, held = settle(merged, Policy.BOTH), settle(merged, Policy.QUARANTINE)
    assert both
    assert held
    assert held == replace(both, quarantined=True)
    assert held.state is TaskState.QUARANTINED


@pytest.mark.parametrize(
    ("policy", "is_kept"),
    [
        (Policy.OURS, False),
        (Policy.THEIRS, True),
        (Policy.BOTH, True),
        (Policy.QUARANTINE, True),
    ],
)
def test_an_edit_against_a_removal(policy: Policy, is_kept: bool) -> None:
    """An absence cannot be kept beside an answer: with both kept, the edit stays as it is."""
    after = record(annotation("u", box("a", x=10)))
    merged = merge_records(record(annotation("u", box("a"))), record(), after)
    settled = settle(merged, policy)
    assert settled
    assert settled.annotations == (after.annotations if is_kept else ())
    assert settled.quarantined is (policy is Policy.QUARANTINE)


@pytest.mark.parametrize(
    ("policy", "is_kept"),
    [
        (Policy.OURS, False),
        (Policy.THEIRS, True),
        (Policy.BOTH, True),
        (Policy.QUARANTINE, True),
    ],
)
def test_a_changed_record_against_a_removed_one(policy: Policy, is_kept: bool) -> None:
    """As an annotation."""
    after = record(annotation("u", box("a")))
    settled = settle(merge_records(record(), None, after), policy)
    held = replace(after, quarantined=policy is Policy.QUARANTINE)
    assert settled == (held if is_kept else None)


def test_a_second_answer_has_an_identity_made_of_what_it_says() -> None:
    """The same today and tomorrow, whoever said it when; another answer, another identity.

    Pinned: a change of it would double answers that were kept before.
    """
    theirs = annotation("u", box("a", x=20))
    second = second_answer(theirs, {})
    assert second.unique_id == "50626c6e-d893-58fb-b9d3-f5d8fd3cbb34"
    assert second_answer(replace(theirs, round="x"), {}).unique_id == second.unique_id
    assert second_answer(annotation("u", box("a")), {}).unique_id != second.unique_id
    assert second_answer(annotation("v", box("a", x=20)), {}).unique_id != second.unique_id


def test_an_answer_kept_before_is_not_doubled() -> None:
    """It stays as it is; edited since, the answer gets the next identity."""
    theirs = annotation("u", box("a", x=20))
    kept = replace(second_answer(theirs, {}), round="earlier")
    assert second_answer(theirs, {kept.unique_id: kept}) == kept
    edited_since = replace(kept, result=(box("a", "gouda"),))
    again = second_answer(theirs, {kept.unique_id: edited_since})
    assert again.unique_id not in {"u", kept.unique_id}
    assert content(again) == content(theirs)


def test_settling_both_twice_over_keeps_both_once() -> None:
    """A merge replayed on its own outcome, as after a crash between commit and merge."""
    before = record(annotation("u", box("a")))
    merged, ours, theirs = _contested()
    settled = settle(merged, Policy.BOTH)
    again = settle(merge_records(before, settled, theirs), Policy.BOTH)
    assert again == settled
    assert ours.annotations[0] in (again.annotations if again else ())


@given(edited)
def test_the_sides_differ_by_name_only(given_: Sides) -> None:
    """What is ours for one is theirs for the other; of both, each has the other's as its own."""
    base, ours, theirs = given_
    there, back = merge_records(base, ours, theirs), merge_records(base, theirs, ours)
    for policy, mirrored in _MIRROR.items():
        assert _bytes(settle(there, policy)) == _bytes(settle(back, mirrored))
    for policy in (Policy.BOTH, Policy.QUARANTINE):
        one, two = settle(there, policy), settle(back, policy)
        assert sorted(map(content, one.annotations if one else ())) == sorted(
            map(content, two.annotations if two else ())
        )


@given(edited, st.sampled_from(_DECIDED), st.randoms(use_true_random=False))
def test_the_order_of_annotations_plays_no_part(
    given_: Sides, policy: Policy, dice: random.Random
) -> None:
    """Identities of second answers included."""

    def shuffled(known: Record | None) -> Record | None:
        annotations = dice.sample(known.annotations, len(known.annotations)) if known else ()
        return known and replace(known, annotations=tuple(annotations))

    again = merge_records(*(shuffled(one) for one in given_))
    assert _bytes(settle(again, policy)) == _bytes(settle(merge_records(*given_), policy))


def _contents(known: Record | None) -> set[bytes]:
    return {content(one) for one in known.annotations} if known else set()


@given(edited, st.sampled_from([Policy.BOTH, Policy.QUARANTINE]))
def test_with_both_kept_no_answer_is_lost(given_: Sides, policy: Policy) -> None:
    """The count law: every annotation in conflict is there as each side has it, all others once."""
    merged = merge_records(*given_)
    settled = settle(merged, policy)
    expected = len(merged.record.annotations) if merged.record else 0
    for conflict in merged.conflicts:
        if isinstance(conflict, RecordConflict):
            assert _contents(settled) == _contents(conflict.ours or conflict.theirs)
            return
        if isinstance(conflict, AnnotationConflict):
            answers = [one for one in (conflict.ours, conflict.theirs) if one]
            assert {content(one) for one in answers} <= _contents(settled)
            expected += len(answers) - (conflict.base is not None)
    assert len(settled.annotations if settled else ()) == expected
    if merged.conflicts and policy is Policy.QUARANTINE:
        assert settled
        assert settled.state is TaskState.QUARANTINED


@given(edited, st.sampled_from([Policy.OURS, Policy.THEIRS]))
def test_the_side_that_counts_has_said_all_it_changed(given_: Sides, policy: Policy) -> None:
    """Whatever is in conflict is as that side has it, and no region leads nowhere for it."""
    base, ours, theirs = given_
    side = ours if policy is Policy.OURS else theirs
    merged = merge_records(base, ours, theirs)
    if any(isinstance(one, RecordConflict) for one in merged.conflicts):
        assert _bytes(settle(merged, policy)) == _bytes(side)
        return
    settled = meanings(_bytes(settle(merged, policy)))
    before, after = meanings(_bytes(base)), meanings(_bytes(side))
    for unique_id, said in after.items():
        known = before[unique_id].slots if unique_id in before else {}
        left = settled[unique_id].slots if unique_id in settled else known
        for slot in said.slots.keys() | known.keys():
            if said.slots.get(slot) != known.get(slot):
                assert left.get(slot) == said.slots.get(slot)


@given(edited, st.sampled_from([Policy.OURS, Policy.THEIRS]))
def test_no_relation_is_left_without_its_regions(given_: Sides, policy: Policy) -> None:
    """Unless it led nowhere already."""

    def loose(one: Annotation) -> set[str]:
        ids = region_ids(one.result)
        return {
            str(entry)
            for entry in one.result
            if entry["type"] == "relation"
            and not {str(entry["from_id"]), str(entry["to_id"])} <= ids
        }

    base, ours, theirs = given_
    settled = settle(merge_records(base, ours, theirs), policy)
    for one in settled.annotations if settled else ():
        known = [side for side in (ours, theirs) if side]
        before = [
            was for side in known for was in side.annotations if was.unique_id == one.unique_id
        ]
        assert not loose(one) or any(map(loose, before))


def test_a_policy_is_named_as_it_is_typed() -> None:
    """`--on-conflict fail|ours|theirs|both|quarantine`; kinds as they are printed."""
    assert [*map(str, Policy)] == ["fail", "ours", "theirs", "both", "quarantine"]
    assert [*map(str, ConflictKind)] == [
        *("edit-edit", "edit-delete", "add-add", "verdict", "relation")
    ]
