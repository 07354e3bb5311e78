"""Who said what of one task, and in which version: blame and log.

Owns the attribution of what a task's annotations say to the commit in which it came to be said so,
and to the person. What counts as said is decided where all else that compares labels has it from
(regions.said): a save that changed nothing, another order or a float's form are no changes. Does
not walk commits or read records (ops/runner/history.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ops.core.encoding import encode
from ops.core.records import Annotation, CommitId, Json, Record, TaskState
from ops.core.regions import is_relation, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit, and the task's record there.

    Attributes:
        kind: what made the commit (`finish`, `revert` …); None for one that came around ops.
        round: the round whose labels it brought; None where no round did.
        actor: who ran the command that made it; None where nobody says.
        made_at: when, UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
        version: the version it is; None for other commits.
        is_on_main: not so for the head of a branch, such as an open round's.
        record: None where there is none.
        in_round: the record as the round's own branch had it, where `record` is merged from two
            sides and so cannot say of both who they were.
    """

    commit: CommitId
    made_at: str
    record: Record | None
    kind: str | None = None
    round: str | None = None
    actor: str | None = None
    version: int | None = None
    is_on_main: bool = True
    in_round: Record | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """What a statement is about.

    Attributes:
        annotation: the annotation's `unique_id`.
        region: the region's id; `a → b` for the relation of two; empty for the whole annotation.
        control: the control that asked; empty for a relation and for the whole annotation.
    """

    annotation: str
    region: str = ""
    control: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is about the annotation as a whole: skipped, empty, ground truth."""
        return not self.region and not self.control


class Verb(StrEnum):
    """What was done to a statement."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one commit did to one statement.

    Attributes:
        annotator: whose annotation it is in.
        says: the statement after the change, before it where it was removed: the entries of the
            result in canonical order, or what is said of the whole annotation.
        person: who did it; None where nobody can tell, as with an annotation that was deleted.
        round: in which round; None where no round did it: see the revision's kind.
        at: when, as far as is known: the annotation's own time, else the commit's.
    """

    place: Place
    verb: Verb
    annotator: str
    says: Json
    revision: Revision
    person: str | None
    round: str | None
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """What one commit did to the task; `before` and `after` are None where there is no record."""

    revision: Revision
    before: TaskState | None
    after: TaskState | None
    changes: tuple[Change, ...]

    def count(self, verb: Verb) -> int:
        """How many regions, relations and answers it added, changed or removed."""
        return sum(one.verb is verb and not one.place.is_whole for one in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """For what is said, the last change of it; for what was removed and did not come back, too."""

    present: tuple[Change, ...]
    removed: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """What is said at a place; `form` is the same where the same is said."""

    says: Json
    form: bytes


def task_log(revisions: Iterable[Revision]) -> Iterator[TaskChange]:
    """The commits that changed a task's labels, its state, or its record otherwise.

    Args:
        revisions: oldest first; those in which the record is the one before are passed over.
    """
    before: Record | None = None
    for revision in revisions:
        if revision.record == before:
            continue
        yield TaskChange(
            revision=revision,
            before=before.state if before else None,
            after=revision.record.state if revision.record else None,
            changes=tuple(_changes(before, revision)),
        )
        before = revision.record


def blame(log: Iterable[TaskChange]) -> Blame:
    """The last change of everything that is said, and of everything that was removed.

    By annotation, region and control; of what was said, removed and said again, the last.
    """
    last = {change.place: change for entry in log for change in entry.changes}
    ordered = [last[place] for place in sorted(last)]
    return Blame(
        present=tuple(one for one in ordered if one.verb is not Verb.REMOVED),
        removed=tuple(one for one in ordered if one.verb is Verb.REMOVED),
    )


def _changes(before: Record | None, revision: Revision) -> Iterator[Change]:
    old, new = _statements(before), _statements(revision.record)
    for place in sorted(old.keys() | new.keys()):
        was, now = old.get(place), new.get(place)
        if was is not None and now is not None and was.form == now.form:
            continue
        verb = Verb.REMOVED if now is None else Verb.ADDED if was is None else Verb.CHANGED
        statement = now or was
        after = _annotation(revision.record, place.annotation)
        known = _annotation(before, place.annotation)
        person, round_name, at = _attribution(revision, after)
        yield Change(
            place=place,
            verb=verb,
            annotator=one.annotator if (one := after or known) else "",
            says=statement.says if statement else None,
            revision=revision,
            person=person,
            round=round_name,
            at=at,
        )


def _attribution(
    revision: Revision, after: Annotation | None
) -> tuple[str | None, str | None, str]:
    """Who changed it, in which round, and when.

    An annotation names the round that changed it last. Where a commit of another round changed it
    all the same, two rounds were merged: the branch of that round still has its side. Where no
    round made the commit, who ran the command did it; around ops there is only the annotation.
    """
    if revision.round is None and revision.kind is not None:
        return revision.actor, None, revision.made_at
    there = _annotation(revision.in_round, after.unique_id) if after else None
    for one in (after, there):
        if one is not None and revision.round in {one.round, None}:
            return _author(one), one.round, one.updated_at
    return None, revision.round, revision.made_at


def _author(annotation: Annotation) -> str:
    """Who said what an annotation says last.

    What was submitted through the API in somebody's name counts in Label Studio as updated by whose
    token it was, microseconds after it was made: that is no second person's word.
    """
    made, updated = map(datetime.fromisoformat, (annotation.created_at, annotation.updated_at))
    if updated - made < _AT_ONCE:
        return annotation.annotator
    return annotation.updated_by or annotation.annotator


_AT_ONCE = timedelta(seconds=1)


def _annotation(record: Record | None, unique_id: str) -> Annotation | None:
    annotations = record.annotations if record else ()
    return next((one for one in annotations if one.unique_id == unique_id), None)


def _statements(record: Record | None) -> dict[Place, _Statement]:
    found: dict[Place, _Statement] = {}
    for annotation in record.annotations if record else ():
        found[Place(annotation=annotation.unique_id)] = _whole(annotation)
        for place, entries in _by_place(annotation).items():
            form = b"".join(sorted(encode(entry) for entry in entries))
            found[place] = _Statement(says=[*entries], form=form)
    return found


def _whole(annotation: Annotation) -> _Statement:
    says: dict[str, Json] = {
        "empty": not annotation.result,
        "ground_truth": annotation.ground_truth,
        "skipped": annotation.skipped,
    }
    return _Statement(says=says, form=encode(says))


def _by_place(annotation: Annotation) -> Mapping[Place, list[dict[str, Json]]]:
    found: dict[Place, list[dict[str, Json]]] = {}
    for entry in said(annotation.result):
        place = Place(
            annotation=annotation.unique_id,
            region=_region(entry),
            control="" if is_relation(entry) else str(entry.get("from_name", entry.get("type"))),
        )
        found.setdefault(place, []).append(entry)
    return found


def _region(entry: Mapping[str, Json]) -> str:
    if is_relation(entry):
        return f"{entry.get('from_id')} → {entry.get('to_id')}"
    return str(entry.get("id", ""))
