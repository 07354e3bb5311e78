"""Pictures' vectors once made, kept on this machine by the picture's bytes and the model's.

Owns the layout of that cache, and that nothing damaged leaves it. Its directory may be removed at
any time; a cache that cannot be written is none.
"""

import hashlib
import os
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_DIGEST_BYTES = 32


class VectorCache:
    """Vectors of one model; several processes may share it."""

    def __init__(self, root: Path | None, model: str) -> None:
        """Make ready; touches no file.

        Args:
            root: the cache directory, or None for no cache.
            model: what tells the model from others.
        """
        self._root = None if root is None else root / "vectors" / model[:16]

    def find(self, name: str) -> Sequence[float] | None:
        """The vector kept by a name, or None; a damaged one is none."""
        if self._root is None:
            return None
        try:
            data = self._path(self._root, name).read_bytes()
        except OSError:
            return None
        digest, values = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if not values or hashlib.sha256(values).digest() != digest:
            return None
        return array("f", values).tolist()

    def keep(self, name: str, vector: Sequence[float]) -> None:
        """Keep a vector of 32-bit numbers; a cache that cannot be written is passed over."""
        if self._root is None:
            return
        values = array("f", vector).tobytes()
        path = self._path(self._root, name)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(values).digest() + values)
            Path(temporary).replace(path)

    @staticmethod
    def _path(root: Path, name: str) -> Path:
        hashed = hashlib.sha256(name.encode()).hexdigest()
        return root / hashed[:2] / hashed
