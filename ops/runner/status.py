"""`round status`, `list` and `show`: what the servers say of rounds, without changing anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.core.names import (
    MAIN,
    MANIFEST_PREFIX,
    branch_round,
    check_round_name,
    manifest_round,
    round_branch,
)
from ops.core.records import Counts
from ops.core.rounds import Manifest, RoundState, decode_manifest
from ops.errors import NotFoundError
from ops.ports import Totals
from ops.runner.context import (
    Context,
    branch_manifest,
    load_round,
    main_head,
    read_manifest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStatus:
    """How a round stands.

    Attributes:
        counts: its tasks by state, as last synced or as it ended.
        annotators: tasks with an answer, by annotator, as last synced.
        synced_at: when records were last committed; None before the first sync.
        totals: what Label Studio holds now; None for a round that is not open.
        unsynced_count: answers Label Studio holds beyond what was synced (fewer: negative).
        main_moved: main has moved since the round started, or last took it in.
    """

    manifest: Manifest
    counts: Counts
    annotators: Mapping[str, int]
    synced_at: str | None = None
    totals: Totals | None = None
    unsynced_count: int = 0
    main_moved: bool = False


def round_status(context: Context, name: str) -> RoundStatus:
    """How a round stands. About seven requests.

    Raises:
        NotFoundError: there is no such round.
    """
    manifest = find_manifest(context, name)
    if manifest.state is not RoundState.OPEN:
        return RoundStatus(
            manifest=manifest,
            counts=manifest.counts or Counts(unfinished=manifest.task_count),
            annotators={},
        )
    round_ = load_round(context, name)
    totals = context.studio.totals(round_.project)
    answered: dict[str, int] = {}
    for standing in round_.index.standings.values():
        for annotator in standing.annotators:
            answered[annotator] = answered.get(annotator, 0) + 1
    return RoundStatus(
        manifest=manifest,
        counts=round_.index.counts(round_.tasks),
        annotators=dict(sorted(answered.items())),
        synced_at=round_.index.synced_at,
        totals=totals,
        unsynced_count=totals.annotation_count - round_.index.annotation_count,
        main_moved=main_head(context.lake) != round_.manifest.stands_on,
    )


def find_manifest(context: Context, name: str) -> Manifest:
    """A round's manifest wherever it is: main for a finished one, else its branch.

    Up to four requests.

    Raises:
        NotFoundError: there is no such round.
    """
    lake, branch = context.lake, round_branch(check_round_name(name))
    main_head(lake)
    found = read_manifest(lake, MAIN, name)
    if found is None and lake.find_commit(branch):
        found = branch_manifest(lake, name)
    if found is None:
        raise NotFoundError(
            "no-such-round",
            f"there is no round {name}",
            subject=name,
            unchanged="nothing was changed",
            hint=f"list rounds with: ops round list\nor start it with: ops round start {name}",
        )
    return found


def list_rounds(context: Context) -> Iterator[Manifest]:
    """Every round's manifest: the finished ones, then those on branches, each by name.

    One request a round, and two more.
    """
    main_head(context.lake)
    listing = context.lake.list_objects(MAIN, MANIFEST_PREFIX)
    paths = [found.path for found in listing if manifest_round(found.path)]
    finished: set[str] = set()
    for path, data in context.lake.read_many(MAIN, paths):
        name = manifest_round(path) or ""
        finished.add(name)
        yield decode_manifest(data, name)
    for branch, _ in context.lake.branches(round_branch("")):
        name = branch_round(branch)
        if name is not None and name not in finished:
            manifest = branch_manifest(context.lake, name)
            if manifest is not None:
                yield manifest
