"""A migration: some labels of one control become others, in the label config and in every record.

Owns which labels may become which, and what that makes of a label config. What it makes of a record
is relabel.py's, how the text is edited label_edits.py's. Why it is so:
docs/adr/0012-ontology-changes.md.

| operation | labels | become | in the records |
|---|---|---|---|
| rename | one, with what is below it | a new name | that name |
| merge | two or more | one, new or there | that one, once a region |
| split | one | two or more, it may be one of them | as decided, region by region |
| remove | one | – | refused while one says it, or such regions are dropped |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from ops.core.label_edits import Path, add_label, replace_labels
from ops.core.label_names import (
    borrowers,
    check_apart,
    find_control,
    find_label,
    find_parent,
    new_path,
    paths,
    refuse,
    refuse_use,
    spelled,
    target_path,
)
from ops.core.ontology import Control, parse_ontology
from ops.core.records import TaskKey

Place: TypeAlias = tuple[TaskKey, str, str]
"""A region: the task, the annotation's `unique_id`, the region's id."""


class Operation(StrEnum):
    """What becomes of labels."""

    RENAME = "rename"
    MERGE = "merge"
    SPLIT = "split"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRequest:
    """A migration as somebody asked for it.

    Attributes:
        sources, targets: labels as results say them; steps of a path joined by `/`.
        control: the control's name; None where only one offers the sources.
        decisions: of a split: which target each region that says the source becomes.
        rest: of a split: what the regions become that nobody decided; None to refuse them.
        drops: of a removal: regions that say the label are removed with it.
        decided_by: of a split: who decided; its regions say what their annotators never said.
    """

    operation: Operation
    sources: tuple[str, ...]
    targets: tuple[str, ...] = ()
    control: str | None = None
    decisions: Mapping[Place, str] = field(default_factory=dict[Place, str])
    rest: str | None = None
    drops: bool = False
    decided_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A migration against one label config: all that is needed to change a record.

    Attributes:
        control: the control's name.
        speakers: the names of every control whose regions say its labels: itself first, then
            shapes without labels of their own (VideoRectangle).
        sources: the labels by every path results may say them; targets: by theirs.
        decisions, rest, drops, decided_by: as asked for.
        ontology_digest: the ontology that what it changed is to be read under.
    """

    operation: Operation
    control: str
    speakers: tuple[str, ...]
    sources: tuple[Path, ...]
    targets: tuple[Path, ...]
    decisions: Mapping[Place, Path]
    rest: Path | None
    drops: bool
    decided_by: str | None
    ontology_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A migration and the label config after it."""

    migration: Migration
    label_config: str


def plan_migration(label_config: str, request: MigrationRequest) -> Planned:
    """What a request means for a label config; the same arguments, the same migration.

    Raises:
        InvalidDataError: the label config is none.
        NotFoundError: there is no such control, or it offers no such label.
        UsageError: a name no label can have, several controls offer the label, or nothing changes.
        RefusedError: the labels are not the label config's to change, cannot be told apart, or
            other labels are below them; the new name is there; it is the control's last label.
    """
    ontology = parse_ontology(label_config)
    control = find_control(ontology, request.sources, request.control)
    offered = tuple(find_label(control, name) for name in request.sources)
    for label in offered:
        check_apart(ontology, control, label)
    sources = tuple(label.path for label in offered)
    targets = tuple(target_path(control, name, sources[0]) for name in request.targets)
    _check(request, control, sources, targets)
    by_name = dict(zip(request.targets, targets, strict=True))
    after = replace_labels(label_config, control.name, sources=sources, targets=targets)
    migration = Migration(
        operation=request.operation,
        control=control.name,
        speakers=(control.name, *(one.name for one in borrowers(ontology, control))),
        sources=tuple(dict.fromkeys(path for label in offered for path in paths(label))),
        targets=targets,
        decisions={
            place: _decided(by_name, name) for place, name in sorted(request.decisions.items())
        },
        rest=None if request.rest is None else _decided(by_name, request.rest),
        drops=request.drops,
        decided_by=request.decided_by,
        ontology_digest=parse_ontology(after).digest,
    )
    return Planned(migration=migration, label_config=after)


def plan_label(label_config: str, name: str, *, control: str | None = None) -> str:
    """The label config with one more label; as it is where it has the label.

    Raises:
        InvalidDataError, NotFoundError, UsageError, RefusedError: as plan_migration.
    """
    found = find_control(parse_ontology(label_config), (), control)
    if any(spelled(label.path) == name for label in found.labels):
        return label_config
    return add_label(label_config, found.name, new_path(found, name, find_parent(found, name)))


def _check(
    request: MigrationRequest, control: Control, sources: Sequence[Path], targets: Sequence[Path]
) -> None:
    gone = [path for path in sources if path not in targets]
    if any(len({*named}) < len(named) for named in (sources, targets)):
        refuse_use("a label is named twice", "name each one once")
    match request.operation:
        case Operation.RENAME if not gone:
            refuse_use("that is its name already", "give it another one")
        case Operation.RENAME if any(targets[0] == label.path for label in control.labels):
            refuse("label-exists", f"{request.targets[0]!r} is a label already")
        case Operation.MERGE if not gone:
            refuse_use("there is nothing to merge", "name the labels and what they become")
        case Operation.SPLIT if len(targets) == 1:
            refuse_use("one label is no split", "rename it: ops ontology rename")
        case Operation.SPLIT if not gone and request.rest is None:
            # It would go on being said, by open rounds too, and nobody could tell which is meant.
            refuse_use(f"{request.sources[0]!r} stays a label", "say what all others are: --rest")
        case Operation.REMOVE if len(control.labels) == 1:
            refuse("last-label", f"{control.name!r} would offer no label any more")
        case _:
            pass
    if request.operation is not Operation.RENAME:
        for path in gone:
            _refuse_with_others_below(control, path)


def _refuse_with_others_below(control: Control, path: Path) -> None:
    """Labels below one that goes would go with it, unasked.

    Raises:
        RefusedError: there are some.
    """
    others = [one.path for one in control.labels if one.path != path]
    if below := [spelled(one) for one in others if one[: len(path)] == path]:
        refuse("labels-below", f"{spelled(path)!r} has labels below it: {', '.join(below)}")


def _decided(targets: Mapping[str, Path], name: str) -> Path:
    if name not in targets:
        refuse_use(f"{name!r} is none of what the label becomes", f"one of: {', '.join(targets)}")
    return targets[name]
