"""Class ids: the number a trainer knows a label by, given once and never given again.

Owns `snapshot/classes.json`: which labels have an id, how new ones get theirs, and what an audit
says of a list that is not the one before it with more at its end. Reads no repository
(ops/runner/classes.py). docs/adr/0027-exports.md says why an id outlives its label.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ops.core.audit import Check, Finding
from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.lines import choice, stored
from ops.core.names import CLASSES_PATH
from ops.core.ontology import Label, Ontology
from ops.core.records import CommitId, Json
from ops.core.regions import PATH_SEPARATOR
from ops.errors import InvalidDataError

SCHEMA = "ops.classes/1"
_ANSWERING = frozenset({"choices", "taxonomy"})


class Kind(StrEnum):
    """What a class is said of; it decides which classes count together from 0."""

    REGIONS = "regions"
    """Of regions: one number for a name, whichever tool drew the region."""
    ANSWERS = "answers"
    """Answers to a question: each control counts its own from 0."""


def kind_of(tag: str) -> Kind:
    """The kind of classes a control, or a region, of this type has."""
    return Kind.ANSWERS if tag.lower() in _ANSWERING else Kind.REGIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """One label of one control with its id.

    Attributes:
        id: unique among the classes it counts with, from 0 without gaps.
        kind: what it is said of.
        control: the control that offers it.
        name: what results say; the steps of a path joined by `/`.
    """

    id: int
    kind: Kind
    control: str
    name: str


_Place: TypeAlias = tuple[Kind, str, str]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Said:
    """A label as a region says it: its control, the region's type, and the name."""

    control: str
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Classes:
    """Every label that ever had an id, in the order they got them."""

    listed: tuple[Class, ...] = ()

    def extended(self, ontology: Ontology, said: Iterable[Said] = ()) -> "Classes":
        """These, with the labels that have no id yet at the end.

        First the ontology's in the order of the label config, then those that only records say (of
        controls whose labels come from the task), sorted.
        """
        more = _Growing(self.listed)
        for control in ontology.controls:
            for label in control.labels:
                more.add(kind_of(control.type), control.name, label_name(label))
        for one in sorted(set(said)):
            more.add(kind_of(one.type), *resolved(ontology, one.control, one.name))
        return Classes(tuple(more.listed))

    def ids(self) -> Mapping[tuple[str, str], int]:
        """The id of each label, by control and name."""
        return {(one.control, one.name): one.id for one in self.listed}

    def names(self) -> Sequence[str]:
        """The names of the classes of regions; a class's place is its id."""
        found = {one.id: one.name for one in self.listed if one.kind is Kind.REGIONS}
        return [found[number] for number in sorted(found)]

    def answers(self, control: str) -> Sequence[str]:
        """The names of the classes of one question; a class's place is its id."""
        listed = [one for one in self.listed if one.kind is Kind.ANSWERS]
        return [one.name for one in listed if one.control == control]

    def retired(self, ontology: Ontology) -> Sequence[Class]:
        """Those the ontology does not offer: they keep their ids, and nobody gets them again."""
        offered = {(c.name, label_name(one)) for c in ontology.controls for one in c.labels}
        dynamic = {control.name for control in ontology.controls if control.dynamic}
        return [
            one
            for one in self.listed
            if (one.control, one.name) not in offered and one.control not in dynamic
        ]


class _Growing:
    """A list of classes that new ones are put to."""

    def __init__(self, listed: Sequence[Class]) -> None:
        self.listed = [*listed]
        self._known = {(one.kind, one.control, one.name) for one in listed}
        self._ids = {_counted_as(one): one.id for one in listed}
        self._next: dict[tuple[Kind, str], int] = {}
        for one in listed:
            space = _space(one.kind, one.control)
            self._next[space] = max(self._next.get(space, 0), one.id + 1)

    def add(self, kind: Kind, control: str, name: str) -> None:
        """Give a label its id, unless it has one."""
        if (kind, control, name) in self._known:
            return
        space = _space(kind, control)
        counted = (*space, name)
        if counted not in self._ids:
            self._ids[counted] = self._next.get(space, 0)
            self._next[space] = self._ids[counted] + 1
        self._known.add((kind, control, name))
        self.listed.append(Class(id=self._ids[counted], kind=kind, control=control, name=name))


