"""`dataset diff` and `round diff`: what people say differently at two refs.

Owns where the records that differ are read. Counting them is ops/core/diff.py's.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import quote

from ops.core.canonical import decode_record
from ops.core.diff import LabelDiff, diff_records
from ops.core.names import (
    MAIN,
    RECORD_PREFIX,
    TASKS_PARQUET,
    check_round_name,
    record_key,
    record_path,
    round_branch,
    version_tag,
)
from ops.core.records import CommitId, Json, Record
from ops.core.snapshot import record_checksum
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import ChangeKind, Lake
from ops.runner.context import Context, read_manifest
from ops.runner.dataset import resolve

FEW = 300
"""Up to so many changes are read one by one, 1 000 a second.

Beyond, snapshots may cost less: 0.3 s for both sides of 10 000 records.
"""

WORTH_A_READ_BYTES = 5_000
"""So many bytes of a snapshot take as long as one object: 1 ms, for 50 records or so."""

_Place: TypeAlias = tuple[str, str]
"""A record's path and the checksum listed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefDiff:
    """The label diff from one ref to another.

    Attributes:
        left, right: the refs as they were given.
        commits: what they named when they were compared.
        url: where the lakeFS UI compares them object by object.
        round: the round whose branch is compared with its base, or None.
    """

    left: str
    right: str
    commits: tuple[CommitId, CommitId]
    labels: LabelDiff
    url: str
    round: str | None = None

    def as_json(self) -> dict[str, Json]:
        """The diff for programs."""
        return {
            **({"round": self.round} if self.round else {}),
            "from": {"ref": self.left, "commit": self.commits[0]},
            "to": {"ref": self.right, "commit": self.commits[1]},
            "url": self.url,
            **self.labels.as_json(),
        }


def ref_diff(context: Context, left: str, right: str) -> RefDiff:
    """The label diff from one ref to another; cost as label_diff.

    Raises:
        NotFoundError: one of the refs does not exist.
    """
    commits = resolve(context, left), resolve(context, right)
    return RefDiff(
        left=left,
        right=right,
        commits=commits,
        labels=_diff(context, *commits),
        url=_compare_url(context.lake, left, right),
    )


def round_diff(context: Context, name: str) -> RefDiff:
    """What a round's branch changes since main was last taken in; cost as label_diff.

    Of a finished round, what its version changed.

    Raises:
        NotFoundError: the round has no branch.
    """
    branch = round_branch(check_round_name(name))
    lake = context.lake
    head = lake.find_commit(branch)
    if head is None:
        raise NotFoundError(
            "no-such-round",
            f"there is no branch {branch}",
            subject=name,
            unchanged="nothing was changed",
            hint="list rounds with: ops round list",
        )
    base = lake.merge_base(head, MAIN)
    manifest = read_manifest(lake, MAIN, name) if base == head else None
    if manifest is not None and manifest.version is not None:
        tag = version_tag(manifest.version)
        return replace(ref_diff(context, f"{tag}~1", tag), round=name)
    return RefDiff(
        left=base[:12],
        right=branch,
        commits=(base, head),
        labels=_diff(context, base, head),
        url=_compare_url(lake, MAIN, branch),
        round=name,
    )


def _compare_url(lake: Lake, left: str, right: str) -> str:
    place = f"{lake.url}/repositories/{quote(lake.repository)}/compare"
    return f"{place}?ref={quote(left, safe='')}&compare={quote(right, safe='')}"


def label_diff(context: Context, left: str, right: str) -> LabelDiff:
    """The label diff from one ref to another, of what is committed there.

    One request a 1 000 changes, and two a change where they are few; where they are many, one more
    a 1 000, and of each side its snapshot instead of the changes it holds. Memory: the changed
    records' bytes, 2 KB each.

    Raises:
        NotFoundError: one of the refs does not exist.
        InvalidDataError: an object below `annotations/` is no record.
    """
    # A branch may move between two requests, and its listing shows what is staged as well.
    return _diff(context, resolve(context, left), resolve(context, right))


def _diff(context: Context, left: CommitId, right: CommitId) -> LabelDiff:
    changes = list(context.lake.diff(left, right, RECORD_PREFIX))
    before = {change.path: "" for change in changes if change.kind is not ChangeKind.ADDED}
    after = {
        change.path: change.checksum or ""
        for change in changes
        if change.kind is not ChangeKind.REMOVED
    }
    packed: Mapping[_Place, bytes] = {}
    if len(changes) > FEW:
        # A comparison tells the checksums of its right side only: so once more, the other way.
        back = context.lake.diff(right, left, RECORD_PREFIX)
        before.update({one.path: one.checksum for one in back if one.checksum is not None})
        packed = _packed(context.lake, (left, right), {*before.items(), *after.items()})
    lefts, rights = (
        _read(context, commit, listed, packed)
        for commit, listed in ((left, before), (right, after))
    )
    return diff_records(
        (_record(change.path, lefts), _record(change.path, rights)) for change in changes
    )


def _record(path: str, found: Mapping[str, bytes]) -> Record | None:
    return decode_record(found[path], key=record_key(path)) if path in found else None


def _packed(
    lake: Lake, commits: Sequence[CommitId], wanted: Collection[_Place]
) -> Mapping[_Place, bytes]:
    """Those of the wanted records that lie in the snapshots of some commits.

    A snapshot may be older than the commit it is in: a round's branch holds its base's. So a row
    counts for what its bytes are, wherever it lay, and for nothing else.
    """
    from ops.parquet import read_tasks

    found: dict[_Place, bytes] = {}
    snapshots: dict[str, CommitId] = {}
    for commit in commits:
        for snapshot in lake.list_objects(commit, TASKS_PARQUET):
            if snapshot.size_bytes <= len(wanted) * WORTH_A_READ_BYTES:
                snapshots[snapshot.checksum] = commit
    for commit in snapshots.values():
        # What a damaged one does not give is read object by object.
        with suppress(InvalidDataError):
            for row in read_tasks(lake.read(commit, TASKS_PARQUET) or b""):
                place = (record_path(row.key), row.checksum)
                if place in wanted and record_checksum(row.data) == row.checksum:
                    found[place] = row.data
    return found


def _read(
    context: Context,
    commit: CommitId,
    listed: Mapping[str, str],
    packed: Mapping[_Place, bytes],
) -> Mapping[str, bytes]:
    """The bytes of each listed record, itself read at the commit where it is not packed."""
    found = {place[0]: packed[place] for place in listed.items() if place in packed}
    away = [path for path in listed if path not in found]
    if away:
        with context.reporter.phase("reading records", len(away)) as phase:
            for path, data in context.lake.read_many(commit, away):
                found[path] = data
                phase.advance()
    return found
