"""Main's side of a round: what main changed since the round's base, merged into its records.

Owns what a record on the round's branch is: the merge of the base's, the round's own and main's at
the commit that was taken in, the first two in the words main has by then, and nothing else. So
whoever computes it gets the same, whatever an interrupted run left on the branch. Does not read
Label Studio (answers.py) and writes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property

from ops.core.canonical import decode_record
from ops.core.conflicts import Conflict
from ops.core.index import Standing
from ops.core.merge import merge_records
from ops.core.migration import Migration
from ops.core.names import MEDIA_PREFIX, RECORD_PREFIX, media_key, record_key, record_path
from ops.core.records import Media, Record, TaskKey, TaskState
from ops.core.relabel import migrate_record
from ops.core.rounds import HoldReason, TakenIn
from ops.core.settle import Policy, settle
from ops.ports import Change, ChangeKind
from ops.runner.answers import Own, is_untouched
from ops.runner.context import Context, Round
from ops.runner.ontology_news import migrations_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """A task of a round after main's side was taken in.

    Attributes:
        key: which.
        record: as the branch is to have it; None where main removed it and the round said nothing.
        standing: how it stands in the round.
        conflicts: what both sides say differently.
        is_merged: both sides changed it.
        hold: why the record is quarantined; None where it is not.
    """

    key: TaskKey
    record: Record | None
    standing: Standing
    conflicts: tuple[Conflict, ...] = ()
    is_merged: bool = False
    hold: HoldReason | None = None


class MainSide:
    """A commit of main as a round takes it in, under one policy."""

    def __init__(self, context: Context, round_: Round, taken_in: TakenIn | None) -> None:
        """Nothing is read yet; with None the round stands on its base."""
        self._context = context
        self._lake = context.lake
        self._base = round_.manifest.base
        self._tasks = round_.tasks
        self._taken_in = taken_in

    @cached_property
    def moved(self) -> Mapping[TaskKey, ChangeKind]:
        """The round's tasks whose record main changed since the base. One request a 1 000."""
        return {
            key: change.kind
            for change in self._changes(RECORD_PREFIX)
            if (key := record_key(change.path)) in self._tasks
        }

    @cached_property
    def replaced(self) -> frozenset[TaskKey]:
        """The round's tasks whose picture main changed since, or no longer has."""
        keys = (media_key(change.path) for change in self._changes(MEDIA_PREFIX))
        return frozenset(key for key in keys if key in self._tasks)

    @cached_property
    def migrations(self) -> tuple[Migration, ...]:
        """What main's labels have become since the base. One request a 1 000 commits."""
        if self._taken_in is None or self._taken_in.main == self._base:
            return ()
        return migrations_since(self._context, self._base, self._taken_in.main)

    @property
    def touched(self) -> AbstractSet[TaskKey]:
        """The round's tasks whose record may differ from the round's own by what main did."""
        if self.migrations:
            return self._tasks.keys()
        return self.moved.keys() | self.replaced

    def combine(self, owns: Sequence[Own]) -> Iterator[Combined]:
        """Each task merged with main's side. One read a task that main changed.

        Where the policy is to fail, a task in conflict is given as the round has it, and its
        conflicts with it: nothing is decided by that, for the next one computes them again.
        """
        mains = self._records(own.key for own in owns)
        for own in map(self._migrated, owns):
            yield self._merge(own, mains.get(own.key)) if own.key in self.moved else self._kept(own)

    def _changes(self, prefix: str) -> Iterable[Change]:
        if self._taken_in is None or self._taken_in.main == self._base:
            return ()
        return self._lake.diff(self._base, self._taken_in.main, prefix)

    def _records(self, keys: Iterable[TaskKey]) -> Mapping[TaskKey, Record]:
        """Main's records of those tasks that it changed and still has."""
        gone = ChangeKind.REMOVED
        wanted = [key for key in keys if self.moved.get(key, gone) is not gone]
        paths = {record_path(key): key for key in wanted}
        if not paths or self._taken_in is None:
            return {}
        read = self._lake.read_many(self._taken_in.main, list(paths))
        return {paths[path]: decode_record(data, key=paths[path]) for path, data in read}

    def _migrated(self, own: Own) -> Own:
        """The task in the words main has by now.

        Base's record as the round's, so that only people's own changes are taken for changes.
        """
        if not self.migrations:
            return own
        base = own.base and migrate_record(own.base, self.migrations)
        return replace(own, base=base, record=migrate_record(own.record, self.migrations))

    def _kept(self, own: Own) -> Combined:
        return self._held(Combined(key=own.key, record=own.record, standing=own.standing))

    def _merge(self, own: Own, main: Record | None) -> Combined:
        policy = self._taken_in.on_conflict if self._taken_in else Policy.FAIL
        base, record = own.base, own.record
        if is_untouched(base, record):
            # Who said nothing contradicts nobody, not even by having been shown another picture.
            shown = self._tasks[own.key].task.media.checksum
            return self._held(
                Combined(key=own.key, record=main, standing=own.standing),
                is_about_shown=main is not None and main.task.media.checksum == shown,
            )
        if main and own.key in self.replaced:
            # Of two pictures main's is the task's: the answers about the other one are held back.
            base, record = (
                base and _with_media(base, main.task.media),
                _with_media(record, main.task.media),
            )
        merged = merge_records(base, record, main)
        record = settle(merged, Policy.OURS if policy is Policy.FAIL else policy)
        is_quarantined = bool(merged.conflicts) and policy is Policy.QUARANTINE
        return self._held(
            Combined(
                key=own.key,
                record=record,
                standing=own.standing,
                conflicts=merged.conflicts,
                is_merged=not is_untouched(own.base, main),
                hold=HoldReason.CONFLICT if is_quarantined else None,
            )
        )

    def _held(self, combined: Combined, *, is_about_shown: bool = True) -> Combined:
        """Quarantine what was answered about another picture; say why a task is held."""
        record, hold = combined.record, combined.hold
        if record is None:
            return combined
        is_stale = is_about_shown and combined.key in self.replaced
        if hold is None and record.annotations and is_stale:
            hold, record = HoldReason.PICTURE, replace(record, quarantined=True)
        if not record.quarantined:
            return combined
        standing = replace(combined.standing, state=TaskState.QUARANTINED)
        hold = hold or HoldReason.UNDECIDED
        return replace(combined, record=record, standing=standing, hold=hold)


def _with_media(record: Record, media: Media) -> Record:
    return replace(record, task=replace(record.task, media=media))
