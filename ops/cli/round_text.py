"""How rounds are told of, by every verb that does.

Owns wording shared by several verbs; imports nothing of the runner when it is loaded.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Warn
from ops.core.records import Counts, Json

if TYPE_CHECKING:
    from ops.runner.selection import Choice
    from ops.runner.sync import Synced

Name = Annotated[str, typer.Argument(help="The round's name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SHOWN = 10


def sync_warnings(found: "Synced") -> Sequence[Warn]:
    """What a sync found that somebody should look at."""
    name, warnings = found.round.name, list[Warn]()
    if found.vanished:
        warnings.append(
            Warn(
                code="tasks-vanished",
                message=f"{len(found.vanished)} tasks were deleted in Label Studio and count as "
                f"unfinished: {few(found.vanished)}; what was synced before is in the branch's "
                f"history; to import them again: ops round start {name}",
                subject=name,
            )
        )
    if found.foreign:
        warnings.append(
            Warn(
                code="foreign-tasks",
                message=f"{len(found.foreign)} tasks of the project are not this round's and are "
                f"not read: Label Studio ids {few([str(task) for task in found.foreign])}",
                subject=name,
            )
        )
    if found.repeated:
        warnings.append(
            Warn(
                code="tasks-repeated",
                message=f"{len(found.repeated)} tasks are more than once in Label Studio; their "
                f"annotations are united: {few(found.repeated)}",
                subject=name,
            )
        )
    if found.conflicts:
        warnings.append(
            Warn(
                code="tasks-in-conflict",
                message=f"{len(found.conflicts)} tasks say another thing on main, which this round "
                f"has taken in: {few(found.conflicts)}; the branch has the round's answers; say "
                f"whose count: ops round rebase {name} --on-conflict POLICY",
                subject=name,
            )
        )
    return warnings


def choice_lines(choice: "Choice") -> Sequence[str]:
    """How tasks were chosen: how many of how many, in which states, the first few."""
    keys = [entry.task.key for entry in choice.tasks]
    states = choice.counts.as_mapping().items()
    parts = [f"{count} {state}" for state, count in states if count and state != "tasks"]
    return [
        f"  {len(keys)} of {choice.looked_at_count} images: {', '.join(parts)}",
        f"  {choice.selection.in_words}",
        f"  {few(keys)}",
    ]


def choice_json(choice: "Choice") -> dict[str, Json]:
    """How tasks were chosen, for programs."""
    return {
        "looked_at": choice.looked_at_count,
        "counts": counts_json(choice.counts),
        "keys": [entry.task.key for entry in choice.tasks[:_SHOWN]],
        "selection": choice.selection.in_words,
        "notes": list(choice.notes),
    }


def choice_warnings(choice: "Choice | None", name: str) -> Sequence[Warn]:
    """What is to be known of how tasks were chosen."""
    notes = choice.notes if choice else ()
    return [Warn(code="selection", message=note, subject=name) for note in notes]


def few(names: Sequence[str]) -> str:
    """The first names in one line, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def counts_json(counts: Counts) -> dict[str, Json]:
    """The counts by state, for programs."""
    return dict(counts.as_mapping())


def count_line(counts: Counts) -> str:
    """The count law in one line: tasks = labeled + empty + skipped + unfinished + quarantined."""
    states: Mapping[str, int] = counts.as_mapping()
    parts = [f"{count} {state}" for state, count in states.items() if state != "tasks"]
    return f"{counts.tasks} tasks = " + " + ".join(parts)


def minute(time_: str | None) -> str:
    """A canonical time to the minute, for people."""
    return (time_ or "")[:16].replace("T", " ")
