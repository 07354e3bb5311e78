"""Objects in a bucket that are to become pictures where they lie: which may, and why others not.

Owns the rule of what cannot change under a dataset's feet. lakeFS reads an object by its name: one
that is overwritten has other bytes in every version that names it, one that is deleted is gone from
all of them. Asks no bucket anything (ops/runner/imports.py does).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ops.core.buckets import BucketFacts
from ops.core.names import media_problem
from ops.core.records import TaskKey

LONG = timedelta(days=365)
"""How long a retention must still run for what it keeps to count as fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketObject:
    """One object as a bucket lists it.

    Attributes:
        md5: of its bytes, in hex; None where the bucket knows none: it was composed of parts.
        generation: which writing of that name it is.
        is_encoded: its bytes are stored compressed, and may be served as others.
        is_held: a hold keeps it from being overwritten or deleted.
        kept_until: until when a retention rule does; None for none.
    """

    name: str
    size_bytes: int
    md5: str | None
    generation: int
    content_type: str
    is_encoded: bool = False
    is_held: bool = False
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An object in a bucket, and the key its task would have."""

    key: TaskKey
    object: BucketObject


class Why(StrEnum):
    """Why a picture cannot be taken in place, and what is said of it."""

    NAME = "name"
    NO_CHECKSUM = "no-checksum"
    ENCODED = "encoded"
    CHANGED = "changed"
    TAKEN = "taken"
    MUTABLE = "mutable"
    DOOMED = "doomed"


ACCEPTABLE = frozenset({Why.MUTABLE, Why.DOOMED})
"""What somebody may say to see to."""

REMEDIES = {
    Why.NAME: "copy the object to a name that fits",
    Why.NO_CHECKSUM: "upload it again in one piece, or take a copy: ops data add PATH",
    Why.ENCODED: "upload it again without Content-Encoding, or take a copy: ops data add PATH",
    Why.CHANGED: "run the same command again once nobody writes there",
    Why.TAKEN: "import under other names: --to NAME/",
    Why.MUTABLE: "keep old generations: gcloud storage buckets update gs://{bucket} --versioning\n"
    "or see to it that nobody overwrites or deletes them, and say so: --accept-mutable",
    Why.DOOMED: "take them out of the lifecycle rule\n"
    "or see to it that they stay, and say so: --accept-mutable",
}
"""What to do about each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A picture that cannot be taken in place: why, and the reason in words."""

    source: Candidate
    why: Why
    reason: str


def key_of(name: str, folder: str, prefix: str) -> TaskKey:
    """The key of an object: its name below the folder, behind the prefix."""
    return TaskKey(prefix + name.removeprefix(folder))


def is_hidden(key: str) -> bool:
    """Whether an object is passed over, as `ops data add` does: a folder's mark, a hidden file."""
    return key.endswith("/") or any(part.startswith(".") for part in key.split("/"))


def refusals(
    source: Candidate, facts: BucketFacts, *, now: datetime, digests: Collection[str] = ()
) -> Iterable[Refusal]:
    """Every reason why a picture cannot be taken where it lies.

    Args:
        source: it.
        facts: how its bucket is set up.
        now: the time.
        digests: of its bytes, in hex, as far as they were read.
    """
    found = source.object
    if problem := media_problem(source.key):
        yield Refusal(source=source, why=Why.NAME, reason=problem)
    if found.md5 is None:
        reason = "has no md5, as objects composed of parts: nothing could tell a change"
        yield Refusal(source=source, why=Why.NO_CHECKSUM, reason=reason)
    if found.is_encoded:
        reason = "is stored with a Content-Encoding: it is served as other bytes"
        yield Refusal(source=source, why=Why.ENCODED, reason=reason)
    if not _is_kept(found, now):
        yield from _unkept(source, facts, digests)


def _unkept(source: Candidate, facts: BucketFacts, digests: Collection[str]) -> Iterable[Refusal]:
    found = source.object
    rules = [rule for rule in facts.lifecycle if rule.deletes_live and rule.meets(found.name)]
    if rules:
        reason = f"will be deleted by a lifecycle rule: {rules[0].in_words}"
        yield Refusal(source=source, why=Why.DOOMED, reason=reason)
    if not facts.is_versioned and not _names_its_bytes(found, digests):
        until = f" after {found.kept_until:%Y-%m-%d}" if found.kept_until else ""
        reason = "can be overwritten: its name does not hold its md5, the bucket keeps no old "
        reason += f"generations, and nothing holds it{until}"
        yield Refusal(source=source, why=Why.MUTABLE, reason=reason)


def _is_kept(found: BucketObject, now: datetime) -> bool:
    return found.is_held or (found.kept_until is not None and found.kept_until - now >= LONG)


def _names_its_bytes(found: BucketObject, digests: Collection[str]) -> bool:
    """Whether a name holds a checksum of the bytes: others would have another name."""
    name = found.name.lower()
    return any(one in name for one in (found.md5, *digests) if one)


def told(refused: Sequence[Refusal], most: int = 10) -> tuple[tuple[str, str], ...]:
    """The refusals for people, by why: how many, and the first few with their reasons."""
    lines: list[tuple[str, str]] = []
    for why in Why:
        those = [one for one in refused if one.why is why]
        if those:
            named = [f"{one.source.object.name} {one.reason}" for one in those[:most]]
            more = [f"… and {len(those) - most} more: --json"] if len(those) > most else []
            lines.append((why.value, "\n".join([*named, *more])))
    return tuple(lines)
