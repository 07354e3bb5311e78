"""Which pictures are the same, or look the same: links between two, and groups of them.

Owns what counts as near and how near pairs are found among very many without comparing every two.
Does not hash pictures (ops/profiling.py), reads no repository (ops/runner/duplicates.py) and
decides nothing: what is linked is for people to look at, and for a split to keep together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import combinations, pairwise
from math import comb

from ops.core.records import TaskKey
from ops.errors import UsageError

NEAR_DISTANCE = 4
"""Two pictures are near when their hashes differ in at most so many of 64 bits.

Among 66 066 pairs of blood-cell pictures, which are all alike, one pair is within 10: the same
field at another focus. Copies at half size, JPEG quality 20, brighter or in gray are within 4
(docs/adr/0029-splits-and-duplicates.md).
"""

FURTHEST = 8
"""Beyond it, hashes of pictures that have nothing in common come as near as copies do."""

_BITS = 64
_EVERY_BIT = 2**_BITS - 1


class Why(IntEnum):
    """Why two tasks belong together, the strongest reason first."""

    GROUP = 0
    EXACT = 1
    NEAR = 2

    @property
    def word(self) -> str:
        """The reason in a word."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Link:
    """Two tasks that belong together; links sort by how strong they are, then by key.

    Attributes:
        distance: bits in which the hashes differ; 0 unless `why` is NEAR.
    """

    why: Why
    distance: int = 0
    one: TaskKey
    other: TaskKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tasks that links hold together, directly or through others: a connected component.

    Attributes:
        keys: sorted, two or more.
        is_exact: every link that was needed is between equal bytes.
        distance: the largest that was needed; two members may be further apart.
    """

    keys: tuple[TaskKey, ...]
    is_exact: bool
    distance: int


def check_distance(distance: int) -> int:
    """Give a distance back if near pictures can be told by it.

    Raises:
        UsageError: it is below 0, or beyond FURTHEST.
    """
    if not 0 <= distance <= FURTHEST:
        raise UsageError(
            "near-distance",
            f"a distance of {distance} does not tell near pictures from others",
            where=(("distances", f"0 to {FURTHEST} of {_BITS} bits"),),
            unchanged="nothing was read or written",
            hint=f"--near {NEAR_DISTANCE} finds copies of another size, quality or brightness",
        )
    return distance


def equal_links(
    values: Mapping[TaskKey, str], *, why: Why, first: Iterable[TaskKey] = ()
) -> Iterator[Link]:
    """Links from one task of each value to the others that have it: as few as hold them together.

    Args:
        values: what each task has, such as the digest of its picture.
        why: what it means to have the same.
        first: tasks that others are linked to rather than to the first by key.
    """
    preferred = frozenset(first)
    by_value: dict[str, list[TaskKey]] = defaultdict(list)
    for key in sorted(values, key=lambda key: (key not in preferred, key)):
        by_value[values[key]].append(key)
    for anchor, *others in by_value.values():
        for other in others:
            yield Link(why=why, one=anchor, other=other)


def near_links(hashes: Mapping[TaskKey, int], distance: int) -> Iterator[Link]:
    """Links between tasks whose hashes differ in at most `distance` bits.

    As few as hold them together where hashes are equal, every pair of hashes otherwise. Plain
    pictures (is_plain) are left out: each looks like any other.
    """
    keys: dict[int, list[TaskKey]] = defaultdict(list)
    for key in sorted(hashes):
        if not is_plain(hashes[key], distance):
            keys[hashes[key]].append(key)
    for anchor, *others in keys.values():
        for other in others:
            yield Link(why=Why.NEAR, one=anchor, other=other)
    for one, other in near_pairs(sorted(keys), distance):
        first, second = sorted((keys[one][0], keys[other][0]))
        yield Link(why=Why.NEAR, distance=(one ^ other).bit_count(), one=first, other=second)


def is_plain(value: int, distance: int) -> bool:
    """Whether a hash is within `distance` of a blank picture's, or of an even gradient's.

    A difference hash says where a picture gets brighter to the right: nowhere, in any blank one.
    """
    return min(value.bit_count(), _BITS - value.bit_count()) <= distance


def near_pairs(values: Sequence[int], distance: int) -> Iterator[tuple[int, int]]:
    """Every pair of distinct 64-bit values that differ in at most `distance` bits, each once.

    Exact, and far from comparing every two: with the bits in `distance + k` bands, two such values
    agree on at least k whole bands, so only those that share some k bands are compared (Manku,
    Jain, Das Sarma, Detecting Near-Duplicates for Web Crawling, 2007). k is what costs least for
    so many values; where very many values are alike, the pairs that are found are the cost.

    Args:
        values: distinct.
        distance: 0 or more.
    """
    masks = _masks(distance, _cheapest(len(values), distance))
    for number, mask in enumerate(masks):
        earlier = masks[:number]
        buckets: dict[int, list[int]] = defaultdict(list)
        for value in values:
            buckets[value & mask].append(value)
        for bucket in buckets.values():
            if len(bucket) > 1:
                yield from _pairs_within(bucket, distance, earlier)


def _pairs_within(
    bucket: Sequence[int], distance: int, earlier: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The near pairs of a bucket that share no earlier mask's bits, where they were found."""
    for index, one in enumerate(bucket):
        for other in bucket[index + 1 :]:
            differing = one ^ other
            if differing.bit_count() <= distance and all(differing & mask for mask in earlier):
                yield one, other


