"""What a label config means: which controls there are, what each may say, of which objects.

Owns parsing Label Studio's XML into an Ontology with a digest, and telling what of a record it
lacks. Does not write label configs (label_config.py), and does not judge annotations otherwise.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from ops.core.encoding import encode
from ops.core.markup import Element, parse_markup
from ops.core.records import Annotation, Json, Record
from ops.core.regions import PATH_SEPARATOR, is_relation, label_paths
from ops.errors import InvalidDataError

# A task's own media object comes first; of several objects the first kind here is the media.
_MEDIA = ("image", "audio", "audioplus", "video", "pdf", "hypertext", "timeseries", "text")
_LABEL_TAGS = frozenset({"label", "choice"})
# Tags that only make sense with `name` and `toName`; those that end in `labels` belong to them too.
_CONTROL_TAGS = frozenset(
    {
        *("choices", "taxonomy", "textarea", "rating", "number", "datetime", "pairwise", "ranker"),
        *("rectangle", "polygon", "keypoint", "ellipse", "brush", "bitmask", "vector"),
        *("videorectangle", "magicwand"),
    }
)
# Filter narrows a list of labels on the screen.
_NO_CONTROLS = frozenset({"filter"})
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
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)", re.ASCII)
_INDEX = re.compile(r"\\\{\\\{\w+\\\}\\\}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One class a control offers.

    Attributes:
        value: what annotators see.
        alias: what results say instead, or None.
        path: what results say, from the outermost choice to this one; one step but for Taxonomy and
            nested Choices.
    """

    value: str
    alias: str | None
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One tag annotators answer with.

    Attributes:
        name: what results call it, `from_name`; with `{{idx}}` in it, one of a repeated row.
        type: the tag, as written.
        to_names: the objects it speaks of; two for Pairwise, left and right.
        labels: the classes it offers, in the order of the label config.
        dynamic: its labels come from the task's data or another server, so any may occur.
        choice: `single`, `multiple`, … where the tag says so.
        required, per_region: an answer must be given · it is given for each region.
    """

    name: str
    type: str
    to_names: tuple[str, ...]
    labels: tuple[Label, ...]
    dynamic: bool
    choice: str | None
    required: bool
    per_region: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One tag that shows something of the task: its name, tag and the data fields it reads."""

    name: str
    type: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something a result says that an ontology lacks: a label, or with label None a control."""

    control: str
    label: str | None

    def __str__(self) -> str:
        if self.label is None:
            return f"the control {self.control!r}"
        return f"the label {self.label!r} of {self.control!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ontology:
    """What may be said.

    Attributes:
        controls, objects: in the order of the label config.
        relations: the names a relation may bear.
        fields: the task data the label config reads, without `$`.
        media_field: the one of them that is the media object's address.
        digest: 64 hexadecimal digits, equal for equal meaning: whitespace, comments, colours,
            hotkeys and the order of labels, attributes and tags do not count.
    """

    controls: tuple[Control, ...]
    objects: tuple[Object, ...]
    relations: tuple[str, ...]
    fields: tuple[str, ...]
    media_field: str
    digest: str

    def control(self, name: str) -> Control | None:
        """The control a result's `from_name` means, or None."""
        return next((one for one in self.controls if _is_named(one.name, name)), None)

    def unknown_labels(self, said: Record | Annotation) -> tuple[Unknown, ...]:
        """What a record's or an annotation's results say and this ontology lacks; sorted, once."""
        annotations = said.annotations if isinstance(said, Record) else (said,)
        found = {
            (unknown.control, unknown.label or ""): unknown
            for annotation in annotations
            for region in annotation.result
            for unknown in self._unknown(region)
        }
        return tuple(found[place] for place in sorted(found))

    def _unknown(self, region: Mapping[str, Json]) -> Iterator[Unknown]:
        if is_relation(region):
            stated = region.get("labels")
            for name in stated if isinstance(stated, list) else []:
                if name not in self.relations:
                    yield Unknown(control="relation", label=str(name))
            return
        name = str(region.get("from_name"))
        control = self.control(name)
        if control is None:
            yield Unknown(control=name, label=None)
            return
        known = self._paths(control)
        for path in label_paths(region):
            if known is not None and path not in known:
                yield Unknown(control=name, label=PATH_SEPARATOR.join(path))

    def _paths(self, control: Control) -> frozenset[tuple[str, ...]] | None:
        """The paths a control's results may say; None where any may occur."""
        # A shape without labels of its own (VideoRectangle) says those of the object's other tags.
        speakers = [control]
        if not control.labels and not control.dynamic:
            speakers = [one for one in self.controls if set(one.to_names) & set(control.to_names)]
        if any(one.dynamic for one in speakers):
            return None
        return frozenset(
            path
            for one in speakers
            for label in one.labels
            for path in (label.path, (*label.path[:-1], label.value))
        )


