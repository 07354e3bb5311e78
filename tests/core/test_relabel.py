"""What a migration makes of records: nothing lost, nothing invented, nothing else touched."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import decode_record, encode_record, normalise_record
from ops.core.label_edits import Path
from ops.core.migration import Migration, MigrationRequest, Operation, plan_migration
from ops.core.ontology import parse_ontology
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey, TaskState
from ops.core.regions import is_relation, label_paths, said
from ops.core.relabel import carried, migrate_record, relabel, uses
from tests.controls import CASES, Case
from tests.strategies import emails, moments

RENAME, MERGE, SPLIT, REMOVE = Operation
Region = dict[str, Json]

_TIME = "2026-11-21T14:02:00.000000Z"
_OLD = "0" * 64
_CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="label" toName="image">'
    '<Label value="A"/><Label value="B" alias="b"/><Label value="C"/><Label value="D"/>'
    "</RectangleLabels>"
    '<Choices name="kind" toName="image" perRegion="true" choice="multiple">'
    '<Choice value="A"/><Choice value="B"/><Choice value="C"/></Choices>'
    '<Taxonomy name="tree" toName="image"><Choice value="A"><Choice value="A"/>'
    '<Choice value="B"/></Choice><Choice value="C"/></Taxonomy>'
    '<TextArea name="note" toName="image" perRegion="true"/>'
    "<Relations/></View>"
)


def _plan(
    operation: Operation, *sources: str, into: tuple[str, ...] = (), **more: object
) -> Migration:
    asked = replace(
        MigrationRequest(operation=operation, sources=sources, targets=into, control="label"),
        **more,
    )
    return plan_migration(_CONFIG, asked).migration


def _record(*annotations: Annotation, key: str = "a.png") -> Record:
    task = Task(key=TaskKey(key), media=Media(path=f"images/{key}", checksum="c", size_bytes=1))
    return normalise_record(Record(task=task, annotations=annotations))


def _annotation(*result: Mapping[str, Json], unique_id: str = "u", **more: object) -> Annotation:
    one = Annotation(
        unique_id=unique_id,
        annotator="ann@example.org",
        round="cheese",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest=_OLD,
        lead_time_s=2.5,
        result=result,
    )
    return replace(one, **more)


def _box(name: str, *labels: str, **value: Json) -> Region:
    place: Region = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0}
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "value": {**place, "rectanglelabels": [*labels], **value},
    }


def _answer(name: str, control: str, kind: str, *labels: Json) -> Region:
    return {
        "id": name,
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "value": {kind: [*labels]},
    }


def _relation(one: str, two: str) -> Region:
    return {"type": "relation", "from_id": one, "to_id": two, "direction": "right"}


def _labels(record: Record, unique_id: str = "u") -> dict[str, list[str]]:
    """What the boxes of an annotation say, by id."""
    [found] = [one for one in record.annotations if one.unique_id == unique_id]
    return {
        str(one["id"]): ["/".join(path) for path in label_paths(one)]
        for one in found.result
        if one.get("type") == "rectanglelabels"
    }


def test_a_rename_changes_the_label_and_what_it_is_read_under() -> None:
    """Who made the annotation, when, in which round and how long it took stay."""
    before = _record(
        _annotation(_box("r", "A", "D"), updated_by="ben@example.org"),
        _annotation(_box("r", "D"), unique_id="v"),
    )
    migration = _plan(RENAME, "A", into=("N",))
    after = relabel(before, migration)
    first, second = after.annotations
    assert first == replace(
        before.annotations[0],
        result=(_box("r", "N", "D"),),
        ontology_digest=migration.ontology_digest,
    )
    assert second is not before.annotations[1] or second == before.annotations[1]
    assert second.ontology_digest == _OLD


def test_an_alias_and_what_is_seen_mean_one_label() -> None:
    """Results say the alias; an import may say the other."""
    after = relabel(
        _record(_annotation(_box("r", "b"), _box("s", "B"))), _plan(RENAME, "b", into=("N",))
    )
    assert _labels(after) == {"r": ["N"], "s": ["N"]}


def test_a_region_that_said_both_says_the_merged_one_once() -> None:
    """Where the first of them stood; twins that were there before stay."""
    before = _record(
        _annotation(_box("r", "D", "A", "C", "b"), _box("s", "C"), _box("t", "D", "D"))
    )
    after = relabel(before, _plan(MERGE, "A", "C", "b", into=("C",)))
    assert _labels(after) == {"r": ["D", "C"], "s": ["C"], "t": ["D"]}
    assert after.annotations[0].result[2] == _box("t", "D", "D")


def test_a_split_does_what_was_decided_and_says_who_decided() -> None:
    """Regions nobody decided stay; with a rest they become that."""
    before = _record(_annotation(_box("r", "A"), _box("s", "A", "D"), _box("t", "A")))
    decisions = {(TaskKey("a.png"), "u", "r"): "N", (TaskKey("a.png"), "u", "s"): "M"}
    lead = "lead@example.org"
    asked = {"decisions": decisions, "decided_by": lead}
    after = relabel(before, _plan(SPLIT, "A", into=("N", "M"), **asked))
    assert _labels(after) == {"r": ["N"], "s": ["M", "D"], "t": ["A"]}
    assert after.annotations[0].updated_by == lead
    after = relabel(before, _plan(SPLIT, "A", into=("N", "M"), rest="M", **asked))
    assert _labels(after) == {"r": ["N"], "s": ["M", "D"], "t": ["M"]}
    own = relabel(
        before,
        _plan(SPLIT, "A", into=("N", "M"), decisions=decisions, decided_by="ann@example.org"),
    )
    assert own.annotations[0].updated_by is None


def test_a_removal_takes_the_region_what_was_said_of_it_and_what_leads_to_it() -> None:
    """A region that says another label too stays; without leave nothing goes."""
    before = _record(
        _annotation(
            _box("r", "A"),
            _answer("r", "kind", "choices", "A"),
            _answer("r", "note", "textarea", "left"),
            _box("s", "A", "D"),
            _box("t", "D"),
            _relation("r", "t"),
            _relation("s", "t"),
            origins={"r": Origin.IMPORTED, "s": Origin.IMPORTED},
        )
    )
    after = relabel(before, _plan(REMOVE, "A", drops=True))
    [left] = after.annotations
    assert [*left.result] == [_box("s", "D"), _box("t", "D"), _relation("s", "t")]
    assert left.origins == {"s": Origin.IMPORTED}
    assert relabel(before, _plan(REMOVE, "A")) is before


def test_an_answer_that_is_removed_leaves_the_region_it_was_about() -> None:
    """The box says what it is; the question was another one."""
    before = _record(
        _annotation(_box("r", "A", choices=["C"]), _answer("r", "kind", "choices", "C"))
    )
    migration = plan_migration(
        _CONFIG, MigrationRequest(operation=REMOVE, sources=("C",), control="kind", drops=True)
    ).migration
    assert [*relabel(before, migration).annotations[0].result] == [_box("r", "A")]


def test_nobody_said_that_nothing_is_there() -> None:
    """An annotation that loses its last region goes; its task is unfinished, not empty."""
    gone, kept = _annotation(_box("r", "A")), _annotation(_box("r", "D"), unique_id="v")
    empty = _annotation(unique_id="w")
    skipped = _annotation(_box("r", "A"), unique_id="x", skipped=True)
    migration = _plan(REMOVE, "A", drops=True)
    assert relabel(_record(gone), migration).state is TaskState.UNFINISHED
    after = relabel(_record(gone, kept, empty, skipped), migration)
    assert [one.unique_id for one in after.annotations] == ["v", "w", "x"]
    assert after.annotations[2].skipped
    assert not after.annotations[2].result


def test_the_editors_copies_follow() -> None:
    """Of what the entry says that they copy; then nobody seems to have said anything else."""
    before = _record(
        _annotation(_box("r", "D", choices=["A"]), _answer("r", "kind", "choices", "A"))
    )
    asked = MigrationRequest(operation=RENAME, sources=("A",), targets=("N",), control="kind")
    after = relabel(before, plan_migration(_CONFIG, asked).migration)
    assert [*after.annotations[0].result] == [
        _answer("r", "kind", "choices", "N"),
        _box("r", "D", choices=["N"]),
    ]
    assert said(after.annotations[0].result)[1] == _box("r", "D")


def test_what_is_below_a_renamed_label_goes_with_it() -> None:
    """The path names it; a label of that name elsewhere is another one."""
    result = _answer("t", "tree", "taxonomy", ["A", "B"], ["A"], ["A", "A"], ["C"])
    before = _record(_annotation(result, _box("r", "A")))
    asked = MigrationRequest(operation=RENAME, sources=("A",), targets=("N",), control="tree")
    migration = plan_migration(_CONFIG, asked).migration
    wanted = _answer("t", "tree", "taxonomy", ["N", "B"], ["N"], ["N", "A"], ["C"])
    assert [*relabel(before, migration).annotations[0].result] == [_box("r", "A"), wanted]


def test_a_removal_is_not_made_again() -> None:
    """What people said since is theirs; renames and what was decided are."""
    record = _record(_annotation(_box("r", "A"), _box("s", "D"), _box("t", "C")))
    one = _plan(RENAME, "A", into=("N",))
    two = replace(_plan(RENAME, "A", into=("M",)), sources=(("N",),))
    removal, split = _plan(REMOVE, "D", drops=True), _plan(SPLIT, "C", into=("X", "Y"), rest="Y")
    after = migrate_record(record, [one, removal, two, split])
    assert _labels(after) == {"r": ["M"], "s": ["D"], "t": ["Y"]}
    assert migrate_record(record, [removal]) is record
    assert migrate_record(record, []) is record


def test_what_a_label_becomes_wherever_it_is_said() -> None:
    """Not told where it is decided region by region, or removed."""
    assert carried(("A",), _plan(RENAME, "A", into=("N",))) == ("N",)
    assert carried(("A",), _plan(MERGE, "A", "C", into=("C",))) == ("C",)
    assert carried(("A",), _plan(SPLIT, "A", into=("N", "M"))) is None
    assert carried(("A",), _plan(SPLIT, "A", into=("N", "M"), rest="M")) == ("M",)
    assert carried(("A",), _plan(REMOVE, "A")) is None
    assert carried(("D",), _plan(REMOVE, "A")) == ("D",)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_for_each_control_every_label_can_be_renamed(case: Case) -> None:
    """In real results: each use, nothing else; and renamed back the record is what it was."""
    config, digest = case.label_config, parse_ontology(case.label_config).digest
    first = _annotation(*case.first, ontology_digest=digest)
    record = _record(first, _annotation(*case.second, unique_id="v", ontology_digest=digest))
    for control in parse_ontology(config).controls:
        for label in control.labels:
            name, new = "/".join(label.path), (*label.path[:-1], "New")
            to = MigrationRequest(
                operation=RENAME, sources=(name,), targets=("New",), control=control.name
            )
            planned = plan_migration(config, to)
            after = relabel(record, planned.migration)
            back = replace(to, sources=("/".join(new),), targets=(label.path[-1],))
            undo = plan_migration(planned.label_config, back)
            assert undo.label_config == config
            assert encode_record(relabel(after, undo.migration)) == encode_record(record)
            speakers = planned.migration.speakers
            assert _texts(after, speakers) == _texts(record, speakers, label.path, new)
            assert not parse_ontology(planned.label_config).unknown_labels(after)
            assert bool([*uses(record, planned.migration)]) == (after is not record)


def _texts(
    record: Record, speakers: tuple[str, ...], old: Path = (), new: Path = ()
) -> Counter[tuple[bool, Path]]:
    """Every label that is said, by these controls or others, with one of them under a new name."""
    said_by = [
        (region.get("from_name") in speakers, path)
        for one in record.annotations
        for region in one.result
        for path in label_paths(region)
    ]
    return Counter(
        (own, (*new, *path[len(old) :]) if own and old and path[: len(old)] == old else path)
        for own, path in said_by
    )


_said_labels = st.lists(
    st.sampled_from(["A", "b", "B", "C", "D"]), min_size=1, max_size=4, unique=True
)
_ids = st.sampled_from(["r", "s", "t", "u"])


@st.composite
def _annotations(draw: st.DrawFn, unique_id: str) -> Annotation:
    """Boxes, some with answers about them, some related."""
    result: list[Region] = []
    ids = draw(st.lists(_ids, unique=True, max_size=4))
    for name in ids:
        result.append(_box(name, *draw(_said_labels)))
        if draw(st.booleans()):
            answer = draw(st.lists(st.sampled_from("ABC"), min_size=1, max_size=3, unique=True))
            result.append(_answer(name, "kind", "choices", *answer))
            if draw(st.booleans()):
                result[-2] = {
                    **result[-2],
                    "value": {**dict(_value(result[-2])), "choices": [*answer]},
                }
        if draw(st.booleans()):
            result.append(_answer(name, "note", "textarea", "A"))
    if len(ids) > 1 and draw(st.booleans()):
        result.append(_relation(ids[0], ids[1]))
    when = draw(moments)
    return _annotation(
        *result,
        unique_id=unique_id,
        annotator=draw(emails),
        created_at=when,
        updated_at=when,
        skipped=draw(st.booleans()),
        ground_truth=draw(st.booleans()),
        origins={name: draw(st.sampled_from(Origin)) for name in ids},
    )


def _value(region: Region) -> Region:
    value = region["value"]
    assert isinstance(value, dict)
    return value


@st.composite
def _records(draw: st.DrawFn) -> Record:
    count = draw(st.integers(0, 3))
    return _record(*[draw(_annotations(f"u{number}")) for number in range(count)])


@st.composite
def _migrations(draw: st.DrawFn) -> MigrationRequest:
    """Any migration of the boxes' labels, but for removals."""
    labels = ["A", "b", "C", "D"]
    source = draw(st.sampled_from(labels))
    match draw(st.sampled_from([RENAME, MERGE, SPLIT])):
        case Operation.MERGE:
            others = st.lists(st.sampled_from(labels), min_size=2, max_size=3, unique=True)
            into = draw(st.sampled_from([*labels, "N"]))
            return MigrationRequest(
                operation=MERGE, sources=tuple(draw(others)), targets=(into,), control="label"
            )
        case Operation.SPLIT:
            into = draw(
                st.lists(st.sampled_from([*labels, "N", "M"]), min_size=2, max_size=3, unique=True)
            )
            return MigrationRequest(
                operation=SPLIT,
                sources=(source,),
                targets=tuple(into),
                control="label",
                decisions={
                    (TaskKey("a.png"), f"u{number}", name): draw(st.sampled_from(into))
                    for number in range(3)
                    for name in "rstu"
                },
                rest=into[0],
            )
        case _:
            return MigrationRequest(
                operation=RENAME, sources=(source,), targets=("N",), control="label"
            )