def _cheapest(count: int, distance: int) -> int:
    """The number of bands to agree on for which the fewest values are put and compared."""

    def cost(agreeing: int) -> float:
        bands = distance + agreeing
        compared = count / 2 ** (_BITS * agreeing / bands) / 2
        return comb(bands, agreeing) * (1 + compared)

    return min(range(1, _MOST_BANDS_TO_AGREE_ON + 1), key=cost)


_MOST_BANDS_TO_AGREE_ON = 4


def _masks(distance: int, agreeing: int) -> Sequence[int]:
    """A mask for every choice of `agreeing` of `distance + agreeing` bands of the 64 bits."""
    count = distance + agreeing
    edges = [_BITS * number // count for number in range(count + 1)]
    bands = [2**end - 2**start for start, end in pairwise(edges)]
    return [sum(chosen) & _EVERY_BIT for chosen in combinations(bands, agreeing)]


class Sets:
    """Tasks in sets that grow together; the first by key stands for its set."""

    def __init__(self) -> None:
        self._above: dict[TaskKey, TaskKey] = {}

    def find(self, key: TaskKey) -> TaskKey:
        """Who stands for the set of a task; itself, if it was joined with none."""
        root = key
        while (above := self._above.get(root, root)) != root:
            root = above
        while (above := self._above.get(key, key)) != root:
            self._above[key], key = root, above
        return root

    def join(self, one: TaskKey, other: TaskKey) -> TaskKey:
        """Make one set of two tasks' sets; who stands for it now."""
        first, second = sorted((self.find(one), self.find(other)))
        self._above[second] = first
        return first


def groups(links: Iterable[Link]) -> Sequence[Group]:
    """The groups that links make, by first key; the same for any order of the links."""
    sets = Sets()
    needed: list[Link] = []
    for link in sorted(links):
        if sets.find(link.one) != sets.find(link.other):
            sets.join(link.one, link.other)
            needed.append(link)
    members: dict[TaskKey, set[TaskKey]] = defaultdict(set)
    within: dict[TaskKey, list[Link]] = defaultdict(list)
    for link in needed:
        root = sets.find(link.one)
        members[root] |= {link.one, link.other}
        within[root].append(link)
    return [
        Group(
            keys=tuple(sorted(members[root])),
            is_exact=all(link.why is Why.EXACT for link in within[root]),
            distance=max(link.distance for link in within[root]),
        )
        for root in sorted(members)
    ]
