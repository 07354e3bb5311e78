"""`round finish`: from an open round to one tagged version on main.

Owns the order: everything is read from Label Studio once more, the count law is checked, an attempt
(attempt.py) takes main in, asks the gates and merges, then come tag, closed project and the round
for what was held back. lakeFS has no compare-and-swap; but every finish rewrites snapshot and card,
so of two finishes at once the second merge is refused, and that one starts over from the new main.
Killed anywhere, it goes on when run again.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from ops.core.gates import GateSettings
from ops.core.names import (
    MAIN,
    check_round_name,
    version_tag,
)
from ops.core.records import CommitId, TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.settle import Policy
from ops.errors import ConflictError, NotFoundError, PartialError
from ops.runner.attempt import Asked, Attempt, Finished
from ops.runner.context import (
    Context,
    close_project,
    main_head,
    read_manifest,
)
from ops.runner.gates import read_gates
from ops.runner.refusals import refuse_undecided, refuse_unfinished
from ops.runner.rework import open_rework
from ops.runner.sync import Synced, sync_round

ATTEMPTS = 5
"""How often a finish starts over because another one was first."""
_OVERTAKEN = frozenset({"main-moved", "merge-conflict", "nothing-merged"})


def finish_round(
    context: Context,
    name: str,
    *,
    allow_unlabeled: bool = False,
    on_conflict: Policy | None = None,
    quarantine: bool = False,
    said: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Finished:
    """Finish a round, or find it finished.

    Cost: a full read of the round from Label Studio (one request a 250 tasks), one read a record
    that differs from main's snapshot, three a task that main changed too, about 30 requests to
    lakeFS. Repeatable.

    Args:
        context: the servers.
        name: the round's.
        allow_unlabeled: merge though tasks are unfinished.
        on_conflict: whose answer counts where main changed the same; None: as an earlier rebase
            was told, else nobody's.
        quarantine: hold back what is in conflict or refused by a gate, merge the rest, and open
            another round with what was held back.
        said: what the merge is to say beside what ops does, by full name (gates.read_said).
        dry_run: do nothing, say what would be done.

    Raises:
        UsageError: the merge was to say what ops itself says.
        NotFoundError: there is no such round.
        RefusedError: it is not open, tasks are unfinished, a gate refuses, or its branch holds
            changes that are no round's.
        ConflictError: main and the round changed the same and nobody has said whose answer counts;
            other finishes kept winning; or somebody else committed to the branch meanwhile.
        PartialError: lakeFS has found nothing to merge.
    """
    check_round_name(name)
    asked = Asked(
        allow_unlabeled=allow_unlabeled,
        on_conflict=on_conflict,
        quarantine=quarantine,
        said=said or {},
        dry_run=dry_run,
    )
    if done := _find_done(context, name, dry_run=dry_run):
        return done
    synced = sync_round(context, name, full=True, dry_run=dry_run)
    _refuse_stale_head(context, synced)
    attempt = 1
    while True:
        main = main_head(context.lake)
        if done := _find_done(context, name, dry_run=dry_run):
            # Somebody else finished this very round meanwhile: once is enough.
            return done
        settings = read_gates(context, main)
        _refuse_open_tasks(synced, asked, settings)
        try:
            finished = Attempt(context, synced, asked, main=main, settings=settings).run()
            break
        except (ConflictError, PartialError) as error:
            if error.code not in _OVERTAKEN or attempt == ATTEMPTS:
                raise
        context.reporter.note("main has moved meanwhile; starting over from main")
        attempt += 1
    if finished.commit is None:
        return replace(finished, synced=synced)
    _end(context, finished.manifest, finished.commit)
    return replace(finished, synced=synced, late=_late(context, synced))


def _find_done(context: Context, name: str, *, dry_run: bool) -> Finished | None:
    """What an earlier run did: main has the manifest. Sees to what comes after the merge."""
    manifest = read_manifest(context.lake, MAIN, name)
    if manifest is None or manifest.version is None or manifest.counts is None:
        return None
    if manifest.state is not RoundState.FINISHED:
        return None
    commit = find_merge(context, manifest)
    if not dry_run:
        _end(context, manifest, commit)
    return Finished(
        manifest=manifest,
        version=manifest.version,
        commit=commit,
        already_done=True,
        counts=manifest.counts,
    )


def find_merge(context: Context, manifest: Manifest) -> CommitId:
    """The merge commit of a finished round, newest first along main. One request a 1 000 commits.

    Raises:
        ConflictError: main holds the manifest, but no merge of this round: it was merged around
            ops.
    """
    for commit in context.lake.log(MAIN, first_parent=True):
        if commit.metadata.get("ops.round_id") == manifest.id:
            return commit.id
    raise ConflictError(
        "merged-around",
        f"main holds round {manifest.name}, but no merge commit made by ops",
        subject=manifest.name,
        unchanged="nothing was changed",
        hint="see how it came there: ops dataset verify",
    )


def _refuse_stale_head(context: Context, synced: Synced) -> None:
    """Refuse where somebody committed to the branch while it was being read. One request.

    What is merged is read at the head the sync knows. A sync that finds all answers on the branch
    already commits nothing; if another one has just put them there, that head is without them.

    Raises:
        ConflictError: it is so.
    """
    round_ = synced.round
    if context.lake.find_commit(round_.branch) == round_.head:
        return
    raise ConflictError(
        "branch-moved",
        f"someone else committed to {round_.branch} during this finish",
        subject=round_.name,
        unchanged="nothing was merged",
        hint=f"finish again: ops round finish {round_.name}",
    )


def _late(context: Context, synced: Synced) -> tuple[TaskKey, ...]:
    """The tasks somebody answered after they were read and before the project was closed.

    Label Studio cannot refuse an answer: what came too late is named at least. One request.
    """
    round_, seen = synced.round, synced.round.index.seen
    late: set[TaskKey] = set()
    with suppress(NotFoundError):
        for row in context.studio.task_rows(round_.project, since=round_.index.cursor):
            known = seen.get(row.id)
            is_new = known is None or known.updated_at != row.updated_at
            if is_new and row.key is not None and row.key in round_.tasks:
                late.add(row.key)
    return tuple(sorted(late))


def _refuse_open_tasks(synced: Synced, asked: Asked, settings: GateSettings) -> None:
    if not (asked.allow_unlabeled and settings.waivable):
        refuse_unfinished(synced, least=settings.answered)
    if not (asked.allow_unlabeled or asked.quarantine):
        refuse_undecided(synced)


def _end(context: Context, manifest: Manifest, commit: CommitId) -> None:
    """What comes after the merge, and again where an earlier run did not get so far."""
    context.lake.create_tag(version_tag(manifest.version or 1), commit)
    close_project(context, manifest)
    open_rework(context, manifest)
