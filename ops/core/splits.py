"""Splits: which part of the tasks a model learns from, and which it is judged by.

Owns how a part is chosen, so that any machine chooses the same and a task never changes its part,
and what is kept together. Does not find duplicates (duplicates.py), evaluate `--by` (ops/tables.py)
or read a repository (ops/runner/splits.py); the document beside a split is split_facts.py's.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil

from ops.core.duplicates import Link, Sets
from ops.core.lines import line
from ops.core.names import check_table_name
from ops.core.records import TaskKey
from ops.errors import UsageError

_RATIO = re.compile(r"\d{1,3}(\.\d{1,12})?|\.\d{1,12}|\d{1,9}/[1-9]\d{0,8}", re.ASCII)
_HASH_BYTES = 16
_PLACES = 2 ** (8 * _HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One task's part, and the group it came with: a value of `--by`, or a task's key."""

    key: TaskKey
    part: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Two tasks that belong together and are in different parts."""

    link: Link
    part: str
    other_part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A whole split.

    Attributes:
        assignments: of every task there is and ever was, by key.
        added: the tasks that had none before, sorted.
        leaks: sorted; of two tasks that were in different parts before, or that a new one joins.
    """

    assignments: Sequence[Assignment]
    added: Sequence[TaskKey]
    leaks: Sequence[Leak]


def parse_ratios(text: str) -> Mapping[str, Fraction]:
    """The parts and their shares, by name, from `train=0.8,val=0.1,test=0.1`; `1/3` is a share.

    Raises:
        UsageError: it is not of that form, names a part twice, or does not add up to 1.
    """
    ratios: dict[str, Fraction] = {}
    for piece in text.split(","):
        name, equals, share = (word.strip() for word in piece.partition("="))
        if not equals or not _RATIO.fullmatch(share):
            _refuse_ratios(text, f"{piece.strip()!r} is no part with its share")
        if check_table_name(name, noun="part of a split") in ratios:
            _refuse_ratios(text, f"{name} is there twice")
        ratios[name] = Fraction(share)
    total = sum(ratios.values(), Fraction(0))
    if total != 1:
        _refuse_ratios(text, f"the shares add up to {share_text(total)}, not to 1")
    return {name: ratios[name] for name in sorted(ratios)}


def _refuse_ratios(text: str, problem: str) -> None:
    raise UsageError(
        "split-ratios",
        f"no ratios of a split: {problem}",
        subject=text,
        unchanged="nothing was read or written",
        hint="--ratios train=0.8,val=0.1,test=0.1",
    )


def share_text(share: Fraction) -> str:
    """A share as it is stored and shown: `0.8`, or `1/3` where decimals would never end."""
    for digits in range(13):
        if (share * 10**digits).denominator == 1:
            whole, rest = divmod(int(share * 10**digits), 10**digits)
            return f"{whole}.{rest:0{digits}}" if digits else str(whole)
    return str(share)


def chosen_part(group: str, *, seed: int, ratios: Mapping[str, Fraction]) -> str:
    """The part of a group nobody has assigned: a function of its name and the seed alone.

    The first 16 bytes of the SHA-256 of `seed:group`, as a share of all there are, fall into one
    of the parts, which lie beside one another by name.

    Args:
        group: its name.
        seed: of the split.
        ratios: shares that add up to 1.
    """
    return _drawn(group, seed, _edges(ratios))


def _edges(ratios: Mapping[str, Fraction]) -> Sequence[tuple[str, int]]:
    """The parts by name, each with the first place that is beyond it."""
    names = sorted(ratios)
    edges = accumulate(ratios[name] for name in names)
    return [(name, ceil(edge * _PLACES)) for name, edge in zip(names, edges, strict=True)]


def _drawn(group: str, seed: int, edges: Sequence[tuple[str, int]]) -> str:
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()[:_HASH_BYTES]
    place = int.from_bytes(digest)
    return next(name for name, edge in edges if place < edge)


