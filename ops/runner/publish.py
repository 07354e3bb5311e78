"""The one way onto main: every merge that ops makes into main is made here.

Owns what such a merge says of itself: its kind, and `ops.expected_head`, the head of main it was
made and checked against, which the gate inside lakeFS compares with the head it finds. Does not
pack a version (snapshot.py), decide what is merged, or move anything off main.
"""

from collections.abc import Mapping

from ops.core.names import MAIN
from ops.core.records import CommitId
from ops.errors import ConflictError, RefusedError
from ops.runner.context import Context

EXPECTED_HEAD = "ops.expected_head"
"""Metadata of every merge into main: main's head that the merge was made and checked against."""


def publish(
    context: Context,
    source: str,
    *,
    onto: CommitId | None,
    message: str,
    metadata: Mapping[str, str],
) -> CommitId | None:
    """Merge a commit to main; None where it holds nothing new. One request, two where refused.

    Not repeatable by itself: after an answer that was lost, look for the round or change on main.

    Args:
        context: the servers.
        source: the commit to merge. A commit rather than a branch: what comes onto the branch
            meanwhile stays out.
        onto: main's head the commit was made and checked against; None for what fits onto any
            main, such as new images.
        message: of the merge commit.
        metadata: of the merge commit, as Context.metadata makes it.

    Raises:
        ConflictError: code `main-moved`: main is not at `onto` any more; nothing was merged.
        RefusedError: a gate inside lakeFS refused (code `gate`), or main is dirty.
    """
    expected = {EXPECTED_HEAD: onto} if onto else {}
    try:
        return context.lake.merge(source, MAIN, message, {**metadata, **expected})
    except (ConflictError, RefusedError) as error:
        if onto is None or context.lake.find_commit(MAIN) == onto:
            raise
        raise ConflictError(
            "main-moved",
            "main moved while this was being checked",
            subject=MAIN,
            where=(("expected", onto[:12]),),
            unchanged="nothing was merged",
            hint="run the same command again: it starts from main as it is now",
        ) from error
