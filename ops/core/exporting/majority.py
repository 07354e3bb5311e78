"""What more than half of the people who answered a task say.

Owns the vote. Each person has one, with the newest of their answers. Of n people:

    regions     Two people's regions are the same thing where agreement would match them: same
                control, type and labels, and an IoU of at least 0.5; regions without an area, where
                their values are equal. Pairs are joined from the greatest overlap down, a thing
                never taking two regions of one person. A thing that more than n/2 people marked
                stays. It is exported as the one of its regions that overlaps most with its others,
                on average; of equal ones the newest person's.
    questions   The answer that more than n/2 people gave; of multiple choices each that more than
                n/2 people chose.
    empty       Exported where nothing stays and more than n/2 people submitted nothing. Where
                people marked things and nothing stays, there is no answer at all: an empty picture
                is never made out of disagreement.

What exactly n/2 people gave is a tie, and stays out. Relations are not voted on and stay out.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import TypeAlias

from ops.core.agreement import MATCHING_IOU
from ops.core.encoding import encode
from ops.core.exporting.marks import Answer, Mark, read_result
from ops.core.geometry import iou
from ops.core.records import Annotation, Json
from ops.core.regions import is_relation, value_of

MAJORITY = "majority"
"""The annotator of what a vote made."""

_Entry: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """What a vote gave: the answer, None where there is none; and what stayed out."""

    answer: Annotation | None
    outvoted: int = 0
    ties: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ballot:
    """One region of one person, with all entries of it."""

    voter: int
    mark: Mark
    entries: tuple[_Entry, ...]

    @property
    def kind(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        entry = self.mark.entry
        return str(entry.get("from_name")), str(entry.get("type")), frozenset(self.mark.labels)


def vote(answers: Sequence[Annotation]) -> Voted:
    """What more than half of the people say; one person's only answer is taken as it is."""
    voters = _voters(answers)
    if len(voters) == 1:
        return Voted(answer=voters[0])
    regions = _regions(voters)
    questions = _questions(voters)
    kept = [*regions.kept, *questions.kept]
    said_nothing = sum(not one.result for one in voters)
    outvoted = regions.outvoted + questions.outvoted
    ties = regions.ties + questions.ties
    if not kept and 2 * said_nothing <= len(voters):
        return Voted(answer=None, outvoted=outvoted, ties=ties)
    newest = max(voters, key=lambda one: (one.updated_at, one.unique_id))
    answer = replace(
        newest,
        unique_id=f"{MAJORITY}:{'+'.join(sorted(one.unique_id for one in voters))}",
        annotator=MAJORITY,
        updated_by=None,
        ground_truth=False,
        lead_time_s=None,
        prediction=None,
        origins={},
        result=tuple(kept),
    )
    return Voted(answer=answer, outvoted=outvoted, ties=ties)


