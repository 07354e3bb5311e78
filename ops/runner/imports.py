"""`data import`: pictures of a bucket into main where they lie, through a branch and a merge.

Owns the order: look at everything, refuse or go on, name the objects to lakeFS on a branch called
by what is imported, see that lakeFS can read them, commit, merge. Copies no bytes, replaces
nothing that is there, and never writes to main directly; an interrupted import goes on. What may be
taken is decided in ops/core/sources.py, what a picture is in ops/media.py.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ops.bucket_port import Bucket
from ops.core.buckets import SCHEME, Address, BucketFacts
from ops.core.names import MEDIA_PREFIX, media_path
from ops.core.records import CommitId, Json, TaskKey
from ops.core.sources import (
    ACCEPTABLE,
    REMEDIES,
    Candidate,
    Refusal,
    Why,
    is_hidden,
    key_of,
    refusals,
    told,
)
from ops.errors import ConflictError, DeniedError, InternalError, NotFoundError, RefusedError
from ops.in_place import LakeInPlace, Loss, Placed
from ops.media import Ignored, Picture, read_beginning, read_picture
from ops.ports import StoredObject
from ops.runner.context import Context, main_head
from ops.runner.publish import publish

BEGINNINGS_BYTES = (64 * 2**10, 2**20, 16 * 2**20)
"""How much of an object is read to see what picture it is: more only where that did not tell."""

_MOST_PROBED = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did, or would do.

    Attributes:
        added, unchanged: task keys.
        unhashed: those of `added` whose SHA-256 is not known: only their beginning was read.
        accepted: those of `added` that somebody said to keep from changing.
        ignored: objects that are no pictures, by name, with the reason.
        commit: main's new head; None where there was nothing to add or with a dry run.
    """

    source: str
    added: tuple[TaskKey, ...]
    unchanged: tuple[TaskKey, ...]
    unhashed: tuple[TaskKey, ...]
    accepted: tuple[Refusal, ...]
    ignored: tuple[Ignored, ...]
    commit: CommitId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A picture in the bucket."""

    source: Candidate
    picture: Picture

    def placed(self, bucket: str) -> Placed:
        """As lakeFS is told of it."""
        found = self.source.object
        return Placed(
            path=media_path(self.source.key),
            address=str(Address(bucket=bucket, name=found.name)),
            checksum=found.md5 or "",
            size_bytes=found.size_bytes,
            content_type=self.picture.content_type,
            metadata=self.picture.metadata,
        )


def import_media(
    context: Context,
    address: Address,
    *,
    prefix: str = "",
    accept_mutable: bool = False,
    whole: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Bring the pictures at an address, and below it, into main without copying them.

    Cost: one request a 1 000 objects to the bucket and one for its settings, one a new object for
    its first 64 KiB (of some formats up to 16 MiB; with `whole`, all of it); one a 1 000 pictures
    to lakeFS, one a new picture, and at most 40 more. Memory: 1 KB a new picture. Repeatable:
    pictures that are there are left alone.

    Args:
        context: the servers.
        address: an object, or a folder with everything below it.
        prefix: put before each key.
        accept_mutable: somebody sees to it that the objects are not overwritten or deleted.
        whole: read every picture whole, which finds damaged ones and gives their SHA-256.
        dry_run: say what would be done.

    Raises:
        NotFoundError: there is no such bucket or object, or the repository is not set up.
        RefusedError: an object cannot be taken where it lies, or the repository is stored
            elsewhere than in Google Cloud Storage.
        ConflictError: a picture of that key is there with other bytes.
        DeniedError: the bucket cannot be read, by us or by lakeFS.
    """
    return _Import(context, address, prefix, accept_mutable=accept_mutable).run(
        whole=whole, dry_run=dry_run
    )


