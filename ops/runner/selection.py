"""Which tasks a selection takes at a commit, with their media facts.

Works on listings and the packed snapshot; never reads a picture, and of records only those that are
quarantined.
"""

from collections.abc import Container, Mapping, Sequence

from ops.core.canonical import decode_record
from ops.core.names import (
    MEDIA_PREFIX,
    TASKS_PARQUET,
    media_key,
    media_path,
    record_key,
    record_path,
)
from ops.core.records import CommitId, Media, Task, TaskKey, TaskState
from ops.core.rounds import Selection, select
from ops.core.task_list import RoundTask
from ops.errors import NotFoundError
from ops.ports import StoredObject
from ops.runner.context import Context, sample_of


def select_tasks(context: Context, base: CommitId, selection: Selection) -> Sequence[RoundTask]:
    """The tasks a selection takes at a commit.

    One request a 1 000 images, one for their states, and one a quarantined task it takes.

    Raises:
        NotFoundError: the selection names a task there is no image of.
    """
    lake = context.lake
    with context.reporter.phase("listing pictures") as phase:
        media: dict[TaskKey, StoredObject] = {}
        for found in lake.list_objects(base, MEDIA_PREFIX, metadata=True):
            media[media_key(found.path)] = found
            phase.advance()
    _refuse_unknown(selection.keys or (), media)
    states = task_states(context, base)
    keys = select(media, states, selection)
    carried = _carried(
        context, base, {key: states[key] for key in keys if key in states}, selection
    )
    return [
        RoundTask(task=_task(key, media[key]), has_record=key in states, carried=key in carried)
        for key in keys
    ]


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
    read = context.lake.read_many(base, [record_path(key) for key in held])
    records = (decode_record(data, key=record_key(path)) for path, data in read)
    return edited | {record.task.key for record in records if record.annotations}


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


def _task(key: TaskKey, found: StoredObject) -> Task:
    facts = found.metadata
    media = Media(
        path=media_path(key),
        checksum=found.checksum,
        size_bytes=found.size_bytes,
        sha256=facts.get("sha256"),
        width=int(facts["width"]) if "width" in facts else None,
        height=int(facts["height"]) if "height" in facts else None,
    )
    return Task(key=key, media=media)
