"""What a label config means: which controls there are, what each may say, of which objects.

Owns parsing Label Studio's XML into an Ontology with a digest, and telling what of a record it
lacks. Does not write label configs (label_config.py), and does not judge annotations otherwise.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from ops.core.markup import Element, parse_markup
from ops.core.ontology_digest import ontology_digest
from ops.core.records import Annotation, Json, Record
from ops.core.regions import PATH_SEPARATOR, is_relation, label_paths
from ops.core.tags import LABEL_TAGS, attribute, is_control, is_object, tag_of, to_names, variables
from ops.errors import InvalidDataError

# A task's own media object comes first; of several objects the first kind here is the media.
_MEDIA = ("image", "audio", "audioplus", "video", "pdf", "hypertext", "timeseries", "text")
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
        return next((one for one in self.controls if is_named(one.name, name)), None)

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


def is_named(name: str, from_name: str) -> bool:
    """Say whether a result's `from_name` means the control of this name."""
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
    controls = tuple(_control(element) for element in root.walk() if is_control(element))
    objects = tuple(_object(element) for element in root.walk() if is_object(element))
    if not controls:
        _refuse("has no control: no tag with name and toName", "add one, such as <Choices …>", root)
    if not objects:
        _refuse("has no object: no tag with name and value", 'add <Image value="$image" …>', root)
    relations = tuple(attribute(one, "value") for one in root.walk() if tag_of(one) == "relation")
    return Ontology(
        controls=controls,
        objects=objects,
        relations=relations,
        fields=tuple(dict.fromkeys(_fields(root))),
        media_field=_media_field(objects, root),
        digest=ontology_digest(root),
    )


def _control(element: Element) -> Control:
    name = attribute(element, "name")
    if not name or not to_names(element):
        missing = "toName" if name else "name"
        _refuse(f"<{element.tag}> has no {missing}", f'give it {missing}="…"', element)
    return Control(
        name=name,
        type=element.tag,
        to_names=to_names(element),
        labels=tuple(label for label, _ in offers(element)),
        dynamic=any(variables(element)) or bool(attribute(element, "apiUrl")),
        choice=attribute(element, "choice") or None,
        required=attribute(element, "required").lower() == "true",
        per_region=attribute(element, "perRegion").lower() == "true",
    )


def offers(element: Element, above: tuple[str, ...] = ()) -> Iterator[tuple[Label, Element]]:
    """The labels in a control's tag, each with its own tag, as they stand in the text.

    Args:
        element: the control, or a label with labels in it.
        above: the path of that label.
    """
    for child in element.children:
        path = above
        said = attribute(child, "alias") or attribute(child, "value")
        if tag_of(child) in LABEL_TAGS and said:
            path = (*above, said)
            alias = attribute(child, "alias") or None
            yield Label(value=attribute(child, "value"), alias=alias, path=path), child
        yield from offers(child, path)


def _object(element: Element) -> Object:
    return Object(
        name=attribute(element, "name"), type=element.tag, fields=tuple(variables(element))
    )


def _fields(root: Element) -> Iterator[str]:
    for element in root.walk():
        if tag_of(element) not in LABEL_TAGS:
            yield from variables(element)


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
        name = attribute(element, "name")
        if name in names:
            first = names[name].line
            _refuse(f"has the name {name!r} twice (first on line {first})", "rename one", element)
        if name:
            names[name] = element
    for element in root.walk():
        for name in to_names(element):
            if name not in names:
                hint = f"name one of: {', '.join(names)}"
                _refuse(f"speaks of {name!r}, which no tag is named", hint, element)


def _refuse(problem: str, remedy: str, element: Element) -> NoReturn:
    place = f"line {element.line}"
    raise InvalidDataError(
        "label-config",
        f"the label config {problem}, {place}",
        where=(("place", f"{place}, <{element.tag}>"),),
        unchanged="nothing was written",
        hint=f"{remedy}; then run the same command again",
    )
