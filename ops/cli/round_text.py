"""How rounds are told of, by every verb that does.

Owns wording shared by several verbs; imports nothing of the runner when it is loaded.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Warn
from ops.core.records import Counts, Json

if TYPE_CHECKING:
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
