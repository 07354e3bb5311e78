"""What two states of one annotation say differently, region by region.

Owns which region is which on the other side, and whether it was moved. Does not count (diff.py).
A region is an entry of a result that is no relation, as the dataset card counts them; a skipped
annotation says none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

from ops.core.geometry import iou
from ops.core.likeness import TOLERANCE_PERCENT, is_alike, is_near
from ops.core.records import Annotation, Json
from ops.core.regions import RELATION, label_field, labels, said, value_of
from ops.core.units import ANSWER, REGION, Unit, units

_Entry: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPair:
    """One region that is not the same on both sides; on a side where it is not, None.

    Attributes:
        unit: what it belongs to: the entries of one box share one.
        before, after: what is said of it, without what the editor adds.
        labels_before, labels_after: the classes it named, and names.
    """

    unit: Unit
    before: _Entry | None
    after: _Entry | None
    labels_before: frozenset[str]
    labels_after: frozenset[str]

    @classmethod
    def of(cls, unit: Unit, before: _Entry | None, after: _Entry | None) -> "RegionPair":
        """A pair with its classes."""
        old, new = (frozenset(labels(one)) if one else frozenset[str]() for one in (before, after))
        return cls(unit=unit, before=before, after=after, labels_before=old, labels_after=new)

    @property
    def transition(self) -> tuple[str, str] | None:
        """From which class to which; None unless one class stands where one other stood."""
        lost = self.labels_before - self.labels_after
        gained = self.labels_after - self.labels_before
        if len(lost) == len(gained) == 1:
            return next(iter(lost)), next(iter(gained))
        return None

    @property
    def is_moved(self) -> bool:
        """Whether it is there on both sides and not in the same place, the tolerance aside."""
        if self.before is None or self.after is None or self.unit[0] != REGION:
            return False
        one, two = _place(self.before), _place(self.after)
        return one != two and not is_near(one, two, TOLERANCE_PERCENT)


def region_pairs(before: Annotation | None, after: Annotation | None) -> list[RegionPair]:
    """The regions that differ, in a stable order; canonical results, None for no annotation.

    Where one place has several entries of one control, those that are the same on both sides are
    taken out, and the others matched in the order of their texts.
    """
    lefts, rights = _by_place(before), _by_place(after)
    return [
        RegionPair.of(place[0], old, new)
        for place in sorted(lefts.keys() | rights.keys())
        for old, new in _matched(lefts.get(place, []), rights.get(place, []))
    ]


def overlaps(pairs: list[RegionPair]) -> list[float | None]:
    """For each region that was moved or reshaped its iou, None where it cannot be measured.

    A box with three questions has four entries and is one region here.
    """
    found: dict[Unit, float | None] = {}
    for pair in pairs:
        if pair.is_moved and found.get(pair.unit) is None:
            found[pair.unit] = iou(pair.before or {}, pair.after or {})
    return list(found.values())


_Place: TypeAlias = tuple[Unit, str, str, str]


def _by_place(annotation: Annotation | None) -> dict[_Place, list[_Entry]]:
    """What is said, by region and control."""
    found: dict[_Place, list[_Entry]] = {}
    if annotation is None or annotation.skipped:
        return found
    for unit, entries in units(annotation.result).items():
        for entry in said(entries) if unit[0] != RELATION else []:
            if unit[0] == ANSWER:
                entry.pop("id", None)
            control = str(entry.get("from_name")), str(entry.get("to_name"))
            found.setdefault((unit, *control, str(entry.get("type"))), []).append(entry)
    return found


def _matched(
    lefts: list[_Entry], rights: list[_Entry]
) -> Iterator[tuple[_Entry | None, _Entry | None]]:
    """Entries of one place that differ, each with its counterpart."""
    if lefts == rights and repr(lefts) == repr(rights):
        return
    # Fields are sorted in canonical form, so equal entries have equal texts.
    texts = {repr(entry): entry for entry in (*lefts, *rights)}
    old, new = Counter(map(repr, lefts)), Counter(map(repr, rights))
    gone, come = sorted((old - new).elements()), sorted((new - old).elements())
    for before, after in zip_longest(map(texts.get, gone), map(texts.get, come)):
        if before is None or after is None or not _is_alike(before, after):
            yield before, after


def _is_alike(before: _Entry, after: _Entry) -> bool:
    return is_alike((before,), (after,), TOLERANCE_PERCENT)


def _place(entry: _Entry) -> dict[str, Json]:
    """The fields of a value that say where, not what."""
    spoken = {str(entry.get("type")), label_field(entry), "text"}
    return {name: value for name, value in value_of(entry).items() if name not in spoken}
