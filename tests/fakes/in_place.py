"""lakeFS in memory with objects whose bytes lie elsewhere: ops.in_place.LakeInPlace.

tests/contract/test_in_place.py holds it to the real server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from ops.core.buckets import SCHEME
from ops.errors import ConfigurationError, NotFoundError
from ops.in_place import Loss, Placed
from ops.lake.objects import check_path
from tests.fakes.lake import FakeLake, refusal, watched
from tests.fakes.lake_state import Entry


class FakeLakeInPlace(FakeLake):
    """One repository on a lakeFS in memory; what lies elsewhere, `server.outside` gives."""

    @watched
    def namespace(self) -> str:
        """Where lakeFS stores the repository's own bytes."""
        return self._state.namespace

    @watched
    def placed(self, ref: str, prefix: str = "") -> Iterator[Placed]:
        """The objects below a prefix whose bytes lie in a bucket, by path."""
        return self._lazily(
            lambda: [
                Placed(
                    path=path,
                    address=entry.address,
                    checksum=entry.checksum,
                    size_bytes=entry.size_bytes,
                    content_type=entry.content_type,
                    metadata=entry.metadata,
                )
                for path, entry in sorted(self._tree(ref).items())
                if entry.address and path.startswith(prefix)
            ]
        )

    @watched
    def place_many(
        self,
        branch: str,
        objects: Iterable[Placed],
        *,
        done: Callable[[Placed], None] | None = None,
    ) -> int:
        """Stage objects whose bytes lie elsewhere, and give their number."""
        count = 0
        for found in objects:
            check_path(found.path)
            if not self._state.namespace.startswith(SCHEME):
                raise refusal(ConfigurationError, "other-storage", found.address)
            self._writable(branch).staged[found.path] = Entry(
                checksum=found.checksum,
                size_bytes=found.size_bytes,
                content_type=found.content_type,
                metadata=dict(found.metadata),
                address=found.address,
            )
            self.stored(found.path)
            count += 1
            if done is not None:
                done(found)
        return count

    @watched
    def losses(self, ref: str, paths: Sequence[str]) -> Iterator[tuple[str, Loss]]:
        """Those of the objects whose last byte cannot be had, and why."""
        return self._lazily(lambda: [*self._losses(ref, paths)])

    def _losses(self, ref: str, paths: Sequence[str]) -> Iterator[tuple[str, Loss]]:
        for path in paths:
            entry = self._tree(ref).get(path)
            if entry is None:
                raise refusal(NotFoundError, "not-in-lakefs", path)
            data = self.server.outside(entry.address) if entry.address else entry.data
            if data is None:
                yield path, Loss.GONE
            elif len(data) < entry.size_bytes:
                yield path, Loss.CUT
