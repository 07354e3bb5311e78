"""Which tasks a selection takes at a commit, with their media facts.

Works on listings and the packed snapshot; never reads a picture, and of records only those that
annotators are to see and nobody is known to have read.
"""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from ops.core.canonical import decode_record
from ops.core.names import (
    MEDIA_PREFIX,
    RECORD_PREFIX,
    TASKS_PARQUET,
    media_key,
    media_path,
    record_key,
    record_path,
)
from ops.core.records import CommitId, Counts, Media, Task, TaskKey, TaskState
from ops.core.selection import Selection, select
from ops.core.task_list import RoundTask
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import StoredObject
from ops.runner.context import Context, sample_of
from ops.runner.selection_facts import Offered, gather, pinned, with_query


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection takes at a commit.

    Attributes:
        tasks: by key.
        selection: from which the same tasks come again at the same commit, and nothing else.
        counts: the tasks by their state at the commit.
        looked_at_count: the images the choice was among.
        notes: what a person should know of it, a line each.
    """

    tasks: tuple[RoundTask, ...]
    selection: Selection
    counts: Counts
    looked_at_count: int
    notes: tuple[str, ...] = ()


def choose_tasks(
    context: Context,
    base: CommitId,
    selection: Selection,
    *,
    without: Container[TaskKey] = (),
) -> Choice:
    """The tasks a selection takes at a commit.

    One request a 1 000 images, one for their states, and one a quarantined task it takes; where
    annotations are to be edited one more, one a 1 000 records, and one for each of them that is not
    as the snapshot packed it. For expressions and ranks what selection_facts.py says.

    Args:
        context: the servers.
        base: the commit.
        selection: what was asked for.
        without: tasks that are not to be chosen among.

    Raises:
        UsageError: an expression cannot be read, or is none that only reads.
        NotFoundError: the selection names a task there is no image of, or a query, predictions or a
            file that are not there.
        InvalidDataError: what is to be put before annotators cannot be read: a record, or what is
            said of a picture; or what tasks are ranked by is no rank.
    """
    selection = with_query(context, selection)
    media: dict[TaskKey, _Image] = {}
    with context.reporter.phase("listing pictures") as phase:
        for found in context.lake.list_objects(base, MEDIA_PREFIX, metadata=True):
            media[media_key(found.path)] = _Image.of(found)
            phase.advance()
    _refuse_unknown(selection.keys or (), media)
    states = task_states(context, base)
    keys = [key for key in media if key not in without]
    offered = Offered(keys=keys, states=states, images=_listed(media))
    gathered = gather(context, base, selection, offered)
    keys = select(offered.keys, states, selection, gathered.facts)
    carried = _carried(
        context, base, {key: states[key] for key in keys if key in states}, selection
    )
    return Choice(
        tasks=tuple(
            RoundTask(task=_task(key, media[key]), has_record=key in states, carried=key in carried)
            for key in keys
        ),
        selection=pinned(selection, gathered.facts, keys),
        counts=Counts.of(states.get(key, TaskState.UNFINISHED) for key in keys),
        looked_at_count=len(offered.keys),
        notes=gathered.notes,
    )


def select_tasks(context: Context, base: CommitId, selection: Selection) -> Sequence[RoundTask]:
    """The tasks a selection takes at a commit, as choose_tasks, and nothing said of them."""
    return choose_tasks(context, base, selection).tasks


def _carried(
    context: Context,
    base: CommitId,
    states: Mapping[TaskKey, TaskState],
    selection: Selection,
) -> Container[TaskKey]:
    """The tasks whose annotations go before annotators: those to be edited, and quarantined ones.

    What is wrong with a quarantined task's answers can be decided only by who sees them.
    """
    answered = {TaskState.LABELED, TaskState.EMPTY, TaskState.SKIPPED}
    edited = {key for key, state in states.items() if selection.edit and state in answered}
    held = [key for key, state in states.items() if state is TaskState.QUARANTINED]
    _check_records(context, base, {record_path(key) for key in edited})
    read = context.lake.read_many(base, [record_path(key) for key in held])
    records = (decode_record(data, key=record_key(path)) for path, data in read)
    return edited | {record.task.key for record in records if record.annotations}


def _check_records(context: Context, base: CommitId, paths: Collection[str]) -> None:
    """See that records can be read before anything is written for them.

    Whoever packed the snapshot has read each record in it.

    Raises:
        InvalidDataError: one cannot.
    """
    from ops.parquet import read_tasks

    lake = context.lake
    if not paths:
        return
    data = lake.read(base, TASKS_PARQUET)
    packed = {record_path(found.key): found.checksum for found in read_tasks(data)} if data else {}
    listed = lake.list_objects(base, RECORD_PREFIX)
    odd = [f.path for f in listed if f.path in paths and packed.get(f.path) != f.checksum]
    for path, record in lake.read_many(base, odd):
        decode_record(record, key=record_key(path))


class _Image(NamedTuple):
    """What a listing says of an image, in a fourth of the memory: there may be very many."""

    checksum: str
    size_bytes: int
    sha256: str | None
    width: str | None
    height: str | None

    @classmethod
    def of(cls, found: StoredObject) -> "_Image":
        """The image of a line of the listing."""
        facts = found.metadata
        width, height = facts.get("width"), facts.get("height")
        return cls(
            checksum=found.checksum,
            size_bytes=found.size_bytes,
            sha256=facts.get("sha256"),
            # Of few sizes there are many pictures.
            width=None if width is None else intern(width),
            height=None if height is None else intern(height),
        )


def _listed(media: Mapping[TaskKey, _Image]) -> Iterator[StoredObject]:
    """The listing again, line by line."""
    for key, image in media.items():
        stated = {"sha256": image.sha256, "width": image.width, "height": image.height}
        yield StoredObject(
            path=media_path(key),
            checksum=image.checksum,
            size_bytes=image.size_bytes,
            metadata={name: value for name, value in stated.items() if value is not None},
        )


def _refuse_unknown(named: Sequence[TaskKey], media: Container[TaskKey]) -> None:
    unknown = [key for key in named if key not in media]
    if unknown:
        raise NotFoundError(
            "no-such-task",
            f"{len(unknown)} of the {len(named)} tasks named have no image",
            subject=unknown[0],
            where=(("tasks", sample_of(unknown)),),
            unchanged="nothing was written",
            hint="a task is named by its image's path below images/; list them with: ops data list",
        )


def task_states(context: Context, ref: str) -> Mapping[TaskKey, TaskState]:
    """The state of every task that has a record, from the snapshot. Up to two requests."""
    from ops.parquet import read_states

    data = context.lake.read(ref, TASKS_PARQUET)
    return read_states(data) if data is not None else {}


def _task(key: TaskKey, image: _Image) -> Task:
    media = Media(
        path=media_path(key),
        checksum=image.checksum,
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        width=_pixels(key, "width", image.width),
        height=_pixels(key, "height", image.height),
    )
    return Task(key=key, media=media)


def _pixels(key: TaskKey, name: str, stated: str | None) -> int | None:
    """A picture's width or height, as the object's metadata has it.

    Raises:
        InvalidDataError: it is no number of pixels.
    """
    if stated is None:
        return None
    if not (stated.isascii() and stated.isdigit() and len(stated) <= _MOST_DIGITS):
        raise InvalidDataError(
            "image-facts",
            f"the metadata of image {key} says {stated!r} for its {name}",
            subject=key,
            where=(("path", media_path(key)), ("metadata", name)),
            unchanged="nothing was written",
            hint="add the picture again: ops data add PATH --replace",
        )
    return int(stated)


_MOST_DIGITS = 9
