"""What the rest of ops needs of a bucket, in the domain's words.

Owns the Protocol; the data that cross it are those of ops/core. `ops/bucket.py` implements it on
Google Cloud Storage, `tests/fakes/bucket.py` in memory; tests/contract/test_bucket.py holds both to
the same suite.

Every method raises DeniedError without credentials or rights, NotFoundError where there is no such
bucket, UnavailableError where it does not answer; what else a method raises it says itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

from ops.core.buckets import BucketFacts, CorsRule
from ops.core.sources import BucketObject


class Bucket(Protocol):
    """One bucket."""

    @property
    def name(self) -> str:
        """Its name, without `gs://`."""
        ...

    def facts(self) -> BucketFacts:
        """How it is set up. One request."""
        ...

    def set_cors(self, rules: Sequence[CorsRule], *, seen: BucketFacts) -> None:
        """Replace its CORS rules. One request; repeatable.

        Raises:
            ConflictError: its settings have changed since they were seen; nothing was written.
        """
        ...

    def find(self, name: str) -> BucketObject | None:
        """The object of that name, or None. One request."""
        ...

    def objects(
        self, prefix: str = "", *, first: str = "", last: str = ""
    ) -> Iterator[BucketObject]:
        """The newest objects whose names begin so, by name, lazily. One request a 1 000.

        Args:
            prefix: how the names begin.
            first: the name to begin with, there or not; empty for the first there is.
            last: the name to end with; empty for the last there is.
        """
        ...

    def beginnings(
        self, objects: Iterable[BucketObject], size_bytes: int
    ) -> Iterator[tuple[BucketObject, bytes | None]]:
        """The first bytes of objects, in their order; None where it is not that object any more.

        One request an object, at least 10 in flight, lazily; no more bytes than asked for are
        fetched. An object shorter than that comes whole.
        """
        ...


OpenBucket: TypeAlias = Callable[[str], Bucket]
"""Gives the bucket of a name; asks it nothing yet."""
