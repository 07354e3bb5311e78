"""The table that decides a split: which label each region that says the old one becomes.

Owns its form: a line a region, `key`, `unique_id`, `region_id`, `label`, separated by tabs or
commas, so that a spreadsheet reads and writes it. Does not know which regions there are
(relabel.py) or which labels (migration.py).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from ops.core.migration import Place
from ops.core.records import TaskKey
from ops.errors import InvalidDataError

COLUMNS = ("key", "unique_id", "region_id", "label")


def write_decisions(decisions: Mapping[Place, str]) -> str:
    """The table, separated by tabs, with a line of headings; a region nobody decided has no label.

    By task, annotation and region: the same decisions, the same text.
    """
    page = _Page()
    table = csv.writer(page, dialect="excel-tab", lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((*place, label) for place, label in sorted(decisions.items()))
    return "".join(page.pieces)


class _Page:
    """What csv writes to."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, piece: str) -> None:
        """Take a line."""
        self.pieces.append(piece)


def read_decisions(data: bytes, name: str) -> Mapping[Place, str]:
    """The label of each region, by the table; regions without a label are left out.

    Args:
        data: the table's bytes.
        name: what to call it in errors.

    Raises:
        InvalidDataError: no UTF-8, a line that has other columns, or a region that is there twice.
    """
    decisions: dict[Place, str] = {}
    for line, row in _rows(data, name):
        key, unique_id, region, label = row
        if not label.strip():
            continue
        place = (TaskKey(key), unique_id, region)
        if place in decisions:
            _refuse(name, f"decides region {region} of {key} twice, line {line}")
        decisions[place] = label.strip()
    return decisions


def _rows(data: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """The lines with their numbers, without headings and empty ones."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(name, f"is not UTF-8 (byte {error.start})", error)
    lines = [f"{line}\n" for line in text.split("\n")]
    table = csv.reader(lines, dialect="excel-tab" if "\t" in lines[0] else "excel")
    for row in _read(table, name):
        if not row or tuple(cell.strip() for cell in row) == COLUMNS:
            continue
        if len(row) != len(COLUMNS):
            wanted = ", ".join(COLUMNS)
            _refuse(name, f"has {len(row)} columns on line {table.line_num}, not {wanted}")
        yield table.line_num, row


def _read(table: Iterable[list[str]], name: str) -> Iterator[list[str]]:
    try:
        yield from table
    except csv.Error as error:
        _refuse(name, "is no table of texts", error)


def _refuse(name: str, problem: str, cause: Exception | None = None) -> NoReturn:
    raise InvalidDataError(
        "decisions-invalid",
        f"{name} {problem}",
        subject=name,
        unchanged="nothing was written",
        hint="write the table anew, to be filled in: ops ontology split LABEL INTO… --list FILE",
    ) from cause
