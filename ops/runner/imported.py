"""What an import put before a round's annotators, as the round's branch has it.

Owns that object: writing it once, reading it strictly. Does not read people's files
(import_labels.py), nor decide what became of the annotations (answers.py).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.core.canonical import content
from ops.core.import_list import decode_import, import_digest
from ops.core.names import import_path, round_branch
from ops.core.records import CommitId, Record, TaskKey
from ops.core.rounds import Manifest
from ops.core.task_list import RoundTask
from ops.errors import InvalidDataError, RefusedError
from ops.ports import Lake, Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import brings into a round.

    Attributes:
        tasks: the round's tasks.
        data: `rounds/<round>.import.jsonl`.
    """

    tasks: Sequence[RoundTask]
    data: bytes


Bring = Callable[[CommitId], Brought]
"""Gives what an import brings at a commit of main; the same commit, the same tasks."""


def read_import(lake: Lake, ref: str, manifest: Manifest) -> Mapping[TaskKey, Record]:
    """What an import put before a round's annotators, by key; nothing where none did. One request.

    Raises:
        InvalidDataError: it is missing, or not the one the manifest names.
    """
    if manifest.import_digest is None:
        return {}
    path = import_path(manifest.name)
    data = lake.read(ref, path)
    if data is not None and import_digest(data) == manifest.import_digest:
        return {record.task.key: record for record in decode_import(data, manifest.name)}
    raise InvalidDataError(
        "import-list",
        f"what round {manifest.name} imported is not what its manifest names",
        subject=path,
        where=(("path", path), ("ref", ref)),
        unchanged="nothing was written",
        hint=f"see who changed it in the history of branch {round_branch(manifest.name)}",
    )


def write_import(lake: Lake, name: str, data: bytes) -> str:
    """Write what an import brings, and give the digest of what lies there. Up to two requests.

    What an interrupted run wrote stays: the same annotations, with that run's times.

    Raises:
        RefusedError: another import lies there.
    """
    branch, upload = round_branch(name), Upload(path=import_path(name), data=data)
    if not lake.write_if_absent(branch, upload):
        there = lake.read(branch, upload.path) or data
        refuse_other_import(name, there, data)
        data = there
    return import_digest(data)


def refuse_begun_import(lake: Lake, name: str) -> None:
    """Refuse where a killed import has left no manifest yet: importing goes on with it.

    Raises:
        RefusedError: it has.
    """
    if lake.read(round_branch(name), import_path(name)) is not None:
        raise RefusedError(
            "import-begun",
            f"an import into round {name} was interrupted",
            subject=name,
            unchanged="nothing was written",
            hint="go on with it by the same ops import command as before\n"
            "or take another name for this round",
        )


def refuse_other_import(name: str, there: bytes, asked: bytes) -> None:
    """Refuse where a round holds another import than is asked for; times do not count.

    Raises:
        RefusedError: it does.
        InvalidDataError: what is there is no import.
    """
    if said_of(decode_import(there, name)) != said_of(decode_import(asked, name)):
        raise RefusedError(
            "round-exists",
            f"round {name} reviews another import",
            subject=name,
            unchanged="the round is as it was",
            hint=f"go on with it: ops round start {name}\nor import into a round of another name",
        )


def said_of(records: Iterable[Record]) -> Mapping[str, tuple[TaskKey, str, bytes]]:
    """What an import says, by the identity of each annotation: task, annotator and content."""
    return {
        one.unique_id: (record.task.key, one.annotator, content(one))
        for record in records
        for one in record.annotations
    }
