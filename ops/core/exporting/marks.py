"""What one answer says, as trainers think of it: marked regions with classes, and answers.

Owns how the entries of a Label Studio result belong together: entries of one id are one region, its
shape, its labels and what was asked about it. Geometry is in pixels, by ops/core/pixels.py.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from ops.core.classes import Kind, kind_of
from ops.core.pixels import box_of_corners, corners_of_box, pixels_of, to_pixels, whole
from ops.core.records import Json
from ops.core.regions import is_relation, label_field, labels, value_of

Point: TypeAlias = tuple[float, float]
Corners: TypeAlias = tuple[float, float, float, float]
"""The left, top, right and bottom edge."""

_DECIMALS = 6
"""Of a pixel, in every file: what lies behind them no annotator meant."""
_ELLIPSE_CORNERS = 64


class Shape(StrEnum):
    """What a region is."""

    BOX = "box"
    TURNED_BOX = "turned box"
    POLYGON = "polygon"
    ELLIPSE = "ellipse"
    KEY_POINT = "key point"
    BRUSH = "brush"
    OTHER = "region of another kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One region.

    Attributes:
        region_id: within its annotation.
        shape: what it is; what a writer cannot write it says by this name.
        entry: the entry that holds the geometry.
        labels: `(control, name)` as results say them, each once.
        answers: what was asked about this region, by control.
    """

    region_id: str
    shape: Shape
    entry: Mapping[str, Json]
    labels: tuple[tuple[str, str], ...] = ()
    answers: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def rotation(self) -> float:
        """Degrees, clockwise."""
        return _number(value_of(self.entry).get("rotation")) or 0.0

    def box(self, size: tuple[int, int]) -> Corners:
        """The edges of the upright rectangle around it, in pixels."""
        value = value_of(self.entry)
        if self.shape is Shape.BOX:
            x, y, wide, high = (_number(value.get(n)) or 0.0 for n in _BOX)
            left, top, right, bottom = corners_of_box(to_pixels((x, y, wide, high), *size))
            return tidy(left), tidy(top), tidy(right), tidy(bottom)
        points = self.corners(size)
        across, down = [x for x, _ in points], [y for _, y in points]
        return min(across), min(down), max(across), max(down)

    def corners(self, size: tuple[int, int]) -> Sequence[Point]:
        """Its outline in pixels; of an ellipse a polygon of 64 corners, of a key point itself."""
        value = value_of(self.entry)
        if self.shape is Shape.POLYGON:
            return [_pixels(one, size) for one in _pairs(value.get("points"))]
        x, y = (_number(value.get(name)) or 0.0 for name in ("x", "y"))
        if self.shape is Shape.KEY_POINT:
            return [_pixels((x, y), size)]
        if self.shape is Shape.ELLIPSE:
            wide, high = (_number(value.get(name)) or 0.0 for name in ("radiusX", "radiusY"))
            ring = [(x + wide * cos, y + high * sin) for cos, sin in _CIRCLE]
        else:
            wide, high = (_number(value.get(name)) or 0.0 for name in ("width", "height"))
            ring = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
        return _turned(ring, (x, y), self.rotation, size)


_BOX = ("x", "y", "width", "height")
_CIRCLE = [
    (
        math.cos(2 * math.pi * step / _ELLIPSE_CORNERS),
        math.sin(2 * math.pi * step / _ELLIPSE_CORNERS),
    )
    for step in range(_ELLIPSE_CORNERS)
]


def tidy(pixels: float) -> float:
    """A number of pixels in the one form every file has: whole, or of six decimals."""
    nearest = whole(pixels)
    return nearest if nearest is not None else round(pixels, _DECIMALS)


def extent(corners: Corners) -> tuple[float, float, float, float]:
    """x, y, width and height of the rectangle between the edges."""
    x, y, wide, high = box_of_corners(*corners)
    return x, y, tidy(wide), tidy(high)


