"""Files that models' predictions come in, as statements about named pictures.

Owns reading four formats strictly: ops's own JSON lines, COCO results, a folder of YOLO texts and
Label Studio's tasks. Says what stands where and what is wrong with it; decides neither which task a
name means nor what the ontology lets anybody say (prediction_rules.py). Opens no file.

A box's unit: percent of the picture in JSON lines (unless they say otherwise), pixels in COCO,
fractions of the picture in YOLO; x and y are the upper left corner, in YOLO the centre.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import PurePosixPath
from typing import TypeAlias

from ops.core.documents import Source, parse
from ops.core.records import Json
from ops.core.region_rules import is_score
from ops.errors import InvalidDataError


class PredictionFormat(StrEnum):
    """How a file of predictions is written."""

    AUTO = "auto"
    JSONL = "jsonl"
    COCO = "coco"
    YOLO = "yolo"
    LABEL_STUDIO = "labelstudio"


class Unit(StrEnum):
    """What a box is measured in."""

    PERCENT = "percent"
    PIXELS = "pixels"
    FRACTION = "fraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box: its class by name, or by the number a trainer knows it by.

    Attributes:
        sides: x and y of the upper left corner, width and height.
    """

    label: str | int
    sides: tuple[float, float, float, float]
    unit: Unit
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a file says of one picture.

    Attributes:
        place: where it stands: `line 3`, or a file.
        name: the picture's name there.
        is_stem: the name lacks the picture's ending, as a YOLO text's does.
        size: pixels of width and height, where the file says so.
        result: Label Studio's regions, or None for boxes.
        problem: what is wrong with it, or None; then nothing else of it counts.
    """

    place: str
    name: str
    is_stem: bool = False
    score: Json = None
    size: tuple[int, int] | None = None
    result: Sequence[Json] | None = None
    boxes: tuple[Box, ...] = ()
    problem: str | None = None


ClassName: TypeAlias = Callable[[int], str | None]
"""The name of a class by its number; None where nobody has that number."""


def source_of(file: str) -> Source:
    """How an error names the file."""
    return Source(
        code="predictions-unreadable",
        noun=file,
        hint="write the file again, or say what it is: --format jsonl|coco|yolo|labelstudio",
        subject=file,
    )


def detect(data: bytes, file: str) -> PredictionFormat:
    """The format of a file by what it begins with.

    Raises:
        InvalidDataError: it is empty, or none of them.
    """
    if not data.strip():
        source_of(file).refuse("", "is empty: it predicts nothing")
    first = data.lstrip()[:1]
    if first == b"{":
        lines = [line for line in data.splitlines() if line.strip()]
        whole = len(lines) > 1 and all(line.lstrip()[:1] == b"{" for line in lines)
        is_lines = whole or not _has(data, "annotations", "images")
        return PredictionFormat.JSONL if is_lines else PredictionFormat.COCO
    if first != b"[":
        source_of(file).refuse("", "is neither JSON lines, COCO results nor Label Studio's tasks")
    said = _value(data, source_of(file))
    entry = said[0] if isinstance(said, list) and said else None
    is_task = isinstance(entry, dict) and ("data" in entry or "predictions" in entry)
    return PredictionFormat.LABEL_STUDIO if is_task else PredictionFormat.COCO


def _has(data: bytes, *names: str) -> bool:
    return all(f'"{name}"'.encode() in data for name in names)


def read_lines(data: bytes, file: str) -> Iterator[Stated]:
    """The lines of ops: `key` with `score` and `result`, or with `score`, `boxes` and `unit`.

    Raises:
        InvalidDataError: a line is not UTF-8 or not JSON.
    """
    for number, text in enumerate(data.splitlines(), start=1):
        if not text.strip():
            continue
        place = f"line {number}"
        said = _value(text, source_of(file), line=number)
        fields = said if isinstance(said, dict) else {}
        try:
            yield _line(place, fields)
        except _ProblemError as error:
            yield _bad(place, str(error), name=str(fields.get("key") or ""))


class _ProblemError(Exception):
    """What is wrong with one statement, to be read after what it is about."""


def _line(place: str, said: Mapping[str, Json]) -> Stated:
    key = said.get("key")
    if not isinstance(key, str) or not key:
        raise _ProblemError("has no key")
    if more := sorted(said.keys() - _LINE_FIELDS):
        raise _ProblemError(f"has a field {more[0]!r}, which means nothing here")
    score, result, boxes = said.get("score"), said.get("result"), said.get("boxes")
    if (result is None) == (boxes is None):
        raise _ProblemError("needs either result or boxes")
    if result is not None:
        return Stated(place=place, name=key, score=score, result=_listed(result, "result"))
    unit = said.get("unit", Unit.PERCENT.value)
    if unit not in set(Unit):
        raise _ProblemError(f"has the unit {unit!r}, not one of {', '.join(Unit)}")
    read = tuple(_box(box, Unit(str(unit))) for box in _listed(boxes, "boxes"))
    return Stated(place=place, name=key, score=score, boxes=read)


_LINE_FIELDS = frozenset({"key", "score", "result", "boxes", "unit"})
_BOX_FIELDS = ("x", "y", "width", "height")


def _listed(said: Json, noun: str) -> Sequence[Json]:
    if not isinstance(said, list):
        raise _ProblemError(f"has a {noun} that is no list")
    return said


def _box(said: Json, unit: Unit) -> Box:
    fields = said if isinstance(said, dict) else {}
    label, sides = fields.get("label"), [fields.get(name) for name in _BOX_FIELDS]
    if not isinstance(label, str):
        raise _ProblemError("has a box without a label")
    return Box(label=label, sides=_sides(sides), unit=unit, score=_score(fields.get("score")))


def _sides(said: Sequence[Json]) -> tuple[float, float, float, float]:
    numbers = [float(one) for one in said if isinstance(one, int | float) and _is_number(one)]
    if len(said) != len(_BOX_FIELDS) or len(numbers) != len(said):
        raise _ProblemError(f"has a box whose sides are {said}, not four finite numbers")
    x, y, width, height = numbers
    return x, y, width, height


def _score(said: Json) -> float | None:
    if said is None:
        return None
    if not isinstance(said, int | float) or not is_score(said):
        raise _ProblemError(f"has a box with the score {said}, not one from 0 to 1")
    return float(said)


def _is_number(said: float) -> bool:
    return not isinstance(said, bool) and isfinite(said)


def read_coco(
    data: bytes, file: str, *, truth: bytes | None, class_name: ClassName
) -> Iterator[Stated]:
    """COCO results: a list of detections, gathered by picture in the order they come in.

    Args:
        data: `[{"image_id" | "file_name", "category_id", "bbox", "score"}]`, or a whole COCO
            document with scores in its annotations.
        file: its name.
        truth: the COCO document the ids are of; None where the file names pictures itself.
        class_name: the name of a category where no document names it.

    Raises:
        InvalidDataError: one of the documents is no COCO.
    """
    said = _value(data, source_of(file))
    about = said if isinstance(said, dict) else None
    if truth is not None:
        document = _value(truth, source_of("the COCO document"))
        if not isinstance(document, dict):
            source_of("the COCO document").refuse("", "is no JSON object")
        about = document
    entries = said.get("annotations") if isinstance(said, dict) else said
    if not isinstance(entries, list):
        source_of(file).refuse("", "is no list of detections")
    if not entries:
        source_of(file).refuse("", "is empty: it predicts nothing")
    pictures, categories = _pictures(about), _categories(about)
    found: dict[str, list[Stated]] = {}
    for number, entry in enumerate(entries, start=1):
        named = categories.get if about is not None and categories else class_name
        one = _detection(f"entry {number}", entry, pictures, named)
        found.setdefault(one.name, []).append(one)
    for name, parts in found.items():
        yield from _gathered(name, parts)


_Picture: TypeAlias = tuple[str, tuple[int, int] | None]


def _pictures(about: Mapping[str, Json] | None) -> dict[int, _Picture]:
    images = (about or {}).get("images")
    found: dict[int, _Picture] = {}
    for one in images if isinstance(images, list) else []:
        if isinstance(one, dict) and isinstance(number := one.get("id"), int):
            width, height = one.get("width"), one.get("height")
            size = (
                (width, height)
                if isinstance(width, int) and isinstance(height, int) and width and height
                else None
            )
            found[number] = str(one.get("file_name")), size
    return found


def _categories(about: Mapping[str, Json] | None) -> dict[int, str]:
    listed = (about or {}).get("categories")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {
        number: str(one.get("name")) for one in entries if isinstance(number := one.get("id"), int)
    }


def _detection(
    place: str, entry: Json, pictures: Mapping[int, _Picture], named: ClassName
) -> Stated:
    fields = entry if isinstance(entry, dict) else {}
    number, category = fields.get("image_id"), fields.get("category_id")
    known = pictures.get(number) if isinstance(number, int) else None
    name = fields.get("file_name", known[0] if known else None)
    if not isinstance(name, str):
        why = "no picture has" if pictures else "a COCO document has to tell: --coco FILE"
        return _bad(place, f"is of image_id {number}, which {why}", name=f"image {number}")
    try:
        label = _class(category, named)
        bbox = fields.get("bbox")
        sides = _sides(bbox if isinstance(bbox, list) else [])
        box = Box(label=label, sides=sides, unit=Unit.PIXELS, score=_score(fields.get("score")))
    except _ProblemError as error:
        return _bad(place, str(error), name=name)
    return Stated(place=place, name=name, size=known[1] if known else None, boxes=(box,))


def _class(category: Json, named: ClassName) -> str:
    label = named(category) if isinstance(category, int) else None
    if label is None:
        raise _ProblemError(f"is of category {category}, which nobody names")
    return label


def _gathered(name: str, parts: Sequence[Stated]) -> Iterator[Stated]:
    """One statement a picture; a picture with a detection that is wrong is wrong."""
    if bad := [one for one in parts if one.problem]:
        yield from bad
        return
    boxes = tuple(box for one in parts for box in one.boxes)
    yield Stated(place=parts[0].place, name=name, size=parts[0].size, boxes=boxes)


def read_yolo(texts: Mapping[str, bytes], *, class_name: ClassName) -> Iterator[Stated]:
    """YOLO's texts: a line a box, `class x y width height [score]`, an empty one for none.

    Args:
        texts: by path below the folder.
        class_name: the name of a class by its number.

    Raises:
        InvalidDataError: there is no text, or one is not UTF-8.
    """
    if not texts:
        source_of("the folder").refuse("", "is empty: it holds no .txt")
    for path, data in sorted(texts.items()):
        try:
            lines = data.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            source_of(path).refuse("", f"is not UTF-8 (byte {error.start})")
        name = str(PurePosixPath(path).with_suffix(""))
        try:
            boxes = tuple(
                _yolo_box(number, line.split(), class_name)
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        except _ProblemError as error:
            yield _bad(path, str(error), name=name, is_stem=True)
        else:
            yield Stated(place=path, name=name, is_stem=True, boxes=boxes)


def _yolo_box(line: int, words: Sequence[str], class_name: ClassName) -> Box:
    if len(words) not in _YOLO_WORDS:
        wanted = "`class x y width height [score]`"
        raise _ProblemError(f"has {len(words)} numbers in line {line}, not {wanted}")
    try:
        number, numbers = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        raise _ProblemError(f"has no numbers in line {line}: {' '.join(words)}") from None
    x, y, width, height = _sides([*numbers[:4]])
    label = class_name(number)
    if label is None:
        raise _ProblemError(f"is of class {number} in line {line}, which nobody names")
    score = _score(numbers[4]) if len(numbers) > len(_BOX_FIELDS) else None
    corner = (x - width / 2, y - height / 2, width, height)
    return Box(label=label, sides=corner, unit=Unit.FRACTION, score=score)


_YOLO_WORDS = frozenset({5, 6})


def read_label_studio(data: bytes, file: str, *, versions: Sequence[str]) -> Iterator[Stated]:
    """Label Studio's tasks with their predictions.

    Args:
        data: a list of tasks.
        file: its name.
        versions: the model versions meant, where a task has predictions of several.

    Raises:
        InvalidDataError: it is no list of tasks.
    """
    said = _value(data, source_of(file))
    if not isinstance(said, list):
        source_of(file).refuse("", "is no list of tasks")
    if not said:
        source_of(file).refuse("", "is empty: it predicts nothing")
    for number, task in enumerate(said, start=1):
        place = f"entry {number}"
        yield _task(place, task, versions) if isinstance(task, dict) else _bad(place, "is no task")


def _task(place: str, task: Mapping[str, Json], versions: Sequence[str]) -> Stated:
    data, listed = task.get("data"), task.get("predictions")
    name = _address(data) if isinstance(data, dict) else None
    if name is None:
        return _bad(place, "has no data that names a picture")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if len(found) > 1:
        found = [one for one in found if one.get("model_version") in versions]
    if len(found) != 1:
        meant = f"of {' or '.join(versions)}" if listed else "at all"
        return _bad(place, f"has {len(found)} predictions {meant}, not one", name=name)
    result = found[0].get("result")
    if not isinstance(result, list):
        return _bad(place, "has a result that is no list", name=name)
    return Stated(place=place, name=name, score=found[0].get("score"), result=result)


def _address(data: Mapping[str, Json]) -> str | None:
    """The key a task states, else the first of its data."""
    said = [data["key"]] if "key" in data else list(data.values())
    return next((one for one in said if isinstance(one, str) and one), None)


def _bad(place: str, problem: str, *, name: str = "", is_stem: bool = False) -> Stated:
    return Stated(place=place, name=name, is_stem=is_stem, problem=problem)


def _value(data: bytes, source: Source, *, line: int | None = None) -> Json:
    """A JSON value; one that would be refused for NaN or infinity alone comes with them.

    So the entry that holds one is named, and the others can be taken.

    Raises:
        InvalidDataError: it is no JSON.
    """
    try:
        return parse(data, source, line=line)
    except InvalidDataError as error:
        try:
            value: Json = json.loads(data, parse_constant=_infinite)
        except (ValueError, RecursionError):
            raise error from None
        if "no finite number" not in error.message:
            raise
        return value


def _infinite(text: str) -> float:
    return float(text.replace("Infinity", "inf"))
