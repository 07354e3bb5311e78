"""Merging a change: what its rule makes of main as it is now, as one version.

Owns the order: the rule on main's head, records, snapshot, card and document in one commit on a
short-lived branch at that head, that commit held against what was computed, the merge, the tag, the
branches' removal. If main moves meanwhile it starts over. Killed anywhere, it goes on when run
again. What was reviewed stays on its own branch until main has the change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ops.core.card import VersionLine, decode_history
from ops.core.changes import (
    ChangeRequest,
    DatasetChange,
    DatasetChangeKind,
    Rule,
    encode_change,
)
from ops.core.names import (
    CARD_JSON_PATH,
    LABEL_CONFIG_PATH,
    MAIN,
    RECORD_PREFIX,
    change_path,
    check_change_name,
    merge_branch,
    version_tag,
)
from ops.core.records import CommitId
from ops.errors import ConflictError, PartialError, RefusedError
from ops.ports import Upload
from ops.runner.changes import (
    load_change,
    new_change,
    read_change,
    remove_branches,
    write_records,
)
from ops.runner.context import Context, main_head, sample_of
from ops.runner.effects import Computed, compute
from ops.runner.publish import publish
from ops.runner.snapshot import GENERATED, Cause, Packed, pack_version

RuleOf: TypeAlias = Callable[[Context, ChangeRequest], Rule]
"""How to make the rule of a change again from its document."""

ATTEMPTS = 5
"""How often a merge starts over because somebody else was first."""

_LONGEST_FACT = 1000
"""Characters of an argument that the merge commit's metadata repeats."""

