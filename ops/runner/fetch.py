"""Media of a commit into files: each whole and checked, or the fetch fails and names it.

Owns the order: what lies there already, what the cache holds, what must be read; a file gets its
name when its bytes are right and on the disk. So a fetch that was killed goes on where it was. Does
not choose what is fetched, and removes nothing (ops/runner/pull.py).
"""

import itertools
import os
import stat
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from ops import crew
from ops.cache import MediaCache, fingerprint_of, pieces_of
from ops.core.fingerprint import Expected, Fingerprint, Measure
from ops.core.local_names import file_problem, same_files
from ops.core.records import CommitId
from ops.errors import (
    InvalidDataError,
    NotFoundError,
    OpsError,
    PartialError,
    UnavailableError,
)
from ops.files import held, ignores_case, place, scratch_in, write_whole, writing
from ops.ports import MediaReader, Phase, StoredObject
from ops.runner.context import Context, sample_of
from ops.runner.gateway import open_gateway

JOBS = 32
_TRIES = 3
_HOPELESS_COUNT = 16
_KB = 1000


class Source(StrEnum):
    """Where a file's bytes came from."""

    THERE = "there"
    CACHE = "cache"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """One file that is whole.

    Attributes:
        path: below the directory, as in the repository.
        sha256: of its bytes.
        measure: what they were held against.
        replaced: a file with other bytes was there.
    """

    path: str
    size_bytes: int
    sha256: str
    measure: Measure
    source: Source
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch brought.

    Attributes:
        files: by path.
        cache_problem: why files could not be kept in the cache, or None.
    """

    files: Mapping[str, FetchedFile] = field(default_factory=dict[str, FetchedFile])
    cache_problem: str | None = None

    def count(self, source: Source) -> int:
        """How many files came from there."""
        return sum(1 for file in self.files.values() if file.source is source)

    def size_bytes(self, source: Source | None = None) -> int:
        """Bytes of all files, or of those from one source."""
        chosen = (f for f in self.files.values() if source is None or f.source is source)
        return sum(file.size_bytes for file in chosen)


def fetch(
    context: Context,
    commit: CommitId,
    objects: Sequence[StoredObject],
    *,
    into: Path,
    jobs: int = JOBS,
    link: bool = False,
) -> Fetched:
    """Write objects of a commit to files of their paths below a directory.

    A file that is there with the right bytes is left as it is; of the others those the cache
    (`context.cache_dir`) holds cost no request, and each of the rest one. Repeatable, also after it
    was killed at any moment: no file has its name before it is whole.

    Args:
        context: the servers.
        commit: what is read; never a branch, which may move meanwhile.
        objects: as listed at the commit, with their metadata: the SHA-256 is in it.
        into: made where it is not there.
        jobs: requests under way at once.
        link: files are second names of the cache's own, and read-only; copies where the file system
            has no links or there is no cache.

    Raises:
        InvalidDataError: names that cannot be files here, before anything is read.
        PartialError: some could not be had; each is named, the others are there.
        DeniedError: lakeFS does not accept the credentials.
        ConfigurationError: the directory cannot be written, as on a full disk.
    """
    with writing(into), held(into):
        return fetch_held(context, commit, objects, into=into, jobs=jobs, link=link)


def fetch_held(
    context: Context,
    commit: CommitId,
    objects: Sequence[StoredObject],
    *,
    into: Path,
    jobs: int = JOBS,
    link: bool = False,
) -> Fetched:
    """As fetch, for who holds the directory (ops.files.held).

    Raises:
        OSError: something cannot be written.
        OpsError: as fetch.
    """
    expected = [expected_of(found) for found in objects]
    with scratch_in(into) as scratch:
        refuse_names([one.path for one in expected], ignores_case=ignores_case(scratch))
        work = _Work(
            reader=open_gateway(context),
            commit=commit,
            cache=MediaCache(context.cache_dir) if context.cache_dir is not None else None,
            into=into,
            scratch=scratch,
            link=link,
        )
        size_kb = sum(one.size_bytes for one in expected) // _KB
        with context.reporter.phase(f"pulling {len(expected)} files, kB", size_kb) as phase:
            return _fetch_all(work, expected, jobs=jobs, phase=phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missing:
    """A file that could not be had, and why."""

    error: OpsError


def _fetch_all(work: "_Work", expected: Sequence[Expected], *, jobs: int, phase: Phase) -> Fetched:
    files: dict[str, FetchedFile] = {}
    missing: dict[str, OpsError] = {}
    in_a_row = done_bytes = 0
    for wanted, outcome in crew.in_any_order(work.one, expected, workers=jobs):
        if isinstance(outcome, _Missing):
            missing[wanted.path] = outcome.error
            in_a_row = in_a_row + 1 if isinstance(outcome.error, UnavailableError) else 0
            if in_a_row == _HOPELESS_COUNT:
                break
            continue
        in_a_row = 0
        files[wanted.path] = outcome
        phase.advance((done_bytes + wanted.size_bytes) // _KB - done_bytes // _KB)
        done_bytes += wanted.size_bytes
    if missing:
        _refuse_missing([one.path for one in expected if one.path not in files], missing, files)
    cache = work.cache
    return Fetched(files=files, cache_problem=cache.problem if cache is not None else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What one file needs; threads share it."""

    reader: MediaReader
    commit: CommitId
    cache: MediaCache | None
    into: Path
    scratch: Path
    link: bool
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def one(self, wanted: Expected, stop: threading.Event) -> FetchedFile | _Missing:
        """Bring one file.

        Raises:
            OSError: it cannot be written.
            NotFoundError: the repository is gone.
            DeniedError: lakeFS does not accept the credentials.
        """
        target = self.into / wanted.path
        is_there = _is_there(target)
        try:
            if is_there and (sha256 := self._kept(target, wanted)) is not None:
                return _fetched(wanted, sha256, Source.THERE)
            if (sha256 := self._from_cache(target, wanted)) is not None:
                return _fetched(wanted, sha256, Source.CACHE, replaced=is_there)
            sha256 = self._from_server(target, wanted, stop)
            return _fetched(wanted, sha256, Source.SERVER, replaced=is_there)
        except (UnavailableError, NotFoundError, InvalidDataError) as error:
            return _missing(error)

    def _kept(self, target: Path, wanted: Expected) -> str | None:
        """The SHA-256 of the file that is there, or None if it is not the one that is wanted."""
        found = target.lstat()
        is_other = not stat.S_ISREG(found.st_mode) or found.st_size != wanted.size_bytes
        # A copy may be written to; a second name of the cache's file never.
        is_shared = not self.link and found.st_nlink > 1
        if is_other or is_shared or wanted.measure is Measure.SIZE:
            return None
        fingerprint = fingerprint_of(target, wanted)
        if fingerprint is None or fingerprint.problem is not None:
            return None
        return fingerprint.sha256

    def _from_cache(self, target: Path, wanted: Expected) -> str | None:
        if self.cache is None or (found := self.cache.sound(wanted)) is None:
            return None
        path, sha256 = found
        if not (self.link and self._linked(path, target)):
            # Copied from what was just found right, and held against it once more.
            with suppress(FileNotFoundError):
                return self._copied(path, target, wanted)
            return None
        return sha256

    def _copied(self, source: Path, target: Path, wanted: Expected) -> str | None:
        scratch = self._scratch_file()
        fingerprint = Fingerprint(wanted)
        write_whole(scratch, fingerprint.watch(pieces_of(source)))
        if fingerprint.problem is not None:
            return None
        self._place(scratch, target)
        return fingerprint.sha256

    def _from_server(self, target: Path, wanted: Expected, stop: threading.Event) -> str:
        for _ in range(_TRIES - 1):
            try:
                return self._downloaded(target, wanted)
            except (UnavailableError, InvalidDataError) as error:
                if stop.is_set() or error.code not in _WORTH_ANOTHER:
                    raise
        return self._downloaded(target, wanted)

    def _downloaded(self, target: Path, wanted: Expected) -> str:
        scratch = self._scratch_file()
        fingerprint = Fingerprint(wanted)
        pieces = self.reader.pieces(self.commit, wanted.path)
        write_whole(scratch, fingerprint.watch(pieces))
        if fingerprint.problem is not None:
            _refuse_bytes(wanted, fingerprint.problem)
        self._keep(scratch, wanted)
        self._place(scratch, target)
        return fingerprint.sha256

    def _keep(self, scratch: Path, wanted: Expected) -> None:
        if self.cache is None:
            return
        if not (self.link and self.cache.adopt(wanted, scratch) is not None):
            self.cache.keep(wanted, scratch)

    def _linked(self, source: Path, target: Path) -> bool:
        """Give the cache's file a second name; False where the file system has none to give."""
        scratch = self._scratch_file()
        try:
            os.link(source, scratch)
        except OSError:
            return False
        self._place(scratch, target)
        return True

    def _place(self, scratch: Path, target: Path) -> None:
        if self.link:
            scratch.chmod(_READ_ONLY)
        place(scratch, target)

    def _scratch_file(self) -> Path:
        return self.scratch / str(next(self.numbers))


