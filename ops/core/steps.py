"""The steps by which a record came to be what it is: states on main, and whose each change was.

Owns the attribution that undoing rests on; the rules are the table of undo.py. Does not undo, and
does not read main's history (ops/runner/revert_rules.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import groupby
from typing import TypeVar

from ops.core.likeness import is_exact
from ops.core.records import Annotation, Record
from ops.core.regions import labels

_Value = TypeVar("_Value")

_ONE_SAVING = timedelta(seconds=1)
"""How long making an annotation takes. Who makes one in another's name, through Label Studio's API,
is noted as who saved it last (1.23.2), and has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A task's record at one commit of main.

    Attributes:
        record: None where there is none.
        is_by_ops: a change by ops made it so.
        savers: who saved an annotation in the round that made this state, by `unique_id`, where the
            record names an earlier saving (see doubtful_annotations) and it is known all the same.
    """

    record: Record | None
    is_by_ops: bool = False
    savers: Mapping[str, str] = field(default_factory=dict[str, str])


def doubtful_annotations(before: Record | None, after: Record | None) -> frozenset[str]:
    """The annotations that say something else and name the saving they named before.

    Two sides of them were merged, and the side that came in was saved earlier than main's.
    """
    known = {one.unique_id: one for one in before.annotations} if before else {}
    return frozenset(
        one.unique_id
        for one in (after.annotations if after else ())
        if (old := known.get(one.unique_id)) is not None
        and _saving(old) == _saving(one)
        and not is_exact(old, one)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One annotation in one state; None where it is not there."""

    annotation: Annotation | None
    is_by_ops: bool
    saver: str | None


def link_of(state: State, unique_id: str) -> Link:
    """One annotation of a state."""
    found = state.record.annotations if state.record else ()
    annotation = next((one for one in found if one.unique_id == unique_id), None)
    return Link(annotation=annotation, is_by_ops=state.is_by_ops, saver=state.savers.get(unique_id))


def without_detours(chain: Iterable[Link]) -> Sequence[Link]:
    """The chain's changes, as if nothing had happened between a state and ops' way back to it."""
    kept: list[Link] = []
    for link in chain:
        if kept and is_exact(kept[-1].annotation, link.annotation):
            continue
        states = [one.annotation for one in kept] if link.is_by_ops else []
        back = next((i for i, one in enumerate(states) if is_exact(one, link.annotation)), None)
        if back is None:
            kept.append(link)
        else:
            del kept[back + 1 :]
    return kept


class Whose(Enum):
    """Whose a step is."""

    TARGET = auto()
    OTHERS = auto()
    UNKNOWN = auto()
    NOBODY = auto()


def whose_step(before: Annotation | None, link: Link, annotator: str | None) -> Whose:
    """Whose a step is, where `annotator` is the target; with None, everybody is."""
    after = link.annotation
    if link.is_by_ops:
        return Whose.NOBODY
    if annotator is None:
        return Whose.TARGET
    if after is None:
        return Whose.OTHERS
    people = _people(before, after, link.saver)
    if people is None or (annotator in people and len(people) > 1):
        return Whose.UNKNOWN
    return Whose.TARGET if annotator in people else Whose.OTHERS


def _people(before: Annotation | None, after: Annotation, saver: str | None) -> set[str] | None:
    """Who made a step; None where nobody knows."""
    last = after.updated_by or after.annotator
    if before is None:
        return {after.annotator, last} if _is_saved_again(after) else {after.annotator}
    if _saving(before) != _saving(after):
        return {last}
    return {saver} if saver else None


def _is_saved_again(annotation: Annotation) -> bool:
    made, saved = (
        datetime.fromisoformat(moment) for moment in (annotation.created_at, annotation.updated_at)
    )
    return saved - made > _ONE_SAVING


def _saving(annotation: Annotation) -> tuple[str, str | None, str]:
    return (annotation.updated_at, annotation.updated_by, annotation.round)


def runs(
    steps: Iterable[tuple[Whose, _Value, _Value]],
) -> Iterator[tuple[Whose, _Value, _Value]]:
    """Steps after each other as one, from before the first to after the last.

    What others did and what ops did go together: others' where one of them is.
    """
    rest = {Whose.OTHERS, Whose.NOBODY}
    for is_rest, group in groupby(steps, key=lambda step: step[0] in rest):
        run = list(group)
        if is_rest:
            kinds = {whose for whose, _, _ in run}
            whose = Whose.OTHERS if Whose.OTHERS in kinds else Whose.NOBODY
            yield whose, run[0][1], run[-1][2]
        else:
            yield from run


def people_of(states: Sequence[State]) -> Iterator[str]:
    """Everybody who said something in these states."""
    for state in states:
        for annotation in state.record.annotations if state.record else ():
            yield annotation.annotator
            if annotation.updated_by:
                yield annotation.updated_by


def labels_of(states: Sequence[State]) -> Iterator[str]:
    """Every class named in these states."""
    for state in states:
        for annotation in state.record.annotations if state.record else ():
            for entry in annotation.result:
                yield from labels(entry)
