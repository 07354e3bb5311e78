"""Overlap of regions: laws, figures worked out by hand, and a raster of points as the oracle."""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from ops.core.areas import areas
from ops.core.geometry import ELLIPSE_TOLERANCE, iou
from ops.core.records import Json
from tests.strategies import regions as strange_regions
from tests.strategies import values

Region: TypeAlias = dict[str, Json]

WIDTH, HEIGHT = 640, 480
GRID = 100
RASTER_TOLERANCE = 0.04
"""How far a raster of 100 × 100 points over both shapes is off, for shapes that are no slivers."""

_percent = st.integers(0, 9_000).map(lambda part: part / 100)
_side = st.integers(800, 6_000).map(lambda part: part / 100)
_turn = st.one_of(st.just(0), st.integers(-720, 720), st.floats(-360, 360))


def region(value: Mapping[str, Json], **more: Json) -> Region:
    """A region on a picture of 640 × 480."""
    return {
        "id": "a",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": dict(value),
        **more,
    }


def box(x: float, y: float, width: float, height: float, *, turn: float = 0) -> Region:
    """A rectangle."""
    return region({"x": x, "y": y, "width": width, "height": height, "rotation": turn})


def ellipse(x: float, y: float, radius_x: float, radius_y: float, *, turn: float = 0) -> Region:
    """An ellipse about a centre."""
    return region({"x": x, "y": y, "radiusX": radius_x, "radiusY": radius_y, "rotation": turn})


def polygon(*points: tuple[float, float]) -> Region:
    """A closed polygon."""
    return region({"points": [[x, y] for x, y in points], "closed": True})


boxes = st.builds(box, _percent, _percent, _side, _side, turn=_turn)
ellipses = st.builds(ellipse, _percent, _percent, _side, _side, turn=_turn)


@st.composite
def stars(draw: st.DrawFn) -> Region:
    """A polygon about a centre, concave more often than not."""
    x, y, size = draw(_percent), draw(_percent), draw(_side)
    reaches = draw(st.lists(st.sampled_from([1, 0.9, 0.5, 0.3]), min_size=3, max_size=9))
    step = 2 * math.pi / len(reaches)
    return polygon(
        *(
            (x + size * reach * math.cos(k * step), y + size * reach * math.sin(k * step))
            for k, reach in enumerate(reaches)
        )
    )


_any_polygon = st.lists(st.tuples(_percent, _percent), min_size=3, max_size=8).map(
    lambda points: polygon(*points)
)
shapes: Strategy[Region] = st.one_of(boxes, ellipses, stars(), _any_polygon)
solid = st.one_of(boxes, ellipses, stars())


# The oracle: is a point inside? Asked of the value itself, for each of 10 000 points.


def number(value: Json) -> float:
    """A number of a value."""
    assert isinstance(value, int | float)
    return value


def turned_back(value: Mapping[str, Json], x: float, y: float) -> tuple[float, float]:
    """A point in pixels as the shape sees it: from its pivot, before it was turned."""
    angle = math.radians(number(value["rotation"]))
    right = x - number(value["x"]) / 100 * WIDTH
    down = y - number(value["y"]) / 100 * HEIGHT
    return (
        right * math.cos(angle) + down * math.sin(angle),
        down * math.cos(angle) - right * math.sin(angle),
    )


def is_inside(value: Mapping[str, Json], x: float, y: float) -> bool:
    """Whether a point, in pixels, is in the shape of a value."""
    if "points" in value:
        return is_in_polygon(value["points"], x / WIDTH * 100, y / HEIGHT * 100)
    right, down = turned_back(value, x, y)
    if "radiusX" in value:
        radius_x = number(value["radiusX"]) / 100 * WIDTH
        radius_y = number(value["radiusY"]) / 100 * HEIGHT
        return (right / radius_x) ** 2 + (down / radius_y) ** 2 <= 1
    width = number(value["width"]) / 100 * WIDTH
    height = number(value["height"]) / 100 * HEIGHT
    return 0 <= right <= width and 0 <= down <= height


