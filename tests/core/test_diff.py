"""The label diff against a second, slower way of counting, and against counts made by hand."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.canonical import encode_record, normalise_record
from ops.core.churn import AnnotatorDiff, Churn, Kind
from ops.core.diff import LabelDiff, diff_records
from ops.core.records import Annotation, Json, Record, TaskKey, TaskState
from ops.core.snapshot import Figures, Tally, task_columns
from ops.core.spread import Spread
from tests.core.diff_oracle import Document, Pair, oracle
from tests.core.merge_edits import Region, annotation, box, question, record, relation, scene, sides
from tests.strategies import records

EDITED = 1_000


def at(key: str, found: Record | None) -> Record | None:
    """A record as that of another task."""
    return found and replace(found, task=replace(found.task, key=TaskKey(key)))


def edited_pairs(seed: int) -> list[Pair]:
    """Three tasks, each edited a little, much or not at all between two states."""
    dice = random.Random(seed)  # noqa: S311 - dice
    found: list[Pair] = []
    for key in "pqr":
        start, ours, _ = sides(dice)
        found.append((at(key, start), at(key, ours)))
    return found


@st.composite
def strange_pairs(draw: st.DrawFn) -> list[Pair]:
    """Records of any kind beside others of the same task with the same identities."""
    found: list[Pair] = []
    for key in "pq":
        pair: list[Record | None] = []
        for _ in range(2):
            one = draw(st.none() | records())
            named = [
                replace(a, unique_id="uvw"[n]) for n, a in enumerate(one.annotations if one else ())
            ]
            pair.append(at(key, one and normalise_record(replace(one, annotations=tuple(named)))))
        found.append((pair[0], pair[1]))
    return found


def check(pairs: Sequence[Pair]) -> LabelDiff:
    """Hold every figure of a diff against the oracle's."""
    diff = diff_records(pairs)
    said: Document = diff.as_json()
    shares = sorted(
        (share for task in diff.tasks for share in task.overlaps),
        key=lambda share: -1 if share is None else share,
    )
    said["geometry"] = shares
    del said["by_task"]
    expected = oracle(pairs)
    assert {**said, "states": bag(said)} == {**expected, "states": bag(expected)}
    assert diff.geometry == Spread.of(shares)
    return diff


def bag(document: Document) -> Counter[str]:
    """The state changes, in any order."""
    return Counter(json.dumps(one, sort_keys=True) for one in document["states"])


def test_edited_records_are_counted_exactly() -> None:
    """Every figure of 1 000 × 3 edited tasks equals the one counted in another way."""
    seen: Counter[str] = Counter()
    for seed in range(EDITED):
        diff = check(edited_pairs(seed))
        seen.update({"transitions": len(diff.transitions), "moved": diff.geometry.count})
        seen.update({"alike": diff.is_empty, "people": len(diff.annotators) == 2})
        seen.update({kind: bool(getattr(diff.regions, kind)) for kind in Kind})
    # The dice do roll every kind of change.
    assert min(seen[name] for name in ("transitions", "moved", "people", *Kind)) > 100, seen


@settings(max_examples=100)
@given(strange_pairs())
def test_strange_records_are_counted_exactly(pairs: list[Pair]) -> None:
    """Brushes, twins, odd fields, several entries of one id."""
    check(pairs)


@settings(max_examples=40)
@given(st.lists(records(), max_size=2))
def test_nothing_differs_from_itself(found: list[Record]) -> None:
    """Whatever the controls."""
    diff = diff_records([(one, one) for one in found])
    assert diff == LabelDiff()
    assert diff.is_empty
    assert diff.lines() == ["no label differs"]


def figures(side: Sequence[Record | None]) -> Figures:
    """What the dataset card counts."""
    tally = Tally()
    for one in side:
        if one is not None:
            tally.add(one, task_columns(one, encode_record(one)))
    return tally.figures()


def test_what_was_added_less_what_was_removed_is_what_the_card_grew_by() -> None:
    """Tasks, annotations, regions and each label: nothing is lost and nothing counted twice."""
    for seed in range(150):
        pairs = edited_pairs(seed)
        diff = diff_records(pairs)
        before, after = (figures(side) for side in zip(*pairs, strict=True))
        assert after.counts.tasks - before.counts.tasks == len(diff.added) - len(diff.removed)
        assert after.annotation_count - before.annotation_count == net(diff.annotations)
        assert after.region_count - before.region_count == net(diff.regions)
        for label in {*before.labels, *after.labels, *diff.labels}:
            had, has = (
                one.labels[label].regions if label in one.labels else 0 for one in (before, after)
            )
            assert has - had == net(diff.labels.get(label, Churn()))


