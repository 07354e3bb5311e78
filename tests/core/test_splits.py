"""Splits: any machine chooses the same, no task changes its part, groups stay together."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.duplicates import Link, Why, equal_links, groups
from ops.core.records import CommitId, TaskKey
from ops.core.split_facts import SplitFacts, decode_split_facts
from ops.core.splits import (
    Assigned,
    Assignment,
    assign,
    assignments_digest,
    chosen_part,
    counts_by_part,
    parse_ratios,
    parts_far_off,
    share_text,
)
from ops.errors import InvalidDataError, UsageError

RATIOS = parse_ratios("train=0.8,val=0.1,test=0.1")
keys = st.text(min_size=1, max_size=4).map(TaskKey)
near = st.builds(Link, why=st.just(Why.NEAR), distance=st.integers(0, 4), one=keys, other=keys)


@st.composite
def ratios(draw: st.DrawFn) -> Mapping[str, Fraction]:
    """Shares that add up to 1, nothing and everything among them."""
    weights = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any))
    names = sorted(
        draw(st.sets(st.sampled_from("abcdefg"), min_size=len(weights), max_size=len(weights)))
    )
    return {n: Fraction(w, sum(weights)) for n, w in zip(names, weights, strict=True)}


def split(
    every: Iterable[TaskKey],
    before: Assigned | None = None,
    *,
    links: Iterable[Link] = (),
    names: Mapping[TaskKey, str] | None = None,
    seed: int = 0,
    shares: Mapping[str, Fraction] = RATIOS,
) -> Assigned:
    """Split as ops/runner/splits.py does: tasks of one value are linked."""
    known = {one.key: one for one in before.assignments} if before else {}
    own = equal_links(names or {}, why=Why.GROUP, first=known)
    return assign(every, known, links=[*own, *links], names=names or {}, seed=seed, ratios=shares)


def parts(assigned: Assigned) -> dict[TaskKey, str]:
    return {one.key: one.part for one in assigned.assignments}


@given(
    every=st.sets(keys),
    links=st.lists(near, max_size=12),
    shares=ratios(),
    seed=st.integers(),
    chance=st.randoms(use_true_random=False),
)
def test_linked_tasks_are_in_one_part_whatever_the_order(
    *,
    every: set[TaskKey],
    links: list[Link],
    shares: Mapping[str, Fraction],
    seed: int,
    chance: random.Random,
) -> None:
    """Nothing was assigned before, so there is no leak; a part of share 0 gets nothing."""
    made = split(every, links=links, shares=shares, seed=seed)
    assert (made.leaks, made.added) == ([], sorted(every))
    found = parts(made)
    assert found.keys() == every
    within = [link for link in links if link.one in every and link.other in every]
    for group in groups([link for link in within if link.one != link.other]):
        assert len({found[key] for key in group.keys}) == 1
    assert all(shares[part] for part in found.values())
    shuffled = [*every]
    chance.shuffle(shuffled)
    chance.shuffle(links)
    assert split(shuffled, links=links, shares=shares, seed=seed) == made


@given(
    st.sets(keys),
    st.sets(keys),
    st.lists(near, max_size=12),
    st.dictionaries(keys, st.sampled_from(["p", "q", ""]), max_size=6),
)
def test_no_task_ever_changes_its_part(
    first: set[TaskKey], more: set[TaskKey], links: list[Link], names: dict[TaskKey, str]
) -> None:
    """Pictures come, pictures go, links and values appear afterwards."""
    made = split(first)
    again = split(more, made, links=links, names=names)
    before, after = parts(made), parts(again)
    assert {key: after[key] for key in first} == before
    assert after.keys() == first | more
    assert again.added == sorted(more - first)
    assert split(more, again, links=links, names=names).added == []


@given(st.sets(keys, min_size=1), st.lists(near, max_size=15))
def test_every_group_in_two_parts_is_told(every: set[TaskKey], links: list[Link]) -> None:
    """Links appear after the split: a leak for each group that is apart, none for any other."""
    made = split(every, shares={"a": Fraction(1, 2), "b": Fraction(1, 2)})
    found = parts(made)
    within = [one for one in links if {one.one, one.other} <= every and one.one != one.other]
    told = split(every, made, links=within).leaks
    apart = [one for one in groups(within) if len({found[key] for key in one.keys}) > 1]
    assert {key for leak in told for key in (leak.link.one, leak.link.other)} <= {
        key for group in apart for key in group.keys
    }
    for group in apart:
        assert any(leak.link.one in group.keys for leak in told)
    for leak in told:
        assert leak.part != leak.other_part


def test_a_new_task_goes_to_the_part_of_the_nearest() -> None:
    """Two parts claim it: nearer wins, and the other is told as a leak."""
    a, b, new = map(TaskKey, ("a", "b", "new"))
    before = {
        a: Assignment(key=a, part="train", group="a"),
        b: Assignment(key=b, part="test", group="b"),
    }
    links = [
        Link(why=Why.NEAR, distance=3, one=a, other=new),
        Link(why=Why.NEAR, distance=2, one=b, other=new),
    ]
    made = assign([a, b, new], before, links=links, names={}, seed=0, ratios=RATIOS)
    assert parts(made)[new] == "test"
    [leak] = made.leaks
    assert (leak.link, {leak.part, leak.other_part}) == (links[0], {"train", "test"})


def test_a_group_that_was_gone_comes_back_to_its_part() -> None:
    """Even where its tasks had got there by looking like another group's."""
    old = {f"p1/{n}": Assignment(key=TaskKey(f"p1/{n}"), part="val", group="p1") for n in range(3)}
    before = {TaskKey(key): one for key, one in old.items()}
    new = TaskKey("p1/new")
    for seed in range(20):
        made = assign([new], before, links=[], names={new: "p1"}, seed=seed, ratios=RATIOS)
        assert parts(made)[new] == "val"


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_as_asked_at_2_000(seed: int) -> None:
    """Within 3 of 100, which is 4.5 standard deviations of the smallest part."""
    made = split([TaskKey(f"{number:05}.jpg") for number in range(2_000)], seed=seed)
    counts = counts_by_part(made.assignments, RATIOS)
    for part, count in counts.items():
        assert abs(count / 2_000 - float(RATIOS[part])) < 0.03
    assert parts_far_off(counts, RATIOS) == []