def is_in_polygon(points: Json, x: float, y: float) -> bool:
    """Even-odd: how many sides a ray to the right crosses."""
    assert isinstance(points, list)
    corners = [(number(one[0]), number(one[1])) for one in points if isinstance(one, list)]
    crossed = 0
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        crossed += (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
    return crossed % 2 == 1


def extent(value: Mapping[str, Json]) -> tuple[float, float, float]:
    """The centre of a circle, and its radius, that hold the shape, in pixels."""
    if "points" in value:
        points = value["points"]
        assert isinstance(points, list)
        corners = [(number(o[0]), number(o[1])) for o in points if isinstance(o, list)]
        x, y = corners[0]
        far = max(math.hypot((a - x) * WIDTH, (b - y) * HEIGHT) for a, b in corners) / 100
    else:
        x, y = number(value["x"]), number(value["y"])
        wide = number(value.get("radiusX", value.get("width")))
        high = number(value.get("radiusY", value.get("height")))
        far = math.hypot(wide * WIDTH, high * HEIGHT) / 100
    return x / 100 * WIDTH, y / 100 * HEIGHT, far


def raster_iou(one: Region, two: Region) -> float:
    """The share of points in either shape that are in both."""
    values_ = [shape["value"] for shape in (one, two)]
    lefts = [value for value in values_ if isinstance(value, dict)]
    circles = [extent(value) for value in lefts]
    # Shrunk to where either has a point: a coarse raster first.
    window = (
        min(x - far for x, _, far in circles),
        min(y - far for _, y, far in circles),
        max(x + far for x, _, far in circles),
        max(y + far for _, y, far in circles),
    )
    found = _inside(lefts, window)
    xs, ys = [x for x, _, _ in found], [y for _, y, _ in found]
    step_x, step_y = (window[2] - window[0]) / GRID, (window[3] - window[1]) / GRID
    window = (min(xs) - step_x, min(ys) - step_y, max(xs) + step_x, max(ys) + step_y)
    found = _inside(lefts, window)
    return sum(both for _, _, both in found) / len(found)


def _inside(
    shapes_: list[dict[str, Json]], window: tuple[float, float, float, float]
) -> list[tuple[float, float, bool]]:
    """The raster's points in either shape, and whether each is in both."""
    left, top, right, bottom = window
    found: list[tuple[float, float, bool]] = []
    for row in range(GRID):
        for column in range(GRID):
            x = left + (column + 0.5) / GRID * (right - left)
            y = top + (row + 0.5) / GRID * (bottom - top)
            said = [is_inside(value, x, y) for value in shapes_]
            if any(said):
                found.append((x, y, all(said)))
    return found


@settings(max_examples=60)
@given(solid, solid)
def test_it_is_what_a_raster_of_points_says(one: Region, two: Region) -> None:
    """Boxes and ellipses, turned or not, and stars; within what such a raster is worth."""
    measured = iou(one, two)
    assert measured is not None
    assert measured == pytest.approx(raster_iou(one, two), abs=RASTER_TOLERANCE)


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(0, 40), solid)
def test_it_is_what_a_raster_says_of_shapes_that_overlap(
    right: int, down: int, one: Region
) -> None:
    """Each beside a box in its own middle, so that most share something."""
    value = one["value"]
    assert isinstance(value, dict)
    x, y, far = extent(value)
    other = box((x - far / 2) / WIDTH * 100, (y - far / 2) / HEIGHT * 100, 10 + right, 10 + down)
    assert iou(one, other) == pytest.approx(raster_iou(one, other), abs=RASTER_TOLERANCE)


@settings(max_examples=300)
@given(shapes, shapes)
def test_laws(one: Region, two: Region) -> None:
    """Between 0 and 1; the same to the bit whichever comes first; 1 with itself."""
    measured = iou(one, two)
    assert measured == iou(two, one)
    assert measured is None or 0 <= measured <= 1
    assert iou(one, one) in {None, 1.0}


@settings(max_examples=200)
@given(solid)
def test_a_solid_shape_is_itself(one: Region) -> None:
    """To the bit."""
    assert iou(one, one) == 1.0


@settings(max_examples=200)
@given(solid, solid)
def test_shapes_apart_share_nothing(one: Region, two: Region) -> None:
    """Each in a circle of its own, and the circles do not touch: exactly nothing."""
    values_ = [shape["value"] for shape in (one, two)]
    circles = [extent(value) for value in values_ if isinstance(value, dict)]
    gap = (circles[0][2] + circles[1][2] + 1) / WIDTH * 100
    left, right = circles[0][0] / WIDTH * 100, circles[1][0] / WIDTH * 100
    assert iou(one, shifted(two, left + gap - right)) == 0


def shifted(one: Region, right: float) -> Region:
    """The same shape so many percent further to the right."""
    value = one["value"]
    assert isinstance(value, dict)
    if "points" in value:
        return moved(one, lambda x, y: (x + right, y))
    return {**one, "value": {**value, "x": number(value["x"]) + right}}


_MOVES: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "moved": lambda x, y: (x + 12.5, y - 3.25),
    "mirrored": lambda x, y: (100 - x, y),
    "scaled": lambda x, y: (x * 0.37, y * 0.37),
    "sheared": lambda x, y: (x + 0.5 * y, y),
    "transposed": lambda x, y: (y, x),
}


