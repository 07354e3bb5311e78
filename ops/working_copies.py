"""Whether files that DVC or git-lfs keep are the ones their repository speaks of.

Owns finding `.dvc` files and git's pointers beside or above the files that are to be imported, and
comparing digests: md5 with DVC, SHA-256 with git-lfs. Needs neither program: git alone is asked,
where it is there, for what its index holds. Fetches and changes nothing.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ops.core.importing.pointers import (
    LARGEST_POINTER_BYTES,
    Pointer,
    Tracked,
    file_md5,
    legacy_md5,
    lfs_pointer,
    manifest_md5,
    manifest_of,
    tracked_by,
)
from ops.errors import InvalidDataError, NotFoundError

_POINTERS = "git-lfs pointers, whose files were never pulled"
_SHOWN = 10
_TIMEOUT_S = 120
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCopy:
    """What was compared: files DVC tracks, and files git-lfs does."""

    dvc_count: int = 0
    lfs_count: int = 0


def check_working_copy(roots: Sequence[Path]) -> WorkingCopy:
    """Compare what lies at or below some paths with what DVC and git-lfs say of it.

    Every tracked file is read once. A no-op outside of working copies.

    Raises:
        NotFoundError: files were never pulled; the command that pulls them is named.
        InvalidDataError: files are others than their repository says, or a `.dvc` file is none.
    """
    found = [root.resolve() for root in roots]
    _refuse_pointers(found)
    return WorkingCopy(dvc_count=_check_dvc(found), lfs_count=_check_lfs(found))


def _files(root: Path) -> Iterator[Path]:
    yield from (
        (path for path in sorted(root.rglob("*")) if path.is_file()) if (root.is_dir()) else [root]
    )


def _refuse_pointers(roots: Sequence[Path]) -> None:
    small = (
        path
        for root in roots
        if root.exists()
        for path in _files(root)
        if path.stat().st_size < LARGEST_POINTER_BYTES
    )
    pointers = [path for path in small if lfs_pointer(path.read_bytes())]
    if pointers:
        _refuse_unpulled(pointers, _POINTERS, "git lfs pull")


def _refuse_unpulled(paths: Sequence[Path], what: str, command: str) -> NoReturn:
    raise NotFoundError(
        "not-pulled",
        f"{len(paths)} files are {what}",
        subject=str(paths[0]),
        where=(("files", _sample(paths)),),
        unchanged="nothing was written",
        hint=f"pull them: {command}\nthen run the same command again",
    )


def _refuse_changed(paths: Sequence[Path], said: str, commands: str) -> NoReturn:
    raise InvalidDataError(
        "digest-differs",
        f"{len(paths)} files are not the ones {said} speaks of",
        subject=str(paths[0]),
        where=(("files", _sample(paths)),),
        unchanged="nothing was written",
        hint=f"{commands}\nthen run the same command again",
    )


def _sample(paths: Sequence[Path]) -> str:
    rest = [f"… and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return "\n".join([*map(str, paths[:_SHOWN]), *rest])


def _check_dvc(roots: Sequence[Path]) -> int:
    """Compare with every `.dvc` file that tracks something at, below or above the roots."""
    count = 0
    missing: list[Path] = []
    changed: list[Path] = []
    for document in sorted({path for root in roots for path in _dvc_files(root)}):
        for output in tracked_by(str(document), document.read_bytes()):
            # Not resolved: DVC may have put a link into its cache there.
            place = Path(os.path.normpath(document.parent / output.path))
            if not any(_overlap(place, root) for root in roots):
                continue
            if not place.exists():
                missing.append(place)
            elif output.is_folder:
                number, others = _compare_folder(place, output, document, roots)
                count += number
                changed += others
            else:
                count += 1
                changed += [] if _is_same(place, output.md5, output) else [place]
    if missing:
        _refuse_unpulled(missing, "tracked by DVC and were never pulled", "dvc pull")
    if changed:
        _refuse_changed(
            changed,
            "their .dvc file",
            "take back what DVC has: dvc checkout\nor keep these: dvc add",
        )
    return count


def _dvc_files(root: Path) -> Iterator[Path]:
    """The `.dvc` files below a path, and beside it and each folder above, up to DVC's own root."""
    home = next((one for one in (root, *root.parents) if (one / ".dvc").is_dir()), None)
    if home is None:
        return
    folders = [one for one in (root, *root.parents) if one == home or home in one.parents]
    for folder in folders:
        if folder.is_dir():
            yield from (path for path in folder.glob("*.dvc") if path.is_file())
    if root.is_dir():
        yield from (path for path in root.rglob("*.dvc") if path.is_file())


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _is_same(path: Path, md5: str, output: Tracked) -> bool:
    data = path.read_bytes()
    return md5 == file_md5(data) or (output.is_legacy and md5 == legacy_md5(data))


