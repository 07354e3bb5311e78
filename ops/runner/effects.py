"""What a change does to one commit of main: computed, checked, and nothing written yet.

Owns what every rule's edits go through: conflicts settled by the policy or all listed, records
without an image left out, labels held against the ontology. Knows no rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ops.core.canonical import encode_record
from ops.core.changes import ChangeCounts, Edit, Effect, effect_digest
from ops.core.conflict_text import conflict_json, conflict_lines
from ops.core.conflicts import Conflict
from ops.core.diff import LabelDiff, diff_records
from ops.core.names import LABEL_CONFIG_PATH, MEDIA_PREFIX, record_path
from ops.core.ontology import Ontology, Unknown, parse_ontology
from ops.core.records import CommitId, Json, Record, TaskKey, TaskState
from ops.core.settle import Policy, settle
from ops.core.snapshot import record_checksum
from ops.errors import ConflictError, RefusedError
from ops.ports import ChangeKind
from ops.runner.context import Context, read_ontology, sample_of

_SHOWN_CONFLICTS = 5
_LINES_A_CONFLICT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A change on one commit of main.

    Attributes:
        main: the commit.
        records: the records to write, by path.
        changed: how each record differs from main's, by key.
        label_config: the label config to write; None where it stays.
        ontology: what holds once the change is on main.
        labels: the label diff from main.
        reopened: tasks that lose their last annotation: the next round takes them.
        settled: tasks where the policy decided.
        without_image: records that would come back, but for their image that main lacks.
        other_image: records that come back made on another picture than main's.
    """

    main: CommitId
    records: Mapping[str, bytes]
    changed: Mapping[TaskKey, ChangeKind]
    label_config: bytes | None
    ontology: Ontology
    labels: LabelDiff
    reopened: tuple[TaskKey, ...]
    settled: tuple[TaskKey, ...]
    without_image: tuple[TaskKey, ...]
    other_image: tuple[TaskKey, ...]

    @property
    def is_empty(self) -> bool:
        """Whether main has it all already."""
        return not self.changed and self.label_config is None

    @property
    def removed(self) -> tuple[str, ...]:
        """The paths of the records that go away."""
        gone = [key for key, kind in self.changed.items() if kind is ChangeKind.REMOVED]
        return tuple(record_path(key) for key in gone)

    @property
    def counts(self) -> ChangeCounts:
        """What it does, in tasks."""
        return ChangeCounts(
            changed=len(self.changed),
            removed=len(self.removed),
            reopened=len(self.reopened),
            settled=len(self.settled),
        )

    @property
    def digest(self) -> str:
        """One digest of all it writes and removes."""
        written = {path: record_checksum(data) for path, data in self.records.items()}
        if self.label_config is not None:
            written[LABEL_CONFIG_PATH] = record_checksum(self.label_config)
        return effect_digest(written, self.removed)

    def as_json(self) -> dict[str, Json]:
        """What it does, for programs."""
        return {
            "base": self.main,
            "counts": dict(self.counts.as_mapping()),
            "diff": self.labels.as_json(),
            "reopened": list(self.reopened),
            "settled": list(self.settled),
            "without_image": list(self.without_image),
            "other_image": list(self.other_image),
        }


def compute(context: Context, effect: Effect, main: CommitId, policy: Policy) -> Computed:
    """Settle and check what a rule makes of main.

    Two requests, one more a 1 000 images, and those of the rule. Memory: the bytes of the changed
    records.

    Raises:
        ConflictError: the rule leaves conflicts and the policy is to fail; all are in `details`.
        RefusedError: a record would say labels that the ontology lacks.
    """
    text, ontology = read_ontology(context.lake, main)
    label_config = effect.label_config if effect.label_config != text.encode() else None
    if label_config is not None:
        ontology = parse_ontology(label_config.decode())
    images = {one.path: one.checksum for one in context.lake.list_objects(main, MEDIA_PREFIX)}
    making = _Making(images=images, ontology=ontology, policy=policy)
    labels = diff_records(making.pairs(effect))
    making.refuse()
    return Computed(
        main=main,
        records=making.records,
        changed=dict(sorted(making.changed.items())),
        label_config=label_config,
        ontology=ontology,
        labels=labels,
        reopened=tuple(sorted(making.reopened)),
        settled=tuple(sorted(making.settled)),
        without_image=tuple(sorted(making.without_image)),
        other_image=tuple(sorted(making.other_image)),
    )