def test_another_seed_is_another_split() -> None:
    every = [TaskKey(f"{number}.jpg") for number in range(200)]
    assert parts(split(every, seed=1)) != parts(split(every, seed=2))


def test_parts_are_those_of_every_other_machine() -> None:
    """As they were on the day this was written: a change of the rule would move tasks."""
    thirds = parse_ratios("train=1/3,val=1/3,test=1/3")
    assert {name: chosen_part(name, seed=7, ratios=thirds) for name in PINNED} == PINNED


PINNED = {
    "a.jpg": "val",
    "b.jpg": "train",
    "c.jpg": "train",
    "ä.jpg": "test",
    "patient-7": "test",
    "日本.png": "test",
}


def test_everything_may_be_in_one_part() -> None:
    shares = parse_ratios("all=1,none=0")
    every = [TaskKey(f"{number}.jpg") for number in range(50)]
    assert Counter(parts(split(every, shares=shares)).values()) == {"all": 50}
    assert counts_by_part(split(every, shares=shares).assignments, shares) == {"all": 50, "none": 0}


def test_large_groups_put_shares_off_and_that_is_told() -> None:
    """Two patients, and three parts."""
    every = [TaskKey(f"p{number % 2}/{number}.jpg") for number in range(100)]
    made = split(every, names={key: key[:2] for key in every})
    assert parts_far_off(counts_by_part(made.assignments, RATIOS), RATIOS)
    assert {one.group for one in made.assignments} == {"p0", "p1"}


def test_the_digest_is_of_the_assignments_whatever_their_order() -> None:
    made = split([TaskKey(f"{number}.jpg") for number in range(20)]).assignments
    digest = assignments_digest(made)
    assert assignments_digest(reversed(made)) == digest
    assert assignments_digest(made[1:]) != digest
    tricky = [Assignment(key=TaskKey("a"), part="b", group="c\td")]
    other = [Assignment(key=TaskKey("a"), part="b\tc", group="d")]
    assert assignments_digest(tricky) != assignments_digest(other)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("train=0.8,val=0.1,test=0.1", {"train": "0.8", "val": "0.1", "test": "0.1"}),
        (" a = .5 , b=.5", {"a": "0.5", "b": "0.5"}),
        ("a=1/3,b=2/3", {"a": "1/3", "b": "2/3"}),
        ("a=1,b=0", {"a": "1", "b": "0"}),
        ("a=0.1,b=0.2,c=0.7", {"a": "0.1", "b": "0.2", "c": "0.7"}),
        ("a=1.0", {"a": "1"}),
    ],
)
def test_ratios_are_read(text: str, shares: dict[str, str]) -> None:
    """Exactly: three tenths are three tenths."""
    assert {name: share_text(share) for name, share in parse_ratios(text).items()} == shares


@pytest.mark.parametrize(
    "text",
    [
        "", "train", "train=", "=1", "train=0.8", "train=0.8,val=0.3", "a=-0.5,b=1.5", "a=nan",
        "a=inf", "a=0.5,a=0.5", "a=0.5,a=1", "a=0.5,b=0.5,", "a=1e0", "a=80%", "a=1/0", "a=0,5",
        "a=\u0660.\u0665,b=0.5",
        "a/b=1", "a b=1", "a=0.33,b=0.33,c=0.33", "a=1" + "0" * 5000, "é=1",
    ],
)  # fmt: skip
def test_ratios_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ratios(text)


def facts() -> SplitFacts:
    return SplitFacts(
        name="first",
        ratios=parse_ratios("a=1/3,b=2/3"),
        seed=-7,
        by="patient",
        near_distance=4,
        counts={"a": 1, "b": 2},
        digest="0" * 64,
        base=CommitId("c" * 64),
        made_by="lena@example.org",
        made_at="2026-11-22T01:00:00.000000Z",
    )


def test_the_document_comes_back_as_it_was() -> None:
    assert decode_split_facts(facts().encode(), "first") == facts()
    assert decode_split_facts(facts().encode(), "first").encode() == facts().encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"ops.split/1"', b'"ops.split/2"'),
        (b'"first"', b'"second"'),
        (b'"2/3"', b'"1/3"'),
        (b'"seed": -7', b'"seed": "7"'),
        (b'"seed": -7', b'"seed": true'),
        (b'"near_distance": 4', b'"near_distance": -4'),
        (b'"by"', b'"buy"'),
        (b"{", b"["),
    ],
)
def test_another_document_is_refused(old: bytes, new: bytes) -> None:
    data = facts().encode()
    assert old in data
    with pytest.raises(InvalidDataError) as caught:
        decode_split_facts(data.replace(old, new, 1), "first")
    assert caught.value.code == "split-invalid"
