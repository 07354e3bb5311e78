"""`round finish`: from an open round to one tagged version on main.

Owns the order: everything is read from Label Studio once more, the count law and the gates are
checked, main's own changes are taken in, records, snapshot, card and manifest go into one commit,
that commit is merged and tagged. lakeFS has no compare-and-swap; but every finish rewrites snapshot
and card, so of two finishes at once the second merge is refused, and that finish starts over from
the new main. Killed anywhere, it goes on when run again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NoReturn

from ops.core.canonical import decode_record
from ops.core.card import VersionLine, decode_history
from ops.core.names import (
    CARD_JSON_PATH,
    MAIN,
    RECORD_PREFIX,
    check_round_name,
    index_path,
    manifest_path,
    record_key,
    record_path,
    tasks_path,
    version_tag,
)
from ops.core.ontology import Ontology
from ops.core.records import CommitId, Counts, TaskKey
from ops.core.rounds import Manifest, RoundState, encode_manifest
from ops.errors import ConflictError, PartialError, RefusedError
from ops.ports import ChangeKind, Upload
from ops.runner.context import (
    Context,
    close_project,
    main_head,
    read_manifest,
    read_ontology,
    sample_of,
)
from ops.runner.snapshot import GENERATED, Cause, Packed, pack_version
from ops.runner.sync import Synced, sync_round

ATTEMPTS = 5
"""How often a finish starts over because another one was first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a finish did, or would do.

    Attributes:
        manifest: the round's, at its end.
        version: the version it made.
        commit: the merge commit on main; None with a dry run.
        already_done: an earlier run had done it all.
        counts: the round's tasks by state.
        changed: keys whose record differs from main's.
        dataset: the counts over the whole version; None where it was already done.
    """

    manifest: Manifest
    version: int
    commit: CommitId | None
    already_done: bool
    counts: Counts
    changed: tuple[TaskKey, ...] = ()
    synced: Synced | None = None
    packed: Packed | None = None


def finish_round(
    context: Context, name: str, *, allow_unlabeled: bool = False, dry_run: bool = False
) -> Finished:
    """Finish a round, or find it finished.

    Cost: a full read of the round from Label Studio (one request a 250 tasks), one read a record
        that differs from
    main's snapshot, about 25 requests to lakeFS. Repeatable.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is not open, tasks are unfinished, a gate refuses, or its branch holds
            changes
            that are no round's.
        ConflictError: main and the round changed the same task, or other finishes kept winning.
    """
    check_round_name(name)
    if done := _find_done(context, name):
        return done
    synced = sync_round(context, name, full=True, dry_run=dry_run)
    _refuse_unfinished(synced, allow_unlabeled=allow_unlabeled)
    attempt = 1
    while True:
        finish = _Finish(context, synced, dry_run=dry_run)
        try:
            return replace(finish.run(), synced=synced)
        except ConflictError as error:
            if error.code != "merge-conflict" or attempt == ATTEMPTS:
                raise
        context.reporter.note("another round was finished meanwhile; starting over from main")
        attempt += 1


def _find_done(context: Context, name: str) -> Finished | None:
    """What an earlier run did: main has the manifest. Sees to what comes after the merge."""
    manifest = read_manifest(context.lake, MAIN, name)
    if manifest is None or manifest.version is None or manifest.counts is None:
        return None
    if manifest.state is not RoundState.FINISHED:
        return None
    commit = find_merge(context, manifest)
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
        hint="see how it came there: ops dataset log",
    )


def _refuse_unfinished(synced: Synced, *, allow_unlabeled: bool) -> None:
    counts, name = synced.counts, synced.round.name
    if not counts.unfinished or allow_unlabeled:
        return
    standings = synced.round.index.standings
    open_keys = [
        key
        for key in synced.round.tasks
        if key not in standings or standings[key].state.value == "unfinished"
    ]
    saved = f"the branch holds the sync of {(synced.round.index.synced_at or '')[11:16]} UTC"
    raise RefusedError(
        "unlabeled-tasks",
        f"{counts.unfinished} of {counts.tasks} tasks have no annotation",
        subject=name,
        where=(
            ("round", f"{name} (Label Studio project {synced.round.project})"),
            ("tasks", sample_of(open_keys)),
        ),
        unchanged=f"nothing was merged; {saved}",
        hint=f"finish labeling, or: ops round finish {name} --allow-unlabeled",
    )


class _Finish:
    """One attempt, from main as it is now to a merged version."""

    def __init__(self, context: Context, synced: Synced, *, dry_run: bool) -> None:
        self._context = context
        self._round = synced.round
        self._pending = synced.pending
        self._dry_run = dry_run
        self._main = main_head(context.lake)

    def run(self) -> Finished:
        """Check, pack, merge, tag."""
        changed = self._changed_records()
        self._check_labels(changed)
        history = decode_history(self._context.lake.read(self._main, CARD_JSON_PATH))
        manifest = self._ended(1 + max((line.version for line in history), default=0))
        packed = self._pack(manifest, history, changed)
        commit = None if self._dry_run else self._merge(manifest, packed)
        return Finished(
            manifest=manifest,
            version=manifest.version or 0,
            commit=commit,
            already_done=False,
            counts=manifest.counts or Counts(),
            changed=tuple(sorted(changed)),
            packed=packed,
        )

    def _changed_records(self) -> Mapping[TaskKey, ChangeKind]:
        """The records this round changed; its branch may have changed nothing else of main's.

        Raises:
            RefusedError, ConflictError: as finish_round.
        """
        round_ = self._round
        own = {manifest_path(round_.name), tasks_path(round_.name), index_path(round_.name)}
        changes = self._context.lake.diff(self._main, round_.head, since_base=True)
        records: dict[TaskKey, ChangeKind] = {}
        foreign: list[str] = []
        for change in changes:
            key = record_key(change.path)
            if change.path == record_path(key) and key in round_.tasks:
                records[key] = change.kind
            elif change.path not in own | GENERATED:
                foreign.append(change.path)
        for path in self._pending:
            records.setdefault(record_key(path), ChangeKind.CHANGED)
        if foreign:
            self._refuse_foreign(foreign)
        conflicts = [key for key, kind in records.items() if kind is ChangeKind.CONFLICT]
        if conflicts:
            self._refuse_conflicts(conflicts)
        return records

    def _refuse_foreign(self, paths: Sequence[str]) -> NoReturn:
        lake, branch = self._context.lake, self._round.branch
        raise RefusedError(
            "foreign-changes",
            f"branch {branch} holds {len(paths)} changes that are not this round's",
            subject=paths[0],
            where=(("paths", sample_of(paths)),),
            unchanged="nothing was merged",
            hint="undo them on the branch, then finish again; compare:\n"
            f"{lake.url}/repositories/{lake.repository}/compare?ref={MAIN}&compare={branch}",
        )

    def _refuse_conflicts(self, keys: Sequence[TaskKey]) -> NoReturn:
        """Refuse to let lakeFS take one side whole: nobody's labels are decided that way.

        Raises:
            ConflictError: always.
        """
        raise ConflictError(
            "tasks-changed-on-both-sides",
            f"{len(keys)} tasks were changed by this round and, meanwhile, on main",
            subject=self._round.name,
            where=(("tasks", sample_of(keys)),),
            unchanged="nothing was merged; round and main are as they were",
            hint=f"see this round's side: ops round diff {self._round.name}",
        )

    def _check_labels(self, changed: Mapping[TaskKey, ChangeKind]) -> None:
        """The gate every version passes: no label that main's ontology lacks.

        Raises:
            RefusedError: a changed record has one.
        """
        _, ontology = read_ontology(self._context.lake, self._main)
        paths = {
            record_path(key) for key, kind in changed.items() if kind is not ChangeKind.REMOVED
        }
        stored = self._context.lake.read_many(
            self._round.head, sorted(paths - self._pending.keys())
        )
        bad = [
            problem
            for path, data in chain(stored, self._pending.items())
            for problem in _label_problems(record_key(path), data, ontology)
        ]
        if bad:
            raise RefusedError(
                "unknown-labels",
                f"{len(bad)} labels are not in main's ontology",
                subject=self._round.name,
                where=(("tasks", sample_of(bad)),),
                unchanged="nothing was merged",
                hint="correct these tasks in Label Studio, then finish again",
            )

    def _ended(self, version: int) -> Manifest:
        round_ = self._round
        annotators = {who for s in round_.index.standings.values() for who in s.annotators}
        return replace(
            round_.manifest,
            state=RoundState.FINISHED,
            ended_at=self._context.timestamp(),
            ended_by=self._context.actor,
            version=version,
            counts=round_.index.counts(round_.tasks),
            annotators=tuple(sorted(annotators)),
        )

    def _pack(
        self,
        manifest: Manifest,
        history: Sequence[VersionLine],
        changed: Mapping[TaskKey, ChangeKind],
    ) -> Packed:
        return pack_version(
            self._context,
            Cause(
                version=manifest.version or 1,
                reason=manifest.name,
                made_at=manifest.ended_at or "",
                history=history,
            ),
            main=self._main,
            changes_at=self._round.head,
            changed=changed,
            pending=self._pending,
        )

    def _merge(self, manifest: Manifest, packed: Packed) -> CommitId:
        lake, round_, context = self._context.lake, self._round, self._context
        self._take_in_main()
        manifest_upload = Upload(path=manifest_path(round_.name), data=encode_manifest(manifest))
        lake.write_many(round_.branch, [*packed.uploads, manifest_upload])
        lake.delete_many(round_.branch, [index_path(round_.name)])
        metadata = finish_metadata(context, manifest, packed)
        message = (
            f"Finish round {round_.name}: {packed.card.counts.labeled} labeled tasks, "
            f"{version_tag(packed.card.version)}"
        )
        head = lake.commit(round_.branch, message, metadata) or lake.find_commit(round_.branch)
        self._check_tree(str(head), packed)
        # The commit itself is merged, not the branch: whatever comes onto the branch after it stays
        # out.
        commit = lake.merge(str(head), MAIN, message, metadata)
        if commit is None:
            raise PartialError(
                "nothing-merged",
                f"lakeFS found nothing to merge of round {round_.name}",
                subject=round_.name,
                unchanged="main is as it was",
                hint=f"ops round finish {round_.name}",
            )
        _end(context, manifest, commit)
        return commit

    def _check_tree(self, head: str, packed: Packed) -> None:
        """Hold the commit against what was packed: no record more, none less, none other.

        Raises:
            ConflictError: something else came onto the branch while this finish was running.
        """
        listing = self._context.lake.list_objects(head, RECORD_PREFIX)
        there = {found.path: found.checksum for found in listing}
        if there != packed.checksums:
            odd = sorted(dict(there.items() ^ packed.checksums.items()))
            raise ConflictError(
                "branch-moved",
                f"{len(odd)} records of {self._round.branch} changed during this finish",
                subject=self._round.name,
                where=(("records", sample_of(odd)),),
                unchanged="nothing was merged",
                hint=f"finish again: ops round finish {self._round.name}",
            )

    def _take_in_main(self) -> None:
        """Make main's head an ancestor of the branch, so that the merge below is a plain one.

        What both sides changed is rewritten right after: records are disjoint (checked above), the
        rest is generated.
        """
        lake, round_ = self._context.lake, self._round
        if lake.merge_base(round_.branch, self._main) == self._main:
            return
        lake.merge(
            self._main,
            round_.branch,
            f"Take main into round {round_.name}",
            self._context.metadata("rebase", round=round_.name),
            keep_destination=True,
        )


def finish_metadata(context: Context, manifest: Manifest, packed: Packed) -> Mapping[str, str]:
    """What the merge commit says of a finished round: strings, `ops.`-prefixed."""
    counts = manifest.counts or Counts()
    return context.metadata(
        "finish",
        round=manifest.name,
        round_id=manifest.id,
        base=manifest.base,
        version=packed.card.version,
        annotators=" ".join(manifest.annotators),
        project=str(manifest.project),
        snapshot_digest=packed.card.digest,
        ontology_digest=manifest.ontology_digest,
        **{f"round_{name}": count for name, count in counts.as_mapping().items()},
        **packed.card.counts.as_mapping(),
    )


def _label_problems(key: TaskKey, data: bytes, ontology: Ontology) -> list[str]:
    unknown = ontology.unknown_labels(decode_record(data, key=key))
    return [f"{key}: {one.label!r} of control {one.control!r}" for one in unknown]


def _end(context: Context, manifest: Manifest, commit: CommitId) -> None:
    """What comes after the merge, and again where an earlier run did not get so far."""
    context.lake.create_tag(version_tag(manifest.version or 1), commit)
    close_project(context, manifest)
