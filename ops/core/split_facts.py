"""The document beside a split's assignments: how the split was asked for, and what came of it.

Owns its form, `ops.split/1`. Does not assign (splits.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.lines import maybe, stored
from ops.core.names import facts_path, split_path
from ops.core.records import CommitId, Json
from ops.core.splits import parse_ratios, share_text
from ops.errors import UsageError

_SCHEMA = "ops.split/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """What is known of a split.

    Attributes:
        ratios: the share asked for each part, by name; they add up to 1.
        seed: what parts were drawn with.
        by: the expression whose value keeps tasks together, or None.
        near_distance: bits in which the hashes of pictures that are kept together may differ.
        counts: tasks in each part, by name.
        digest: ops.core.splits.assignments_digest of them.
        base: the commit whose images it covers.
        made_by, made_at: who brought it up to that commit, and when.
    """

    name: str
    ratios: Mapping[str, Fraction]
    seed: int
    by: str | None
    near_distance: int
    counts: Mapping[str, int]
    digest: str
    base: CommitId
    made_by: str
    made_at: str

    def as_mapping(self) -> dict[str, Json]:
        """The facts as they are stored, and for programs."""
        return {
            "schema": _SCHEMA,
            "name": self.name,
            "ratios": {name: share_text(share) for name, share in self.ratios.items()},
            "seed": self.seed,
            "by": self.by,
            "near_distance": self.near_distance,
            "counts": dict(self.counts),
            "digest": self.digest,
            "base": self.base,
            "made_by": self.made_by,
            "made_at": self.made_at,
        }

    def encode(self) -> bytes:
        """The document's bytes."""
        return encode(self.as_mapping())


_FIELDS = frozenset(
    (
        *("schema", "name", "ratios", "seed", "by", "near_distance", "counts", "digest", "base"),
        *("made_by", "made_at"),
    )
)


def decode_split_facts(data: bytes, name: str) -> SplitFacts:
    """The document beside a split.

    Raises:
        InvalidDataError: it is none, or another split's.
    """
    source = stored(facts_path(split_path(name)), "split-invalid")
    fields = Fields.of(parse(data, source), "", source)
    fields.only(_FIELDS)
    if fields.text("schema") != _SCHEMA:
        fields.refuse("schema", f"is {fields.text('schema')!r}, and this ops knows {_SCHEMA!r}")
    if fields.text("name") != name:
        fields.refuse("name", f"is {fields.text('name')!r}, another split's")
    counts = fields.fields("counts")
    return SplitFacts(
        name=name,
        ratios=_ratios(fields),
        seed=_seed(fields),
        by=maybe(fields, "by", fields.text),
        near_distance=fields.integer("near_distance"),
        counts={part: counts.integer(part) for part in counts.values},
        digest=fields.text("digest"),
        base=CommitId(fields.text("base")),
        made_by=fields.text("made_by"),
        made_at=fields.timestamp("made_at"),
    )


def _ratios(fields: Fields) -> Mapping[str, Fraction]:
    ratios = fields.fields("ratios")
    text = ",".join(f"{name}={ratios.text(name)}" for name in ratios.values)
    try:
        return parse_ratios(text)
    except UsageError as error:
        fields.refuse("ratios", f"are {text!r}: {error.message}")


def _seed(fields: Fields) -> int:
    """A whole number, below zero too."""
    seed = fields.any("seed")
    if not isinstance(seed, int) or isinstance(seed, bool):
        fields.refuse("seed", "must be a whole number")
    return seed
