"""`round sync`: what people submitted, as records on the round's branch, in one commit.

Owns how a delta is found and proven: tasks updated since the cursor, less an overlap; the project's
own totals against the index; a scan of the whole index where they disagree; everything at a finish
or with `--full`. Label Studio's answer is always taken in its export form, the only one that tells
an annotation's identity. Decides nothing about annotations: that is ops/core/exports.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ops.core.canonical import decode_record, encode_record
from ops.core.exports import RoundFacts, build_record
from ops.core.index import Seen, Standing, SyncIndex, encode_index
from ops.core.names import RECORD_PREFIX, index_path, record_path
from ops.core.records import Annotation, CommitId, Counts, Json, Record, TaskKey, TaskState
from ops.core.snapshot import record_checksum
from ops.errors import ConflictError
from ops.ports import TaskRow, Upload
from ops.runner.context import Context, Round, load_round

BATCH = 250
"""Tasks whose annotations are held in memory at once, and in one export request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a sync found and wrote.

    Attributes:
        round: the round as its branch is now.
        fetched_count: tasks whose annotations were read.
        changed: keys whose record was written, or would be with a dry run.
        commit: the new commit, None where nothing changed or with a dry run.
        counts: the round's tasks by state.
        vanished: keys Label Studio no longer holds.
        foreign: Label Studio task ids that are no task of this round.
        repeated: keys Label Studio holds more than once; their annotations are united.
        scanned: the whole task index was read, for the totals disagreed or it was asked for.
        pending: with a dry run, the records that would be written, by path.
    """

    round: Round
    fetched_count: int
    changed: tuple[TaskKey, ...]
    commit: CommitId | None
    counts: Counts
    vanished: tuple[TaskKey, ...]
    foreign: tuple[int, ...]
    repeated: tuple[TaskKey, ...]
    scanned: bool
    pending: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def sync_round(context: Context, name: str, *, full: bool = False, dry_run: bool = False) -> Synced:
    """Bring a round's branch up to Label Studio.

    Cost with nothing changed: six requests to lakeFS, two to Label Studio. Otherwise one more a 1
        000
    rows and a 250 tasks fetched, one upload a changed record, one commit. Repeatable; nothing
    changed means no write and no commit.

    Raises:
        NotFoundError: there is no such round, or its project is gone.
        RefusedError: it is not open.
        ConflictError: another sync committed meanwhile.
    """
    round_ = load_round(context, name)
    return _Sync(context, round_, full=full, dry_run=dry_run).run()


@dataclass(kw_only=True)
class _Delta:
    """What is to be read again."""

    seen: dict[int, Seen]
    keys: set[TaskKey] = field(default_factory=set[TaskKey])
    scanned: bool = False


class _Sync:
    """One run of a sync."""

    def __init__(self, context: Context, round_: Round, *, full: bool, dry_run: bool) -> None:
        self._context = context
        self._round = round_
        self._full = full
        self._dry_run = dry_run
        self._standings: dict[TaskKey, Standing] = dict(round_.index.standings)
        self._changed: list[TaskKey] = []
        self._fetched_count = 0

    def run(self) -> Synced:
        """Find the delta, write it, commit it."""
        delta = self._delta()
        self._changed.clear()
        uploads = self._uploads(delta)
        pending: dict[str, bytes] = {}
        if self._dry_run:
            pending = {upload.path: upload.data for upload in uploads}
            commit, index = None, self._index(delta)
        else:
            commit, index = self._write(delta, uploads)
        round_ = replace(self._round, index=index, head=commit or self._round.head)
        ids = _by_key(delta.seen)
        return Synced(
            round=round_,
            fetched_count=self._fetched_count,
            changed=tuple(sorted(self._changed)),
            commit=commit,
            counts=index.counts(round_.tasks),
            vanished=tuple(sorted(key for key in round_.tasks if key not in ids)),
            foreign=tuple(
                task for key, tasks in ids.items() if key not in round_.tasks for task in tasks
            ),
            repeated=tuple(
                sorted(k for k, tasks in ids.items() if k in round_.tasks and len(tasks) > 1)
            ),
            scanned=delta.scanned,
            pending=pending,
        )

    def _delta(self) -> _Delta:
        """The tasks whose line in the index differs from Label Studio's."""
        index, studio, project = self._round.index, self._context.studio, self._round.project
        if self._full or not index.seen:
            return self._scan()
        delta = _Delta(seen=dict(index.seen))
        for row in studio.task_rows(project, since=index.since(self._context.overlap_s)):
            self._note(row, delta)
        totals = studio.totals(project)
        known = SyncIndex(seen=delta.seen)
        there = (totals.task_count, totals.annotation_count, totals.skipped_count)
        if there != (len(delta.seen), known.annotation_count, known.skipped_count):
            return self._scan()
        return delta

    def _scan(self) -> _Delta:
        """The same by reading the whole task index."""
        before = self._round.index.seen
        delta = _Delta(seen=dict(before), scanned=True)
        there: set[int] = set()
        with self._context.reporter.phase("reading the task index") as phase:
            for row in self._context.studio.task_rows(self._round.project):
                self._note(row, delta)
                there.add(row.id)
                phase.advance()
        gone = {delta.seen.pop(task).key for task in before.keys() - there}
        delta.keys.update(gone & self._round.tasks.keys())
        if self._full or not before:
            delta.keys.update(self._round.tasks)
        return delta

    def _note(self, row: TaskRow, delta: _Delta) -> None:
        """Compare one row with the index.

        SQLite gives a deleted task's id to the next one, so a known id may come back under
        another key: then both keys are read again. Foreign tasks are kept in the index too, so
        that its totals can equal the project's.
        """
        now = Seen(
            key=row.key or TaskKey(""),
            updated_at=row.updated_at,
            annotation_count=row.annotation_count,
            skipped_count=row.skipped_count,
        )
        before = delta.seen.get(row.id)
        if before != now:
            keys = {now.key} if before is None else {now.key, before.key}
            delta.keys.update(keys & self._round.tasks.keys())
        delta.seen[row.id] = now

    def _uploads(self, delta: _Delta) -> Iterator[Upload]:
        """The records that differ from the branch's, lazily, in batches."""
        if not delta.keys:
            return
        listing = self._context.lake.list_objects(self._round.branch, RECORD_PREFIX)
        stored = {found.path: found.checksum for found in listing}
        ids = _by_key(delta.seen)
        facts = self._facts()
        with self._context.reporter.phase("syncing tasks", len(delta.keys)) as phase:
            for batch in _batches(sorted(delta.keys), BATCH):
                for record in self._records(batch, ids, delta, facts):
                    path, data = record_path(record.task.key), encode_record(record)
                    if stored.get(path) != record_checksum(data):
                        self._changed.append(record.task.key)
                        yield Upload(path=path, data=data)
                phase.advance(len(batch))

    def _facts(self) -> RoundFacts:
        manifest = self._round.manifest
        return RoundFacts(
            round=manifest.name,
            ontology_digest=manifest.ontology_digest,
            members=self._context.studio.members(),
        )

    def _records(
        self,
        keys: Sequence[TaskKey],
        ids: Mapping[TaskKey, Sequence[int]],
        delta: _Delta,
        facts: RoundFacts,
    ) -> Iterator[Record]:
        """The records of a batch, and their standings."""
        tasks = [task for key in keys for task in ids.get(key, ()) if self._is_needed(task, delta)]
        documents = self._documents(tasks)
        earlier = self._earlier(keys)
        edit = self._round.manifest.selection.edit
        for key in keys:
            before, answers = earlier.get(key, ()), documents.get(key, ())
            record = build_record(
                self._round.tasks[key].task,
                answers,
                facts,
                carried={a.unique_id: a for a in before} if edit else {},
                kept=() if edit else before,
            )
            self._standings[key] = _standing(record, () if edit and answers else before)
            yield record

    def _is_needed(self, task: int, delta: _Delta) -> bool:
        """No annotation, no export; unless one was put there, or everything is to be proven."""
        row = delta.seen[task]
        proven = self._full or self._round.manifest.selection.edit
        return proven or row.annotation_count + row.skipped_count > 0

    def _documents(self, tasks: Sequence[int]) -> Mapping[TaskKey, Sequence[Mapping[str, Json]]]:
        """Label Studio's export documents by key."""
        found: dict[TaskKey, list[Mapping[str, Json]]] = {}
        for document in self._context.studio.export(self._round.project, tasks) if tasks else ():
            data = document.get("data")
            if isinstance(data, dict) and isinstance(key := data.get("key"), str):
                found.setdefault(TaskKey(key), []).append(document)
                self._fetched_count += 1
        return found

    def _earlier(self, keys: Sequence[TaskKey]) -> Mapping[TaskKey, Sequence[Annotation]]:
        """The annotations these tasks had at the round's base."""
        known = [key for key in keys if self._round.tasks[key].has_record]
        paths = {record_path(key): key for key in known}
        if not paths:
            return {}
        read = self._context.lake.read_many(self._round.manifest.base, list(paths))
        return {
            paths[path]: decode_record(data, key=paths[path]).annotations for path, data in read
        }

    def _index(self, delta: _Delta) -> SyncIndex:
        return SyncIndex(
            seen=delta.seen, standings=self._standings, synced_at=self._context.timestamp()
        )

    def _write(self, delta: _Delta, uploads: Iterable[Upload]) -> tuple[CommitId | None, SyncIndex]:
        """Stage records and index and commit them together; nothing where nothing changed."""
        lake, round_ = self._context.lake, self._round
        lake.write_many(round_.branch, uploads)
        index = self._index(delta)
        staged = next(lake.uncommitted(round_.branch), None)
        if not self._changed and staged is None and round_.index.seen:
            return None, replace(index, synced_at=round_.index.synced_at)
        lake.write_many(
            round_.branch, [Upload(path=index_path(round_.name), data=encode_index(index))]
        )
        self._refuse_moved_branch()
        counts = index.counts(round_.tasks)
        commit = lake.commit(
            round_.branch,
            f"Sync round {round_.name}: {len(self._changed)} tasks changed",
            self._context.metadata("sync", round=round_.name, **counts.as_mapping()),
        )
        return commit, index

    def _refuse_moved_branch(self) -> None:
        """One committer a branch.

        Of two syncs at once, the later one says so and can be repeated.

        Raises:
            ConflictError: somebody committed to the branch since it was read.
        """
        round_ = self._round
        if self._context.lake.find_commit(round_.branch) != round_.head:
            raise ConflictError(
                "branch-moved",
                f"someone else committed to {round_.branch} during this sync",
                subject=round_.name,
                unchanged="nothing was committed by this sync; Label Studio was only read",
                hint=f"ops round sync {round_.name} --full",
            )


def _standing(record: Record, kept: Sequence[Annotation]) -> Standing:
    """How a task stands by this round's answers alone."""
    earlier = {annotation.unique_id for annotation in kept}
    answers = tuple(a for a in record.annotations if a.unique_id not in earlier)
    state: TaskState = replace(record, annotations=answers).state
    return Standing(state=state, annotators=tuple(sorted({a.annotator for a in answers})))


def _by_key(seen: Mapping[int, Seen]) -> Mapping[TaskKey, Sequence[int]]:
    ids: dict[TaskKey, list[int]] = {}
    for task, row in sorted(seen.items()):
        ids.setdefault(row.key, []).append(task)
    return ids


def _batches(keys: Sequence[TaskKey], size: int) -> Iterator[Sequence[TaskKey]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
