"""`round rebase`: what main changed since a round's base comes onto the round's branch.

Owns how main is taken in, for an open round and for a finish: which tasks both sides may have
changed, whose answer counts, and the refusal where nobody has said. lakeFS decides nothing: where
it would take one side whole, the record is written again right after. Does not merge to main
(finish.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from ops.core.canonical import encode_record
from ops.core.conflict_text import conflict_json, conflict_lines
from ops.core.conflicts import Conflict
from ops.core.index import Standing, encode_index
from ops.core.names import (
    MAIN,
    RECORD_PREFIX,
    import_path,
    index_path,
    manifest_path,
    record_key,
    record_path,
    tasks_path,
)
from ops.core.records import CommitId, Json, TaskKey
from ops.core.rounds import Held, Manifest, TakenIn, encode_manifest
from ops.core.settle import Policy
from ops.core.snapshot import record_checksum
from ops.errors import ConflictError, RefusedError
from ops.ports import ChangeKind, Upload
from ops.runner.answers import Answers, Documents, by_task, export_answers
from ops.runner.context import Context, Round, batches, main_head, sample_of
from ops.runner.main_side import MainSide
from ops.runner.snapshot import GENERATED
from ops.runner.sync import BATCH, by_key, sync_round

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What taking main in makes of a round; nothing is written yet.

    Attributes:
        taken_in: for the manifest.
        records: the records of every task main may have changed, by path.
        removed: paths of records that are to go.
        standings: how these tasks stand now, by key.
        conflicts: what both sides say differently, by key, settled or not.
        held: the tasks of these that are quarantined, and why.
    """

    taken_in: TakenIn
    records: Mapping[str, bytes]
    removed: frozenset[str]
    standings: Mapping[TaskKey, Standing]
    conflicts: Mapping[TaskKey, tuple[Conflict, ...]]
    held: tuple[Held, ...]

    @property
    def conflicts_json(self) -> list[Json]:
        """Every conflict with both answers, by task."""
        return [
            one
            for key, conflicts in sorted(self.conflicts.items())
            for one in conflict_json(key, conflicts)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """What a rebase did, or would do.

    Attributes:
        manifest: the round's, with what it has taken in.
        taken: what was made of it; None where main held nothing new.
        changed: keys whose record on the branch differs by it.
    """

    manifest: Manifest
    taken: Taken | None = None
    changed: tuple[TaskKey, ...] = ()


def policy_for(
    manifest: Manifest, on_conflict: Policy | None, default: Policy = Policy.FAIL
) -> Policy:
    """Whose answer counts: as asked for, else as an earlier rebase was told, else the default."""
    known = manifest.taken_in.on_conflict if manifest.taken_in else Policy.FAIL
    if on_conflict is not None:
        return on_conflict
    return default if known is Policy.FAIL else known


def take_in(context: Context, round_: Round, main: CommitId, policy: Policy) -> Taken:
    """Merge main's side into the round's tasks that it may have changed. Writes nothing.

    Every task main changed since the round's base (all of them, where main renamed labels) is read
    from Label Studio once more and merged anew from base, round and main, whatever the branch
    holds: so it makes no difference how often main was taken in, or where a run was killed. Three
    to six requests to lakeFS, one a 250 such tasks to Label Studio, three reads a task.
    """
    before = round_.manifest.taken_in
    side = MainSide(context, round_, TakenIn(main=main, on_conflict=policy))
    earlier = MainSide(context, round_, before)
    keys = sorted(side.touched | earlier.touched)
    answers, ids = Answers(context, round_), by_key(round_.index.seen)
    records: dict[str, bytes] = {}
    removed: set[str] = set()
    standings: dict[TaskKey, Standing] = {}
    conflicts: dict[TaskKey, tuple[Conflict, ...]] = {}
    held: list[Held] = []
    merged_count = 0
    for batch in batches(keys, BATCH):
        documents = _documents(
            context, round_, [task for key in batch for task in ids.get(key, ())]
        )
        for combined in side.combine(list(answers.own(batch, documents))):
            key, path = combined.key, record_path(combined.key)
            standings[key] = combined.standing
            merged_count += combined.is_merged and not combined.conflicts
            if combined.record is None:
                removed.add(path)
            else:
                records[path] = encode_record(combined.record)
            if combined.conflicts:
                conflicts[key] = combined.conflicts
            if combined.hold:
                held.append(Held(key=key, reason=combined.hold))
    return Taken(
        taken_in=TakenIn(
            main=main,
            on_conflict=policy,
            merged_count=merged_count,
            settled=tuple(sorted(conflicts)),
        ),
        records=records,
        removed=frozenset(removed),
        standings=standings,
        conflicts=conflicts,
        held=tuple(held),
    )


def _documents(context: Context, round_: Round, tasks: Sequence[int]) -> Documents:
    exported = export_answers(context, round_, tasks, round_.index.seen)
    return by_task(document for _, document in exported)


def refuse_conflicts(round_: Round, taken: Taken, *, verb: str) -> None:
    """Refuse where both sides changed the same and nobody has said whose answer counts.

    Raises:
        ConflictError: there are such tasks; both answers are in it.
    """
    if taken.taken_in.on_conflict is not Policy.FAIL or not taken.conflicts:
        return
    shown = sorted(taken.conflicts.items())[:_SHOWN]
    lines = [line for key, conflicts in shown for line in conflict_lines(key, conflicts)]
    if (more := len(taken.conflicts) - len(shown)) > 0:
        lines.append(f"… and {more} tasks more; all of them: add --json")
    name = round_.name
    raise ConflictError(
        "tasks-changed-on-both-sides",
        f"{len(taken.conflicts)} tasks say one thing in this round and another on main",
        subject=name,
        where=(
            ("round", f"{name}, from {round_.manifest.base[:12]}: ours"),
            ("main", f"at {taken.taken_in.main[:12]}: theirs"),
            ("tasks", "\n".join(lines)),
        ),
        unchanged="nothing was merged; main is as it was, the branch holds this round's answers",
        hint=f"say whose answer counts: ops round {verb} {name} --on-conflict POLICY\n"
        "POLICY: ours, theirs, both, or quarantine (keep both, hold the task back)",
        details={"conflicts": taken.conflicts_json},
    )


def changed_paths(context: Context, round_: Round, main: CommitId) -> Mapping[str, ChangeKind]:
    """What the round's branch changed since it last met main. One request a 1 000.

    Raises:
        RefusedError: there is something among it that is no round's to change.
    """
    name = round_.name
    own = {manifest_path(name), tasks_path(name), import_path(name), index_path(name)}
    changes = list(context.lake.diff(main, round_.head, since_base=True))
    foreign = [
        change.path
        for change in changes
        if change.path not in own | GENERATED and not _is_record(change.path, round_)
    ]
    if foreign:
        _refuse_foreign(context, round_, foreign)
    return {change.path: change.kind for change in changes if _is_record(change.path, round_)}


def _is_record(path: str, round_: Round) -> bool:
    key = record_key(path)
    return path == record_path(key) and key in round_.tasks


def _refuse_foreign(context: Context, round_: Round, paths: Sequence[str]) -> NoReturn:
    lake, branch = context.lake, round_.branch
    raise RefusedError(
        "foreign-changes",
        f"branch {branch} holds {len(paths)} changes that are not this round's",
        subject=paths[0],
        where=(("paths", sample_of(paths)),),
        unchanged="nothing was merged",
        hint="undo them on the branch, then finish again; compare:\n"
        f"{lake.url}/repositories/{lake.repository}/compare?ref={MAIN}&compare={branch}",
    )


def merge_main_in(context: Context, round_: Round, main: CommitId) -> bool:
    """Make a commit of main an ancestor of the round's branch; False where it is. One or two.

    What both sides changed stays as the branch has it: the caller writes it again right after.
    """
    lake = context.lake
    if lake.merge_base(round_.branch, main) == main:
        return False
    lake.merge(
        main,
        round_.branch,
        f"Take main into round {round_.name}",
        context.metadata("take-in", round=round_.name),
        keep_destination=True,
    )
    return True


def rebase_round(
    context: Context, name: str, *, on_conflict: Policy | None = None, dry_run: bool = False
) -> Rebased:
    """Sync an open round and take main into it, or find it taken in.

    What sync_round and take_in cost, and about ten requests. Repeatable: killed anywhere, it goes
    on when run again.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is not open, or its branch holds changes that are no round's.
        ConflictError: both sides changed the same and nobody has said whose answer counts; or
            somebody else committed to the branch meanwhile.
    """
    round_ = sync_round(context, name, dry_run=dry_run).round
    manifest, main = round_.manifest, main_head(context.lake)
    policy = policy_for(manifest, on_conflict)
    has_policy = manifest.taken_in is None or manifest.taken_in.on_conflict is policy
    if manifest.stands_on == main and has_policy:
        return Rebased(manifest=manifest)
    changed_paths(context, round_, main)
    taken = take_in(context, round_, main, policy)
    refuse_conflicts(round_, taken, verb="rebase")
    manifest = replace(manifest, taken_in=taken.taken_in)
    if not dry_run:
        _write(context, replace(round_, manifest=manifest), taken)
    changed = (record_key(path) for path in differing(context, round_.head, taken))
    return Rebased(manifest=manifest, taken=taken, changed=tuple(sorted(changed)))


def differing(context: Context, ref: str, taken: Taken) -> Sequence[str]:
    """The paths at which a ref does not have what was taken in. One request a 1 000 records."""
    there = {found.path: found.checksum for found in context.lake.list_objects(ref, RECORD_PREFIX)}
    other = [
        path for path, data in taken.records.items() if there.get(path) != record_checksum(data)
    ]
    return sorted([*other, *(taken.removed & there.keys())])


def _write(context: Context, round_: Round, taken: Taken) -> None:
    """Main's commits onto the branch, then what both sides changed, manifest and index."""
    lake, name = context.lake, round_.name
    index = replace(round_.index, standings={**round_.index.standings, **taken.standings})
    if lake.find_commit(round_.branch) != round_.head:
        _refuse_moved_branch(round_)
    merge_main_in(context, round_, taken.taken_in.main)
    write_taken(context, round_, taken)
    uploads = [
        Upload(path=manifest_path(name), data=encode_manifest(round_.manifest)),
        Upload(path=index_path(name), data=encode_index(index)),
    ]
    lake.write_many(round_.branch, uploads)
    lake.commit(
        round_.branch,
        f"Rebase round {name} on {taken.taken_in.main[:12]}",
        context.metadata("rebase", round=name, **taken_in_facts(round_.manifest)),
    )


def write_taken(context: Context, round_: Round, taken: Taken) -> None:
    """Stage on the round's branch what was taken in, where the branch does not have it."""
    paths = differing(context, round_.branch, taken)
    uploads = [
        Upload(path=path, data=taken.records[path]) for path in paths if path in taken.records
    ]
    with context.reporter.phase("writing records", len(paths)) as phase:
        context.lake.write_many(round_.branch, uploads, done=lambda _: phase.advance())
        context.lake.delete_many(round_.branch, [path for path in paths if path in taken.removed])


def _refuse_moved_branch(round_: Round) -> NoReturn:
    raise ConflictError(
        "branch-moved",
        f"someone else committed to {round_.branch} during this rebase",
        subject=round_.name,
        unchanged="nothing was committed; Label Studio was only read",
        hint=f"ops round rebase {round_.name}",
    )


def taken_in_facts(manifest: Manifest) -> Mapping[str, str | int]:
    """What commit metadata says of what a round took in; nothing where it took nothing in."""
    taken_in = manifest.taken_in
    if taken_in is None:
        return {}
    return {
        "taken_in": taken_in.main,
        "on_conflict": taken_in.on_conflict.value,
        "merged_tasks": taken_in.merged_count,
        "settled_tasks": len(taken_in.settled),
    }
