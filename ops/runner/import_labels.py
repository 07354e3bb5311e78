"""`import`: labels that people have already, as a round to be looked at and finished.

Owns the order: everything is read and checked before anything is written (import_reading.py); then
pictures that main lacks come onto main, then the round starts with the annotations before its
annotators (start.py, imported.py). Nothing reaches a version but by `round finish`. Killed
anywhere, it goes on when run again; the same files imported again bring nothing.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from ops.core.import_list import encode_import
from ops.core.importing.controls import KINDS, as_boxes
from ops.core.importing.neutral import Answer, Remark
from ops.core.names import MAIN, check_round_name, import_path, round_branch
from ops.core.plan import StartObservation, plan_start
from ops.core.records import CommitId, Counts, Media, Record, Task, TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection
from ops.core.task_list import RoundTask
from ops.errors import NotFoundError, RefusedError
from ops.label_files import read_labels
from ops.runner.context import Context, branch_manifest, main_head, read_manifest, refuse_state
from ops.runner.data import Added, add_media
from ops.runner.import_reading import Asked, Draft, draft_import
from ops.runner.imported import Brought, refuse_other_import
from ops.runner.selection import select_tasks
from ops.runner.start import Started, start_round
from ops.working_copies import WorkingCopy, check_working_copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did, or would do.

    Attributes:
        round: the round's name.
        counts: the pictures of the round by what is imported of each.
        annotation_count, region_count: of the round.
        unanswered: pictures the files name and say nothing of: main has them, no label comes.
        unmatched: names of pictures that are nowhere, with what is said of each.
        there: pictures all of whose answers were imported before, or are on main.
        unspoken: how many pictures came along that no label file speaks of.
        losses: what no record holds; notes: what is kept though it is odd.
        working_copy: what DVC and git-lfs keep of the files, compared with their digests.
        added: the pictures that came onto main; None where none had to.
        started: the start of the round; None where there is nothing to import.
    """

    round: str
    counts: Counts
    annotation_count: int
    region_count: int
    unanswered: tuple[TaskKey, ...]
    unmatched: Mapping[str, str]
    there: tuple[TaskKey, ...]
    unspoken: int
    losses: tuple[Remark, ...]
    notes: tuple[Remark, ...]
    working_copy: WorkingCopy
    added: Added | None
    started: Started | None

    @property
    def pictures(self) -> int:
        """The pictures the files name: the sum of what became of them, by construction."""
        others = len(self.unanswered) + len(self.unmatched) + len(self.there)
        return self.counts.tasks + others


def import_labels(context: Context, asked: Asked, *, dry_run: bool = False) -> Imported:
    """Import label files as a round.

    Cost: one read a picture with marks on it, to see whether it is turned; one a record of main
    that the snapshot lacks and one an earlier import; then what add_media and start_round cost.
    Repeatable.

    Args:
        context: the servers.
        asked: what is imported, and how.
        dry_run: do nothing, say what would be done and what would be lost.

    Raises:
        UsageError: the round's name cannot name a round, or several controls could be meant.
        NotFoundError: there is no such file, files were never pulled, or the repository is not set
            up: then the hint holds the `ops init` for these labels.
        InvalidDataError: a file is not what it claims to be, or does not fit its pictures.
        RefusedError: the label config lacks labels or cannot hold the shapes, pictures are nowhere,
            or the round reviews another import.
        ConflictError: answers that were imported before, or are on main, differ.
    """
    check_round_name(asked.round)
    folders = [asked.given.path, *([asked.images] if asked.images else [])]
    working_copy = check_working_copy([path for path in folders if path.exists()])
    if context.lake.find_commit(MAIN) is None:
        _refuse_without_repository(context, asked)
    head = main_head(context.lake)
    manifest = _manifest(context, asked.round)
    is_begun = manifest is not None and manifest.state in {RoundState.STARTING, RoundState.OPEN}
    base = manifest.base if manifest and is_begun else head
    draft = draft_import(context, asked, head=head, base=base)
    if manifest is not None and is_begun:
        _refuse_other_round(context, manifest, draft)
    elif manifest is not None and draft.records:
        refuse_state(manifest)
    added = _add_pictures(context, asked, draft, dry_run=dry_run)
    started = None
    if draft.records or is_begun:
        started = _start(context, asked, draft, dry_run=dry_run, is_begun=is_begun)
    return _result(asked, draft, working_copy, added=added, started=started)


def _manifest(context: Context, name: str) -> Manifest | None:
    """What is there of a round of this name, on main or on its branch. Three requests."""
    lake = context.lake
    if (ended := read_manifest(lake, MAIN, name)) is not None:
        return ended
    return branch_manifest(lake, name) if lake.find_commit(round_branch(name)) else None


