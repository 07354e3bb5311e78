"""`ops gates`: what main asks of a round before it is merged."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.given import read_given

app = typer.Typer(help="What main asks of a round.", no_args_is_help=True)


@verb(app, "gates", "show")
def show(
    session: Session,
    *,
    ref: Annotated[
        str, typer.Option("--ref", help="A branch, tag, commit id, or expression like main~1.")
    ] = "main",
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the file, to edit it and set it again.")
    ] = False,
) -> Result:
    """Show the gates' settings, and whether the gate is as ops wrote it.

    A round is always held against the settings of main, whatever its own branch holds.
    """
    from ops.runner.gates import look_at_gates

    found = look_at_gates(session.context(), ref)
    settings = found.settings.as_mapping()
    rows = [(name, _shown(value)) for name, value in _flat(settings)]
    state = found.state
    return Result(
        data={
            "ref": ref,
            "settings": settings,
            "toml": found.text,
            "whole": state.is_whole,
            "problems": list(state.problems),
            "outdated": list(state.outdated),
            "written_by": state.written_by,
        },
        body=[found.text.rstrip()] if toml else [Table(columns=("setting", "value"), rows=rows)],
        warnings=[
            *(
                Warn(code="gate-not-whole", message=problem, subject=ref)
                for problem in state.problems
            ),
            *(
                Warn(
                    code="gate-outdated",
                    message=f"{path} is of another version of ops: ops init brings it up to date",
                    subject=path,
                )
                for path in state.outdated
            ),
        ],
    )


@verb(app, "gates", "set")
def set_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The settings: a gates.toml.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Result:
    """Make a gates.toml main's, through a branch and a merge; open rounds are held against it.

    What is left out of the file has its default; `ops gates show --toml` prints what is in force.
    """
    from ops.runner.gates import set_gates

    context = session.context()
    data = read_given(
        file,
        code="no-gates-file",
        hint="check the path; make a file to start from with: ops gates show --toml",
    )
    plan = set_gates(context, data, name=str(file), dry_run=True)
    before, after = dict(_flat(plan.before.as_mapping())), dict(_flat(plan.after.as_mapping()))
    changes = [
        (name, _shown(before[name]), _shown(after[name]))
        for name in after
        if before[name] != after[name]
    ]
    table: list[str | Table] = [Table(columns=("setting", "before", "after"), rows=changes)]
    commit = None
    if plan.changed and not dry_run:
        session.confirm(f"Change {len(changes)} settings of main's gates?", yes=yes)
        commit = set_gates(context, data, name=str(file)).commit
    if not plan.changed:
        body: list[str | Table] = ["main's gates are these already: nothing to do"]
    else:
        done = "would write" if dry_run else "wrote"
        body = [*(table if changes else []), f"{done} {', '.join(plan.changed)}"]
    return Result(
        data={
            "changes": [
                {"setting": name, "before": before[name], "after": after[name]}
                for name, _, _ in changes
            ],
            "files": list(plan.changed),
            "commit": commit,
            "already_done": not plan.changed,
        },
        body=body,
        status="planned" if dry_run and plan.changed else "ok",
    )


def _flat(settings: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Each setting as `table.name`, with its value."""
    for table, values in settings.items():
        if isinstance(values, dict):
            yield from ((f"{table}.{name}", value) for name, value in values.items())


def _shown(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "off" if value is None else str(value)
