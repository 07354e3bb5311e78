"""Undoing: a record without one round, or without what one person, or one class, brought since.

Owns the rules. Does not read history (ops/runner/revert.py) and settles no conflict (settle.py); in
a conflict `ours` is main's side, `theirs` the undone one.

**A round** (undo_merge) is undone by the three-way merge of the record after it (base), now (ours)
and before it (theirs). Where the round made the record, *before* is the same task without
annotations, so that what came later stays; a record it made, in which nothing is left, goes away.

**A person's work** (undo_work) is found in the states a record had on main, from one version to
now. Each difference between two states is a *step*, by who saved the annotation in it last; making
an annotation is its annotator's step, and also of who saved it again, later than a second after.
Where both states name the same saving, two sides were merged: the step is by who saved the side
that came in, if that is known.
What two people did to one annotation between two states cannot be told apart. What ops itself did,
a migration or a revert, is nobody's step.

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
| either | the merge leaves no region, where both sides had some | gone: nobody said *empty* |
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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import groupby, pairwise
from typing import TypeAlias, TypeVar

from ops.core.annotation_merge import merge_annotation
from ops.core.canonical import content, normalise, normalise_record
from ops.core.conflicts import (
    AnnotationConflict,
    ConflictKind,
    Entries,
    Merged,
    RegionConflict,
)
from ops.core.likeness import TOLERANCE_PERCENT, is_exact
from ops.core.merge import merge_records
from ops.core.records import Annotation, Json, Origin, Record
from ops.core.regions import is_relation, labels

_State: TypeAlias = Annotation | None
_Value = TypeVar("_Value")

_ONE_SAVING = timedelta(seconds=1)
"""How long making an annotation takes. Who makes one in another's name, through Label Studio's API,
is noted as who saved it last (1.23.2), and has changed nothing."""


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
    record = merged.record
    was_there = now is not None and before is not None
    if record is None or record.annotations or merged.conflicts or was_there:
        return merged
    return Merged(record=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A task's record at one commit of main.

    Attributes:
        record: None where there is none.
        is_by_ops: a change by ops made it so.
        savers: who saved an annotation in the round that made this state, by `unique_id`, where the
            record names an earlier saving (see doubtful_annotations) and it is known all the same.
    """

    record: Record | None
    is_by_ops: bool = False
    savers: Mapping[str, str] = field(default_factory=dict[str, str])


