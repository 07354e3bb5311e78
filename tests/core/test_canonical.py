"""Records in one byte form: its laws over any record, and its details."""

import json
import random
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import (
    content,
    decode_record,
    encode_record,
    normalise,
    normalise_record,
)
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey, TaskState
from tests import strategies

_TIME = "2026-11-21T14:02:00.000000Z"


def _annotation(unique_id: str = "u1", **fields: object) -> Annotation:
    base = Annotation(
        unique_id=unique_id,
        annotator="ada@example.com",
        round="cheese-1",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest="0" * 64,
    )
    return replace(base, **cast("dict[str, str]", fields))


def _record(*annotations: Annotation) -> Record:
    media = Media(path="images/a.jpg", checksum="c" * 32, size_bytes=3)
    return Record(task=Task(key=TaskKey("a.jpg"), media=media), annotations=annotations)


@given(strategies.loose_records(), st.randoms(use_true_random=False))
def test_bytes_ignore_the_order_of_annotations_and_regions(
    record: Record, dice: random.Random
) -> None:
    """Shuffled annotations, regions and fields are the same record."""

    def shuffled(annotation: Annotation) -> Annotation:
        result = [dict(dice.sample(sorted(one.items()), len(one))) for one in annotation.result]
        dice.shuffle(result)
        return replace(annotation, result=tuple(result))

    annotations = [shuffled(one) for one in record.annotations]
    dice.shuffle(annotations)
    assert encode_record(replace(record, annotations=tuple(annotations))) == encode_record(record)


@given(strategies.records())
def test_decode_undoes_encode(record: Record) -> None:
    """A normalised record comes back equal."""
    assert decode_record(encode_record(record), key=record.task.key) == record


@given(strategies.loose_records())
def test_encode_undoes_decode(record: Record) -> None:
    """Canonical bytes come back byte by byte."""
    data = encode_record(record)
    assert encode_record(decode_record(data)) == data


@given(strategies.loose_records())
def test_normalising_is_repeatable_and_changes_no_byte(record: Record) -> None:
    """A record in form is in form."""
    form = normalise_record(record)
    assert normalise_record(form) == form
    assert encode_record(form) == encode_record(record)


@given(strategies.loose_records())
def test_the_stated_state_is_the_records(record: Record) -> None:
    """The document says the state the annotations make."""
    assert json.loads(encode_record(record))["state"] == record.state.value


@given(strategies.annotations(), strategies.annotations())
def test_content_is_what_was_said_and_nothing_else(one: Annotation, two: Annotation) -> None:
    """Another annotator, time or round says the same; another skip does not."""
    same = replace(two, result=one.result, skipped=one.skipped, ground_truth=one.ground_truth)
    assert content(same) == content(one)
    assert content(replace(one, skipped=not one.skipped)) != content(one)
    assert content(replace(one, ground_truth=not one.ground_truth)) != content(one)


@given(strategies.annotations())
def test_content_sees_each_region(annotation: Annotation) -> None:
    """A region more is something else said; the editor's note of origin is not."""
    region: dict[str, Json] = {"id": "new", "type": "choices", "value": {"choices": ["Cat"]}}
    more = replace(annotation, result=(*annotation.result, region))
    noted = replace(annotation, result=(*annotation.result, {**region, "origin": "manual"}))
    assert content(more) != content(annotation)
    assert content(noted) == content(more)


def test_optional_fields_are_left_out() -> None:
    """A record is small: it states what there is, and always skip and ground truth."""
    document = json.loads(encode_record(_record(_annotation())))
    assert document["task"] == {
        "key": "a.jpg",
        "media": {"path": "images/a.jpg", "checksum": "c" * 32, "size_bytes": 3},
    }
    assert document["annotations"][0].keys() == {
        *("unique_id", "annotator", "round", "created_at", "updated_at", "ontology_digest"),
        *("skipped", "ground_truth", "result"),
    }
    assert "quarantined" not in document


def test_regions_are_ordered_by_id_and_relations_last() -> None:
    """Per-region answers stand beside their region, in the order of their controls."""
    regions: list[dict[str, Json]] = [
        {"type": "relation", "from_id": "b", "to_id": "a"},
        {"type": "relation", "from_id": "a", "to_id": "b"},
        {"id": "b", "from_name": "label", "type": "rectanglelabels"},
        {"id": "a", "from_name": "label", "type": "rectanglelabels"},
        {"id": "a", "from_name": "kind", "type": "choices", "value": {"choices": ["y"]}},
        {"id": "a", "from_name": "kind", "type": "choices", "value": {"choices": ["x"]}},
    ]
    ordered = normalise(_annotation(result=tuple(regions))).result
    assert ordered == (regions[5], regions[4], regions[3], regions[2], regions[1], regions[0])


def test_origins_name_only_what_no_person_drew() -> None:
    """A region without an origin is a person's; an origin without a region says nothing."""
    region: dict[str, Json] = {"id": "a", "type": "choices"}
    origins = {"a": Origin.HUMAN, "gone": Origin.IMPORTED}
    assert normalise(_annotation(result=(region,), origins=origins)).origins == {}
    origins["a"] = Origin.CHANGED
    assert normalise(_annotation(result=(region,), origins=origins)).origins == {
        "a": Origin.CHANGED
    }


_EMPTY = _annotation("empty")
_SKIPPED = _annotation("skipped", skipped=True)
_SKIPPED_WITH_A_REST = _annotation("rest", skipped=True, result=({"id": "a"},))
_LABELED = _annotation("labeled", result=({"id": "a"},))


@pytest.mark.parametrize(
    ("annotations", "quarantined", "state"),
    [
        ((), False, TaskState.UNFINISHED),
        ((_EMPTY,), False, TaskState.EMPTY),
        ((_SKIPPED,), False, TaskState.SKIPPED),
        ((_SKIPPED_WITH_A_REST,), False, TaskState.SKIPPED),
        ((_SKIPPED, _EMPTY), False, TaskState.EMPTY),
        ((_SKIPPED, _EMPTY, _LABELED), False, TaskState.LABELED),
        ((_LABELED,), True, TaskState.QUARANTINED),
    ],
)
def test_the_state_rule(
    annotations: tuple[Annotation, ...], quarantined: bool, state: TaskState
) -> None:
    """Five states, told apart by what was submitted."""
    record = replace(_record(*annotations), quarantined=quarantined)
    assert decode_record(encode_record(record)).state is state
