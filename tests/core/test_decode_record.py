"""What is no record is refused, and the error names the place."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.encoding import encode
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.errors import InvalidDataError

_TIME = "2026-11-21T14:02:00.000000Z"
_MEDIA = Media(path="images/a.jpg", checksum="c" * 32, size_bytes=3)
_TASK = Task(key=TaskKey("a.jpg"), media=_MEDIA)


def _annotation(unique_id: str, *regions: Mapping[str, Json]) -> Annotation:
    return Annotation(
        unique_id=unique_id,
        annotator="ada@example.com",
        round="cheese-1",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest="0" * 64,
        result=regions,
    )


def _document() -> dict[str, Json]:
    annotations = (_annotation("u1"), _annotation("u2", {"id": "a", "type": "choices"}))
    return json.loads(encode_record(Record(task=_TASK, annotations=annotations)))


def test_the_document_the_cases_break_is_whole() -> None:
    """Unbroken, it is a record; in another layout, the same one."""
    document = _document()
    data = json.dumps(document, indent=7).encode()
    assert encode_record(decode_record(data, key=TaskKey("a.jpg"))) == encode(document)


_GONE = object()
_CASES: tuple[tuple[str, object, str], ...] = (
    ("schema", _GONE, "schema is missing"),
    ("schema", "ops.record/2", "schema is 'ops.record/2'"),
    ("schema", 1, "schema must be a text"),
    ("state", _GONE, "state is missing"),
    ("state", "empty", "the annotations say 'labeled'"),
    ("state", "quarantined", "the annotations say 'labeled'"),
    ("quarantined", True, "the annotations say 'quarantined'"),
    ("quarantined", 1, "quarantined must be true or false"),
    ("quarantined", None, "quarantined must be true or false, not null"),
    ("more", 1, "more is not a field"),
    ("task", _GONE, "task is missing"),
    ("task", [], "task must be an object, not an array"),
    ("task.more", 1, "task.more is not a field"),
    ("task.key", _GONE, "task.key is missing"),
    ("task.key", "", "task.key must not be empty"),
    ("task.key", "b.jpg", "task.media.path is 'images/a.jpg'"),
    ("task.data", [], "task.data must be an object"),
    ("task.media", _GONE, "task.media is missing"),
    ("task.media", "images/a.jpg", "task.media must be an object, not a text"),
    ("task.media.path", "a.jpg", "task.media.path is 'a.jpg'"),
    ("task.media.path", "images/b.jpg", "task.media.path is 'images/b.jpg'"),
    ("task.media.checksum", _GONE, "task.media.checksum is missing"),
    ("task.media.size_bytes", "3", "task.media.size_bytes must be a whole number, not a text"),
    ("task.media.size_bytes", -1, "task.media.size_bytes must not be negative"),
    ("task.media.size_bytes", 1.5, "task.media.size_bytes must be a whole number"),
    ("task.media.size_bytes", True, "task.media.size_bytes must be a whole number"),
    ("task.media.width", None, "task.media.width must be a whole number, not null"),
    ("task.media.sha256", 5, "task.media.sha256 must be a text"),
    ("task.media.more", 5, "task.media.more is not a field"),
    ("annotations", _GONE, "annotations is missing"),
    ("annotations", {}, "annotations must be an array, not an object"),
    ("annotations", None, "annotations must be an array, not null"),
    ("annotations.0", "x", "annotations[0] must be an object, not a text"),
    ("annotations.0.unique_id", _GONE, "annotations[0].unique_id is missing"),
    ("annotations.0.unique_id", "", "annotations[0].unique_id must not be empty"),
    ("annotations.1.unique_id", "u1", "annotations[1].unique_id is 'u1', which is there already"),
    ("annotations.0.annotator", None, "annotations[0].annotator must be a text, not null"),
    ("annotations.0.round", 7, "annotations[0].round must be a text, not a number"),
    ("annotations.0.updated_by", None, "annotations[0].updated_by must be a text, not null"),
    ("annotations.0.ontology_digest", _GONE, "annotations[0].ontology_digest is missing"),
    ("annotations.0.skipped", _GONE, "annotations[0].skipped is missing"),
    ("annotations.1.skipped", 0, "annotations[1].skipped must be true or false, not a number"),
    ("annotations.1.ground_truth", "no", "annotations[1].ground_truth must be true or false"),
    ("annotations.1.ground_truth", _GONE, "annotations[1].ground_truth is missing"),
    ("annotations.0.lead_time_s", "2", "annotations[0].lead_time_s must be a number"),
    ("annotations.0.lead_time_s", None, "annotations[0].lead_time_s must be a number, not null"),
    ("annotations.0.created_at", "2026-11-21", "annotations[0].created_at must be a time"),
    ("annotations.0.created_at", "2026-11-21T14:02:00Z", "annotations[0].created_at must be"),
    ("annotations.0.created_at", "2026-02-30T14:02:00.000000Z", "annotations[0].created_at must"),
    ("annotations.0.created_at", 1_795_269_720, "annotations[0].created_at must be a text"),
    ("annotations.1.updated_at", "2026-11-21T14:02:00.000000+01:00", "[1].updated_at must be"),
    ("annotations.1.updated_at", _TIME + "\n", "annotations[1].updated_at must be a time"),
    ("annotations.0.result", _GONE, "annotations[0].result is missing"),
    ("annotations.0.result", None, "annotations[0].result must be an array, not null"),
    ("annotations.1.result.0", [], "annotations[1].result[0] must be an object"),
    ("annotations.1.origins", {"b": "imported"}, "annotations[1].origins.b names no region"),
    ("annotations.1.origins", {"a": "robot"}, "annotations[1].origins.a is 'robot'"),
    ("annotations.1.origins", {"a": 1}, "annotations[1].origins.a must be a text"),
    ("annotations.1.origins", [], "annotations[1].origins must be an object"),
    ("annotations.0.prediction", "m1", "annotations[0].prediction must be an object"),
    ("annotations.0.import_id", 5, "annotations[0].import_id is not a field"),
)


def _broken(place: str, value: object) -> bytes:
    document = _document()
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    inner = cast("dict[str | int, object]", document)
    for step in way:
        inner = cast("dict[str | int, object]", inner[step])
    if value is _GONE:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(("place", "value", "message"), _CASES)
def test_a_broken_record_is_refused_by_place(place: str, value: object, message: str) -> None:
    """Each failure names the field, says what is wrong with it and leaves all as it was."""
    with pytest.raises(InvalidDataError) as caught:
        decode_record(_broken(place, value))
    error = caught.value
    assert message in error.message
    assert error.code == "record-invalid"
    assert dict(error.where)["field"] in error.message
    assert error.unchanged == "nothing was written"
    assert error.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON: line 1, column 1"),
        (b"{", "is not JSON: line 1, column 2"),
        (b"{}{}", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 7)"),
        (b"[]", "must be an object, not an array"),
        (b"null", "must be an object, not null"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": {"b": 1, "c": 2, "b": 1}}', "b is there twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bytes_that_are_no_document_are_refused(data: bytes, message: str) -> None:
    """Nothing is guessed, and nothing dropped: a field that is there twice is an error."""
    with pytest.raises(InvalidDataError) as caught:
        decode_record(data)
    assert message in caught.value.message


def test_a_record_of_another_key_is_refused() -> None:
    """The object's path and what it says must agree."""
    data = encode_record(Record(task=_TASK))
    assert decode_record(data, key=TaskKey("a.jpg")).task.key == "a.jpg"
    with pytest.raises(InvalidDataError, match=r"the object's path says 'b\.jpg'") as caught:
        decode_record(data, key=TaskKey("b.jpg"))
    assert caught.value.subject == "b.jpg"


def test_a_lone_surrogate_written_as_escape_is_refused() -> None:
    """JSON can escape what is no Unicode; a pair of halves is a character like any other."""
    data = encode_record(Record(task=replace(_TASK, data={"a": "X"})))
    with pytest.raises(InvalidDataError, match="lone surrogate"):
        decode_record(data.replace(b'"X"', b'"\\ud800"'))
    assert decode_record(data.replace(b'"X"', b'"\\ud83d\\ude00"')).task.data == {"a": "😀"}


def test_a_record_that_cannot_be_written_says_where() -> None:
    """Half a character that came another way than by JSON."""
    record = Record(task=replace(_TASK, data={"a": "\ud800"}))
    with pytest.raises(InvalidDataError, match=r"task\.data\.a"):
        encode_record(record)
