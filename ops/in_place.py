"""Objects of a repository whose bytes lie in a bucket where they lay before: the port for them.

Owns what an import needs of lakeFS beside ops/ports.py: to name bytes that are there already, and
to tell whether they still are. `ops/lake/in_place.py` implements it on the real server,
`tests/fakes/in_place.py` in memory; tests/contract/test_in_place.py holds both to the same suite.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ops.ports import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One object whose bytes lie elsewhere.

    Attributes:
        path: in the repository.
        address: of the bytes, as `gs://bucket/name`.
        checksum: their md5 in hex.
    """

    path: str
    address: str
    checksum: str
    size_bytes: int
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class Loss(StrEnum):
    """What has become of bytes that lie elsewhere, as far as reading them tells."""

    GONE = "gone"
    CUT = "cut"
    """Fewer than there were: other bytes."""


class LakeInPlace(Lake, Protocol):
    """One lakeFS repository, and its objects whose bytes lie elsewhere."""

    def namespace(self) -> str:
        """Where lakeFS stores the repository's own bytes, as `gs://bucket/prefix`.

        One request, once.

        Raises:
            NotFoundError: there is no such repository.
        """
        ...

    def placed(self, ref: str, prefix: str = "") -> Iterator[Placed]:
        """The objects below a prefix whose bytes lie in a bucket, outside the namespace, by path.

        One request a 1 000 objects of any kind, lazily; none where the namespace is in no bucket.

        Raises:
            NotFoundError: there is no such ref.
        """
        ...

    def place_many(
        self,
        branch: str,
        objects: Iterable[Placed],
        *,
        done: Callable[[Placed], None] | None = None,
    ) -> int:
        """Stage objects whose bytes lie elsewhere, and give their number; copies nothing.

        One request an object, at least 25 in flight, in flat memory; repeatable. Nothing is asked
        of the bucket: whether the bytes can be read shows when they are. An upload of the same
        bytes, content type and metadata is the same object. `done` is called on the caller's thread
        for each object that is staged.

        Raises:
            InvalidDataError: no object can have that path.
            ConfigurationError: lakeFS's storage is of another kind than the address.
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
        """
        ...

    def losses(self, ref: str, paths: Sequence[str]) -> Iterator[tuple[str, Loss]]:
        """Those of the objects, none of them empty, whose last byte cannot be had, and why.

        One request an object, at least 25 in flight, lazily; one byte of each is read. Other bytes
        of the same length or more are not noticed.

        Raises:
            NotFoundError: there is no such object.
            DeniedError: lakeFS may not read the bucket.
        """
        ...
