"""How annotations are recognised again, and what of an export is read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import encode_record, normalise
from ops.core.exports import (
    KEY_FIELD,
    RoundFacts,
    build_record,
    document_key,
    identity_number,
    to_import,
)
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey
from ops.errors import InvalidDataError
from tests import strategies

_KEY = TaskKey("cats/1.jpg")
_TASK = Task(key=_KEY, media=Media(path=f"images/{_KEY}", checksum="c" * 32, size_bytes=3))
_FACTS = RoundFacts(
    round="cheese-2",
    ontology_digest="2" * 64,
    members={1: "ops@example.com", 2: "ada@example.com", 3: "bob@example.com"},
)
_OLD = Annotation(
    unique_id="0f6c1c1e-0000-4000-8000-000000000001",
    annotator="ada@example.com",
    round="cheese-1",
    created_at="2026-01-01T08:00:00.000000Z",
    updated_at="2026-01-02T08:00:00.000000Z",
    ontology_digest="1" * 64,
    lead_time_s=7.0,
    origins={"a": Origin.ACCEPTED, "b": Origin.IMPORTED},
    prediction={"model_version": "m1", "score": 0.5},
    result=(
        {"id": "a", "type": "choices", "value": {"choices": ["Cat"]}, "origin": "prediction"},
        {"id": "b", "type": "choices", "value": {"choices": ["Dog"]}},
    ),
)


def _exported(unique_id: str, *regions: Mapping[str, Json], **fields: Json) -> dict[str, Json]:
    """An annotation as Label Studio 1.23 exports it."""
    return {
        "id": 11,
        "unique_id": unique_id,
        "completed_by": 2,
        "updated_by": None,
        "result": [dict(region) for region in regions],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-02-01T09:00:00Z",
        "updated_at": "2026-02-01T10:30:00.250000Z",
        "lead_time": 3,
        "prediction": {},
        "import_id": None,
        "parent_prediction": None,
        **fields,
    }


def _copy(of: Annotation, unique_id: str, **fields: Json) -> dict[str, Json]:
    """What Label Studio exports of an annotation that was imported from a record."""
    more: dict[str, Json] = {"import_id": identity_number(of.unique_id), "completed_by": 1}
    return _exported(unique_id, *of.result, **{**more, **fields})


def _document(*annotations: Json, key: str = _KEY) -> dict[str, Json]:
    data: Json = {"image": "s3://cats/1", KEY_FIELD: key}
    return {"id": 5, "data": data, "annotations": [*annotations], "drafts": [], "predictions": [8]}


def _build(*documents: Mapping[str, Json], carried: tuple[Annotation, ...] = ()) -> Record:
    by_id = {one.unique_id: one for one in carried}
    return build_record(_TASK, documents, _FACTS, carried=by_id)


def _sent(item: Mapping[str, Json]) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", item["annotations"])


_CHOICE: dict[str, Json] = {"id": "n", "type": "choices", "value": {"choices": ["Cat"]}}


def test_a_new_annotation_takes_all_from_label_studio() -> None:
    """Identity, people, times in canonical form, round and ontology of the day."""
    [one] = _build(_document(_exported("u1", _CHOICE, updated_by=3))).annotations
    assert one == Annotation(
        unique_id="u1",
        annotator="ada@example.com",
        updated_by="bob@example.com",
        round="cheese-2",
        created_at="2026-02-01T09:00:00.000000Z",
        updated_at="2026-02-01T10:30:00.250000Z",
        lead_time_s=3,
        ontology_digest="2" * 64,
        result=(_CHOICE,),
    )


@pytest.mark.parametrize(
    ("said", "annotator"),
    [
        (2, "ada@example.com"),
        (17, "unknown-user-17"),
        (None, "unknown-user"),
        ({"id": 9, "email": "zoe@example.com"}, "zoe@example.com"),
    ],
)
def test_an_annotator_is_always_named(said: Json, annotator: str) -> None:
    """By e-mail; people Label Studio no longer knows have a stable name."""
    [one] = _build(_document(_exported("u1", completed_by=said))).annotations
    assert one.annotator == annotator


def test_who_changed_it_last_is_noted_if_another_person() -> None:
    """The same person twice is said once."""
    [one] = _build(_document(_exported("u1", updated_by=2))).annotations
    assert one.updated_by is None


def test_no_result_is_an_empty_one() -> None:
    """The API stores null for an answer without a result; it is an answer all the same."""
    record = _build(_document({**_exported("u1"), "result": None}))
    assert record.annotations[0].result == ()
    assert record.state.value == "empty"


def test_an_untouched_copy_is_the_carried_annotation() -> None:
    """Not a field is taken from the copy, whoever imported it and when."""
    record = _build(_document(_copy(_OLD, "copy")), carried=(_OLD,))
    assert record.annotations == (_OLD,)


def test_the_editors_note_of_origin_is_no_change() -> None:
    """The editor writes `manual` on every region of an annotation it saves."""
    noted = [{**region, "origin": "manual"} for region in _OLD.result]
    copy = {**_copy(_OLD, "copy"), "result": cast("Json", noted)}
    assert _build(_document(copy), carried=(_OLD,)).annotations == (_OLD,)


def test_the_order_of_regions_and_the_form_of_numbers_are_no_change() -> None:
    """What compares is the canonical form."""
    before = normalise(replace(_OLD, result=({"id": "b", "x": 1}, {"id": "a", "x": 2.5})))
    copy = _copy(before, "copy", result=[{"x": 2.5, "id": "a"}, {"x": 1.0, "id": "b"}])
    assert _build(_document(copy), carried=(before,)).annotations == (before,)


def test_an_edited_copy_keeps_who_and_since_when() -> None:
    """Identity, annotator and birthday are the carried one's; the rest is the edit's."""
    edited: list[Json] = [
        {**_OLD.result[0], "value": {"choices": ["Dog"]}, "origin": "prediction-changed"},
        {**_OLD.result[1], "origin": "manual"},
        {"id": "c", "type": "choices", "value": {"choices": ["Cat"]}, "origin": "manual"},
    ]
    copy = _copy(_OLD, "copy", result=edited, updated_by=3, ground_truth=True)
    [one] = _build(_document(copy), carried=(_OLD,)).annotations
    assert one == replace(
        _OLD,
        round="cheese-2",
        updated_by="bob@example.com",
        updated_at="2026-02-01T10:30:00.250000Z",
        lead_time_s=3,
        ground_truth=True,
        ontology_digest="2" * 64,
        origins={"a": Origin.CHANGED, "b": Origin.IMPORTED},
        result=tuple(cast("list[dict[str, Json]]", edited)),
    )


def test_an_imported_region_that_a_person_changed_is_a_persons() -> None:
    """Only untouched regions keep where they came from."""
    edited: list[Json] = [{**_OLD.result[0]}, {**_OLD.result[1], "value": {"choices": ["Fox"]}}]
    copy = _copy(_OLD, "copy", result=edited)
    [one] = _build(_document(copy), carried=(_OLD,)).annotations
    assert one.origins == {"a": Origin.ACCEPTED}


@pytest.mark.parametrize("fields", [{"was_cancelled": True}, {"ground_truth": True}])
def test_a_skip_or_a_mark_alone_is_a_change(fields: dict[str, Json]) -> None:
    """What people say is more than regions."""
    [one] = _build(_document(_copy(_OLD, "copy", **fields)), carried=(_OLD,)).annotations
    assert one.unique_id == _OLD.unique_id
    assert one.round == "cheese-2"
    assert (one.skipped, one.ground_truth) == (
        bool(fields.get("was_cancelled")),
        bool(fields.get("ground_truth")),
    )


def test_a_carried_annotation_that_is_not_there_was_deleted() -> None:
    """The task is there, the annotation is not."""
    assert _build(_document(), carried=(_OLD,)).annotations == ()


def test_without_the_task_nothing_was_deleted() -> None:
    """No document is no statement about annotations."""
    assert _build(carried=(_OLD,)).annotations == (_OLD,)


def test_an_annotation_with_the_very_id_is_the_carried_one() -> None:
    """Label Studio's API takes a `unique_id`: an annotation restored by it is itself."""
    copy = _copy(_OLD, _OLD.unique_id, import_id=None)
    assert _build(_document(copy), carried=(_OLD,)).annotations == (_OLD,)


