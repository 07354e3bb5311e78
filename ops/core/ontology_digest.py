"""The digest of a label config: equal for equal meaning.

Owns what of a label config is meaning and what is looks. Colours, hotkeys, headings, white space
and the order of tags, attributes and labels are looks; everything ops does not know is meaning.
"""

import hashlib
from collections.abc import Iterable, Iterator

from ops.core.encoding import encode
from ops.core.markup import Element
from ops.core.records import Json
from ops.core.tags import LABEL_TAGS, attribute, is_control, is_object, tag_of, to_names, variables

# What changes how a control looks and not what it can say.
_LOOKS = frozenset(
    {
        *("background", "selectedcolor", "hotkey", "size", "opacity", "fillopacity", "fillcolor"),
        *("strokewidth", "strokecolor", "strokestyle", "pointsize", "pointstyle", "icon", "html"),
        *("showinline", "showlabels", "layout", "style", "classname", "idattr", "title", "hint"),
        *("placeholder", "rows", "maxwidth", "minwidth", "width", "height", "labelwidth"),
        *("showfullpath", "pathseparator", "showalias", "aliasstyle", "requiredmessage"),
        *("showsubmitbutton", "selectionenabled", "crosshair"),
    }
)
_CONDITIONS = ("visiblewhen", "whentagname", "whenlabelvalue", "whenchoicevalue", "whenrole")


def ontology_digest(root: Element) -> str:
    """The digest of what a label config means: sha256 in hexadecimal of its canonical form."""
    conditions = dict(_conditions(root, ()))
    meaning: dict[str, Json] = {
        "controls": _sorted(
            _control(one, conditions[id(one)]) for one in root.walk() if is_control(one)
        ),
        "objects": _sorted(_object(one) for one in root.walk() if is_object(one)),
        "relations": _sorted(_settings(one) for one in root.walk() if tag_of(one) == "relation"),
    }
    return hashlib.sha256(encode(meaning)).hexdigest()


def _sorted(values: Iterable[dict[str, Json]]) -> list[Json]:
    return [*sorted(values, key=encode)]


def _control(element: Element, when: list[Json]) -> dict[str, Json]:
    return {
        "name": attribute(element, "name"),
        "type": tag_of(element),
        "to_names": [*to_names(element)],
        "settings": _settings(element),
        "labels": _sorted(_labels(element, ())),
        "when": when,
    }


def _object(element: Element) -> dict[str, Json]:
    return {
        "name": attribute(element, "name"),
        "type": tag_of(element),
        "fields": [*variables(element)],
    }


def _settings(element: Element) -> dict[str, Json]:
    return {
        name.lower(): value.strip()
        for name, value in element.attributes.items()
        if name.lower() not in _LOOKS and name not in {"name", "toName"}
    }


def _labels(element: Element, above: tuple[str, ...]) -> Iterator[dict[str, Json]]:
    for child in element.children:
        path = above
        if tag_of(child) in LABEL_TAGS:
            path = (*above, attribute(child, "alias") or attribute(child, "value"))
            yield {"path": [*path], "settings": _settings(child)}
        yield from _labels(child, path)


def _conditions(
    element: Element, above: tuple[dict[str, Json], ...]
) -> Iterator[tuple[int, list[Json]]]:
    """By the id of each element: under which conditions the views around it show it."""
    yield id(element), [*above]
    stated: dict[str, Json] = {
        name.lower(): value
        for name, value in element.attributes.items()
        if name.lower() in _CONDITIONS
    }
    inner = (*above, stated) if stated and tag_of(element) == "view" else above
    for child in element.children:
        yield from _conditions(child, inner)
