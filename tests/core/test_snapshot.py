"""What a snapshot's rows, digest and figures say."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import encode_record
from ops.core.card import LabelCount
from ops.core.names import record_path
from ops.core.records import Annotation, Counts, Json, Media, Origin, Record, Task, TaskKey
from ops.core.snapshot import (
    Tally,
    read_in_order,
    record_checksum,
    region_columns,
    snapshot_digest,
    task_columns,
)
from ops.errors import InternalError, InvalidDataError
from tests import strategies
from tests.controls import CASES, Case

_TIME = "2026-11-21T14:02:00.250000Z"


def _annotation(unique_id: str, *regions: Mapping[str, Json], skipped: bool = False) -> Annotation:
    return Annotation(
        unique_id=unique_id,
        annotator=f"{unique_id}@example.com",
        round="cheese-1",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest="0" * 64,
        skipped=skipped,
        origins={"b1": Origin.CHANGED},
        result=regions,
    )


def _record(key: str, *annotations: Annotation) -> Record:
    media = Media(path=f"images/{key}", checksum="c" * 32, size_bytes=3, width=640)
    return Record(task=Task(key=TaskKey(key), media=media), annotations=annotations)


_BOX: dict[str, Json] = {
    "id": "b1",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 640,
    "original_height": 480,
    "value": {"x": 1, "y": 2.5, "width": 3, "height": 4, "rotation": 0, "rectanglelabels": ["Cat"]},
}
_CHOICE: dict[str, Json] = {"id": "c", "type": "choices", "value": {"choices": ["Dog", "Cat"]}}
_RELATION: dict[str, Json] = {"type": "relation", "from_id": "b1", "to_id": "c", "labels": ["on"]}


def test_a_region_row() -> None:
    """Each fact in the column that is named for it."""
    [row] = region_columns(_record("a.jpg", _annotation("u1", _BOX)))
    moment = datetime(2026, 11, 21, 14, 2, 0, 250_000, tzinfo=UTC)
    assert row == {
        "key": "a.jpg",
        "unique_id": "u1",
        "annotator": "u1@example.com",
        "round": "cheese-1",
        "ground_truth": False,
        "skipped": False,
        "region_id": "b1",
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "label": "Cat",
        "labels": ["Cat"],
        "x": 1.0,
        "y": 2.5,
        "width": 3.0,
        "height": 4.0,
        "rotation": 0.0,
        "points": None,
        "original_width": 640,
        "original_height": 480,
        "value": None,
        "origin": "prediction-changed",
        "created_at": moment,
        "updated_at": moment,
        "ontology_digest": "0" * 64,
    }


@pytest.mark.parametrize(
    ("kind", "value", "labels", "rest"),
    [
        ("choices", {"choices": ["Cat", "Dog"]}, ["Cat", "Dog"], None),
        ("ellipselabels", {"radiusX": 2, "ellipselabels": ["Cat"]}, ["Cat"], {"radiusX": 2}),
        (
            "taxonomy",
            {"taxonomy": [["Animal", "Cat"], ["Plant"]]},
            ["Animal/Cat", "Plant"],
            {"taxonomy": [["Animal", "Cat"], ["Plant"]]},
        ),
        ("textarea", {"text": ["Cat"]}, [], {"text": ["Cat"]}),
        ("ranker", {"ranker": ["a", "b"]}, [], {"ranker": ["a", "b"]}),
        ("rating", {"rating": 4}, [], {"rating": 4}),
        ("videorectangle", {"labels": ["Car"], "duration": 4}, ["Car"], {"duration": 4}),
        (
            "rectanglelabels",
            {"x": "left", "rectanglelabels": []},
            [],
            {"rectanglelabels": [], "x": "left"},
        ),
        ("brushlabels", {"rle": [0, 1], "brushlabels": ["Cat"]}, ["Cat"], {"rle": [0, 1]}),
        (
            "vectorlabels",
            {"vectorlabels": ["Cat"], "points": [{"x": 1}]},
            ["Cat"],
            {"points": [{"x": 1}]},
        ),
    ],
)
def test_labels_and_the_rest(
    kind: str, value: dict[str, Json], labels: list[str], rest: dict[str, Json] | None
) -> None:
    """Classes are labels, typed texts and ranks are not; nothing of the value is lost."""
    region: dict[str, Json] = {"id": "a", "type": kind, "value": value}
    [row] = region_columns(_record("a.jpg", _annotation("u1", region)))
    assert (row["labels"], row["label"]) == (labels, labels[0] if labels else None)
    assert (json.loads(row["value"]) if row["value"] is not None else None) == rest


def test_points_are_numbers_or_stay_in_the_value() -> None:
    """A polygon's corners are a column."""
    plain: dict[str, Json] = {"points": [[1, 2.5], [3, 4]], "closed": True}
    odd: dict[str, Json] = {"points": [[1, "2"]]}
    regions: list[dict[str, Json]] = [
        {"id": "a", "type": "polygonlabels", "value": plain},
        {"id": "b", "type": "polygonlabels", "value": odd},
    ]
    one, two = region_columns(_record("a.jpg", _annotation("u1", *regions)))
    assert (one["points"], one["value"]) == ([[1.0, 2.5], [3.0, 4.0]], '{"closed":true}')
    assert (two["points"], two["value"]) == (None, '{"points":[[1,"2"]]}')