def test_a_foreign_import_is_imported_and_itself() -> None:
    """An import id that is nobody's number says only that it was imported."""
    noted: dict[str, Json] = {**_CHOICE, "id": "m", "origin": "prediction"}
    manual: dict[str, Json] = {**_CHOICE, "id": "o", "origin": "manual"}
    copy = _exported("u1", _CHOICE, noted, manual, import_id=41)
    [one] = _build(_document(copy), carried=()).annotations
    assert one.unique_id == "u1"
    assert one.origins == {"n": Origin.IMPORTED, "m": Origin.ACCEPTED}


def test_kept_annotations_stay_beside() -> None:
    """Answers of earlier rounds that were not put into the project are not touched."""
    kept = replace(_OLD, unique_id="kept")
    documents = [_document(_exported("u1"), _copy(_OLD, "copy"))]
    carried = {_OLD.unique_id: _OLD}
    record = build_record(_TASK, documents, _FACTS, carried=carried, kept=[kept])
    assert [one.unique_id for one in record.annotations] == [_OLD.unique_id, "kept", "u1"]


def test_kept_annotations_neither_double_nor_revive() -> None:
    """What the project holds, or held and lost, is not kept as well."""
    kept = [_OLD, replace(_OLD, unique_id="u1")]
    carried = {_OLD.unique_id: _OLD}
    documents = [_document(_exported("u1", _CHOICE))]
    record = build_record(_TASK, documents, _FACTS, carried=carried, kept=kept)
    assert [(one.unique_id, one.round) for one in record.annotations] == [("u1", "cheese-2")]


