"""The sync index: which state of which Label Studio task the round's branch reflects.

Owns `rounds/<round>.index.jsonl`, which lives on the round's branch only, in the same commit as the
records it
describes, so the two can never disagree; a finish removes it. It makes a delta exact: a task is
fetched again exactly
when its line differs from Label Studio's. Does not hold labels: a lost index costs one full read
and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ops.core.documents import Fields
from ops.core.lines import choice, line, maybe, stored, values
from ops.core.names import index_path
from ops.core.records import Counts, TaskKey, TaskState

SCHEMA = "ops.index/1"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One Label Studio task as it was when its annotations were last read.

    Attributes:
        updated_at: Label Studio's time of its last change, read before its annotations were.
        annotation_count, skipped_count: annotations that are answers, and that are skips.
    """

    key: TaskKey
    updated_at: str
    annotation_count: int
    skipped_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a task of the round stands, by the answers given in this round."""

    state: TaskState = TaskState.UNFINISHED
    annotators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncIndex:
    """What the branch reflects.

    Attributes:
        seen: by Label Studio task id.
        standings: by key, for every task of the round that Label Studio holds or held.
        synced_at: when the newest commit of records was made, UTC.
    """

    seen: Mapping[int, Seen] = field(default_factory=dict[int, Seen])
    standings: Mapping[TaskKey, Standing] = field(default_factory=dict[TaskKey, Standing])
    synced_at: str | None = None

    @property
    def cursor(self) -> str | None:
        """The newest change seen, or None where nothing has been."""
        return max((row.updated_at for row in self.seen.values()), default=None)

    def since(self, overlap_s: int) -> str | None:
        """From when to look again.

        The cursor less an overlap for changes that became visible late.
        """
        if (cursor := self.cursor) is None:
            return None
        moment = datetime.strptime(cursor, TIME_FORMAT) - timedelta(seconds=overlap_s)  # noqa: DTZ007
        return moment.strftime(TIME_FORMAT)

    @property
    def annotation_count(self) -> int:
        """Answers over all tasks, skips left out: what Label Studio's own total must equal."""
        return sum(row.annotation_count for row in self.seen.values())

    @property
    def skipped_count(self) -> int:
        """Skips over all tasks."""
        return sum(row.skipped_count for row in self.seen.values())

    def counts(self, tasks: Iterable[TaskKey]) -> Counts:
        """The round's tasks by state; a task nobody has seen is unfinished."""
        unseen = Standing()
        return Counts.of(self.standings.get(key, unseen).state for key in tasks)

    def with_time(self, synced_at: str) -> "SyncIndex":
        """The same index, made at another time."""
        return replace(self, synced_at=synced_at)


def encode_index(index: SyncIndex) -> bytes:
    """The index's bytes: a heading line, a line a Label Studio task, a line a standing."""
    parts = [line({"schema": SCHEMA, "synced_at": index.synced_at})]
    parts += [
        line([task, row.key, row.updated_at, row.annotation_count, row.skipped_count])
        for task, row in sorted(index.seen.items())
    ]
    parts += [
        line({"key": key, "state": standing.state.value, "annotators": list(standing.annotators)})
        for key, standing in sorted(index.standings.items())
    ]
    return b"".join(parts)


def decode_index(data: bytes, name: str) -> SyncIndex:
    """An index from its bytes.

    Raises:
        InvalidDataError: it is not an index of this schema.
    """
    source = stored(index_path(name), "index-invalid")
    seen: dict[int, Seen] = {}
    standings: dict[TaskKey, Standing] = {}
    synced_at: str | None = None
    for where, value in values(data, source):
        match value:
            case [int(task), str(key), str(updated_at), int(answers), int(skips)]:
                seen[task] = Seen(
                    key=TaskKey(key),
                    updated_at=updated_at,
                    annotation_count=answers,
                    skipped_count=skips,
                )
            case {"schema": str(schema)} if schema == SCHEMA:
                head = Fields.of(value, where, source)
                synced_at = maybe(head, "synced_at", head.timestamp)
            case _:
                row = Fields.of(value, where, source)
                standings[TaskKey(row.text("key"))] = Standing(
                    state=choice(row, "state", TaskState),
                    annotators=tuple(str(email) for email in row.array("annotators")),
                )
    return SyncIndex(seen=seen, standings=standings, synced_at=synced_at)
