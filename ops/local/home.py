"""Where the embedded servers keep things, and files only their owner may read.

Owns the layout below `.ops/`. Does not know what is in the files.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ops.errors import ConfigurationError

_PRIVATE_DIRECTORY = 0o700


class CannotWriteError(ConfigurationError):
    """A file or directory of the home cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say which, and why."""
        super().__init__(
            "cannot-write",
            f"cannot write {path}: {reason}",
            subject=str(path),
            unchanged="what was there before is still there",
            hint="make room or give yourself the right to write there, then run the command again",
        )


class Service(StrEnum):
    """One of the two embedded servers."""

    LAKEFS = "lakefs"
    LABEL_STUDIO = "label-studio"

    @property
    def display_name(self) -> str:
        """The server's name as people write it."""
        return "lakeFS" if self is Service.LAKEFS else "Label Studio"


_KEEP_OUT_OF_GIT = "# Data and credentials of `ops local`.\n*\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The layout below one `.ops/` directory.

    Attributes:
        root: the directory itself; data, state and logs are below it.
        shared: where binaries and templates are kept, so that several homes can share them.
    """

    root: Path
    shared: Path

    @classmethod
    def at(cls, root: Path, *, shared: Path | None = None) -> "Home":
        """The home at a directory; what can be shared is kept there too unless `shared` is given.

        Paths are made absolute: the servers run in directories of their own.
        """
        absolute = root.absolute()
        return cls(root=absolute, shared=(shared or absolute).absolute())

    @property
    def local(self) -> Path:
        """All data, state and logs of the servers: what a reset removes."""
        return self.root / "local"

    @property
    def state_file(self) -> Path:
        """Ports and credentials."""
        return self.local / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held while a verb changes something."""
        return self.root / "local.lock"

    @property
    def binaries(self) -> Path:
        """Server binaries that were downloaded or built."""
        return self.shared / "bin"

    @property
    def cache(self) -> Path:
        """What can be made again: templates, build logs."""
        return self.shared / "cache"

    def data(self, service: Service) -> Path:
        """A server's own directory."""
        return self.local / service.value

    def log_file(self, service: Service) -> Path:
        """Everything a server printed."""
        return self.local / f"{service.value}.log"

    def process_file(self, service: Service) -> Path:
        """Which process was started for a server."""
        return self.local / f"{service.value}.process.json"


def make_private(directory: Path) -> Path:
    """Make a directory, and give it back, that only its owner may enter. Repeatable.

    Raises:
        CannotWriteError: it cannot be made, or is not ours to restrict.
    """
    try:
        # Not `parents=True`: that gives the parents the usual mode.
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        directory.chmod(_PRIVATE_DIRECTORY)
    except OSError as error:
        raise CannotWriteError(directory, str(error.strerror)) from error
    return directory


def make_home(home: Home) -> None:
    """Make the home's directory, private and out of reach of `git add`. Repeatable.

    Raises:
        CannotWriteError: it cannot be made.
    """
    ignore = make_private(home.root) / ".gitignore"
    if not ignore.exists():
        write_private(ignore, _KEEP_OUT_OF_GIT)


def write_private(path: Path, text: str) -> None:
    """Replace a file by one with this text, mode 0600, at once or not at all.

    Raises:
        CannotWriteError: the directory is missing, full or not ours to write.
    """
    try:
        # mkstemp makes it 0600 from the first moment.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWriteError(path, str(error.strerror)) from error


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold a lock file, waiting until no other process holds it.

    The lock goes with the process: a killed one leaves nothing to clean up.

    Raises:
        CannotWriteError: the lock file cannot be made.
    """
    make_private(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotWriteError(path, str(error.strerror)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
