"""What an import puts before a round's annotators.

Owns `rounds/<round>.import.jsonl`: a line a task, each a record document (canonical.py) with the
imported annotations alone, whatever else its task has. Does not know the manifest that names its
digest (rounds.py), nor how the annotations were read (ops/core/importing).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator

from ops.core.canonical import decode_record, encode_record
from ops.core.documents import Source
from ops.core.lines import line, stored
from ops.core.names import import_path
from ops.core.records import Record


def encode_import(records: Iterable[Record]) -> bytes:
    """The bytes of an import, a line a task, by key; equal records are equal bytes.

    Raises:
        InvalidDataError: as canonical.encode_record.
    """
    ordered = sorted(records, key=lambda record: record.task.key)
    return b"".join(line(json.loads(encode_record(record))) for record in ordered)


def decode_import(data: bytes, name: str) -> Iterator[Record]:
    """The records of a round's import, lazily.

    Raises:
        InvalidDataError: a line is no record, or does not come after the one before it by key.
    """
    before, source = "", stored(import_path(name), "import-list-invalid")
    for number, text in enumerate(data.splitlines(), start=1):
        record = decode_record(text)
        _check_order(before, record, source, number)
        before = record.task.key
        yield record


def _check_order(before: str, record: Record, source: Source, number: int) -> None:
    if record.task.key <= before:
        source.refuse(f"line {number}.task.key", f"must come before {before!r}, and once")


def import_digest(data: bytes) -> str:
    """The digest of an import's bytes, as the manifest states it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