def test_numbers_beyond_the_columns_stay_in_the_value() -> None:
    """Whatever a program wrote into Label Studio: a version can be packed, and nothing is lost."""
    value: Json = {"x": 10**400, "y": 2**70, "rectanglelabels": ["Cat"]}
    region: dict[str, Json] = {**_BOX, "value": value, "original_width": 2**63}
    [row] = region_columns(_record("a.jpg", _annotation("u1", region)))
    assert (row["x"], row["y"], row["original_width"]) == (None, float(2**70), None)
    assert row["value"] is not None
    assert json.loads(row["value"]) == {"x": 10**400}


def test_a_relation_is_a_row_of_its_own_type() -> None:
    """It is no region: it has no id, and is counted nowhere as one."""
    record = _record("a.jpg", _annotation("u1", _BOX, _CHOICE, _RELATION))
    row = [*region_columns(record)][2]
    assert (row["type"], row["region_id"], row["labels"]) == ("relation", None, [])
    assert row["value"] == '{"from_id":"b1","labels":["on"],"to_id":"c"}'
    assert task_columns(record, encode_record(record))["region_count"] == 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_control_has_rows(case: Case) -> None:
    """A row for each entry of the result, whatever the control."""
    rows = [*region_columns(_record("a.jpg", _annotation("u1", *case.first)))]
    assert [row["type"] for row in rows] == [region["type"] for region in case.first]


def test_a_task_row() -> None:
    """What was said in a skipped annotation is counted as annotation, not as label."""
    skipped = _annotation("u0", {**_BOX, "value": {"rectanglelabels": ["Ghost"]}}, skipped=True)
    record = _record(
        "a.jpg", skipped, _annotation("u1", _BOX, _RELATION), _annotation("u2", _CHOICE)
    )
    data = encode_record(record)
    assert task_columns(record, data) == {
        "key": "a.jpg",
        "media_path": "images/a.jpg",
        "media_checksum": "c" * 32,
        "media_sha256": None,
        "width": 640,
        "height": None,
        "size_bytes": 3,
        "state": "labeled",
        "annotators": ["u0@example.com", "u1@example.com", "u2@example.com"],
        "annotation_count": 3,
        "region_count": 2,
        "labels": ["Cat", "Dog"],
        "record": data.decode(),
        "record_sha256": hashlib.sha256(data).hexdigest(),
        "record_checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }


def test_the_figures_of_a_snapshot() -> None:
    """Every task in one state; labels by region and by task; skipped regions nowhere."""
    records = [
        _record("a.jpg", _annotation("u1", _BOX, {**_BOX, "id": "b2"}), _annotation("u2", _CHOICE)),
        _record("b.jpg", _annotation("u1", _BOX, skipped=True)),
        _record("c.jpg", _annotation("u1")),
        _record("d.jpg"),
    ]
    tally = Tally()
    for record in records:
        tally.add(record, task_columns(record, encode_record(record)))
    figures = tally.figures()
    assert figures.counts == Counts(labeled=1, empty=1, skipped=1, unfinished=1)
    assert figures.annotation_count == 4
    assert figures.region_count == 3
    assert figures.labels == {
        "Cat": LabelCount(regions=3, tasks=1),
        "Dog": LabelCount(regions=1, tasks=1),
    }
    assert figures.annotators == {"u1@example.com": 3, "u2@example.com": 1}


@given(st.dictionaries(strategies.keys, strategies.digests, max_size=5))
def test_the_digest_is_the_documented_formula(sums: dict[TaskKey, str]) -> None:
    """Anyone can compute it: sorted lines of key, tab, sha256."""
    text = "".join(f"{key}\t{sums[key]}\n" for key in sorted(sums))
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert snapshot_digest(sums.items()) == expected
    assert snapshot_digest(reversed(list(sums.items()))) == expected


def test_the_checksum_is_what_lakefs_lists() -> None:
    """The md5 of the bytes, as its ETag."""
    assert record_checksum(b"{}\n") == "8a80554c91d9fca8acb82f023de02f11"


def _stored(*keys: str) -> list[tuple[str, bytes]]:
    return [(record_path(TaskKey(key)), encode_record(_record(key))) for key in keys]


def test_records_are_read_by_key() -> None:
    """`a` comes before `a-b`, though a listing has `a-b.json` first."""
    assert sorted(path for path, _ in _stored("a", "a-b")) == [
        "annotations/a-b.json",
        "annotations/a.json",
    ]
    read = [record.task.key for record, _ in read_in_order(_stored("a", "a-b"))]
    assert read == ["a", "a-b"]


@pytest.mark.parametrize("keys", [("a-b", "a"), ("a", "a"), ("b", "c", "a")])
def test_disorder_is_refused(keys: tuple[str, ...]) -> None:
    """Neither a task twice nor a file whose rows are not sorted."""
    with pytest.raises(InternalError, match="comes after"):
        list(read_in_order(_stored(*keys)))


def test_a_record_in_another_ones_place_is_refused() -> None:
    """The path and the record must agree on the key."""
    [(_, data)] = _stored("a")
    with pytest.raises(InvalidDataError, match="the object's path says 'b'"):
        list(read_in_order([("annotations/b.json", data)]))
