"""Every record of one commit of main, at the price of a few.

Owns where the bytes come from: the snapshot in the commit where the listing shows the checksum it
states, else the object itself. Decodes nothing and writes nothing.
"""

from collections.abc import Iterator

from ops.core.names import RECORD_PREFIX, TASKS_PARQUET, record_key
from ops.core.records import CommitId, TaskKey
from ops.ports import Lake


def every_record(lake: Lake, commit: CommitId) -> Iterator[tuple[TaskKey, bytes]]:
    """Each record's bytes, by path, lazily.

    One listing, one read, and one more a record that the commit's snapshot does not hold.

    Raises:
        InvalidDataError: the snapshot is no such file.
    """
    listed = {one.path: one.checksum for one in lake.list_objects(commit, RECORD_PREFIX)}
    packed = _packed(lake, commit) if listed else {}
    at_hand = {
        path: packed[record_key(path), checksum]
        for path, checksum in listed.items()
        if (record_key(path), checksum) in packed
    }
    away = lake.read_many(commit, [path for path in listed if path not in at_hand])
    for path in listed:
        yield record_key(path), at_hand[path] if path in at_hand else next(away)[1]


def _packed(lake: Lake, commit: CommitId) -> dict[tuple[TaskKey, str], bytes]:
    from ops.parquet import read_tasks

    data = lake.read(commit, TASKS_PARQUET)
    return {(one.key, one.checksum): one.data for one in read_tasks(data)} if data else {}
