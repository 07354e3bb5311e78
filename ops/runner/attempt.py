"""One attempt of a finish: from main as it is now to a merged commit, or a refusal.

Owns what is merged: the round's records with main's side taken in, those held back marked, packed
with the rest of main as one version, and checked against what was packed. Nothing it leaves on the
branch matters to the next attempt, which computes everything again. Does not decide to start over,
to tag or to close (finish.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from ops.core.canonical import decode_record, encode_record
from ops.core.card import VersionLine, decode_history
from ops.core.gates import Finding, GateSettings, RoundFacts, check
from ops.core.index import Standing
from ops.core.names import (
    CARD_JSON_PATH,
    RECORD_PREFIX,
    index_path,
    manifest_path,
    record_key,
    record_path,
    version_tag,
)
from ops.core.ontology import Ontology
from ops.core.records import CommitId, Counts, Json, Record, TaskKey, TaskState
from ops.core.rounds import Held, HoldReason, Manifest, RoundState, encode_manifest
from ops.core.settle import Policy
from ops.errors import ConflictError, PartialError, UsageError
from ops.ports import ChangeKind, Upload
from ops.runner.context import (
    Context,
    read_ontology,
    sample_of,
)
from ops.runner.gates import gate_state, refuse_gate_changes, refuse_tampered_gate
from ops.runner.publish import EXPECTED_HEAD, publish
from ops.runner.rebase import (
    Taken,
    changed_paths,
    merge_main_in,
    policy_for,
    refuse_conflicts,
    take_in,
    taken_in_facts,
)
from ops.runner.refusals import refuse_findings
from ops.runner.rework import rework_name
from ops.runner.snapshot import Cause, Packed, pack_version
from ops.runner.sync import Synced
from ops.runner.verify import unaccounted_commits


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a finish was asked to do: finish_round's arguments."""

    allow_unlabeled: bool = False
    on_conflict: Policy | None = None
    quarantine: bool = False
    said: Mapping[str, str] = field(default_factory=dict[str, str])
    dry_run: bool = False


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
        conflicts: what both sides said differently, with both answers, settled by now.
        around: commits that came onto main around ops since the round's base.
        late: tasks that somebody answered between the finish's read and the project's closing.
        packed: the version; None where it was already done.
    """

    manifest: Manifest
    version: int
    commit: CommitId | None
    already_done: bool
    counts: Counts
    changed: tuple[TaskKey, ...] = ()
    conflicts: tuple[Json, ...] = ()
    around: tuple[CommitId, ...] = ()
    late: tuple[TaskKey, ...] = ()
    synced: Synced | None = None
    packed: Packed | None = None


def _undecided(synced: Synced) -> dict[TaskKey, Held]:
    """The tasks that were quarantined before this round, with their answers untouched in it."""
    standings = synced.round.index.standings
    return {
        key: Held(key=key, reason=HoldReason.UNDECIDED)
        for key in synced.round.tasks
        if key in standings and standings[key].state is TaskState.QUARANTINED
    }


class Attempt:
    """One attempt of a finish, from main as it is now to a merged version."""

    def __init__(
        self,
        context: Context,
        synced: Synced,
        asked: Asked,
        *,
        main: CommitId,
        settings: GateSettings,
    ) -> None:
        self._context = context
        self._settings = settings
        self._round = synced.round
        self._asked = asked
        self._main = main
        # Records that are not on the branch as they are to be: by path.
        self._pending: dict[str, bytes] = dict(synced.pending)
        self._removed: frozenset[str] = frozenset()
        self._own_changes: Mapping[str, ChangeKind] = {}
        self._held: dict[TaskKey, Held] = _undecided(synced)

    def run(self) -> Finished:
        """Take main in, check, pack and merge.

        Raises:
            RefusedError: a gate refuses, or the branch holds changes that are no round's.
            ConflictError: both sides changed the same and nobody has said whose answer counts, or
                main has moved meanwhile.
        """
        taken = self._take_in()
        changed = self._changed()
        history = decode_history(self._context.lake.read(self._main, CARD_JSON_PATH))
        version = 1 + max((line.version for line in history), default=0)
        self._check_gates(changed, taken, version)
        manifest = self._ended(version, taken)
        packed = self._pack(manifest, history, changed)
        commit = None if self._asked.dry_run else self._merge(manifest, packed)
        return Finished(
            manifest=manifest,
            version=version,
            commit=commit,
            already_done=False,
            counts=manifest.counts or Counts(),
            changed=packed.changed,
            conflicts=tuple(taken.conflicts_json) if taken else (),
            around=self._around(),
            packed=packed,
        )

    def _take_in(self) -> Taken | None:
        """Merge main's side in, where main has moved; None where it has not.

        Raises:
            RefusedError, ConflictError: as finish_round.
        """
        context, round_ = self._context, self._round
        refuse_tampered_gate(gate_state(context, self._main))
        refuse_gate_changes(context, self._main, round_.head)
        self._own_changes = changed_paths(context, round_, self._main)
        manifest = round_.manifest
        if self._main == manifest.base and manifest.taken_in is None:
            return None
        default = Policy.QUARANTINE if self._asked.quarantine else Policy.FAIL
        policy = policy_for(manifest, self._asked.on_conflict, default)
        taken = take_in(context, round_, self._main, policy)
        refuse_conflicts(round_, taken, verb="finish")
        self._pending.update(taken.records)
        self._removed = taken.removed
        for key in taken.standings:
            self._held.pop(key, None)
        self._held.update({held.key: held for held in taken.held})
        index = round_.index
        standings = {**index.standings, **taken.standings}
        self._round = replace(round_, index=replace(index, standings=standings))
        return taken

    def _around(self) -> tuple[CommitId, ...]:
        base = self._round.manifest.base
        return tuple(one.id for one in unaccounted_commits(self._context, base, self._main))

    def _changed(self) -> Mapping[TaskKey, ChangeKind]:
        """The round's tasks whose record may differ from main's."""
        kinds = {record_key(path): kind for path, kind in self._own_changes.items()}
        kinds.update({record_key(path): ChangeKind.CHANGED for path in self._pending})
        kinds.update({record_key(path): ChangeKind.REMOVED for path in self._removed})
        return kinds

    def _check_gates(
        self, changed: Mapping[TaskKey, ChangeKind], taken: Taken | None, version: int
    ) -> None:
        """Hold what would be merged against main's gates; quarantine what they refuse, if asked.

        Raises:
            RefusedError: a gate refuses.
        """
        manifest = self._ended(version, taken)
        facts = RoundFacts(
            actor=self._context.actor,
            counts=manifest.counts or Counts(),
            metadata=self._metadata(manifest),
            conflict_count=len(taken.taken_in.settled) if taken else 0,
            allow_unlabeled=self._asked.allow_unlabeled,
        )
        findings = check(self._settings, self._ontology, facts, self._records(changed))
        refused = [one for one in findings if one.task is None or not self._asked.quarantine]
        if refused:
            refuse_findings(self._round, refused)
        for finding in findings:
            self._quarantine(finding)

    def _metadata(self, manifest: Manifest, packed: Packed | None = None) -> Mapping[str, str]:
        """What the merge says: what ops does, and what the person has it say besides.

        Raises:
            UsageError: the person says what ops says.
        """
        own = finish_metadata(self._context, manifest, packed)
        if twice := sorted({*own, EXPECTED_HEAD} & self._asked.said.keys()):
            raise UsageError(
                "said-metadata",
                f"{twice[0]} is what ops itself says on the merge",
                subject=twice[0],
                unchanged="nothing was merged",
                hint="use another name",
            )
        return {**own, **self._asked.said}

    def _records(self, changed: Mapping[TaskKey, ChangeKind]) -> Iterator[Record]:
        """The changed records as they would be after the merge; those held back are left out."""
        paths = [
            record_path(key)
            for key, kind in sorted(changed.items())
            if kind is not ChangeKind.REMOVED and key not in self._held
        ]
        away = [path for path in paths if path not in self._pending]
        at_hand = ((path, self._pending[path]) for path in paths if path in self._pending)
        for path, data in chain(self._context.lake.read_many(self._round.head, away), at_hand):
            yield decode_record(data, key=record_key(path))

    def _quarantine(self, finding: Finding) -> None:
        key = finding.task
        if key is None or key in self._held:
            return
        path = record_path(key)
        data = self._pending.get(path) or self._context.lake.read(self._round.head, path)
        assert data is not None, "the gate has read it"  # noqa: S101
        record = replace(decode_record(data, key=key), quarantined=True)
        self._pending[path] = encode_record(record)
        self._held[key] = Held(key=key, reason=HoldReason.GATE, detail=finding.message)

    def _ended(self, version: int, taken: Taken | None) -> Manifest:
        round_, held = self._round, self._held
        standings = round_.index.standings
        states = (
            TaskState.QUARANTINED if key in held else standings.get(key, Standing()).state
            for key in round_.tasks
        )
        return replace(
            round_.manifest,
            state=RoundState.FINISHED,
            ended_at=self._context.timestamp(),
            ended_by=self._context.actor,
            version=version,
            counts=Counts.of(states),
            annotators=tuple(sorted({who for s in standings.values() for who in s.annotators})),
            taken_in=taken.taken_in if taken else None,
            held=tuple(held[key] for key in sorted(held)),
            rework=self._rework_name(),
        )

    def _rework_name(self) -> str | None:
        if not (self._held and self._asked.quarantine):
            return None
        return rework_name(self._context.lake, self._round.name)

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
                remark=_remark(manifest),
                made_at=manifest.ended_at or "",
                history=history,
            ),
            main=self._main,
            changes_at=self._round.head,
            changed=changed,
            pending=self._pending,
            ontology=self._ontology,
        )

    @cached_property
    def _ontology(self) -> Ontology:
        """Main's."""
        return read_ontology(self._context.lake, self._main)[1]

    def _merge(self, manifest: Manifest, packed: Packed) -> CommitId:
        lake, round_, context = self._context.lake, self._round, self._context
        merge_main_in(context, round_, self._main)
        self._write_records(packed)
        manifest_upload = Upload(path=manifest_path(round_.name), data=encode_manifest(manifest))
        lake.write_many(round_.branch, [*packed.uploads, manifest_upload])
        lake.delete_many(round_.branch, [index_path(round_.name)])
        metadata = self._metadata(manifest, packed)
        message = (
            f"Finish round {round_.name}: {packed.card.counts.labeled} labeled tasks, "
            f"{version_tag(packed.card.version)}"
        )
        head = lake.commit(round_.branch, message, metadata) or lake.find_commit(round_.branch)
        self._check_tree(str(head), packed, manifest_upload)
        commit = publish(context, str(head), onto=self._main, message=message, metadata=metadata)
        if commit is None:
            raise PartialError(
                "nothing-merged",
                f"lakeFS found nothing to merge of round {round_.name}",
                subject=round_.name,
                unchanged="main is as it was",
                hint=f"ops round finish {round_.name}",
            )
        return commit

    def _write_records(self, packed: Packed) -> None:
        """Stage the round's records where the branch has others: merged, held back, or left there.

        An earlier attempt, on a main that has moved since, may have left some.
        """
        lake, branch = self._context.lake, self._round.branch
        there = {found.path: found.checksum for found in lake.list_objects(branch, RECORD_PREFIX)}
        own = {path for path in packed.checksums if record_key(path) in self._round.tasks}
        other = sorted(path for path in own if there.get(path) != packed.checksums[path])
        at_hand = [
            Upload(path=path, data=self._pending[path]) for path in other if path in self._pending
        ]
        away = [path for path in other if path not in self._pending]
        stored = lake.read_many(self._round.head, away)
        lake.write_many(branch, at_hand)
        lake.write_many(branch, (Upload(path=path, data=data) for path, data in stored))
        lake.delete_many(branch, sorted(self._removed & there.keys()))

    def _check_tree(self, head: str, packed: Packed, manifest: Upload) -> None:
        """Hold the commit against what was packed: no record more, none less, none other.

        And the manifest, for somebody may have aborted the round meanwhile.

        Raises:
            ConflictError: something else came onto the branch while this finish was running.
        """
        listing = self._context.lake.list_objects(head, RECORD_PREFIX)
        there = {found.path: found.checksum for found in listing}
        odd = sorted(dict(there.items() ^ packed.checksums.items()))
        if self._context.lake.read(head, manifest.path) != manifest.data:
            odd.append(manifest.path)
        if odd:
            raise ConflictError(
                "branch-moved",
                f"{len(odd)} objects of {self._round.branch} changed during this finish",
                subject=self._round.name,
                where=(("objects", sample_of(odd)),),
                unchanged="nothing was merged",
                hint=f"finish again: ops round finish {self._round.name}",
            )