_SOMEBODY_WAS_FIRST = frozenset({"main-moved", "merge-conflict", "branch-moved"})
_METADATA_PREFIX = {
    DatasetChangeKind.REVERT: "reverted_",
    DatasetChangeKind.ONTOLOGY: "ontology_",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedChange:
    """What merging a change did, or would do.

    Attributes:
        change: as main holds it.
        version: the version it made; None where there was nothing to do.
        commit: the merge commit; None with a dry run, or with nothing to do.
        computed: what it did to main; None where an earlier run had done it.
        already_done: main had it all.
        is_replayed: it does something else to main than to the commit it was reviewed on.
    """

    change: DatasetChange
    version: int | None
    commit: CommitId | None
    computed: Computed | None = None
    already_done: bool = False
    is_replayed: bool = False


def apply_change(
    context: Context, request: ChangeRequest, rule: Rule, *, dry_run: bool = False
) -> MergedChange:
    """Make a change on main at once, as a new version, without a review.

    Cost: that of the rule, one write a changed record, about 25 requests. Repeatable: what main has
    already is not done again.

    Raises:
        ConflictError: the rule leaves conflicts and the policy is to fail, or others kept winning.
        RefusedError: records would say labels that the ontology lacks, or a gate refuses.
    """
    if not dry_run:
        complete_last(context)
    return _merge_repeatedly(context, request, rule, None, dry_run=dry_run)


def merge_change(
    context: Context, name: str, rule_of: RuleOf, *, dry_run: bool = False
) -> MergedChange:
    """Merge a reviewed change, made anew on main as it is now; or find it merged.

    Cost: as apply_change, and one listing. Repeatable.

    Raises:
        NotFoundError: there is no such change.
        ConflictError, RefusedError: as apply_change.
        RefusedError: also where its proposal was interrupted, somebody else wrote to its branch, or
            this version of ops makes something else of it than was reviewed.
    """
    lake = context.lake
    done = read_change(lake, MAIN, check_change_name(name))
    if done is not None and done.version is not None:
        commit = find_change(context, done)
        if not dry_run:
            _end(context, done, commit)
        return MergedChange(change=done, version=done.version, commit=commit, already_done=True)
    change, _ = load_change(context, name)
    rule = rule_of(context, change.request)
    return _merge_repeatedly(context, change.request, rule, change, dry_run=dry_run)


def complete_last(context: Context) -> None:
    """See to what comes after the merge, where main's newest version is a change's.

    A change that is made at once has no branch to find it by: after a kill it is found here. One
    request a 1 000 commits since that version, and four.
    """
    for commit in context.lake.log(MAIN, first_parent=True):
        if "ops.version" in commit.metadata:
            name = commit.metadata.get("ops.change")
            change = read_change(context.lake, commit.id, name) if name else None
            if change is not None:
                _end(context, change, commit.id)
            return


def find_change(context: Context, change: DatasetChange) -> CommitId:
    """The merge commit of a change. One request a 1 000 commits.

    Raises:
        ConflictError: main holds its document, but no such merge: it was merged around ops.
    """
    for commit in context.lake.log(MAIN, first_parent=True):
        if commit.metadata.get("ops.change_id") == change.id:
            return commit.id
    raise ConflictError(
        "merged-around",
        f"main holds change {change.name}, but no merge commit made by ops",
        subject=change.name,
        unchanged="nothing was changed",
        hint="see how it came there: ops dataset log",
    )


def _end(context: Context, change: DatasetChange, commit: CommitId) -> None:
    """What comes after the merge, and again where an earlier run did not get so far."""
    context.lake.create_tag(version_tag(change.version or 1), commit)
    remove_branches(context.lake, change)


def _merge_repeatedly(
    context: Context,
    request: ChangeRequest,
    rule: Rule,
    reviewed: DatasetChange | None,
    *,
    dry_run: bool,
) -> MergedChange:
    attempt = 1
    while True:
        try:
            return _Merge(context, request, rule, reviewed).run(dry_run=dry_run)
        except ConflictError as error:
            if error.code not in _SOMEBODY_WAS_FIRST or attempt == ATTEMPTS:
                raise
        context.reporter.note("main moved meanwhile; making the change anew from it")
        attempt += 1


class _Merge:
    """One attempt, from main as it is now to a merged version."""

    def __init__(
        self,
        context: Context,
        request: ChangeRequest,
        rule: Rule,
        reviewed: DatasetChange | None,
    ) -> None:
        self._context = context
        self._lake = context.lake
        self._main = main_head(context.lake)
        self._reviewed = reviewed
        self._request = request
        self._computed = compute(context, rule(self._main), self._main, request.policy)

    def run(self, *, dry_run: bool) -> MergedChange:
        """Pack, commit, merge, tag."""
        computed, reviewed = self._computed, self._reviewed
        self._refuse_another_rule()
        change = self._change()
        if computed.is_empty:
            return MergedChange(
                change=change, version=None, commit=None, computed=computed, already_done=True
            )
        history = decode_history(self._lake.read(self._main, CARD_JSON_PATH))
        change = replace(
            change,
            version=1 + max((line.version for line in history), default=0),
            merged_by=self._context.actor,
            merged_at=self._context.timestamp(),
        )
        packed = self._pack(change, history)
        return MergedChange(
            change=change,
            version=change.version,
            commit=None if dry_run else self._merge(change, packed),
            computed=computed,
            is_replayed=reviewed is not None and reviewed.digest != computed.digest,
        )

    def _change(self) -> DatasetChange:
        """The change on this main: as it was proposed, where somebody did."""
        change, reviewed = new_change(self._context, self._request, self._computed), self._reviewed
        if reviewed is None:
            return change
        return replace(change, id=reviewed.id, actor=reviewed.actor, created_at=reviewed.created_at)

    def _refuse_another_rule(self) -> None:
        """On the main it was reviewed on, a change is what was reviewed.

        Raises:
            RefusedError: it is not: another version of ops proposed it.
        """
        reviewed = self._reviewed
        if reviewed and reviewed.base == self._main and reviewed.digest != self._computed.digest:
            raise RefusedError(
                "rule-changed",
                f"this version of ops makes something else of change {reviewed.name} than was"
                " reviewed",
                subject=reviewed.name,
                unchanged="nothing was merged",
                hint=f"ops dataset discard {reviewed.name}, propose it again, and look at it",
            )

    def _pack(self, change: DatasetChange, history: Sequence[VersionLine]) -> Packed:
        return pack_version(
            self._context,
            Cause(
                version=change.version or 1,
                reason=change.request.title,
                made_at=change.merged_at or "",
                history=history,
                remark=_remark(change),
            ),
            main=self._main,
            changes_at=self._main,
            changed=self._computed.changed,
            pending=self._computed.records,
            ontology=self._computed.ontology,
        )

    def _merge(self, change: DatasetChange, packed: Packed) -> CommitId:
        context, lake = self._context, self._lake
        branch = self._clean_branch(change)
        write_records(context, branch, self._computed)
        document = Upload(path=change_path(change.name), data=encode_change(change))
        lake.write_many(branch, [*packed.uploads, document])
        metadata = change_metadata(context, change, packed)
        title = change.request.title
        message = f"{title[:1].upper()}{title[1:]}, {version_tag(packed.card.version)}"
        head = lake.commit(branch, message, metadata) or CommitId(str(lake.find_commit(branch)))
        self._check_tree(branch, head, packed)
        commit = publish(context, head, onto=self._main, message=message, metadata=metadata)
        if commit is None:
            raise PartialError(
                "nothing-merged",
                f"lakeFS found nothing to merge of change {change.name}",
                subject=change.name,
                unchanged="main is as it was",
                hint="run the same command again",
            )
        _end(context, change, commit)
        return commit

    def _clean_branch(self, change: DatasetChange) -> str:
        """A branch at main's head with nothing on it; what an interrupted run left there goes."""
        lake, branch = self._lake, merge_branch(change.name, self._main)
        if not lake.create_branch(branch, self._main):
            lake.delete_branch(branch)
            lake.create_branch(branch, self._main)
        return branch

    def _check_tree(self, branch: str, head: CommitId, packed: Packed) -> None:
        """Hold the commit against what was computed: no object more, none less, none other.

        Raises:
            ConflictError: something else came onto the branch meanwhile.
        """
        listing = self._lake.list_objects(head, RECORD_PREFIX)
        there = {found.path: found.checksum for found in listing}
        odd = set(dict(there.items() ^ packed.checksums.items()))
        own = GENERATED | {change_path(self._request.name)}
        if self._computed.label_config is not None:
            own |= {LABEL_CONFIG_PATH}
        odd |= {
            found.path
            for found in self._lake.diff(self._main, head)
            if not found.path.startswith(RECORD_PREFIX) and found.path not in own
        }
        if odd:
            raise ConflictError(
                "branch-moved",
                f"{len(odd)} objects of {branch} changed while it was being merged",
                subject=self._request.name,
                where=(("objects", sample_of(sorted(odd))),),
                unchanged="nothing was merged",
                hint="run the same command again",
            )


def _remark(change: DatasetChange) -> str:
    """What a version's line in the card says beside the counts."""
    counts, policy = change.counts, change.request.policy
    said = [f"{counts.reopened} reopened"] if counts.reopened else []
    said += [f"{counts.settled} in conflict ({policy.value})"] if counts.settled else []
    return ", ".join(said)


def change_metadata(context: Context, change: DatasetChange, packed: Packed) -> Mapping[str, str]:
    """What the merge commit says of a change: strings, `ops.`-prefixed.

    Long arguments (a table of decisions) are left to the change's document.
    """
    request = change.request
    prefix = _METADATA_PREFIX[request.kind]
    told = {name: value for name, value in request.arguments.items() if len(value) <= _LONGEST_FACT}
    return context.metadata(
        request.kind.value,
        **{f"{prefix}{name}": value for name, value in told.items()},
        change=change.name,
        change_id=change.id,
        on_conflict=request.policy.value,
        settled=change.counts.settled,
        reopened=change.counts.reopened,
        version=packed.card.version,
        snapshot_digest=packed.card.digest,
        ontology_digest=packed.card.ontology_digest,
        **packed.card.counts.as_mapping(),
    )
