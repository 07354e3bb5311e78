"""What a record holds: a task, and every annotation people have submitted for it.

Owns the domain's types and the rule that says which state a task is in. Does not own their bytes
(canonical.py), nor how Label Studio words them (exports.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

TaskKey = NewType("TaskKey", str)
"""The media object's path below `images/`: a task's identity across projects and rounds."""

CommitId = NewType("CommitId", str)
"""A lakeFS commit id, 64 hexadecimal digits."""


class TaskState(StrEnum):
    """Which of the five a task is in; the count law adds them up."""

    LABELED = "labeled"
    EMPTY = "empty"
    SKIPPED = "skipped"
    UNFINISHED = "unfinished"
    QUARANTINED = "quarantined"


class Origin(StrEnum):
    """Where a region came from."""

    HUMAN = "human"
    ACCEPTED = "prediction-accepted"
    CHANGED = "prediction-changed"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The media object a task points at, as it was when the task was put before annotators.

    Attributes:
        path: the object's path in the repository, `images/<key>`.
        checksum: lakeFS's checksum of the object, the one its listings show.
        size_bytes: the object's size.
        sha256: 64 hexadecimal digits, or None where nobody has read the bytes (imported in place).
        width, height: pixels, or None where unknown.
    """

    path: str
    checksum: str
    size_bytes: int
    sha256: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit to label.

    Attributes:
        key: its identity.
        media: what it points at.
        data: further task data shown to annotators (a title, a second text), by field name.
    """

    key: TaskKey
    media: Media
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One person's submitted result for one task.

    Attributes:
        unique_id: identity across rounds, restores and a lost Label Studio.
        annotator: e-mail of who made it (Label Studio's `completed_by`).
        updated_by: e-mail of who changed it last, where that is another person than the annotator.
        round: the round in which it was made or last changed.
        created_at, updated_at: UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
        lead_time_s: seconds the annotator spent, or None where Label Studio did not say.
        skipped: submitted as skipped.
        ground_truth: marked as reference.
        ontology_digest: the ontology it was made under.
        origins: where each region came from, by region id.
        prediction: the prediction it started from (`model_version`, `score`), or None.
        result: Label Studio's regions and relations, verbatim but for the canonical order and form
            of numbers.
    """

    unique_id: str
    annotator: str
    round: str
    created_at: str
    updated_at: str
    ontology_digest: str
    skipped: bool = False
    ground_truth: bool = False
    lead_time_s: float | None = None
    updated_by: str | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    prediction: Mapping[str, Json] | None = None
    result: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One task with all its annotations: what `annotations/<key>.json` says.

    Attributes:
        task: the task.
        annotations: ordered by `created_at`, then `unique_id`.
        quarantined: held back by a gate or a conflict.
    """

    task: Task
    annotations: tuple[Annotation, ...] = ()
    quarantined: bool = False

    @property
    def state(self) -> TaskState:
        """The task's state.

        Quarantined, else labeled, empty, skipped or unfinished, in this order of precedence.
        """
        if self.quarantined:
            return TaskState.QUARANTINED
        answers = [annotation for annotation in self.annotations if not annotation.skipped]
        if any(annotation.result for annotation in answers):
            return TaskState.LABELED
        if answers:
            return TaskState.EMPTY
        return TaskState.SKIPPED if self.annotations else TaskState.UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tasks by state. `tasks` is their sum by construction: the count law."""

    labeled: int = 0
    empty: int = 0
    skipped: int = 0
    unfinished: int = 0
    quarantined: int = 0

    @property
    def tasks(self) -> int:
        """All tasks, whatever their state."""
        return self.labeled + self.empty + self.skipped + self.unfinished + self.quarantined

    @classmethod
    def of(cls, states: Iterable[TaskState]) -> "Counts":
        """Count states, one pass."""
        tally = dict.fromkeys(TaskState, 0)
        for state in states:
            tally[state] += 1
        return cls(**{state.value: count for state, count in tally.items()})

    def as_mapping(self) -> dict[str, int]:
        """Every state's count and the total under `tasks`."""
        return {
            "tasks": self.tasks,
            **{state.value: getattr(self, state.value) for state in TaskState},
        }
