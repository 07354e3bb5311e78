"""Which entries of a result are one thing, and which things of two results are the same.

Owns the matching that the merge and the label diff share. Does not know annotations.

| matched by | what |
|---|---|
| id | a region: an entry a control |
| from_id, to_id | a relation |
| from_name, to_name, type | an answer about the whole task: each editor gives it another id |
"""

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from ops.core.conflicts import Entries
from ops.core.records import Json
from ops.core.regions import RELATION, is_relation, value_of

Unit: TypeAlias = tuple[str, ...]
"""What is matched: REGION, ANSWER or RELATION, and by what."""

REGION, ANSWER = "region", "answer"
# Controls whose answer about the whole task is a value of one field; about a region they repeat its
# geometry.
_ANSWERS = frozenset(
    ("choices", "taxonomy", "rating", "number", "datetime", "textarea", "pairwise", "ranker")
)


def units(result: Entries) -> dict[Unit, Entries]:
    """The entries of a result by the unit they belong to."""
    uses = Counter(str(entry.get("id")) for entry in result)
    found: dict[Unit, list[Mapping[str, Json]]] = {}
    for entry in result:
        is_shared = uses[str(entry.get("id"))] > 1
        found.setdefault(_unit(entry, is_shared=is_shared), []).append(entry)
    return {unit: tuple(entries) for unit, entries in found.items()}


def _unit(entry: Mapping[str, Json], *, is_shared: bool) -> Unit:
    if is_relation(entry):
        return (RELATION, str(entry.get("from_id")), str(entry.get("to_id")))
    name, kind = entry.get("id"), str(entry.get("type"))
    is_answer = kind in _ANSWERS and len(value_of(entry)) == 1 and not is_shared
    if isinstance(name, str) and not is_answer:
        return (REGION, name)
    return (ANSWER, str(entry.get("from_name")), str(entry.get("to_name")), kind)
