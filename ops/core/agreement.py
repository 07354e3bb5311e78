"""How far the people who answered one task agree: named measures, each with its formula.

Owns the measures. Each is a mean over all pairs of annotators, from 0 to 1. Owns no geometry
(geometry.py). Skips are no answers; of several answers of one person the newest counts.

For two people whose results are A and B:

    regions     2 m / (|A| + |B|) over the entries with an area (boxes, ellipses, polygons), m
                being the most that can be matched one to one. Two match where control and labels
                are the same and the IoU is at least 0.5, or where they are equal. The F1 score of
                object detection (its Dice form), which is the same whoever counts as the truth.
                Two empty results agree: 1.
    answers     over the questions about the whole task either of them answered (choices, taxonomy,
                rating, number, date, pairwise, ranker), the share both answered the same. The order
                of choices does not count.
    combined    the mean of those of the two that can be measured.

What cannot be measured is None: nobody else answered, or neither said anything the measure looks
at. Relations, typed texts and regions without an area (brushes, key points, spans) are looked at by
none of them.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from statistics import fmean
from typing import TypeAlias, assert_never

from ops.core.geometry import iou, shape
from ops.core.records import Annotation, Json, Record
from ops.core.regions import is_relation, label_paths, value_of

MATCHING_IOU = 0.5
"""From which overlap on two regions are one, as in PASCAL VOC."""

_Result: TypeAlias = Sequence[Mapping[str, Json]]

_QUESTIONS = frozenset(
    {"choices", "taxonomy", "rating", "number", "datetime", "pairwise", "ranker"}
)
_UNORDERED = frozenset({"choices", "taxonomy"})
# What the editor puts into the value of an answer about a span of a text or a sound.
_SPAN = frozenset({"start", "end"})


class Measure(StrEnum):
    """How agreement is measured."""

    REGIONS = "regions"
    ANSWERS = "answers"
    COMBINED = "combined"


def agreement(record: Record, measure: Measure) -> float | None:
    """The agreement of the people who answered a task, 0 to 1; None where it cannot be measured.

    The mean over the pairs that can be measured. Time: an IoU for each two regions of one class.
    """
    pairs = combinations(newest_answers(record), 2)
    values = [_of_pair(one.result, two.result, measure) for one, two in pairs]
    measured = [value for value in values if value is not None]
    return fmean(measured) if measured else None


def newest_answers(record: Record) -> list[Annotation]:
    """The newest answer of each person, by annotator; skips are none."""
    answers = [one for one in record.annotations if not one.skipped]
    answers.sort(key=lambda one: (one.updated_at, one.unique_id))
    newest = {one.annotator: one for one in answers}
    return [newest[who] for who in sorted(newest)]


def _of_pair(one: _Result, two: _Result, measure: Measure) -> float | None:
    match measure:
        case Measure.REGIONS:
            return _of_regions(one, two)
        case Measure.ANSWERS:
            return _of_answers(one, two)
        case Measure.COMBINED:
            parts = [_of_regions(one, two), _of_answers(one, two)]
            measured = [part for part in parts if part is not None]
            return fmean(measured) if measured else None
        case _:
            assert_never(measure)


def _of_regions(one: _Result, two: _Result) -> float | None:
    if not one and not two:
        return 1.0
    left = [region for region in one if shape(region) is not None]
    right = [region for region in two if shape(region) is not None]
    if not left and not right:
        return None
    candidates = [
        [place for place, other in enumerate(right) if _is_match(region, other)] for region in left
    ]
    return 2 * _matched_count(candidates) / (len(left) + len(right))


def _is_match(one: Mapping[str, Json], two: Mapping[str, Json]) -> bool:
    if _class(one) != _class(two):
        return False
    overlap = iou(one, two)
    # A box without an area overlaps with nothing, and is still the same box.
    return overlap >= MATCHING_IOU if overlap is not None else value_of(one) == value_of(two)


def _class(region: Mapping[str, Json]) -> tuple[str, str, frozenset[tuple[str, ...]]]:
    named = frozenset(label_paths(region))
    return str(region.get("from_name")), str(region.get("type")), named


def _matched_count(candidates: Sequence[Sequence[int]]) -> int:
    """The most pairs that can be had one to one: augmenting paths, breadth first.

    Args:
        candidates: for each on the left, those on the right it may be matched with.
    """
    partner_of_left: dict[int, int] = {}
    partner_of_right: dict[int, int] = {}
    for start in range(len(candidates)):
        came_from, end = _path(start, candidates, partner_of_right)
        while end is not None:
            left = came_from[end]
            before = partner_of_left.get(left)
            partner_of_left[left], partner_of_right[end] = end, left
            end = before
    return len(partner_of_right)


def _path(
    start: int, candidates: Sequence[Sequence[int]], partner_of_right: Mapping[int, int]
) -> tuple[Mapping[int, int], int | None]:
    """From whom each on the right was reached, and the first of them without a partner."""
    came_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        left = waiting.popleft()
        for right in candidates[left]:
            if right in came_from:
                continue
            came_from[right] = left
            if right not in partner_of_right:
                return came_from, right
            waiting.append(partner_of_right[right])
    return came_from, None


def _of_answers(one: _Result, two: _Result) -> float | None:
    left, right = _said(one), _said(two)
    questions = left.keys() | right.keys()
    if not questions:
        return None
    return fmean(left.get(question) == right.get(question) for question in questions)


def _said(result: _Result) -> Mapping[tuple[str, str, str], list[str]]:
    """What a result answers about the whole task, by control, object and type."""
    regions = {str(one.get("id")) for one in result if one.get("type") not in _QUESTIONS}
    found: dict[tuple[str, str, str], list[str]] = {}
    for entry in result:
        kind = str(entry.get("type"))
        value = value_of(entry)
        is_about_part = shape(entry) is not None or value.keys() >= _SPAN
        if kind not in _QUESTIONS or is_relation(entry) or is_about_part:
            continue
        if "id" in entry and str(entry["id"]) in regions:
            continue
        question = (str(entry.get("from_name")), str(entry.get("to_name")), kind)
        stated = label_paths(entry) if kind in _UNORDERED else (value.get(kind),)
        found.setdefault(question, []).extend(map(repr, stated))
    return {question: sorted(answers) for question, answers in found.items()}
