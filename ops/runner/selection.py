"""Which tasks a selection takes at a commit, with their media facts.

Works on listings and the packed snapshot; never reads a picture.
"""

from collections.abc import Container, Mapping, Sequence

from ops.core.names import MEDIA_PREFIX, TASKS_PARQUET, media_key, media_path
from ops.core.records import CommitId, Media, Task, TaskKey, TaskState
from ops.core.rounds import RoundTask, Selection, select
from ops.errors import NotFoundError
from ops.ports import StoredObject
from ops.runner.context import Context, sample_of


def select_tasks(context: Context, base: CommitId, selection: Selection) -> Sequence[RoundTask]:
    """The tasks a selection takes at a commit.

    One request a 1 000 images, and one for their states.

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
    return [_round_task(key, media[key], has_record=key in states) for key in keys]


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


def _round_task(key: TaskKey, found: StoredObject, *, has_record: bool) -> RoundTask:
    facts = found.metadata
    media = Media(
        path=media_path(key),
        checksum=found.checksum,
        size_bytes=found.size_bytes,
        sha256=facts.get("sha256"),
        width=int(facts["width"]) if "width" in facts else None,
        height=int(facts["height"]) if "height" in facts else None,
    )
    return RoundTask(task=Task(key=key, media=media), has_record=has_record)
