"""How much the people who answered one task disagree: what a round of disputed tasks is ranked by.

Owns the measure, from 0 to 1:

    disagreement = 1 - agreement, `combined` of ops/core/agreement.py (regions of one class with an
                   IoU of at least 0.5 are one; questions about the whole task count by the share
                   answered the same; the mean over all pairs of people)

Where that measures nothing (brushes, key points, typed texts), it is 1 if any two people's answers
say different things, else 0. Skips are no answers.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ops.core.agreement import Measure, agreement, newest_answers
from ops.core.records import Json, Record

MEASURE = Measure.COMBINED


def disagreement(record: Record) -> float | None:
    """How much a task's people disagree, 0 to 1; None where fewer than two answered."""
    answers = newest_answers(record)
    if len(answers) < 2:  # noqa: PLR2004 - it takes two
        return None
    agreed = agreement(record, MEASURE)
    if agreed is not None:
        return 1 - agreed
    said = [_said(one.result) for one in answers]
    return float(any(one != two for one, two in pairwise(said)))


def _said(result: Sequence[Mapping[str, Json]]) -> list[str]:
    """What a result says, whatever its regions are called."""
    return sorted(
        repr([(name, said) for name, said in sorted(region.items()) if name != "id"])
        for region in result
    )
