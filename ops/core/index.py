"""The sync index: which state of which Label Studio task the round's branch reflects.

Owns `rounds/<round>.index.jsonl`, which lives on the round's branch only, in the same commit as the
records it describes, so the two can never disagree; a finish removes it. It makes a delta exact: a
task is fetched again exactly when its line differs from Label Studio's. Does not hold labels: a
lost index costs one full read and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.core.documents import Fields, Source
from ops.core.lines import choice, line, maybe, stored, texts, values
from ops.core.names import index_path
from ops.core.records import Counts, Json, TaskKey, TaskState

SCHEMA = "ops.index/1"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One Label Studio task as it was when its annotations were last read.

    Attributes:
        key: None for a task that is not the round's: it counts in the project's totals.
        updated_at: Label Studio's time of its last change, read before its annotations were.
        annotation_count, skipped_count: annotations that are answers, and that are skips, as read;
            where none were read, as the task's own counters have it.
    """

    key: TaskKey | None
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
    lines = values(data, source)
    where, value = next(lines, ("the heading", None))
    head = Fields.of(value, where, source)
    if (schema := head.text("schema")) != SCHEMA:
        head.refuse("schema", f"is {schema!r}, not {SCHEMA!r}")
    head.only(_HEAD_FIELDS)
    for where, value in lines:
        if isinstance(value, list):
            task, row = _seen(value, where, source)
            if task in seen:
                source.refuse(where, f"is the second one of Label Studio task {task}")
            seen[task] = row
        else:
            key, standing = _standing(Fields.of(value, where, source))
            if key in standings:
                source.refuse(where, f"is the second one of {key!r}")
            standings[key] = standing
    # The standings come last: a file that was cut off at a line's end shows by this alone.
    for key in sorted({row.key for row in seen.values() if row.key is not None}):
        if key not in standings:
            source.refuse("the document", f"holds {key!r}, and does not say how it stands")
    synced_at = maybe(head, "synced_at", head.timestamp)
    return SyncIndex(seen=seen, standings=standings, synced_at=synced_at)


_HEAD_FIELDS = frozenset({"schema", "synced_at"})
_STANDING_FIELDS = frozenset({"key", "state", "annotators"})
_SEEN_NAMES = ("task", "key", "updated_at", "annotation_count", "skipped_count")


def _seen(value: list[Json], where: str, source: Source) -> tuple[int, Seen]:
    if len(value) != len(_SEEN_NAMES):
        source.refuse(where, f"must have {len(_SEEN_NAMES)} values, not {len(value)}")
    row = Fields(dict(zip(_SEEN_NAMES, value, strict=True)), where, source)
    return row.integer("task"), Seen(
        key=TaskKey(row.text("key")) if row.has("key") else None,
        updated_at=row.timestamp("updated_at"),
        annotation_count=row.integer("annotation_count"),
        skipped_count=row.integer("skipped_count"),
    )


def _standing(row: Fields) -> tuple[TaskKey, Standing]:
    row.only(_STANDING_FIELDS)
    return TaskKey(row.text("key")), Standing(
        state=choice(row, "state", TaskState), annotators=tuple(texts(row, "annotators", "e-mail"))
    )
