"""`round sync`: what people submitted, as records on the round's branch, in one commit.

Owns how a delta is found and proven: tasks updated since the cursor, less an overlap; the project's
own totals against what was read; a scan of the task index where they disagree; everything where
they still do, at a finish and with `--full`. Label Studio's answer is always taken in its export
form, the only one that tells an annotation's identity. Decides nothing about annotations: that is
ops/core/exports.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import itemgetter

from ops.core.canonical import encode_record
from ops.core.index import Seen, Standing, SyncIndex, encode_index
from ops.core.names import RECORD_PREFIX, index_path, record_key, record_path
from ops.core.records import CommitId, Counts, Json, TaskKey
from ops.core.settle import Policy
from ops.core.snapshot import record_checksum
from ops.errors import ConflictError, InvalidDataError, RefusedError
from ops.ports import TaskRow, Totals, Upload
from ops.runner.answers import TASK_MOVED, Answers, Documents, by_task, export_answers
from ops.runner.context import Context, Round, batches, load_round
from ops.runner.main_side import Combined, MainSide

BATCH = 250
REREADS = 5
"""How often a sync begins again where people edit tasks' data while it reads them."""
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
        conflicts: keys of tasks that main, as far as it was taken in, answers otherwise, with
            nobody having said whose answer counts: the branch has the round's own.
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
    conflicts: tuple[TaskKey, ...] = ()


def sync_round(context: Context, name: str, *, full: bool = False, dry_run: bool = False) -> Synced:
    """Bring a round's branch up to Label Studio.

    Cost with nothing changed: six requests to lakeFS, two to Label Studio. Otherwise one more a
    1 000 rows and a 250 tasks fetched, one upload a changed record, one commit. Repeatable; nothing
    changed means no write and no commit. Begins again, up to REREADS times, where somebody edits a
    task's data between the index and the export.

    Raises:
        NotFoundError: there is no such round, or its project is gone.
        InvalidDataError: what Label Studio holds cannot be a record, or not of the task it says.
        RefusedError: it is not open; with `full`, too, where its project is not this round's.
        ConflictError: another sync committed meanwhile.
    """
    for _ in range(REREADS):
        try:
            return _sync(context, name, full=full, dry_run=dry_run)
        except InvalidDataError as error:
            if error.code != TASK_MOVED:
                raise
    return _sync(context, name, full=full, dry_run=dry_run)


def _sync(context: Context, name: str, *, full: bool, dry_run: bool) -> Synced:
    return _Sync(context, load_round(context, name), full=full, dry_run=dry_run).run()


@dataclass(kw_only=True)
class _Delta:
    """What Label Studio holds, as far as it was asked, and what of it is to be read again.

    Attributes:
        seen: every task, with the annotations last read of it; with its own counters where none
            were.
        suspects: tasks whose counters say that there is nothing, and whose line says otherwise.
        foreign: changed tasks that are not the round's.
    """

    seen: dict[int, Seen]
    keys: set[TaskKey] = field(default_factory=set[TaskKey])
    suspects: set[int] = field(default_factory=set[int])
    foreign: set[int] = field(default_factory=set[int])
    scanned: bool = False
    everything: bool = False

    def agrees(self, totals: Totals) -> bool:
        """Say whether the project holds as much as was read."""
        index = SyncIndex(seen=self.seen)
        return totals == Totals(
            task_count=len(self.seen),
            annotation_count=index.annotation_count,
            skipped_count=index.skipped_count,
        )