def doubtful_annotations(before: Record | None, after: Record | None) -> frozenset[str]:
    """The annotations that say something else and name the saving they named before.

    Two sides of them were merged, and the side that came in was saved earlier than main's.
    """
    known = {one.unique_id: one for one in before.annotations} if before else {}
    return frozenset(
        one.unique_id
        for one in (after.annotations if after else ())
        if (old := known.get(one.unique_id)) is not None
        and _saving(old) == _saving(one)
        and not is_exact(old, one)
    )


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
        chain = _without_detours(_link(state, annotation.unique_id) for state in states)
        undone = _undo_regions(chain, target) if target.label else _undo_annotation(chain, target)
        if isinstance(undone, AnnotationConflict):
            conflicts.append(undone)
            undone = annotation
        if undone:
            kept.append(undone)
    if tuple(kept) == now.annotations:
        return Merged(record=now, conflicts=(*conflicts,))
    record = replace(now, annotations=tuple(kept), quarantined=now.quarantined and bool(kept))
    return Merged(record=normalise_record(record), conflicts=(*conflicts,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """One annotation in one state; None where it is not there."""

    annotation: Annotation | None
    is_by_ops: bool
    saver: str | None


def _link(state: State, unique_id: str) -> _Link:
    found = state.record.annotations if state.record else ()
    annotation = next((one for one in found if one.unique_id == unique_id), None)
    return _Link(
        annotation=annotation, is_by_ops=state.is_by_ops, saver=state.savers.get(unique_id)
    )


def _without_detours(chain: Iterable[_Link]) -> Sequence[_Link]:
    """The chain as if nothing had happened between a state and ops' way back to it."""
    kept: list[_Link] = []
    for link in chain:
        states = [one.annotation for one in kept] if link.is_by_ops else []
        back = next((i for i, one in enumerate(states) if is_exact(one, link.annotation)), None)
        if back is None:
            kept.append(link)
        else:
            del kept[back + 1 :]
    return kept


class _Whose(Enum):
    """Whose a step is."""

    TARGET = auto()
    OTHERS = auto()
    UNKNOWN = auto()
    NOBODY = auto()


def _whose(before: _State, link: _Link, annotator: str | None) -> _Whose:
    after = link.annotation
    if link.is_by_ops:
        return _Whose.NOBODY
    if annotator is None:
        return _Whose.TARGET
    if after is None:
        return _Whose.OTHERS
    people = _people(before, after, link.saver)
    if people is None or (annotator in people and len(people) > 1):
        return _Whose.UNKNOWN
    return _Whose.TARGET if annotator in people else _Whose.OTHERS


def _people(before: _State, after: Annotation, saver: str | None) -> set[str] | None:
    """Who made a step; None where nobody knows."""
    last = after.updated_by or after.annotator
    if before is None:
        return {after.annotator, last} if _is_saved_again(after) else {after.annotator}
    if _saving(before) != _saving(after):
        return {last}
    return {saver} if saver else None


def _is_saved_again(annotation: Annotation) -> bool:
    made, saved = (
        datetime.fromisoformat(moment) for moment in (annotation.created_at, annotation.updated_at)
    )
    return saved - made > _ONE_SAVING


def _saving(annotation: Annotation) -> tuple[str, str | None, str]:
    return (annotation.updated_at, annotation.updated_by, annotation.round)


def _undo_annotation(chain: Sequence[_Link], target: Target) -> _State | AnnotationConflict:
    """The annotation after all steps but the target's; see the table above."""
    pairs = [(one.annotation, two) for one, two in pairwise(chain)]
    steps = [
        (_whose(before, link, target.annotator), before, link.annotation)
        for before, link in pairs
        if not is_exact(before, link.annotation)
    ]
    now = chain[-1].annotation
    if not any(whose in {_Whose.TARGET, _Whose.UNKNOWN} for whose, _, _ in steps):
        return now
    undone = chain[0].annotation
    for whose, base, side in _runs(steps):
        is_gone = undone is None and base is not None
        if whose is _Whose.TARGET or (whose is _Whose.NOBODY and is_gone):
            continue
        if whose is _Whose.UNKNOWN:
            return _conflict(base, now, undone)
        merged = _replay(base, side, undone)
        if isinstance(merged, AnnotationConflict):
            return merged if is_exact(side, now) else _conflict(base, now, undone)
        undone = merged
    return undone


def _runs(
    steps: Iterable[tuple[_Whose, _Value, _Value]],
) -> Iterator[tuple[_Whose, _Value, _Value]]:
    """Steps after each other as one, from before the first to after the last.

    What others did and what ops did go together: others' where one of them is.
    """
    rest = {_Whose.OTHERS, _Whose.NOBODY}
    for is_rest, group in groupby(steps, key=lambda step: step[0] in rest):
        run = list(group)
        if is_rest:
            kinds = {whose for whose, _, _ in run}
            whose = _Whose.OTHERS if _Whose.OTHERS in kinds else _Whose.NOBODY
            yield whose, run[0][1], run[-1][2]
        else:
            yield from run


def _replay(base: _State, side: _State, undone: _State) -> _State | AnnotationConflict:
    """What others made of the target's words, made of the words without the target's."""
    if side is None or is_exact(undone, base):
        return side
    merged = merge_annotation(base, side, undone, tolerance_percent=TOLERANCE_PERCENT)
    if isinstance(merged, Annotation) and undone and undone.result and side.result:
        return merged if merged.result else None
    return merged


def _conflict(base: _State, now: _State, undone: _State) -> AnnotationConflict:
    known = now or undone or base
    kind = ConflictKind.EDIT_EDIT if undone and now else ConflictKind.EDIT_DELETE
    unique_id = known.unique_id if known else ""
    return AnnotationConflict(unique_id=unique_id, kind=kind, base=base, ours=now, theirs=undone)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """One region in one state: its entries, and where it came from."""

    entries: Entries = ()
    origin: Origin = Origin.HUMAN


def _undo_regions(chain: Sequence[_Link], target: Target) -> _State | AnnotationConflict:
    """The annotation with the regions of one class as they were; see the second table above."""
    known, now = chain[0].annotation, chain[-1].annotation
    if now is None:
        return None
    undone: dict[str, _Region] = {}
    disputes: list[RegionConflict] = []
    for name in _names_of(now, target.label or ""):
        found = _undo_region(name, chain, target)
        if isinstance(found, RegionConflict):
            disputes.append(found)
        elif not is_exact(found.entries, _region(now, name).entries):
            undone[name] = found
    if not undone and not disputes:
        return now
    if disputes:
        theirs = {one.region: _Region(entries=one.theirs) for one in disputes}
        return AnnotationConflict(
            unique_id=now.unique_id,
            kind=ConflictKind.EDIT_EDIT,
            base=known,
            ours=_spliced(now, undone),
            theirs=_closed(known, _spliced(now, {**undone, **theirs})),
            regions=tuple(disputes),
        )
    return _closed(known, _spliced(now, undone))


def _closed(known: _State, annotation: Annotation) -> _State:
    """The annotation, unless it is the version's again, or empties what nobody left empty."""
    if known is not None and content(known) == content(annotation):
        return known
    if annotation.result or (known is not None and not known.result):
        return annotation
    return None


def _names_of(annotation: Annotation, label: str) -> list[str]:
    """The ids of the regions that have the label."""
    named = {
        name
        for entry in annotation.result
        if label in labels(entry) and isinstance(name := entry.get("id"), str)
    }
    return sorted(named)


def _region(annotation: _State, name: str) -> _Region:
    if annotation is None:
        return _Region()
    return _Region(
        entries=tuple(entry for entry in annotation.result if entry.get("id") == name),
        origin=annotation.origins.get(name, Origin.HUMAN),
    )


def _undo_region(name: str, chain: Sequence[_Link], target: Target) -> _Region | RegionConflict:
    now, undone = _region(chain[-1].annotation, name), _region(chain[0].annotation, name)
    steps = [
        (_whose(one.annotation, two, target.annotator), before, after)
        for one, two in pairwise(chain)
        for before, after in [(_region(one.annotation, name), _region(two.annotation, name))]
        if not is_exact(before.entries, after.entries)
    ]
    if not any(whose in {_Whose.TARGET, _Whose.UNKNOWN} for whose, _, _ in steps):
        return now
    for whose, base, side in _runs(steps):
        is_gone = not undone.entries and base.entries
        if whose is _Whose.TARGET or (whose is _Whose.NOBODY and is_gone):
            continue
        merged = _merge_region(base, side, undone)
        if merged is None or whose is _Whose.UNKNOWN:
            return RegionConflict(
                kind=ConflictKind.EDIT_EDIT if undone.entries else ConflictKind.EDIT_DELETE,
                region=name,
                base=base.entries,
                ours=now.entries,
                theirs=undone.entries,
            )
        undone = merged
    return undone


def _merge_region(base: _Region, ours: _Region, theirs: _Region) -> _Region | None:
    """The one a side changed; None where both did, differently."""
    if is_exact(theirs.entries, base.entries):
        return ours
    if is_exact(ours.entries, base.entries) or is_exact(ours.entries, theirs.entries):
        return theirs
    return None


def _spliced(annotation: Annotation, regions: Mapping[str, _Region]) -> Annotation:
    """The annotation with these regions in the place of its own, or gone."""
    result = [entry for entry in annotation.result if entry.get("id") not in regions]
    result += [entry for one in regions.values() for entry in one.entries]
    origins = {name: one for name, one in annotation.origins.items() if name not in regions}
    origins |= {name: one.origin for name, one in regions.items()}
    gone = {name for name, one in regions.items() if not one.entries}
    linked = tuple(entry for entry in result if not _leads_to(entry, gone))
    return normalise(replace(annotation, result=linked, origins=origins))


def _leads_to(entry: Mapping[str, Json], gone: set[str]) -> bool:
    return is_relation(entry) and (entry.get("from_id") in gone or entry.get("to_id") in gone)


def people_of(states: Sequence[State]) -> Iterator[str]:
    """Everybody who said something in these states."""
    for state in states:
        for annotation in state.record.annotations if state.record else ():
            yield annotation.annotator
            if annotation.updated_by:
                yield annotation.updated_by


def labels_of(states: Sequence[State]) -> Iterator[str]:
    """Every class named in these states."""
    for state in states:
        for annotation in state.record.annotations if state.record else ():
            for entry in annotation.result:
                yield from labels(entry)
