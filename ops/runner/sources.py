"""Pictures whose bytes lie in a bucket: whether they are still those that were imported.

lakeFS holds their names and checksums, and reads whatever lies there now. Owns how that is found
out: by the bucket's own listing, which tells every change; where the bucket cannot be asked, by
lakeFS, which notices bytes that are gone or fewer. Mends nothing: the bytes are not ops's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ops.bucket_port import OpenBucket
from ops.core.buckets import Address, parse_address
from ops.core.names import MEDIA_PREFIX
from ops.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from ops.in_place import Loss, Placed
from ops.runner.context import Context, sample_of


class Fate(StrEnum):
    """What has become of a picture's bytes."""

    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A picture whose bytes are not those that were imported."""

    picture: Placed
    fate: Fate

    @property
    def message(self) -> str:
        """What is wrong, in one line."""
        what = "is gone" if self.fate is Fate.GONE else "has other bytes than were imported"
        return f"{self.picture.path} {what}: {self.picture.address}"

    @property
    def remedy(self) -> str:
        """How its bytes are had back, where the bucket keeps old generations."""
        address = self.picture.address
        return (
            f"find the generation of before: gcloud storage ls --all-versions --full {address}\n"
            f"and put it back: gcloud storage cp {address}#GENERATION {address}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What was found.

    Attributes:
        count: pictures in place that were looked at.
        stale: those that are not what they were, by path.
        unasked: buckets that could not be asked, with the reason; of what lies there, lakeFS was
            asked whether it is there.
    """

    count: int
    stale: Sequence[Stale]
    unasked: Mapping[str, str]


def look_at_sources(
    context: Context,
    ref: str,
    *,
    among: Iterable[str] | None = None,
    most_probed: int | None = None,
) -> SourceReport:
    """Compare the pictures at a ref that lie in buckets with what lies there.

    Cost: one request a 1 000 pictures; to the bucket, one a folder and one a 1 000 objects; where
    it cannot be asked, one to lakeFS a picture. One request where the repository is in no bucket,
    none where nothing can tell.

    Args:
        context: the servers.
        ref: where.
        among: the paths that matter; None for all.
        most_probed: how many pictures lakeFS is asked about at most, evenly chosen; None for all.
    """
    if context.in_place is None:
        return SourceReport(count=0, stale=(), unasked={})
    wanted = None if among is None else set(among)
    placed = [
        one
        for one in context.in_place.placed(ref, MEDIA_PREFIX)
        if wanted is None or one.path in wanted
    ]
    stale: list[Stale] = []
    unasked: dict[str, str] = {}
    for bucket, pictures in _by_bucket(placed).items():
        try:
            stale += _compared(context.open_bucket, bucket, pictures)
        except (DeniedError, UnavailableError) as error:
            unasked[bucket] = error.message
            step = 1 if most_probed is None else -(-len(pictures) // most_probed)
            stale += _probed(context, ref, pictures[::step])
    stale.sort(key=lambda one: one.picture.path)
    return SourceReport(count=len(placed), stale=stale, unasked=unasked)


def refuse_stale(context: Context, ref: str, paths: Sequence[str]) -> None:
    """Let nobody label pictures whose bytes are not those that were imported.

    Cost: as look_at_sources.

    Raises:
        RefusedError: there are such among the paths.
    """
    report = look_at_sources(context, ref, among=paths)
    for bucket, reason in report.unasked.items():
        context.reporter.note(
            f"bucket {bucket} was not asked whether pictures changed ({reason}); "
            "lakeFS was asked whether they are there"
        )
    if not report.stale:
        return
    first = report.stale[0]
    raise RefusedError(
        "pictures-stale",
        f"{len(report.stale)} of {report.count} pictures in a bucket are not what was imported",
        subject=first.picture.path,
        where=(("pictures", sample_of([one.message for one in report.stale])),),
        unchanged="nothing was written",
        hint=f"{first.remedy}\nor leave them out: name the round's tasks with --tasks FILE",
    )


def _by_bucket(placed: Iterable[Placed]) -> Mapping[str, Sequence[Placed]]:
    found: dict[str, list[Placed]] = {}
    for one in placed:
        found.setdefault(parse_address(one.address).bucket, []).append(one)
    return found


def _compared(
    open_bucket: OpenBucket | None, name: str, pictures: Sequence[Placed]
) -> Sequence[Stale]:
    """What the bucket's listing says.

    Raises:
        UnavailableError: nobody can ask it, or it does not answer.
        DeniedError: it may not be listed.
    """
    if open_bucket is None:
        raise UnavailableError(
            "bucket-not-asked",
            "this command asks no bucket",
            subject=name,
            unchanged="nothing was read or written",
            hint="ops dataset verify",
        )
    bucket = open_bucket(name)
    folders: dict[str, list[Placed]] = {}
    for one in pictures:
        folder = _name(one)[: _name(one).rfind("/") + 1]
        folders.setdefault(folder, []).append(one)
    there: dict[str, str | None] = {}
    try:
        for folder, those in folders.items():
            names = sorted(_name(one) for one in those)
            listed = bucket.objects(folder, first=names[0], last=names[-1])
            there |= {found.name: found.md5 for found in listed}
    except NotFoundError:
        there = {}
    return [
        Stale(picture=one, fate=Fate.CHANGED if _name(one) in there else Fate.GONE)
        for one in pictures
        if there.get(_name(one)) != one.checksum
    ]


def _name(picture: Placed) -> str:
    address: Address = parse_address(picture.address)
    return address.name


def _probed(context: Context, ref: str, pictures: Sequence[Placed]) -> Iterator[Stale]:
    """What lakeFS says of their last bytes."""
    assert context.in_place is not None, "it listed them"  # noqa: S101
    by_path = {one.path: one for one in pictures}
    for path, loss in context.in_place.losses(ref, list(by_path)):
        fate = Fate.GONE if loss is Loss.GONE else Fate.CHANGED
        yield Stale(picture=by_path[path], fate=fate)