class _Sync:
    """One run of a sync."""

    def __init__(self, context: Context, round_: Round, *, full: bool, dry_run: bool) -> None:
        self._context = context
        self._round = round_
        self._full = full
        self._dry_run = dry_run
        self._answers = Answers(context, round_)
        self._main_side = MainSide(context, round_, round_.manifest.taken_in)
        self._standings: dict[TaskKey, Standing] = dict(round_.index.standings)
        self._changed: set[TaskKey] = set()
        self._removed: set[str] = set()
        self._conflicts: set[TaskKey] = set()
        self._has_staged = False
        self._fetched_count = 0

    def run(self) -> Synced:
        """Find the delta, write it, commit it."""
        if self._full:
            self._check_project()
        delta = _Delta(seen=dict(self._round.index.seen))
        pending: dict[str, bytes] = {}
        if self._dry_run:
            for uploads in self._passes(delta):
                pending.update({upload.path: upload.data for upload in uploads})
            commit, index = None, self._index(delta)
        else:
            commit, index = self._write(delta)
        round_ = replace(self._round, index=index, head=commit or self._round.head)
        ids = by_key(delta.seen)
        return Synced(
            round=round_,
            fetched_count=self._fetched_count,
            changed=tuple(sorted(self._changed)),
            commit=commit,
            counts=index.counts(round_.tasks),
            vanished=tuple(sorted(key for key in round_.tasks if key not in ids)),
            foreign=tuple(sorted(task for task, row in delta.seen.items() if row.key is None)),
            repeated=tuple(sorted(key for key, tasks in ids.items() if len(tasks) > 1)),
            scanned=delta.scanned,
            pending=pending,
            conflicts=tuple(sorted(self._conflicts)),
        )

    def _check_project(self) -> None:
        """See that the project is this round's. One request.

        A Label Studio that was set up anew gives project numbers again: another round's answers
        would be taken for this one's.

        Raises:
            RefusedError: its description does not hold the round's marker.
        """
        manifest, studio = self._round.manifest, self._context.studio
        project = self._round.project
        if project in {found.id for found in studio.find_projects(manifest.marker)}:
            return
        studio.totals(project)
        raise RefusedError(
            "other-project",
            f"Label Studio project {project} does not say that it is round {manifest.name}'s",
            subject=manifest.name,
            where=(("project", str(project)), ("marker", manifest.marker)),
            unchanged="nothing was written; Label Studio was only read",
            hint="if somebody edited its description, put the marker back into it, on a line of its"
            f" own;\nif it is another round's, get a project with: ops round start {manifest.name}",
        )

    def _passes(self, delta: _Delta) -> Iterator[Iterable[Upload]]:
        """The records that differ from the branch's, until the project's totals are those read.

        Each pass is to be taken up whole before the next: it may hold a record of an earlier one,
        read again. Where nobody answers meanwhile, the last one leaves nothing unread: totals come
        from the annotations themselves, while a task's own counters can stay wrong for good (1.23
        writes each of them from what it knew when a request began; seen with several people at one
        task), and deleting the annotations of many tasks misses the time of one answered just then.
        """
        self._take_up_staged(delta)
        studio, project = self._context.studio, self._round.project
        if self._full or self._round.index.synced_at is None:
            self._scan(delta)
            delta.keys.update(self._round.tasks)
            delta.everything = self._full
        else:
            for row in studio.task_rows(project, since=self._since()):
                self._note(row, delta)
        yield self._uploads(delta)
        if self._full or delta.agrees(before := studio.totals(project)):
            return
        self._scan(delta)
        yield self._uploads(delta)
        if delta.agrees(after := studio.totals(project)) or before != after:
            return
        delta.everything = True
        delta.keys.update(self._round.tasks)
        delta.foreign.update(task for task, row in delta.seen.items() if row.key is None)
        yield self._uploads(delta)

    def _since(self) -> str | None:
        return self._round.index.since(self._context.overlap_s)

    def _take_up_staged(self, delta: _Delta) -> None:
        """Read again what another run staged and did not commit: it may be older than the index."""
        for change in self._context.lake.uncommitted(self._round.branch):
            self._has_staged = True
            if (key := record_key(change.path)) in self._round.tasks:
                delta.keys.add(key)

    def _scan(self, delta: _Delta) -> None:
        """Compare the whole task index."""
        delta.scanned = True
        there: set[int] = set()
        with self._context.reporter.phase("reading the task index") as phase:
            for row in self._context.studio.task_rows(self._round.project):
                self._note(row, delta)
                there.add(row.id)
                phase.advance()
        for task in delta.seen.keys() - there:
            if (key := delta.seen.pop(task).key) is not None:
                delta.keys.add(key)

    def _note(self, row: TaskRow, delta: _Delta) -> None:
        """Compare one row with what is known of it.

        SQLite gives a deleted task's id to the next one, so a known id may come back under
        another key: then both keys are read again.
        """
        now = Seen(
            key=row.key if row.key in self._round.tasks else None,
            updated_at=row.updated_at,
            # 1.23's counters can fall below zero, where two people undo one skip.
            annotation_count=max(0, row.annotation_count),
            skipped_count=max(0, row.skipped_count),
        )
        before = delta.seen.get(row.id)
        if before == now:
            return
        delta.seen[row.id] = now
        delta.keys.update(one.key for one in (before, now) if one is not None and one.key)
        if now.key is None:
            delta.foreign.add(row.id)
        was_answered = before is not None and before.annotation_count + before.skipped_count > 0
        if was_answered or min(row.annotation_count, row.skipped_count) < 0:
            delta.suspects.add(row.id)

    def _uploads(self, delta: _Delta) -> Iterator[Upload]:
        """The records that differ from the branch's, lazily, in batches."""
        self._count_foreign(delta)
        keys = sorted(delta.keys)
        if not keys:
            return
        ids = by_key(delta.seen)
        with self._context.reporter.phase("syncing tasks", len(keys)) as phase:
            for batch in batches(keys, BATCH):
                for combined in self._combined(batch, ids, delta):
                    yield from self._changes(combined)
                phase.advance(len(batch))
        delta.keys.clear()
        delta.suspects.clear()

    def _changes(self, combined: Combined) -> Iterator[Upload]:
        """The task's record where it differs from the branch's; what else is said is kept."""
        self._standings[combined.key] = combined.standing
        if combined.conflicts and self._policy is Policy.FAIL:
            self._conflicts.add(combined.key)
        path = record_path(combined.key)
        if combined.record is None:
            if self._stored.pop(path, None) is not None:
                self._changed.add(combined.key)
                self._removed.add(path)
            return
        data = encode_record(combined.record)
        checksum = record_checksum(data)
        if self._stored.get(path) != checksum:
            self._stored[path] = checksum
            self._changed.add(combined.key)
            self._removed.discard(path)
            yield Upload(path=path, data=data)

    @property
    def _policy(self) -> Policy:
        taken_in = self._round.manifest.taken_in
        return taken_in.on_conflict if taken_in else Policy.FAIL

    @cached_property
    def _stored(self) -> dict[str, str]:
        """The checksums of the branch's records, by path; kept up with what is uploaded."""
        listing = self._context.lake.list_objects(self._round.branch, RECORD_PREFIX)
        return {found.path: found.checksum for found in listing}

    def _combined(
        self, keys: Sequence[TaskKey], ids: Mapping[TaskKey, Sequence[int]], delta: _Delta
    ) -> Iterator[Combined]:
        """A batch of tasks by the round's own answers and main's, as far as it was taken in."""
        tasks = [task for key in keys for task in ids.get(key, ()) if self._is_needed(task, delta)]
        owns = list(self._answers.own(keys, self._documents(tasks, delta)))
        return self._main_side.combine(owns)

    def _is_needed(self, task: int, delta: _Delta) -> bool:
        """No annotation, no export; unless one was put there, or there is doubt."""
        row = delta.seen[task]
        doubtful = delta.everything or task in delta.suspects
        put = row.key is not None and self._round.tasks[row.key].is_answered_before
        return doubtful or put or row.annotation_count + row.skipped_count > 0

    def _documents(self, tasks: Sequence[int], delta: _Delta) -> Documents:
        """Label Studio's export documents by key; what they hold is counted."""
        return by_task(self._exported(tasks, delta))

    def _count_foreign(self, delta: _Delta) -> None:
        """Count what tasks that are not the round's hold: the project's totals hold it, too."""
        foreign = [task for task in sorted(delta.foreign) if task in delta.seen]
        for _ in self._exported([task for task in foreign if self._is_needed(task, delta)], delta):
            pass
        delta.foreign.clear()

    def _exported(self, tasks: Sequence[int], delta: _Delta) -> Iterator[Mapping[str, Json]]:
        for task, document in export_answers(self._context, self._round, tasks, delta.seen):
            annotations = document.get("annotations")
            if isinstance(annotations, list):
                cancelled = [isinstance(a, dict) and a.get("was_cancelled") for a in annotations]
                delta.seen[task] = replace(
                    delta.seen[task],
                    annotation_count=cancelled.count(False),
                    skipped_count=cancelled.count(True),
                )
            self._fetched_count += 1
            yield document

    def _index(self, delta: _Delta) -> SyncIndex:
        return SyncIndex(
            seen=delta.seen, standings=self._standings, synced_at=self._context.timestamp()
        )

    def _write(self, delta: _Delta) -> tuple[CommitId | None, SyncIndex]:
        """Stage records and index and commit them together; nothing where nothing changed.

        Raises:
            InvalidDataError: a document is malformed; batches before it may be staged.
        """
        lake, round_ = self._context.lake, self._round
        try:
            for uploads in self._passes(delta):
                lake.write_many(round_.branch, uploads)
        except InvalidDataError as error:
            if self._changed:
                error.unchanged = (
                    "nothing was committed; what is staged on the round's branch is read again"
                )
            raise
        if self._removed:
            lake.delete_many(round_.branch, sorted(self._removed))
        index = self._index(delta)
        if not (self._changed or self._has_staged or self._has_moved(index)):
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
        # "No changes" to what was staged just now: a network delivered the request twice.
        return commit or lake.find_commit(round_.branch), index

    def _has_moved(self, index: SyncIndex) -> bool:
        """Say whether tasks came, went, or hold another number of annotations.

        A time of change alone is not worth a commit: the few tasks are read again.
        """
        before = self._round.index
        return before.synced_at is None or _holdings(before) != _holdings(index)

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


def _holdings(index: SyncIndex) -> Mapping[int, tuple[TaskKey | None, int, int]]:
    return {
        task: (row.key, row.annotation_count, row.skipped_count) for task, row in index.seen.items()
    }


def by_key(seen: Mapping[int, Seen]) -> Mapping[TaskKey, Sequence[int]]:
    """The Label Studio tasks of each key of a round, in the order of their ids."""
    ids: dict[TaskKey, list[int]] = {}
    for task, row in sorted(seen.items(), key=itemgetter(0)):
        if row.key is not None:
            ids.setdefault(row.key, []).append(task)
    return ids
