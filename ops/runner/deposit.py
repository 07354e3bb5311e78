"""Objects onto main beside the labels: joined tables, predictions, splits, queries, runs.

Owns the order: a branch named by what is deposited, upload, commit, merge, remove the branch; so
main is never written to directly and an interrupted deposit goes on. Never touches a record, and
makes no version: the next one holds what lies on main then.
"""

import hashlib
from collections.abc import Mapping, Sequence

from ops.core.names import MAIN
from ops.core.records import CommitId
from ops.core.snapshot import record_checksum
from ops.errors import ConflictError
from ops.ports import Upload
from ops.runner.context import Context, main_head
from ops.runner.publish import publish


def deposit(
    context: Context,
    kind: str,
    uploads: Sequence[Upload],
    *,
    message: str,
    removed: Sequence[str] = (),
    base: CommitId | None = None,
    **facts: str | int,
) -> CommitId | None:
    """Bring objects onto main in one commit; None where main holds just these already.

    Seven requests and one an object. Repeatable: the same tables make the same branch, whatever the
    documents beside them say, and what is on main already makes no commit.

    Args:
        context: the servers.
        kind: of the commit, one of ops.core.audit.KINDS; it says which folders may change.
        uploads: the objects, held in memory.
        message: of the commit and the merge.
        removed: paths to take away from main, such as those of a table that is dropped.
        base: the commit of main that the objects were made from, where they must not replace what
            somebody else put there since; None where they may.
        facts: further metadata of the merge, without the prefix `ops.`.

    Raises:
        NotFoundError: the repository is not set up.
        ConflictError: somebody changed one of these objects on main meanwhile, or since `base`.
        RefusedError: a gate inside lakeFS refused, or main is dirty.
    """
    lake = context.lake
    main_head(lake)
    listed = [f"{one.path}\t{_identity(one)}\n" for one in uploads]
    listed += [f"{path}\t-\n" for path in removed]
    digest = hashlib.sha256("".join(sorted(listed)).encode()).hexdigest()
    branch = f"{kind}-{digest[:12]}"
    if not lake.create_branch(branch, base or MAIN) and lake.merge_base(branch, MAIN) == (
        lake.find_commit(branch)
    ):
        # A run that was killed after its merge left it; since then main may have moved on.
        lake.delete_branch(branch)
        lake.create_branch(branch, base or MAIN)
    lake.write_many(branch, uploads)
    lake.delete_many(branch, removed)
    metadata = context.metadata(kind, **facts)
    lake.commit(branch, message, metadata)
    try:
        commit = _publish(context, branch, message=message, metadata=metadata)
    except ConflictError:
        # It can never be merged any more; the next run makes what fits main then.
        lake.delete_branch(branch)
        raise
    lake.delete_branch(branch)
    return commit


def _identity(upload: Upload) -> str:
    """What tells an object from another: of a document, its path; it says when it was made, too.

    So the same command makes the same branch again, and takes up what a killed run left.
    """
    return "" if upload.path.endswith(".json") else record_checksum(upload.data)


def _publish(
    context: Context, branch: str, *, message: str, metadata: Mapping[str, str]
) -> CommitId | None:
    """Merge to main wherever it is: these objects depend on nothing else there.

    The gate inside lakeFS lets nothing but pictures in that names no head.

    Raises:
        ConflictError: somebody changed one of the objects, or main moves all the time.
    """
    for _ in range(_TRIES - 1):
        try:
            return _try(context, branch, message=message, metadata=metadata)
        except ConflictError as error:
            if error.code != "main-moved":
                raise
    return _try(context, branch, message=message, metadata=metadata)


def _try(
    context: Context, branch: str, *, message: str, metadata: Mapping[str, str]
) -> CommitId | None:
    head = main_head(context.lake)
    return publish(context, branch, onto=head, message=message, metadata=metadata)


_TRIES = 5
