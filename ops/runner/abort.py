"""`round abort`: nothing of the round reaches main.

Owns what is kept: by default branch and project stay as they are, and the branch says the round is
over. What had been labeled is named before anything is removed.
"""

from dataclasses import dataclass, replace

from ops.core.names import check_round_name, manifest_path, round_branch
from ops.core.records import Counts, TaskKey
from ops.core.rounds import Manifest, RoundState, encode_manifest
from ops.errors import NotFoundError
from ops.ports import Upload
from ops.runner.context import (
    Context,
    branch_manifest,
    close_project,
    read_index,
    read_tasks,
    refuse_state,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """What an abort did, or would do.

    Attributes:
        labeled: keys with an answer that does not reach main.
        counts: the round's tasks by state, as last synced.
    """

    manifest: Manifest
    counts: Counts
    labeled: tuple[TaskKey, ...]
    removed_branch: bool
    removed_project: bool
    already_done: bool


def abort_round(
    context: Context,
    name: str,
    *,
    remove_branch: bool = False,
    remove_project: bool = False,
    dry_run: bool = False,
) -> Aborted:
    """End a round without merging it. Up to ten requests; repeatable.

    Raises:
        NotFoundError: there is no such round on a branch.
        RefusedError: it is finished.
    """
    lake, branch = context.lake, round_branch(check_round_name(name))
    manifest = branch_manifest(lake, name) if lake.find_commit(branch) else None
    if manifest is None:
        raise NotFoundError(
            "no-such-round",
            f"there is no open round {name}",
            subject=name,
            unchanged="nothing was changed",
            hint="list rounds with: ops round list",
        )
    if manifest.state is RoundState.FINISHED:
        refuse_state(manifest)
    tasks = read_tasks(lake, branch, manifest)
    index = read_index(lake, branch, name)
    was_aborted = manifest.state is RoundState.ABORTED
    ended = replace(
        manifest,
        state=RoundState.ABORTED,
        ended_at=manifest.ended_at or context.timestamp(),
        ended_by=manifest.ended_by or context.actor,
        counts=index.counts(tasks),
    )
    if not dry_run:
        _apply(context, ended, remove_branch=remove_branch, write=not was_aborted)
        if remove_project and manifest.project is not None:
            context.studio.delete_project(manifest.project)
        else:
            close_project(context, ended)
    return Aborted(
        manifest=ended,
        counts=index.counts(tasks),
        labeled=tuple(sorted(key for key, s in index.standings.items() if s.annotators)),
        removed_branch=remove_branch,
        removed_project=remove_project and manifest.project is not None,
        already_done=was_aborted and not remove_branch and not remove_project,
    )


def _apply(context: Context, manifest: Manifest, *, remove_branch: bool, write: bool) -> None:
    lake, branch = context.lake, round_branch(manifest.name)
    if remove_branch:
        lake.delete_branch(branch)
    elif write:
        upload = Upload(path=manifest_path(manifest.name), data=encode_manifest(manifest))
        lake.write_many(branch, [upload])
        lake.commit(
            branch,
            f"Abort round {manifest.name}",
            context.metadata("abort", round=manifest.name),
        )
