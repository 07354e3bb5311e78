"""`ops dataset query`: SQL over a version."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ops.cli.dataset import app
from ops.cli.output import Result, Table, Warn
from ops.cli.rows import Format, as_lines, as_table, json_rows, write_rows
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.queries import is_select
from ops.core.records import CommitId, Json
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.runner.context import Context
    from ops.tables import Rows

_SHOWN = 50
_SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".parquet": Format.PARQUET}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked, of what, and where the answer goes."""

    ref: str
    sql: str | None
    where: str | None
    saved: str | None
    save: str | None
    form: Format | None
    out: Path | None
    limit: int | None
    dry_run: bool

    @property
    def file_form(self) -> Format:
        """How the file is written."""
        assert self.out is not None, "asked where a file is wanted"  # noqa: S101
        return self.form or _SUFFIXES.get(self.out.suffix.lower(), Format.CSV)


@verb(app, "dataset", "query")
def query(
    session: Session,
    ref: Annotated[
        str | None,
        typer.Argument(metavar="REF", help="A branch, tag or commit; main where left out."),
    ] = None,
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="One SELECT, in quotes.")] = None,
    *,
    where: Annotated[
        str | None,
        typer.Option(metavar="EXPRESSION", help="Ask which tasks fulfil a condition instead."),
    ] = None,
    saved: Annotated[str | None, typer.Option(metavar="NAME", help="Run a saved query.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the query on main under this name.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="How rows are written; parquet needs --out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all rows to a new file.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the saved queries.")] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="List the tables and their columns.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --save: run the query, keep nothing.")
    ] = False,
) -> Result:
    """Ask a version in SQL: one SELECT, read only, over its tables.

    Table tasks has a row an image, annotations a row a region, labels both: a row a region, and one
    for each task without any. Beside them: meta_NAME (one a joined table), predictions, profile,
    splits and runs. A condition (--where) is asked of labels: a task is taken if any of its rows
    fulfils it. Prints 50 rows; all of them with --json, --format or --out.
    """
    chosen = [name for name, given in (("--where", where), ("--saved", saved),
              ("--list", list_), ("--tables", tables)) if given]  # fmt: skip
    if ref is not None and sql is None and (not chosen or " " in ref):
        ref, sql = None, ref
    asked = _Asked(
        ref=ref or "main", sql=sql, where=where, saved=saved, save=save, form=form, out=out,
        limit=limit, dry_run=dry_run,
    )  # fmt: skip
    _check(asked, [*chosen, *(["SQL"] if sql is not None else [])], as_json=session.as_json)
    if list_:
        return _list(session, asked.ref)
    if tables:
        return _tables(session, asked.ref)
    return _run(session, asked)


