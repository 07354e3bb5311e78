"""YOLO: a text file a picture, a line a region; class names in data.yaml or classes.txt.

Five numbers are a box (class, centre, size), seven and more an outline (class, points), as parts of
the picture's size. Numbers are turned to percent in decimal arithmetic, so that what was written
with six digits is exactly that. A text file without a line is an empty answer; a picture without a
text file is no answer at all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ops.core.documents import Source
from ops.core.importing.neutral import (
    Answer,
    Mark,
    Reading,
    Reference,
    Remark,
    Shape,
    Unit,
    label_file,
    number,
    text_of,
    without_ending,
)

_BOX = 5
_SCORED = 6
_LEAST_OUTLINE = 7
_ENTRY = re.compile(r"""['"]?(\d+)['"]?\s*:\s*(.+)""", re.ASCII)
_ITEM = re.compile(r"""\s*((?:'[^']*'|"[^"]*"|[^,'"])+)\s*(?:,|$)""")


def read_yolo(name: str, data: bytes, names: Sequence[str], *, keypoints: bool = False) -> Reading:
    """What one YOLO label file says.

    Args:
        name: its path below the folder that is imported, with `/`.
        data: its bytes.
        names: the classes by their number.
        keypoints: lines go on with keypoints behind the box, which are lost.

    Raises:
        InvalidDataError: not UTF-8, or a line that is neither box nor outline, or of no class.
    """
    source = label_file(name)
    text = text_of(data, source) if data.strip() else ""
    marks: list[Mark] = []
    losses: list[Remark] = []
    for index, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if keypoints and len(words) > _BOX:
            losses.append(Remark(what="keypoints", place=f"{name}, line {index}"))
            words = words[:_BOX]
        if words:
            marks.append(_mark(words, f"line {index}", names, source))
    return Reading(
        answers=(
            Answer(picture=_picture(name), place=name, unit=Unit.PERCENT, marks=tuple(marks)),
        ),
        losses=tuple(losses),
    )


def _picture(name: str) -> Reference:
    """The picture of a label file: the same name below `images/` instead of `labels/`."""
    parts = without_ending(name).split("/")
    places = [place for place, part in enumerate(parts[:-1]) if part == "labels"]
    if places:
        parts[places[-1]] = "images"
    return Reference(name="/".join(parts), is_stem=True)


def _mark(words: Sequence[str], place: str, names: Sequence[str], source: Source) -> Mark:
    if len(words) == _SCORED:
        source.refuse(place, "has six numbers, so a score: predictions go to ops predict add")
    if len(words) != _BOX and (len(words) < _LEAST_OUTLINE or len(words) % 2 == 0):
        source.refuse(place, f"has {len(words)} numbers; five are a box, seven and more an outline")
    stated = number(words[0], place, source)
    if stated != int(stated) or not 0 <= stated < len(names):
        source.refuse(place, f"is of class {words[0]}, and there are {len(names)} names")
    label = names[int(stated)]
    values = [_percent(word, place, source) for word in words[1:]]
    if len(words) != _BOX:
        points = tuple(map(float, values))
        return Mark(label=label, shape=Shape.POLYGON, place=place, numbers=points)
    x, y, width, height = values
    if width < 0 or height < 0:
        source.refuse(place, "has a box of negative width or height")
    numbers = (float(x - width / 2), float(y - height / 2), float(width), float(height))
    return Mark(label=label, shape=Shape.BOX, place=place, numbers=numbers)


def _percent(word: str, place: str, source: Source) -> Decimal:
    number(word, place, source)
    return Decimal(word) * 100


def class_names(name: str, data: bytes) -> Sequence[str]:
    """The classes a `classes.txt` or `obj.names` lists, a name a line.

    Raises:
        InvalidDataError: it is empty, not UTF-8, or has a name twice.
    """
    source = label_file(name)
    lines = [line.strip() for line in text_of(data, source).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return _checked(lines, source)


def yaml_names(name: str, data: bytes) -> tuple[Sequence[str], bool]:
    """The classes a `data.yaml` lists under `names`, and whether it speaks of keypoints.

    Reads the three ways Ultralytics' own files are written: `[a, b]`, `- a` a line, `0: a` a line
    (or `{0: a}`); everything else of the YAML is passed over.

    Raises:
        InvalidDataError: not UTF-8, no `names`, numbers with gaps, or a name twice.
    """
    source = label_file(name)
    lines = text_of(data, source).splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        source.refuse("names", "is missing: the classes belong there")
    head = _bare(lines[start].split(":", 1)[1])
    body = [_bare(line) for line in _below(lines[start + 1 :])]
    has_keypoints = any(re.match(r"kpt_shape\s*:", line) for line in lines)
    if head.startswith(("[", "{")):
        flow = " ".join([head, *body])
        inner = flow[1:].partition("]" if head.startswith("[") else "}")[0]
        items = [match.group(1).strip() for match in _ITEM.finditer(inner)]
        numbered = head.startswith("{")
    else:
        items = [line.removeprefix("-").strip() for line in body]
        numbered = bool(body) and not body[0].startswith("-")
    return _checked(_ordered(items, source) if numbered else _plain(items), source), has_keypoints


def _below(lines: Sequence[str]) -> Iterator[str]:
    """The lines that belong to a name: indented ones, and those of its array."""
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t", "-", "]", "}")):
            return
        if _bare(line):
            yield line


def _bare(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).strip()


def _plain(items: Sequence[str]) -> list[str]:
    return [_unquoted(item) for item in items]


def _ordered(items: Sequence[str], source: Source) -> list[str]:
    found: dict[int, str] = {}
    for item in items:
        match = _ENTRY.fullmatch(item)
        if match is None or int(match[1]) in found:
            source.refuse("names", f"holds {item!r}, which is no `number: name`, or one twice")
        found[int(match[1])] = _unquoted(match[2])
    return [_at(found, place, source) for place in range(len(found))]


def _at(found: Mapping[int, str], place: int, source: Source) -> str:
    if place not in found:
        source.refuse("names", f"has no class {place}: numbers go from 0 without a gap")
    return found[place]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if text[:1] in {"'", '"'} and text[-1:] == text[:1] else text


def _checked(names: Sequence[str], source: Source) -> Sequence[str]:
    if not names:
        source.refuse("", "names no class")
    for place, name in enumerate(names):
        if not name:
            source.refuse("", f"has no name for class {place}")
        if name in names[:place]:
            source.refuse("", f"names {name!r} twice")
    return tuple(names)
