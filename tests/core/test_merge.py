"""The merge inside a task: its laws over edits and over any records, and a second way to merge."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import encode_record
from ops.core.conflicts import (
    AnnotationConflict,
    Conflict,
    ConflictKind,
    DataConflict,
    MediaConflict,
    Merged,
    RecordConflict,
)
from ops.core.merge import merge_records
from ops.core.records import Annotation, Record
from tests import strategies
from tests.core.merge_edits import Sides, annotation, record, sides
from tests.core.merge_oracle import Expected, Meaning, expect, meanings
from tests.laws import note

_PAIRS = 3_000

edited = st.randoms(use_true_random=False).map(sides)


@st.composite
def _soup(draw: st.DrawFn) -> Sides:
    """Three records that have little to do with each other, of whatever regions there may be."""
    pool = draw(st.lists(strategies.results, min_size=1, max_size=3))

    def drawn() -> Record:
        return record(
            *(
                replace(
                    annotation(unique_id),
                    skipped=draw(st.sampled_from([False, False, True])),
                    result=draw(st.sampled_from(pool)) + draw(st.sampled_from(pool)),
                )
                for unique_id in draw(st.sampled_from(["u", "u", "uv"]))
            )
        )

    return draw(st.none() | st.builds(drawn)), drawn(), drawn()


any_sides = st.one_of(edited, edited, _soup())


def _bytes(record: Record | None) -> bytes | None:
    return record and encode_record(record)


def _by_id(record: Record | None) -> dict[str, Annotation]:
    return {one.unique_id: one for one in record.annotations} if record else {}


def _contested(merged: Merged) -> set[str]:
    """The unique_ids in conflict."""
    return {one.unique_id for one in merged.conflicts if isinstance(one, AnnotationConflict)}


def _turned(conflict: Conflict) -> Conflict:
    """A conflict with the sides' names swapped."""
    if isinstance(conflict, AnnotationConflict):
        regions = tuple(replace(one, ours=one.theirs, theirs=one.ours) for one in conflict.regions)
        conflict = replace(conflict, regions=regions)
        return replace(conflict, ours=conflict.theirs, theirs=conflict.ours)
    if isinstance(conflict, MediaConflict):
        return replace(conflict, ours=conflict.theirs, theirs=conflict.ours)
    if isinstance(conflict, DataConflict):
        return replace(conflict, ours=conflict.theirs, theirs=conflict.ours)
    return replace(conflict, ours=conflict.theirs, theirs=conflict.ours)


@given(any_sides)
def test_an_unchanged_side_gives_the_other(given_: Sides) -> None:
    """To the byte, whatever the other did; also where it removed the task."""
    base, side, _ = given_
    for merged in (merge_records(base, base, side), merge_records(base, side, base)):
        assert merged.conflicts == ()
        assert _bytes(merged.record) == _bytes(side)


@given(any_sides)
def test_sides_that_agree_give_what_they_agree_on(given_: Sides) -> None:
    """Merging is idempotent."""
    base, side, _ = given_
    merged = merge_records(base, side, side)
    assert merged.conflicts == ()
    assert _bytes(merged.record) == _bytes(side)


@given(any_sides)
def test_the_sides_differ_by_name_only(given_: Sides) -> None:
    """Swapped sides make the same record and the same conflicts, turned round."""
    base, ours, theirs = given_
    there, back = merge_records(base, ours, theirs), merge_records(base, theirs, ours)
    assert _bytes(back.record) == _bytes(there.record)
    assert tuple(_turned(one) for one in back.conflicts) == there.conflicts


@given(any_sides)
def test_merging_again_changes_nothing(given_: Sides) -> None:
    """What was merged without conflict holds all that a side has to say."""
    base, ours, theirs = given_
    merged = merge_records(base, ours, theirs)
    if merged.conflicts:
        return
    for side in (ours, theirs):
        again = merge_records(base, merged.record, side)
        assert again.conflicts == ()
        assert _bytes(again.record) == _bytes(merged.record)


@given(any_sides, st.randoms(use_true_random=False))
def test_the_order_of_annotations_and_regions_plays_no_part(
    given_: Sides, dice: random.Random
) -> None:
    """Shuffled records merge to the same bytes and conflicts."""

    def shuffled(given_: Record | None) -> Record | None:
        if given_ is None:
            return None
        annotations = [
            replace(one, result=tuple(dice.sample(one.result, len(one.result))))
            for one in given_.annotations
        ]
        return replace(given_, annotations=tuple(dice.sample(annotations, len(annotations))))

    there = merge_records(*given_)
    again = merge_records(*(shuffled(one) for one in given_))
    assert _bytes(again.record) == _bytes(there.record)
    assert again.conflicts == there.conflicts


