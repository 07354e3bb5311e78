"""Changes under review: proposed on a branch of their own, listed, read again, discarded.

A change is a branch `change-<name>` with one commit by ops on the commit of main it was made from:
the records it changes and `changes/<name>.json`, which says how to make it again. People review it
in the lakeFS UI; merging it (change_merge.py) makes it anew on main as it is then. Owns the branch;
knows no rule, and touches main never.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NoReturn

from ops.core.changes import (
    ChangeRequest,
    DatasetChange,
    Rule,
    decode_change,
    effect_digest,
    encode_change,
    numbered,
)
from ops.core.names import (
    CHANGE_PREFIX,
    LABEL_CONFIG_PATH,
    MAIN,
    RECORD_PREFIX,
    branch_change,
    change_branch,
    change_path,
    check_change_name,
    merge_branch_change,
    path_change,
)
from ops.core.records import CommitId
from ops.core.snapshot import record_checksum
from ops.errors import NotFoundError, RefusedError
from ops.ports import ChangeKind, Lake, Upload
from ops.runner.context import Context, main_head
from ops.runner.effects import Computed, compute


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a proposal did, or would do.

    Attributes:
        change: as its branch holds it; with nothing to do, as it would.
        branch: the branch to review.
        commit: the branch's commit; None with a dry run, or with nothing to do.
        computed: what it does to `change.base`.
        already_done: an earlier run had proposed it.
    """

    change: DatasetChange
    branch: str
    commit: CommitId | None
    computed: Computed
    already_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChange:
    """One open change, for people to choose from.

    Attributes:
        change: None where an interrupted run left the branch without its document.
        is_behind: main has moved since; merging makes the change anew.
    """

    name: str
    branch: str
    head: CommitId
    change: DatasetChange | None
    is_behind: bool


def with_free_name(context: Context, request: ChangeRequest) -> ChangeRequest:
    """The request under the first name no change on main has: `revert-to-v1-2`.

    A name stands for one change for good: main keeps the document of each. One request a 1 000
    changes.
    """
    listing = context.lake.list_objects(main_head(context.lake), CHANGE_PREFIX)
    taken = {path_change(found.path) for found in listing}
    names = (numbered(request, number) if number > 1 else request for number in count(1))
    return next(one for one in names if one.name not in taken)


def propose(
    context: Context, request: ChangeRequest, rule: Rule, *, dry_run: bool = False
) -> Proposed:
    """Make a change on main's head and put it on a branch for review.

    Cost: that of the rule, one write a changed record, about twelve requests. Repeatable: killed
    anywhere and run again it goes on from the commit the first run had taken; proposed already, it
    is read again.

    Raises:
        ConflictError: the rule leaves conflicts and the request's policy is to fail.
        RefusedError: a change of that name was merged, another one is open, somebody else wrote to
            its branch, or records would say labels that the ontology lacks.
    """
    lake, branch = context.lake, change_branch(check_change_name(request.name))
    head = lake.find_commit(branch)
    if head and (known := read_change(lake, head, request.name)):
        if known.request != request:
            _refuse_other(known)
        check_untouched(lake, known, head)
        return _proposed_already(context, rule, known, head)
    if read_change(lake, MAIN, request.name):
        _refuse_taken(request.name, "was merged already", "give this one another --name")
    base = head or main_head(lake)
    computed = compute(context, rule(base), base, request.policy)
    change = new_change(context, request, computed)
    commit = None
    if not (dry_run or computed.is_empty):
        change, commit = _put_up(context, change, computed)
    return Proposed(change=change, branch=branch, commit=commit, computed=computed)


def new_change(context: Context, request: ChangeRequest, computed: Computed) -> DatasetChange:
    """A change as it begins: nobody has merged it. No request."""
    return DatasetChange(
        id=context.new_id(),
        request=request,
        base=computed.main,
        actor=context.actor,
        created_at=context.timestamp(),
        counts=computed.counts,
        digest=computed.digest,
    )


def _proposed_already(
    context: Context, rule: Rule, known: DatasetChange, head: CommitId
) -> Proposed:
    return Proposed(
        change=known,
        branch=change_branch(known.name),
        commit=head,
        computed=compute(context, rule(known.base), known.base, known.request.policy),
        already_done=True,
    )


def _put_up(
    context: Context, change: DatasetChange, computed: Computed
) -> tuple[DatasetChange, CommitId]:
    """Write the branch in one commit; whoever puts its document there first has made the change."""
    lake, branch = context.lake, change_branch(change.name)
    lake.create_branch(branch, change.base)
    document = Upload(path=change_path(change.name), data=encode_change(change))
    if not lake.write_if_absent(branch, document):
        found = read_change(lake, branch, change.name)
        if found is None or found.request != change.request:
            _refuse_other(found or change)
        change = found
    write_records(context, branch, computed)
    message = f"Propose: {change.request.title}"
    facts = context.metadata("change", change=change.name, change_id=change.id)
    head = lake.commit(branch, message, facts) or CommitId(str(lake.find_commit(branch)))
    check_untouched(lake, change, head)
    return change, head


def write_records(context: Context, branch: str, computed: Computed) -> None:
    """Stage what a change writes and removes, but for its document. One write a record."""
    lake = context.lake
    with context.reporter.phase("writing records", len(computed.records)) as phase:
        uploads = (Upload(path=path, data=data) for path, data in computed.records.items())
        lake.write_many(branch, uploads, done=lambda _: phase.advance())
    lake.delete_many(branch, computed.removed)
    if computed.label_config is not None:
        config = Upload(
            path=LABEL_CONFIG_PATH, data=computed.label_config, content_type="application/xml"
        )
        lake.write_many(branch, [config])