@pytest.mark.parametrize("move", _MOVES)
@settings(max_examples=60)
@given(one=st.one_of(stars(), _any_polygon), two=st.one_of(stars(), _any_polygon))
def test_both_moved_alike_overlap_as_before(one: Region, two: Region, move: str) -> None:
    """Whatever keeps areas in proportion keeps the measure."""
    before, after = iou(one, two), iou(moved(one, _MOVES[move]), moved(two, _MOVES[move]))
    if before is None or after is None:
        # Corners on a line, whose area is what floats leave of nothing.
        return
    thin = min(area(one), area(two)) < 0.5
    assume(not thin)
    assert after == pytest.approx(before, abs=1e-6)


def moved(one: Region, move: Callable[[float, float], tuple[float, float]]) -> Region:
    """A polygon with each corner elsewhere."""
    return polygon(*(move(x, y) for x, y in corners_of(one)))


def corners_of(one: Region) -> list[tuple[float, float]]:
    """The corners of a polygon."""
    value = one["value"]
    assert isinstance(value, dict)
    points = value["points"]
    assert isinstance(points, list)
    return [(number(o[0]), number(o[1])) for o in points if isinstance(o, list)]


def area(one: Region) -> float:
    """The area of a polygon in squares of a percent."""
    corners = corners_of(one)
    return areas(corners, corners).one


@settings(max_examples=100)
@given(st.one_of(stars(), _any_polygon), st.integers(0, 20), st.booleans())
def test_where_a_polygon_starts_and_which_way_it_runs_plays_no_part(
    one: Region, start: int, is_reversed: bool
) -> None:
    """It is the same polygon."""
    corners = corners_of(one)
    cut = start % len(corners)
    other = corners[cut:] + corners[:cut]
    measured = iou(one, polygon(*(other[::-1] if is_reversed else other)))
    assert measured is None or measured == pytest.approx(1, abs=1e-9)


@settings(max_examples=100)
@given(_percent, _percent, st.tuples(_side, _side), st.integers(-3, 3))
def test_a_box_turned_by_quarters_is_another_box(
    x: float, y: float, size: tuple[float, float], quarters: int
) -> None:
    """About its top left corner, clockwise, in pixels."""
    width, height = size
    wide, high = width / 100 * WIDTH, height / 100 * HEIGHT
    left, top = x / 100 * WIDTH, y / 100 * HEIGHT
    expected = {
        0: (left, top, wide, high),
        1: (left - high, top, high, wide),
        2: (left - wide, top - high, wide, high),
        3: (left, top - wide, high, wide),
    }[quarters % 4]
    other = box(
        expected[0] / WIDTH * 100,
        expected[1] / HEIGHT * 100,
        expected[2] / WIDTH * 100,
        expected[3] / HEIGHT * 100,
    )
    measured = iou(box(x, y, width, height, turn=quarters * 90), other)
    assert measured == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        # Half of each is shared: a half over one and a half.
        (box(0, 0, 20, 20), box(10, 0, 20, 20), 1 / 3),
        # A quarter in the middle.
        (box(0, 0, 20, 20), box(5, 5, 10, 10), 1 / 4),
        (box(0, 0, 20, 20), box(20, 0, 20, 20), 0),
        # A square of 96 px and the diamond of the same size about its middle: an octagon.
        (
            box(0, 0, 15, 20),
            box(7.5, (48 - 48 * math.sqrt(2)) / HEIGHT * 100, 15, 20, turn=45),
            (2 * math.sqrt(2) - 2) / (2 - (2 * math.sqrt(2) - 2)),
        ),
        # A triangle is half of its box; an L is three of the four quarters of one.
        (polygon((0, 0), (10, 0), (0, 10)), box(0, 0, 10, 10), 1 / 2),
        (polygon((0, 0), (20, 0), (20, 10), (10, 10), (10, 20), (0, 20)), box(0, 0, 20, 20), 3 / 4),
        # The two arms of a U and what lies between them.
        (
            polygon((0, 0), (10, 0), (10, 20), (20, 20), (20, 0), (30, 0), (30, 30), (0, 30)),
            box(10, 0, 10, 20),
            0,
        ),
        # A bow tie is two triangles; even-odd, so that a square drawn twice is none.
        (polygon((0, 0), (10, 10), (10, 0), (0, 10)), box(0, 0, 10, 10), 1 / 2),
        # A cross of two bars shares its middle, one of five squares.
        (box(0, 10, 30, 10), polygon((10, 0), (20, 0), (20, 30), (10, 30)), 1 / 5),
        # Ellipses: half the radii is a quarter of the area; a box around one is 4/π of it.
        (ellipse(50, 50, 20, 10), ellipse(50, 50, 10, 5), 1 / 4),
        (ellipse(50, 50, 20, 10), box(30, 40, 40, 20), math.pi / 4),
        # In pixels, 15 % of 640 is 20 % of 480: a circle, turned, is itself.
        (ellipse(50, 50, 15, 20), ellipse(50, 50, 15, 20, turn=33), 1),
        # Two circles of radius r, r apart: the lens of 2π/3 - √3/2.
        (
            ellipse(40, 50, 15, 20),
            ellipse(55, 50, 15, 20),
            (2 * math.pi / 3 - math.sqrt(3) / 2)
            / (2 * math.pi - 2 * math.pi / 3 + math.sqrt(3) / 2),
        ),
    ],
)
def test_by_hand(one: Region, two: Region, expected: float) -> None:
    """Figures of the school book."""
    assert iou(one, two) == pytest.approx(expected, abs=ELLIPSE_TOLERANCE)


