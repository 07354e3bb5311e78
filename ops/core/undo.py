"""Undoing: a record without one round, or without what one person, or one class, brought since.

Owns the rules. Does not read history (ops/runner/revert.py) and settles no conflict (settle.py); in
a conflict `ours` is main's side, `theirs` the undone one.

**A round** (undo_merge) is undone by the three-way merge of the record after it (base), now (ours)
and before it (theirs). Where the round made the record, *before* is the same task without
annotations, so that what came later stays; a record it made, in which nothing is left, goes away.
Where the merge leaves no region in an annotation of which both sides had some, that is a conflict:
nobody said *empty*.

**A person's work** (undo_work) is found in the states a record had on main, from one version to
now. Each difference between two states is a *step*, by who saved the annotation in it last; making
an annotation is its annotator's step, and also of who saved it again, later than a second after.
Where both states name the same saving, two sides were merged: the step is by who saved the side
that came in, if that is known. What two people did to one annotation between two states cannot be
told apart. What ops itself did, a migration or a revert, is nobody's step.

| annotation | steps since | becomes |
|---|---|---|
| there at the version or made since | none by E | as it is, to the byte |
| there at the version | by E only | what it was at the version, to the byte |
| made since | by E only | gone |
| either | by E, and by others before | what it was before E's first step, to the byte |
| either | others after E, about other regions | the three-way merge: without E's, with theirs |
| either | others after E, about the same | conflict |
| made since | by E, then by others | conflict: gone, or as it is |
| either | a step by E and another, or by nobody knows who | conflict, as a whole |
| either | a step of ops after E | as if others had done it; what is gone stays gone |
| either | the merge leaves no region, where both sides had some | conflict: nobody said *empty* |
| either | ops went back to an earlier state | as if nothing had happened in between |
| gone now | any | gone: nobody knows who removed it |

**A class** narrows this to the regions that have the label now, in every control of the region;
without a person every step counts.

| region that has the label now | becomes |
|---|---|
| not changed since by a step that counts | as it is |
| changed since by such steps only | as at the version; gone where it was not there |
| others changed it after to something else | conflict |
| … and the annotation says what it said at the version | that one, to the byte |
| … no region is left in the annotation, which had none at the version either | kept: it was empty |
| … no region is left otherwise | the annotation is gone: nobody said *empty* |
| relations of a region that is gone | gone |

A task whose last annotation goes is unfinished, and no longer quarantined: nothing is left to hold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ops.core.annotation_merge import merge_annotation
from ops.core.canonical import normalise_record
from ops.core.conflicts import AnnotationConflict, ConflictKind, Merged
from ops.core.likeness import TOLERANCE_PERCENT, is_exact
from ops.core.merge import merge_records
from ops.core.records import Annotation, Record
from ops.core.steps import Link, State, Whose, link_of, runs, whose_step, without_detours
from ops.core.undo_regions import undo_regions


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose work is undone: this annotator's, that of this class, or both at once.

    Attributes:
        annotator: an e-mail address; None for anyone's.
        label: a class; None for everything said.
    """

    annotator: str | None = None
    label: str | None = None


def undo_merge(after: Record | None, now: Record | None, before: Record | None) -> Merged:
    """A record without what one merge made of it, keeping what came later.

    Args:
        after: the record just after that merge; None where it was not there.
        now: the record on main.
        before: the record just before that merge.
    """
    if after is None:
        return merge_records(None, now, before)
    nothing = replace(after, annotations=(), quarantined=False)
    merged = merge_records(after, now or nothing, before or nothing)
    emptied = tuple(_emptied(merged, after, now or nothing, before or nothing))
    conflicts = (*merged.conflicts, *emptied)
    record = merged.record
    # Emptied by others before, or by how a conflict was settled: then it stays, unfinished.
    is_left_empty = now is not None and not now.annotations and now != after
    if record and not (record.annotations or conflicts or (now and before) or is_left_empty):
        record = None
    return Merged(record=record, conflicts=conflicts)


