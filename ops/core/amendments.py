"""What was changed about a round's tasks while it was open: the lines its manifest keeps of it.

Owns those lines. Does not change a round: that is ops/runner/round_tasks.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ops.core.documents import Fields
from ops.core.lines import choice, texts
from ops.core.records import CommitId, Json, TaskKey
from ops.core.selection import Selection, decode_selection


class AmendmentKind(StrEnum):
    """What can be done to an open round's tasks."""

    ADDED = "added"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """Tasks that were added to a round, or dropped from it.

    Attributes:
        kind: which of the two.
        selection: what was asked for, complete: chosen among the round's base without the round's
            tasks, or among the round's tasks, it gives the same ones again.
        actor: who did it.
        at: when, UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
        onto: the commit of the round's branch before it, which holds the tasks as they were.
        task_count: how many tasks were added or dropped.
        tasks_digest: of the task list after it.
        discarded: the dropped tasks that somebody had answered, sorted.
    """

    kind: AmendmentKind
    selection: Selection
    actor: str
    at: str
    onto: CommitId
    task_count: int
    tasks_digest: str
    discarded: tuple[TaskKey, ...] = ()

    def as_mapping(self) -> dict[str, Json]:
        """The line as the manifest holds it."""
        return {
            "kind": self.kind.value,
            "selection": self.selection.as_mapping(),
            "actor": self.actor,
            "at": self.at,
            "onto": self.onto,
            "tasks": self.task_count,
            "tasks_digest": self.tasks_digest,
            "discarded": list(self.discarded),
        }

    @property
    def in_words(self) -> str:
        """The line for people: `5 tasks added by ann@x.org: tasks nobody has labeled, …`."""
        lost = f", {len(self.discarded)} of them answered" if self.discarded else ""
        return (
            f"{self.task_count} tasks {self.kind.value} by {self.actor}{lost}: "
            f"{self.selection.in_words}"
        )


def decode_amendment(fields: Fields) -> Amendment:
    """An amendment from the manifest that holds it.

    Raises:
        InvalidDataError: it is none.
    """
    fields.only(_FIELDS)
    return Amendment(
        kind=choice(fields, "kind", AmendmentKind),
        selection=decode_selection(fields.fields("selection")),
        actor=fields.text("actor"),
        at=fields.timestamp("at"),
        onto=CommitId(fields.text("onto")),
        task_count=fields.integer("tasks"),
        tasks_digest=fields.text("tasks_digest"),
        discarded=tuple(map(TaskKey, texts(fields, "discarded", "task key"))),
    )


_FIELDS = frozenset({
    "kind", "selection", "actor", "at", "onto", "tasks", "tasks_digest", "discarded",
})  # fmt: skip


def done_already(
    amendments: Sequence[Amendment], kind: AmendmentKind, asked: Selection
) -> Amendment | None:
    """The amendment that did what is asked for, by the same words, or None.

    An amendment of the other kind after it may have undone it, so only those since then count.
    """
    for amendment in reversed(amendments):
        if amendment.kind is not kind:
            return None
        if amendment.selection.as_asked == asked.as_asked:
            return amendment
    return None


def dropped_onto(amendments: Iterable[Amendment]) -> Sequence[Amendment]:
    """The amendments that dropped tasks, the newest first."""
    return [one for one in reversed([*amendments]) if one.kind is AmendmentKind.DROPPED]
