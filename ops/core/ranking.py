"""An order among tasks: which come first where not all can be taken.

Owns what can be ranked by, how the manifest words it, and the order itself; pure. The values it
orders by come from ops/runner/selection_facts.py; what is pinned here comes again without them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ops.core.documents import Fields
from ops.core.lines import choice, maybe
from ops.core.records import Json, TaskKey

Rank: TypeAlias = float | str
"""What a task is ordered by: of one ranking all are numbers, or all are texts."""


class RankKind(StrEnum):
    """What tasks can be ranked by."""

    EXPRESSION = "expression"
    FILE = "file"
    UNCERTAIN = "uncertain"
    TEXT = "text"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What tasks are ranked by; the highest first, unless asked otherwise.

    Attributes:
        kind: where the values come from.
        by: the SQL expression, the file's column, `model@version`, the text, or the measure.
        file: the file a person brought, without its folder; None where the repository has it all.
        sha256: of the file's bytes.
        ascending: the lowest first.
        ranks: the values by key, sorted, where they are not the repository's: the manifest keeps
            those of the tasks that were taken. None where they come from the commit itself.
    """

    kind: RankKind
    by: str
    file: str | None = None
    sha256: str | None = None
    ascending: bool = False
    ranks: tuple[tuple[TaskKey, float], ...] | None = None

    def as_mapping(self) -> dict[str, Json]:
        """The ranking as the manifest holds it."""
        return {
            "ascending": self.ascending,
            "by": self.by,
            "file": self.file,
            "kind": self.kind.value,
            "ranks": None if self.ranks is None else dict(self.ranks),
            "sha256": self.sha256,
        }

    @property
    def in_words(self) -> str:
        """The ranking for people: `highest score of scores.csv first`."""
        end = "lowest" if self.ascending else "highest"
        most = "least" if self.ascending else "most"
        match self.kind:
            case RankKind.EXPRESSION:
                return f"{end} {self.by} first"
            case RankKind.FILE:
                return f"{end} {self.by} of {self.file} first"
            case RankKind.UNCERTAIN:
                return f"those {self.by} is {most} unsure of first"
            case RankKind.TEXT:
                return f"{most} like {self.by!r} first"
            case RankKind.DISAGREEMENT:
                return f"{most} disagreement first"


def decode_ranking(fields: Fields) -> Ranking:
    """A ranking from the manifest that holds it.

    Raises:
        InvalidDataError: it is none.
    """
    fields.only(_FIELDS)
    return Ranking(
        kind=choice(fields, "kind", RankKind),
        by=fields.text("by"),
        file=maybe(fields, "file", fields.text),
        sha256=maybe(fields, "sha256", fields.text),
        ascending=fields.boolean("ascending"),
        ranks=maybe(fields, "ranks", lambda name: _ranks(fields.fields(name))),
    )


_FIELDS = frozenset({"ascending", "by", "file", "kind", "ranks", "sha256"})


def _ranks(fields: Fields) -> tuple[tuple[TaskKey, float], ...]:
    return tuple((TaskKey(key), fields.number(key)) for key in sorted(fields.values))


def in_order(
    keys: Iterable[TaskKey], ranks: Mapping[TaskKey, Rank | None], *, ascending: bool
) -> Sequence[TaskKey]:
    """The keys that have a rank, the first ones first; equals by key, unknown values (None) last.

    Args:
        keys: the candidates, in any order; those without an entry in `ranks` are left out.
        ranks: all numbers or all texts; -0.0 and 0.0 are the same, there must be no NaN.
        ascending: the lowest first.
    """
    known: list[tuple[Rank, TaskKey]] = []
    unknown: list[TaskKey] = []
    for key in sorted(keys):
        if key not in ranks:
            continue
        rank = ranks[key]
        if rank is None:
            unknown.append(key)
        else:
            known.append((rank, key))
    # Sorting is stable, in reverse too: equals stay in the order of their keys.
    ordered = sorted(known, key=lambda one: one[0], reverse=not ascending)
    return [*(key for _, key in ordered), *unknown]