def net(churn: Churn) -> int:
    """By how much something grew."""
    return churn.added - churn.removed


def test_the_way_back_is_the_mirror_image() -> None:
    """What one way adds, the other removes; what was changed and how far is the same."""
    for seed in range(150):
        pairs = edited_pairs(seed)
        there, back = diff_records(pairs), diff_records([(b, a) for a, b in pairs])
        assert (back.added, back.removed, back.changed) == (
            there.removed,
            there.added,
            there.changed,
        )
        assert back.annotations == mirrored(there.annotations)
        assert back.regions == mirrored(there.regions)
        assert back.labels == {name: mirrored(churn) for name, churn in there.labels.items()}
        assert back.transitions == {(b, a): count for (a, b), count in there.transitions.items()}
        assert back.states == {(b, a): count for (a, b), count in there.states.items()}
        assert back.geometry == there.geometry


def mirrored(churn: Churn) -> Churn:
    """A churn the other way."""
    return Churn(added=churn.removed, removed=churn.added, changed=churn.changed)


def test_the_order_of_tasks_plays_no_part() -> None:
    """A diff is over sets, and prints the same whatever came first."""
    for seed in range(100):
        pairs = edited_pairs(seed)
        there, again = diff_records(pairs), diff_records(reversed(pairs))
        assert again.as_json() == there.as_json()
        assert again.lines() == there.lines()


def test_the_parts_make_the_whole() -> None:
    """Of tasks, and of annotators."""
    for seed in range(150):
        diff = diff_records(edited_pairs(seed))
        for parts in (diff.tasks, tuple(diff.annotators.values())):
            assert total([part.annotations for part in parts]) == diff.annotations
            assert total([part.regions for part in parts]) == diff.regions
        transitions: Counter[tuple[str, str]] = Counter()
        for task in diff.tasks:
            transitions.update(task.transitions)
        assert transitions == diff.transitions


def total(churns: Sequence[Churn]) -> Churn:
    """The sum."""
    return Churn(**{kind: sum(getattr(churn, kind) for churn in churns) for kind in Kind})


def test_what_is_printed_holds_every_figure() -> None:
    """For programs and for people the same ones."""
    for seed in range(100):
        diff = diff_records(edited_pairs(seed))
        if diff.is_empty:
            continue
        lines = "\n".join(diff.lines())
        for label, churn in diff.labels.items():
            said = f"{label}: +{churn.added} -{churn.removed} ~{churn.changed} regions"
            assert said in lines
        for (before, after), count in diff.transitions.items():
            assert f"{before} → {after}: {count} regions" in lines
        for (before, after), count in diff.states.items():
            assert f"{before or 'new'} → {after or 'gone'}: {count} tasks" in lines


# By hand.


def one(*result: Region, skipped: bool = False) -> Record:
    """A task with one annotation by ada."""
    return record(replace(annotation("u", *result), skipped=skipped))


def test_a_corrected_label_is_a_transition() -> None:
    """One box relabelled, one drawn anew, one task taken back as skipped, one new and empty."""
    diff = diff_records(
        [
            (at("p", one(box("a"))), at("p", one(box("a", "gouda")))),
            (at("q", one()), at("q", one(box("a", "gouda"), box("b", "gouda")))),
            (at("r", one(box("a"))), at("r", one(box("a"), skipped=True))),
            (None, at("s", one())),
        ]
    )
    assert (diff.added, diff.removed, diff.changed) == (("s",), (), ("p", "q", "r"))
    assert diff.annotations == Churn(added=1, changed=3)
    assert diff.regions == Churn(added=2, removed=1, changed=1)
    assert diff.labels == {"brie": Churn(removed=2), "gouda": Churn(added=3)}
    assert diff.transitions == {("brie", "gouda"): 1}
    assert diff.geometry == Spread()
    assert diff.states == {
        (TaskState.EMPTY, TaskState.LABELED): 1,
        (TaskState.LABELED, TaskState.SKIPPED): 1,
        (None, TaskState.EMPTY): 1,
    }


def test_labels_added_to_a_region_are_no_transition() -> None:
    """Only one label for one is; two for one are a gain and losses."""

    def said(*labels: str) -> Record:
        found = box("a")
        cast("Region", found["value"])["rectanglelabels"] = [*labels]
        return one(found)

    more = diff_records([(said("brie"), said("brie", "gouda"))])
    assert more.labels == {"brie": Churn(changed=1), "gouda": Churn(added=1)}
    assert more.transitions == {}
    other = diff_records([(said("brie", "gouda"), said("fox"))])
    assert other.labels == {
        "brie": Churn(removed=1),
        "fox": Churn(added=1),
        "gouda": Churn(removed=1),
    }
    assert other.transitions == {}


