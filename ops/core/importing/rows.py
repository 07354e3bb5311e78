"""CSV with a row a picture or a box; Label Studio's own CSV goes to min_rows.py.

A table has a column for the picture, one for the class, and for boxes xmin, ymin, xmax, ymax or x,
y, width, height in pixels; rows of one picture are one answer. Columns nothing is known of go into
the task's data, or for boxes into the region's meta under `csv`.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops.core.documents import Source
from ops.core.importing.min_rows import ANNOTATION, Row, read_rows
from ops.core.importing.neutral import (
    Answer,
    Mark,
    Reading,
    Reference,
    Shape,
    label_file,
    number,
    text_of,
)
from ops.core.ontology import Ontology
from ops.core.pixels import box_of_corners
from ops.core.records import Json

_PICTURE = ("image", "filename", "file_name", "file", "path", "image_path", "picture", "key")
_LABEL = ("label", "class", "category", "class_name", "labels", "name")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BOX = ("x", "y", "width", "height")
# As a file is read line by line: what other characters Unicode takes for line ends are text.
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of a table mean what, where somebody says so; None: the usual names."""

    picture: str | None = None
    label: str | None = None


def read_csv(
    name: str,
    data: bytes,
    ontology: Ontology | None,
    *,
    columns: Columns = Columns(),
    encoding: str | None = None,
    empty: bool = False,
) -> Reading:
    """What a CSV file says.

    Args:
        name: the file's, for errors.
        data: its bytes; `,`, `;`, tab or `|` between the fields.
        ontology: what the controls of Label Studio's own CSV are; None where there is none yet.
        columns: the columns for picture and class.
        encoding: of the bytes; UTF-8 where None.
        empty: rows without a class are pictures with nothing in them.

    Raises:
        InvalidDataError: of another encoding, a row with more or fewer fields than the header, no
            column for the pictures, a number that is none.
    """
    source = label_file(name)
    rows = list(_csv_rows(_text(data, encoding, source), source))
    if rows and ANNOTATION in rows[0][1]:
        return read_rows(rows, name, source, ontology=ontology)
    return _Plain(rows, name, source, columns, empty=empty).read()


def _text(data: bytes, encoding: str | None, source: Source) -> str:
    if encoding is None:
        if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            source.refuse("", "is UTF-16: save it as UTF-8, or say --encoding utf-16")
        try:
            data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            hint = "save it as UTF-8, or say what it is: --encoding latin-1"
            source.refuse("", f"is not UTF-8 (byte {error.start}): {hint}")
        return text_of(data, source)
    try:
        return data.decode(encoding)
    except (LookupError, ValueError):
        source.refuse("", f"is not {encoding}")


def _csv_rows(text: str, source: Source) -> Iterator[Row]:
    header_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(_LINES.findall(text), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        for index, column in enumerate(header):
            if not column or column in header[:index]:
                source.refuse("line 1", f"has the column {column!r} twice, or without a name")
        for row in reader:
            place = f"line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                source.refuse(place, f"has {len(row)} fields, the header {len(header)}")
            yield place, dict(zip(header, row, strict=True))
    except csv.Error as error:
        source.refuse(f"line {reader.line_num}", f"is no CSV: {error}")


class _Plain:
    """A table with a row a picture, or a row a box."""

    def __init__(
        self,
        rows: Sequence[Row],
        name: str,
        source: Source,
        columns: Columns,
        *,
        empty: bool,
    ) -> None:
        self._rows = rows
        self._name = name
        self._source = source
        self._empty = empty
        self._header = tuple(rows[0][1]) if rows else ()
        self._picture = self._column(columns.picture, _PICTURE, "picture", "--image-column")
        self._label = self._column(columns.label, _LABEL, "class", "--label-column")
        self._corners = all(name in self._header for name in _CORNERS)
        self._is_boxes = self._corners or all(name in self._header for name in _BOX)
        self._used = {self._picture, self._label, *(_CORNERS if self._corners else ())}
        if self._corners:
            # As TensorFlow's tables have it: the picture's own size beside each box.
            self._used |= {"width", "height"}
        elif self._is_boxes:
            self._used |= {*_BOX}

    def _column(self, wanted: str | None, usual: Sequence[str], noun: str, option: str) -> str:
        known = {column.lower(): column for column in self._header}
        names = [wanted] if wanted else [known[name] for name in usual if name in known]
        if not names or names[0] not in self._header:
            have = ", ".join(self._header) or "none"
            self._source.refuse("line 1", f"names no column for the {noun} (has: {have}): {option}")
        return names[0]

    def read(self) -> Reading:
        marks: dict[str, list[Mark]] = {}
        first: dict[str, Row] = {}
        blank: set[str] = set()
        for place, row in self._rows:
            picture = str(row[self._picture]).strip()
            if not picture:
                self._source.refuse(place, f"has no {self._picture}")
            first.setdefault(picture, (place, row))
            found = self._mark(place, row)
            if found is None:
                blank.add(picture)
            else:
                marks.setdefault(picture, []).append(found)
        blank = {one for one in blank if one not in marks}
        answered = [one for one in first if one in marks or self._empty]
        return Reading(
            answers=tuple(self._answer(one, first[one], marks.get(one, ())) for one in answered),
            unanswered=tuple(
                Reference(name=one) for one in first if one in blank and not self._empty
            ),
        )

    def _answer(self, picture: str, first: Row, marks: Sequence[Mark]) -> Answer:
        place, row = first
        data: dict[str, Json] = {
            name: value for name, value in row.items() if name not in self._used and value != ""
        }
        return Answer(
            picture=Reference(name=picture),
            place=f"{self._name}, {place}",
            size=self._size(place, row),
            marks=tuple(marks),
            data={} if self._is_boxes else data,
        )

    def _size(self, place: str, row: Mapping[str, Json]) -> tuple[int, int] | None:
        if not (self._corners and {"width", "height"} <= row.keys()):
            return None
        stated = str(row["width"]), str(row["height"])
        if not all(stated):
            return None
        width, height = (number(one, place, self._source) for one in stated)
        return int(width), int(height)

    def _mark(self, place: str, row: Mapping[str, Json]) -> Mark | None:
        label = str(row[self._label]).strip()
        names = _CORNERS if self._corners else _BOX
        stated = [str(row[name]).strip() for name in names] if self._is_boxes else []
        if not label and any(stated):
            self._source.refuse(place, f"has a box and no {self._label}")
        if not label:
            return None
        if not self._is_boxes:
            return Mark(label=label, shape=Shape.CLASS, place=place)
        values = [
            number(one, f"{place}, {n}", self._source) for n, one in zip(names, stated, strict=True)
        ]
        box = _cornered(values) if self._corners else values
        if min(box[2:]) < 0:
            self._source.refuse(place, f"has a box of negative width or height: {values}")
        meta: dict[str, Json] = {
            name: value for name, value in row.items() if name not in self._used and value != ""
        }
        return Mark(
            label=label,
            shape=Shape.BOX,
            place=place,
            numbers=(box[0], box[1], box[2], box[3]),
            meta={"csv": meta} if meta else {},
        )


def _cornered(values: Sequence[float]) -> Sequence[float]:
    xmin, ymin, xmax, ymax = values
    return box_of_corners(xmin, ymin, xmax, ymax)
