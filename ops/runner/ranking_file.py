"""A file tasks are ranked by: CSV or Parquet, a column `key` and one of numbers.

Owns its strict reading: every row has a key of its own and a number, or nothing is ranked. Does not
know which tasks there are: selection_facts.py holds the keys against them.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import NoReturn

from ops.core.ranking import Ranking, RankKind
from ops.core.records import TaskKey
from ops.errors import InvalidDataError, UsageError
from ops.given import read_given

KEY = "key"
SUFFIXES = (".csv", ".parquet")


def read_ranking(path: Path, column: str, *, ascending: bool = False) -> Ranking:
    """The ranking a file states.

    Args:
        path: of the file: .csv in UTF-8, or .parquet.
        column: of the numbers.
        ascending: the lowest first.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it has no such column, or no column `key`.
        InvalidDataError: it is no such file, or a row has no key, one that was there, or no number.
    """
    data = read_given(
        path,
        code="no-ranking-file",
        hint="check the path; it is FILE:COLUMN, as in --rank-by scores.csv:score",
    )
    rows = _csv_rows(path, data) if path.suffix == ".csv" else _parquet_rows(path, data, column)
    ranks = _ranks(path, column, rows)
    return Ranking(
        kind=RankKind.FILE,
        by=column,
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        ascending=ascending,
        ranks=tuple(sorted(ranks.items())),
    )


def _csv_rows(path: Path, data: bytes) -> Iterable[Mapping[str, object]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8 (byte {error.start})")
    try:
        return list(csv.DictReader(StringIO(text, newline=""), strict=True))
    except csv.Error:
        _refuse(path, "is no CSV file: a quote is left open, or a field is too long")


def _parquet_rows(path: Path, data: bytes, column: str) -> Iterable[Mapping[str, object]]:
    from ops.parquet import read_rows

    try:
        keys = list(read_rows(data, [KEY], path=str(path)))
    except InvalidDataError:
        _refuse(path, f"is no Parquet file with a column {KEY}")
    try:
        return list(read_rows(data, [KEY, column], path=str(path)))
    except InvalidDataError:
        # The same file has just been read: it is the column that is not there.
        _refuse_column(path, column, keys[0] if keys else {KEY: None})


def _ranks(
    path: Path, column: str, rows: Iterable[Mapping[str, object]]
) -> Mapping[TaskKey, float]:
    ranks: dict[TaskKey, float] = {}
    for number, row in enumerate(rows, start=1):
        if missing := [name for name in (KEY, column) if name not in row]:
            _refuse_column(path, missing[0], row)
        key, value = row[KEY], row[column]
        if not isinstance(key, str) or not key:
            _refuse(path, f"has no key in row {number}")
        if key in ranks:
            _refuse(path, f"has the key {key!r} twice, the second time in row {number}")
        ranks[TaskKey(key)] = _number(path, key, value)
    if not ranks:
        _refuse(path, "has no rows")
    return ranks


def _number(path: Path, key: str, value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        number = None
    if number is None or not isfinite(number):
        _refuse(path, f"has {value!r} for {key!r}, which is no number to rank by")
    return number


def _refuse_column(path: Path, column: str, row: Mapping[str, object]) -> NoReturn:
    raise UsageError(
        "no-such-ranking-column",
        f"{path} has no column {column!r}",
        subject=column,
        where=(("columns", ", ".join(str(name) for name in row)),),
        unchanged="nothing was written",
        hint="it needs a column key and the one tasks are ranked by: --rank-by scores.csv:score",
    )


def _refuse(path: Path, problem: str) -> NoReturn:
    raise InvalidDataError(
        "ranking-file",
        f"{path} {problem}",
        subject=str(path),
        unchanged="nothing was written",
        hint="correct the file: a row a task, its column key an image's path below images/",
    )