def test_documents_of_one_key_are_united() -> None:
    """An annotation that moved between two tasks while they were read is there once, as last."""
    early = _exported("u1", _CHOICE, updated_at="2026-02-01T10:00:00Z")
    late = _exported("u1", _CHOICE, _OLD.result[0], updated_at="2026-02-01T10:00:00.5Z")
    for documents in ([early, late], [late, early]):
        record = _build(*(_document(one, _exported("u2")) for one in documents))
        assert [one.unique_id for one in record.annotations] == ["u1", "u2"]
        assert len(record.annotations[0].result) == 2


def test_two_copies_are_one_answer() -> None:
    """A batch imported twice, both untouched; or one edited, which is then the answer."""
    first, second = _copy(_OLD, "copy-1"), _copy(_OLD, "copy-2")
    assert _build(_document(first), _document(second), carried=(_OLD,)).annotations == (_OLD,)
    edited = _copy(_OLD, "copy-2", result=[_CHOICE])
    [one] = _build(_document(first), _document(edited), carried=(_OLD,)).annotations
    assert (one.unique_id, one.result) == (_OLD.unique_id, (_CHOICE,))


def test_two_copies_edited_alike_are_one_answer_and_differently_two() -> None:
    """No edit is lost: the older copy keeps the identity, the other has Label Studio's."""
    other: dict[str, Json] = {**_CHOICE, "value": {"choices": ["Dog"]}}
    first = _copy(_OLD, "copy-1", result=[_CHOICE], created_at="2026-02-01T09:00:00Z", lead_time=9)
    alike = _copy(_OLD, "copy-2", result=[_CHOICE], created_at="2026-02-01T09:00:01Z")
    apart = _copy(_OLD, "copy-3", result=[other], created_at="2026-02-01T09:00:02Z")
    record = _build(_document(apart, alike), _document(first), carried=(_OLD,))
    assert {one.unique_id: one.result for one in record.annotations} == {
        _OLD.unique_id: (_CHOICE,),
        "copy-3": (other,),
    }
    assert {one.unique_id: one.lead_time_s for one in record.annotations}[_OLD.unique_id] == 9


