"""When two entries of a result are the same: to the byte, or but for the noise of floats.

Owns the tolerance. Does not know which entries belong together (result_merge.py).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TypeGuard

from ops.core.conflicts import Entries
from ops.core.encoding import encode
from ops.core.records import Json
from ops.core.regions import value_of

TOLERANCE_PERCENT = 1e-6
"""Geometry that differs by no more, in percent of the image, is the same.

That is a ten-thousandth of a pixel of a picture 10 000 pixels wide; sums of percents in floats are
off by some 1e-14.
"""

_GEOMETRY = frozenset(("x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points"))
# Past this, numbers are no percents, and integers may be none a float can hold.
_LARGEST_PERCENT = 1e9


def as_bytes(entries: Iterable[Mapping[str, Json]]) -> bytes:
    """The entries' canonical bytes."""
    return encode([dict(entry) for entry in entries])


def is_exact(one: object, two: object) -> bool:
    """Whether two canonical values, entries or results are the same to the byte.

    For Python true is 1. Fields are sorted in canonical form, so the texts of equals are equal.
    """
    return one == two and repr(one) == repr(two)


def is_alike(one: Entries, two: Entries, tolerance: float) -> bool:
    """Whether entries are the same one by one, geometry within the tolerance."""
    return len(one) == len(two) and all(map(partial(_is_alike, tolerance=tolerance), one, two))


def _is_alike(one: Mapping[str, Json], two: Mapping[str, Json], *, tolerance: float) -> bool:
    if is_exact(one, two):
        return True
    return is_exact(_rest(one), _rest(two)) and is_near(value_of(one), value_of(two), tolerance)


def _rest(entry: Mapping[str, Json]) -> dict[str, Json]:
    """An entry without its value, where that is an object."""
    return {
        name: one for name, one in entry.items() if name != "value" or not isinstance(one, dict)
    }


def is_near(one: Json, two: Json, tolerance: float, *, is_geometry: bool = False) -> bool:
    """Whether two values are equal but for geometry, which is measured."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(
            is_near(one[name], two[name], tolerance, is_geometry=is_geometry or name in _GEOMETRY)
            for name in one
        )
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(
            is_near(mine, other, tolerance, is_geometry=is_geometry)
            for mine, other in zip(one, two, strict=True)
        )
    if is_geometry and _is_percent(one) and _is_percent(two):
        return abs(one - two) <= tolerance
    return type(one) is type(two) and one == two


def _is_percent(value: Json) -> TypeGuard[int | float]:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST_PERCENT
    )
