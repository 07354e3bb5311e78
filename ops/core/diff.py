"""The label diff: what people say differently in two sets of records.

Owns the matching: annotations by `unique_id`, regions by `id`, both sides' regions of one id
compared as what they say. Does not read records, and does not merge them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.canonical import content
from ops.core.records import Annotation, Json, Record, TaskKey, TaskState
from ops.core.regions import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDiff:
    """What changed, counted.

    Attributes:
        added, removed, changed: keys of tasks whose record is new, gone, or says something else.
        annotations_added, annotations_removed, annotations_changed: annotations, by `unique_id`.
        states: how many tasks went from one state to another; the first is None for a new record.
        labels: by label, how many regions it gained and lost.
        transitions: how many regions of one id went from one label to another.
    """

    added: tuple[TaskKey, ...] = ()
    removed: tuple[TaskKey, ...] = ()
    changed: tuple[TaskKey, ...] = ()
    annotations_added: int = 0
    annotations_removed: int = 0
    annotations_changed: int = 0
    states: Mapping[tuple[TaskState | None, TaskState | None], int] = field(
        default_factory=dict[tuple[TaskState | None, TaskState | None], int]
    )
    labels: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    transitions: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    @property
    def is_empty(self) -> bool:
        """Whether both sides say the same."""
        return not (self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, Json]:
        """The diff for programs."""
        return {
            "tasks": {
                "added": list(self.added),
                "removed": list(self.removed),
                "changed": list(self.changed),
            },
            "annotations": {
                "added": self.annotations_added,
                "removed": self.annotations_removed,
                "changed": self.annotations_changed,
            },
            "states": [
                {"from": before, "to": after, "tasks": count}
                for (before, after), count in self.states.items()
            ],
            "labels": [
                {"label": label, "added": added, "removed": removed}
                for label, (added, removed) in self.labels.items()
            ],
            "transitions": [
                {"from": before, "to": after, "regions": count}
                for (before, after), count in self.transitions.items()
            ],
        }

    def lines(self) -> list[str]:
        """The diff for people."""
        if self.is_empty:
            return ["no label differs"]
        lines = [
            f"tasks        +{len(self.added)} -{len(self.removed)} ~{len(self.changed)}",
            f"annotations  +{self.annotations_added} -{self.annotations_removed} "
            f"~{self.annotations_changed}",
        ]
        lines += [
            f"state        {before or 'new'} → {after or 'gone'}: {count} tasks"
            for (before, after), count in self.states.items()
        ]
        lines += [
            f"label        {label}: +{added} -{removed} regions"
            for label, (added, removed) in self.labels.items()
        ]
        lines += [
            f"transition   {before} → {after}: {count} regions"
            for (before, after), count in self.transitions.items()
        ]
        return lines


def diff_records(pairs: Iterable[tuple[Record | None, Record | None]]) -> LabelDiff:
    """The label diff of records before and after, each pair of one task.

    None where there is none.
    """
    tally = _Tally()
    for before, after in pairs:
        tally.add(before, after)
    return tally.diff()


class _Tally:
    """Counts pairs one by one."""

    def __init__(self) -> None:
        self._keys: dict[str, list[TaskKey]] = {"added": [], "removed": [], "changed": []}
        self._annotations: Counter[str] = Counter()
        self._states: Counter[tuple[TaskState | None, TaskState | None]] = Counter()
        self._gained: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._transitions: Counter[tuple[str, str]] = Counter()

    def add(self, before: Record | None, after: Record | None) -> None:
        """Count one task in."""
        known = after or before
        if known is None or before == after:
            return
        kind = "added" if before is None else "removed" if after is None else "changed"
        self._keys[kind].append(known.task.key)
        states = (before.state if before else None, after.state if after else None)
        if states[0] is not states[1]:
            self._states[states] += 1
        lefts = {one.unique_id: one for one in before.annotations} if before else {}
        rights = {one.unique_id: one for one in after.annotations} if after else {}
        for unique_id in lefts.keys() | rights.keys():
            self._annotation(lefts.get(unique_id), rights.get(unique_id))

    def _annotation(self, before: Annotation | None, after: Annotation | None) -> None:
        if before is not None and after is not None:
            if content(before) == content(after):
                return
            self._annotations["changed"] += 1
        else:
            self._annotations["added" if before is None else "removed"] += 1
        lefts, rights = _labels_by_region(before), _labels_by_region(after)
        for region in lefts.keys() | rights.keys():
            old, new = lefts.get(region, frozenset()), rights.get(region, frozenset())
            self._lost.update(old - new)
            self._gained.update(new - old)
            if len(old - new) == 1 and len(new - old) == 1:
                self._transitions[next(iter(old - new)), next(iter(new - old))] += 1

    def diff(self) -> LabelDiff:
        """What was counted so far."""
        used = sorted(self._gained.keys() | self._lost.keys())
        return LabelDiff(
            added=tuple(sorted(self._keys["added"])),
            removed=tuple(sorted(self._keys["removed"])),
            changed=tuple(sorted(self._keys["changed"])),
            annotations_added=self._annotations["added"],
            annotations_removed=self._annotations["removed"],
            annotations_changed=self._annotations["changed"],
            states=dict(sorted(self._states.items(), key=str)),
            labels={label: (self._gained[label], self._lost[label]) for label in used},
            transitions=dict(sorted(self._transitions.items())),
        )


def _labels_by_region(annotation: Annotation | None) -> Mapping[tuple[str, str], frozenset[str]]:
    """The labels of each region, by its id and control; a skipped annotation says none."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    regions: Sequence[Mapping[str, Json]] = (
        () if annotation is None or annotation.skipped else annotation.result
    )
    for region in regions:
        where = (str(region.get("id")), str(region.get("from_name")))
        found[where] = found.get(where, frozenset()) | frozenset(labels(region))
    return found
