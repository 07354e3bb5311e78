"""`dataset diff` and `round diff`: what people say differently at two refs.

Owns where the records that differ are read. Counting them is ops/core/diff.py's.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
)
from ops.core.records import CommitId, Json, Record
from ops.core.snapshot import record_checksum
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import ChangeKind, Lake
from ops.runner.context import Context
from ops.runner.dataset import resolve

FEW = 300
"""Up to so many changes are read one by one, 1 000 a second.

Beyond, listings and snapshots cost less: 0.5 s for two sides of 10 000 records.
"""


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

    One request a 1 000 changes, and two a change where they are few; where they are many, a listing
    of each side and a read of its snapshot instead of the changes it holds. Memory: the changed
    records' bytes, 2 KB each.

    Raises:
        NotFoundError: one of the refs does not exist.
        InvalidDataError: an object below `annotations/` is no record.
    """
    # A branch may move between two requests, and its listing shows what is staged as well.
    return _diff(context, resolve(context, left), resolve(context, right))


def _diff(context: Context, left: CommitId, right: CommitId) -> LabelDiff:
    changes = list(context.lake.diff(left, right, RECORD_PREFIX))
    before = [change.path for change in changes if change.kind is not ChangeKind.ADDED]
    after = [change.path for change in changes if change.kind is not ChangeKind.REMOVED]
    stock = _Stock(context)
    if len(changes) > FEW:
        stock.take_packed({left: before, right: after})
    lefts, rights = stock.read(left, before), stock.read(right, after)
    return diff_records(
        (_record(change.path, lefts), _record(change.path, rights)) for change in changes
    )


def _record(path: str, found: Mapping[str, bytes]) -> Record | None:
    return decode_record(found[path], key=record_key(path)) if path in found else None


class _Stock:
    """Records' bytes, taken from snapshots where these hold what a commit lists.

    A snapshot may be older than the commit it is in: a round's branch holds its base's. So a row
    counts for what its bytes are, wherever it lay, and for nothing else.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._listed: dict[CommitId, Mapping[str, str]] = {}
        self._packed: dict[tuple[str, str], bytes] = {}

    def take_packed(self, wanted: Mapping[CommitId, Sequence[str]]) -> None:
        """Look for each commit's records in the snapshots of these commits."""
        lake = self._context.lake
        missing: set[tuple[str, str]] = set()
        for commit, paths in wanted.items():
            listed = {f.path: f.checksum for f in lake.list_objects(commit, RECORD_PREFIX)}
            self._listed[commit] = {path: listed[path] for path in paths}
            missing.update(self._listed[commit].items())
        snapshots = zip(wanted, lake.checksums_at(wanted, TASKS_PARQUET), strict=True)
        distinct = {checksum: commit for commit, checksum in snapshots if checksum is not None}
        for commit in distinct.values():
            self._unpack(lake.read(commit, TASKS_PARQUET), missing)

    def _unpack(self, snapshot: bytes | None, missing: set[tuple[str, str]]) -> None:
        """Take what is missing out of a snapshot."""
        from ops.parquet import read_tasks

        if snapshot is None or not missing:
            return
        # What a damaged one does not give is read object by object.
        with suppress(InvalidDataError):
            for row in read_tasks(snapshot):
                place = (record_path(row.key), row.checksum)
                if place in missing and record_checksum(row.data) == row.checksum:
                    self._packed[place] = row.data
                    missing.discard(place)

    def read(self, commit: CommitId, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The bytes of each path at a commit."""
        listed = self._listed.get(commit, {})
        found: dict[str, bytes] = {}
        away: list[str] = []
        for path in paths:
            data = self._packed.get((path, listed.get(path, "")))
            if data is None:
                away.append(path)
            else:
                found[path] = data
        if away:
            with self._context.reporter.phase("reading records", len(away)) as phase:
                for path, data in self._context.lake.read_many(commit, away):
                    found[path] = data
                    phase.advance()
        return found
