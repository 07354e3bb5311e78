"""Edits of a label config's text that change the labels of one control and nothing else.

Owns where a tag, an attribute or a line is replaced; what the person laid out, commented, coloured
or gave a key stays as it stands. Does not decide which labels may become which (migration.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape

from ops.core.label_config import offer
from ops.core.markup import Element, parse_markup
from ops.core.ontology import offers
from ops.core.tags import LABEL_TAGS, attribute, is_control, tag_of

Path: TypeAlias = tuple[str, ...]
"""A label by the way to it, as results say it; one step but for Taxonomy and nested Choices."""

_CONDITIONS = frozenset({"whenlabelvalue", "whenchoicevalue"})
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
_TAG_END = re.compile(rb"\s*(/?)>")
# What may stand behind a tag on its line, and belong to it.
_LINE_END = re.compile(rb"(?:[ \t]|<!--(?:(?!-->)[^\r\n])*-->)*(\r?\n)")
_BLANK_END = re.compile(rb"[ \t]*\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """Bytes to put in the place of others; before `start` where both are the same place."""

    start: int
    stop: int
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    """An opening tag in the text: where it ends, and where its attributes are by name.

    Attributes:
        stop: behind the `>`.
        slash: where the `/` of `<a/>` or, before it, white space starts; None for `<a>`.
        attributes: from the white space before the name to behind the value.
    """

    stop: int
    slash: int | None
    attributes: Mapping[str, tuple[int, int]]


def replace_labels(
    text: str, control: str, *, sources: Sequence[Path], targets: Sequence[Path]
) -> str:
    """The label config with some labels of a control replaced by others.

    The first label that goes lends its tag, with place, key and colour, to the first that comes;
    the others come behind it. Conditions of other tags (`whenLabelValue`) follow; one whose only
    label is removed stays as it is, and is never met. Every other byte is kept.

    Args:
        text: a label config, as parse_ontology reads it.
        control: the control's name.
        sources: labels it offers; those among the targets stay.
        targets: labels to be offered in their place; those it offers already stay as they are.

    Raises:
        InvalidDataError: it is no XML.
    """
    data, root = text.encode(), parse_markup(text)
    element = _control(root, control)
    offered = {label.path: one for label, one in offers(element)}
    gone = [path for path in sources if path not in targets]
    come = [path for path in targets if path not in offered]
    names = {path[-1]: [one[-1] for one in targets] for path in sources if len(path) == 1}
    edits = [*_conditions(data, root, control, names)]
    if gone and come:
        lender = offered[gone[0]]
        is_same = len(sources) == len(targets) == 1
        edits += _renamed(data, lender, come[0][-1], keeps_value=is_same)
        edits.append(_behind(data, lender, [path[-1] for path in come[1:]]))
        gone = gone[1:]
    elif sources and come:
        edits.append(_behind(data, offered[sources[0]], [path[-1] for path in come]))
    edits += [_removed(data, offered[path]) for path in gone]
    return _applied(data, edits).decode()


def add_label(text: str, control: str, path: Path) -> str:
    """The label config with one more label in a control, behind the last of its siblings.

    Args:
        text: a label config, as parse_ontology reads it.
        control: the control's name.
        path: the label; all but its last step are labels the control offers.

    Raises:
        InvalidDataError: it is no XML.
    """
    data, root = text.encode(), parse_markup(text)
    element = _control(root, control)
    offered = {label.path: one for label, one in offers(element)}
    siblings = [one for other, one in offered.items() if other[:-1] == path[:-1]]
    if siblings:
        edit = _behind(data, siblings[-1], path[-1:])
    else:
        spelled = next((one.tag for one in offered.values()), "Label")
        edit = _inside(data, offered.get(path[:-1], element), offer(spelled, path[-1]).encode())
    return _applied(data, [edit]).decode()


def _control(root: Element, name: str) -> Element:
    return next(one for one in root.walk() if is_control(one) and attribute(one, "name") == name)


def _applied(data: bytes, edits: Sequence[_Edit]) -> bytes:
    # From the end, so that no place moves; of two at one place, what is taken away goes first.
    for edit in sorted(edits, key=lambda one: (one.start, one.stop), reverse=True):
        data = data[: edit.start] + edit.new + data[edit.stop :]
    return data


def _tag(data: bytes, element: Element) -> _Tag:
    name = _TAG_NAME.match(data, element.start)
    assert name is not None, "the parser found a tag there"  # noqa: S101
    place, found = name.end(), dict[str, tuple[int, int]]()
    while match := _ATTRIBUTE.match(data, place):
        found[match[1].decode()] = match.span()
        place = match.end()
    end = _TAG_END.match(data, place)
    assert end is not None, "the parser found its end"  # noqa: S101
    return _Tag(stop=end.end(), slash=place if end[1] else None, attributes=found)


def _end(data: bytes, element: Element) -> int:
    """Behind the element's last byte."""
    tag = _tag(data, element)
    return tag.stop if tag.slash is not None else data.index(b">", element.stop) + 1


