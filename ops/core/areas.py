"""The area two shapes share, exact but for the rounding of floats.

Owns the area of closed rings of points, simple or not. Does not know regions, nor where the points
come from (geometry.py).

Cut at the height of every corner, both shapes fall into slabs in which edges are straight from top
to bottom; cut again where edges cross, no two of them change places in a slab, so that what lies
between neighbours is a trapezoid, and a trapezoid's area is its height times its width halfway:
the decomposition of F. P. Preparata and M. I. Shamos, Computational Geometry (1985), 7.2. No
corner is a special case, and shapes may be concave. A ring that crosses itself is filled by the
even-odd rule.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

Ring: TypeAlias = Sequence[tuple[float, float]]
"""The corners of a closed shape in their order, x and y; the last one joins the first."""


class Areas(NamedTuple):
    """The area of one ring, of the other, and of what is in both."""

    one: float
    two: float
    both: float


class _Edge(NamedTuple):
    """An edge from its upper end to its lower one, and whose it is: the first ring's or not."""

    top: float
    bottom: float
    x_top: float
    x_bottom: float
    is_first: bool

    def at(self, y: float) -> float:
        """Where the edge is at a height."""
        share = (y - self.top) / (self.bottom - self.top)
        return self.x_top + share * (self.x_bottom - self.x_top)


class _Side(NamedTuple):
    """An edge within a slab: where it is at the top and at the bottom of it."""

    x_top: float
    x_bottom: float
    is_first: bool


def areas(one: Ring, two: Ring) -> Areas:
    """The area of each of two rings and of their intersection.

    Swapped rings give swapped figures; a ring and itself three equal ones, to the last bit. Time:
    the number of corners times the number of edges at one height, a handful for what people draw.
    """
    area_one = area_two = area_both = 0.0
    for height, sides in _slabs([*_edges(one, is_first=True), *_edges(two, is_first=False)]):
        cuts = [0.0, *_crossings(sides), 1.0]
        for upper, lower in pairwise(cuts):
            widths = _widths(sides, (upper + lower) / 2)
            area_one += height * (lower - upper) * widths.one
            area_two += height * (lower - upper) * widths.two
            area_both += height * (lower - upper) * widths.both
    return Areas(area_one, area_two, area_both)


def _edges(ring: Ring, *, is_first: bool) -> Iterator[_Edge]:
    """The ring's edges but for the level ones, which bound no slab."""
    for index, end in enumerate(ring):
        (x_top, top), (x_bottom, bottom) = sorted((ring[index - 1], end), key=_height)
        if top < bottom:
            yield _Edge(top, bottom, x_top, x_bottom, is_first)


def _height(point: tuple[float, float]) -> float:
    return point[1]


def _slabs(edges: list[_Edge]) -> Iterator[tuple[float, list[_Side]]]:
    """The height of each slab and the edges in it, from left to right at its top."""
    edges.sort(reverse=True)
    levels = sorted({y for edge in edges for y in (edge.top, edge.bottom)})
    active: list[_Edge] = []
    for top, bottom in pairwise(levels):
        active = [edge for edge in active if edge.bottom > top]
        while edges and edges[-1].top <= top:
            active.append(edges.pop())
        yield bottom - top, sorted(_Side(e.at(top), e.at(bottom), e.is_first) for e in active)


def _crossings(sides: list[_Side]) -> list[float]:
    """Where edges cross within the slab, as shares of its height."""
    if all(left.x_bottom <= right.x_bottom for left, right in pairwise(sides)):
        return []
    found = {
        gap / (gap + left.x_bottom - right.x_bottom)
        for left, right in combinations(sides, 2)
        if (gap := right.x_top - left.x_top) > 0 and left.x_bottom > right.x_bottom
    }
    return sorted(found)


def _widths(sides: list[_Side], share: float) -> Areas:
    """How much of a level line is in one ring, in the other, and in both."""
    crossed = sorted(
        (side.x_top + share * (side.x_bottom - side.x_top), side.is_first) for side in sides
    )
    one = two = both = 0.0
    is_in_one = is_in_two = False
    before = 0.0
    for x, is_first in crossed:
        if is_in_one:
            one += x - before
        if is_in_two:
            two += x - before
        if is_in_one and is_in_two:
            both += x - before
        is_in_one, is_in_two = is_in_one ^ is_first, is_in_two ^ (not is_first)
        before = x
    return Areas(one, two, both)