def test_an_answer_about_the_whole_task_keeps_its_place_under_another_id() -> None:
    """Each editor names it anew; said again it is the same, and another answer is a transition."""
    again = diff_records([(one(scene("brie", "p")), one(scene("brie", "q")))])
    assert (again.annotations, again.regions) == (Churn(), Churn())
    changed = diff_records([(one(scene("brie", "p")), one(scene("gouda", "q")))])
    assert changed.transitions == {("brie", "gouda"): 1}
    assert changed.regions == Churn(changed=1)
    assert changed.geometry == Spread()


def test_an_annotation_saved_without_a_change_is_none() -> None:
    """Its times differ; the record changed, the annotation says the same."""
    later = replace(annotation("u", box("a")), updated_at="2026-11-22T00:00:00.000000Z")
    diff = diff_records([(one(box("a")), record(later))])
    assert diff.changed == ("cheese/1.jpg",)
    assert (diff.annotations, diff.annotators) == (Churn(), {})


def test_what_the_editor_adds_and_the_noise_of_floats_say_nothing() -> None:
    """A note of origin, a copy of an answer in the box, a billionth of a percent."""
    before = one(box("a"), question(box("a"), "brie"))
    saved = {**box("a", x=1e-9), "origin": "manual"}
    cast("Region", saved["value"])["choices"] = ["brie"]
    after = one(saved, {**question(box("a"), "brie"), "origin": "manual"})
    assert before != after
    assert diff_records([(before, after)]).annotations == Churn()


def test_a_moved_box_with_a_question_is_moved_once() -> None:
    """Both its entries say where it is; a third of the box is where it was before."""
    before = one(box("a"), question(box("a"), "brie"))
    after = one(box("a", x=1.5), question(box("a", x=1.5), "brie"))
    diff = diff_records([(before, after)])
    assert diff.labels == {"brie": Churn(changed=2)}
    assert diff.regions == Churn(changed=2)
    assert diff.geometry.count == 1
    assert diff.geometry.median == pytest.approx(1 / 3)


def test_what_has_no_area_is_moved_and_not_measured() -> None:
    """A key point."""

    def point(x: float) -> Region:
        value: Region = {"x": x, "y": 5, "width": 0.5, "keypointlabels": ["brie"]}
        return {**box("a"), "type": "keypointlabels", "value": value}

    diff = diff_records([(one(point(1)), one(point(2)))])
    assert diff.geometry == Spread(unmeasured_count=1)
    assert diff.labels == {"brie": Churn(changed=1)}


def other(kind: str, **value: Json) -> Region:
    """The entry of another control about region a."""
    return {**box("a"), "type": kind, "from_name": "z", "value": value}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([other("pairwise", selected="left")], [other("pairwise", selected="right")]),
        (
            [other("videorectangle", sequence=[{"frame": 1, "x": 3}], labels=["brie"])],
            [other("videorectangle", sequence=[{"frame": 1, "x": 3}], labels=["gouda"])],
        ),
        ([other("textarea", x=1, text=["old"])], [other("textarea", x=1, text=["mild"])]),
        ([{**box("a"), "meta": {"checked": 1}}], [{**box("a"), "meta": {"checked": True}}]),
    ],
)
def test_another_word_about_a_region_moves_nothing(
    before: list[Region], after: list[Region]
) -> None:
    """It is changed: a choice, a class, a text, a note that was 1 and is true."""
    diff = diff_records([(one(*before), one(*after))])
    assert diff.regions == Churn(changed=1)
    assert diff.geometry == Spread()


def test_a_region_is_measured_by_the_entry_that_says_where_it_is() -> None:
    """Before or after another one that was moved with it and has no area."""
    for control in ("a", "z"):
        note, moved = ({**other("textarea", x=x), "from_name": control} for x in (0, 1.5))
        diff = diff_records([(one(box("a"), note), one(box("a", x=1.5), moved))])
        assert (diff.geometry.count, diff.geometry.unmeasured_count) == (1, 0)


def test_two_answers_to_one_question_are_a_set() -> None:
    """Which of them was given first plays no part."""
    before = one(scene("brie", "p"), scene("gouda", "q"))
    after = one(scene("gouda", "p"), scene("fox", "q"))
    diff = diff_records([(before, after)])
    assert diff.regions == Churn(changed=1)
    assert diff.transitions == {("brie", "fox"): 1}


