"""Samples: the same for one seed on any machine, shared among groups to the last task."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.records import TaskKey
from ops.core.sampling import by_chance, part_of, shares, stratified

KEYS = st.lists(st.text(min_size=1, max_size=8).map(TaskKey), max_size=60, unique=True)
SEEDS = st.integers(-(2**63), 2**63)


def test_the_order_is_that_of_hashes_whatever_the_machine() -> None:
    """Held to the letter: another order would be another sample for an old manifest's seed."""
    keys = [TaskKey(f"p{number}.png") for number in range(10)]
    assert by_chance(keys, 4, seed=7) == ["p4.png", "p7.png", "p6.png", "p9.png"]


@given(KEYS.flatmap(lambda keys: st.tuples(st.just(keys), st.permutations(keys))), SEEDS)
def test_the_same_seed_takes_the_same(both: tuple[list[TaskKey], list[TaskKey]], seed: int) -> None:
    """In whatever order the candidates come."""
    one, other = both
    assert by_chance(one, 20, seed) == by_chance(other, 20, seed)


@given(KEYS, KEYS, SEEDS, st.integers(1, 40))
def test_more_images_push_out_only_what_they_come_before(
    keys: list[TaskKey], more: list[TaskKey], seed: int, count: int
) -> None:
    """What is taken afterwards was taken before, or is new; and nothing else has left."""
    both = sorted({*keys, *more})
    before, after = set(by_chance(keys, count, seed)), set(by_chance(both, count, seed))
    new = after - set(keys)
    assert after - new <= before
    assert len(before - after) == max(0, len(before) + len(new) - count)


@given(st.dictionaries(st.text(max_size=4), st.integers(1, 500), max_size=8), st.integers(0, 2000))
def test_shares_add_up_and_are_the_exact_part_rounded_up_or_down(
    sizes: dict[str, int], count: int
) -> None:
    """None is more than its group."""
    share, total = shares(sizes, count), sum(sizes.values())
    assert sum(share.values()) == min(count, total)
    for name, size in sizes.items():
        exact = Fraction(size * min(count, total), total)
        assert abs(share[name] - exact) < 1
        assert 0 <= share[name] <= size


def test_what_is_left_goes_to_the_largest_rest_then_by_name() -> None:
    """The textbook's case: 10 seats for 5:3:1 votes."""
    assert shares({"a": 50, "b": 30, "c": 10}, 10) == {"a": 6, "b": 3, "c": 1}
    assert shares({"y": 5, "x": 5, "z": 5}, 4) == {"y": 1, "x": 2, "z": 1}


@given(KEYS, SEEDS, st.integers(0, 70), st.integers(1, 5))
def test_a_shared_sample_holds_each_group_in_proportion(
    keys: list[TaskKey], seed: int, count: int, modulus: int
) -> None:
    """By the groups' sizes, and each key once; a value that is not known is a group, too."""
    groups: dict[TaskKey, object] = {
        key: place % modulus for place, key in enumerate(keys) if place % 7
    }
    taken = stratified(keys, count, seed, groups)
    assert len(set(taken)) == len(taken) == min(count, len(keys))
    sizes = Counter(repr(groups.get(key)) for key in keys)
    found = Counter(repr(groups.get(key)) for key in taken)
    for name, size in sizes.items():
        assert abs(found[name] - Fraction(size * len(taken), len(keys) or 1)) < 1


def test_values_of_other_types_are_other_groups() -> None:
    """The text "1" is not the number 1."""
    keys = [TaskKey(f"k{number}") for number in range(20)]
    groups: dict[TaskKey, object] = {key: 1 if n < 10 else "1" for n, key in enumerate(keys)}
    for seed in range(5):
        taken = stratified(keys, 10, seed, groups)
        assert len(set(taken) & set(keys[:10])) == 5


@pytest.mark.parametrize(
    ("count", "percent", "wanted"),
    [
        (0, 50, 0), (1, 1, 1), (10, 25, 3), (10, 24.9, 2), (200, 0.1, 1), (1000, 0.1, 1),
        (155_388, 6.5, 10_100), (7, 100, 7), (3, 50, 2), (1000, 12.25, 123),
    ],
)  # fmt: skip
def test_a_part_is_rounded_half_up_and_never_nothing(
    count: int, percent: float, wanted: int
) -> None:
    """As it is written in decimals, not as floats have it."""
    assert part_of(count, percent) == wanted
