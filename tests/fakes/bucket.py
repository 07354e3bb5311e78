"""A bucket in memory: ops.bucket_port.Bucket with Google Cloud Storage's ways.

tests/contract/test_bucket.py holds it to the real library on the real fake-gcs-server.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from ops.bucket_port import BucketObject
from ops.core.buckets import BucketFacts, CorsRule
from ops.errors import ConflictError, NotFoundError

_GENERATIONS = count(1_795_000_000_000_000)


@dataclass
class FakeBucketServer:
    """Buckets in memory.

    Attributes:
        facts: how each bucket is set up, by name; who is not here does not exist.
        objects: each bucket's objects with their bytes, by name.
        failure: what every request raises, where it is set.
    """

    facts: dict[str, BucketFacts] = field(default_factory=dict[str, BucketFacts])
    objects: dict[str, dict[str, tuple[BucketObject, bytes]]] = field(
        default_factory=dict[str, dict[str, tuple[BucketObject, bytes]]]
    )
    failure: Exception | None = None

    def make(self, name: str) -> None:
        """Make a bucket as Google does where nothing else is said."""
        self.facts[name] = BucketFacts(
            name=name,
            location="US-CENTRAL1",
            location_kind="region",
            storage_class="STANDARD",
            is_versioned=False,
            has_uniform_access=False,
            prevents_public_access=False,
            soft_delete_s=0,
            retention_s=None,
            lifecycle=(),
            cors=(),
            created_at="2026-11-21 12:00 UTC",
            revision=1,
        )
        self.objects[name] = {}

    def put(self, bucket: str, name: str, data: bytes, content_type: str = "image/png") -> None:
        """Write an object, over one of its name."""
        found = BucketObject(
            name=name,
            size_bytes=len(data),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            generation=next(_GENERATIONS),
            content_type=content_type,
        )
        self.objects[bucket][name] = (found, data)

    def remove(self, bucket: str, name: str) -> None:
        """Delete an object."""
        del self.objects[bucket][name]

    def read(self, address: str) -> bytes | None:
        """An object's bytes by its gs:// address; None where it is not there."""
        bucket, _, name = address.removeprefix("gs://").partition("/")
        found = self.objects.get(bucket, {}).get(name)
        return None if found is None else found[1]


class FakeBucket:
    """One bucket of a server in memory."""

    def __init__(self, name: str, server: FakeBucketServer) -> None:
        """Name it; it need not exist."""
        self._name, self._server = name, server

    @property
    def name(self) -> str:
        """Its name, without `gs://`."""
        return self._name

    def facts(self) -> BucketFacts:
        """How it is set up."""
        self._check()
        return self._server.facts[self._name]

    def set_cors(self, rules: Sequence[CorsRule], *, seen: BucketFacts) -> None:
        """Replace its CORS rules."""
        there = self.facts()
        if there.revision != seen.revision:
            raise ConflictError(
                "bucket-changed",
                "somebody changed its settings just now",
                subject=self._name,
                unchanged="the bucket is as they left it",
                hint="run the same command again",
            )
        self._server.facts[self._name] = replace(
            there, cors=tuple(rules), revision=there.revision + 1
        )

    def find(self, name: str) -> BucketObject | None:
        """The object of that name, or None."""
        self._check()
        found = self._server.objects[self._name].get(name)
        return None if found is None else found[0]

    def objects(
        self, prefix: str = "", *, first: str = "", last: str = ""
    ) -> Iterator[BucketObject]:
        """The objects whose names begin so, by name."""
        self._check()
        for name, (found, _) in sorted(self._server.objects[self._name].items()):
            if name.startswith(prefix) and name >= first and (not last or name <= last):
                yield found

    def beginnings(
        self, objects: Iterable[BucketObject], size_bytes: int
    ) -> Iterator[tuple[BucketObject, bytes | None]]:
        """The first bytes of objects, in their order; None where it is not that object any more."""
        for asked in objects:
            self._check()
            found = self._server.objects[self._name].get(asked.name)
            is_it = found is not None and found[0].generation == asked.generation
            yield asked, found[1][:size_bytes] if found and is_it else None

    def _check(self) -> None:
        if self._server.failure is not None:
            raise self._server.failure
        if self._name not in self._server.facts:
            raise NotFoundError(
                "no-bucket",
                f"there is no bucket {self._name}",
                subject=self._name,
                unchanged="nothing was read or written",
                hint="check the name",
            )