def _space(kind: Kind, control: str) -> tuple[Kind, str]:
    """What counts together: all classes of regions, and each question's."""
    return kind, control if kind is Kind.ANSWERS else ""


def _counted_as(one: Class) -> _Place:
    return (*_space(one.kind, one.control), one.name)


def label_name(label: Label) -> str:
    """What a class of this label is called."""
    return PATH_SEPARATOR.join(label.path)


def resolved(ontology: Ontology, from_name: str, name: str) -> tuple[str, str]:
    """The control and the class's name for what a region says.

    A region may say a label's value though the label config gives it an alias; and of a repeated
    row of controls its own.
    """
    control = ontology.control(from_name)
    if control is None:
        return from_name, name
    for label in control.labels:
        if name == PATH_SEPARATOR.join((*label.path[:-1], label.value)):
            return control.name, label_name(label)
    return control.name, name


def encode_classes(classes: Classes) -> bytes:
    """`snapshot/classes.json`, canonical."""
    listed: list[Json] = [
        {"id": one.id, "kind": one.kind.value, "control": one.control, "name": one.name}
        for one in classes.listed
    ]
    return encode({"schema": SCHEMA, "classes": listed})


def decode_classes(data: bytes) -> Classes:
    """The classes in a `snapshot/classes.json`.

    Raises:
        InvalidDataError: it is none: two classes have one id, an id is left out, or a class is
            there twice.
    """
    source = stored(CLASSES_PATH, "classes-invalid")
    document = Fields.of(parse(data, source), "", source)
    if (schema := document.text("schema")) != SCHEMA:
        document.refuse("schema", f"is {schema!r}, not {SCHEMA!r}")
    listed = [(fields, _decoded(fields)) for fields in document.items("classes")]
    growing = _Growing(())
    for number, (fields, one) in enumerate(listed):
        growing.add(one.kind, one.control, one.name)
        if growing.listed[number:] != [one]:
            fields.refuse("id", f"is {one.id}, which is not this class's")
    return Classes(tuple(growing.listed))


def _decoded(fields: Fields) -> Class:
    fields.only(frozenset({"id", "kind", "control", "name"}))
    return Class(
        id=fields.integer("id"),
        kind=choice(fields, "kind", Kind),
        control=fields.text("control"),
        name=fields.text("name"),
    )


def class_findings(
    history: Iterable[tuple[CommitId, bytes | None]],
) -> Iterator[Finding]:
    """Where a version gives a class another id than the version before it, or leaves it out.

    Args:
        history: `snapshot/classes.json` of each version, oldest first. The versions before the
            first that has one are older than class ids.
    """
    before: Classes | None = None
    for commit, data in history:
        if data is None:
            if before is not None:
                yield _finding("classes-gone", f"there is no {CLASSES_PATH}", CLASSES_PATH, commit)
            continue
        try:
            classes = decode_classes(data)
        except InvalidDataError as error:
            yield _finding("classes-invalid", error.message, CLASSES_PATH, commit)
            continue
        yield from _moved(before or Classes(), classes, commit)
        before = classes


def _moved(before: Classes, after: Classes, commit: CommitId) -> Iterator[Finding]:
    ids = {(one.kind, one.control, one.name): one.id for one in after.listed}
    for one in before.listed:
        now = ids.get((one.kind, one.control, one.name))
        named = f"the class {one.name!r} of {one.control!r}"
        if now is None:
            yield _finding("class-gone", f"{named} had id {one.id} and has none", one.name, commit)
        elif now != one.id:
            said = f"{named} had id {one.id} and has {now}"
            yield _finding("class-renumbered", said, one.name, commit)


def missing_classes(classes: Classes, ontology: Ontology, commit: CommitId) -> Iterator[Finding]:
    """The labels of a version's ontology that its classes give no id."""
    for one in classes.extended(ontology).listed[len(classes.listed) :]:
        said = f"the label {one.name!r} of {one.control!r} has no id in {CLASSES_PATH}"
        yield _finding("class-without-id", said, one.name, commit)


def _finding(code: str, message: str, subject: str, commit: CommitId) -> Finding:
    return Finding(
        check=Check.SNAPSHOT,
        code=code,
        message=message,
        subject=subject,
        commit=commit,
        remedy="do not mix exports of these versions: their class ids differ\n"
        "see which commit changed it: ops dataset log",
    )
