"""`ops round start` and `sync`, and the noun itself."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Warn
from ops.cli.round_text import (
    DryRun,
    Name,
    choice_json,
    choice_lines,
    choice_warnings,
    count_line,
    counts_json,
    sync_warnings,
)
from ops.cli.selection_options import SelectionOptions, with_selection
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.runner.context import Context
    from ops.runner.sync import Synced

app = typer.Typer(help="Labeling rounds: one branch and one project each.", no_args_is_help=True)


@verb(app, "round", "start")
@with_selection()
def start(
    session: Session,
    name: Name,
    *,
    asked: SelectionOptions,
    predictions: Annotated[
        list[str] | None,
        typer.Option(
            "--predictions",
            metavar="MODEL@VERSION",
            help="Annotators begin with what this model says; may be repeated.",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> Result:
    """Put images before annotators: a branch, a Label Studio project, its tasks.

    Takes every image nobody has labeled, unless asked otherwise. Run again, it goes on where it
    stopped, or says that the round is open.
    """
    selection = asked.selection()
    from ops.runner.start import start_round

    found = start_round(
        session.context(), name, selection, predictions=predictions or (), dry_run=dry_run
    )
    manifest, choice = found.manifest, found.choice
    project = manifest.project if manifest else None
    heading = _heading(found.steps, done=f"round {name} is open", dry_run=dry_run)
    lines = [heading, *(f"  {step.text}" for step in found.steps)]
    if choice:
        lines += ["", *choice_lines(choice)]
    if not dry_run:
        lines += [f"  label here: {session.project_url(project)}", f"  then: ops round sync {name}"]
    return Result(
        data={
            "round": name,
            "base": found.base,
            "tasks": len(found.keys),
            "project": project,
            "url": session.project_url(project) if project else None,
            "steps": [step.as_json() for step in found.steps],
            "already_done": not found.steps,
            "choice": choice_json(choice) if choice else None,
        },
        body=lines,
        status="planned" if dry_run and found.steps else "ok",
        warnings=choice_warnings(choice, name),
    )


def _heading(steps: Sequence[object], *, done: str, dry_run: bool) -> str:
    if not steps:
        return f"{done} already: nothing to do"
    return "would:" if dry_run else f"{done}:"


@verb(app, "round", "sync")
def sync(
    session: Session,
    name: Name,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Sync again and again.")] = False,
    every: Annotated[int, typer.Option(min=1, help="Seconds between syncs with --watch.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="Read every task again.")] = False,
    dry_run: DryRun = False,
) -> Result:
    """Commit what annotators submitted to the round's branch.

    Reads only what changed; with nothing changed nothing is written.

    Raises:
        UsageError: --watch with --json.
    """
    from ops.runner.sync import sync_round

    if watch and session.as_json:
        raise UsageError(
            "watch-json",
            "--watch has no end and --json is one document",
            unchanged="nothing was read or written",
            hint=f"ops round sync {name} --watch, or: ops round sync {name} --json",
        )
    context = session.context()
    while True:
        found = sync_round(context, name, full=full, dry_run=dry_run)
        if not watch:
            result = _sync_result(found, dry_run=dry_run)
            return replace(result, warnings=[*result.warnings, *_ontology_news(context, found)])
        sys.stderr.write(f"{context.timestamp()[11:19]} UTC  {_sync_line(found)}\n")
        time.sleep(every)


def _ontology_news(context: "Context", found: "Synced") -> Sequence[Warn]:
    """What main's labels have become, where people went on answering with the round's."""
    from ops.runner.ontology_news import ontology_moved

    moved = ontology_moved(context, found.round.manifest) if found.changed else None
    if moved is None:
        return []
    return [Warn(code="ontology-moved", message=moved.in_words, subject=found.round.name)]


def _sync_result(found: "Synced", *, dry_run: bool) -> Result:
    return Result(
        data={
            "round": found.round.name,
            "changed": list(found.changed),
            "fetched": found.fetched_count,
            "commit": found.commit,
            "counts": counts_json(found.counts),
            "vanished": list(found.vanished),
            "foreign": list(found.foreign),
            "repeated": list(found.repeated),
            "scanned": found.scanned,
            "conflicts": list(found.conflicts),
        },
        body=[_sync_line(found, dry_run=dry_run), count_line(found.counts)],
        status="planned" if dry_run and found.changed else "ok",
        warnings=sync_warnings(found),
    )


def _sync_line(found: "Synced", *, dry_run: bool = False) -> str:
    if not found.changed:
        return f"round {found.round.name}: nothing changed"
    where = "not written: --dry-run" if dry_run else f"commit {(found.commit or '')[:12]}"
    return f"round {found.round.name}: {len(found.changed)} tasks changed ({where})"
