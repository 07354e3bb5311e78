"""`round diff`: what a round's branch changes, as labels.

Reads the records that differ, on both sides; counting them is ops/core/diff.py's.
"""

from dataclasses import dataclass

from ops.core.canonical import decode_record
from ops.core.diff import LabelDiff, diff_records
from ops.core.names import MAIN, RECORD_PREFIX, check_round_name, record_key, round_branch
from ops.core.records import Json, Record
from ops.errors import NotFoundError
from ops.ports import ChangeKind
from ops.runner.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDiff:
    """A round's label diff, and where the lakeFS UI shows it object by object."""

    name: str
    labels: LabelDiff
    url: str

    def as_json(self) -> dict[str, Json]:
        """The diff for programs."""
        return {"round": self.name, "url": self.url, **self.labels.as_json()}

    def lines(self) -> list[str]:
        """The diff for people."""
        return self.labels.lines()


def round_diff(context: Context, name: str) -> RoundDiff:
    """What a round changes since its base. Two requests, one a 1 000 changes and two a change.

    Raises:
        NotFoundError: the round has no branch.
    """
    branch = round_branch(check_round_name(name))
    lake = context.lake
    if lake.find_commit(branch) is None:
        raise NotFoundError(
            "no-such-round",
            f"there is no branch {branch}",
            subject=name,
            unchanged="nothing was changed",
            hint="list rounds with: ops round list",
        )
    base = lake.merge_base(branch, MAIN)
    return RoundDiff(
        name=name,
        labels=label_diff(context, base, branch),
        url=f"{lake.url}/repositories/{lake.repository}/compare?ref={MAIN}&compare={branch}",
    )


def label_diff(context: Context, left: str, right: str) -> LabelDiff:
    """The label diff from one ref to another. One request a 1 000 changes, and two a change.

    Raises:
        NotFoundError: one of the refs does not exist.
    """
    changes = list(context.lake.diff(left, right, RECORD_PREFIX))
    before = [change.path for change in changes if change.kind is not ChangeKind.ADDED]
    after = [change.path for change in changes if change.kind is not ChangeKind.REMOVED]
    lefts, rights = _read(context, left, before), _read(context, right, after)
    paths = (change.path for change in changes)
    return diff_records((lefts.get(path), rights.get(path)) for path in paths)


def _read(context: Context, ref: str, paths: list[str]) -> dict[str, Record]:
    return {
        path: decode_record(data, key=record_key(path))
        for path, data in context.lake.read_many(ref, paths)
    }