_MODEL: dict[str, Json] = {"model_version": "m7", "score": 0.25}
_SEEN: Json = {"id": 8, "model_version": "m7", "score": 0.25, "result": [], "created_ago": "0 min"}


@pytest.mark.parametrize(
    ("fields", "origin", "expected"),
    [
        ({"prediction": _SEEN}, None, None),
        ({"prediction": _SEEN}, "manual", None),
        (
            {"prediction": _SEEN, "parent_prediction": 8},
            None,
            {"model_version": "m7", "score": 0.25},
        ),
        ({"prediction": _SEEN}, "prediction-changed", _MODEL),
        ({"prediction": {"score": None}, "parent_prediction": 8}, None, {}),
        ({"prediction": None, "parent_prediction": 8}, None, {}),
        ({"prediction": {}}, "prediction", {}),
    ],
)
def test_a_prediction_counts_only_where_it_was_used(
    fields: dict[str, Json], origin: str | None, expected: dict[str, Json] | None
) -> None:
    """Label Studio notes the prediction that lay there, used or not."""
    region = _CHOICE if origin is None else {**_CHOICE, "origin": origin}
    [one] = _build(_document(_exported("u1", region, **fields))).annotations
    assert one.prediction == expected


def test_drafts_and_predictions_are_not_read() -> None:
    """Whatever is in them."""
    strange: dict[str, Json] = {"drafts": [{"result": 5}], "predictions": ["x", None]}
    assert _build(_document(_exported("u1")) | strange) == _build(_document(_exported("u1")))


@given(strategies.records(), st.booleans())
def test_an_import_item_comes_back_as_the_record(record: Record, known: bool) -> None:
    """What Label Studio would make of the item is recognised as the record, verbatim."""
    members = {1: "ops@example.com", 2: "ada@example.com"} if known else {}
    item = to_import(record, data={"image": "s3://x"}, members=members)
    assert document_key(item) == record.task.key
    assert item["data"] == {**record.task.data, "image": "s3://x", KEY_FIELD: record.task.key}
    annotations: list[Json] = []
    for number, sent in enumerate(_sent(item)):
        kept = ("result", "was_cancelled", "ground_truth", "lead_time")
        fields: dict[str, Json] = {name: sent[name] for name in kept}
        annotations.append(_exported(f"copy-{number}", import_id=sent["id"], **fields))
    carried = {one.unique_id: one for one in record.annotations}
    document = _document(*annotations, key=record.task.key)
    facts = replace(_FACTS, members=members)
    again = build_record(record.task, [document], facts, carried=carried)
    quarantined = replace(again, quarantined=record.quarantined)
    assert encode_record(quarantined) == encode_record(record)


def test_only_members_are_named_to_label_studio() -> None:
    """It refuses an import that names a stranger."""
    record = Record(task=_TASK, annotations=(_OLD,))
    [mine] = cast(
        "list[dict[str, Json]]",
        to_import(record, data={}, members={4: "ada@example.com"})["annotations"],
    )
    assert mine["completed_by"] == {"email": "ada@example.com"}
    [other] = cast("list[dict[str, Json]]", to_import(record, data={}, members={})["annotations"])
    assert "completed_by" not in other
    assert other["ground_truth"] is False


@given(st.sets(st.uuids().map(str), min_size=2, max_size=50))
def test_the_identity_number_fits_and_tells_apart(unique_ids: set[str]) -> None:
    """48 bits: exact in every JSON reader, and one for each."""
    numbers = {identity_number(unique_id) for unique_id in unique_ids}
    assert len(numbers) == len(unique_ids)
    assert all(0 <= number < 2**48 for number in numbers)


