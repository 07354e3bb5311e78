"""Media once read, kept on this machine by digest.

Owns the layout of the cache and that nothing damaged ever leaves it. Never makes room by itself:
its directory may be removed at any time. A cache that cannot be written is none; nothing fails for
that.
"""

import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ops.core.fingerprint import Expected, Fingerprint

_BUFFER_BYTES = 2**20
_READ_ONLY = 0o444


def default_directory(environment: Mapping[str, str], home: Path) -> Path:
    """Where the cache is unless a setting says otherwise: as the XDG rules have it."""
    stated = environment.get("XDG_CACHE_HOME", "")
    # The rules: a path that is not absolute counts for nothing.
    base = Path(stated) if Path(stated).is_absolute() else home / ".cache"
    return base / "labeling-ops"


class MediaCache:
    """Files by what their bytes are. Threads and processes may share it.

    Attributes:
        problem: why something could not be kept, the first time that happened; or None.
    """

    def __init__(self, root: Path) -> None:
        """Make ready; touches no file."""
        self._root = root / "media"
        self.problem: str | None = None

    def path(self, expected: Expected) -> Path | None:
        """Where such bytes are kept if they are; None where they have no name."""
        name = expected.name
        return None if name is None else self._root / name

    def sound(self, expected: Expected) -> tuple[Path, str] | None:
        """The file that holds such bytes and its SHA-256, or None.

        Reads it whole; a damaged one is removed.
        """
        path = self.path(expected)
        if path is None:
            return None
        fingerprint = fingerprint_of(path, expected)
        if fingerprint is None:
            return None
        if fingerprint.problem is not None:
            self.forget(expected)
            return None
        return path, fingerprint.sha256

    def read(self, expected: Expected) -> bytes | None:
        """Such bytes, or None; damaged ones are removed."""
        path = self.path(expected)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        fingerprint = Fingerprint(expected)
        fingerprint.add(data)
        if fingerprint.problem is None:
            return data
        self.forget(expected)
        return None

    def forget(self, expected: Expected) -> None:
        """Remove what is kept under this name."""
        if (path := self.path(expected)) is not None:
            with suppress(OSError):
                path.unlink()

    def keep(self, expected: Expected, source: Path | bytes) -> Path | None:
        """Keep a copy of bytes that were found right, read-only.

        None where it cannot be. Not forced to the disk: what a power cut damages, the next reader
        finds out.
        """
        path = self.path(expected)
        if path is None or (self.problem is not None):
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with _removed_on_failure(Path(scratch)), os.fdopen(handle, "wb") as sink:
                for piece in [source] if isinstance(source, bytes) else pieces_of(source):
                    sink.write(piece)
                sink.flush()
                os.fchmod(sink.fileno(), _READ_ONLY)
                Path(scratch).replace(path)
        except OSError as error:
            self.problem = f"{self._root}: {error.strerror}"
            return None
        return path

    def adopt(self, expected: Expected, source: Path) -> Path | None:
        """Keep a file itself, with a second name; None where the file system does not allow it."""
        path = self.path(expected)
        if path is None:
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            source.chmod(_READ_ONLY)
            with suppress(FileNotFoundError):
                path.unlink()
            os.link(source, path)
        except OSError:
            return None
        return path


@contextmanager
def _removed_on_failure(path: Path) -> Generator[None]:
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise


def fingerprint_of(path: Path, expected: Expected) -> Fingerprint | None:
    """A file's bytes held against what they must be; None where there is no such file."""
    fingerprint = Fingerprint(expected)
    try:
        for _ in fingerprint.watch(pieces_of(path)):
            pass
    except OSError:
        return None
    return fingerprint


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as source:
        while piece := source.read(_BUFFER_BYTES):
            yield piece
