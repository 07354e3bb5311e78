"""Agreement: laws over any records, and cases counted by hand."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.agreement import Measure, agreement
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from tests.strategies import annotations, regions

EVERY = tuple(Measure)


def answer(who: str, *result: Mapping[str, Json], at: int = 0, skipped: bool = False) -> Annotation:
    return Annotation(
        unique_id=f"{who}{at}",
        annotator=f"{who}@example.org",
        round="cheese",
        created_at="2026-11-21T14:00:00.000000Z",
        updated_at=f"2026-11-21T14:00:0{at}.000000Z",
        ontology_digest="0" * 64,
        skipped=skipped,
        result=result,
    )


def record(*answers: Annotation) -> Record:
    media = Media(path="images/p.png", checksum="0", size_bytes=1)
    return Record(task=Task(key=TaskKey("p.png"), media=media), annotations=answers)


def box(label: str, x: float, *, width: float = 10, name: str = "r") -> Mapping[str, Json]:
    return {
        "id": f"{name}{x}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 100,
        "original_height": 100,
        "value": {
            "x": x, "y": 0, "width": width, "height": 10, "rotation": 0, "rectanglelabels": [label],
        },
    }  # fmt: skip


def choice(*labels: str, control: str = "quality") -> Mapping[str, Json]:
    return {
        "id": f"c-{control}",
        "type": "choices",
        "from_name": control,
        "to_name": "image",
        "value": {"choices": list(labels)},
    }


@given(st.lists(annotations(), max_size=4))
def test_it_is_a_share_and_does_not_depend_on_the_order(answers: list[Annotation]) -> None:
    for measure in EVERY:
        values = {agreement(record(*order), measure) for order in permutations(answers[:3])}
        assert len(values) == 1
        value = values.pop()
        assert value is None or 0 <= value <= 1


@given(st.lists(regions(), min_size=1, max_size=5), st.lists(regions(), min_size=1, max_size=5))
def test_two_people_agree_the_same_whoever_comes_first(
    one: list[dict[str, Json]], two: list[dict[str, Json]]
) -> None:
    for measure in EVERY:
        there = agreement(record(answer("ann", *one), answer("ben", *two)), measure)
        back = agreement(record(answer("ann", *two), answer("ben", *one)), measure)
        assert there == back


@given(annotations())
def test_equal_answers_agree_wholly(said: Annotation) -> None:
    one = replace(said, unique_id="a", annotator="ann@example.org", skipped=False)
    two = replace(said, unique_id="b", annotator="ben@example.org", skipped=False)
    for measure in EVERY:
        assert agreement(record(one, two), measure) in {1.0, None}


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (answer("ann", box("brie", 0)),),
        (answer("ann", box("brie", 0)), answer("ann", box("gouda", 50), at=1)),
        (answer("ann", box("brie", 0)), answer("ben", box("brie", 0), skipped=True)),
    ],
    ids=["nobody", "one person", "one person twice", "one answer and a skip"],
)
def test_one_person_agrees_with_nobody(answers: tuple[Annotation, ...]) -> None:
    assert [agreement(record(*answers), measure) for measure in EVERY] == [None, None, None]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        # Two boxes 10 wide, moved by 3: 7 / 13 = 0.54; by 4: 6 / 14 = 0.43.
        ([box("brie", 0)], [box("brie", 3)], 1.0),
        ([box("brie", 0)], [box("brie", 4)], 0.0),
        ([box("brie", 0)], [box("gouda", 0)], 0.0),
        # One of two on one side is matched: 2·1 / (2 + 1).
        ([box("brie", 0), box("brie", 50)], [box("brie", 0)], 2 / 3),
        ([box("brie", 0)], [], 0.0),
        ([], [], 1.0),
        # A box counts once: two over one box are one match, 2·1 / (2 + 1).
        ([box("brie", 0), box("brie", 1)], [box("brie", 0)], 2 / 3),
        # Taking the best first (3 and 2) would leave 0 and 5 alone: 0-2 and 3-5 are two matches.
        ([box("brie", 0), box("brie", 3)], [box("brie", 2), box("brie", 5)], 1.0),
        ([box("brie", 3), box("brie", 0)], [box("brie", 2), box("brie", 5)], 1.0),
        # The same line, without an area, is the same.
        ([box("brie", 0, width=0)], [box("brie", 0, width=0)], 1.0),
        ([box("brie", 0, width=0)], [box("brie", 1, width=0)], 0.0),
        # Only a choice: no region to measure, and not empty either.
        ([choice("good")], [choice("good")], None),
    ],
)
def test_regions_by_hand(
    one: list[Mapping[str, Json]], two: list[Mapping[str, Json]], expected: float | None
) -> None:
    found = agreement(record(answer("ann", *one), answer("ben", *two)), Measure.REGIONS)
    assert found == (None if expected is None else pytest.approx(expected))


PER_REGION: Mapping[str, Json] = {
    "id": "b1",
    "type": "choices",
    "from_name": "kind",
    "to_name": "image",
    "value": {"choices": ["soft"]},
}
BRUSH: Mapping[str, Json] = {
    "id": "b1",
    "type": "brushlabels",
    "from_name": "label",
    "to_name": "image",
    "value": {"format": "rle", "rle": [0, 1], "brushlabels": ["brie"]},
}
RATING: Mapping[str, Json] = {
    "id": "s1",
    "type": "rating",
    "from_name": "stars",
    "to_name": "image",
    "value": {"rating": 4},
}


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([choice("good")], [choice("good")], 1.0),
        ([choice("good")], [choice("bad")], 0.0),
        ([choice("good", "sharp")], [choice("sharp", "good")], 1.0),
        ([choice("good")], [], 0.0),
        # One of two questions alike.
        ([choice("good"), RATING], [choice("bad"), RATING], 0.5),
        ([choice("good"), RATING], [choice("good")], 0.5),
        # Asked about a region, not about the task.
        ([BRUSH, PER_REGION], [BRUSH], None),
        ([box("brie", 0)], [box("brie", 0)], None),
        ([], [], None),
    ],
)
def test_answers_by_hand(
    one: list[Mapping[str, Json]], two: list[Mapping[str, Json]], expected: float | None
) -> None:
    found = agreement(record(answer("ann", *one), answer("ben", *two)), Measure.ANSWERS)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        # Regions 1, answers 0.
        ([box("brie", 0), choice("good")], [box("brie", 0), choice("bad")], 0.5),
        # Only what can be measured counts.
        ([choice("good")], [choice("good")], 1.0),
        ([box("brie", 0)], [box("brie", 50)], 0.0),
        ([BRUSH], [BRUSH], None),
        ([], [], 1.0),
    ],
)
def test_combined_by_hand(
    one: list[Mapping[str, Json]], two: list[Mapping[str, Json]], expected: float | None
) -> None:
    found = agreement(record(answer("ann", *one), answer("ben", *two)), Measure.COMBINED)
    assert found == (None if expected is None else pytest.approx(expected))


def test_of_three_people_every_pair_counts() -> None:
    three = record(
        answer("ann", choice("good")), answer("ben", choice("good")), answer("eve", choice("bad"))
    )
    assert agreement(three, Measure.ANSWERS) == pytest.approx(1 / 3)


def test_the_newest_answer_of_a_person_counts() -> None:
    changed = record(
        answer("ann", choice("bad"), at=1),
        answer("ann", choice("good"), at=2),
        answer("ben", choice("good")),
    )
    assert agreement(changed, Measure.ANSWERS) == 1.0


def test_an_answer_before_a_skip_still_counts() -> None:
    unsure = record(
        answer("ann", choice("good")),
        answer("ann", at=1, skipped=True),
        answer("ben", choice("bad")),
    )
    assert agreement(unsure, Measure.ANSWERS) == 0.0
