"""XML as a tree of elements that know where they stand.

Owns reading it safely: no document type, so no entity that grows or reads files. Does not know what
the tags mean (ontology.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn
from xml.parsers import expat

from ops.errors import InvalidDataError

MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Element:
    """One tag: its attributes, the line it starts on, the elements in it, and where it stands.

    Attributes:
        start: where the tag opens, in bytes of the text in UTF-8.
        stop: where its closing tag starts; where there is none, `<a/>`, behind it.
    """

    tag: str
    attributes: Mapping[str, str]
    line: int
    children: list["Element"] = field(default_factory=list["Element"])
    start: int = 0
    stop: int = 0

    def walk(self) -> Iterator["Element"]:
        """The element and all elements in it, as they stand in the text."""
        yield self
        for child in self.children:
            yield from child.walk()


def markup_text(data: bytes) -> str:
    """The text of a label config as it lies in a repository or in a file.

    Raises:
        InvalidDataError: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            "label-config",
            f"the label config is not UTF-8 (byte {error.start})",
            where=(("place", f"byte {error.start}"),),
            unchanged="nothing was written",
            hint="save it as UTF-8, then run the same command again",
        ) from error


def parse_markup(text: str) -> Element:
    """The root element of an XML text; comments and text between the tags are left out.

    Raises:
        InvalidDataError: not well-formed (line and column are named), more than 100 tags deep, or
            with a document type.
    """
    root = Element("", {}, 0)
    stack = [root]
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            _refuse(f"it is more than {MAX_DEPTH} tags deep", parser)
        line, place = parser.CurrentLineNumber, parser.CurrentByteIndex
        stack.append(Element(tag, attributes, line, start=place))

    def end(_tag: str) -> None:
        closed = replace(stack.pop(), stop=parser.CurrentByteIndex)
        stack[-1].children.append(closed)

    def document_type(*_: object) -> None:
        _refuse("it has a document type (<!DOCTYPE), which is not read", parser)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        _refuse(expat.ErrorString(error.code), parser, error)
    except UnicodeEncodeError as error:
        _refuse("it holds a lone surrogate", parser, error)
    return root.children[0]


def _refuse(problem: str, parser: expat.XMLParserType, cause: Exception | None = None) -> NoReturn:
    place = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
    raise InvalidDataError(
        "label-config",
        f"the label config is no XML Label Studio reads: {problem}, {place}",
        where=(("place", place),),
        unchanged="nothing was written",
        hint="correct the XML at that place; Label Studio's own templates are well-formed starts",
    ) from cause
