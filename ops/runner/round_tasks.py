"""`round add` and `drop`: tasks into and out of an open round, each once, and no label lost by it.

Owns their order. Both commit first and touch Label Studio after: an added task that is not there
yet is unfinished, a dropped one that still is there is not the round's and is not read. Killed
anywhere, the same command goes on: what it asked for stands in the manifest. Before a dropped task
is deleted in Label Studio it is read once more, so that no answer goes with it unnamed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from ops.core.amendments import Amendment, AmendmentKind, done_already
from ops.core.names import MAIN, media_path, tasks_path
from ops.core.records import CommitId, TaskKey
from ops.core.rounds import Manifest
from ops.core.selection import Selection, select
from ops.core.task_list import RoundTask, encode_tasks, tasks_digest
from ops.errors import NotFoundError, RefusedError
from ops.ports import Upload
from ops.runner.amend import commit_amendment, remove_amend_branches
from ops.runner.context import Context, Round, load_round, sample_of
from ops.runner.dropped import (
    answered_tasks,
    delete_dropped,
    index_without,
    known_ids,
    records_without,
)
from ops.runner.selection import Choice, choose_tasks, task_states
from ops.runner.selection_facts import Offered, gather, pinned, with_query
from ops.runner.sources import refuse_stale
from ops.runner.start import start_round
from ops.runner.sync import sync_round


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """What an add or a drop did, or would do.

    Attributes:
        round: the round's name.
        kind: which of the two.
        keys: the tasks it added or dropped; none where an earlier run did.
        task_count: the round's tasks after it.
        amendment: what the manifest says of it; None where all named tasks are there already.
        answered: the dropped tasks that somebody had answered: their answers are not in the round
            any more, and stay in the branch's history at `amendment.onto`.
        choice: how the added tasks were chosen.
        already_done: nothing was left to do.
    """

    round: str
    kind: AmendmentKind
    keys: tuple[TaskKey, ...] = ()
    task_count: int
    amendment: Amendment | None = None
    answered: tuple[TaskKey, ...] = ()
    choice: Choice | None = None
    already_done: bool = False


def add_tasks(
    context: Context, name: str, selection: Selection, *, again: bool = False, dry_run: bool = False
) -> Amended:
    """Add tasks of the round's base to an open round, and put them before its annotators.

    Cost: a sync, a selection (choose_tasks), ten requests, and one a 1 000 tasks to Label Studio.
    Repeatable: by the same words it adds nothing more, and goes on where it was killed.

    Args:
        context: the servers.
        name: the round's.
        selection: which tasks, among the images of the base that are not the round's; annotators
            get labels to change where the round is one of that kind.
        again: the same words are meant once more.
        dry_run: do nothing, say what would be done.

    Raises:
        NotFoundError: there is no such round, or a task that was named has no image.
        RefusedError: it is not open, there is no such task left, or its image came to main later.
        ConflictError: somebody else changed the round meanwhile.
    """
    round_ = load_round(context, name)
    is_edit = round_.manifest.selection.edit
    selection = replace(selection, edit=is_edit, labeled_too=selection.labeled_too or is_edit)
    done = done_already(round_.manifest.amendments, AmendmentKind.ADDED, selection)
    named = selection.keys
    if (done and not again) or (named and all(key in round_.tasks for key in named)):
        return _go_on_adding(context, round_, done, dry_run=dry_run)
    round_ = sync_round(context, name, dry_run=dry_run).round
    choice = _choose_more(context, round_, selection)
    amended = Amended(
        round=name,
        kind=AmendmentKind.ADDED,
        keys=tuple(entry.task.key for entry in choice.tasks),
        task_count=len(round_.tasks) + len(choice.tasks),
        choice=choice,
    )
    if dry_run:
        return amended
    tasks = {**round_.tasks, **{entry.task.key: entry for entry in choice.tasks}}
    amendment, manifest, listed = _amend(context, round_, choice.selection, tasks)
    commit_amendment(context, round_, manifest, [listed])
    start_round(context, name, Selection())
    return replace(amended, amendment=amendment)


def _go_on_adding(
    context: Context, round_: Round, done: Amendment | None, *, dry_run: bool
) -> Amended:
    """What a killed add left to do: its tasks in Label Studio, its branch."""
    name, steps = round_.name, ()
    if not dry_run:
        remove_amend_branches(context, name)
        if done is not None:
            _remove_hollow(context, round_)
        steps = start_round(context, name, Selection()).steps
    return Amended(
        round=name,
        kind=AmendmentKind.ADDED,
        task_count=len(round_.tasks),
        amendment=done,
        already_done=not steps,
    )


def _remove_hollow(context: Context, round_: Round) -> None:
    """Remove tasks that a killed import left without the annotations it was to put there.

    Only what no sync has seen, and the add began with one: later it is people who deleted them. One
    request a 1 000 tasks where annotations were put before annotators, else none.
    """
    known = {row.key for row in round_.index.seen.values()}
    fresh = {key for key, one in round_.tasks.items() if one.carried and key not in known}
    if not fresh:
        return
    hollow = [
        row.id
        for row in context.studio.task_rows(round_.project)
        if row.key in fresh and not row.annotation_count + row.skipped_count
    ]
    context.studio.delete_tasks(round_.project, hollow)


def _choose_more(context: Context, round_: Round, selection: Selection) -> Choice:
    """Tasks of the base that are not the round's.

    Raises:
        NotFoundError: a task that was named has no image.
        RefusedError: there is no such task left, or its image came to main later.
    """
    base = round_.manifest.base
    try:
        choice = choose_tasks(context, base, selection, without=round_.tasks)
    except NotFoundError as error:
        if error.code == "no-such-task" and error.subject is not None:
            _refuse_later(context, round_, TaskKey(error.subject), error)
        raise
    if not choice.tasks:
        raise RefusedError(
            "nothing-to-add",
            f"of {choice.looked_at_count} images beside the round's none is to be added",
            subject=round_.name,
            where=(("selection", choice.selection.in_words), ("at", base[:12])),
            unchanged="the round is as it was",
            hint="ask for others: ops round add --help",
        )
    refuse_stale(context, base, [entry.task.media.path for entry in choice.tasks])
    return choice


def _refuse_later(context: Context, round_: Round, key: TaskKey, cause: NotFoundError) -> None:
    """Refuse an image that came to main after the round's base: its pictures are the base's.

    Raises:
        RefusedError: it is one.
    """
    if next(iter(context.lake.checksums_at([MAIN], media_path(key))), None) is None:
        return
    base = round_.manifest.base[:12]
    raise RefusedError(
        "not-at-base",
        f"image {key} came to main after round {round_.name} started",
        subject=key,
        where=(("round's base", base),),
        unchanged="the round is as it was",
        hint="a round shows the pictures of its base, and a rebase takes in labels only;\n"
        f"start another round: ops round start NAME --task {key}",
    ) from cause


def _amend(
    context: Context,
    round_: Round,
    selection: Selection,
    tasks: Mapping[TaskKey, RoundTask],
    *,
    discarded: Iterable[TaskKey] = (),
) -> tuple[Amendment, Manifest, Upload]:
    """The line that says what changed, the manifest with it, and the task list it names."""
    listed = encode_tasks(tasks.values())
    more = len(tasks) - len(round_.tasks)
    amendment = Amendment(
        kind=AmendmentKind.ADDED if more > 0 else AmendmentKind.DROPPED,
        selection=selection,
        actor=context.actor,
        at=context.timestamp(),
        onto=round_.head,
        task_count=abs(more),
        tasks_digest=tasks_digest(listed),
        discarded=tuple(sorted(discarded)),
    )
    manifest = replace(
        round_.manifest,
        task_count=len(tasks),
        tasks_digest=amendment.tasks_digest,
        amendments=(*round_.manifest.amendments, amendment),
    )
    return amendment, manifest, Upload(path=tasks_path(round_.name), data=listed)


def drop_tasks(
    context: Context,
    name: str,
    selection: Selection,
    *,
    discard_answers: bool = False,
    dry_run: bool = False,
) -> Amended:
    """Drop tasks from an open round, from its branch and from Label Studio.

    Cost: a sync, a selection, about 15 requests, and two a 250 dropped tasks to Label Studio.
    Repeatable: by the same words it drops nothing more, and goes on where it was killed.

    Args:
        context: the servers.
        name: the round's.
        selection: which of the round's tasks, by what the round's base says of them.
        discard_answers: drop those too that somebody has answered.
        dry_run: do nothing, say what would be done.

    Raises:
        NotFoundError: there is no such round, or a task that was named is not in it.
        RefusedError: it is not open, none or all of its tasks would go, or somebody has answered
            one of them.
        ConflictError: somebody answered one while it was being dropped, or changed the round.
    """
    round_ = load_round(context, name)
    selection = replace(selection, labeled_too=True)
    if done := done_already(round_.manifest.amendments, AmendmentKind.DROPPED, selection):
        removed_count = 0 if dry_run else delete_dropped(context, round_)
        return Amended(
            round=name,
            kind=AmendmentKind.DROPPED,
            task_count=len(round_.tasks),
            amendment=done,
            already_done=not removed_count,
        )
    round_ = sync_round(context, name, dry_run=dry_run).round
    keys, complete = _choose_dropped(context, round_, selection)
    answered = answered_tasks(context, round_, keys, known_ids(round_, keys))
    if answered and not discard_answers:
        _refuse_answered(round_, keys, answered)
    amended = Amended(
        round=name,
        kind=AmendmentKind.DROPPED,
        keys=tuple(keys),
        task_count=len(round_.tasks) - len(keys),
        answered=tuple(answered),
    )
    if dry_run:
        return amended
    tasks = {key: entry for key, entry in round_.tasks.items() if key not in set(keys)}
    amendment, manifest, listed = _amend(context, round_, complete, tasks, discarded=answered)
    records, removed = records_without(context, round_, frozenset(keys))
    uploads = [listed, index_without(round_, frozenset(keys)), *records]
    head = commit_amendment(context, round_, manifest, uploads, removed=removed)
    delete_dropped(context, replace(round_, manifest=manifest, tasks=tasks, head=head))
    return replace(amended, amendment=amendment)


def _choose_dropped(
    context: Context, round_: Round, selection: Selection
) -> tuple[Sequence[TaskKey], Selection]:
    """Which of the round's tasks a selection takes, and the selection they come again from.

    Raises:
        NotFoundError: a task that was named is not in the round.
        RefusedError: it takes none of them, or all.
    """
    unknown = [key for key in selection.keys or () if key not in round_.tasks]
    if unknown:
        raise NotFoundError(
            "not-in-round",
            f"{len(unknown)} of the {len(selection.keys or ())} tasks named are not in the round",
            subject=unknown[0],
            where=(("tasks", sample_of(unknown)),),
            unchanged="the round is as it was",
            hint=f"see what it holds: ops round diff {round_.name}",
        )
    keys, complete = dropped_by(context, round_.manifest.base, selection, round_.tasks)
    if not keys or len(keys) == len(round_.tasks):
        raise RefusedError(
            "nothing-to-drop" if not keys else "nothing-left",
            f"of {len(round_.tasks)} tasks {'none' if not keys else 'all'} would be dropped",
            subject=round_.name,
            where=(("selection", complete.in_words),),
            unchanged="the round is as it was",
            hint="ask for others: ops round drop --help"
            if not keys
            else f"end the round instead: ops round abort {round_.name}",
        )
    return keys, complete


def dropped_by(
    context: Context,
    base: CommitId,
    selection: Selection,
    tasks: Mapping[TaskKey, RoundTask],
) -> tuple[Sequence[TaskKey], Selection]:
    """Which of a round's tasks a selection takes, as the round's base knows them.

    Also gives the selection from which they come again. Cost: as selection_facts.gather.
    """
    selection = with_query(context, selection)
    offered = Offered(keys=list(tasks), states=task_states(context, base))
    gathered = gather(context, base, selection, offered)
    keys = select(offered.keys, offered.states, selection, gathered.facts)
    return keys, pinned(selection, gathered.facts, keys)


def _refuse_answered(
    round_: Round, keys: Sequence[TaskKey], answered: Sequence[TaskKey]
) -> NoReturn:
    name, standings = round_.name, round_.index.standings
    lines = [
        f"{key}  {', '.join(standings[key].annotators) if key in standings else ''}".rstrip()
        for key in answered
    ]
    raise RefusedError(
        "answered-tasks",
        f"somebody has answered {len(answered)} of the {len(keys)} tasks to be dropped",
        subject=answered[0],
        where=(("round", name), ("tasks", sample_of(lines))),
        unchanged="the round is as it was",
        hint=f"finish the round and drop none of them;\nor: ops round drop {name} …"
        " --discard-answers, which takes their answers out of the round",
    )


def reselect(context: Context, manifest: Manifest) -> Mapping[TaskKey, RoundTask]:
    """A round's tasks, chosen again from its manifest and its base alone. Writes nothing.

    What each of its selections costs. For a round that reviews an import it is the import that
    states the tasks.
    """
    base = manifest.base
    tasks = {one.task.key: one for one in choose_tasks(context, base, manifest.selection).tasks}
    for amendment in manifest.amendments:
        if amendment.kind is AmendmentKind.ADDED:
            more = choose_tasks(context, base, amendment.selection, without=tasks).tasks
            tasks |= {one.task.key: one for one in more}
        else:
            keys, _ = dropped_by(context, base, amendment.selection, tasks)
            tasks = {key: one for key, one in tasks.items() if key not in set(keys)}
    return dict(sorted(tasks.items()))
