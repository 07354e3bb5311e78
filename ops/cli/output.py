"""One result, rendered twice: for people, and as one JSON document.

Owns the envelope (`ops.result/1`) and how errors read. Does not decide what a result holds.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias, cast

from ops.core.records import Json
from ops.errors import ConfigurationError, OpsError

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


def write(text: str, stream: TextIO) -> None:
    """Write text and see it out.

    Raises:
        BrokenPipeError: nobody reads it any more.
        ConfigurationError: it cannot be written, as on a full disk.
    """
    try:
        stream.write(_writable(text, stream))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(
            "cannot-write-output",
            f"the output cannot be written: {error.strerror}",
            unchanged="what the command did stays done; only its output is lost",
            hint="make room, or let the output go elsewhere; then run the same command again",
        ) from error


def _writable(text: str, stream: TextIO) -> str:
    """The text with what the stream's encoding lacks in escapes that JSON knows, too."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(json.dumps(one)[1:-1] if ord(one) > _LAST_OF_ASCII else one for one in text)
    return text


_LAST_OF_ASCII = 127
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
_CONTROLS_IN_TEXT = {code: text for code, text in _CONTROLS.items() if chr(code) not in "\n\t"}


def is_colored(stream: TextIO) -> bool:
    """Say whether a stream is a terminal whose person has not asked for no colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _paint(text: str, sgr: str, stream: TextIO) -> str:
    return f"\x1b[{sgr}m{text}\x1b[0m" if is_colored(stream) else text


_RED, _YELLOW = "1;31", "33"


def console(stream: TextIO, like: TextIO | None = None) -> "Console":
    """A console that never cuts a line short because a pipe claims 80 columns.

    Args:
        stream: where it draws.
        like: the stream whose width and colours it takes, if another.
    """
    from rich.console import Console

    like = like or stream
    return Console(
        file=stream,
        width=shutil.get_terminal_size().columns if like.isatty() else _ENDLESS,
        force_terminal=like.isatty(),
        no_color=not is_colored(like),
        highlight=False,
        markup=False,
    )


_ENDLESS = 10_000


def print_result(result: Result, stdout: TextIO, stderr: TextIO) -> None:
    """Show a result to a person: the body on stdout, warnings on stderr.

    Raises:
        BrokenPipeError, ConfigurationError: as `write`.
    """
    for part in result.body:
        text = part.translate(_CONTROLS_IN_TEXT) if isinstance(part, str) else _drawn(part, stdout)
        write(text + "\n", stdout)
    for warning in result.warnings:
        head = _paint(f"warning[{warning.code}]:", _YELLOW, stderr)
        write(f"{head} {warning.message.translate(_CONTROLS)}\n", stderr)


def _drawn(table: Table, stream: TextIO) -> str:
    """A table as text; wide cells are folded on a terminal, and never on a pipe."""
    from rich.table import Table as RichTable

    grid = RichTable(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(table.columns):
        numeric = bool(table.rows) and all(isinstance(row[index], int) for row in table.rows)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(str(cell).translate(_CONTROLS) for cell in row))
    # Drawn in memory: rich writes to a console's stream even while it captures.
    canvas = StringIO()
    console(canvas, like=stream).print(grid)
    return "\n".join(line.rstrip() for line in canvas.getvalue().splitlines())


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
    # Core gives JSON values; ops.errors, below everything, cannot name their type.
    details = cast("dict[str, Json]", error.details)
    return _document(
        command, status=status, exit_code=error.exit_code, data=details, errors=[entry]
    )


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


def print_error(error: OpsError, stderr: TextIO) -> None:
    """Show a failure to a person."""
    head, colon, rest = error_text(error).partition("]:")
    write(_paint(head + colon, _RED, stderr) + rest, stderr)


def error_text(error: OpsError) -> str:
    """A failure as a person reads it: what, where, what stayed unchanged, what to type next."""
    pairs = [*error.where, ("state", error.unchanged), ("next", error.hint)]
    width = max(len(name) for name, _ in pairs)
    lines = [f"error[{error.code}]: {error.message.translate(_CONTROLS)}"]
    for name, value in pairs:
        said = value.translate(_CONTROLS_IN_TEXT).replace("\n", "\n" + " " * (width + 5))
        lines.append(f"  {name:<{width}}   {said}")
    return "\n".join(lines) + "\n"
