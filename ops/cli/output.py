"""One result, rendered twice: for people, and as one JSON document.

Owns the envelope (`ops.result/1`) and how errors read. Does not decide what a result holds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

from ops.core.records import Json
from ops.errors import OpsError

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "ops.result/1"

Status: TypeAlias = Literal["ok", "planned", "partial", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows for people, one cell a column; numbers are right-aligned."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warn:
    """Something the person should know, though the command did what was asked."""

    code: str
    message: str
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command found or did.

    Attributes:
        data: the result for programs.
        body: the same for people: lines, and tables.
        status: `planned` where `--dry-run` kept it from being done.
        warnings: shown on stderr, and listed in the envelope.
    """

    data: Mapping[str, Json]
    body: Sequence[str | Table] = ()
    status: Status = "ok"
    warnings: Sequence[Warn] = field(default_factory=tuple[Warn, ...])


def console(stream: TextIO) -> "Console":
    """A console that never cuts a line short because a pipe claims 80 columns."""
    from rich.console import Console

    width = None if stream.isatty() else 10_000
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=True)


def print_result(result: Result, stdout: TextIO, stderr: TextIO) -> None:
    """Show a result to a person: the body on stdout, warnings on stderr."""
    out = console(stdout)
    for part in result.body:
        if isinstance(part, str):
            out.print(part)
        else:
            _print_table(part, out)
    errors = console(stderr)
    for warning in result.warnings:
        errors.print(f"warning[{warning.code}]: {warning.message}", style="yellow")


def _print_table(table: Table, out: "Console") -> None:
    from rich.table import Table as RichTable

    grid = RichTable(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(table.columns):
        numeric = bool(table.rows) and all(isinstance(row[index], int) for row in table.rows)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(str(cell) for cell in row))
    out.print(grid)


def envelope(command: Sequence[str], result: Result) -> str:
    """The one JSON document of a command that did not fail, with a newline at the end."""
    warnings: list[Json] = [
        {"code": warning.code, "message": warning.message, "subject": warning.subject}
        for warning in result.warnings
    ]
    return _document(command, status=result.status, data=result.data, warnings=warnings)


def error_envelope(command: Sequence[str], error: OpsError) -> str:
    """The one JSON document of a command that failed, with a newline at the end."""
    entry: dict[str, Json] = {
        "code": error.code,
        "message": error.message,
        "subject": error.subject,
        "where": dict(error.where),
        "unchanged": error.unchanged,
        "hint": error.hint,
    }
    status: Status = "partial" if error.exit_code == _PARTIAL else "error"
    return _document(command, status=status, exit_code=error.exit_code, errors=[entry])


_PARTIAL = 10


def _document(  # every field has its default here, so that no envelope lacks one
    command: Sequence[str],
    *,
    status: Status,
    exit_code: int = 0,
    data: Mapping[str, Json] | None = None,
    warnings: Sequence[Json] = (),
    errors: Sequence[Json] = (),
) -> str:
    document = {
        "schema": SCHEMA,
        "command": list(command),
        "status": status,
        "exit_code": exit_code,
        "data": data or {},
        "warnings": list(warnings),
        "errors": list(errors),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def error_text(error: OpsError) -> str:
    """A failure as a person reads it: what, where, what stayed unchanged, what to type next."""
    pairs = [*error.where, ("state", error.unchanged), ("next", error.hint)]
    width = max(len(name) for name, _ in pairs)
    out = StringIO()
    out.write(f"error[{error.code}]: {error.message}\n")
    for name, value in pairs:
        indented = value.replace("\n", "\n" + " " * (width + 5))
        out.write(f"  {name:<{width}}   {indented}\n")
    return out.getvalue()
