"""A saved query: SQL with a name, as somebody wrote it.

Owns what a file below `queries/` may be. Does not parse it: ops/tables.py does, when it is run.
"""

import re

from ops.errors import InvalidDataError

_MOST_BYTES = 100_000
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_SELECT = re.compile(r"(select|with|from|values|table|describe|summarize)\b", re.IGNORECASE)


def is_select(text: str) -> bool:
    """Whether a text is a whole statement, by its first word, rather than an expression."""
    return _SELECT.match(_COMMENT.sub(" ", text).strip()) is not None


def encode_query(text: str) -> bytes:
    """The bytes of a saved query: as written, with one line end behind it."""
    return (text.strip() + "\n").encode()


def decode_query(data: bytes, path: str) -> str:
    """The text of a saved query.

    Raises:
        InvalidDataError: it is no text, or there is nothing in it.
    """
    try:
        text = data.decode("utf-8-sig").strip() if len(data) <= _MOST_BYTES else ""
    except UnicodeDecodeError:
        text = ""
    if not _COMMENT.sub(" ", text).strip():
        raise InvalidDataError(
            "query-invalid",
            f"{path} is no query",
            subject=path,
            unchanged="nothing was written",
            hint='save it again: ops dataset query "SELECT …" --save NAME',
        )
    return text
