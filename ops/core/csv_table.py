"""A CSV file as columns with types, read strictly.

Owns encodings, delimiters, and which type a column has. Never guesses in silence: what is not UTF-8
is refused with the way to say what it is, and a cell keeps its text unless every cell of its column
is a number, or true or false, however it is written.
"""

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from typing import NoReturn

from ops.core.records import Json
from ops.errors import InvalidDataError, UsageError

UNCHANGED = "nothing was written"
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_NAMES = "columns-invalid"
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# No zero in front: 007 is a name.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?", re.ASCII)
_FLAGS = {"true": True, "false": False}
_EXACT_DIGITS = 15
"""How many digits a float keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvTable:
    """A table as text.

    Attributes:
        names: the columns'.
        rows: the cells; a cell without a character in it is missing.
        lines: the line of the file each row begins on.
    """

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]


def read_csv(
    data: bytes, name: str, *, encoding: str | None = None, delimiter: str = ","
) -> CsvTable:
    """The table in a CSV file.

    Args:
        data: the file's bytes.
        name: the file's, for errors.
        encoding: how its text is written; None for UTF-8, with or without a byte order mark.
        delimiter: between cells.

    Raises:
        InvalidDataError: it is empty, not in that encoding, or no table.
        UsageError: there is no such encoding, or the delimiter is no single character.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(
            "csv-delimiter",
            f"{delimiter!r} cannot stand between cells",
            subject=delimiter,
            unchanged=UNCHANGED,
            hint="one character, such as --delimiter ';'; a tab is $'\\t'",
        )
    text = _decode(data, name, encoding)
    if not text.strip():
        _refuse(name, "is empty", "it needs a line of column names and a row an image")
    if "\0" in text:
        _refuse(name, "holds zero bytes, so it is no text", "save it as CSV in UTF-8")
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Sequence[str]] = []
    lines: list[int] = []
    before = 0
    try:
        for cells in reader:
            if cells:
                rows.append(cells)
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error as error:
        _refuse(
            name,
            f"cannot be read from line {before + 1}: a quote is not closed, or stands inside a"
            " cell, or a cell is too long",
            'put " around the whole cell, and write " inside it twice',
            cause=error,
        )
    return _checked(name, rows, lines)


class Kind(StrEnum):
    """What every cell of a column is written as."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"


def typed(cells: Sequence[str]) -> tuple[Kind, list[Json]]:
    """What a column holds, and its values; an empty cell is None.

    Numbers, or true and false, where every cell that is not empty is written as one; else text.
    """
    said = [cell for cell in cells if cell]
    if said and all(_WHOLE.fullmatch(cell) for cell in said):
        return Kind.WHOLE, [int(cell) if cell else None for cell in cells]
    if said and all(_is_number(cell) for cell in said):
        return Kind.NUMBER, [float(cell) if cell else None for cell in cells]
    if said and all(cell.lower() in _FLAGS for cell in said):
        return Kind.FLAG, [_FLAGS[cell.lower()] if cell else None for cell in cells]
    return Kind.TEXT, [cell or None for cell in cells]


def delimiter_for(names: Sequence[str], column: str) -> str | None:
    """The delimiter under which a header that was read with another has this column, or None."""
    line = ",".join(names)
    return next(
        (
            one
            for one in _DELIMITERS
            if one in line and column in (part.strip('"') for part in line.split(one))
        ),
        None,
    )


def _is_number(cell: str) -> bool:
    """Whether it is written as a number, and a float has all of its digits."""
    digits = sum(one.isdigit() for one in re.split("[eE]", cell)[0])
    return _NUMBER.fullmatch(cell) is not None and digits <= _EXACT_DIGITS


def _decode(data: bytes, name: str, encoding: str | None) -> str:
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise UsageError(
                "csv-encoding-unknown",
                f"there is no encoding {encoding!r}",
                subject=encoding,
                unchanged=UNCHANGED,
                hint="such as --encoding utf-16, --encoding cp1252 or --encoding latin-1",
            ) from error
    marked = next((said for mark, said in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None and marked:
        _refuse(
            name,
            f"is {marked.upper()}, not UTF-8 (byte 0)",
            f"say so: --encoding {marked}\nor convert it: iconv -f {marked} -t utf-8 {name}",
            code="csv-encoding",
        )
    try:
        return data.decode(encoding or "utf-8-sig").removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data.count(b"\n", 0, start) + 1
        _refuse(
            name,
            f"is not {(encoding or 'UTF-8').upper()} (byte {start}, line {line})",
            "say what it is: --encoding cp1252 is what Excel writes in western Europe\n"
            f"or convert it: iconv -f cp1252 -t utf-8 {name}",
            code="csv-encoding",
            cause=error,
        )


def _checked(name: str, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> CsvTable:
    names = tuple(rows[0])
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(names):
            _refuse(
                name,
                f"has {len(cells)} cells on line {line}, and {len(names)} columns",
                'a cell with a comma in it stands in quotes: "a, b"',
            )
    if len(rows) == 1:
        _refuse(name, "has column names and no rows", "it needs a row an image")
    return CsvTable(names=names, rows=rows[1:], lines=lines[1:])


def check_names(names: Sequence[str], file: str, *, key: str) -> None:
    """See that every column has a name that SQL can tell from the others'.

    Args:
        names: the columns'.
        file: the file's name, for errors.
        key: the column that names images; only that one may be called `key`.

    Raises:
        InvalidDataError: one has none, or the name of another.
        UsageError: there is no column of the key's name.
    """
    folded: dict[str, str] = {}
    for place, one in enumerate(names, start=1):
        if not one.strip():
            _refuse(file, f"has no name for column {place}", "name it, or take it out", code=_NAMES)
        other = folded.setdefault(one.lower(), one)
        if list(names).count(one) > 1 or other != one:
            said = f"two columns {one!r}" if other == one else f"columns {other!r} and {one!r}"
            _refuse(
                file, f"has {said}, which SQL cannot tell apart", "rename one of them", code=_NAMES
            )
    if key not in names:
        _refuse_key(names, file, key)
    if key != "key" and "key" in folded:
        _refuse(
            file,
            f"has a column {folded['key']!r} besides {key!r}, which names the images",
            "the joined table's column key holds the task key: rename the other one",
            code=_NAMES,
        )


def _refuse_key(names: Sequence[str], file: str, key: str) -> NoReturn:
    found = delimiter_for(names, key)
    spelled = {"\t": "$'\\t'"}.get(found or "", f"'{found}'")
    near = [one for one in names if one.strip().lower() == key.strip().lower()]
    hint = f"cells are told apart by {_DELIMITERS[found]}: --delimiter {spelled}" if found else ""
    hint = hint or (f"did you mean --key {near[0]!r}" if near else "name one of them with --key")
    raise UsageError(
        "no-such-column",
        f"{file} has no column {key!r}",
        subject=key,
        where=(("columns", ", ".join(names)),),
        unchanged=UNCHANGED,
        hint=hint,
    )


def as_mapping(table: CsvTable) -> Mapping[str, Sequence[str]]:
    """The cells of each column, by its name."""
    return {name: [row[place] for row in table.rows] for place, name in enumerate(table.names)}


def _refuse(
    name: str, problem: str, hint: str, *, code: str = "csv-invalid", cause: Exception | None = None
) -> NoReturn:
    raise InvalidDataError(
        code,
        f"{name} {problem}",
        subject=name,
        unchanged=UNCHANGED,
        hint=hint,
    ) from cause
