"""What lakeFS's JSON holds, in the words of ops.ports.

Each function takes one decoded entry and raises KeyError or TypeError where it is not one.
"""

from typing import Any

from ops.core.records import CommitId
from ops.ports import Change, ChangeKind, Commit, StoredObject


def commit_of(entry: Any) -> Commit:  # noqa: ANN401 - decoded JSON
    """A commit, from lakeFS's `Commit`."""
    return Commit(
        id=CommitId(entry["id"]),
        parents=tuple(CommitId(parent) for parent in entry["parents"]),
        message=entry["message"],
        committer=entry["committer"],
        created_at=entry["creation_date"],
        metadata=entry.get("metadata") or {},
    )


def object_of(entry: Any) -> StoredObject:  # noqa: ANN401 - decoded JSON
    """An object, from lakeFS's `ObjectStats`."""
    return StoredObject(
        path=entry["path"],
        checksum=entry["checksum"],
        size_bytes=entry["size_bytes"],
        metadata=entry.get("metadata") or {},
    )


def change_of(entry: Any) -> Change:  # noqa: ANN401 - decoded JSON
    """A difference, from lakeFS's `Diff`."""
    kind = ChangeKind(entry["type"])
    # Of what the right side removed, `right` says what the left side has (seen in 1.84).
    is_told = kind in {ChangeKind.ADDED, ChangeKind.CHANGED} and "right" in entry
    checksum = entry["right"]["checksum"] if is_told else None
    return Change(path=entry["path"], kind=kind, checksum=checksum)


def named_commit_of(entry: Any) -> tuple[str, CommitId]:  # noqa: ANN401 - decoded JSON
    """A branch or tag with its commit, from lakeFS's `Ref`."""
    return entry["id"], CommitId(entry["commit_id"])
