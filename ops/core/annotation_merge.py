"""The three-way merge of one annotation: what is said, and who is said to have said it.

Owns the rules for `skipped`, `ground_truth` and provenance (the table is merge.py's). Regions are
result_merge.py's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from ops.core.canonical import normalise
from ops.core.conflicts import AnnotationConflict, ConflictKind, Entries
from ops.core.encoding import encode
from ops.core.likeness import is_exact
from ops.core.records import Annotation, Json, Origin
from ops.core.result_merge import choose_exact, merge_results, region_words, says_same

_Value = TypeVar("_Value", bound=str | Mapping[str, Json] | None)

# The more a person had to do with a region, the later in this row.
_MOST_HUMAN = (Origin.IMPORTED, Origin.ACCEPTED, Origin.CHANGED, Origin.HUMAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """An annotation both sides have, and which of them says something else than base."""

    base: Annotation | None
    ours: Annotation
    theirs: Annotation
    is_ours_same: bool
    is_theirs_same: bool


def is_same(one: Annotation | None, two: Annotation | None, *, tolerance_percent: float) -> bool:
    """Whether two annotations in canonical form say the same, whoever said it and when."""
    if one is None or two is None:
        return one is two
    return _verdict(one) == _verdict(two) and says_same(
        one.result, two.result, tolerance_percent=tolerance_percent
    )


def merge_annotation(
    base: Annotation | None,
    ours: Annotation | None,
    theirs: Annotation | None,
    *,
    tolerance_percent: float,
) -> Annotation | AnnotationConflict | None:
    """The annotation after the merge, None where it is gone; or what the sides disagree on.

    All in canonical form, and of one `unique_id`.
    """
    is_ours_same = is_same(base, ours, tolerance_percent=tolerance_percent)
    is_theirs_same = is_same(base, theirs, tolerance_percent=tolerance_percent)
    if ours is None or theirs is None:
        if is_ours_same or is_theirs_same or ours is theirs:
            return theirs if is_ours_same else ours
        return _conflict(base, ours, theirs, kind=ConflictKind.EDIT_DELETE)
    sides = _Sides(
        base=base,
        ours=ours,
        theirs=theirs,
        is_ours_same=is_ours_same,
        is_theirs_same=is_theirs_same,
    )
    if base is None or len({_verdict(one) for one in (base, ours, theirs)}) > 1:
        return _merge_whole(sides, tolerance_percent)
    return _merge_regions(sides, base, tolerance_percent)


def _verdict(annotation: Annotation) -> tuple[bool, bool]:
    """What is said of the annotation as a whole."""
    return (annotation.skipped, annotation.ground_truth)


def _conflict(
    base: Annotation | None,
    ours: Annotation | None,
    theirs: Annotation | None,
    *,
    kind: ConflictKind,
) -> AnnotationConflict:
    known = base or ours or theirs
    unique_id = known.unique_id if known else ""
    return AnnotationConflict(unique_id=unique_id, kind=kind, base=base, ours=ours, theirs=theirs)


def _merge_whole(sides: _Sides, tolerance_percent: float) -> Annotation | AnnotationConflict:
    """One side's, where the annotation is new or somebody spoke of it as a whole.

    Who skips an annotation or marks it as reference says so of the regions as they were.
    """
    ours, theirs = sides.ours, sides.theirs
    if sides.is_ours_same != sides.is_theirs_same:
        return _compose(sides, theirs.result if sides.is_ours_same else ours.result)
    if not is_same(ours, theirs, tolerance_percent=tolerance_percent):
        kind = ConflictKind.VERDICT if sides.base else ConflictKind.ADD_ADD
        return _conflict(sides.base, ours, theirs, kind=kind)
    known = sides.base.result if sides.base else ()
    return _compose(sides, choose_exact(known, ours.result, theirs.result))


def _merge_regions(
    sides: _Sides, base: Annotation, tolerance_percent: float
) -> Annotation | AnnotationConflict:
    merge = merge_results(
        base.result, sides.ours.result, sides.theirs.result, tolerance_percent=tolerance_percent
    )
    conflict = _conflict(base, sides.ours, sides.theirs, kind=ConflictKind.EDIT_EDIT)
    if merge.is_whole:
        return conflict
    merged = _compose(sides, merge.agreed)
    return replace(conflict, regions=merge.disputes, agreed=merged) if merge.disputes else merged


def _compose(sides: _Sides, result: Entries) -> Annotation:
    """The annotation with a merged result, and the provenance that goes with it."""
    base, ours, theirs = sides.base, sides.ours, sides.theirs
    is_ours = _is_ours_lead(sides)
    return normalise(
        replace(
            ours if is_ours else theirs,
            annotator=_field(
                base.annotator if base else None, ours.annotator, theirs.annotator, is_ours=is_ours
            ),
            created_at=_field(
                base.created_at if base else None,
                ours.created_at,
                theirs.created_at,
                is_ours=is_ours,
            ),
            prediction=_field(
                base.prediction if base else None,
                ours.prediction,
                theirs.prediction,
                is_ours=is_ours,
            ),
            origins=_origins(sides, result),
            result=result,
        )
    )


def _is_ours_lead(sides: _Sides) -> bool | None:
    """Whose round, times and ontology digest the merged annotation has; None: both have the same.

    Those of the side that changed what is said; where both or none did, of the side that changed
    them; where both or none did, the later.
    """
    if sides.is_ours_same != sides.is_theirs_same:
        return sides.is_theirs_same
    ours, theirs = _stamp(sides.ours), _stamp(sides.theirs)
    base = _stamp(sides.base) if sides.base else None
    if ours == theirs:
        return None
    if base in {ours, theirs}:
        return theirs == base
    return ours > theirs


def _stamp(annotation: Annotation) -> tuple[str, bytes]:
    return (
        annotation.updated_at,
        encode(
            [
                annotation.round,
                annotation.updated_by,
                annotation.lead_time_s,
                annotation.ontology_digest,
            ]
        ),
    )


def _field(base: _Value | None, ours: _Value, theirs: _Value, *, is_ours: bool | None) -> _Value:
    """The one a side changed; where both did, that of the side that leads, or the greater."""
    if is_exact(theirs, ours) or is_exact(theirs, base):
        return ours
    if is_exact(ours, base):
        return theirs
    if is_ours is None:
        return max(ours, theirs, key=_as_bytes)
    return ours if is_ours else theirs


def _as_bytes(value: str | Mapping[str, Json] | None) -> bytes:
    return encode(dict(value) if isinstance(value, Mapping) else value)


def _origins(sides: _Sides, result: Entries) -> dict[str, Origin]:
    """For each region, where it comes from on the side that says it as merged."""
    known = region_words(sides.base.result) if sides.base else {}
    mine, other = region_words(sides.ours.result), region_words(sides.theirs.result)
    origins: dict[str, Origin] = {}
    for region, words in region_words(result).items():
        ours = sides.ours.origins.get(region, Origin.HUMAN)
        theirs = sides.theirs.origins.get(region, Origin.HUMAN)
        is_ours = is_exact(mine.get(region), words)
        is_theirs = is_exact(other.get(region), words)
        base = sides.base.origins.get(region, Origin.HUMAN) if sides.base else None
        if is_ours != is_theirs:
            origins[region] = ours if is_ours else theirs
        elif region in known and base in {ours, theirs}:
            origins[region] = theirs if ours == base else ours
        else:
            origins[region] = max(ours, theirs, key=_MOST_HUMAN.index)
    return origins
