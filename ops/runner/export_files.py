"""The directory of an export: written aside, and given its name when it is whole.

Owns that nothing half-written has the name that was asked for, and that nothing but an earlier
export, untouched since, is ever replaced. Does not know what is in the files.
"""

import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from ops.core.exporting.facts import ExportedFile, decode_files
from ops.core.exporting.files import FACTS_FILE, Piece
from ops.errors import InvalidDataError, RefusedError
from ops.files import held, ignores_case, write_whole
from ops.runner.fetch import refuse_names

_PART = ".part-"
_OLD = ".old-"
_MOST_OPEN = 64
_READ_BYTES = 2**20


class ExportFolder:
    """The files of an export while they are written."""

    def __init__(self, directory: Path) -> None:
        """Take an empty directory."""
        self.directory = directory
        self._open: OrderedDict[tuple[str, int], BinaryIO] = OrderedDict()
        self._parts: dict[str, int] = {}

    def write(self, pieces: Iterable[Piece]) -> None:
        """Put each piece to its file.

        Raises:
            OSError: one cannot be written.
            InvalidDataError: a path cannot be a file, or two would be the same on this disk.
        """
        try:
            for piece in pieces:
                self._sink(piece).write(piece.data)
        finally:
            for sink in self._open.values():
                sink.close()
            self._open.clear()
        self.check_names(self._parts)
        self._join()

    def _sink(self, piece: Piece) -> BinaryIO:
        place = piece.path, piece.part
        if place in self._open:
            self._open.move_to_end(place)
            return self._open[place]
        if len(self._open) == _MOST_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.close()
        if piece.path not in self._parts:
            refuse_names([piece.path], ignores_case=False)
        path = self._path(*place)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._parts[piece.path] = max(piece.part, self._parts.get(piece.path, 0))
        self._open[place] = path.open("ab")
        return self._open[place]

    def _path(self, path: str, part: int) -> Path:
        return self.directory / (f"{path}{_PART}{part}" if part else path)

    def _join(self) -> None:
        """Put the parts of each file behind one another."""
        for path, last in self._parts.items():
            if not last:
                continue
            with self._path(path, 0).open("ab") as sink:
                for part in range(1, last + 1):
                    scratch = self._path(path, part)
                    with suppress(FileNotFoundError), scratch.open("rb") as source:
                        shutil.copyfileobj(source, sink, _READ_BYTES)
                    scratch.unlink(missing_ok=True)

    def check_names(self, paths: Iterable[str]) -> None:
        """Refuse paths that cannot all be files here.

        Raises:
            InvalidDataError: one cannot be a file, or two would be the same on this disk.
        """
        refuse_names(sorted(paths), ignores_case=ignores_case(self.directory))

    def files(self) -> Iterator[ExportedFile]:
        """Every file there is, by path, with its digest."""
        return listed_files(self.directory)

    def finish(self, facts: bytes) -> None:
        """Write `export.json`: now it is whole.

        Raises:
            OSError: it cannot be written.
        """
        write_whole(self.directory / FACTS_FILE, [facts])


def listed_files(directory: Path) -> Iterator[ExportedFile]:
    """Every file below a directory, by path, with its digest."""
    paths = [path for path in directory.rglob("*") if not path.is_dir() or path.is_symlink()]
    for path in sorted(paths, key=lambda path: path.relative_to(directory).as_posix()):
        name = path.relative_to(directory).as_posix()
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        yield ExportedFile(path=name, size_bytes=path.stat().st_size, sha256=digest)


@contextmanager
def new_export(out: Path, *, name: str) -> Generator[ExportFolder]:
    """A directory aside that becomes `out` at the end of the block, unless the block fails.

    What killed exports left aside is removed.

    Args:
        out: checked by refuse_in_the_way.
        name: of the directory aside, unlike any other's.

    Raises:
        OSError: something cannot be written.
        RefusedError: what is at `out` has changed meanwhile.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for mark in (_PART, _OLD):
        for left in out.parent.glob(f".{_escaped(out.name)}{mark}*"):
            with suppress(RefusedError, OSError), held(left):
                shutil.rmtree(left)
    aside = out.parent / f".{out.name}{_PART}{name}"
    with held(aside):
        try:
            yield ExportFolder(aside)
            refuse_in_the_way(out)
            _replace(out, aside, out.parent / f".{out.name}{_OLD}{name}")
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _replace(out: Path, aside: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    aside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def refuse_in_the_way(out: Path) -> None:
    """Refuse a directory that holds anything but an earlier export, as it was written.

    Raises:
        RefusedError: it does.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        _refuse(out, "is no directory")
    if out.samefile("."):
        # It would get its name in one step, and whoever stands in it stand nowhere.
        _refuse(out, "is the directory you are in")
    if not any(out.iterdir()):
        return
    try:
        files = decode_files((out / FACTS_FILE).read_bytes())
    except (OSError, InvalidDataError):
        _refuse(out, "is not empty, and no earlier export")
    found = {one.path: one for one in listed_files(out) if one.path != FACTS_FILE}
    odd = [path for path in sorted(files.keys() | found) if files.get(path) != found.get(path)]
    if odd:
        _refuse(out, f"holds an earlier export that was changed: {odd[0]}")


def _refuse(out: Path, problem: str) -> NoReturn:
    raise RefusedError(
        "out-in-the-way",
        f"{out} {problem}",
        subject=str(out),
        unchanged="it is as it was",
        hint="name another directory with --out, or move this one away",
    )