class _Import:
    """One run of an import."""

    def __init__(
        self, context: Context, address: Address, prefix: str, *, accept_mutable: bool
    ) -> None:
        if context.in_place is None or context.open_bucket is None:
            raise InternalError(
                "no-bucket-access",
                "this command was not given a bucket to ask",
                unchanged="nothing was read or written",
                hint="report this as a bug",
            )
        self._context, self._address, self._prefix = context, address, prefix
        self._accept_mutable = accept_mutable
        self._lake: LakeInPlace = context.in_place
        self._bucket: Bucket = context.open_bucket(address.bucket)

    def run(self, *, whole: bool, dry_run: bool) -> Imported:
        head = main_head(self._lake)
        self._check_namespace()
        facts = self._bucket.facts()
        sources = self._sources()
        there = {found.path: found for found in self._lake.list_objects(head, MEDIA_PREFIX)}
        hidden = [one for one in sources if is_hidden(one.key)]
        ours = [one for one in sources if not is_hidden(one.key)]
        new = [one for one in ours if not _is_there(one, there)]
        seen, ignored, refused = self._look(new, whole=whole)
        refused += self._refusals(seen, facts, there)
        accepted = [one for one in refused if self._accept_mutable and one.why in ACCEPTABLE]
        self._refuse([one for one in refused if one not in accepted])
        commit = None
        if seen and not dry_run:
            commit = self._place(head, new, seen, accepted)
        return Imported(
            source=str(self._address),
            added=tuple(sorted(one.source.key for one in seen)),
            unchanged=tuple(sorted(one.key for one in ours if _is_there(one, there))),
            unhashed=tuple(sorted(one.source.key for one in seen if one.picture.sha256 is None)),
            accepted=tuple(accepted),
            ignored=(*ignored, *(_passed_over(one) for one in hidden)),
            commit=commit,
        )

    def _check_namespace(self) -> None:
        """See that lakeFS can read a bucket at all, and is not asked to take its own objects.

        Raises:
            RefusedError: neither is so.
        """
        own = self._lake.namespace().rstrip("/") + "/"
        if not own.startswith(SCHEME):
            raise RefusedError(
                "not-in-a-bucket",
                f"repository {self._lake.repository} is stored at {own}, not in a bucket, so "
                "lakeFS cannot read one for it",
                subject=self._lake.repository,
                unchanged="nothing was read or written",
                hint="fetch the pictures, and add copies: ops data add PATH\n"
                "or import into a repository whose storage_namespace is gs://…",
            )
        asked = str(self._address)
        if asked.startswith(own) or own.startswith(asked.rstrip("/") + "/"):
            raise RefusedError(
                "own-storage",
                f"{asked} holds what lakeFS stores itself, at {own}",
                subject=asked,
                unchanged="nothing was read or written",
                hint=f"name the folder of the pictures: {SCHEME}{self._address.bucket}/FOLDER/",
            )

    def _sources(self) -> Sequence[Candidate]:
        """The objects at the address and below it, by name.

        Raises:
            NotFoundError: there are none.
        """
        name = self._address.name
        with self._context.reporter.phase("listing the bucket") as phase:
            found = None if not name or name.endswith("/") else self._bucket.find(name)
            folder = name if not name or name.endswith("/") else f"{name}/"
            if found is not None:
                folder, objects = name[: name.rfind("/") + 1], iter([found])
            else:
                objects = self._bucket.objects(folder)
            sources: list[Candidate] = []
            for one in objects:
                sources.append(Candidate(key=key_of(one.name, folder, self._prefix), object=one))
                phase.advance()
        if sources:
            return sources
        raise NotFoundError(
            "no-objects",
            f"there is no object at {self._address}, and none below it",
            subject=str(self._address),
            unchanged="nothing was read or written",
            hint=f"see what there is: gcloud storage ls {SCHEME}{self._address.bucket}",
        )

    def _look(
        self, sources: Sequence[Candidate], *, whole: bool
    ) -> tuple[list[_Seen], list[Ignored], list[Refusal]]:
        """What pictures they are, as far as reading their beginnings tells."""
        seen: list[_Seen] = []
        ignored: list[Ignored] = []
        refused: list[Refusal] = []
        with self._context.reporter.phase("looking at pictures", len(sources)) as phase:
            for source, found in self._pictures(sources, whole=whole):
                if isinstance(found, Picture):
                    seen.append(_Seen(source=source, picture=found))
                elif isinstance(found, Ignored):
                    ignored.append(found)
                else:
                    refused.append(found)
                phase.advance()
        return sorted(seen, key=lambda one: one.source.key), ignored, refused

    def _pictures(
        self, sources: Sequence[Candidate], *, whole: bool
    ) -> Iterator[tuple[Candidate, Picture | Ignored | Refusal]]:
        largest = max((one.object.size_bytes for one in sources), default=0)
        sizes = (max(largest, 1),) if whole else BEGINNINGS_BYTES
        open_ones = list(sources)
        for size_bytes in sizes:
            unsure: list[Candidate] = []
            for source, data in self._beginnings(open_ones, size_bytes):
                found = _judged(source, data)
                if found is None:
                    unsure.append(source)
                else:
                    yield source, found
            open_ones = unsure
        said = f"shows no picture in its first {BEGINNINGS_BYTES[-1] // 2**20} MiB"
        yield from ((one, Ignored(name=one.object.name, reason=said)) for one in open_ones)

    def _beginnings(
        self, sources: Sequence[Candidate], size_bytes: int
    ) -> Iterator[tuple[Candidate, bytes | None]]:
        given = self._bucket.beginnings((one.object for one in sources), size_bytes)
        for source, (_, data) in zip(sources, given, strict=True):
            yield source, data

    def _refusals(
        self, seen: Iterable[_Seen], facts: BucketFacts, there: Mapping[str, StoredObject]
    ) -> list[Refusal]:
        now = self._context.now()
        found: list[Refusal] = []
        for one in seen:
            source, digests = one.source, [one.picture.sha256] if one.picture.sha256 else []
            found += refusals(source, facts, now=now, digests=digests)
            if media_path(source.key) in there:
                reason = f"would be task {source.key}, which has other bytes"
                found.append(Refusal(source=source, why=Why.TAKEN, reason=reason))
        return found

    def _refuse(self, refused: Sequence[Refusal]) -> None:
        """Refuse all of it where one cannot be taken: half an import is found by nobody.

        Raises:
            ConflictError: a key is taken by other bytes, and that is all.
            RefusedError: objects cannot be taken where they lie.
        """
        if not refused:
            return
        whys = {one.why for one in refused}
        count = len({one.source.key for one in refused})
        bucket = self._address.bucket
        hints = [REMEDIES[why].format(bucket=bucket) for why in Why if why in whys]
        details: list[Json] = [
            {"name": one.source.object.name, "why": one.why.value, "reason": one.reason}
            for one in refused
        ]
        hint = "\n".join(dict.fromkeys(chain.from_iterable(h.splitlines() for h in hints)))
        subject, where = refused[0].source.object.name, told(refused)
        if whys == {Why.TAKEN}:
            raise ConflictError(
                "image-exists",
                f"{count} images are there already with other bytes",
                subject=subject,
                where=where,
                unchanged="nothing was imported",
                hint=hint,
                details={"refused": details},
            )
        raise RefusedError(
            "cannot-take-in-place",
            f"{count} objects cannot be taken where they lie",
            subject=subject,
            where=where,
            unchanged="nothing was imported",
            hint=hint,
            details={"refused": details},
        )

    def _place(
        self,
        head: CommitId,
        new: Sequence[Candidate],
        seen: Sequence[_Seen],
        accepted: Sequence[Refusal],
    ) -> CommitId | None:
        lake = self._lake
        listed = "".join(f"{one.key}\t{one.object.generation}\n" for one in new)
        branch = "data-" + hashlib.sha256(f"{self._address}\n{listed}".encode()).hexdigest()[:12]
        # From the commit that was compared with: what comes onto main meanwhile is a conflict.
        lake.create_branch(branch, head)
        staged = {one.path: one for one in lake.placed(branch, MEDIA_PREFIX)}
        placed = [one.placed(self._address.bucket) for one in seen]
        with self._context.reporter.phase("naming pictures to lakeFS", len(placed)) as phase:
            left = [one for one in placed if staged.get(one.path) != one]
            phase.advance(len(placed) - len(left))
            lake.place_many(branch, left, done=lambda _: phase.advance())
        self._probe(branch, placed)
        message = f"Import {len(placed)} images in place from {self._address}"
        facts: dict[str, str | int] = {"images": len(placed), "source": str(self._address)}
        if accepted:
            facts["accepted_mutable"] = len({one.source.key for one in accepted})
        metadata = self._context.metadata("data-import", **facts)
        lake.commit(branch, message, metadata)
        commit = publish(self._context, branch, onto=None, message=message, metadata=metadata)
        lake.delete_branch(branch)
        return commit

    def _probe(self, branch: str, placed: Sequence[Placed]) -> None:
        """See that lakeFS's own account can read what it was told of, by some of them.

        Raises:
            DeniedError: it may not.
            RefusedError: some are gone already.
        """
        step = -(-len(placed) // _MOST_PROBED)
        paths = [one.path for one in placed[::step]]
        # The first by itself: where lakeFS may read nothing of the bucket, one request finds it,
        # and the same object is named whenever it is tried.
        groups = (paths[:1], paths[1:])
        try:
            lost = next((one for asked in groups for one in self._lake.losses(branch, asked)), None)
        except DeniedError:
            self._lake.delete_branch(branch)
            raise
        if lost is None:
            return
        self._lake.delete_branch(branch)
        path, loss = lost
        raise RefusedError(
            "source-unstable",
            f"{path} is {_LOST[loss]} since the bucket was listed",
            subject=path,
            unchanged="nothing was imported",
            hint=REMEDIES[Why.CHANGED],
        )


_LOST = {Loss.GONE: "gone from the bucket", Loss.CUT: "overwritten in the bucket"}


def _is_there(source: Candidate, there: Mapping[str, StoredObject]) -> bool:
    """Whether a picture of that key has these bytes: lakeFS's checksum is their md5."""
    found = there.get(media_path(source.key))
    return (
        found is not None
        and found.checksum == source.object.md5
        and found.size_bytes == source.object.size_bytes
    )


def _passed_over(source: Candidate) -> Ignored:
    is_mark = source.object.name.endswith("/")
    reason = "is a folder's mark" if is_mark else "is hidden: a part of its name begins with a dot"
    return Ignored(name=source.object.name, reason=reason)


def _judged(source: Candidate, data: bytes | None) -> Picture | Ignored | Refusal | None:
    """What an object is by its first bytes; None where more are needed."""
    found, name = source.object, source.object.name
    if data is None:
        reason = "was overwritten or deleted while it was looked at"
        return Refusal(source=source, why=Why.CHANGED, reason=reason)
    if len(data) < found.size_bytes:
        return read_beginning(name, data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found.md5 is not None and md5 != found.md5:
        reason = "has other bytes than the bucket's listing says"
        return Refusal(source=source, why=Why.CHANGED, reason=reason)
    return read_picture(name, data)