def _voters(answers: Sequence[Annotation]) -> list[Annotation]:
    """Each person's newest answer, by e-mail."""
    by_age = sorted(answers, key=lambda one: (one.updated_at, one.unique_id))
    newest = {one.annotator: one for one in by_age}
    return [newest[who] for who in sorted(newest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    kept: Sequence[_Entry]
    outvoted: int
    ties: int


def _regions(voters: Sequence[Annotation]) -> _Count:
    ballots = [ballot for number, one in enumerate(voters) for ballot in _ballots(number, one)]
    kept: list[_Entry] = []
    outvoted = ties = 0
    for things in _things(ballots):
        if 2 * len(things) > len(voters):
            best = _best(things, voters)
            # Two people's regions may bear one id; in one answer they would be one region.
            name = f"{voters[best.voter].unique_id}:{best.mark.region_id}"
            kept += [{**entry, "id": name} for entry in best.entries]
        else:
            outvoted += len(things)
            ties += len(things) if 2 * len(things) == len(voters) else 0
    return _Count(kept=kept, outvoted=outvoted, ties=ties)


def _ballots(voter: int, answer: Annotation) -> Iterator[_Ballot]:
    for mark in read_result(answer.result).marks:
        entries = tuple(
            entry
            for entry in answer.result
            if not is_relation(entry)
            and (entry is mark.entry or str(entry.get("id")) == mark.region_id)
        )
        yield _Ballot(voter=voter, mark=mark, entries=entries)


def _things(ballots: Sequence[_Ballot]) -> list[list[_Ballot]]:
    """The regions that are one thing together, by the place of the first of them."""
    pairs = [
        (overlap, one, two)
        for one, two in combinations(range(len(ballots)), 2)
        if (overlap := _overlap(ballots[one], ballots[two])) >= MATCHING_IOU
    ]
    thing_of = {place: {place} for place in range(len(ballots))}
    for _, one, two in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        left, right = thing_of[one], thing_of[two]
        people = [ballots[place].voter for place in (*left, *right)]
        if left is right or len(set(people)) < len(people):
            continue
        joined = left | right
        thing_of.update(dict.fromkeys(joined, joined))
    firsts = [place for place, thing in thing_of.items() if min(thing) == place]
    return [[ballots[place] for place in sorted(thing_of[first])] for first in firsts]


def _overlap(one: _Ballot, two: _Ballot) -> float:
    """How far two people's regions are one thing: 0 for two that cannot be."""
    if one.voter == two.voter or one.kind != two.kind:
        return 0.0
    overlap = iou(one.mark.entry, two.mark.entry)
    if overlap is None:
        return float(value_of(one.mark.entry) == value_of(two.mark.entry))
    return overlap


def _best(things: Sequence[_Ballot], voters: Sequence[Annotation]) -> _Ballot:
    """The region that overlaps most with the others of its thing."""

    def rank(ballot: _Ballot) -> tuple[float, str, str]:
        others = [_overlap(ballot, other) for other in things if other is not ballot]
        voter = voters[ballot.voter]
        return (fmean(others) if others else 0.0, voter.updated_at, voter.unique_id)

    return max(things, key=rank)


def _questions(voters: Sequence[Annotation]) -> _Count:
    kept: list[_Entry] = []
    outvoted = ties = 0
    asked: dict[tuple[str, str], list[tuple[Answer, _Entry]]] = defaultdict(list)
    for one in voters:
        for answer, entry in _said(one):
            asked[answer.control, answer.type].append((answer, entry))
    for _, given in sorted(asked.items()):
        found = _settled(given, len(voters))
        kept += found.kept
        outvoted += found.outvoted
        ties += found.ties
    return _Count(kept=kept, outvoted=outvoted, ties=ties)


def _said(one: Annotation) -> Iterator[tuple[Answer, _Entry]]:
    """What a person answered about the whole task, each with its entry."""
    regions = {mark.region_id for mark in read_result(one.result).marks}
    for entry in one.result:
        reading = read_result([entry])
        if reading.answers and str(entry.get("id")) not in regions:
            yield reading.answers[0], entry


def _settled(given: Sequence[tuple[Answer, _Entry]], people: int) -> _Count:
    """The answer to one question."""
    if given[0][0].is_choice and any(len(answer.labels) > 1 for answer, _ in given):
        return _several(given, people)
    by_value: dict[bytes, list[_Entry]] = defaultdict(list)
    for answer, entry in given:
        by_value[encode([answer.said])].append(entry)
    stay = [entries[:1] for entries in by_value.values() if 2 * len(entries) > people]
    out = [len(entries) for entries in by_value.values() if 2 * len(entries) <= people]
    ties = sum(count for count in out if 2 * count == people)
    return _Count(kept=stay[0] if stay else (), outvoted=sum(out), ties=ties)


def _several(given: Sequence[tuple[Answer, _Entry]], people: int) -> _Count:
    """Each of multiple choices by itself."""
    counts: dict[str, int] = {}
    for answer, _ in given:
        for name in answer.labels:
            counts[name] = counts.get(name, 0) + 1
    stay = [name for name, count in counts.items() if 2 * count > people]
    out = {name: count for name, count in counts.items() if name not in stay}
    ties = sum(count for count in out.values() if 2 * count == people)
    if not stay:
        return _Count(kept=(), outvoted=sum(out.values()), ties=ties)
    entry = dict(given[0][1])
    kind = str(entry.get("type"))
    value = value_of(entry)
    chosen = [one for _, other in given for one in _items(value_of(other).get(kind))]
    unique = [one for place, one in enumerate(chosen) if one not in chosen[:place]]
    said: list[Json] = [one for one in unique if _name(one) in stay]
    entry["value"] = {**value, kind: said}
    return _Count(kept=(entry,), outvoted=sum(out.values()), ties=ties)


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _name(one: Json) -> str:
    return "/".join(map(str, one)) if isinstance(one, list) else str(one)