def _is_named(name: str, from_name: str) -> bool:
    if "{{" not in name:
        return name == from_name
    # <Repeater> makes one control a row: `labels_{{idx}}` answers as `labels_0`.
    return bool(re.fullmatch(_INDEX.sub(r".+", re.escape(name)), from_name))


def parse_ontology(label_config: str) -> Ontology:
    """What a label config means.

    Raises:
        InvalidDataError: not well-formed, or nothing Label Studio could show: no control, no
            object, a name twice, a control that speaks of nothing, no variable for the media.
    """
    root = parse_markup(label_config)
    _check_names(root)
    pairs = [(element, _control(element)) for element in root.walk() if _is_control(element)]
    objects = tuple(_object(element) for element in root.walk() if _is_object(element))
    if not pairs:
        _refuse("has no control: no tag with name and toName", "add one, such as <Choices …>", root)
    if not objects:
        _refuse("has no object: no tag with name and value", 'add <Image value="$image" …>', root)
    relations = tuple(_attribute(one, "value") for one in root.walk() if _tag(one) == "relation")
    return Ontology(
        controls=tuple(control for _, control in pairs),
        objects=objects,
        relations=relations,
        fields=tuple(dict.fromkeys(_fields(root))),
        media_field=_media_field(objects, root),
        digest=_digest(root, pairs, objects),
    )


def _tag(element: Element) -> str:
    return element.tag.lower()


def _attribute(element: Element, name: str) -> str:
    return element.attributes.get(name, "").strip()


def _is_control(element: Element) -> bool:
    if _tag(element) in _NO_CONTROLS:
        return False
    named = bool(_attribute(element, "name") and _attribute(element, "toName"))
    return named or _tag(element) in _CONTROL_TAGS or _tag(element).endswith("labels")


def _is_object(element: Element) -> bool:
    shows = _attribute(element, "value") or _attribute(element, "valueList")
    return bool(_attribute(element, "name") and shows and not _is_control(element))


def _control(element: Element) -> Control:
    name, to_name = _attribute(element, "name"), _attribute(element, "toName")
    if not name or not to_name:
        missing = "toName" if name else "name"
        _refuse(f"<{element.tag}> has no {missing}", f'give it {missing}="…"', element)
    return Control(
        name=name,
        type=element.tag,
        to_names=tuple(part.strip() for part in to_name.split(",")),
        labels=tuple(_labels(element, ())),
        dynamic=any(_variables(element)) or bool(_attribute(element, "apiUrl")),
        choice=_attribute(element, "choice") or None,
        required=_attribute(element, "required").lower() == "true",
        per_region=_attribute(element, "perRegion").lower() == "true",
    )


def _labels(element: Element, above: tuple[str, ...]) -> Iterator[Label]:
    for child in element.children:
        path = above
        said = _attribute(child, "alias") or _attribute(child, "value")
        if _tag(child) in _LABEL_TAGS and said:
            path = (*above, said)
            alias = _attribute(child, "alias") or None
            yield Label(value=_attribute(child, "value"), alias=alias, path=path)
        yield from _labels(child, path)


