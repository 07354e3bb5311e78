"""The label diff: what people say differently in two sets of records.

Owns the figures, and the matching of annotations by `unique_id`; which region is which is
pairing.py's, how much two overlap geometry.py's. Does not read records, and does not merge them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ops.core.annotation_merge import is_same
from ops.core.churn import AnnotatorDiff, Churn, Kind, States, TaskDiff, transitions_json
from ops.core.likeness import TOLERANCE_PERCENT, is_exact
from ops.core.pairing import RegionPair, overlaps, region_pairs
from ops.core.records import Annotation, Json, Record, TaskKey
from ops.core.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDiff:
    """What changed, counted.

    A region is an entry of a result that is no relation, and a skipped annotation says none: so
    regions and labels added, less those removed, are what the dataset card's counts grew by.

    Attributes:
        tasks: one by one, by key; a record that says the same in other words is among them.
        annotations: by `unique_id`, skipped ones too; changed where something else is said.
        regions: by id and control within an annotation.
        states: how many tasks went from one state to another; the first is None for a new record.
        labels: by label, the regions that gained it, lost it, or have it and were changed.
        transitions: how many regions went from one label to another.
        geometry: the iou of each region before and after it was moved or reshaped.
        annotators: by annotator.
    """

    tasks: tuple[TaskDiff, ...] = ()
    annotations: Churn = field(default_factory=Churn)
    regions: Churn = field(default_factory=Churn)
    states: Mapping[States, int] = field(default_factory=dict[States, int])
    labels: Mapping[str, Churn] = field(default_factory=dict[str, Churn])
    transitions: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    geometry: Spread = field(default_factory=Spread)
    annotators: Mapping[str, AnnotatorDiff] = field(default_factory=dict[str, AnnotatorDiff])

    @property
    def added(self) -> tuple[TaskKey, ...]:
        """Keys of tasks whose record is new."""
        return self._keys(Kind.ADDED)

    @property
    def removed(self) -> tuple[TaskKey, ...]:
        """Keys of tasks whose record is gone."""
        return self._keys(Kind.REMOVED)

    @property
    def changed(self) -> tuple[TaskKey, ...]:
        """Keys of tasks whose record is another one."""
        return self._keys(Kind.CHANGED)

    def _keys(self, kind: Kind) -> tuple[TaskKey, ...]:
        return tuple(task.key for task in self.tasks if task.kind is kind)

    @property
    def is_empty(self) -> bool:
        """Whether both sides say the same."""
        return not self.tasks

    def as_json(self) -> dict[str, Json]:
        """The diff for programs."""
        return {
            "tasks": {
                "added": list(self.added),
                "removed": list(self.removed),
                "changed": list(self.changed),
            },
            "annotations": self.annotations.as_json(),
            "regions": self.regions.as_json(),
            "states": [
                {"from": before, "to": after, "tasks": count}
                for (before, after), count in self.states.items()
            ],
            "labels": [{"label": name, **churn.as_json()} for name, churn in self.labels.items()],
            "transitions": transitions_json(self.transitions),
            "geometry": self.geometry.as_json(),
            "annotators": [
                {"annotator": name, **part.as_json()} for name, part in self.annotators.items()
            ],
            "by_task": [task.as_json() for task in self.tasks],
        }

    def lines(self) -> list[str]:
        """The diff for people, in a few lines."""
        if self.is_empty:
            return ["no label differs"]
        lines = [
            f"tasks        +{len(self.added)} -{len(self.removed)} ~{len(self.changed)}",
            f"annotations  {_signed(self.annotations)}",
            f"regions      {_signed(self.regions)}",
        ]
        lines += [
            f"state        {before or 'new'} → {after or 'gone'}: {count} tasks"
            for (before, after), count in self.states.items()
        ]
        lines += [
            f"label        {label}: {_signed(churn)} regions"
            for label, churn in self.labels.items()
        ]
        lines += [
            f"transition   {before} → {after}: {count} regions"
            for (before, after), count in self.transitions.items()
        ]
        return lines


def _signed(churn: Churn) -> str:
    return f"+{churn.added} -{churn.removed} ~{churn.changed}"


def diff_records(pairs: Iterable[tuple[Record | None, Record | None]]) -> LabelDiff:
    """The label diff of records before and after, each pair of one task, in canonical form.

    None where there is none. One pass; what is kept is some 500 bytes a task that differs.
    """
    tally = _Tally()
    for before, after in pairs:
        tally.add(before, after)
    return tally.diff()


class _Counts:
    """Annotations and regions by what happened to them."""

    def __init__(self) -> None:
        self.task_count = 0
        self._annotations: Counter[Kind] = Counter()
        self._regions: Counter[Kind] = Counter()

    def add(self, kind: Kind, regions: Iterable[Kind]) -> None:
        """Count one annotation with its regions."""
        self._annotations[kind] += 1
        for region in regions:
            self._regions[region] += 1

    @property
    def annotations(self) -> Churn:
        return Churn.of(self._annotations)

    @property
    def regions(self) -> Churn:
        return Churn.of(self._regions)


class _Tally:
    """Counts pairs one by one."""

    def __init__(self) -> None:
        self._tasks: list[TaskDiff] = []
        self._all = _Counts()
        self._labels: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
        self._annotators: defaultdict[str, _Counts] = defaultdict(_Counts)

    def add(self, before: Record | None, after: Record | None) -> None:
        """Count one task in."""
        known = after or before
        if known is None or is_exact(before, after):
            return
        own = _Counts()
        people: set[str] = set()
        transitions: Counter[tuple[str, str]] = Counter()
        shares: list[float | None] = []
        for old, new in _annotation_pairs(before, after):
            who, pairs = _who(old, new), region_pairs(old, new)
            regions = [_kind(pair.before, pair.after) for pair in pairs]
            for counts in (own, self._all, self._annotators[who]):
                counts.add(_kind(old, new), regions)
            self._count_labels(pairs)
            people.add(who)
            transitions.update(one for pair in pairs if (one := pair.transition) is not None)
            shares += overlaps(pairs)
        for who in people:
            self._annotators[who].task_count += 1
        self._tasks.append(
            TaskDiff(
                key=known.task.key,
                kind=_kind(before, after),
                states=(before.state if before else None, after.state if after else None),
                is_subject_changed=bool(before and after and before.task != after.task),
                annotations=own.annotations,
                regions=own.regions,
                transitions=dict(sorted(transitions.items())),
                overlaps=tuple(shares),
            )
        )

    def _count_labels(self, pairs: Iterable[RegionPair]) -> None:
        for pair in pairs:
            old, new = pair.labels_before, pair.labels_after
            for label in old | new:
                kind = _kind(label if label in old else None, label if label in new else None)
                self._labels[label][kind] += 1

    def diff(self) -> LabelDiff:
        """What was counted so far."""
        tasks = tuple(sorted(self._tasks, key=lambda task: task.key))
        states = Counter(task.states for task in tasks if task.states[0] is not task.states[1])
        transitions: Counter[tuple[str, str]] = Counter()
        for task in tasks:
            transitions.update(task.transitions)
        return LabelDiff(
            tasks=tasks,
            annotations=self._all.annotations,
            regions=self._all.regions,
            states=dict(sorted(states.items(), key=_move_name)),
            labels={label: Churn.of(counts) for label, counts in sorted(self._labels.items())},
            transitions=dict(sorted(transitions.items())),
            geometry=Spread.of(share for task in tasks for share in task.overlaps),
            annotators={
                who: AnnotatorDiff(
                    task_count=counts.task_count,
                    annotations=counts.annotations,
                    regions=counts.regions,
                )
                for who, counts in sorted(self._annotators.items())
            },
        )


def _annotation_pairs(
    before: Record | None, after: Record | None
) -> Iterable[tuple[Annotation | None, Annotation | None]]:
    """The annotations that do not say the same, by `unique_id`."""
    lefts = {one.unique_id: one for one in before.annotations} if before else {}
    rights = {one.unique_id: one for one in after.annotations} if after else {}
    for unique_id in sorted(lefts.keys() | rights.keys()):
        old, new = lefts.get(unique_id), rights.get(unique_id)
        if not is_same(old, new, tolerance_percent=TOLERANCE_PERCENT):
            yield old, new


def _move_name(move: tuple[States, int]) -> tuple[str, ...]:
    return tuple(state.value if state else "" for state in move[0])


def _kind(before: object, after: object) -> Kind:
    if before is None:
        return Kind.ADDED
    return Kind.REMOVED if after is None else Kind.CHANGED


def _who(before: Annotation | None, after: Annotation | None) -> str:
    """Whose doing it is."""
    if before and after:
        return after.updated_by or after.annotator
    known = after or before
    return known.annotator if known else ""
