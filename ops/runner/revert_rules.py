"""The three rules of `dataset revert`: to a version, without a round, without somebody's work.

Owns which commits of main's history a rule reads; what it makes of the records is ops/core/undo.py.
A rule reads lazily, a batch of records at a time, and gives the same for the same commit of main.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ops.core.canonical import decode_record
from ops.core.changes import ChangeRequest, DatasetChangeKind, Edit, Effect, Rule
from ops.core.conflicts import Merged
from ops.core.names import MAIN, RECORD_PREFIX, record_key
from ops.core.records import CommitId, Record
from ops.core.relabel import migrate_record
from ops.core.steps import State, doubtful_annotations, labels_of, people_of
from ops.core.undo import Target, undo_merge, undo_work
from ops.errors import InvalidDataError, RefusedError
from ops.ports import ChangeKind, Commit
from ops.runner.context import Context
from ops.runner.ontology_news import migrations_since

TO, ROUND, MERGE, ANNOTATOR, CLASS, SINCE = (
    *("to", "round", "merge", "annotator", "class", "since"),
)
"""The arguments a revert's request may have; `to`, `merge` and `since` are commits."""

_BATCH = 500
_BY_OPS = frozenset(DatasetChangeKind)

_Kinds = Mapping[str, ChangeKind]


def revert_rule(context: Context, request: ChangeRequest) -> Rule:
    """The rule a revert's request asks for. No request yet."""
    arguments = request.arguments
    if TO in arguments:
        return _To(context, CommitId(arguments[TO]))
    if MERGE in arguments:
        return _Round(context, CommitId(arguments[MERGE]))
    return WorkRule(context, CommitId(arguments[SINCE]), target_of(arguments))


def target_of(arguments: Mapping[str, str]) -> Target:
    """Whose work a request's arguments name."""
    return Target(annotator=arguments.get(ANNOTATOR), label=arguments.get(CLASS))


class _To:
    """Main's records become those of another commit, under the names main's labels have now.

    A record on main that nobody can read is replaced too: an older version is the way out of it.
    """

    def __init__(self, context: Context, wanted: CommitId) -> None:
        self._context = context
        self._wanted = wanted

    def __call__(self, main: CommitId) -> Effect:
        return Effect(edits=self._edits(main))

    def _edits(self, main: CommitId) -> Iterator[Edit]:
        kinds = _kinds(self._context, main, self._wanted)
        migrations = migrations_since(self._context, self._wanted, main)
        for paths in _batches(sorted(kinds)):
            before = _read(self._context, main, _there_before(paths, kinds))
            after = _read(self._context, self._wanted, _there_after(paths, kinds))
            for path in paths:
                known = _readable(before[path], path) if path in before else None
                wanted = _maybe(after, path)
                yield Edit(
                    key=record_key(path),
                    before=known,
                    after=Merged(record=wanted and migrate_record(wanted, migrations)),
                    is_damaged=path in before and known is None,
                )


class _Round:
    """What one merge commit changed is undone; what came later stays."""

    def __init__(self, context: Context, merge: CommitId) -> None:
        self._context = context
        self._merge = merge

    def __call__(self, main: CommitId) -> Effect:
        return Effect(edits=self._edits(main))

    def _edits(self, main: CommitId) -> Iterator[Edit]:
        context = self._context
        parent = context.lake.commit_facts(self._merge).parents[0]
        kinds = _kinds(context, parent, self._merge)
        later = _kinds(context, self._merge, main)
        migrations = migrations_since(context, self._merge, main)
        for paths in _batches(sorted(kinds)):
            before = _read(context, parent, _there_before(paths, kinds))
            after = _read(context, self._merge, _there_after(paths, kinds))
            moved = [path for path in paths if path in later]
            now = _read(context, main, _there_after(moved, later))
            for path in paths:
                made, old = _maybe(after, path), _maybe(before, path)
                known = _maybe(now, path) if path in later else made
                # A label that was renamed since is nobody's later work.
                made, old = (one and migrate_record(one, migrations) for one in (made, old))
                merged = undo_merge(made, known, old)
                yield Edit(key=record_key(path), before=known, after=merged)


@dataclass(kw_only=True)
class Seen:
    """Who and what a WorkRule came across since its version."""

    people: set[str] = field(default_factory=set[str])
    labels: set[str] = field(default_factory=set[str])


