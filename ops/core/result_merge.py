"""The three-way merge of a result, region by region.

Owns when two regions say the same, and which of three is taken. Does not know which entries are
one region (units.py), nor annotations (merge.py); the rules are in docs/adr/0009-merge.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ops.core.conflicts import ConflictKind, Entries, RegionConflict
from ops.core.encoding import encode
from ops.core.likeness import as_bytes, is_alike, is_exact, is_near
from ops.core.records import Json
from ops.core.regions import RELATION, said, value_of
from ops.core.units import ANSWER, REGION, Unit, units

_Control: TypeAlias = tuple[str, str]
_Said: TypeAlias = dict[_Control, Entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMerge:
    """A merged result.

    Attributes:
        agreed: all entries that are in no dispute, in no particular order.
        disputes: by kind of unit, then name.
        is_whole: what was agreed cannot stand side by side, so nothing is: only where ids are used
            for two things.
    """

    agreed: Entries
    disputes: tuple[RegionConflict, ...]
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Triple:
    """The entries of one unit as base and both sides have them."""

    base: Entries
    ours: Entries
    theirs: Entries

    @property
    def kind(self) -> ConflictKind:
        if not self.base:
            return ConflictKind.ADD_ADD
        return ConflictKind.EDIT_EDIT if self.ours and self.theirs else ConflictKind.EDIT_DELETE

    @property
    def may_go(self) -> bool:
        """Whether a side is without it."""
        return not (self.ours and self.theirs)


def merge_results(
    base: Entries, ours: Entries, theirs: Entries, *, tolerance_percent: float
) -> ResultMerge:
    """What both sides agree on, and what they do not; each result in canonical form.

    Entries that one side alone changed, and those of a region that one side alone has as merged,
    are that side's verbatim; entries taken from both sides are without what the editor adds.
    """
    triples = _triples(units(base), units(ours), units(theirs))
    agreed: dict[Unit, Entries] = {}
    disputed: dict[Unit, ConflictKind] = {}
    for unit, triple in triples.items():
        merged = _merge_unit(unit, triple, tolerance_percent)
        if merged is None:
            disputed[unit] = triple.kind
        elif merged:
            agreed[unit] = merged
    for unit in _torn(triples, agreed, disputed):
        agreed.pop(unit, None)
        disputed.setdefault(unit, ConflictKind.RELATION)
    result = tuple(entry for entries in agreed.values() for entry in entries)
    return ResultMerge(
        agreed=result,
        disputes=tuple(_dispute(unit, disputed[unit], triples[unit]) for unit in sorted(disputed)),
        is_whole=units(result) != agreed,
    )


def says_same(one: Entries, two: Entries, *, tolerance_percent: float) -> bool:
    """Whether two results in canonical form say the same of the same regions.

    Geometry may differ by the tolerance; what the editor adds by itself, and the id of an answer
    about the whole task, say nothing.
    """
    if is_exact(one, two):
        return True
    lefts, rights = units(one), units(two)
    return lefts.keys() == rights.keys() and all(
        _same(_said(unit, lefts[unit]), _said(unit, rights[unit]), tolerance_percent)
        for unit in lefts
    )


def region_words(result: Entries) -> dict[str, list[dict[str, Json]]]:
    """What is said of each region, by its id; exactly the same where it was left alone."""
    entries: dict[str, list[Mapping[str, Json]]] = {}
    for entry in result:
        if isinstance(name := entry.get("id"), str):
            entries.setdefault(name, []).append(entry)
    return {name: said(found) for name, found in entries.items()}


def choose_exact(base: Entries, ours: Entries, theirs: Entries) -> Entries:
    """Of two that say the same, the one that is not base's to the byte, else the greater."""
    if is_exact(ours, base):
        return theirs
    return ours if is_exact(theirs, base) else max(ours, theirs, key=as_bytes)


def _triples(
    base: Mapping[Unit, Entries], ours: Mapping[Unit, Entries], theirs: Mapping[Unit, Entries]
) -> dict[Unit, _Triple]:
    return {
        unit: _Triple(base=base.get(unit, ()), ours=ours.get(unit, ()), theirs=theirs.get(unit, ()))
        for unit in sorted(base.keys() | ours.keys() | theirs.keys())
    }


def _control(entry: Mapping[str, Json]) -> _Control:
    return (str(entry.get("from_name")), str(entry.get("type")))