def _quoted(value: str, quote: str) -> bytes:
    entity = "&apos;" if quote == "'" else "&quot;"
    return f"{quote}{escape(value, {quote: entity})}{quote}".encode()


def _set(data: bytes, span: tuple[int, int], value: str) -> _Edit:
    """Another value for an attribute, in the quotes it has."""
    quote = data[span[1] - 1 : span[1]]
    start = data.index(quote, span[0])
    return _Edit(start=start, stop=span[1], new=_quoted(value, quote.decode()))


def _renamed(data: bytes, element: Element, name: str, *, keeps_value: bool) -> Iterator[_Edit]:
    """The label under another name; its alias alone where people go on seeing its value."""
    spans = _tag(data, element).attributes
    if "value" not in spans or (keeps_value and attribute(element, "alias")):
        yield _set(data, spans["alias"], name)
        return
    if "alias" in spans:
        yield _Edit(start=spans["alias"][0], stop=spans["alias"][1], new=b"")
    yield _set(data, spans["value"], name)


def _removed(data: bytes, element: Element) -> _Edit:
    """Without the tag, and without its line where nothing else stands there."""
    indent, stop = _indent(data, element), _end(data, element)
    line = _BLANK_END.match(data, stop)
    if indent is None or line is None:
        return _Edit(start=element.start, stop=stop, new=b"")
    return _Edit(start=element.start - len(indent), stop=line.end(), new=b"")


def _indent(data: bytes, element: Element) -> bytes | None:
    """The white space before a tag that stands first on its line; None where it does not."""
    before = data[data.rfind(b"\n", 0, element.start) + 1 : element.start]
    return None if before.strip(b" \t") else before


def _behind(data: bytes, element: Element, names: Sequence[str]) -> _Edit:
    """More labels behind one, each on a line of its own where that one has its own."""
    tags = [offer(element.tag, name).encode() for name in names]
    indent, stop = _indent(data, element), _end(data, element)
    line = _LINE_END.match(data, stop)
    if indent is None or line is None:
        return _Edit(start=stop, stop=stop, new=b"".join(tags))
    lines = b"".join(indent + tag + line[1] for tag in tags)
    return _Edit(start=line.end(), stop=line.end(), new=lines)


def _inside(data: bytes, element: Element, new: bytes) -> _Edit:
    """More at the end of an element, which is given an end where it has none."""
    tag = _tag(data, element)
    if tag.slash is None:
        return _Edit(start=element.stop, stop=element.stop, new=new)
    return _Edit(start=tag.slash, stop=tag.stop, new=b">" + new + f"</{element.tag}>".encode())


def _conditions(
    data: bytes, root: Element, control: str, names: Mapping[str, Sequence[str]]
) -> Iterator[_Edit]:
    """The conditions on labels of a control, with their new names."""
    for element in root.walk():
        given = {name.lower(): name for name in element.attributes}
        about = element.attributes.get(given.get("whentagname", ""), control)
        if tag_of(element) in LABEL_TAGS or about != control:
            continue
        for name in sorted(_CONDITIONS & given.keys()):
            stated = element.attributes[given[name]]
            wanted = _condition(stated, names)
            if wanted not in {"", stated}:
                yield _set(data, _tag(data, element).attributes[given[name]], wanted)


def _condition(stated: str, names: Mapping[str, Sequence[str]]) -> str:
    """A condition's labels under their new names; empty where none is left."""
    # Label Studio takes the whole text for one label first: a label may hold a comma.
    parts = [stated] if stated in names else stated.split(",")
    if not names.keys() & set(parts):
        return stated
    return ",".join(dict.fromkeys(new for part in parts for new in names.get(part, (part,))))