def test_an_ellipse_has_the_area_of_an_ellipse() -> None:
    """Whatever it is measured as: what is off lies along its edge, and cancels out."""
    whole = box(0, 0, 100, 100)
    assert iou(ellipse(50, 50, 10, 5, turn=20), whole) == pytest.approx(math.pi * 0.005, abs=1e-12)


@settings(max_examples=100)
@given(boxes, boxes)
def test_boxes_without_a_picture_need_its_size_only_when_turned(one: Region, two: Region) -> None:
    """An upright box is the same share of any picture."""
    bare = [{**shape, "original_width": None} for shape in (one, two)]
    values_ = [shape["value"] for shape in (one, two)]
    is_turned = any(number(v["rotation"]) % 360 for v in values_ if isinstance(v, dict))
    measured = iou(bare[0], bare[1])
    if is_turned:
        assert measured is None
    else:
        assert measured == pytest.approx(iou(one, two), abs=1e-9)
    # One of them knows it, and both are on one picture.
    assert iou(bare[0], two) == iou(one, two)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"x": 1, "y": 2, "width": 0.5},
        {"format": "rle", "rle": [0, 1]},
        {"x": 1, "y": 2, "width": 10, "height": 0},
        {"x": 1, "y": 2, "width": True, "height": 3},
        {"x": "1", "y": 2, "width": 1, "height": 3},
        {"x": 1, "y": 2, "width": 10**400, "height": 3},
        {"x": 1, "y": 2, "width": 1, "height": 3, "rotation": None},
        {"x": 1, "y": 2, "radiusX": 4},
        {"points": []},
        {"points": [[1, 1], [2, 2]], "closed": True},
        {"points": [[1, 1], [20, 2], [3, 30]], "closed": False},
        {"points": [[1, 1], [20, 2], [3]]},
        {"points": [[1, 1], [20, 2], 3]},
        {"points": [[1, 1], [20, 2], [3, None]]},
        {"points": 4},
        {"start": 1, "end": 5, "text": "brie"},
        {"sequence": [{"frame": 1, "x": 1, "y": 1, "width": 3, "height": 3}]},
    ],
)
def test_what_has_no_area_is_not_measured(value: dict[str, Json]) -> None:
    """Neither with itself nor with a box."""
    assert iou(region(value), region(value)) is None
    assert iou(region(value), box(0, 0, 50, 50)) is None


def test_two_pictures_are_not_compared() -> None:
    """Nor one picture in two sizes, or turned by its annotator."""
    one = box(10, 10, 20, 20)
    assert iou(one, {**one, "to_name": "other"}) is None
    assert iou(one, {**one, "item_index": 1}) is None
    assert iou({**one, "item_index": 0}, one) == 1
    assert iou(one, {**one, "image_rotation": 90}) is None
    assert iou(one, {**one, "image_rotation": 0}) == 1
    assert iou(one, {**one, "original_width": 641}) is None
    assert iou(one, {**one, "original_width": -1}) == 1


@settings(max_examples=100)
@given(strange_regions(), strange_regions(), values)
@example({"value": []}, {}, None)
def test_whatever_a_region_says_it_is_measured_or_not(
    one: Region, two: Region, stray: Json
) -> None:
    """It never fails, and what is measured is a share."""
    odd: Region = {**one, "original_width": stray, "value": {**box(0, 0, 5, 5), "x": stray}}
    for left, right in ((one, two), (odd, two), (odd, odd)):
        measured = iou(left, right)
        assert measured is None or 0 <= measured <= 1