def _said(unit: Unit, entries: Entries) -> _Said:
    """What the entries say, by control."""
    found: dict[_Control, list[dict[str, Json]]] = {}
    for entry in said(entries):
        if unit[0] == ANSWER and len(entries) == 1:
            entry.pop("id", None)
        found.setdefault(_control(entry), []).append(entry)
    return {control: _sorted(ones) for control, ones in found.items()}


def _sorted(twins: list[dict[str, Json]]) -> Entries:
    return tuple(twins if len(twins) == 1 else sorted(twins, key=encode))


def _merge_unit(unit: Unit, triple: _Triple, tolerance: float) -> Entries | None:
    """The unit's entries after the merge, none where it is gone; None where the sides disagree."""
    base, ours, theirs = (_said(unit, one) for one in (triple.base, triple.ours, triple.theirs))
    is_ours_same, is_theirs_same = _same(ours, base, tolerance), _same(theirs, base, tolerance)
    if is_ours_same != is_theirs_same:
        return triple.theirs if is_ours_same else triple.ours
    if is_ours_same or _same(ours, theirs, tolerance):
        return choose_exact(triple.base, triple.ours, triple.theirs)
    if triple.may_go:
        return None
    merged: _Said = {}
    for control in ours.keys() | theirs.keys():
        mine, other = ours.get(control, ()), theirs.get(control, ())
        chosen = _choose(base.get(control, ()), mine, other, tolerance)
        if chosen is None:
            return None
        if chosen:
            merged[control] = chosen
    # It cannot be the same as both: they say different things of a control, and it is one of them.
    for words, entries in ((ours, triple.ours), (theirs, triple.theirs)):
        if _same(merged, words, tolerance):
            return entries
    return _put_together(merged, tolerance)


def _choose(base: Entries, ours: Entries, theirs: Entries, tolerance: float) -> Entries | None:
    """One of the sides; None where both changed it and say different things."""
    is_ours_same, is_theirs_same = (is_alike(one, base, tolerance) for one in (ours, theirs))
    if is_ours_same != is_theirs_same:
        return theirs if is_ours_same else ours
    if not is_ours_same and not is_alike(ours, theirs, tolerance):
        return None
    return choose_exact(base, ours, theirs)


def _put_together(merged: _Said, tolerance: float) -> Entries | None:
    """The entries, taken from both sides, as one region; None where they make none."""
    entries = tuple(entry for control in sorted(merged) for entry in merged[control])
    # Of what one side says, nothing may look like the editor's copy of what the other says.
    is_plain = is_exact((*said(entries),), entries)
    return entries if entries and is_plain and _is_one_place(entries, tolerance) else None


def _is_one_place(entries: Entries, tolerance: float) -> bool:
    """Whether all entries of a region agree where it is.

    Each entry repeats it: a box moved on one side and a question answered on the other make a
    region that is in two places.
    """
    spoken = {str(entry.get("type")) for entry in entries} | {"text"}
    place: dict[str, Json] = {}
    for entry in entries:
        stated = {name: one for name, one in value_of(entry).items() if name not in spoken}
        shared = {name: place[name] for name in stated.keys() & place.keys()}
        if not is_near(shared, {name: stated[name] for name in shared}, tolerance):
            return False
        place.update(stated)
    return True


def _same(one: _Said, two: _Said, tolerance: float) -> bool:
    return one.keys() == two.keys() and all(
        is_alike(one[control], two[control], tolerance) for control in one
    )


def _torn(
    triples: Mapping[Unit, _Triple],
    agreed: Mapping[Unit, Entries],
    disputed: Mapping[Unit, ConflictKind],
) -> set[Unit]:
    """Relations whose region would be gone, with those regions.

    Not where the relation led nowhere on the side that says it.
    """
    torn: set[Unit] = set()
    for unit in triples:
        if unit[0] != RELATION or (unit not in agreed and unit not in disputed):
            continue
        for end in ((REGION, name) for name in unit[1:]):
            may_go = end in triples and end not in agreed and triples[end].may_go
            if may_go and _leads_somewhere(triples[unit], triples[end]):
                torn |= {unit, end}
    return torn


def _leads_somewhere(relation: _Triple, end: _Triple) -> bool:
    """Whether each side that has the relation has the region as well."""
    return bool((end.ours or not relation.ours) and (end.theirs or not relation.theirs))


def _dispute(unit: Unit, kind: ConflictKind, triple: _Triple) -> RegionConflict:
    return RegionConflict(
        kind=kind,
        region=" → ".join(unit[1:]) if unit[0] == RELATION else unit[1],
        base=triple.base,
        ours=triple.ours,
        theirs=triple.theirs,
    )