def _emptied(
    merged: Merged, base: Record, now: Record, before: Record
) -> Iterator[AnnotationConflict]:
    """The annotations without a region of which both sides have some."""
    sides = [{one.unique_id: one for one in side.annotations} for side in (base, now, before)]
    disputed = {one.unique_id for one in merged.conflicts if isinstance(one, AnnotationConflict)}
    for one in merged.record.annotations if merged.record else ():
        was, ours, theirs = (side.get(one.unique_id) for side in sides)
        if one.unique_id not in disputed and _is_emptied(one, ours, theirs):
            yield _conflict(was, ours, theirs)


def _is_emptied(merged: Annotation, ours: Annotation | None, theirs: Annotation | None) -> bool:
    had_both = bool(ours and theirs and ours.result and theirs.result)
    return had_both and not (merged.result or merged.skipped)


def undo_work(states: Sequence[State], target: Target) -> Merged:
    """A record without the target's work since the first state.

    Args:
        states: the record at the version, and after each commit of main that changed it; the last
            is the record now.
        target: whose work.
    """
    now = states[-1].record
    if now is None:
        return Merged(record=None)
    kept: list[Annotation] = []
    conflicts: list[AnnotationConflict] = []
    for annotation in now.annotations:
        chain = without_detours(link_of(state, annotation.unique_id) for state in states)
        undone = _undone(chain, target)
        if isinstance(undone, AnnotationConflict):
            conflicts.append(undone)
            undone = annotation
        if undone:
            kept.append(undone)
    if tuple(kept) == now.annotations:
        return Merged(record=now, conflicts=(*conflicts,))
    record = replace(now, annotations=tuple(kept), quarantined=now.quarantined and bool(kept))
    return Merged(record=normalise_record(record), conflicts=(*conflicts,))


def _undone(chain: Sequence[Link], target: Target) -> Annotation | AnnotationConflict | None:
    if target.label is not None:
        return undo_regions(chain, target.label, annotator=target.annotator)
    return _undo_annotation(chain, target)


def _undo_annotation(
    chain: Sequence[Link], target: Target
) -> Annotation | AnnotationConflict | None:
    """The annotation after all steps but the target's; see the table above."""
    steps = [
        (whose_step(one.annotation, two, target.annotator), one.annotation, two.annotation)
        for one, two in pairwise(chain)
    ]
    now = chain[-1].annotation
    if not any(whose in {Whose.TARGET, Whose.UNKNOWN} for whose, _, _ in steps):
        return now
    undone = chain[0].annotation
    for whose, base, side in runs(steps):
        is_gone = undone is None and base is not None
        if whose is Whose.TARGET or (whose is Whose.NOBODY and is_gone):
            continue
        if whose is Whose.UNKNOWN:
            return _conflict(base, now, undone)
        merged = _replay(base, side, undone)
        if isinstance(merged, AnnotationConflict):
            return merged if is_exact(side, now) else _conflict(base, now, undone)
        undone = merged
    return undone


def _replay(
    base: Annotation | None, side: Annotation | None, undone: Annotation | None
) -> Annotation | AnnotationConflict | None:
    """What others made of the target's words, made of the words without the target's."""
    if side is None or is_exact(undone, base):
        return side
    merged = merge_annotation(base, side, undone, tolerance_percent=TOLERANCE_PERCENT)
    if isinstance(merged, Annotation) and _is_emptied(merged, side, undone):
        return _conflict(base, side, undone)
    return merged


def _conflict(
    base: Annotation | None, now: Annotation | None, undone: Annotation | None
) -> AnnotationConflict:
    known = now or undone or base
    kind = ConflictKind.EDIT_EDIT if undone and now else ConflictKind.EDIT_DELETE
    unique_id = known.unique_id if known else ""
    return AnnotationConflict(unique_id=unique_id, kind=kind, base=base, ours=now, theirs=undone)