def _object(element: Element) -> Object:
    return Object(
        name=_attribute(element, "name"), type=element.tag, fields=tuple(_variables(element))
    )


def _variables(element: Element) -> Iterator[str]:
    for name in ("value", "valueList", "on"):
        yield from _VARIABLE.findall(_attribute(element, name))


def _fields(root: Element) -> Iterator[str]:
    for element in root.walk():
        if _tag(element) not in _LABEL_TAGS:
            yield from _variables(element)


def _media_field(objects: tuple[Object, ...], root: Element) -> str:
    def rank(one: Object) -> int:
        return _MEDIA.index(one.type.lower()) if one.type.lower() in _MEDIA else len(_MEDIA)

    # A fixed text is an object too, and shows nothing of a task.
    showing = [one for one in objects if one.fields]
    if not showing:
        remedy = 'say where the media is: <Image name="image" value="$image"/>'
        _refuse("has no object with a variable", remedy, root)
    return min(showing, key=rank).fields[0]


def _check_names(root: Element) -> None:
    names: dict[str, Element] = {}
    for element in root.walk():
        name = _attribute(element, "name")
        if name in names:
            first = names[name].line
            _refuse(f"has the name {name!r} twice (first on line {first})", "rename one", element)
        if name:
            names[name] = element
    for element in root.walk():
        for name in filter(None, _attribute(element, "toName").split(",")):
            if name.strip() not in names:
                hint = f"name one of: {', '.join(names)}"
                _refuse(f"speaks of {name.strip()!r}, which no tag is named", hint, element)


def _refuse(problem: str, remedy: str, element: Element) -> NoReturn:
    place = f"line {element.line}"
    raise InvalidDataError(
        "label-config",
        f"the label config {problem}, {place}",
        where=(("place", f"{place}, <{element.tag}>"),),
        unchanged="nothing was written",
        hint=f"{remedy}; then run the same command again",
    )


def _digest(
    root: Element, pairs: list[tuple[Element, Control]], objects: tuple[Object, ...]
) -> str:
    conditions = dict(_conditions(root, ()))
    meaning: dict[str, Json] = {
        "controls": _sorted(
            _control_meaning(element, control, conditions[id(element)])
            for element, control in pairs
        ),
        "objects": _sorted(
            {"name": one.name, "type": one.type.lower(), "fields": [*one.fields]} for one in objects
        ),
        "relations": _sorted(_settings(one) for one in root.walk() if _tag(one) == "relation"),
    }
    return hashlib.sha256(encode(meaning)).hexdigest()


def _sorted(values: Iterable[dict[str, Json]]) -> list[Json]:
    return [*sorted(values, key=encode)]


def _control_meaning(element: Element, control: Control, when: list[Json]) -> dict[str, Json]:
    return {
        "name": control.name,
        "type": control.type.lower(),
        # Left and right of a Pairwise: the order counts.
        "to_names": [*control.to_names],
        "settings": _settings(element),
        "labels": _sorted(_label_meanings(element, ())),
        "when": when,
    }


def _settings(element: Element) -> dict[str, Json]:
    return {
        name.lower(): value.strip()
        for name, value in element.attributes.items()
        if name.lower() not in _LOOKS and name not in {"name", "toName"}
    }


def _label_meanings(element: Element, above: tuple[str, ...]) -> Iterator[dict[str, Json]]:
    for child in element.children:
        path = above
        if _tag(child) in _LABEL_TAGS:
            path = (*above, _attribute(child, "alias") or _attribute(child, "value"))
            yield {"path": [*path], "settings": _settings(child)}
        yield from _label_meanings(child, path)


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
    inner = (*above, stated) if stated and _tag(element) == "view" else above
    for child in element.children:
        yield from _conditions(child, inner)