def _expected(labels: list[str], asked: MigrationRequest, place: tuple[str, str]) -> list[str]:
    """What a box says after a migration, worked out another way: by sets and positions."""
    forms = {form for one in asked.sources for form in ((one, "B") if one == "b" else (one,))}
    (unique_id, name) = place
    target = asked.targets[0]
    if asked.operation is SPLIT:
        target = asked.decisions[TaskKey("a.png"), unique_id, name]
    if not forms & {*labels}:
        return labels
    mapped = [target if one in forms else one for one in labels]
    return [one for index, one in enumerate(mapped) if one not in mapped[:index]]


@given(_records(), _migrations())
def test_every_label_is_mapped_and_no_region_is_lost(
    record: Record, asked: MigrationRequest
) -> None:
    """Each box says what it should; everything but labels, and all else, is as it was."""
    planned = plan_migration(_CONFIG, asked)
    after = relabel(record, planned.migration)
    assert decode_record(encode_record(after)) == after
    assert not parse_ontology(planned.label_config).unknown_labels(after)
    assert [one.unique_id for one in after.annotations] == [
        one.unique_id for one in record.annotations
    ]
    for before, now in zip(record.annotations, after.annotations, strict=True):
        assert len(now.result) == len(before.result)
        was, expected = _labels(record, before.unique_id), {}
        for name, labels in was.items():
            expected[name] = _expected(labels, asked, (before.unique_id, name))
        assert _labels(after, before.unique_id) == expected
        changed = was != expected
        assert now.ontology_digest == (planned.migration.ontology_digest if changed else _OLD)
        assert _without_labels(now) == _without_labels(before)
    if all(
        _labels(record, one.unique_id) == _labels(after, one.unique_id) for one in after.annotations
    ):
        assert after is record


