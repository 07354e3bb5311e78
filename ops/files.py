"""Files that are whole or not there: written aside, forced to the disk, then given their name.

Owns the scratch directory inside the one that is written to, and that only one command writes there
at a time. Knows nothing of servers or of what the files hold.
"""

import fcntl
import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from ops.errors import ConfigurationError, RefusedError

SCRATCH = ".ops-part"
_PROBES = (("Aa", "aA"), ("\u00e9", "e\u0301"))


@contextmanager
def writing(directory: Path) -> Generator[None]:
    """Say in our own words that something below a directory cannot be written.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        yield
    except OSError as error:
        # Python's own errors of this kind name the file, those of a full disk do not.
        _refuse_write(Path(os.fsdecode(error.filename or directory)), error)


def _refuse_write(path: Path, error: OSError) -> NoReturn:
    raise ConfigurationError(
        "cannot-write",
        f"cannot write {path}: {error.strerror or 'the system refuses'}",
        subject=str(path),
        unchanged="files that are there are whole",
        hint="make room, or give yourself the right to write there; then run the command again",
    ) from error


@contextmanager
def held(directory: Path) -> Generator[None]:
    """Keep a directory to oneself, making it where it is not there.

    The system lets go of it when the process ends, however it ends.

    Raises:
        RefusedError: another command writes there.
        OSError: it cannot be made or read.
    """
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(
                "directory-in-use",
                f"another command is writing to {directory}",
                subject=str(directory),
                unchanged="nothing was written",
                hint="wait until it has ended, or name another directory with --out",
            ) from error
        yield
    finally:
        os.close(handle)


@contextmanager
def scratch_in(directory: Path) -> Generator[Path]:
    """A directory for files that are not whole yet, on the same file system; for who holds it.

    What a killed command left there is removed first.

    Raises:
        OSError: it cannot be made.
    """
    scratch = directory / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file and see it on the disk.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("wb") as sink:
        for piece in pieces:
            sink.write(piece)
        sink.flush()
        os.fsync(sink.fileno())


def place(scratch: Path, target: Path) -> None:
    """Give a file that is whole its name, in one step, whatever had it.

    Raises:
        OSError: there is no room, no right, or a directory of that name.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch.replace(target)


def ignores_case(directory: Path) -> bool:
    """Say whether two names that differ by case, or by an accent's form, are one file there.

    Raises:
        OSError: nothing can be written there.
    """
    return any(_is_one(directory / one, directory / other) for one, other in _PROBES)


def _is_one(one: Path, other: Path) -> bool:
    with suppress(UnicodeEncodeError):
        one.touch()
        try:
            return other.exists()
        finally:
            one.unlink()
    return False
