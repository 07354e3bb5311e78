"""The label diff against a second, slower way of counting, and against counts made by hand."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.canonical import content
from ops.core.diff import LabelDiff, diff_records
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey, TaskState
from tests.strategies import records

Pair = tuple[Record | None, Record | None]

_LABELS = ("Cat", "Dog", "a|b")


@st.composite
def _regions(draw: st.DrawFn) -> Mapping[str, Json]:
    """A region of few ids, controls and labels, so that both sides often speak of the same one."""
    kind = draw(st.sampled_from(["rectanglelabels", "rectanglelabels", "choices", "textarea"]))
    said = draw(st.lists(st.sampled_from(_LABELS), min_size=1, max_size=2, unique=True))
    return {
        "id": draw(st.sampled_from("aab")),
        "type": kind,
        "from_name": draw(st.sampled_from(["box", "box", "kind"])),
        "to_name": "image",
        "value": {kind: [*said], "x": draw(st.integers(0, 1))},
    }


@st.composite
def _annotations(draw: st.DrawFn, unique_id: str) -> Annotation:
    return Annotation(
        unique_id=unique_id,
        annotator="ann@example.com",
        round="cheese",
        created_at="2026-11-21T14:02:00.000000Z",
        updated_at=f"2026-11-21T14:0{draw(st.integers(2, 3))}:00.000000Z",
        ontology_digest="0" * 64,
        skipped=draw(st.sampled_from([False, False, True])),
        result=tuple(draw(st.lists(_regions(), max_size=2))),
    )


@st.composite
def _sides(draw: st.DrawFn, key: str) -> Record | None:
    if not draw(st.integers(0, 4)):
        return None
    ids = draw(st.sampled_from(["u", "u", "uv", "v", ""]))
    return Record(
        task=_task(key),
        annotations=tuple(draw(_annotations(unique_id)) for unique_id in ids),
        quarantined=draw(st.sampled_from([False, False, False, True])),
    )


def _task(key: str) -> Task:
    return Task(key=TaskKey(key), media=Media(path=f"images/{key}", checksum="c", size_bytes=1))


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    """Up to three tasks, each as it was before and after; None where it had no record."""
    return [
        (draw(_sides(f"{name}.png")), draw(_sides(f"{name}.png")))
        for name in "pqr"[: draw(st.integers(0, 3))]
    ]


def _said(annotation: Annotation | None) -> Counter[tuple[str, str, str]]:
    """Which labels an annotation gives to which region: a set, as id, control and label."""
    found: set[tuple[str, str, str]] = set()
    for region in annotation.result if annotation and not annotation.skipped else ():
        value = region["value"]
        assert isinstance(value, dict)
        if region["type"] == "textarea":
            continue
        names = value[str(region["type"])]
        assert isinstance(names, list)
        found |= {(str(region["id"]), str(region["from_name"]), str(name)) for name in names}
    return Counter(found)


def _by_id(record: Record | None) -> dict[str, Annotation]:
    return {one.unique_id: one for one in record.annotations} if record else {}


def _oracle(given_: list[Pair]) -> LabelDiff:
    """The diff by set arithmetic over everything that is said, label by label."""
    annotations = Counter[str]()
    states = Counter[tuple[TaskState | None, TaskState | None]]()
    gained, lost = Counter[str](), Counter[str]()
    transitions = Counter[tuple[str, str]]()
    for before, after in given_:
        one, two = before.state if before else None, after.state if after else None
        states[one, two] += one is not two
        lefts, rights = _by_id(before), _by_id(after)
        annotations["added"] += len(rights.keys() - lefts.keys())
        annotations["removed"] += len(lefts.keys() - rights.keys())
        for unique_id in lefts.keys() | rights.keys():
            old, new = lefts.get(unique_id), rights.get(unique_id)
            annotations["changed"] += bool(old and new and content(old) != content(new))
            minus, plus = _said(old) - _said(new), _said(new) - _said(old)
            gained.update(label for _, _, label in plus)
            lost.update(label for _, _, label in minus)
            for region in {(place, control) for place, control, _ in minus + plus}:
                goes = [label for *place, label in minus if tuple(place) == region]
                comes = [label for *place, label in plus if tuple(place) == region]
                if len(goes) == len(comes) == 1:
                    transitions[goes[0], comes[0]] += 1
    keys = {
        "added": [after for before, after in given_ if before is None],
        "removed": [before for before, after in given_ if after is None],
        "changed": [after for before, after in given_ if before and after and before != after],
    }
    sorted_keys = {
        kind: tuple(sorted(record.task.key for record in found if record))
        for kind, found in keys.items()
    }
    return LabelDiff(
        added=sorted_keys["added"],
        removed=sorted_keys["removed"],
        changed=sorted_keys["changed"],
        annotations_added=annotations["added"],
        annotations_removed=annotations["removed"],
        annotations_changed=annotations["changed"],
        states={pair: count for pair, count in states.items() if count},
        labels={name: (gained[name], lost[name]) for name in (gained + lost)},
        transitions={pair: count for pair, count in transitions.items() if count},
    )


@given(pairs())
def test_counts_are_exact(given_: list[Pair]) -> None:
    """Every figure equals the one counted in another way."""
    assert diff_records(given_) == _oracle(given_)


@settings(max_examples=40)
@given(st.lists(records(), max_size=2))
def test_nothing_differs_from_itself(found: list[Record]) -> None:
    """Whatever the controls."""
    diff = diff_records([(record, record) for record in found])
    assert diff == LabelDiff()
    assert diff.is_empty
    assert diff.lines() == ["no label differs"]


@settings(max_examples=30)
@given(pairs())
def test_the_way_back_is_the_mirror_image(given_: list[Pair]) -> None:
    """What one way adds, the other removes."""
    there = diff_records(given_)
    back = diff_records([(after, before) for before, after in given_])
    assert (back.added, back.removed, back.changed) == (there.removed, there.added, there.changed)
    assert back.annotations_added == there.annotations_removed
    assert back.annotations_changed == there.annotations_changed
    assert back.labels == {name: (lost, gained) for name, (gained, lost) in there.labels.items()}
    assert back.transitions == {(b, a): count for (a, b), count in there.transitions.items()}
    assert back.states == {(b, a): count for (a, b), count in there.states.items()}


@settings(max_examples=30)
@given(pairs())
def test_the_order_of_tasks_and_annotations_plays_no_part(given_: list[Pair]) -> None:
    """A diff is over sets."""

    def turned(record: Record | None) -> Record | None:
        return record and replace(record, annotations=record.annotations[::-1])

    reordered = [(turned(before), turned(after)) for before, after in reversed(given_)]
    there, again = diff_records(given_), diff_records(reordered)
    assert again.as_json()["labels"] == there.as_json()["labels"]
    assert again.as_json()["states"] == there.as_json()["states"]
    assert again.as_json()["annotations"] == there.as_json()["annotations"]


@settings(max_examples=30)
@given(pairs())
def test_what_is_printed_holds_every_figure(given_: list[Pair]) -> None:
    """For programs and for people the same ones."""
    diff = diff_records(given_)
    document, lines = diff.as_json(), "\n".join(diff.lines())
    assert document["tasks"] == {
        "added": [*diff.added],
        "removed": [*diff.removed],
        "changed": [*diff.changed],
    }
    if diff.is_empty:
        return
    for name, (gained, lost) in diff.labels.items():
        assert f"{name}: +{gained} -{lost} regions" in lines
    for (before, after), count in diff.transitions.items():
        assert f"{before} → {after}: {count} regions" in lines
    for (before, after), count in diff.states.items():
        assert f"{before or 'new'} → {after or 'gone'}: {count} tasks" in lines


def _box(identity: str, label: str) -> Mapping[str, Json]:
    value: Json = {"rectanglelabels": [label], "x": 1}
    return {"id": identity, "type": "rectanglelabels", "from_name": "box", "value": value}


def _record(key: str, *result: Mapping[str, Json], skipped: bool = False) -> Record:
    one = Annotation(
        unique_id="u",
        annotator="ann@example.com",
        round="cheese",
        created_at="2026-11-21T14:02:00.000000Z",
        updated_at="2026-11-21T14:02:00.000000Z",
        ontology_digest="0" * 64,
        skipped=skipped,
        result=result,
    )
    return Record(task=_task(key), annotations=(one,))


def test_a_corrected_label_is_a_transition() -> None:
    """Counted by hand: one box relabelled, one box drawn anew, one task taken back as skipped."""
    diff = diff_records(
        [
            (_record("p", _box("a", "Cat")), _record("p", _box("a", "Dog"))),
            (_record("q"), _record("q", _box("a", "Dog"), _box("b", "Dog"))),
            (_record("r", _box("a", "Cat")), _record("r", _box("a", "Cat"), skipped=True)),
            (None, _record("s")),
        ]
    )
    assert diff.changed == ("p", "q", "r")
    assert diff.added == ("s",)
    assert (diff.annotations_added, diff.annotations_changed) == (1, 3)
    assert diff.labels == {"Cat": (0, 2), "Dog": (3, 0)}
    assert diff.transitions == {("Cat", "Dog"): 1}
    assert diff.states == {
        (TaskState.EMPTY, TaskState.LABELED): 1,
        (TaskState.LABELED, TaskState.SKIPPED): 1,
        (None, TaskState.EMPTY): 1,
    }


def test_labels_added_to_a_region_are_no_transition() -> None:
    """Only one label for one is; two for one are a gain and losses."""

    def said(*labels: str) -> Record:
        value: Json = {"rectanglelabels": [*labels]}
        return _record("p", {**_box("a", "Cat"), "value": value})

    more = diff_records([(said("Cat"), said("Cat", "Dog"))])
    assert (more.labels, more.transitions) == ({"Dog": (1, 0)}, {})
    other = diff_records([(said("Cat", "Dog"), said("Fox"))])
    assert other.labels == {"Cat": (0, 1), "Dog": (0, 1), "Fox": (1, 0)}
    assert other.transitions == {}


def test_an_annotation_saved_without_a_change_is_none() -> None:
    """Its times differ; the record changed, the annotation says the same."""
    before = _record("p", _box("a", "Cat"))
    [one] = before.annotations
    after = replace(before, annotations=(replace(one, updated_at="2026-11-22T00:00:00.000000Z"),))
    diff = diff_records([(before, after)])
    assert (diff.changed, diff.annotations_changed) == (("p",), 0)


def test_a_moved_box_is_a_change_without_a_label() -> None:
    """The annotation changed, no label did."""
    value: Json = {"rectanglelabels": ["Cat"], "x": 2}
    moved = {**_box("a", "Cat"), "value": value}
    diff = diff_records([(_record("p", _box("a", "Cat")), _record("p", moved))])
    assert diff.annotations_changed == 1
    assert diff.labels == {}
    assert not diff.is_empty