def assign(
    keys: Iterable[TaskKey],
    before: Mapping[TaskKey, Assignment],
    *,
    links: Iterable[Link],
    names: Mapping[TaskKey, str],
    seed: int,
    ratios: Mapping[str, Fraction],
) -> Assigned:
    """Give every task a part; those that have one keep it.

    Tasks are brought together along links, the strongest and nearest first. A task that comes to
    ones that have a part gets theirs; where two are in different parts they stay so, and that is a
    leak. What is left gets the part its name chooses. The order of keys and links does not matter.

    Args:
        keys: every task.
        before: what is assigned already; also of tasks that are gone.
        links: between any of the tasks; others are passed over.
        names: the value of `--by`, of tasks that have one.
        seed: of the split.
        ratios: shares that add up to 1.
    """
    present = set(keys)
    sets, leads = Sets(), dict(before)
    leaks: list[Leak] = []
    for link in sorted(links):
        if link.one not in present or link.other not in present:
            continue
        one, other = sets.find(link.one), sets.find(link.other)
        first, second = leads.get(one), leads.get(other)
        if first and second and first.part != second.part:
            leaks.append(Leak(link=link, part=first.part, other_part=second.part))
        elif one != other:
            lead = min((found for found in (first, second) if found), key=_by_key, default=None)
            root = sets.join(one, other)
            if lead:
                leads[root] = lead
    added = sorted(present - before.keys())
    chosen = _chosen(added, sets, names)
    # A group whose tasks are all gone keeps its part for those that come back to it.
    known = {before[key].group: before[key] for key in sorted(before, reverse=True)}
    every, edges = dict(before), _edges(ratios)
    for key in added:
        root = sets.find(key)
        lead = leads.get(root) or known.get(chosen[root])
        group = lead.group if lead else chosen[root]
        part = lead.part if lead else _drawn(group, seed, edges)
        every[key] = Assignment(key=key, part=part, group=group)
    return Assigned(
        assignments=[every[key] for key in sorted(every)],
        added=added,
        leaks=leaks,
    )


def _by_key(assignment: Assignment) -> TaskKey:
    return assignment.key


def _chosen(
    added: Sequence[TaskKey], sets: Sets, names: Mapping[TaskKey, str]
) -> Mapping[TaskKey, str]:
    """The name of each set of new tasks: the first value of `--by` in it, or its first key."""
    found: dict[TaskKey, str] = {}
    for key in added:
        root = sets.find(key)
        if key in names:
            found[root] = min(names[key], found.get(root, names[key]))
    return {sets.find(key): found.get(sets.find(key), sets.find(key)) for key in added}


def assignments_digest(assignments: Iterable[Assignment]) -> str:
    """The digest of a split's assignments, whatever their order.

    sha256, in hexadecimal, over a line a task, sorted by key (code points): the JSON array of key,
    part and group, and a newline.
    """
    digest = hashlib.sha256()
    for one in sorted(assignments, key=_by_key):
        digest.update(line([one.key, one.part, one.group]))
    return digest.hexdigest()


def counts_by_part(
    assignments: Iterable[Assignment], ratios: Mapping[str, Fraction]
) -> dict[str, int]:
    """How many tasks are in each part, by name; a part without any is there with 0."""
    tally = Counter(one.part for one in assignments)
    return {name: tally[name] for name in sorted(ratios)}


def parts_far_off(counts: Mapping[str, int], ratios: Mapping[str, Fraction]) -> Sequence[str]:
    """The parts whose share is more than 5 of 100 off what was asked, or which are empty."""
    total = max(sum(counts.values()), 1)
    return [
        name
        for name in sorted(ratios)
        if abs(Fraction(counts[name], total) - ratios[name]) > _FAR_OFF
        or (ratios[name] and not counts[name])
    ]


_FAR_OFF = Fraction(1, 20)