def _refuse_other_round(context: Context, manifest: Manifest, draft: Draft) -> None:
    """Refuse where the round is there and reviews something else.

    Raises:
        RefusedError: it does.
    """
    there = context.lake.read(round_branch(manifest.name), import_path(manifest.name))
    if there is None or manifest.import_digest is None:
        raise RefusedError(
            "round-exists",
            f"round {manifest.name} is there, and reviews no import",
            subject=manifest.name,
            unchanged="the round is as it was",
            hint="import into a round of another name: --round NAME",
        )
    refuse_other_import(manifest.name, there, draft.records.items())


def _add_pictures(context: Context, asked: Asked, draft: Draft, *, dry_run: bool) -> Added | None:
    """Bring the pictures that main lacks onto main; those it has are compared by digest."""
    if not draft.meant.given or asked.pictures is None:
        return None
    return add_media(
        context, [asked.pictures], prefix=asked.prefix, only=draft.meant.given, dry_run=dry_run
    )


def _start(
    context: Context, asked: Asked, draft: Draft, *, dry_run: bool, is_begun: bool
) -> Started:
    """Start the round, go on starting it, or say how it would be."""

    def bring(base: CommitId) -> Brought:
        entries = [_entry(one, draft) for one in _tasks(context, base, draft)]
        records = [
            Record(task=entry.task, annotations=draft.records[entry.task.key]) for entry in entries
        ]
        return Brought(tasks=entries, data=encode_import(records))

    if not dry_run or is_begun or not draft.meant.new:
        return start_round(context, asked.round, Selection(), bring=bring, dry_run=dry_run)
    count = len(draft.records)
    seen = StartObservation(
        name=asked.round,
        has_branch=False,
        manifest=None,
        task_count=count,
        project=None,
        missing_count=count,
    )
    return Started(
        name=asked.round,
        steps=plan_start(seen),
        manifest=None,
        base=main_head(context.lake),
        keys=tuple(sorted(draft.records)),
    )


def _tasks(context: Context, base: CommitId, draft: Draft) -> Sequence[RoundTask]:
    return select_tasks(context, base, Selection(keys=tuple(sorted(draft.records))))


def _entry(entry: RoundTask, draft: Draft) -> RoundTask:
    """A task with what the import says of it."""
    data = draft.data.get(entry.task.key, {})
    return replace(entry, task=replace(entry.task, data=data), imported=True)


def _result(
    asked: Asked,
    draft: Draft,
    working_copy: WorkingCopy,
    *,
    added: Added | None,
    started: Started | None,
) -> Imported:
    annotations = [one for found in draft.records.values() for one in found]
    return Imported(
        round=asked.round,
        counts=_counts(draft),
        annotation_count=len(annotations),
        region_count=sum(len(one.result) for one in annotations),
        unanswered=draft.meant.unanswered,
        unmatched=draft.meant.unmatched,
        there=tuple(draft.there),
        unspoken=draft.meant.unspoken,
        losses=tuple(draft.losses),
        notes=tuple(draft.notes),
        working_copy=working_copy,
        added=added,
        started=started,
    )


def _counts(draft: Draft) -> Counts:
    """The round's tasks by what the import says of them."""
    media = Media(path="", checksum="", size_bytes=0)
    bare = Record(task=Task(key=TaskKey(""), media=media))
    return Counts.of(replace(bare, annotations=said).state for said in draft.records.values())


def _refuse_without_repository(context: Context, asked: Asked) -> NoReturn:
    """Say the `ops init` that makes a repository for just these labels.

    Raises:
        NotFoundError: always.
    """
    reading = read_labels(asked.given, None)
    answers: Sequence[Answer] = (
        list(as_boxes(reading.answers, [])) if asked.boxes else (reading.answers)
    )
    marks = [mark for answer in answers for mark in answer.marks]
    labels = sorted({mark.label for mark in marks})
    shapes = {mark.shape for mark in marks}
    if len(shapes) == 1 and not any("," in label for label in labels):
        kind = KINDS[next(iter(shapes))]
        hint = shlex.join(["ops", "init", "--labels", ",".join(labels), "--kind", kind])
    else:
        hint = "ops init --label-config FILE"
    raise NotFoundError(
        "no-repository",
        f"there is no lakeFS repository {context.lake.repository}",
        subject=context.lake.repository,
        unchanged="nothing was written",
        hint=f"set it up for these labels: {hint}\nthen run the same command again",
    )
