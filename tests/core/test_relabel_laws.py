"""The laws of migrations, over generated records: nothing lost, nothing invented."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.canonical import decode_record, encode_record
from ops.core.migration import MigrationRequest, Operation, plan_migration
from ops.core.ontology import parse_ontology
from ops.core.records import Annotation, Origin, Record, TaskKey
from ops.core.regions import is_relation
from ops.core.relabel import relabel
from tests.core.relabels import (
    CONFIG,
    OLD,
    Region,
    annotation_of,
    answer,
    box,
    labels_of,
    record_of,
    related,
)
from tests.laws import note
from tests.strategies import emails, moments

RENAME, MERGE, SPLIT, REMOVE = Operation


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
        result.append(box(name, *draw(_said_labels)))
        if draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from("ABC"), min_size=1, max_size=3, unique=True))
            result.append(answer(name, "kind", "choices", *chosen))
            if draw(st.booleans()):
                result[-2] = {
                    **result[-2],
                    "value": {**dict(_value(result[-2])), "choices": [*chosen]},
                }
        if draw(st.booleans()):
            result.append(answer(name, "note", "textarea", "A"))
    if len(ids) > 1 and draw(st.booleans()):
        result.append(related(ids[0], ids[1]))
    when = draw(moments)
    return annotation_of(
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
    return record_of(*[draw(_annotations(f"u{number}")) for number in range(count)])


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


_RECORDS = 400


def test_every_label_is_mapped_and_no_region_is_lost() -> None:
    """By rename, merge and split; a record that says none of the labels is the same object."""
    _hold_mapping()
    note("migrations", f"{_RECORDS} records: regions conserved, each label mapped as asked")


@settings(max_examples=_RECORDS)
@given(_records(), _migrations())
def _hold_mapping(record: Record, asked: MigrationRequest) -> None:
    """Each box says what it should; everything but labels, and all else, is as it was."""
    planned = plan_migration(CONFIG, asked)
    after = relabel(record, planned.migration)
    assert decode_record(encode_record(after)) == after
    assert not parse_ontology(planned.label_config).unknown_labels(after)
    assert [one.unique_id for one in after.annotations] == [
        one.unique_id for one in record.annotations
    ]
    for before, now in zip(record.annotations, after.annotations, strict=True):
        assert len(now.result) == len(before.result)
        was, expected = labels_of(record, before.unique_id), {}
        for name, labels in was.items():
            expected[name] = _expected(labels, asked, (before.unique_id, name))
        assert labels_of(after, before.unique_id) == expected
        changed = was != expected
        assert now.ontology_digest == (planned.migration.ontology_digest if changed else OLD)
        assert _without_labels(now) == _without_labels(before)
    if all(
        labels_of(record, one.unique_id) == labels_of(after, one.unique_id)
        for one in after.annotations
    ):
        assert after is record


def _without_labels(annotation: Annotation) -> Annotation:
    """The annotation with no box's labels, and no word on how it is to be read."""
    result = tuple(
        box(str(one["id"]), **{k: v for k, v in _value(dict(one)).items() if k == "choices"})
        if one.get("type") == "rectanglelabels"
        else one
        for one in annotation.result
    )
    return replace(annotation, result=result, ontology_digest="")


def test_a_removal_takes_these_regions_and_no_other() -> None:
    """And leaves no annotation empty that was not."""
    _hold_removal()
    note("migrations", f"{_RECORDS} records: a removal took its regions, and nobody said empty")


@settings(max_examples=_RECORDS)
@given(_records(), st.sampled_from(["A", "b", "C", "D"]))
def _hold_removal(record: Record, label: str) -> None:
    """What is left is what it was; no annotation is left empty that was not."""
    planned = plan_migration(
        CONFIG,
        MigrationRequest(operation=REMOVE, sources=(label,), control="label", drops=True),
    )
    after = relabel(record, planned.migration)
    assert not parse_ontology(planned.label_config).unknown_labels(after)
    forms = {label, "B"} if label == "b" else {label}
    now = {one.unique_id: one for one in after.annotations}
    for before in record.annotations:
        left = {
            name: [one for one in labels if one not in forms]
            for name, labels in labels_of(record, before.unique_id).items()
        }
        kept = {name: labels for name, labels in left.items() if labels}
        if not kept and left and not before.skipped:
            assert before.unique_id not in now
            continue
        assert labels_of(after, before.unique_id) == kept
        others = [one for one in before.result if str(one.get("id")) in kept]
        related = [one for one in before.result if is_relation(one)]
        related = [one for one in related if {str(one["from_id"]), str(one["to_id"])} <= {*kept}]
        assert len(now[before.unique_id].result) == len(others) + len(related)
    assert after.quarantined == record.quarantined
    is_empty = [one.unique_id for one in after.annotations if not one.result and not one.skipped]
    assert is_empty == [
        one.unique_id for one in record.annotations if not one.result and not one.skipped
    ]
