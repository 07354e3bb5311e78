"""Which row of somebody's table belongs to which image.

Owns the strict match, what is said of what does not match, and which option would have matched it.
Nothing is matched but by the rule that was asked for: a likely one is only suggested. Reads no file
(csv_table.py) and no repository.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from shlex import quote
from urllib.parse import unquote

from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError, RefusedError

UNCHANGED = "nothing was written"
_MOST_SHOWN = 5
_MOST_LOOKED_AT = 500
"""Rows from which a likely rule is guessed; how many it matches is counted over all of them."""
_MOST_OF_A_NAME = 20
"""Images of one file name that are looked at for it."""


class MatchOn(StrEnum):
    """What of a key and of an image's path must be the same."""

    PATH = "path"
    NAME = "name"


class Alike(StrEnum):
    """Differences that are passed over where somebody says so."""

    CASE = "case"
    UNICODE = "unicode"
    PERCENT = "percent"
    SLASHES = "slashes"


_FOLDS: Mapping[Alike, Callable[[str], str]] = {
    Alike.PERCENT: unquote,
    Alike.SLASHES: lambda text: text.replace("\\", "/"),
    Alike.UNICODE: lambda text: unicodedata.normalize("NFC", text),
    Alike.CASE: str.casefold,
}
"""In the order in which they are applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a row's key becomes the image it is about.

    Attributes:
        on: the whole path below `images/`, or the file's name alone.
        strip_prefix: taken off each key that begins with it.
        add_prefix: put before each key, after that.
        alike: differences that are passed over.
    """

    on: MatchOn = MatchOn.PATH
    strip_prefix: str = ""
    add_prefix: str = ""
    alike: tuple[Alike, ...] = ()

    def of_row(self, key: str) -> str:
        """What a row's key is compared by."""
        rest = self._folded(key).removeprefix(self._folded(self.strip_prefix))
        return self._compared(self._folded(self.add_prefix) + rest)

    def of_image(self, key: TaskKey) -> str:
        """What an image is compared by."""
        return self._compared(self._folded(key))

    def _folded(self, text: str) -> str:
        for alike, fold in _FOLDS.items():
            text = fold(text) if alike in self.alike else text
        return text

    def _compared(self, text: str) -> str:
        return text.rpartition("/")[2] if self.on is MatchOn.NAME else text

    @property
    def options(self) -> str:
        """The rule as the command line has it; empty for an exact match of paths."""
        said = [f"--match-on {self.on.value}"] if self.on is not MatchOn.PATH else []
        said += [f"--strip-prefix {quote(self.strip_prefix)}"] if self.strip_prefix else []
        said += [f"--add-prefix {quote(self.add_prefix)}"] if self.add_prefix else []
        return " ".join([*said, *(f"--alike {one.value}" for one in self.alike)])

    def as_mapping(self) -> dict[str, Json]:
        """The rule as documents hold it."""
        return {
            "on": self.on.value,
            "strip_prefix": self.strip_prefix,
            "add_prefix": self.add_prefix,
            "alike": [one.value for one in self.alike],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule made of a table's keys.

    Attributes:
        rows: the row that belongs to each matched image, by task key, sorted.
        unmatched_rows: keys of the file that no image has, in the file's order.
        unmatched_images: images that no row names, sorted.
    """

    rows: Mapping[TaskKey, int]
    unmatched_rows: Sequence[str]
    unmatched_images: Sequence[TaskKey]

    def as_json(self) -> dict[str, Json]:
        """The counts, and a few examples both ways."""
        return {
            "matched": len(self.rows),
            "unmatched_rows": len(self.unmatched_rows),
            "unmatched_images": len(self.unmatched_images),
            "unmatched_row_examples": list(self.unmatched_rows[:_MOST_SHOWN]),
            "unmatched_image_examples": list(self.unmatched_images[:_MOST_SHOWN]),
        }


def match(keys: Sequence[str | None], images: Sequence[TaskKey], rule: Rule, *, file: str) -> Match:
    """The image each row belongs to; at least one does.

    Args:
        keys: what names the image in each row.
        images: every image's key.
        rule: what counts as the same.
        file: the file's name, for errors.

    Raises:
        InvalidDataError: a row has no key, two rows are about one image, a key stands for several
            images, or no row matches; then both shapes are shown, and the options that would match.
    """
    said = _checked(keys, file)
    _refuse_repeated(said, rule, file)
    named: defaultdict[str, list[TaskKey]] = defaultdict(list)
    for image in images:
        named[rule.of_image(image)].append(image)
    compared = [rule.of_row(key) for key in said]
    _refuse_ambiguous(said, [named.get(one, []) for one in compared], rule, file)
    rows = {named[one][0]: row for row, one in enumerate(compared) if one in named}
    if not rows:
        _refuse_nothing(said, images, rule, file)
    return Match(
        rows=dict(sorted(rows.items())),
        unmatched_rows=[key for key, one in zip(said, compared, strict=True) if one not in named],
        unmatched_images=sorted(image for image in images if image not in rows),
    )


def check_complete(found: Match, *, file: str) -> None:
    """See that every row has its image and every image its row.

    Raises:
        RefusedError: one has not.
    """
    if found.unmatched_rows or found.unmatched_images:
        raise RefusedError(
            "join-incomplete",
            f"{len(found.unmatched_rows)} rows of {file} have no image,"
            f" and {len(found.unmatched_images)} images have no row",
            subject=file,
            where=tuple(differences(found)),
            unchanged=UNCHANGED,
            hint="join what matches by leaving --require-all out",
        )


def differences(found: Match) -> Iterator[tuple[str, str]]:
    """What did not match, both ways, a few examples each."""
    if found.unmatched_rows:
        yield "rows", examples(found.unmatched_rows)
    if found.unmatched_images:
        yield "images", examples(found.unmatched_images)


def examples(names: Sequence[str]) -> str:
    """The first few of many names, a line each, and how many more there are."""
    more = len(names) - _MOST_SHOWN
    return "\n".join([*names[:_MOST_SHOWN], *([f"… and {more} more"] if more > 0 else [])])


def suggest(keys: Sequence[str], images: Sequence[TaskKey], rule: Rule) -> tuple[Rule, int] | None:
    """The rule that would match most rows, and how many; None where none would match any.

    Of rules that match as many, the strictest: a prefix, then differences passed over, then the
    file's name alone.
    """
    best: tuple[Rule, int] | None = None
    for other in _likely(keys, images, rule):
        count = _count(keys, images, other)
        if count > (best[1] if best else 0):
            best = other, count
    return best


def _likely(keys: Sequence[str], images: Sequence[TaskKey], rule: Rule) -> Iterator[Rule]:
    """Rules worth trying, the strictest first."""
    foldings = [(), *((one,) for one in Alike), tuple(Alike)]
    for alike in foldings:
        plain = replace(rule, on=MatchOn.PATH, strip_prefix="", add_prefix="", alike=alike)
        yield plain
        yield from _with_prefixes(keys, images, plain)
    for alike in foldings:
        yield Rule(on=MatchOn.NAME, alike=alike)


def _with_prefixes(keys: Sequence[str], images: Sequence[TaskKey], rule: Rule) -> Iterator[Rule]:
    """The rule with the prefixes that most keys and images of one name differ by."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    for image in images:
        folded = rule.of_image(image)
        named[folded.rpartition("/")[2]].append(folded)
    found: Counter[tuple[str, str]] = Counter()
    for key in keys[:_MOST_LOOKED_AT]:
        folded = rule.of_row(key)
        if others := named.get(folded.rpartition("/")[2]):
            pairs = [_prefixes(folded, other) for other in others[:_MOST_OF_A_NAME]]
            found[min(pairs, key=lambda pair: len(pair[0]) + len(pair[1]))] += 1
    for (strip, add), _ in found.most_common(3):
        yield replace(rule, strip_prefix=strip, add_prefix=add)


def _prefixes(one: str, other: str) -> tuple[str, str]:
    """What stands before the longest run of folders and name that two paths end in."""
    parts, others = one.split("/"), other.split("/")
    same = 0
    while same < min(len(parts), len(others)) and parts[-1 - same] == others[-1 - same]:
        same += 1
    return _folder(parts[: len(parts) - same]), _folder(others[: len(others) - same])


def _folder(parts: Sequence[str]) -> str:
    return "".join(f"{part}/" for part in parts)


def _count(keys: Sequence[str], images: Sequence[TaskKey], rule: Rule) -> int:
    """How many rows the rule matches; none where it would be refused."""
    held = Counter(rule.of_image(image) for image in images)
    compared = [rule.of_row(key) for key in keys]
    is_refused = len(set(compared)) < len(compared) or any(held[one] > 1 for one in compared)
    return 0 if is_refused else sum(one in held for one in compared)


def _checked(keys: Sequence[str | None], file: str) -> Sequence[str]:
    said = [key for key in keys if key]
    if len(said) < len(keys):
        row = next(place for place, key in enumerate(keys, start=1) if not key)
        raise InvalidDataError(
            "key-missing",
            f"{len(keys) - len(said)} rows of {file} name no image, row {row} first",
            subject=file,
            unchanged=UNCHANGED,
            hint="fill the key column in, or take these rows out",
        )
    return said


def _refuse_repeated(keys: Sequence[str], rule: Rule, file: str) -> None:
    first: dict[str, int] = {}
    repeated: list[str] = []
    for row, key in enumerate(keys, start=1):
        other = first.setdefault(rule.of_row(key), row)
        if other != row:
            repeated.append(f"rows {other} and {row}: {keys[other - 1]} and {key}")
    if repeated:
        raise InvalidDataError(
            "key-repeated",
            f"{file} has {len(repeated)} keys more than once",
            subject=file,
            where=(("keys", examples(repeated)),),
            unchanged=UNCHANGED,
            hint="an image has one row: make one of them first"
            + (", or match whole paths: --match-on path" if rule.on is MatchOn.NAME else ""),
        )


def _refuse_ambiguous(
    keys: Sequence[str], found: Sequence[Sequence[TaskKey]], rule: Rule, file: str
) -> None:
    several = [
        f"{key}: {' or '.join(sorted(images)[:2])}"
        for key, images in zip(keys, found, strict=True)
        if len(images) > 1
    ]
    if several:
        raise InvalidDataError(
            "key-ambiguous",
            f"{len(several)} keys of {file} stand for several images each",
            subject=file,
            where=(("keys", examples(several)),),
            unchanged=UNCHANGED,
            hint="match whole paths: --match-on path, with --strip-prefix and --add-prefix"
            if rule.on is MatchOn.NAME
            else "match exactly: leave --alike out",
        )


def _refuse_nothing(keys: Sequence[str], images: Sequence[TaskKey], rule: Rule, file: str) -> None:
    found = suggest(keys, images, rule)
    if found:
        options = found[0].options or "no option at all"
        hint = f"{found[1]} of {len(keys)} rows match with: {options}"
    else:
        hint = "not even file names are the same: is this the right column, and the right dataset?"
    raise InvalidDataError(
        "no-match",
        f"not one of the {len(keys)} rows of {file} names one of the {len(images)} images",
        subject=file,
        where=(
            (f"key in {file}", examples(keys[:_MOST_SHOWN])),
            ("image", examples(sorted(images)[:_MOST_SHOWN]) or "there is none"),
        ),
        unchanged=UNCHANGED,
        hint=hint,
    )
