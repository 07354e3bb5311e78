"""`dataset blame` and `dataset log TASK`: a task's record at every commit that led to a ref.

Owns the walk: main along its first parents, then the head of a branch that is not on main. Which
commits changed the record is seen by its checksum at each of them: lakeFS can filter a log by an
object, but passes over merges then, and main is made of merges. Attributes nothing to anybody
(ops/core/history.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NoReturn

from ops.core.canonical import content, decode_record
from ops.core.history import Revision
from ops.core.index import TIME_FORMAT
from ops.core.names import MAIN, media_path, media_problem, record_path, tag_version
from ops.core.records import Annotation, CommitId, Record, TaskKey
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import Commit, Lake
from ops.runner.context import Context
from ops.runner.dataset import resolve

_OF_A_ROUND = frozenset({"start", "open", "sync", "rebase", "finish"})
"""Kinds of commits whose labels are those of the round they name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHistory:
    """A task through time.

    Attributes:
        commit: what the ref stood for.
        revisions: oldest first, each with another record than the one before; at least one.
        unreadable: commits whose record cannot be read, with what is wrong; they are passed over.
    """

    commit: CommitId
    revisions: Sequence[Revision]
    unreadable: Sequence[tuple[CommitId, str]] = ()


def task_history(context: Context, key: TaskKey, ref: str = MAIN) -> TaskHistory:
    """A task's record at every commit on the way to a ref that changed it.

    Cost: one request a 1 000 commits, one a commit of main (many in flight), and one for each that
    changed the record; for each in which two rounds were merged some more, as _in_round.

    Raises:
        NotFoundError: no such ref, no such image, or nobody has labeled it on the way there.
        InvalidDataError: the record at the ref itself cannot be read.
    """
    _check_key(key)
    lake, commit = context.lake, resolve(context, ref)
    line = _line(lake, commit)
    checksums = lake.checksums_at([one.commit.id for one in line], record_path(key))
    known: str | None = None
    changed: list[_Stop] = []
    for stop, checksum in zip(line, checksums, strict=True):
        if checksum != known:
            changed.append(replace(stop, has_record=checksum is not None))
        known = checksum
    if not changed:
        _refuse_unlabeled(lake, key, commit, ref)
    return _read(lake, key, commit, changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """One commit on the way, and whether it holds a record of the task."""

    commit: Commit
    is_on_main: bool = True
    has_record: bool = False

    @property
    def facts(self) -> Mapping[str, str]:
        """The commit's metadata, without the prefix `ops.`."""
        pairs = self.commit.metadata.items()
        return {name.removeprefix("ops."): v for name, v in pairs if name.startswith("ops.")}

    def revision(self, record: Record | None) -> Revision:
        """What the commit says of itself, with the record."""
        facts = self.facts
        kind = facts.get("kind")
        return Revision(
            commit=self.commit.id,
            made_at=datetime.fromtimestamp(self.commit.created_at, UTC).strftime(TIME_FORMAT),
            record=record,
            kind=kind,
            round=facts.get("round") if kind in _OF_A_ROUND else None,
            actor=facts.get("actor"),
            version=tag_version("v" + facts.get("version", "")) if self.is_on_main else None,
            is_on_main=self.is_on_main,
        )


def _line(lake: Lake, commit: CommitId) -> Sequence[_Stop]:
    """The commits of main up to a ref, oldest first; where the ref is none of them, it last.

    What is not on main follows the newest commit of main it has taken in.
    """
    main = list(lake.log(MAIN, first_parent=True))
    positions = {one.id: number for number, one in enumerate(main)}
    own: list[_Stop] = []
    start = positions.get(commit, len(main))
    if start == len(main):
        for one in lake.log(commit, first_parent=True):
            own = own or [_Stop(commit=one, is_on_main=False)]
            start = min((positions.get(parent, start) for parent in one.parents), default=start)
            if start < len(main):
                break
    return [*(_Stop(commit=one) for one in reversed(main[start:])), *own]


def _read(lake: Lake, key: TaskKey, commit: CommitId, stops: Sequence[_Stop]) -> TaskHistory:
    walk = _Walk(lake=lake, key=key)
    unreadable: list[tuple[CommitId, str]] = []
    for stop in stops:
        try:
            walk.visit(stop)
        except InvalidDataError as error:
            if stop is stops[-1]:
                raise
            unreadable.append((stop.commit.id, error.message))
    return TaskHistory(commit=commit, revisions=walk.revisions, unreadable=unreadable)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Reads one record after the other."""

    lake: Lake
    key: TaskKey
    revisions: list[Revision] = field(default_factory=list[Revision])

    def visit(self, stop: _Stop) -> None:
        """Read the record of one commit.

        Raises:
            InvalidDataError: it cannot be read.
        """
        record = self._record(stop.commit.id) if stop.has_record else None
        revision = stop.revision(record)
        if merged := self._merged(revision):
            revision = replace(revision, in_round=self._in_round(stop, revision, merged))
        self.revisions.append(revision)

    def _record(self, commit: CommitId) -> Record | None:
        data = self.lake.read(commit, record_path(self.key))
        return None if data is None else decode_record(data, key=self.key)

    def _merged(self, revision: Revision) -> set[str]:
        """The annotations a round changed that name another round as the last to do so."""
        if revision.round is None or revision.record is None:
            return set()
        before = self.revisions[-1].record if self.revisions else None
        known = {one.unique_id: content(one) for one in before.annotations} if before else {}
        return {
            one.unique_id
            for one in revision.record.annotations
            if one.round != revision.round and known.get(one.unique_id) != content(one)
        }

    def _in_round(self, stop: _Stop, revision: Revision, merged: set[str]) -> Record | None:
        """The record with these annotations as the round's last sync of them has them.

        Syncs after a rebase hold what was merged already. One request a 1 000 commits of the
        branch, and one a sync back to the one sought.
        """
        found: dict[str, Annotation] = {}
        for one in self.lake.log(stop.commit.parents[-1], first_parent=True):
            facts = _Stop(commit=one).facts
            if facts.get("round") != revision.round or found.keys() == merged:
                break
            record = self._record(one.id) if facts.get("kind") == "sync" else None
            for annotation in record.annotations if record else ():
                if annotation.unique_id in merged and annotation.round == revision.round:
                    found.setdefault(annotation.unique_id, annotation)
        if revision.record is None or not found:
            return None
        return replace(revision.record, annotations=tuple(found.values()))


def _check_key(key: TaskKey) -> None:
    if problem := media_problem(key):
        raise NotFoundError(
            "no-such-image",
            f"there is no image {key!r}: it {problem}",
            subject=key,
            unchanged="nothing was changed",
            hint="list images with: ops data list",
        )


def _refuse_unlabeled(lake: Lake, key: TaskKey, commit: CommitId, ref: str) -> NoReturn:
    """Say whether the image or its labels are missing. One request.

    Raises:
        NotFoundError: always.
    """
    if next(lake.checksums_at([commit], media_path(key))) is None:
        raise NotFoundError(
            "no-such-image",
            f"there is no image {key} at {ref}",
            subject=key,
            unchanged="nothing was changed",
            hint="list images with: ops data list\na task is named by its path below images/",
        )
    raise NotFoundError(
        "no-labels",
        f"nobody has labeled {key} as of {ref}",
        subject=key,
        unchanged="nothing was changed",
        hint="see what an open round holds of it with: --ref round-NAME",
    )
