"""What tells whether bytes are those of an object: its digest where one is known, else its size.

Owns which digest counts, and how bytes are held against it. Reads nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Measure(StrEnum):
    """What bytes are held against."""

    SHA256 = "sha256"
    MD5 = "md5"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an object's bytes must be.

    Attributes:
        path: the object's.
        size_bytes: its size.
        measure: the strongest thing known of its bytes.
        digest: in hexadecimal; empty where only the size is known.
    """

    path: str
    size_bytes: int
    measure: Measure
    digest: str = ""

    @classmethod
    def of(cls, path: str, *, size_bytes: int, checksum: str, sha256: str | None) -> "Expected":
        """What a listing says of an object.

        Args:
            path: the object's.
            size_bytes: its size.
            checksum: lakeFS's: the md5 of what was uploaded. What was imported from a bucket may
                have none (a composite object of Google's) or one that is no md5.
            sha256: what ops recorded of a picture when it was added, or None.
        """
        if sha256 and _SHA256.fullmatch(sha256):
            return cls(path=path, size_bytes=size_bytes, measure=Measure.SHA256, digest=sha256)
        if _MD5.fullmatch(checksum):
            return cls(path=path, size_bytes=size_bytes, measure=Measure.MD5, digest=checksum)
        return cls(path=path, size_bytes=size_bytes, measure=Measure.SIZE)

    @property
    def name(self) -> str | None:
        """A name for these bytes, the same wherever they are; None where the size is all."""
        if self.measure is Measure.SIZE:
            return None
        return f"{self.measure.value}/{self.digest[:2]}/{self.digest}-{self.size_bytes}"


class Fingerprint:
    """Bytes as they come, held against what they must be."""

    def __init__(self, expected: Expected) -> None:
        """Begin with none."""
        self._expected = expected
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if expected.measure is Measure.MD5 else None
        self._size_bytes = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Take the next piece."""
        self._sha256.update(piece)
        self._size_bytes += len(piece)
        if self._md5 is not None:
            self._md5.update(piece)

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass pieces on, and take each."""
        for piece in pieces:
            self.add(piece)
            yield piece

    @property
    def sha256(self) -> str:
        """Of what came, in hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def problem(self) -> str | None:
        """What is wrong with the bytes that came, or None."""
        wanted = self._expected
        if self._size_bytes != wanted.size_bytes:
            return f"has {self._size_bytes} bytes where {wanted.size_bytes} were stored"
        if wanted.measure is Measure.SIZE:
            return None
        digest = self.sha256 if self._md5 is None else self._md5.hexdigest()
        if digest != wanted.digest:
            return f"has the {wanted.measure.value} {digest} where {wanted.digest} was stored"
        return None
