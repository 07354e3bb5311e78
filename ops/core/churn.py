"""What a label diff says of one class, one person, one task.

Owns the shapes and their form for programs. Does not count (diff.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from ops.core.records import Json, TaskKey, TaskState
from ops.core.spread import Spread

States: TypeAlias = tuple[TaskState | None, TaskState | None]
"""A task's state before and after; None where it had no record."""


class Kind(StrEnum):
    """What happened to something between two refs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """How many of something were added, removed and changed."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    @classmethod
    def of(cls, counts: Mapping[Kind, int]) -> "Churn":
        """What was counted."""
        return cls(**{kind.value: counts.get(kind, 0) for kind in Kind})

    def as_json(self) -> dict[str, Json]:
        """The three figures for programs."""
        return {"added": self.added, "removed": self.removed, "changed": self.changed}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorDiff:
    """One person's part.

    What was added or removed is the annotator's whose annotation it is (who removed it, nobody
    records); what was changed is theirs who changed it.

    Attributes:
        task_count: tasks with an annotation that is counted here.
    """

    task_count: int = 0
    annotations: Churn = field(default_factory=Churn)
    regions: Churn = field(default_factory=Churn)

    def as_json(self) -> dict[str, Json]:
        """One person's part for programs."""
        return {
            "tasks": self.task_count,
            "annotations": self.annotations.as_json(),
            "regions": self.regions.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDiff:
    """What differs in one task.

    Attributes:
        kind: what happened to its record.
        states: its state before and after.
        is_subject_changed: what is labeled is not the same: the picture, or the task's data.
        overlaps: for each region that was moved or reshaped its iou, None where not measured.
    """

    key: TaskKey
    kind: Kind
    states: States
    is_subject_changed: bool = False
    annotations: Churn = field(default_factory=Churn)
    regions: Churn = field(default_factory=Churn)
    transitions: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    overlaps: tuple[float | None, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """One task's part for programs."""
        return {
            "task": self.key,
            "kind": self.kind.value,
            "state": {"from": self.states[0], "to": self.states[1]},
            "subject_changed": self.is_subject_changed,
            "annotations": self.annotations.as_json(),
            "regions": self.regions.as_json(),
            "transitions": transitions_json(self.transitions),
            "iou": Spread.of(self.overlaps).as_json()["minimum"],
        }


def transitions_json(counts: Mapping[tuple[str, str], int]) -> list[Json]:
    """Class transitions for programs."""
    return [
        {"from": before, "to": after, "regions": count} for (before, after), count in counts.items()
    ]