_READ_ONLY = 0o444
_WORTH_ANOTHER = frozenset({"gateway-broken", "media-differs"})


def _fetched(
    wanted: Expected, sha256: str, source: Source, *, replaced: bool = False
) -> FetchedFile:
    return FetchedFile(
        path=wanted.path,
        size_bytes=wanted.size_bytes,
        sha256=sha256,
        measure=wanted.measure,
        source=source,
        replaced=replaced,
    )


def _missing(error: OpsError) -> _Missing:
    """What became of a file that could not be had, where others can.

    Raises:
        OpsError: none can.
    """
    if error.code == "no-repository":
        raise error
    return _Missing(error=error)


def _is_there(target: Path) -> bool:
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def expected_of(found: StoredObject) -> Expected:
    """What an object's bytes must be, as it is listed with its metadata."""
    return Expected.of(
        found.path,
        size_bytes=found.size_bytes,
        checksum=found.checksum,
        sha256=found.metadata.get("sha256"),
    )


def refuse_names(paths: Sequence[str], *, ignores_case: bool) -> None:
    """Refuse paths that cannot all be files in one directory.

    Raises:
        InvalidDataError: one cannot be a file, or two would be the same.
    """
    problems = {path: file_problem(path, on_windows=os.name == "nt") for path in paths}
    wrong = [f"{path!r} {problem}" for path, problem in problems.items() if problem]
    if wrong:
        raise InvalidDataError(
            "no-file-name",
            f"{len(wrong)} objects have names that no file can have here",
            subject=next(path for path, problem in problems.items() if problem),
            where=(("objects", sample_of(wrong)),),
            unchanged="nothing was read or written",
            hint="read them over S3: ops dataset uri\nor leave them out: --where \"key <> '…'\"",
        )
    same = next(same_files(paths, ignores_case=ignores_case), None)
    if same is not None:
        raise InvalidDataError(
            "same-file",
            f"{same[0]} and {same[1]} cannot both be files here",
            subject=same[1],
            where=(("why", _why_same(ignores_case=ignores_case)),),
            unchanged="nothing was read or written",
            hint="pull to a disk that tells them apart, or leave one out: --where \"key <> '…'\"",
        )


