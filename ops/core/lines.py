"""JSON-lines documents: a compact JSON value a line.

Owns their bytes and their strict reading. Does not know what the lines mean.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from ops.core.documents import Fields, Source, parse
from ops.core.records import Json

T = TypeVar("T")


def line(value: Mapping[str, Json] | Sequence[Json]) -> bytes:
    """One line, keys sorted, with a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def values(data: bytes, source: Source) -> Iterator[tuple[str, Json]]:
    """Each line's name (`line 3`) and value, lazily.

    Raises:
        InvalidDataError: a line is not JSON.
    """
    for number, text in enumerate(data.splitlines(), start=1):
        yield f"line {number}", parse(text, source, line=number)


def objects(data: bytes, source: Source) -> Iterator[Fields]:
    """Each line as the fields of an object, lazily.

    Raises:
        InvalidDataError: a line is not a JSON object.
    """
    for name, value in values(data, source):
        yield Fields.of(value, name, source)


def stored(path: str, code: str) -> Source:
    """A document ops itself keeps in the repository, for the errors that refuse it."""
    return Source(
        code=code,
        noun=path,
        subject=path,
        hint="see what changed it in the object's history in the lakeFS UI",
    )


def maybe(fields: Fields, name: str, read: Callable[[str], T]) -> T | None:
    """What `read` gives for a field, or None where it is absent or null."""
    return read(name) if fields.has(name) else None


def choice(fields: Fields, name: str, choices: Callable[[str], T]) -> T:
    """One of an enumeration's values.

    Raises:
        InvalidDataError: it is none of them.
    """
    value = fields.text(name)
    try:
        return choices(value)
    except ValueError:
        fields.refuse(name, f"is {value!r}, which means nothing here")


def texts(fields: Fields, name: str, noun: str) -> Iterator[str]:
    """A field's texts, lazily; `noun` is what each of them should be.

    Raises:
        InvalidDataError: it is no array, or holds an empty text or something else than texts.
    """
    for value in fields.array(name):
        if not isinstance(value, str) or not value:
            fields.refuse(name, f"holds {value!r}, which is no {noun}")
        yield value
