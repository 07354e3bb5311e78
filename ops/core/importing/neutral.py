"""What a label file says of pictures, whatever its format.

Owns the neutral form readers give, and how bad files are refused. Knows no label config and no
repository: what an answer becomes is building.py's business.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from ops.core.documents import Source
from ops.core.records import Json


class Shape(StrEnum):
    """How a class is given to a picture."""

    BOX = "boxes"
    POLYGON = "polygons"
    MASK = "masks"
    CLASS = "classes"


class Unit(StrEnum):
    """What the numbers of a mark count."""

    PIXELS = "pixels"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """The pixels of a region, column after column as COCO counts them.

    Attributes:
        width, height: of the picture it covers.
        runs: lengths of pixels outside and inside in turn, outside first; they add up to all.
    """

    width: int
    height: int
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing marked in a picture, or a class given to it as a whole.

    Attributes:
        label: the class.
        shape: how it is marked.
        place: where the file says so, for errors: `objects[3]`.
        numbers: box: x y width height; polygon: x1 y1 x2 y2 …; none for the others.
        mask: of a mask.
        box: the box around a polygon or mask where the file states one, in the same unit.
        meta: what else the file says of it, as the region's `meta` keeps it.
    """

    label: str
    shape: Shape
    place: str
    numbers: tuple[float, ...] = ()
    mask: Mask | None = None
    box: tuple[float, float, float, float] | None = None
    meta: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How a file names a picture.

    Attributes:
        name: as it stands there: a path, a name, an address.
        is_stem: without the picture's ending, as a label file beside it is named.
    """

    name: str
    is_stem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one annotator said of one picture: one annotation.

    Attributes:
        picture: which; `other` names it once more where a file does so twice (VOC: by its own
            name), and must not name another.
        place: where it stands, for people: a file's name, or `task 3`.
        size: width and height the file states for the picture, in pixels; None where it states
            none.
        unit: of the marks' numbers.
        marks: what is marked; none: looked at, and nothing there.
        result: Label Studio's regions instead of marks, verbatim.
        unique_id, annotator, created_at, updated_at, lead_time_s, skipped, ground_truth: as the
            file says; None where it does not.
        data: more of the picture, for the task's data.
    """

    picture: Reference
    place: str
    other: Reference | None = None
    size: tuple[int, int] | None = None
    unit: Unit = Unit.PIXELS
    marks: tuple[Mark, ...] = ()
    result: tuple[Mapping[str, Json], ...] | None = None
    unique_id: str | None = None
    annotator: str | None = None
    updated_by: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    lead_time_s: float | None = None
    skipped: bool = False
    ground_truth: bool = False
    prediction: Mapping[str, Json] | None = None
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something of a file that a person should know: lost, or kept and odd.

    Attributes:
        what: which kind, in words: `keypoints`.
        place: where.
    """

    what: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader found.

    Attributes:
        answers: in the order of the file.
        unanswered: pictures the file names and says nothing of: nobody knows whether anybody looked
            at them.
        losses: what no record can hold.
        notes: what is kept though it is odd.
    """

    answers: tuple[Answer, ...] = ()
    unanswered: tuple[Reference, ...] = ()
    losses: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()


def joined(readings: Iterable[Reading]) -> Reading:
    """Several readings as one, in their order."""
    parts = list(readings)
    return Reading(
        answers=tuple(one for part in parts for one in part.answers),
        unanswered=tuple(one for part in parts for one in part.unanswered),
        losses=tuple(one for part in parts for one in part.losses),
        notes=tuple(one for part in parts for one in part.notes),
    )


def label_file(name: str) -> Source:
    """A label file somebody gives, for the errors that refuse it."""
    return Source(
        code="label-file",
        noun=name,
        subject=name,
        hint="correct the file at that place, then run the same command again; look first: "
        "--dry-run",
    )


def text_of(data: bytes, source: Source) -> str:
    """A file's text, with or without a byte order mark.

    Raises:
        InvalidDataError: it is empty, or not UTF-8.
    """
    if not data.strip():
        source.refuse("", "is empty" if not data else "holds nothing but white space")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source.refuse("", f"is not UTF-8 (byte {error.start}): save it as UTF-8")


def number(text: str, place: str, source: Source) -> float:
    """A finite number as a file writes it; whole where it is written so.

    Raises:
        InvalidDataError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        source.refuse(place, f"is {text[:_SHOWN]!r}, which is no number")
    if not isfinite(value) or "_" in text:
        source.refuse(place, f"is {text[:_SHOWN]!r}, which is no finite number")
    return value


def without_ending(path: str) -> str:
    """A path without the ending of its file's name: `a/b.c` of `a/b.c.jpg`."""
    folder, slash, name = path.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return folder + slash + (stem if dot and stem else name)


def around(points: Sequence[float]) -> tuple[float, float, float, float]:
    """The box around points given as x1 y1 x2 y2 and so on."""
    across, down = points[0::2], points[1::2]
    left, top = min(across), min(down)
    return left, top, max(across) - left, max(down) - top


_SHOWN = 40