class WorkRule:
    """What a person did, or what was said of a class, since a version is undone.

    Attributes:
        seen: everybody it came across, once its edits were taken up.
    """

    def __init__(self, context: Context, since: CommitId, target: Target) -> None:
        """Nothing is read yet."""
        self._context = context
        self._since = since
        self._target = target
        self._last_reads: dict[CommitId, CommitId | None] = {}
        self.seen = Seen()

    def __call__(self, main: CommitId) -> Effect:
        """The effect on a commit of main; reads each record of each version since that changed."""
        return Effect(edits=self._edits(main))

    def _edits(self, main: CommitId) -> Iterator[Edit]:
        history = self._history(main)
        unread = [path for path, known in history.items() if known[0].is_base]
        base: dict[str, bytes] = {}
        for paths in _batches(unread):
            base |= _read(self._context, self._since, paths)
        for path, known in sorted(history.items()):
            states = self._states(path, known, base.get(path))
            self.seen.people.update(people_of(states))
            self.seen.labels.update(labels_of(states))
            now = states[-1].record
            yield Edit(key=record_key(path), before=now, after=undo_work(states, self._target))

    def _states(self, path: str, known: Sequence["_Stored"], base: bytes | None) -> list[State]:
        states: list[State] = []
        for one in known:
            record = _maybe({path: base if one.is_base else one.data}, path)
            before = states[-1].record if states else None
            doubtful = doubtful_annotations(before, record) if states else frozenset[str]()
            states.append(
                State(
                    record=record,
                    is_by_ops=one.is_by_ops,
                    savers=self._savers(path, one.commit) if doubtful and one.commit else {},
                )
            )
        return states

    def _savers(self, path: str, commit: Commit) -> Mapping[str, str]:
        """Who saved what in the round a commit merged. One request, and one a commit."""
        if commit.id not in self._last_reads:
            self._last_reads[commit.id] = self._last_read(commit)
        read = self._last_reads[commit.id]
        record = _maybe({path: self._context.lake.read(read, path)}, path) if read else None
        found = record.annotations if record else ()
        return {one.unique_id: one.updated_by or one.annotator for one in found}

    def _last_read(self, commit: Commit) -> CommitId | None:
        """Where a round's branch has what it last read, before main was merged into it."""
        name = commit.metadata.get("ops.round")
        if name is None:
            return None
        for one in self._context.lake.log(commit.parents[-1], first_parent=True):
            if one.metadata.get("ops.round") != name:
                return None
            if one.metadata.get("ops.kind") == "sync":
                return one.id
        return None

    def _history(self, main: CommitId) -> Mapping[str, list["_Stored"]]:
        """The states of each record that changed since the version, as bytes, oldest first."""
        found: dict[str, list[_Stored]] = {}
        for older, newer in pairwise(line_since(self._context, self._since, main)):
            kinds = _kinds(self._context, older.id, newer.id)
            is_by_ops = newer.metadata.get("ops.kind") in _BY_OPS
            for paths in _batches(sorted(kinds)):
                data = _read(self._context, newer.id, _there_after(paths, kinds))
                for path in paths:
                    first = _Stored(is_base=kinds[path] is not ChangeKind.ADDED)
                    found.setdefault(path, [first]).append(
                        _Stored(data=data.get(path), is_by_ops=is_by_ops, commit=newer)
                    )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A record's bytes in one state; `is_base`: those of the version, not read yet."""

    data: bytes | None = None
    is_base: bool = False
    is_by_ops: bool = False
    commit: Commit | None = None


def line_since(context: Context, since: CommitId, main: CommitId) -> Sequence[Commit]:
    """Main's commits from one to its head, oldest first, both included. A request a 1 000.

    Raises:
        RefusedError: it is not one of main's own commits.
    """
    line: list[Commit] = []
    for commit in context.lake.log(main, first_parent=True):
        line.append(commit)
        if commit.id == since:
            return line[::-1]
    raise RefusedError(
        "not-on-main",
        f"{since[:12]} is no commit of {MAIN}",
        subject=since,
        unchanged="nothing was changed",
        hint="name a version: ops dataset log",
    )


def _kinds(context: Context, left: CommitId, right: CommitId) -> _Kinds:
    return {one.path: one.kind for one in context.lake.diff(left, right, RECORD_PREFIX)}


def _there_before(paths: Sequence[str], kinds: _Kinds) -> list[str]:
    return [path for path in paths if kinds[path] is not ChangeKind.ADDED]


def _there_after(paths: Sequence[str], kinds: _Kinds) -> list[str]:
    return [path for path in paths if kinds[path] is not ChangeKind.REMOVED]


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH))


def _read(context: Context, ref: CommitId, paths: Sequence[str]) -> dict[str, bytes]:
    return dict(context.lake.read_many(ref, paths)) if paths else {}


def _decode(data: bytes, path: str) -> Record:
    return decode_record(data, key=record_key(path))


def _maybe(found: Mapping[str, bytes | None], path: str) -> Record | None:
    data = found.get(path)
    return None if data is None else _decode(data, path)


def _readable(data: bytes, path: str) -> Record | None:
    try:
        return _decode(data, path)
    except InvalidDataError:
        return None
