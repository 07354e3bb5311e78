"""lakeFS's S3 gateway in memory: ports.MediaReader over a FakeLake.

tests/contract/test_media_reader.py holds it to the real one.
"""

from collections.abc import Callable, Iterable, Iterator

from ops.ports import MediaReader
from tests.fakes.lake import FakeLake


class FakeGateway:
    """Reads what a FakeLake holds.

    Attributes:
        read: called with each path before it is read; what it raises, the caller gets.
    """

    def __init__(self, lake: FakeLake, read: Callable[[str], None] = lambda _: None) -> None:
        """Read from this lake."""
        self.lake = lake
        self.read = read

    def read_many(
        self, ref: str, paths: Iterable[str], *, workers: int = 32
    ) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes."""
        del workers
        for path in paths:
            yield path, b"".join(self.pieces(ref, path))

    def pieces(self, ref: str, path: str) -> Iterator[bytes]:
        """One object's bytes, in two pieces."""
        self.read(path)
        _, data = next(self.lake.read_many(ref, [path]))
        yield data[:_PIECE]
        yield data[_PIECE:]


_PIECE = 8


def reader_of(lake: FakeLake) -> Callable[[], MediaReader]:
    """What a Context takes to open it."""
    return lambda: FakeGateway(lake)