def _check(asked: _Asked, chosen: list[str], *, as_json: bool) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: something does not.
    """
    if not chosen:
        _refuse("missing-value", "what is asked is missing: SQL, --where, --saved or --list")
    if len(chosen) > 1:
        _refuse("options-exclude", f"{chosen[0]} and {chosen[1]} ask for two things: give one")
    is_question = chosen[0] in {"SQL", "--where"}
    if asked.save is not None and not is_question:
        _refuse("options-exclude", "--save goes with SQL or --where only")
    if asked.dry_run and asked.save is None:
        _refuse("options-exclude", "--dry-run goes with --save only: a query changes nothing")
    if (asked.form or asked.out or asked.limit) and not (is_question or asked.saved):
        _refuse("options-exclude", "--format, --out and --limit are for rows")
    if asked.out is None and asked.form is Format.PARQUET:
        _refuse("options-exclude", "--format parquet needs --out FILE")
    if asked.out is None and asked.form not in {None, Format.TABLE} and as_json:
        _refuse("options-exclude", "--json prints the rows itself: give --format with --out")
    if asked.out is not None and asked.form is Format.TABLE:
        _refuse("options-exclude", "a file is csv, jsonl or parquet")


def _refuse(code: str, message: str) -> NoReturn:
    raise UsageError(
        code,
        message,
        unchanged="nothing was read or written",
        hint="ops dataset query --help",
    )


def _run(session: Session, asked: _Asked) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.queries import read_query, save_query
    from ops.runner.tables import open_tables

    context = session.context()
    commit = resolve(context, asked.ref)
    text = asked.sql or asked.where or read_query(context, commit, str(asked.saved))
    with open_tables(context, commit) as tables:
        is_statement = asked.sql is not None or (asked.where is None and is_select(text))
        rows = tables.query(text) if is_statement else tables.tasks_where(text)
        result = _shown(session, asked, rows, text=text, commit=commit)
    warnings = _warnings(context, commit, asked.ref)
    saved = None
    if asked.save is not None and not asked.dry_run:
        saved = save_query(context, asked.save, text)
    kept: dict[str, Json] = {"saved_as": asked.save, "saved_commit": saved}
    return Result(
        data={**result.data, **kept},
        body=[*result.body, *_told(asked, saved)],
        status="planned" if asked.dry_run else "ok",
        warnings=warnings,
    )


def _told(asked: _Asked, saved: CommitId | None) -> list[str]:
    if asked.save is None:
        return []
    if asked.dry_run:
        return [f"would save it as {asked.save}"]
    return [f"saved as {asked.save}" if saved else f"main has just this as {asked.save} already"]


def _shown(session: Session, asked: _Asked, rows: "Rows", *, text: str, commit: CommitId) -> Result:
    """The rows where they are wanted: in a file, on stdout, or in the result."""
    columns: list[Json] = [{"name": one.name, "type": one.type} for one in rows.columns]
    facts: dict[str, Json] = {"ref": asked.ref, "commit": commit, "sql": text, "columns": columns}
    every_row = rows
    rows = rows.first(asked.limit) if asked.limit is not None else rows
    if asked.out is not None:
        write_rows(rows, asked.file_form, asked.out)
        return Result(
            data={**facts, "file": str(asked.out), "format": asked.file_form.value},
            body=[f"wrote {asked.out}"],
        )
    if asked.form is Format.CSV or asked.form is Format.JSONL:
        lines = "".join(as_lines(rows, asked.form))
        return Result(data=facts, body=[lines.removesuffix("\n")])
    if session.as_json:
        every: list[Json] = [*json_rows(rows)]
        return Result(data={**facts, "rows": every, "row_count": len(every)})
    most = asked.limit or _SHOWN
    found = list(json_rows(every_row.first(most + 1)))
    table = as_table([one.name for one in rows.columns], found[:most])
    is_cut = len(found) > most
    count = f"the first {most} rows; all of them: --out FILE" if is_cut else f"{len(found)} rows"
    return Result(data=facts, body=[table, count])


def _warnings(context: "Context", commit: CommitId, ref: str) -> list[Warn]:
    """What a person should know of a commit that is no part of main. One request."""
    from ops.core.names import MAIN

    if context.lake.merge_base(commit, MAIN) == commit:
        return []
    return [
        Warn(
            code="not-packed",
            message=f"{ref} is not on main: its tables hold the labels of the version it began"
            " with, not what was labeled on it since",
            subject=ref,
        )
    ]


def _list(session: Session, ref: str) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.queries import list_queries

    context = session.context()
    found = list_queries(context, resolve(context, ref))
    rows = [(name, "SELECT" if is_select(text) else "condition", text.strip().splitlines()[-1])
            for name, text in found.items()]  # fmt: skip
    return Result(
        data={"queries": [{"name": name, "sql": text} for name, text in found.items()]},
        body=[Table(columns=("query", "kind", "last line"), rows=rows), f"{len(found)} queries"]
        if found
        else ["no saved queries"],
    )


def _tables(session: Session, ref: str) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.tables import open_tables

    context = session.context()
    with open_tables(context, resolve(context, ref)) as tables:
        found = {name: tables.columns(name) for name in tables.names}
    return Result(
        data={"tables": {name: list(columns) for name, columns in found.items()}},
        body=[
            Table(
                columns=("table", "columns"),
                rows=[(name, ", ".join(columns)) for name, columns in found.items()],
            )
        ],
    )
