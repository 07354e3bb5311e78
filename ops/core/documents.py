"""Strict reading of JSON documents: each failure names the place in the document.

Owns: parsing bytes into JSON without losing anything (no duplicate field, no NaN), and typed access
to fields. Does not know what the documents mean: that is canonical.py, exports.py and their like.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isinf
from typing import NoReturn

from ops.core.records import Json
from ops.errors import InvalidDataError

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a document is, for the error that refuses it.

    Attributes:
        code: the error's code, `record-invalid`.
        noun: what the document is called in the message, `record`.
        hint: what to type next.
        subject: which one it is (a task key), or None.
    """

    code: str
    noun: str
    hint: str
    subject: str | None = None

    def refuse(self, path: str, problem: str) -> NoReturn:
        """Raise the error for one place of the document.

        Raises:
            InvalidDataError: always.
        """
        place = path or "the document"
        raise InvalidDataError(
            self.code,
            f"{self.noun}: {place} {problem}",
            subject=self.subject,
            where=(("field", place),),
            unchanged="nothing was written",
            hint=self.hint,
        )


class _TwiceError(Exception):
    """A field that is there twice."""


class _NumberError(Exception):
    """NaN, an infinity, or a number that floats have only an infinity for."""


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return fields


def _no_constant(text: str) -> Json:
    raise _NumberError(text)


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _NumberError(text)
    return number


# Made once: a decoder a line costs more than a line.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST = 40


def parse(data: bytes, source: Source, *, line: int | None = None) -> Json:
    """Parse a JSON document, or one line of a document that has one a line.

    Raises:
        InvalidDataError: not UTF-8, not JSON, nested too deeply, half a character, a number that is
            not finite, or an object that names a field twice, which `json.loads` would settle by
            dropping the first.
    """
    path = "" if line is None else f"line {line}"
    try:
        return _decoded(data)
    except _TwiceError as error:
        source.refuse(f"{path}.{error}".removeprefix("."), "is there twice in one object")
    except _NumberError as error:
        source.refuse(path, f"holds {str(error)[:_LONGEST]}, which is no finite number")
    except UnicodeEncodeError:
        source.refuse(path, "holds half a character: a lone surrogate")
    except UnicodeDecodeError as error:
        source.refuse(path, f"is not UTF-8 (byte {error.start})")
    except json.JSONDecodeError as error:
        within = f"line {error.lineno}, " if line is None else ""
        source.refuse(path, f"is not JSON: {within}column {error.colno}")
    except RecursionError:
        source.refuse(path, "is nested too deeply")
    except ValueError:
        # int() refuses texts of more than 4 300 digits.
        source.refuse(path, "holds a number of too many digits")


_MOST = 2**63 - 1
"""What the snapshot's columns, and most readers of JSON, can hold."""


def _decoded(data: bytes) -> Json:
    value = _DECODER.decode(data.decode())
    if _SURROGATE.search(data):
        # It may be half of a pair, which is one character by now; if not, this is no text.
        json.dumps(value, ensure_ascii=False).encode()
    return value


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object in a document, read by name and type.

    Every reading method raises InvalidDataError, naming the field's path, where the field is
    missing (unless the method has a default) or of another type.
    """

    values: Mapping[str, Json]
    path: str
    source: Source

    @classmethod
    def of(cls, value: Json, path: str, source: Source) -> "Fields":
        """The fields of a value that must be an object.

        Raises:
            InvalidDataError: it is none.
        """
        if not isinstance(value, dict):
            source.refuse(path, f"must be an object, not {kind(value)}")
        return cls(value, path, source)

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, problem: str) -> NoReturn:
        """Raise the error for one field."""
        self.source.refuse(self.at(name), problem)

    def only(self, *known: frozenset[str]) -> None:
        """Refuse fields that are in none of the sets.

        Raises:
            InvalidDataError: there is another one.
        """
        unknown = self.values.keys() - frozenset[str]().union(*known)
        if unknown:
            self.refuse(min(unknown), "is not a field this version of ops knows")

    def has(self, name: str) -> bool:
        """Say whether a field is there and not null."""
        return self.values.get(name) is not None

    def _value(self, name: str, expected: str) -> Json:
        if name not in self.values:
            self.refuse(name, f"is missing: {expected} belongs there")
        return self.values[name]

    def _mistyped(self, name: str, expected: str) -> NoReturn:
        self.refuse(name, f"must be {expected}, not {kind(self.values[name])}")

    def any(self, name: str) -> Json:
        """A field of any type."""
        return self._value(name, "a value")

    def text(self, name: str) -> str:
        """A string that is not empty."""
        value = self._value(name, "a text")
        if not isinstance(value, str):
            self._mistyped(name, "a text")
        if not value:
            self.refuse(name, "must not be empty")
        return value

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._value(name, "true or false")
        if not isinstance(value, bool):
            self._mistyped(name, "true or false")
        return value

    def integer(self, name: str) -> int:
        """A whole number, zero or more, of 63 bits."""
        value = self._value(name, "a whole number")
        if not isinstance(value, int) or isinstance(value, bool):
            self._mistyped(name, "a whole number")
        if value < 0:
            self.refuse(name, "must not be negative")
        if value > _MOST:
            self.refuse(name, f"must be at most {_MOST}")
        return value

    def number(self, name: str) -> float:
        """A number."""
        value = self._value(name, "a number")
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._mistyped(name, "a number")
        return value

    def array(self, name: str) -> list[Json]:
        """An array of anything."""
        value = self._value(name, "an array")
        if not isinstance(value, list):
            self._mistyped(name, "an array")
        return value

    def fields(self, name: str) -> "Fields":
        """An object, as fields."""
        return Fields.of(self._value(name, "an object"), self.at(name), self.source)

    def items(self, name: str) -> list["Fields"]:
        """An array of objects, each as fields."""
        path = self.at(name)
        return [
            Fields.of(value, f"{path}[{index}]", self.source)
            for index, value in enumerate(self.array(name))
        ]

    def mapping(self, name: str) -> dict[str, Json]:
        """An object, as it is."""
        return dict(self.fields(name).values)

    def timestamp(self, name: str) -> str:
        """A time in canonical form: UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
        value = self.text(name)
        try:
            if _TIMESTAMP.fullmatch(value):
                datetime.fromisoformat(value)
                return value
        except ValueError:
            pass
        return self.refuse(name, f"must be a time like 2026-11-21T14:02:00.000000Z, not {value!r}")

    def moment(self, name: str) -> str:
        """A time in any ISO 8601 form with an offset, given in canonical form."""
        value = self.text(name)
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        except (ValueError, OverflowError):
            pass
        return self.refuse(name, f"must be a time with its offset, not {value!r}")


def kind(value: Json) -> str:
    """What a JSON value is called."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
        case dict():
            return "an object"
