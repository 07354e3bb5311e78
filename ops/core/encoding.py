"""JSON in one byte form: equal values are equal bytes.

Owns the form (docs/adr/0003-canonical-records.md), whatever the document. Does not know records
(canonical.py).
"""

import json
from collections.abc import Iterator, Mapping

from ops.core.records import Json
from ops.errors import InvalidDataError

MAX_DEPTH = 64

_INDENT = "  "
_quote = json.JSONEncoder(ensure_ascii=False).encode
_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def encode(value: Json) -> bytes:
    """The canonical bytes of a JSON value.

    UTF-8; fields sorted, one a line, two spaces a level; an array that holds no object at any depth
    on one line (a brush's 50 000 run lengths are one line); numbers in one form (10.0 is 10, -0.0
    is 0); a newline at the end.

    Raises:
        InvalidDataError: NaN, an infinity, a lone surrogate, or more than 64 levels.
    """
    parts: list[str] = []
    try:
        _write(value, "\n", parts)
        parts.append("\n")
        return "".join(parts).encode()
    except ValueError as error:
        place, problem = next(_unfit(value, "", 0), ("the document", str(error)))
        raise InvalidDataError(
            "not-canonical",
            f"{place} {problem}",
            where=(("field", place),),
            unchanged="nothing was written",
            hint="correct the value where it was made, then run the same command again",
        ) from error


def _write(value: Json, newline: str, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(_quote(value))
    elif isinstance(value, dict):
        _write_object(value, newline, parts)
    elif isinstance(value, list):
        _write_array(value, newline, parts)
    else:
        parts.append(_line(_scalar(value)))


def _write_object(value: Mapping[str, Json], newline: str, parts: list[str]) -> None:
    if not value:
        parts.append("{}")
        return
    _check_depth(len(newline) // len(_INDENT))
    inner = newline + _INDENT
    opening = "{" + inner
    for name in sorted(value):
        parts.append(f"{opening}{_quote(name)}: ")
        _write(value[name], inner, parts)
        opening = "," + inner
    parts.append(newline + "}")


def _write_array(value: list[Json], newline: str, parts: list[str]) -> None:
    depth = len(newline) // len(_INDENT)
    flat = _flat(value, depth)
    if flat is not None:
        parts.append(_line(flat))
        return
    _check_depth(depth)
    inner = newline + _INDENT
    opening = "[" + inner
    for item in value:
        parts.append(opening)
        _write(item, inner, parts)
        opening = "," + inner
    parts.append(newline + "]")


def _flat(value: list[Json], depth: int) -> list[Json] | None:
    """The array with its numbers in one form, or None where an object is somewhere in it."""
    _check_depth(depth)
    line: list[Json] = []
    for item in value:
        if isinstance(item, dict):
            return None
        if isinstance(item, list):
            inner = _flat(item, depth + 1)
            if inner is None:
                return None
            line.append(inner)
        else:
            line.append(_scalar(item))
    return line


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(depth)


def _scalar(value: str | float | bool | None) -> str | int | float | bool | None:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unfit(value: Json, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """The places that cannot be written, with what is wrong there: only walked to word an error."""
    place = path or "the document"
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        yield place, f"is more than {MAX_DEPTH} levels deep"
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _unfit(name, f"{path}, the name of a field,".removeprefix(", "), depth)
            yield from _unfit(item, f"{path}.{name}".removeprefix("."), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unfit(item, f"{path}[{index}]", depth + 1)
    else:
        try:
            _line(value).encode()
        except UnicodeEncodeError:
            yield place.encode(errors="replace").decode(), "is no Unicode text: a lone surrogate"
        except ValueError:
            yield place, "is no number: NaN or an infinity"


def canonical_object(value: Mapping[str, Json]) -> dict[str, Json]:
    """The object with fields sorted and numbers in one form, at every depth."""
    return {name: _canonical(value[name]) for name in sorted(value)}


def _canonical(value: Json) -> Json:
    if isinstance(value, dict):
        return canonical_object(value)
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return _scalar(value)
