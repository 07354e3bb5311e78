"""Which picture a label file means by a name.

Files name pictures by a path of some machine, an address, an upload of Label Studio's, or the stem
of their own name. A name means the picture whose path below `images/` it is; else, of those with
the same file name, the one that shares most folders with it from the right; where two share as
many, none is guessed. Case counts; percent signs and accents are tried as they stand and decoded.
"""

import base64
import re
import unicodedata
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from ops.core.importing.neutral import Reference, without_ending
from ops.core.names import MEDIA_PREFIX
from ops.core.records import TaskKey

_UPLOAD = re.compile(r"[0-9a-f]{8}-(.+)", re.ASCII)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
_FORMS = ("NFC", "NFD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a name means.

    Attributes:
        key: the picture; None where none or more than one could be meant.
        rivals: the pictures that could be meant equally well.
        by_case: pictures that have the name but for upper and lower case.
    """

    key: TaskKey | None = None
    rivals: tuple[TaskKey, ...] = ()
    by_case: tuple[TaskKey, ...] = ()


class Pictures:
    """Pictures that can be found by name."""

    def __init__(self, keys: Iterable[TaskKey]) -> None:
        """Index them; one pass."""
        self.keys = frozenset(keys)
        self._by_name: dict[str, list[TaskKey]] = {}
        self._by_stem: dict[str, list[TaskKey]] = {}
        self._by_fold: dict[str, list[TaskKey]] = {}
        for key in sorted(self.keys):
            name = _last(key)
            stem = without_ending(name)
            self._by_name.setdefault(name, []).append(key)
            self._by_stem.setdefault(stem, []).append(key)
            self._by_fold.setdefault(name.casefold(), []).append(key)
            self._by_fold.setdefault(stem.casefold(), []).append(key)

    def find(self, reference: Reference) -> Match:
        """The picture a file means."""
        names = list(_forms(reference.name))
        for name in names:
            if TaskKey(name) in self.keys and not reference.is_stem:
                return Match(key=TaskKey(name))
        index = self._by_stem if reference.is_stem else self._by_name
        rivals: tuple[TaskKey, ...] = ()
        for name in names:
            nearest = _nearest(name, index.get(_last(name), ()), is_stem=reference.is_stem)
            if len(nearest) == 1:
                return Match(key=nearest[0])
            rivals = rivals or tuple(nearest)
        folded = {key for name in names for key in self._by_fold.get(_last(name).casefold(), ())}
        return Match(rivals=rivals, by_case=tuple(sorted(folded)))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _nearest(name: str, keys: Sequence[TaskKey], *, is_stem: bool) -> Sequence[TaskKey]:
    """Of pictures of the same name, those that share most folders with it from the right."""
    wanted = name.split("/")
    shared = {key: _shared(wanted, _parts(key, is_stem=is_stem)) for key in keys}
    most = max(shared.values(), default=0)
    return [key for key in keys if shared[key] == most]


def _parts(key: TaskKey, *, is_stem: bool) -> list[str]:
    path = MEDIA_PREFIX + key
    return (without_ending(path) if is_stem else path).split("/")


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _forms(name: str) -> Iterator[str]:
    """What a name may stand for, each once.

    As it is, as an address, decoded, without an upload's prefix, and with accents in both forms.
    """
    plain = [name, name.replace("\\", "/"), *_paths(name)]
    decoded = [*plain, *(unquote(one) for one in plain)]
    stripped = [_without_upload(one) for one in decoded]
    cleaned = [one.removeprefix("./").lstrip("/") for one in [*decoded, *stripped]]
    every = [*cleaned, *(unicodedata.normalize(form, one) for form in _FORMS for one in cleaned)]
    yield from dict.fromkeys(one for one in every if one)


def _paths(name: str) -> Iterator[str]:
    """The path in an address; what Label Studio's own addresses point at."""
    parts = urlsplit(name)
    asked = parse_qs(parts.query)
    yield from asked.get("d", ())
    for inner in asked.get("fileuri", ()):
        try:
            yield from _paths(base64.urlsafe_b64decode(inner + "=" * (-len(inner) % 4)).decode())
        except (Base64Error, ValueError):
            continue
    if _ADDRESS.match(name) or name.startswith("/"):
        yield f"{parts.netloc}/{parts.path.lstrip('/')}" if parts.netloc else parts.path


def _without_upload(name: str) -> str:
    """The name a file had before Label Studio put eight digits before it."""
    folder, slash, last = name.rpartition("/")
    match = _UPLOAD.fullmatch(last)
    return f"{folder}{slash}{match[1]}" if match else name