def test_relations_are_no_regions() -> None:
    """The annotation changed, no region did."""
    before = one(box("a"), box("b"))
    diff = diff_records([(before, one(box("a"), box("b"), relation("a", "b")))])
    assert (diff.annotations, diff.regions) == (Churn(changed=1), Churn())


def test_a_change_is_theirs_who_made_it() -> None:
    """Bob corrects ada's; ada's other one is gone; bob adds one that ada then touched up."""
    bob = "bob@example.com"
    mine, other = annotation("u", box("a")), annotation("v", box("a"), box("b"))
    fixed = replace(annotation("u", box("a", "gouda"), box("b")), updated_by=bob)
    fresh = replace(annotation("w", box("c")), annotator=bob, updated_by=mine.annotator)
    diff = diff_records([(record(mine, other), record(fixed, fresh))])
    assert diff.annotators == {
        "ada@example.com": AnnotatorDiff(
            task_count=1, annotations=Churn(removed=1), regions=Churn(removed=2)
        ),
        bob: AnnotatorDiff(
            task_count=1,
            annotations=Churn(added=1, changed=1),
            regions=Churn(added=2, changed=1),
        ),
    }


def test_a_task_held_back_is_told_by_its_state() -> None:
    """Its labels are as they were."""
    before = one(box("a"))
    diff = diff_records([(before, replace(before, quarantined=True))])
    assert diff.states == {(TaskState.LABELED, TaskState.QUARANTINED): 1}
    assert (diff.changed, diff.annotations) == (("cheese/1.jpg",), Churn())


def test_another_picture_is_told_of_the_task() -> None:
    """Nobody said anything else."""
    before = one(box("a"))
    task = replace(before.task, media=replace(before.task.media, checksum="c9"))
    [told] = diff_records([(before, replace(before, task=task))]).tasks
    assert (told.kind, told.is_subject_changed, told.annotations) == (Kind.CHANGED, True, Churn())


def test_a_task_by_itself() -> None:
    """Everything about it, in one document."""
    before = one(box("a"), box("b"), box("c"))
    moved = box("c", x=2)
    after = replace(one(box("a", "gouda"), moved), quarantined=True)
    [told] = diff_records([(before, after)]).tasks
    expected: Mapping[str, object] = {
        "task": "cheese/1.jpg",
        "kind": "changed",
        "state": {"from": "labeled", "to": "quarantined"},
        "subject_changed": False,
        "annotations": {"added": 0, "removed": 0, "changed": 1},
        "regions": {"added": 0, "removed": 1, "changed": 2},
        "transitions": [{"from": "brie", "to": "gouda", "regions": 1}],
        "iou": 0.2,
    }
    assert told.as_json() == expected


# The distribution.


def test_a_spread_by_hand() -> None:
    """Quartiles lie between the shares they are between; each bin holds its lower bound."""
    assert Spread.of([]) == Spread()
    assert Spread.of([None, None]) == Spread(unmeasured_count=2)
    lone = Spread.of([0.5])
    assert (lone.minimum, lone.lower_quartile, lone.median, lone.mean) == (0.5, 0.5, 0.5, 0.5)
    found = Spread.of([1.0, 0.25, None, 0.9, 0.0, 0.95])
    assert (found.count, found.unmeasured_count) == (5, 1)
    assert (found.minimum, found.lower_quartile, found.median) == (0.0, 0.25, 0.9)
    assert (found.upper_quartile, found.mean) == (0.95, pytest.approx(0.62))
    assert found.histogram == (1, 1, 0, 0, 3)
    assert Spread.of([0.0, 1.0]).lower_quartile == 0.25
    assert Spread.of([0.49999999999999994]).histogram == Spread.of([0.5]).histogram


@given(st.lists(st.floats(0, 1), min_size=1), st.randoms())
def test_a_spread_is_over_a_set(shares: list[float], dice: random.Random) -> None:
    """In any order the same; the histogram holds each share once; the figures are in order."""
    found = Spread.of(shares)
    turned = [*shares]
    dice.shuffle(turned)
    assert Spread.of(turned) == found
    assert sum(found.histogram) == found.count == len(shares)
    assert found.minimum == min(shares)
    five = [
        *(found.minimum, found.lower_quartile, found.median, found.upper_quartile),
        max(shares),
    ]
    assert five == sorted(cast("list[float]", five))
    assert found.as_json()["measured"] == len(shares)


def test_identities_are_kept_apart() -> None:
    """Two people's boxes of one id are two regions."""
    two: tuple[Annotation, ...] = (annotation("u", box("a")), annotation("v", box("a")))
    both = replace(record(*two), annotations=two)
    diff = diff_records([(record(), both)])
    assert (diff.annotations, diff.regions) == (Churn(added=2), Churn(added=2))
