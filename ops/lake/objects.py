"""What can be an object in lakeFS.

Refuses what lakeFS would refuse, and what it would take and change on the way: a record must come
back as it was written.
"""

from collections.abc import Mapping
from typing import NoReturn

from ops.errors import InvalidDataError

# lakeFS 1.84 counts bytes of UTF-8 and refuses more.
_MAX_PATH_BYTES = 1024
# User metadata travels as HTTP headers: lakeFS turns their names to lower case, and spaces at the
# ends of their values are lost.
_METADATA_HEADER = "x-lakefs-meta-"
_METADATA_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def check_path(path: str) -> None:
    """Refuse a path lakeFS cannot hold.

    Raises:
        InvalidDataError: it is empty, longer than 1024 bytes of UTF-8, or not Unicode text.
    """
    try:
        size_bytes = len(path.encode())
    except UnicodeEncodeError as error:
        _refuse(ascii(path), "its name is not Unicode text", error)
    if not path:
        _refuse(path, "its name is empty")
    if size_bytes > _MAX_PATH_BYTES:
        _refuse(path, f"its path has {size_bytes} bytes, and at most {_MAX_PATH_BYTES} fit")


def metadata_headers(path: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """User metadata as lakeFS takes it.

    Raises:
        InvalidDataError: a name or value would not come back as it is.
    """
    for name, value in metadata.items():
        if not name or not _METADATA_NAME.issuperset(name):
            _refuse(path, f"metadata name {name!r} is not of a-z, 0-9, '-', '_' and '.'")
        if value != value.strip() or not value.isprintable():
            _refuse(path, f"metadata {name!r} holds what no HTTP header carries")
    # Headers are latin-1 to HTTP and bytes to lakeFS: the bytes of UTF-8 pass as such.
    return {
        _METADATA_HEADER + name: value.encode().decode("latin-1")
        for name, value in metadata.items()
    }


def _refuse(path: str, why: str, cause: Exception | None = None) -> NoReturn:
    raise InvalidDataError(
        "object-path",
        f"cannot store {path[:80]!r}: {why}",
        subject=path,
        unchanged="the object was not sent",
        hint="rename the file, then run the same command again",
    ) from cause