def _why_same(*, ignores_case: bool) -> str:
    folder = "one is the other's folder"
    return f"{folder}, or this disk takes both names for one" if ignores_case else folder


def _refuse_bytes(wanted: Expected, problem: str) -> NoReturn:
    raise InvalidDataError(
        "media-differs",
        f"what the server gives for {wanted.path} {problem}",
        subject=wanted.path,
        unchanged="no file was written for it",
        hint="see what changed it: ops dataset verify",
    )


def _refuse_missing(
    paths: Sequence[str], errors: Mapping[str, OpsError], files: Mapping[str, FetchedFile]
) -> NoReturn:
    said = [f"{path}: {errors[path].message}" for path in paths if path in errors]
    not_tried = len(paths) - len(said)
    rest = [f"and {not_tried} that were not tried any more"] if not_tried else []
    first = next(iter(errors.values()))
    entries = [
        {
            "path": path,
            "code": errors[path].code if path in errors else "not-tried",
            "message": errors[path].message if path in errors else "it was not tried any more",
        }
        for path in paths
    ]
    raise PartialError(
        "pull-partial",
        f"{len(paths)} of {len(paths) + len(files)} files could not be had",
        subject=next(iter(errors)),
        where=(("files", "\n".join([sample_of(said), *rest])),),
        unchanged=f"{len(files)} files are there, whole and checked",
        hint="run the same command again: what is there is not read again"
        + (f"\nor, for the first of them: {first.hint}" if first.code in _LASTING else ""),
        details={"missing": entries, "file_count": len(files)},
    ) from first


_LASTING = frozenset({"object-data-gone", "media-differs", "object-path", "not-in-lakefs"})
