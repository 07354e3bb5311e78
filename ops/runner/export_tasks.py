"""The tasks of an export, one by one: every image of a commit, and every record.

Owns where they are read, in the order of their keys, in flat memory but for the keys. Decides
nothing about them but which of a task's answers is exported (ops/core/exporting/policy.py).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ops.core.canonical import decode_record
from ops.core.classes import Said
from ops.core.exporting.files import ExportTask, size_of
from ops.core.exporting.policy import choose
from ops.core.exporting.words import Policy
from ops.core.names import (
    ANNOTATIONS_PARQUET,
    MEDIA_PREFIX,
    RECORD_PREFIX,
    TASKS_PARQUET,
    media_key,
    media_path,
    record_key,
    record_path,
)
from ops.core.records import CommitId, Media, Record, Task, TaskKey
from ops.core.regions import RELATION
from ops.ports import StoredObject
from ops.runner.context import Context

Sizes = Callable[[TaskKey], tuple[int, int] | None]
"""What is known of a picture's size beside its record: as people see it, turned upright."""


def list_images(context: Context, commit: CommitId) -> Mapping[TaskKey, StoredObject]:
    """Every image of a commit. One request a 1 000."""
    with context.reporter.phase("listing pictures") as phase:
        found: dict[TaskKey, StoredObject] = {}
        for image in context.lake.list_objects(commit, MEDIA_PREFIX, metadata=True):
            found[media_key(image.path)] = image
            phase.advance()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which tasks are exported, and how.

    Attributes:
        keys: only these; None for all.
        parts: the part of each task; None without a split.
        sizes: asked where neither answers nor record say a picture's size.
    """

    images: Mapping[TaskKey, StoredObject]
    policy: Policy | None
    keys: frozenset[TaskKey] | None = None
    parts: Mapping[TaskKey, str] | None = None
    sizes: Sizes = lambda _: None

    def has(self, key: TaskKey) -> bool:
        """Whether a task is among them."""
        return self.keys is None or key in self.keys


def read_tasks_of(context: Context, commit: CommitId, selected: Selected) -> Iterator[ExportTask]:
    """The tasks of an export, by key.

    Two requests, one a 1 000 records, and one a record the commit's snapshot does not hold.

    Raises:
        InvalidDataError: a record, or the snapshot, cannot be read.
    """
    listed = {
        record_key(found.path): found.checksum
        for found in context.lake.list_objects(commit, RECORD_PREFIX)
        if found.path == record_path(record_key(found.path))
    }
    plain = (key for key in sorted(selected.images) if key not in listed and selected.has(key))
    unlabeled = ((key, _without_record(selected.images[key], key)) for key in plain)
    wanted = {key: checksum for key, checksum in listed.items() if selected.has(key)}
    records = ((key, data) for key, data in _records(context, commit, wanted))
    both: Iterable[tuple[TaskKey, Record | bytes]] = heapq.merge(
        unlabeled, records, key=lambda pair: pair[0]
    )
    total = len(selected.images.keys() | listed.keys())
    with context.reporter.phase("exporting tasks", total) as phase:
        for key, found in both:
            record = decode_record(found, key=key) if isinstance(found, bytes) else found
            yield _task(record, selected)
            phase.advance()


def _task(record: Record, selected: Selected) -> ExportTask:
    chosen = choose(record, selected.policy)
    key = record.task.key
    return ExportTask(
        record=record,
        chosen=chosen,
        part=selected.parts.get(key, "") if selected.parts is not None else "",
        size=size_of(record, chosen.answers, selected.sizes(key)),
        has_picture=key in selected.images,
    )


def _records(
    context: Context, commit: CommitId, wanted: Mapping[TaskKey, str]
) -> Iterator[tuple[TaskKey, bytes]]:
    """Records' bytes by key: out of the snapshot where it holds what is listed, else one by one."""
    from ops.parquet import read_tasks

    lake = context.lake
    data = lake.read(commit, TASKS_PARQUET) if wanted else None

    def packed() -> Iterator[tuple[TaskKey, bytes]]:
        for found in read_tasks(data) if data is not None else ():
            if wanted.get(found.key) == found.checksum:
                yield found.key, found.data

    # Read twice rather than kept: a version's records need not fit into memory.
    at_hand = {key for key, _ in packed()}
    away = [record_path(key) for key in sorted(wanted) if key not in at_hand]
    read = ((record_key(path), found) for path, found in lake.read_many(commit, away))
    yield from heapq.merge(packed(), read, key=lambda pair: pair[0])


def _without_record(image: StoredObject, key: TaskKey) -> Record:
    """What is known of an image that nobody has labeled."""
    facts = image.metadata
    media = Media(
        path=media_path(key),
        checksum=image.checksum,
        size_bytes=image.size_bytes,
        sha256=facts.get("sha256"),
    )
    return Record(task=Task(key=key, media=media))


def read_sizes(context: Context, commit: CommitId) -> Sizes:
    """Pictures' sizes as people see them, as far as they were profiled. Up to three requests."""
    from ops.runner.profile import read_profile

    profiles = read_profile(context, commit)

    def size(key: TaskKey) -> tuple[int, int] | None:
        found = profiles.get(key)
        if found is None or not found.width or not found.height:
            return None
        is_turned = (found.orientation or 1) >= _FIRST_TURNED
        return (found.height, found.width) if is_turned else (found.width, found.height)

    return size


_FIRST_TURNED = 5
"""EXIF's orientations 5 to 8 lay a picture on its side."""


def said_in_snapshot(context: Context, commit: CommitId) -> frozenset[Said]:
    """The labels that the regions of the commit's snapshot say. One request."""
    from ops.parquet import read_rows

    data = context.lake.read(commit, ANNOTATIONS_PARQUET)
    if data is None:
        return frozenset()
    rows = read_rows(data, ["from_name", "type", "labels"], path=ANNOTATIONS_PARQUET)
    return frozenset(
        Said(control=str(row["from_name"]), type=str(row["type"]), name=str(name))
        for row in rows
        if isinstance(names := row["labels"], list)
        for name in names
        if row["type"] != RELATION
    )
