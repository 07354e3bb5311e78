"""What an import put before a round's annotators, as the round's branch has it.

Owns that object: writing it once, reading it strictly. Does not read people's files
(import_labels.py), nor decide what became of the annotations (answers.py).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops.core.canonical import content, decode_record
from ops.core.import_list import decode_import, import_digest
from ops.core.names import (
    IMPORT_SUFFIX,
    MANIFEST_PREFIX,
    branch_round,
    import_path,
    round_branch,
)
from ops.core.records import Annotation, CommitId, Record, TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.task_list import RoundTask
from ops.errors import InvalidDataError, RefusedError
from ops.ports import Lake, Upload
from ops.runner.context import Context, branch_manifest, read_manifest, read_tasks
from ops.runner.every_record import every_record


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
        refuse_other_import(name, there, _by_key(decode_import(data, name)))
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


def refuse_other_import(
    name: str, there: bytes, asked: Iterable[tuple[TaskKey, Sequence[Annotation]]]
) -> None:
    """Refuse where a round holds another import than is asked for; times do not count.

    Raises:
        RefusedError: it does.
        InvalidDataError: what is there is no import.
    """
    if _said(_by_key(decode_import(there, name))) != _said(asked):
        raise RefusedError(
            "round-exists",
            f"round {name} reviews another import",
            subject=name,
            unchanged="the round is as it was",
            hint=f"go on with it: ops round start {name}\nor import into a round of another name",
        )


def _by_key(records: Iterable[Record]) -> Iterator[tuple[TaskKey, Sequence[Annotation]]]:
    return ((record.task.key, record.annotations) for record in records)


def _said(
    found: Iterable[tuple[TaskKey, Sequence[Annotation]]],
) -> Mapping[tuple[TaskKey, str], bytes]:
    return {(key, one.unique_id): content(one) for key, said in found for one in said}


@dataclass(slots=True, kw_only=True)
class Known:
    """An annotation that is there already.

    Attributes:
        created_at: when it was made.
        contents: what it says on main, and said when it was imported.
    """

    created_at: str
    contents: set[bytes]


def said_before(
    context: Context, base: CommitId, keys: Container[TaskKey], *, but: str
) -> Mapping[tuple[TaskKey, str], Known]:
    """What is there of some tasks: main's annotations, and every import's, by task and identity.

    Cost: two listings, three reads an earlier import or open round, and one a record that the
    snapshot lacks. What people made of an import does not hide what it brought.

    Args:
        context: the servers.
        base: the commit of main that counts.
        keys: the tasks.
        but: a round that is left out while it is open.
    """
    known: dict[tuple[TaskKey, str], Known] = {}
    lake = context.lake
    stored = {
        key: decode_record(data, key=key) for key, data in every_record(lake, base) if key in keys
    }
    _note(known, stored.values(), stored)
    listed = [found.path for found in lake.list_objects(base, MANIFEST_PREFIX)]
    for path in listed:
        if path.endswith(IMPORT_SUFFIX):
            # What was dropped from the round, or never came to a record, is not there.
            name = path.removeprefix(MANIFEST_PREFIX).removesuffix(IMPORT_SUFFIX)
            _note(known, _reviewed(lake, base, name), stored)
    for branch, _ in lake.branches(round_branch("")):
        name = branch_round(branch)
        manifest = branch_manifest(lake, name) if name and name != but else None
        if manifest is not None and manifest.state in {RoundState.STARTING, RoundState.OPEN}:
            _note(known, _reviewed(lake, branch, manifest.name), keys)
    return known


def _reviewed(lake: Lake, ref: str, name: str) -> Iterator[Record]:
    """What a round's import brought of the tasks the round has at a ref. Up to three requests."""
    manifest = read_manifest(lake, ref, name)
    if manifest is not None and manifest.import_digest is not None:
        tasks = read_tasks(lake, ref, manifest)
        found = read_import(lake, ref, manifest)
        yield from (record for key, record in found.items() if key in tasks)


def _note(
    known: dict[tuple[TaskKey, str], Known], records: Iterable[Record], keys: Container[TaskKey]
) -> None:
    for record in records:
        for one in record.annotations if record.task.key in keys else ():
            place = record.task.key, one.unique_id
            entry = known.setdefault(place, Known(created_at=one.created_at, contents=set()))
            entry.created_at = min(entry.created_at, one.created_at)
            entry.contents.add(content(one))
