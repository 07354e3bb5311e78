"""Which paths of a repository can be files below a directory, and which would be the same file.

Owns the rules of file systems as far as names go. Looks at no disk: what kind of file system it is,
the caller has found out.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

_LONGEST_PART = 255
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = frozenset('<>:"|?*\\')
_FIRST_PRINTABLE = 32


def file_problem(path: str, *, on_windows: bool = False) -> str | None:
    """Why a path cannot be a file below a directory, or None if it can.

    Args:
        path: in the repository, with slashes.
        on_windows: whether Windows's rules count, too.
    """
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty or relative part in its name"
    if "\x00" in path:
        return "has a zero byte in its name"
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "has a name that is not UTF-8"
    if any(len(part.encode()) > _LONGEST_PART for part in parts):
        return f"has a part of more than {_LONGEST_PART} bytes in its name"
    if on_windows and any(_is_refused_by_windows(part) for part in parts):
        return "has a name that Windows reserves, or a character it refuses"
    return None


def _is_refused_by_windows(part: str) -> bool:
    odd = any(c in _NOT_ON_WINDOWS or ord(c) < _FIRST_PRINTABLE for c in part)
    return odd or part[-1] in " ." or _RESERVED.fullmatch(part) is not None


def same_files(paths: Iterable[str], *, ignores_case: bool) -> Iterator[tuple[str, str]]:
    """Pairs of paths that cannot both be files, lazily: the earlier, and the one it rules out.

    Two paths that are one to the file system, and a path that is another's folder.

    Args:
        paths: of the files.
        ignores_case: the file system takes names that differ by case, or by how an accent is
            written, for one name.
    """
    first: dict[str, str] = {}
    for path in paths:
        other = first.setdefault(_folded(path) if ignores_case else path, path)
        if other != path:
            yield other, path
    for folded, path in first.items():
        folder = folded.rpartition("/")[0]
        while folder:
            if folder in first:
                yield first[folder], path
            folder = folder.rpartition("/")[0]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