def ring_area(ring: Sequence[Point]) -> float:
    """The area of a polygon that does not cross itself."""
    twice = sum(
        x * ring[place - 1][1] - ring[place - 1][0] * y for place, (x, y) in enumerate(ring)
    )
    return tidy(abs(twice) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered about the whole task: the control, the type and its value."""

    control: str
    type: str
    said: Json
    labels: tuple[str, ...] = ()

    @property
    def is_choice(self) -> bool:
        """Whether it names classes."""
        return kind_of(self.type) is Kind.ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A result, read."""

    marks: Sequence[Mark]
    answers: Sequence[Answer]
    relation_count: int


def read_result(result: Iterable[Mapping[str, Json]]) -> Reading:
    """The regions and answers of a result, in its order."""
    groups: dict[str, list[Mapping[str, Json]]] = {}
    relation_count = 0
    for number, entry in enumerate(result):
        if is_relation(entry):
            relation_count += 1
        else:
            groups.setdefault(str(entry.get("id", f" {number}")), []).append(entry)
    marks: list[Mark] = []
    answers: list[Answer] = []
    for region_id, entries in groups.items():
        placed = [entry for entry in entries if _is_placed(entry)]
        if placed:
            marks.append(_mark(region_id, placed, entries))
        else:
            answers += map(_answer, entries)
    return Reading(marks=marks, answers=answers, relation_count=relation_count)


def picture_size(result: Iterable[Mapping[str, Json]]) -> tuple[int, int] | None:
    """Width and height of the picture as its annotator saw it, where a region says them."""
    for entry in result:
        width, height = entry.get("original_width"), entry.get("original_height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            return width, height
    return None


def _mark(
    region_id: str, placed: Sequence[Mapping[str, Json]], entries: Sequence[Mapping[str, Json]]
) -> Mark:
    said: dict[tuple[str, str], None] = {}
    asked: dict[str, Json] = {}
    for entry in entries:
        kind, control = str(entry.get("type")), str(entry.get("from_name"))
        if kind.endswith("labels"):
            said.update(dict.fromkeys((control, name) for name in labels(entry)))
        elif _shape(entry) is Shape.OTHER and kind in value_of(entry):
            asked[control] = value_of(entry)[kind]
        elif kind == "textarea":
            asked[control] = value_of(entry).get("text")
    shapes = ((_shape(entry), entry) for entry in placed)
    shape, first = next(
        ((shape, entry) for shape, entry in shapes if shape is not Shape.OTHER),
        (Shape.OTHER, placed[0]),
    )
    return Mark(
        region_id=region_id,
        shape=shape,
        entry=first,
        labels=tuple(said),
        answers=asked,
    )


def _answer(entry: Mapping[str, Json]) -> Answer:
    kind, value = str(entry.get("type")), value_of(entry)
    known = label_field(entry) or ("text" if kind == "textarea" else kind)
    return Answer(
        control=str(entry.get("from_name")),
        type=kind,
        said=value.get(known, value),
        labels=labels(entry),
    )


_KINDS: Mapping[str, Shape] = {
    "rectangle": Shape.BOX,
    "polygon": Shape.POLYGON,
    "ellipse": Shape.ELLIPSE,
    "keypoint": Shape.KEY_POINT,
    "brush": Shape.BRUSH,
}
_FIELDS: Mapping[Shape, tuple[str, ...]] = {
    Shape.BOX: _BOX,
    Shape.POLYGON: (),
    Shape.ELLIPSE: ("x", "y", "radiusX", "radiusY"),
    Shape.KEY_POINT: ("x", "y"),
    Shape.BRUSH: (),
}


def _shape(entry: Mapping[str, Json]) -> Shape:
    """What an entry's own type and value make of it; a value that lacks something is none."""
    kind, value = str(entry.get("type")), value_of(entry)
    shape = _KINDS.get(kind.removesuffix("labels"), Shape.OTHER)
    if kind == "labels":
        shape = Shape.BOX if all(name in value for name in _BOX) else Shape.OTHER
        shape = Shape.POLYGON if "points" in value else shape
    if shape is Shape.POLYGON and (value.get("closed") is False or not _pairs(value.get("points"))):
        return Shape.OTHER
    if shape is Shape.BRUSH and not isinstance(value.get("rle"), list):
        return Shape.OTHER
    if shape is Shape.OTHER or any(_number(value.get(name)) is None for name in _FIELDS[shape]):
        return Shape.OTHER
    if shape is Shape.BOX and (_number(value.get("rotation")) or 0.0) % 360:
        return Shape.TURNED_BOX
    return shape


_ASKED = frozenset(
    {"choices", "taxonomy", "textarea", "rating", "number", "datetime", "pairwise", "ranker"}
)
_PLACED = frozenset({"x", "y", "points", "rle", "start", "end", "sequence", "imageDataURL"})


def _is_placed(entry: Mapping[str, Json]) -> bool:
    """Whether an entry is, or is about, a part of the task."""
    return str(entry.get("type")) not in _ASKED or bool(value_of(entry).keys() & _PLACED)


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        return None
    return float(value)


_LARGEST = 1e9


def _pairs(value: Json) -> list[Point]:
    """The points of a polygon; none where one of them is none."""
    found: list[Point] = []
    for one in value if isinstance(value, list) else []:
        numbers = [_number(part) for part in one] if isinstance(one, list) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:  # noqa: PLR2004 - x and y
            return []
        found.append((numbers[0], numbers[1]))
    return found


def _pixels(point: Point, size: tuple[int, int]) -> Point:
    return tidy(pixels_of(point[0], size[0])), tidy(pixels_of(point[1], size[1]))


def _turned(
    ring: Sequence[Point], pivot: Point, rotation: float, size: tuple[int, int]
) -> Sequence[Point]:
    """The corners in pixels, turned clockwise about the pivot: y points down."""
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    at_x, at_y = pixels_of(pivot[0], size[0]), pixels_of(pivot[1], size[1])
    found: list[Point] = []
    for x, y in ring:
        off_x, off_y = pixels_of(x, size[0]) - at_x, pixels_of(y, size[1]) - at_y
        found.append(
            (tidy(at_x + off_x * cos - off_y * sin), tidy(at_y + off_x * sin + off_y * cos))
        )
    return found