def read_change(lake: Lake, ref: str, name: str) -> DatasetChange | None:
    """A change's document at a ref, or None. One request.

    Raises:
        InvalidDataError: it is no such document.
    """
    data = lake.read(ref, change_path(name))
    return decode_change(data, name) if data is not None else None


def load_change(context: Context, name: str) -> tuple[DatasetChange, CommitId]:
    """An open change and its branch's head; nobody but ops has written to it. Six requests.

    Raises:
        NotFoundError: there is no such change.
        RefusedError: its proposal was interrupted, or somebody else wrote to its branch.
    """
    branch = change_branch(check_change_name(name))
    head = context.lake.find_commit(branch)
    if head is None:
        raise NotFoundError(
            "no-such-change",
            f"there is no change {name}",
            subject=name,
            unchanged="nothing was changed",
            hint="list open changes with: ops dataset changes",
        )
    change = read_change(context.lake, head, name)
    if change is None:
        raise RefusedError(
            "change-unfinished",
            f"change {name} was interrupted while it was proposed",
            subject=name,
            unchanged="nothing was changed",
            hint=f"run the command that proposes it again, or drop it: ops dataset discard {name}",
        )
    check_untouched(context.lake, change, head)
    return change, head


def check_untouched(lake: Lake, change: DatasetChange, head: CommitId) -> None:
    """Hold a change's branch against its document: one commit, and in it what was computed.

    One request a 1 000 changed and as many for the records' listing, and three more.

    Raises:
        RefusedError: somebody else wrote to the branch.
    """
    branch = change_branch(change.name)
    commit = lake.commit_facts(head)
    if commit.parents != (change.base,) or commit.metadata.get("ops.change_id") != change.id:
        _refuse_foreign(lake, change, f"commit {head[:12]}: {commit.message}")
    staged = next(lake.uncommitted(branch), None)
    if staged is not None:
        _refuse_foreign(lake, change, f"{staged.path} (not committed)")
    kinds = {found.path: found.kind for found in lake.diff(change.base, head)}
    if kinds.pop(change_path(change.name), None) is not ChangeKind.ADDED:
        _refuse_foreign(lake, change, change_path(change.name))
    removed = {path for path, kind in kinds.items() if kind is ChangeKind.REMOVED}
    written = _checksums(lake, head, kinds.keys() - removed)
    if effect_digest(written, removed) != change.digest:
        _refuse_foreign(lake, change, ", ".join(sorted(kinds)[:3]))


def _checksums(lake: Lake, ref: CommitId, paths: set[str]) -> Mapping[str, str]:
    listing = lake.list_objects(ref, RECORD_PREFIX) if paths else ()
    found = {one.path: one.checksum for one in listing if one.path in paths}
    for path in paths - found.keys():
        found[path] = record_checksum(lake.read(ref, path) or b"")
    return found


def _refuse_foreign(lake: Lake, change: DatasetChange, what: str) -> NoReturn:
    branch = change_branch(change.name)
    raise RefusedError(
        "foreign-changes",
        f"branch {branch} holds more than the change ops made",
        subject=change.name,
        where=(("found", what),),
        unchanged="nothing was merged; the branch is as it was",
        hint="a change is reviewed, not edited: undo this on the branch, or drop the change with:"
        f" ops dataset discard {change.name}; compare:\n"
        f"{lake.url}/repositories/{lake.repository}/compare?ref={change.base}&compare={branch}",
    )


def _refuse_other(known: DatasetChange) -> NoReturn:
    _refuse_taken(
        known.name,
        f"is open already, and says: {known.request.title}"
        f" (--on-conflict {known.request.policy.value})",
        f"merge it (ops dataset merge {known.name}), drop it (ops dataset discard {known.name}),"
        " or give this one another --name",
    )


def _refuse_taken(name: str, why: str, hint: str) -> NoReturn:
    raise RefusedError(
        "change-exists",
        f"a change {name} {why}",
        subject=name,
        unchanged="nothing was changed",
        hint=hint,
    )


def list_changes(context: Context) -> Iterator[OpenChange]:
    """The open changes, by name. One request a change, and two."""
    main = main_head(context.lake)
    for branch, head in context.lake.branches(change_branch("")):
        name = branch_change(branch)
        if name is None:
            continue
        change = read_change(context.lake, head, name)
        yield OpenChange(
            name=name,
            branch=branch,
            head=head,
            change=change,
            is_behind=(change.base if change else head) != main,
        )


def discard_change(context: Context, name: str, *, dry_run: bool = False) -> tuple[str, ...]:
    """Drop an open change with its branch; main is not touched. The branches that went.

    Three requests. What others committed to the branch goes with it.

    Raises:
        NotFoundError: there is no such change.
    """
    lake, branch = context.lake, change_branch(check_change_name(name))
    found = [one for one, _ in lake.branches(branch) if one == branch]
    found += _merge_branches(lake, name)
    if not found:
        raise NotFoundError(
            "no-such-change",
            f"there is no open change {name}",
            subject=name,
            unchanged="nothing was changed",
            hint="list open changes with: ops dataset changes",
        )
    if not dry_run:
        for one in found:
            lake.delete_branch(one)
    return tuple(found)


def remove_branches(lake: Lake, change: DatasetChange) -> None:
    """Remove what a merged change needed. Up to four requests; repeatable."""
    branch = change_branch(change.name)
    held = read_change(lake, branch, change.name)
    if held is not None and held.id == change.id and held.version is None:
        lake.delete_branch(branch)
    for one in _merge_branches(lake, change.name):
        lake.delete_branch(one)


def _merge_branches(lake: Lake, name: str) -> list[str]:
    branches = lake.branches(f"merge-{name}-")
    return [branch for branch, _ in branches if merge_branch_change(branch) == name]