@given(any_sides)
def test_no_annotation_is_lost_or_invented(given_: Sides) -> None:
    """The count law.

    Each annotation of a side is in the record, or in a conflict, or the other side removed what
    this one left alone; and the record has no other.
    """
    base, ours, theirs = given_
    merged = merge_records(base, ours, theirs)
    if any(isinstance(one, RecordConflict) for one in merged.conflicts):
        return
    left, contested = _by_id(merged.record), _contested(merged)
    for side, other in ((ours, theirs), (theirs, ours)):
        for unique_id in _by_id(side).keys() - left.keys() - contested:
            assert unique_id in _by_id(base)
            assert unique_id not in _by_id(other)
    assert left.keys() <= _by_id(ours).keys() | _by_id(theirs).keys() | contested
    assert len(left) == len(merged.record.annotations if merged.record else ())


@given(edited)
def test_no_region_is_lost_or_invented(given_: Sides) -> None:
    """The count law of regions.

    What a side says of a region is in the merged annotation, or the other side changed what this
    one left alone; and what is in it, a side says.
    """
    before, mine, other = (meanings(_bytes(one)) for one in given_)
    merged = merge_records(*given_)
    if any(isinstance(one, RecordConflict) for one in merged.conflicts):
        return
    after = meanings(_bytes(merged.record))
    for unique_id in after.keys() - _contested(merged):
        sides_ = [side[unique_id].slots for side in (mine, other) if unique_id in side]
        known = before[unique_id].slots if unique_id in before else {}
        said = after[unique_id].slots
        for side in sides_:
            for slot, value in side.items():
                assert said.get(slot) == value or known.get(slot) == value
        for slot, value in said.items():
            assert value in {side.get(slot) for side in sides_}


_NAMES: dict[type[Conflict], str] = {
    MediaConflict: "media",
    DataConflict: "data",
    RecordConflict: "record",
}


def _found(merged: Merged) -> tuple[set[str], dict[str, set[str]]]:
    """What is in conflict, in the oracle's words."""
    names = {_NAMES[kind] for one in merged.conflicts if (kind := type(one)) in _NAMES}
    disputes = {
        one.unique_id: {region.region for region in one.regions}
        for one in merged.conflicts
        if isinstance(one, AnnotationConflict)
    }
    return names | disputes.keys(), disputes


def _stated(record: Record, expected: Expected) -> dict[str, object]:
    media = record.task.media
    stated: dict[str, object] = {
        "quarantined": record.quarantined,
        "media": [media.checksum, media.size_bytes],
        "width": media.width,
        **{f"data.{name}": value for name, value in record.task.data.items()},
    }
    return {name: stated.get(name) for name in expected.task}


def _kinds(merged: Merged) -> Iterator[str]:
    for conflict in merged.conflicts:
        if isinstance(conflict, AnnotationConflict):
            yield f"annotation {conflict.kind}"
            yield from (f"region {region.kind}" for region in conflict.regions)
        else:
            yield _NAMES[type(conflict)]


def test_conflicts_and_merges_are_those_of_the_oracle() -> None:
    """No conflict is found where the laws leave a merge, none is missed where they leave none.

    And where they leave one, it is that. The generator must reach every kind of conflict, and often
    merge what both sides touched.
    """
    seen = Counter[str]()
    for seed in range(_PAIRS):
        given_ = sides(random.Random(seed))  # noqa: S311 - to be repeated
        base, ours, theirs = (_bytes(one) for one in given_)
        merged, expected = merge_records(*given_), expect(base, ours, theirs)
        assert _found(merged) == (expected.conflicts, expected.disputes), f"seed {seed}"
        seen.update(_kinds(merged))
        seen["merged"] += not merged.conflicts and len({base, ours, theirs}) == 3
        if expected.is_gone or "record" in expected.conflicts:
            assert (merged.record is None) == expected.is_gone, f"seed {seed}"
            continue
        assert merged.record, f"seed {seed}"
        known = meanings(base)
        contested = {one: known[one] for one in expected.disputes.keys() & known.keys()}
        after: dict[str, Meaning] = meanings(_bytes(merged.record))
        assert after == {**expected.meanings, **contested}, f"seed {seed}"
        assert _stated(merged.record, expected) == expected.task, f"seed {seed}"
    conflicts = sum(count for kind, count in seen.items() if kind != "merged")
    note(
        "three-way merge",
        f"{_PAIRS} pairs of edited sides are as the oracle says: {seen['merged']} merged from both "
        f"sides without a conflict, {conflicts} conflicts of {len(seen) - 1} kinds",
    )
    assert seen["merged"] > _PAIRS / 4
    regions = {f"region {kind}" for kind in ConflictKind} - {f"region {ConflictKind.VERDICT}"}
    annotations = {f"annotation {kind}" for kind in ConflictKind}
    annotations -= {f"annotation {ConflictKind.RELATION}"}
    for kind in regions | annotations | {*_NAMES.values()}:
        assert seen[kind] >= 5, kind
