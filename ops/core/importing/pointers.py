"""What DVC and git-lfs leave in place of files: who they are, by digest.

Owns reading `.dvc` files, DVC's manifests of folders and git-lfs pointers, as their formats are
documented. Opens nothing: ops/working_copies.py does.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.core.documents import Fields, Source, parse
from ops.core.importing.neutral import text_of

LARGEST_POINTER_BYTES = 1024
"""git-lfs: a pointer is shorter than that."""

_VERSION = b"version https://git-lfs.github.com/spec/"
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_SIZE = re.compile(rb"^size ([0-9]+)$", re.MULTILINE)
_ENTRY = re.compile(r"(?P<dash>- +)?(?P<name>[A-Za-z_]\w*):(?: +(?P<value>.+))?", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What a git-lfs pointer says: the SHA-256 of the file it stands for, and its size."""

    sha256: str
    size_bytes: int


def lfs_pointer(data: bytes) -> Pointer | None:
    """The git-lfs pointer these bytes are, or None."""
    if not data.startswith(_VERSION) or len(data) >= LARGEST_POINTER_BYTES:
        return None
    oid, size = _OID.search(data), _SIZE.search(data)
    return Pointer(sha256=oid[1].decode(), size_bytes=int(size[1])) if oid and size else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One output a `.dvc` file tracks.

    Attributes:
        path: relative to the `.dvc` file's folder (or its `wdir`).
        md5: of the file, or of the folder's manifest.
        is_folder: it is a folder's.
        is_legacy: written by DVC 2, which took the md5 of text files with Unix line ends.
    """

    path: str
    md5: str
    is_folder: bool
    is_legacy: bool


def tracked_by(name: str, data: bytes) -> Sequence[Tracked]:
    """The outputs a `.dvc` file tracks by md5; others (of remote storage) are left out.

    Raises:
        InvalidDataError: it is no `.dvc` file.
    """
    source = _dvc(name)
    found: list[dict[str, str]] = []
    is_below, folder = False, ""
    for text in text_of(data, source).splitlines():
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        match = _ENTRY.fullmatch(text.strip())
        if not text.startswith((" ", "-")):
            is_below = text.startswith("outs:")
            if match and match["name"] == "wdir" and match["value"]:
                folder = _unquoted(match["value"]) + "/"
        elif is_below and match:
            if match["dash"]:
                found.append({})
            if found and match["value"]:
                found[-1][match["name"]] = _unquoted(match["value"])
    if not found:
        source.refuse("outs", "is missing: what is tracked belongs there")
    return [_output(one, folder, source) for one in found if "md5" in one]


def _output(one: Mapping[str, str], folder: str, source: Source) -> Tracked:
    if "path" not in one or not _MD5.fullmatch(one["md5"]):
        source.refuse("outs", f"holds {dict(one)}, which is no path with its md5")
    return Tracked(
        path=folder + one["path"],
        md5=one["md5"].removesuffix(".dir"),
        is_folder=one["md5"].endswith(".dir"),
        is_legacy=one.get("hash") != "md5",
    )


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if text[:1] in {"'", '"'} and text[-1:] == text[:1] else text


def manifest_of(name: str, data: bytes) -> Mapping[str, str]:
    """What a folder's manifest lists: md5 by path below the folder.

    Raises:
        InvalidDataError: it is no manifest.
    """
    source = _dvc(name)
    document = parse(data, source)
    items = document if isinstance(document, list) else source.refuse("", "must be an array")
    entries = [Fields.of(item, f"[{index}]", source) for index, item in enumerate(items)]
    return {one.text("relpath"): one.text("md5") for one in entries}


def manifest_md5(files: Mapping[str, str]) -> str:
    """The md5 DVC gives a folder's manifest: of the JSON of its files, sorted by path."""
    entries = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return _md5(json.dumps(entries, sort_keys=True).encode())


def file_md5(data: bytes) -> str:
    """The md5 of a file's bytes."""
    return _md5(data)


def legacy_md5(data: bytes) -> str:
    """The md5 DVC 2 gave a text file."""
    return _md5(data.replace(b"\r\n", b"\n"))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _dvc(name: str) -> Source:
    return Source(
        code="dvc-file",
        noun=name,
        subject=name,
        hint="see what DVC itself says of it: dvc status; then run the same command again",
    )