def _without_labels(annotation: Annotation) -> Annotation:
    """The annotation with no box's labels, and no word on how it is to be read."""
    result = tuple(
        _box(str(one["id"]), **{k: v for k, v in _value(dict(one)).items() if k == "choices"})
        if one.get("type") == "rectanglelabels"
        else one
        for one in annotation.result
    )
    return replace(annotation, result=result, ontology_digest="")


@given(_records(), st.sampled_from(["A", "b", "C", "D"]))
def test_a_removal_takes_these_regions_and_no_other(record: Record, label: str) -> None:
    """What is left is what it was; no annotation is left empty that was not."""
    planned = plan_migration(
        _CONFIG,
        MigrationRequest(operation=REMOVE, sources=(label,), control="label", drops=True),
    )
    after = relabel(record, planned.migration)
    assert not parse_ontology(planned.label_config).unknown_labels(after)
    forms = {label, "B"} if label == "b" else {label}
    now = {one.unique_id: one for one in after.annotations}
    for before in record.annotations:
        left = {
            name: [one for one in labels if one not in forms]
            for name, labels in _labels(record, before.unique_id).items()
        }
        kept = {name: labels for name, labels in left.items() if labels}
        if not kept and left and not before.skipped:
            assert before.unique_id not in now
            continue
        assert _labels(after, before.unique_id) == kept
        others = [one for one in before.result if str(one.get("id")) in kept]
        related = [one for one in before.result if is_relation(one)]
        related = [one for one in related if {str(one["from_id"]), str(one["to_id"])} <= {*kept}]
        assert len(now[before.unique_id].result) == len(others) + len(related)
    assert after.quarantined == record.quarantined
    is_empty = [one.unique_id for one in after.annotations if not one.result and not one.skipped]
    assert is_empty == [
        one.unique_id for one in record.annotations if not one.result and not one.skipped
    ]
