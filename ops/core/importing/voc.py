"""Pascal VOC: an XML file a picture, boxes by their corners.

The corners are kept as they stand (ops/core/pixels.py says why); `truncated`, `difficult`,
`occluded` and `pose` go into the region's meta where they say something. Parts, actions and
segmentation have no place in a record and are named as lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NoReturn
from xml.parsers import expat

from ops.core.documents import Source
from ops.core.importing.neutral import (
    Answer,
    Mark,
    Reading,
    Reference,
    Remark,
    Shape,
    label_file,
    number,
    without_ending,
)
from ops.core.pixels import Box, box_of_corners
from ops.core.records import Json

_MOST_DEPTH = 20
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_PLAIN: Mapping[str, tuple[str, ...]] = {
    "pose": ("", "unspecified"),
    "truncated": ("", "0"),
    "difficult": ("", "0"),
    "occluded": ("", "0"),
}
"""What an object says beside its box, with the values that say nothing."""
_KNOWN_OF_OBJECT = frozenset({"name", "bndbox", *_PLAIN})
_KNOWN = frozenset({"folder", "filename", "path", "source", "owner", "size", "segmented", "object"})


@dataclass(slots=True)
class _Element:
    """One tag of a VOC file: its own text and what is in it."""

    tag: str
    line: int
    text: str = ""
    children: list["_Element"] = field(default_factory=list["_Element"])

    def all(self, tag: str) -> list["_Element"]:
        return [child for child in self.children if child.tag == tag]

    def said(self, tag: str) -> str:
        """The text of the first child of a tag; empty where there is none."""
        return next((child.text.strip() for child in self.all(tag)), "")


def read_voc(name: str, data: bytes) -> Reading:
    """What one VOC file says.

    Args:
        name: the file's path, for errors; its stem names the picture once more.
        data: its bytes.

    Raises:
        InvalidDataError: it is empty, no XML or no VOC, has a document type, or an object without
            a name or with a box that is none.
    """
    source = label_file(name)
    root = _parsed(data, source)
    if root.tag != "annotation":
        source.refuse(f"line {root.line}", f"is <{root.tag}>; a VOC file is one <annotation>")
    stem = Reference(name=without_ending(name), is_stem=True)
    stated = root.said("filename") or root.said("path")
    objects = root.all("object")
    answer = Answer(
        picture=Reference(name=stated) if stated else stem,
        other=stem if stated else None,
        place=name,
        size=_size(root, source),
        marks=tuple(_mark(one, index, source) for index, one in enumerate(objects)),
    )
    return Reading(answers=(answer,), losses=tuple(_losses(root, name)))


def _size(root: _Element, source: Source) -> tuple[int, int] | None:
    """The picture's size; None where it is not stated, or as 0, which some tools write."""
    stated = next(iter(root.all("size")), None)
    if stated is None:
        return None
    width, height = (
        number(stated.said(side) or "0", f"size.{side}", source) for side in ("width", "height")
    )
    if width != int(width) or height != int(height) or min(width, height) < 0:
        source.refuse("size", f"is {width:g} by {height:g}, which no picture has")
    return (int(width), int(height)) if width and height else None


def _mark(one: _Element, index: int, source: Source) -> Mark:
    place = f"object[{index}], line {one.line}"
    label = one.said("name")
    if not label:
        source.refuse(place, "has no name")
    boxes = one.all("bndbox")
    if len(boxes) != 1:
        source.refuse(place, f"has {len(boxes)} boxes; one belongs there")
    meta: dict[str, Json] = {
        name: one.said(name)
        for name, silent in _PLAIN.items()
        if one.said(name).lower() not in silent
    }
    return Mark(
        label=label,
        shape=Shape.BOX,
        place=place,
        numbers=_box(boxes[0], place, source),
        meta={"voc": meta} if meta else {},
    )


def _box(box: _Element, place: str, source: Source) -> Box:
    corners: list[float] = []
    for name in _CORNERS:
        if not box.said(name):
            source.refuse(place, f"has a box without {name}")
        corners.append(number(box.said(name), f"{place}, {name}", source))
    xmin, ymin, xmax, ymax = corners
    if xmax < xmin or ymax < ymin:
        source.refuse(place, f"has a box that ends before it begins: {corners}")
    return box_of_corners(xmin, ymin, xmax, ymax)


def _losses(root: _Element, name: str) -> Iterator[Remark]:
    if root.said("segmented") not in {"", "0"}:
        yield Remark(what="segmented: its mask lies in another file", place=name)
    others = [child for child in root.children if child.tag not in _KNOWN]
    ofs = ((one, child) for one in root.all("object") for child in one.children)
    unknown = [child for _, child in ofs if child.tag not in _KNOWN_OF_OBJECT]
    for child in chain(others, unknown):
        yield Remark(what=f"<{child.tag}>", place=f"{name}, line {child.line}")


def _parsed(data: bytes, source: Source) -> _Element:
    """The root of an XML document without a document type: no entity can grow or read files."""
    if not data.strip():
        source.refuse("", "is empty")
    root = _Element("", 0)
    stack = [root]
    parser = expat.ParserCreate()

    def refuse(problem: str) -> NoReturn:
        place = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
        source.refuse(place, problem)

    def start(tag: str, _attributes: Mapping[str, str]) -> None:
        if len(stack) > _MOST_DEPTH:
            refuse(f"is more than {_MOST_DEPTH} tags deep")
        element = _Element(tag, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_tag: str) -> None:
        stack.pop()

    def text(said: str) -> None:
        stack[-1].text += said

    def document_type(*_: object) -> None:
        refuse("has a document type (<!DOCTYPE), which is not read: remove it")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        refuse(f"is no XML: {expat.ErrorString(error.code)}")
    except (UnicodeError, LookupError, ValueError):
        refuse("is in an encoding that cannot be read: save it as UTF-8")
    return root.children[0]
