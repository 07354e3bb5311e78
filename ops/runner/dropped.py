"""What dropping tasks from a round takes away, and how it is made sure that no answer goes unnamed.

Owns the reading of what Label Studio holds of tasks that are to go or have gone, what the branch
holds of them, and their deletion. Does not decide which tasks go (round_tasks.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ops.core.amendments import Amendment, dropped_onto
from ops.core.index import Seen, encode_index
from ops.core.names import RECORD_PREFIX, index_path, record_key
from ops.core.records import CommitId, TaskKey
from ops.errors import ConflictError
from ops.ports import ChangeKind, TaskRow, Upload
from ops.runner.amend import remove_amend_branches
from ops.runner.answers import Answers, by_task, export_answers, is_untouched
from ops.runner.context import (
    Context,
    Round,
    batches,
    read_index,
    read_manifest,
    read_tasks,
    sample_of,
)
from ops.runner.sync import BATCH


def known_ids(round_: Round, keys: Iterable[TaskKey]) -> Mapping[int, Seen]:
    """Label Studio's tasks of some keys, as the sync index knows them."""
    wanted = frozenset(keys)
    return {task: row for task, row in round_.index.seen.items() if row.key in wanted}


def answered_tasks(
    context: Context, round_: Round, keys: Sequence[TaskKey], seen: Mapping[int, Seen]
) -> Sequence[TaskKey]:
    """The tasks of which Label Studio holds anything but what was put there; drafts count, too.

    One request a 250 tasks, and one read a task that has a record at the base.
    """
    answers = Answers(context, round_)
    ids: dict[TaskKey, list[int]] = {}
    for task, row in sorted(seen.items()):
        if row.key is not None:
            ids.setdefault(row.key, []).append(task)
    found: list[TaskKey] = []
    for batch in batches(sorted(ids.keys() & frozenset(keys)), BATCH):
        tasks = [task for key in batch for task in ids[key]]
        documents = by_task(one for _, one in export_answers(context, round_, tasks, seen))
        begun = {key for key in batch for one in documents.get(key, ()) if one.get("drafts")}
        there = [key for key in batch if key in documents]
        said = (
            own.key
            for own in answers.own(there, documents)
            if not is_untouched(own.base, own.record)
        )
        found += sorted({*said, *begun})
    return found


def index_without(round_: Round, keys: frozenset[TaskKey]) -> Upload:
    """The sync index without dropped tasks: Label Studio's of them are not the round's any more."""
    index = round_.index
    left = replace(
        index,
        seen={task: row for task, row in index.seen.items() if row.key not in keys},
        standings={key: one for key, one in index.standings.items() if key not in keys},
    )
    return Upload(path=index_path(round_.name), data=encode_index(left))


def records_without(
    context: Context, round_: Round, keys: frozenset[TaskKey]
) -> tuple[Sequence[Upload], Sequence[str]]:
    """What makes dropped tasks' records those of main again: bytes to write, paths to remove."""
    lake, stood = context.lake, round_.manifest.stands_on
    changes = lake.diff(stood, round_.head, RECORD_PREFIX)
    own = [change for change in changes if record_key(change.path) in keys]
    removed = [change.path for change in own if change.kind is ChangeKind.ADDED]
    changed = [change.path for change in own if change.kind is not ChangeKind.ADDED]
    read = lake.read_many(stood, changed)
    return [Upload(path=path, data=data) for path, data in read], removed


def delete_dropped(context: Context, round_: Round) -> int:
    """Delete what Label Studio still holds of tasks that were dropped; how many tasks.

    One request where it holds none. What somebody has answered since stays.

    Raises:
        ConflictError: somebody has.
    """
    remove_amend_branches(context, round_.name)
    rows = [
        row
        for row in context.studio.task_rows(round_.project)
        if row.key is not None and row.key not in round_.tasks
    ]
    deleted: set[int] = set()
    answered: list[TaskKey] = []
    for amendment in dropped_onto(round_.manifest.amendments):
        left = [row for row in rows if row.id not in deleted]
        if not left:
            break
        before = _round_at(context, round_, amendment.onto)
        held, gone = _judge(context, before, left, amendment)
        context.studio.delete_tasks(round_.project, gone)
        deleted.update(gone)
        answered += held
    if answered:
        raise ConflictError(
            "answered-meanwhile",
            f"somebody answered {len(answered)} tasks while they were being dropped",
            subject=answered[0],
            where=(("tasks", sample_of(sorted(set(answered)))),),
            unchanged="Label Studio holds their answers, and they are not the round's any more",
            hint=f"take them back: ops round add {round_.name} --task {answered[0]}",
        )
    return len(deleted)


def _judge(
    context: Context, before: Round, rows: Sequence[TaskRow], amendment: Amendment
) -> tuple[Sequence[TaskKey], Sequence[int]]:
    """Of tasks that were the round's before: those somebody answered since, and those to delete."""
    seen = {
        row.id: Seen(key=row.key, updated_at=row.updated_at, annotation_count=0, skipped_count=0)
        for row in rows
        if row.key in before.tasks
    }
    keys = sorted({row.key for row in seen.values() if row.key is not None})
    answered = {*answered_tasks(context, before, keys, seen)} - {*amendment.discarded}
    gone = [task for task, row in seen.items() if row.key not in answered]
    return sorted(answered), sorted(gone)


def _round_at(context: Context, round_: Round, commit: CommitId) -> Round:
    """The round as it was at a commit of its branch. Three requests."""
    lake = context.lake
    manifest = read_manifest(lake, commit, round_.name) or round_.manifest
    return replace(
        round_,
        manifest=replace(manifest, project=round_.manifest.project),
        head=commit,
        tasks=read_tasks(lake, commit, manifest),
        index=read_index(lake, commit, round_.name),
    )