@dataclass(kw_only=True)
class _Making:
    """The edits of one effect, taken up one by one."""

    images: Mapping[str, str]
    ontology: Ontology
    policy: Policy
    records: dict[str, bytes] = field(default_factory=dict[str, bytes])
    changed: dict[TaskKey, ChangeKind] = field(default_factory=dict[TaskKey, ChangeKind])
    reopened: list[TaskKey] = field(default_factory=list[TaskKey])
    settled: list[TaskKey] = field(default_factory=list[TaskKey])
    without_image: list[TaskKey] = field(default_factory=list[TaskKey])
    other_image: list[TaskKey] = field(default_factory=list[TaskKey])
    open_conflicts: dict[TaskKey, tuple[Conflict, ...]] = field(
        default_factory=dict[TaskKey, tuple[Conflict, ...]]
    )
    bad_labels: list[str] = field(default_factory=list[str])

    def pairs(self, effect: Effect) -> Iterator[tuple[Record | None, Record | None]]:
        """The records before and after of each task that changes."""
        for edit in effect.edits:
            after = self._settled(edit)
            if after == edit.before and not edit.is_damaged:
                continue
            is_new = edit.before is None and not edit.is_damaged
            if is_new and after and after.task.media.path not in self.images:
                self.without_image.append(edit.key)
                continue
            self._take(edit, after)
            yield edit.before, after

    def _settled(self, edit: Edit) -> Record | None:
        conflicts = edit.after.conflicts
        if not conflicts:
            return edit.after.record
        if self.policy is Policy.FAIL:
            self.open_conflicts[edit.key] = conflicts
            return edit.before
        self.settled.append(edit.key)
        return settle(edit.after, self.policy)

    def _take(self, edit: Edit, after: Record | None) -> None:
        key, before = edit.key, edit.before
        if after is None:
            self.changed[key] = ChangeKind.REMOVED
        else:
            self.changed[key] = ChangeKind.CHANGED if before else ChangeKind.ADDED
            self.records[record_path(key)] = encode_record(after)
            self._check_labels(before, after)
            self._check_image(before, after)
        if _is_reopened(before, after) and _path(before, after) in self.images:
            self.reopened.append(key)

    def _check_labels(self, before: Record | None, after: Record) -> None:
        """Labels that main's ontology lacks; what main says already is not this change's doing."""
        known = set[Unknown](self.ontology.unknown_labels(before) if before else ())
        self.bad_labels += [
            f"{after.task.key}: {one.label!r} of control {one.control!r}"
            for one in self.ontology.unknown_labels(after)
            if one not in known
        ]

    def _check_image(self, before: Record | None, after: Record) -> None:
        media = after.task.media
        is_new = before is None or before.task.media.checksum != media.checksum
        if is_new and self.images.get(media.path) != media.checksum:
            self.other_image.append(after.task.key)

    def refuse(self) -> None:
        """Refuse what cannot be merged.

        Raises:
            ConflictError: conflicts are open and the policy is to fail.
            RefusedError: the ontology lacks labels.
        """
        if self.open_conflicts:
            _refuse_conflicts(self.open_conflicts)
        if self.bad_labels:
            raise RefusedError(
                "unknown-labels",
                f"{len(self.bad_labels)} labels are not in main's ontology",
                where=(("tasks", sample_of(self.bad_labels)),),
                unchanged="nothing was written",
                hint="add them first: ops ontology add LABEL; then run the same command again",
            )


def _refuse_conflicts(conflicts: Mapping[TaskKey, Sequence[Conflict]]) -> NoReturn:
    lines = [line for key, found in conflicts.items() for line in conflict_lines(key, found)]
    rest = len(lines) // _LINES_A_CONFLICT - _SHOWN_CONFLICTS
    shown = lines[: _SHOWN_CONFLICTS * _LINES_A_CONFLICT]
    if rest > 0:
        shown.append(f"… and {rest} more; all of them with --json")
    raise ConflictError(
        "conflicts",
        f"later work touched the same in {len(conflicts)} tasks",
        where=(("conflicts", "\n".join(shown)),),
        unchanged="nothing was written",
        hint="say whose answer counts: --on-conflict ours (as on main), theirs (as undone), both or"
        " quarantine",
        details={
            "conflicts": [
                one for key, found in conflicts.items() for one in conflict_json(key, found)
            ]
        },
    )


def _is_reopened(before: Record | None, after: Record | None) -> bool:
    was = before.state if before else TaskState.UNFINISHED
    now = after.state if after else TaskState.UNFINISHED
    return now is TaskState.UNFINISHED and was is not TaskState.UNFINISHED


def _path(before: Record | None, after: Record | None) -> str:
    known = after or before
    return known.task.media.path if known else ""
