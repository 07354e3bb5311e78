"""COCO: one JSON file with images, categories and annotations.

An annotation with outlines is a polygon (a region a part), one with run lengths a mask, any other
a box; an outline that is its own box is taken for the box. What else is said of an annotation goes
into the region's meta under `coco`, of an image into the task's data under `coco`; keypoints and
captions have no place in a record and are named as lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from ops.core.documents import Fields, Source, parse
from ops.core.importing.neutral import (
    Answer,
    Mark,
    Mask,
    Reading,
    Reference,
    Remark,
    Shape,
    label_file,
    text_of,
)
from ops.core.importing.rle import counts_of, fits
from ops.core.records import Json

_OF_ANNOTATION = frozenset(
    {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"}
)
_KEYPOINTS = frozenset({"keypoints", "num_keypoints"})
_OF_IMAGE = frozenset({"id", "file_name", "width", "height"})
_OF_CATEGORY = frozenset({"id", "name"})
_OF_FILE = frozenset({"images", "annotations", "categories"})
_LEAST_POINTS = 3


def read_coco(name: str, data: bytes, *, empty: bool = False) -> Reading:
    """What a COCO file says.

    Args:
        name: the file's, for errors.
        data: its bytes.
        empty: images without an annotation were looked at, and nothing is there. COCO itself cannot
            tell that from pictures nobody has labeled.

    Raises:
        InvalidDataError: no JSON or no COCO, an id twice or of nothing, a file name twice, a box or
            an outline that is none.
    """
    source = label_file(name)
    text_of(data, source)
    document = parse(data.removeprefix(b"\xef\xbb\xbf"), source)
    if isinstance(document, list):
        source.refuse("", "is a list: COCO results are predictions; take them with ops predict add")
    return _Coco(Fields.of(document, "", source), name, source, empty=empty).read()


class _Coco:
    """One COCO file being read."""

    def __init__(self, fields: Fields, name: str, source: Source, *, empty: bool) -> None:
        self._fields = fields
        self._name = name
        self._source = source
        self._empty = empty
        self._losses: list[Remark] = []
        self._notes: list[Remark] = []

    def read(self) -> Reading:
        categories = self._categories()
        images = self._images()
        marks: dict[int, list[Mark]] = {}
        for one in self._fields.items("annotations"):
            image, label = one.integer("image_id"), categories.get(one.integer("category_id"))
            if image not in images:
                one.refuse("image_id", f"is {image}, and the file lists no such image")
            if label is None:
                stated = one.integer("category_id")
                one.refuse("category_id", f"is {stated}, and the file lists no such category")
            # What has neither box nor outline is lost, and says nothing of its picture.
            if found := list(self._marks(one, label, images[image])):
                marks.setdefault(image, []).extend(found)
        self._name_losses_of_file()
        return Reading(
            answers=tuple(
                self._answer(one, marks.get(number, []))
                for number, one in images.items()
                if number in marks or self._empty
            ),
            unanswered=tuple(
                Reference(name=one.text("file_name"))
                for number, one in images.items()
                if not (number in marks or self._empty)
            ),
            losses=tuple(self._losses),
            notes=tuple(self._notes),
        )

    def _lose(self, what: str, place: str) -> None:
        self._losses.append(Remark(what=what, place=f"{self._name}: {place}"))

    def _categories(self) -> Mapping[int, str]:
        found: dict[int, str] = {}
        for one in self._fields.items("categories"):
            if one.integer("id") in found:
                one.refuse("id", f"is {one.integer('id')}, which is there already")
            found[one.integer("id")] = one.text("name")
            for name in sorted(one.values.keys() - _OF_CATEGORY):
                if one.values[name] not in (None, "", "none", [], one.text("name")):
                    self._lose(f"{name} of categories", one.path)
        return found

    def _images(self) -> Mapping[int, Fields]:
        found: dict[int, Fields] = {}
        names: dict[str, str] = {}
        for one in self._fields.items("images"):
            number, name = one.integer("id"), one.text("file_name")
            if number in found:
                one.refuse("id", f"is {number}, which is there already")
            if name in names:
                one.refuse("file_name", f"is {name!r}, which {names[name]} is already")
            found[number], names[name] = one, one.path
        return found

    def _answer(self, image: Fields, marks: Sequence[Mark]) -> Answer:
        extra: dict[str, Json] = {
            name: value
            for name, value in image.values.items()
            if name not in _OF_IMAGE and value is not None
        }
        return Answer(
            picture=Reference(name=image.text("file_name")),
            place=f"{self._name}: {image.path}",
            size=_size(image),
            marks=tuple(marks),
            data={"coco": extra} if extra else {},
        )

    def _marks(self, one: Fields, label: str, image: Fields) -> Iterator[Mark]:
        if any(one.values.get(name) for name in _KEYPOINTS):
            self._lose("keypoints", one.path)
        box = _box(one)
        stated = one.values.get("segmentation")
        meta = _meta(one, box)
        if isinstance(stated, dict):
            mask = _mask(one.fields("segmentation"), image)
            yield Mark(label=label, shape=Shape.MASK, place=one.path, mask=mask, box=box, meta=meta)
        elif stated:
            yield from self._outlines(one, label, box, meta)
        elif box is not None:
            yield Mark(label=label, shape=Shape.BOX, place=one.path, numbers=box, meta=meta)
        else:
            self._lose("annotations without box or outline, such as captions", one.path)

    def _outlines(
        self, one: Fields, label: str, box: tuple[float, ...] | None, meta: Mapping[str, Json]
    ) -> Iterator[Mark]:
        parts = [_outline(one, number, part) for number, part in _parts(one)]
        around = None if box is None or len(parts) > 1 else box
        if around is not None and len(around) == len(_SIDES) and _is_box(parts[0], around):
            yield Mark(label=label, shape=Shape.BOX, place=one.path, numbers=around, meta=meta)
            return
        if len(parts) > 1:
            place = f"{self._name}: {one.path}"
            self._notes.append(Remark(what="outlines in parts, a region each", place=place))
        stated = meta.get("coco")
        for number, part in enumerate(parts, start=1):
            of: dict[str, Json] = {**stated} if isinstance(stated, dict) else {}
            if len(parts) > 1:
                of |= {"id": one.values.get("id"), "part": number, "parts": len(parts)}
            yield Mark(
                label=label,
                shape=Shape.POLYGON,
                place=one.path,
                numbers=part,
                meta={"coco": of} if of else {},
            )

    def _name_losses_of_file(self) -> None:
        for name in sorted(self._fields.values.keys() - _OF_FILE):
            if self._fields.values[name]:
                self._lose(f"{name} of the file", name)


_SIDES = ("x", "y", "width", "height")


def _size(image: Fields) -> tuple[int, int] | None:
    if not (image.has("width") and image.has("height")):
        return None
    width, height = image.integer("width"), image.integer("height")
    return (width, height) if width and height else None


def _box(one: Fields) -> tuple[float, float, float, float] | None:
    stated = one.values.get("bbox")
    if stated is None or stated == []:
        return None
    numbers = _numbers(one, "bbox", stated)
    if len(numbers) != len(_SIDES):
        one.refuse("bbox", f"has {len(numbers)} numbers; x, y, width and height belong there")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        one.refuse("bbox", f"is {list(numbers)}: its width or height is negative")
    return x, y, width, height


def _numbers(one: Fields, name: str, stated: Json) -> tuple[float, ...]:
    items = stated if isinstance(stated, list) else [stated]
    numbers = [n for n in items if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(numbers) != len(items) or not isinstance(stated, list):
        one.refuse(name, "must be an array of numbers")
    return tuple(numbers)


def _parts(one: Fields) -> Iterator[tuple[int, Json]]:
    stated = one.array("segmentation")
    # Some tools write a single outline without the array around it.
    parts = stated if any(isinstance(part, list) for part in stated) else [stated]
    yield from enumerate(parts)


def _outline(one: Fields, number: int, stated: Json) -> tuple[float, ...]:
    name = f"segmentation[{number}]"
    points = _numbers(one, name, stated)
    if len(points) % 2 or len(points) < 2 * _LEAST_POINTS:
        one.refuse(name, f"has {len(points)} numbers; x and y of three points or more belong there")
    return points


def _is_box(outline: Sequence[float], box: Sequence[float]) -> bool:
    """Say whether an outline is the four corners of its own box, in turn."""
    x, y, width, height = box
    corners = list(zip(outline[0::2], outline[1::2], strict=True))
    if len(corners) == len(_SIDES) + 1 and corners[0] == corners[-1]:
        corners.pop()
    wanted = {(x, y), (x + width, y), (x + width, y + height), (x, y + height)}
    turns = [*corners, corners[0]]
    is_straight = all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise(turns))
    return len(corners) == len(_SIDES) and set(corners) == wanted and is_straight


def _mask(stated: Fields, image: Fields) -> Mask:
    size = _numbers(stated, "size", stated.any("size"))
    if len(size) != 2 or any(side != int(side) or side < 1 for side in size):  # noqa: PLR2004
        stated.refuse("size", "must be height and width")
    counts = stated.any("counts")
    try:
        runs = counts_of(counts) if isinstance(counts, str) else _runs(stated, counts)
    except ValueError:
        stated.refuse("counts", "is no run-length code of COCO")
    mask = Mask(width=int(size[1]), height=int(size[0]), runs=runs)
    known = _size(image)
    if not fits(mask) or known not in {None, (mask.width, mask.height)}:
        stated.refuse("counts", f"does not cover the {mask.width} by {mask.height} of its picture")
    return mask


def _runs(stated: Fields, counts: Json) -> tuple[int, ...]:
    numbers = _numbers(stated, "counts", counts)
    if any(number != int(number) for number in numbers):
        stated.refuse("counts", "must be whole numbers")
    return tuple(int(number) for number in numbers)


def _meta(one: Fields, box: tuple[float, ...] | None) -> dict[str, Json]:
    """What an annotation says beside its class and shape, where it says something."""
    kept: dict[str, Json] = {
        name: value
        for name, value in one.values.items()
        if name not in _OF_ANNOTATION | _KEYPOINTS and value not in (None, [], {})
    }
    if one.values.get("iscrowd"):
        kept["iscrowd"] = one.values["iscrowd"]
    area = one.values.get("area")
    if area is not None and (box is None or area != box[2] * box[3]):
        kept["area"] = area
    return {"coco": kept} if kept else {}
