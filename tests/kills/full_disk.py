"""A disk that is full when a test says so: a small file system in memory.

Owns mounting and filling it. Linux lets only the administrator mount one.
"""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK_BYTES = 4096


class Disk:
    """A small file system and the file that fills it."""

    def __init__(self, place: Path) -> None:
        self._filler = place / "filler"

    def fill(self, *, room_bytes: int = 0) -> None:
        """Leave no room, or so much."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(_BLOCK_BYTES))
            except OSError:
                file.truncate(max(0, self._filler.stat().st_size - room_bytes))

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink()


@contextmanager
def small_disk(place: Path, *, size_bytes: int) -> Generator[Disk]:
    """A file system of its own at a directory; the test is skipped where none can be mounted."""
    place.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"NO DISK TO FILL: cannot mount a tmpfs: {done.stderr.strip()}")
    try:
        yield Disk(place)
    finally:
        # Lazily: a server that has just ended may still hold it.
        subprocess.run(["umount", "-l", str(place)], check=True)
