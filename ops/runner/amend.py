"""One commit that changes an open round's tasks: all of it on the round's branch, or nothing.

Owns how it gets there. A task list and the manifest that names its digest cannot be staged at once,
and between the two nobody could read the round: so both are committed on a branch of their own,
which the round's takes in by one merge. Decides nothing about tasks (round_tasks.py).
"""

import re
from collections.abc import Sequence
from typing import NoReturn

from ops.core.names import manifest_path, round_branch
from ops.core.records import CommitId
from ops.core.rounds import Manifest, encode_manifest
from ops.errors import ConflictError, RefusedError
from ops.ports import Upload
from ops.runner.context import Context, Round

_PREFIX = "amend-"
_HEAD_DIGITS = 12


def amend_branch(name: str, head: CommitId) -> str:
    """The short-lived branch an amendment is made on, named after the head of the round's."""
    return f"{_PREFIX}{name}-{head[:_HEAD_DIGITS]}"


def commit_amendment(
    context: Context,
    round_: Round,
    manifest: Manifest,
    uploads: Sequence[Upload],
    *,
    removed: Sequence[str] = (),
) -> CommitId:
    """Commit a round's new manifest and what goes with it onto its branch. About nine requests.

    Not repeatable by itself: the manifest's last amendment says whether it was done.

    Args:
        context: the servers.
        round_: the round as it is.
        manifest: the round's from now on.
        uploads: the task list, and whatever else changes with it.
        removed: paths that go away.

    Raises:
        ConflictError: somebody else committed to the round's branch, or is about to.
        RefusedError: lakeFS has another reason to refuse the merge.
    """
    lake, side = context.lake, amend_branch(round_.name, round_.head)
    written = Upload(path=manifest_path(round_.name), data=encode_manifest(manifest))
    amendment = manifest.amendments[-1]
    message = f"Round {round_.name}: {amendment.task_count} tasks {amendment.kind.value}"
    metadata = context.metadata(
        amendment.kind.value, round=round_.name, tasks=amendment.task_count,
        tasks_digest=amendment.tasks_digest,
    )  # fmt: skip
    # What a killed run left is of another time.
    remove_amend_branches(context, round_.name)
    lake.create_branch(side, round_.head)
    lake.write_many(side, [*uploads, written])
    lake.delete_many(side, removed)
    made = lake.commit(side, message, metadata) or lake.find_commit(side)
    is_ours = made is not None and lake.read(made, written.path) == written.data
    if not is_ours or lake.find_commit(round_.branch) != round_.head:
        _refuse_moved(round_)
    try:
        lake.merge(str(made), round_.branch, message, metadata)
    except (ConflictError, RefusedError) as error:
        # Another one's amendment or drop, or the records a sync is staging just now.
        if error.code not in {"merge-conflict", "dirty-branch"}:
            raise
        _refuse_moved(round_, error)
    lake.delete_branch(side)
    return CommitId(str(lake.find_commit(round_.branch)))


def remove_amend_branches(context: Context, name: str) -> None:
    """Remove what killed amendments of a round left. One request, and one for each."""
    own = re.compile(rf"{_PREFIX}{re.escape(name)}-[0-9a-f]{{{_HEAD_DIGITS}}}")
    for branch, _ in list(context.lake.branches(f"{_PREFIX}{name}-")):
        if own.fullmatch(branch):
            context.lake.delete_branch(branch)


def _refuse_moved(round_: Round, cause: Exception | None = None) -> NoReturn:
    raise ConflictError(
        "branch-moved",
        f"someone else writes to {round_branch(round_.name)} just now",
        subject=round_.name,
        unchanged="the round's tasks are as they were",
        hint=f"let the other command end, or: ops round sync {round_.name}\n"
        "then run the same command again",
    ) from cause
