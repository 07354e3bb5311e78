"""Near pairs are just those that comparing every two finds; groups are connected components."""

import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ops.core.duplicates import (
    FURTHEST,
    NEAR_DISTANCE,
    Group,
    Link,
    Why,
    check_distance,
    equal_links,
    groups,
    is_plain,
    near_links,
    near_pairs,
)
from ops.core.records import TaskKey
from ops.errors import UsageError

BITS = 64
EVERY_BIT = 2**BITS - 1
distances = st.integers(0, FURTHEST)


def flipped(value: int, bits: Sequence[int]) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


@st.composite
def alike(draw: st.DrawFn) -> list[int]:
    """A few hashes, and copies of them with a few bits flipped."""
    seeds = draw(st.lists(st.integers(0, EVERY_BIT), min_size=1, max_size=6))
    flips = st.lists(st.integers(0, BITS - 1), max_size=FURTHEST + 2, unique=True)
    copies = st.builds(flipped, st.sampled_from(seeds), flips)
    return sorted({*seeds, *draw(st.lists(copies, max_size=25))})


def brute(values: Sequence[int], distance: int) -> set[frozenset[int]]:
    return {
        frozenset(pair)
        for pair in combinations(values, 2)
        if (pair[0] ^ pair[1]).bit_count() <= distance
    }


@given(alike(), distances)
@example([0, 1, 3, EVERY_BIT], 0)
def test_near_pairs_are_all_of_them_each_once(values: list[int], distance: int) -> None:
    found = [frozenset(pair) for pair in near_pairs(values, distance)]
    assert len(found) == len(set(found))
    assert set(found) == brute(values, distance)


@pytest.mark.parametrize("distance", [1, NEAR_DISTANCE, 6, FURTHEST])
def test_near_pairs_among_many_are_all_of_them(distance: int) -> None:
    """Where more bands than the distance are agreed on: what is cheapest depends on the number."""
    chance = random.Random(distance)  # noqa: S311 - a test's
    values = {chance.getrandbits(BITS) for _ in range(600)}
    for value in [*values][:300]:
        bits = chance.sample(range(BITS), chance.randrange(1, FURTHEST + 3))
        values.add(flipped(value, bits))
    listed = sorted(values)
    assert {frozenset(pair) for pair in near_pairs(listed, distance)} == brute(listed, distance)


def test_a_blank_picture_is_near_to_none() -> None:
    """Nor is one that only gets brighter to the right, or but for a spot."""
    for value in (0, EVERY_BIT, 0b1011, EVERY_BIT ^ 0b1111):
        assert is_plain(value, 4)
    assert not is_plain(0b11111, 4)
    hashes = {TaskKey("white.png"): 0, TaskKey("black.png"): 0, TaskKey("spot.png"): 1}
    assert list(near_links(hashes, 4)) == []


keys = st.text(min_size=1, max_size=3).map(TaskKey)
links = st.one_of(
    st.builds(Link, why=st.just(Why.EXACT), one=keys, other=keys),
    st.builds(Link, why=st.just(Why.NEAR), distance=distances, one=keys, other=keys),
).filter(lambda link: link.one != link.other)


@given(st.lists(links, max_size=25), st.randoms(use_true_random=False))
def test_groups_are_connected_components(found: list[Link], chance: random.Random) -> None:
    """Whatever the order; against the plain definition."""
    expected: list[set[TaskKey]] = []
    for link in found:
        touching = [one for one in expected if {link.one, link.other} & one]
        expected = [one for one in expected if one not in touching]
        expected.append({link.one, link.other}.union(*touching))
    made = groups(found)
    assert [set(group.keys) for group in made] == sorted(expected, key=min)
    assert [group.keys for group in made] == [tuple(sorted(group.keys)) for group in made]
    chance.shuffle(found)
    assert groups(found) == made


def test_a_group_says_how_it_is_held_together() -> None:
    """Equal ones are no less equal for looking the same; the largest needed distance is told."""
    a, b, c, d = map(TaskKey, "abcd")
    equal = Link(why=Why.EXACT, one=a, other=b)
    same_look = Link(why=Why.NEAR, one=a, other=b)
    near, far = (Link(why=Why.NEAR, distance=n, one=b, other=k) for n, k in ((1, c), (4, d)))
    loop = Link(why=Why.NEAR, distance=5, one=a, other=d)
    assert groups([same_look, equal]) == [Group(keys=(a, b), is_exact=True, distance=0)]
    assert groups([near, far, loop, equal]) == [
        Group(keys=(a, b, c, d), is_exact=False, distance=4)
    ]


@given(st.dictionaries(keys, st.sampled_from(["x", "y", "z"])), st.sets(keys))
def test_equal_links_hold_each_value_together_and_nothing_else(
    values: dict[TaskKey, str], first: set[TaskKey]
) -> None:
    """With as few links as that takes, around one that is preferred."""
    found = list(equal_links(values, why=Why.EXACT, first=first))
    by_value = {v: {k for k in values if values[k] == v} for v in values.values()}
    assert {group.keys for group in groups(found)} == {
        tuple(sorted(one)) for one in by_value.values() if len(one) > 1
    }
    assert len(found) == sum(len(one) - 1 for one in by_value.values())
    for link in found:
        group = by_value[values[link.one]]
        assert link.one == min(group & first or group)


@pytest.mark.parametrize("distance", [-1, FURTHEST + 1])
def test_a_distance_that_tells_nothing_is_refused(distance: int) -> None:
    assert check_distance(0) == 0
    assert check_distance(FURTHEST) == FURTHEST
    with pytest.raises(UsageError):
        check_distance(distance)
