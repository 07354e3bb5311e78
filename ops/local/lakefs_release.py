"""Downloading lakeFS's published release.

Owns the names of a release's files and the check of what comes. What is checked: the archive
against the SHA-256 in `checksums.txt` of the same release, both over HTTPS. That finds a damaged or
half-replaced download; it does not find a publisher whose whole release was replaced, for which a
hash pinned here would be needed.
"""

import contextlib
import hashlib
import http.client
import os
import platform
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import IO

from ops.errors import InvalidDataError
from ops.local.home import CannotWriteError
from ops.local.lakefs import VERSION
from ops.ports import Phase, Reporter

RELEASES_URL = "https://github.com/treeverse/lakeFS/releases/download"
# Short: where there is no way out, the build is the better use of the time.
_TIMEOUT_S = 8
_CHUNK_BYTES = 2**20
_SYSTEMS = {"Linux": "Linux", "Darwin": "Darwin"}
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class NoReleaseError(Exception):
    """No release can be had here; `reason` says why. Caught by whoever knows another way."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


def archive_name(system: str, machine: str) -> str:
    """The release archive for a system and machine, as `platform` names them.

    Raises:
        NoReleaseError: none is published for them.
    """
    if system not in _SYSTEMS or machine.lower() not in _MACHINES:
        raise NoReleaseError(f"none is published for {system} on {machine}")
    return f"lakeFS_{VERSION}_{_SYSTEMS[system]}_{_MACHINES[machine.lower()]}.tar.gz"


def fetch_release(target: Path, reporter: Reporter, *, releases_url: str = RELEASES_URL) -> None:
    """Put the released program at `target`, whole or not at all. Two requests, some 60 MB.

    Raises:
        NoReleaseError: there is none for this machine, or it cannot be reached.
        InvalidDataError: what came is not what the release's checksums say.
        CannotWriteError: there is no room, or no right.
    """
    name = archive_name(platform.system(), platform.machine())
    base = f"{releases_url}/v{VERSION}"
    expected = _expected_checksum(f"{base}/checksums.txt", name)
    with _scratch(target) as archive:
        with (
            _opened(f"{base}/{name}") as (source, size_bytes),
            reporter.phase("lakeFS: downloading the release", _mebibytes(size_bytes)) as phase,
        ):
            found = _save(source, archive, phase)
            if size_bytes is not None and archive.stat().st_size < size_bytes:
                raise NoReleaseError("the download broke off")
        if found != expected:
            raise InvalidDataError(
                "lakefs-checksum",
                f"{name} is not what its release says it is",
                subject=f"{base}/{name}",
                where=(("expected", expected), ("found", found)),
                unchanged="the download was removed; nothing was started",
                hint="try again later, or set OPS_LAKEFS_BINARY to a lakefs you trust",
            )
        _extract(archive, target)


def _mebibytes(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else -(-size_bytes // _CHUNK_BYTES)


def _expected_checksum(url: str, name: str) -> str:
    with _opened(url) as (source, _):
        text = source.read(_CHUNK_BYTES).decode(errors="replace")
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})\s+\*?(\S+)", line.strip())
        if match and match.group(2) == name:
            return match.group(1)
    raise NoReleaseError(f"the release's checksums do not name {name}")


@contextlib.contextmanager
def _opened(url: str) -> Generator[tuple[IO[bytes], int | None]]:
    """A download in progress and its size in bytes.

    Raises:
        NoReleaseError: the connection fails, here or while the body reads.
    """
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - a constant
            length = response.headers.get("Content-Length")
            yield response, int(length) if length else None
    except urllib.error.HTTPError as error:
        error.close()
        raise NoReleaseError(f"HTTP {error.code} from {url}") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoReleaseError(f"{url} does not answer") from error


@contextlib.contextmanager
def _scratch(target: Path) -> Generator[Path]:
    """A file beside the target that is gone afterwards."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _save(source: IO[bytes], archive: Path, phase: Phase) -> str:
    """Write the download to a file and give its SHA-256.

    Raises:
        CannotWriteError: there is no room.
    """
    digest = hashlib.sha256()
    with archive.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            try:
                file.write(chunk)
            except OSError as error:
                raise CannotWriteError(archive, str(error.strerror)) from error
            phase.advance()
    return digest.hexdigest()


def _extract(archive: Path, target: Path) -> None:
    """Take the one program out of the archive; nothing else of it touches the disk.

    Raises:
        NoReleaseError: the archive does not hold it.
        CannotWriteError: there is no room.
    """
    with tarfile.open(archive) as files, _scratch(target) as program:
        member = next((m for m in files if m.isfile() and Path(m.name).name == "lakefs"), None)
        content = files.extractfile(member) if member else None
        if content is None:
            raise NoReleaseError("the release archive holds no lakefs")
        try:
            with content, program.open("wb") as file:
                shutil.copyfileobj(content, file)
            program.chmod(0o755)
            program.replace(target)
        except OSError as error:
            raise CannotWriteError(target, str(error.strerror)) from error