def _compare_folder(
    place: Path, output: Tracked, document: Path, roots: Sequence[Path]
) -> tuple[int, list[Path]]:
    """How many files of a folder were compared, and those that are others.

    By its manifest, where DVC's cache has it: then file by file, and only those asked for; else as
    a whole, by making the manifest anew.
    """
    listed = _manifest(output, document)
    asked = [path for path in _files(place) if any(_overlap(path, root) for root in roots)]
    if listed is None:
        md5s = {path.relative_to(place).as_posix(): path for path in _files(place)}
        digests = {name: file_md5(path.read_bytes()) for name, path in md5s.items()}
        if manifest_md5(digests) != output.md5 and not (
            output.is_legacy
            and manifest_md5({n: legacy_md5(p.read_bytes()) for n, p in md5s.items()}) == output.md5
        ):
            return len(asked), [place]
        return len(asked), []
    wanted = {place / name: md5 for name, md5 in listed.items()}
    gone = [
        path for path in wanted if not path.exists() and any(_overlap(path, root) for root in roots)
    ]
    others = [p for p in asked if p not in wanted or not _is_same(p, wanted[p], output)]
    return len(asked), [*gone, *others]


def _manifest(output: Tracked, document: Path) -> Mapping[str, str] | None:
    home = next((one for one in document.parents if (one / ".dvc").is_dir()), None)
    if home is None:
        return None
    name = f"{output.md5[:2]}/{output.md5[2:]}.dir"
    for cache in (home / ".dvc" / "cache" / "files" / "md5", home / ".dvc" / "cache"):
        if (cache / name).is_file():
            return manifest_of(str(cache / name), (cache / name).read_bytes())
    return None


def _check_lfs(roots: Sequence[Path]) -> int:
    """Compare with the pointers git's index holds for what lies at or below the roots."""
    count = 0
    missing: list[Path] = []
    changed: list[Path] = []
    for path, pointer in {p: q for root in roots for p, q in _pointers(root)}.items():
        count += 1
        if not path.exists():
            missing.append(path)
        elif path.stat().st_size != pointer.size_bytes or _sha256(path) != pointer.sha256:
            changed.append(path)
    if missing:
        _refuse_unpulled(missing, "kept by git-lfs and are not there", "git lfs checkout")
    if changed:
        _refuse_changed(
            changed,
            "git's index",
            "take back what git has: git lfs checkout\nor keep these: git add, git commit",
        )
    return count


def _pointers(root: Path) -> Iterator[tuple[Path, Pointer]]:
    folder = root if root.is_dir() else root.parent
    top = _git(folder, ["rev-parse", "--show-toplevel"])
    if top is None:
        return
    home = Path(top.decode().removesuffix("\n"))
    listed = _git(home, ["ls-files", "-s", "-z", "--", str(root)]) or b""
    entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
    blobs = {home / os.fsdecode(path): facts.split()[1] for facts, _, path in entries}
    small = _small_blobs(home, set(blobs.values()))
    for path, blob in blobs.items():
        if (pointer := small.get(blob)) is not None:
            yield path, pointer


def _small_blobs(home: Path, blobs: Iterable[bytes]) -> Mapping[bytes, Pointer]:
    """The pointers among git's objects."""
    asked = b"".join(blob + b"\n" for blob in blobs)
    sizes = _git(home, ["cat-file", "--batch-check=%(objectname) %(objectsize)"], asked) or b""
    facts = [line.split() for line in sizes.splitlines()]
    small = [one[0] for one in facts if len(one) > 1 and int(one[1]) < LARGEST_POINTER_BYTES]
    data = _git(home, ["cat-file", "--batch"], b"".join(blob + b"\n" for blob in small)) or b""
    found: dict[bytes, Pointer] = {}
    while data:
        head, _, rest = data.partition(b"\n")
        name, _, size = head.split()
        if pointer := lfs_pointer(rest[: int(size)]):
            found[name] = pointer
        data = rest[int(size) + 1 :]
    return found


def _git(folder: Path, words: Sequence[str], given: bytes = b"") -> bytes | None:
    """What git says, or None where it is not there or this is no repository of its."""
    # Within a hook of git's, its variables name the repository of the hook.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    try:
        said = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            input=given,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout if said.returncode == 0 else None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
