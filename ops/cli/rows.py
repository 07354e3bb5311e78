"""Rows of a query as text: a table for people, CSV, JSON lines; and as a Parquet file.

Owns how a cell reads. Asks nothing: the rows come from ops/runner/tables.py.
"""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ops.cli.output import Table
from ops.core.cells import plain, strict
from ops.core.records import Json
from ops.errors import ConfigurationError, RefusedError, UsageError

if TYPE_CHECKING:
    from ops.tables import Rows

_LONGEST_CELL = 200


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Json]]) -> Table:
    """Rows for people: lists with commas, long cells cut, a dash for what is missing."""
    return Table(columns=columns, rows=[[_cell(value) for value in row] for row in rows])


def json_rows(rows: "Rows") -> Iterator[list[Json]]:
    """Rows for programs, one by one."""
    for row in rows:
        yield [strict(plain(value)) for value in row]


def as_lines(rows: "Rows", form: Format) -> Iterator[str]:
    """CSV or JSON lines, a line end at each end; lists and objects in a CSV cell are JSON.

    Raises:
        UsageError: two columns have one name, and the form has no place for both.
    """
    names = check_names(rows, form)
    if form is Format.CSV:
        yield _csv_line(list(names))
    for row in json_rows(rows):
        if form is Format.CSV:
            yield _csv_line([_csv_cell(value) for value in row])
        else:
            yield json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"


def check_names(rows: "Rows", form: Format) -> Sequence[str]:
    """The columns' names, each there once.

    Raises:
        UsageError: one is there twice, and it is not CSV.
    """
    names = [one.name for one in rows.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice and form is not Format.CSV:
        raise UsageError(
            "sql-same-columns",
            f"two columns of the result are called {twice[0]}, and {form.value} has place for one",
            subject=twice[0],
            unchanged="nothing was written",
            hint="give them names: SELECT a.key AS key, b.key AS other_key",
        )
    return names


def write_rows(rows: "Rows", form: Format, path: Path) -> None:
    """Write rows to a file that is not there yet: whole, or not at all.

    Raises:
        RefusedError: there is a file of that name.
        ConfigurationError: it cannot be written.
        UsageError: two columns have one name.
    """
    if path.exists():
        raise RefusedError(
            "out-exists",
            f"{path} is there already",
            subject=str(path),
            unchanged="nothing was written",
            hint="name another file, or remove that one first",
        )
    pieces = _pieces(rows, form)
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with part.open("xb") as file:
            file.writelines(pieces)
        os.link(part, path)
    except OSError as error:
        raise ConfigurationError(
            "out-not-written",
            f"{path} cannot be written: {error.strerror}",
            subject=str(path),
            unchanged="no file is left behind",
            hint="name a file in a folder that is there and has room",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _pieces(rows: "Rows", form: Format) -> Iterator[bytes]:
    if form is Format.PARQUET:
        from ops.arrow import write_arrow

        check_names(rows, form)
        yield write_arrow(rows.to_arrow())
        return
    for line in as_lines(rows, form):
        yield line.encode()


def _cell(value: Json) -> str | int:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _text(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(str(one) for one in value)
    return _csv_cell(value)


def _csv_cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _csv_line(cells: Sequence[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