def test_the_identity_number_is_fixed_for_good() -> None:
    """Projects that are open carry it: another formula would orphan their annotations."""
    assert identity_number("0f6c1c1e-0000-4000-8000-000000000001") == 240_843_613_718_493


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"data": {"key": "a"}}, "a"),
        ({"data": {"key": ""}}, None),
        ({"data": {"key": 5}}, None),
        ({"data": {}}, None),
        ({"data": []}, None),
        ({}, None),
    ],
)
def test_the_key_of_a_document(document: dict[str, Json], key: str | None) -> None:
    """Tasks that people added by hand have none."""
    assert document_key(document) == key


_GONE = object()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("unique_id", _GONE, "annotations[1].unique_id is missing"),
        ("unique_id", None, "annotations[1].unique_id must be a text, not null"),
        ("unique_id", "", "annotations[1].unique_id must not be empty"),
        ("unique_id", 5, "annotations[1].unique_id must be a text, not a number"),
        ("completed_by", _GONE, "annotations[1].completed_by is missing"),
        ("completed_by", "ada@example.com", "annotations[1].completed_by must be a whole number"),
        ("completed_by", {"id": 2}, "annotations[1].completed_by.email is missing"),
        ("completed_by", -1, "annotations[1].completed_by must not be negative"),
        ("updated_by", "ada", "annotations[1].updated_by must be a whole number"),
        ("result", _GONE, "annotations[1].result is missing: a value belongs there"),
        ("result", {}, "annotations[1].result must be an array, not an object"),
        ("result", "[]", "annotations[1].result must be an array, not a text"),
        ("result", ["x"], "annotations[1].result[0] must be an object, not a text"),
        ("was_cancelled", None, "annotations[1].was_cancelled must be true or false, not null"),
        ("was_cancelled", _GONE, "annotations[1].was_cancelled is missing"),
        ("ground_truth", 0, "annotations[1].ground_truth must be true or false, not a number"),
        ("created_at", _GONE, "annotations[1].created_at is missing"),
        ("created_at", "yesterday", "annotations[1].created_at must be a time with its offset"),
        ("created_at", "2026-02-01T09:00:00", "annotations[1].created_at must be a time with its"),
        ("created_at", "0001-01-01T00:00:00+23:00", "annotations[1].created_at must be a time"),
        ("updated_at", 5, "annotations[1].updated_at must be a text"),
        ("lead_time", "3", "annotations[1].lead_time must be a number"),
        ("lead_time", True, "annotations[1].lead_time must be a number"),
        ("import_id", "5", "annotations[1].import_id must be a whole number"),
        ("parent_prediction", None, None),
    ],
)
def test_a_malformed_export_is_refused_by_place(
    field: str, value: object, message: str | None
) -> None:
    """The error names the task and the field; what may be absent, may."""
    broken = cast("dict[str, object]", _exported("u1", _CHOICE))
    broken.pop(field)
    if value is not _GONE:
        broken[field] = value
    document = _document(_exported("u0"), cast("Json", broken))
    if message is None:
        assert len(_build(document).annotations) == 2
        return
    with pytest.raises(InvalidDataError) as caught:
        _build(document)
    assert message in caught.value.message
    assert caught.value.subject == _KEY
    assert caught.value.code == "export-invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "data.key is None, the task is 'cats/1.jpg'"),
        (_document(key="cats/2.jpg"), "data.key is 'cats/2.jpg', the task is 'cats/1.jpg'"),
        ({**_document(), "annotations": None}, "annotations must be an array, not null"),
        ({**_document(), "annotations": [5]}, "annotations[0] must be an object, not a number"),
    ],
)
def test_a_document_of_another_task_is_refused(document: dict[str, Json], message: str) -> None:
    """Labels never move to another picture."""
    with pytest.raises(InvalidDataError) as caught:
        _build(document)
    assert message in caught.value.message
