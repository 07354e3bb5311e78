"""A round's task list: which tasks it took, with their media as at its base.

Owns `rounds/<round>.tasks.jsonl`. Does not know the manifest that names its digest (rounds.py), nor
how tasks are selected.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.core.lines import line, maybe, objects, stored
from ops.core.names import media_path, tasks_path
from ops.core.records import Json, Media, Task, TaskKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTask:
    """One line of a round's task list.

    Attributes:
        task: the task, with its media as at the round's base.
        has_record: the base holds a record of it, whose annotations go on.
        carried: these annotations are put before annotators, who may change them.
        imported: so are annotations that an import brought (import_list.py).
    """

    task: Task
    has_record: bool
    carried: bool = False
    imported: bool = False

    @property
    def is_answered_before(self) -> bool:
        """Whether the task comes before annotators with annotations."""
        return self.carried or self.imported


def encode_tasks(tasks: Iterable[RoundTask]) -> bytes:
    """The task list's bytes: a line a task, by key."""
    return b"".join(line(_task_line(entry)) for entry in sorted(tasks, key=lambda e: e.task.key))


def _task_line(entry: RoundTask) -> dict[str, Json]:
    media = entry.task.media
    facts = {
        "carried": entry.carried,
        "checksum": media.checksum,
        "data": dict(entry.task.data),
        "has_record": entry.has_record,
        "height": media.height,
        "imported": entry.imported or None,
        "key": entry.task.key,
        "path": media.path,
        "sha256": media.sha256,
        "size_bytes": media.size_bytes,
        "width": media.width,
    }
    return {name: value for name, value in facts.items() if value is not None}


_TASK_FIELDS = frozenset({
    "carried", "checksum", "data", "has_record", "height", "imported", "key", "path", "sha256",
    "size_bytes", "width",
})  # fmt: skip


def decode_tasks(data: bytes, name: str) -> Iterator[RoundTask]:
    """A task list's lines, lazily.

    Raises:
        InvalidDataError: a line is not a task, or does not come after the one before it by key.
    """
    before = ""
    for fields in objects(data, stored(tasks_path(name), "task-list-invalid")):
        fields.only(_TASK_FIELDS)
        if fields.text("path") != media_path(TaskKey(fields.text("key"))):
            fields.refuse("path", f"is not where the picture of {fields.text('key')!r} lies")
        if fields.text("key") <= before:
            fields.refuse("key", f"must come before {before!r}, and once")
        before = fields.text("key")
        media = Media(
            path=fields.text("path"),
            checksum=fields.text("checksum"),
            size_bytes=fields.integer("size_bytes"),
            sha256=maybe(fields, "sha256", fields.text),
            width=maybe(fields, "width", fields.integer),
            height=maybe(fields, "height", fields.integer),
        )
        task = Task(key=TaskKey(fields.text("key")), media=media, data=fields.mapping("data"))
        yield RoundTask(
            task=task,
            has_record=fields.boolean("has_record"),
            carried=fields.boolean("carried"),
            imported=maybe(fields, "imported", fields.boolean) or False,
        )


def tasks_digest(data: bytes) -> str:
    """The digest of a task list's bytes, as the manifest states it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
