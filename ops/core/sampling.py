"""Tasks by chance: the same for one seed on any machine.

Owns the order chance puts keys in, how many a percentage is, and how a sample is shared among
groups. Asks no random generator: the order is that of hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ops.core.records import TaskKey


def by_chance(keys: Sequence[TaskKey], count: int, seed: int) -> Sequence[TaskKey]:
    """The first `count` keys in the order of the SHA-256 of `seed:key`.

    Further keys change what is taken only by those of them that come before its last.
    """
    return sorted(keys, key=lambda key: _chance(seed, key))[:count]


def _chance(seed: int, key: TaskKey) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def part_of(count: int, percent: float) -> int:
    """How many a percentage of `count` is: rounded half up, and one at least where there is any.

    The percentage counts as it is written, in decimals: 0.1 is one in a thousand.
    """
    exact = Fraction(str(percent)) * count / 100
    return max(1, int(exact + Fraction(1, 2))) if count else 0


def shares(sizes: Mapping[str, int], count: int) -> Mapping[str, int]:
    """How many of each group a sample of `count` takes: in proportion, by largest remainder.

    Each group gets its exact share rounded down; what is left goes one each to the groups with the
    largest rest, of equals to the first by name. Never more than a group holds; the shares add up
    to `count`, or to all there are. Hamilton's method of apportionment.
    """
    total = sum(sizes.values())
    if count >= total:
        return dict(sizes)
    taken = {name: size * count // total for name, size in sizes.items()}
    left = count - sum(taken.values())
    by_rest = sorted(sizes, key=lambda name: (-(sizes[name] * count % total), name))
    return {name: taken[name] + (name in set(by_rest[:left])) for name in sizes}


def stratified(
    keys: Sequence[TaskKey], count: int, seed: int, groups: Mapping[TaskKey, object]
) -> Sequence[TaskKey]:
    """A sample that holds each group in proportion; within a group as by_chance.

    Args:
        keys: the candidates.
        count: how many.
        seed: of the chance.
        groups: each key's value; None, and a key that is not there, are a group of their own.
    """
    members: dict[str, list[TaskKey]] = {}
    for key in keys:
        value = groups.get(key)
        members.setdefault(f"{type(value).__name__} {value!r}", []).append(key)
    share = shares({name: len(found) for name, found in members.items()}, count)
    return [key for name in share for key in by_chance(members[name], share[name], seed)]