def finish_metadata(
    context: Context, manifest: Manifest, packed: Packed | None = None
) -> Mapping[str, str]:
    """What the merge commit says of a finished round: strings, `ops.`-prefixed.

    Args:
        context: who finishes it.
        manifest: the round's, at its end.
        packed: the version; without it, what only packing tells is named and not yet stated.
    """
    counts = manifest.counts or Counts()
    return context.metadata(
        "finish",
        round=manifest.name,
        round_id=manifest.id,
        base=manifest.base,
        version=manifest.version or 0,
        annotators=" ".join(manifest.annotators),
        project=str(manifest.project),
        snapshot_digest=packed.card.digest if packed else "not packed yet",
        ontology_digest=manifest.ontology_digest,
        held_back=len(manifest.held),
        **taken_in_facts(manifest),
        **{f"round_{name}": count for name, count in counts.as_mapping().items()},
        **(packed.card.counts if packed else Counts()).as_mapping(),
    )


def _remark(manifest: Manifest) -> str:
    """What a version's line in the card says beside the counts."""
    taken_in = manifest.taken_in
    said = [f"{taken_in.merged_count} tasks merged"] if taken_in and taken_in.merged_count else []
    if taken_in and taken_in.settled:
        said.append(f"{len(taken_in.settled)} in conflict ({taken_in.on_conflict.value})")
    said += [f"{len(manifest.held)} held back"] if manifest.held else []
    return ", ".join(said)
