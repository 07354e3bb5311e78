"""Undoing what was said of one class: the regions that have the label now, as they were.

The second half of the tables of undo.py. Does not look at what else an annotation says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ops.core.canonical import content, normalise
from ops.core.conflicts import AnnotationConflict, ConflictKind, Entries, RegionConflict
from ops.core.likeness import is_exact
from ops.core.records import Annotation, Json, Origin
from ops.core.regions import is_relation, labels
from ops.core.steps import Link, Whose, runs, whose_step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """One region in one state: its entries, and where it came from."""

    entries: Entries = ()
    origin: Origin = Origin.HUMAN


def undo_regions(
    chain: Sequence[Link], label: str, *, annotator: str | None
) -> Annotation | AnnotationConflict | None:
    """An annotation with its regions of one class as they were before the steps that count.

    Args:
        chain: the annotation at the version, and after each step; the last is the annotation now.
        label: the class.
        annotator: whose steps count; None for everybody's.
    """
    known, now = chain[0].annotation, chain[-1].annotation
    if now is None:
        return None
    undone: dict[str, _Region] = {}
    disputes: list[RegionConflict] = []
    for name in _names_of(now, label):
        found = _undo_region(name, chain, annotator)
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


def _closed(known: Annotation | None, annotation: Annotation) -> Annotation | None:
    """The annotation, unless it is the version's again, or empties what nobody left empty."""
    if known is not None and content(known) == content(annotation):
        return known
    if annotation.result or annotation.skipped or (known is not None and not known.result):
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


def _region(annotation: Annotation | None, name: str) -> _Region:
    if annotation is None:
        return _Region()
    return _Region(
        entries=tuple(entry for entry in annotation.result if entry.get("id") == name),
        origin=annotation.origins.get(name, Origin.HUMAN),
    )


def _undo_region(
    name: str, chain: Sequence[Link], annotator: str | None
) -> _Region | RegionConflict:
    now, undone = _region(chain[-1].annotation, name), _region(chain[0].annotation, name)
    steps = [
        (whose_step(one.annotation, two, annotator), before, after)
        for one, two in pairwise(chain)
        for before, after in [(_region(one.annotation, name), _region(two.annotation, name))]
        if not is_exact(before.entries, after.entries)
    ]
    if not any(whose in {Whose.TARGET, Whose.UNKNOWN} for whose, _, _ in steps):
        return now
    for whose, base, side in runs(steps):
        is_gone = not undone.entries and base.entries
        if whose is Whose.TARGET or (whose is Whose.NOBODY and is_gone):
            continue
        merged = _merge_region(base, side, undone)
        if merged is None or whose is Whose.UNKNOWN:
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
