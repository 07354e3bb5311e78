"""Exports as the real server gave them, and the records they make, byte by byte.

`OPS_WRITE_GOLDEN=1` writes the records anew; tests/system/test_golden_exports.py the exports.
"""

import json
import os
from pathlib import Path
from typing import cast

import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.encoding import encode
from ops.core.exports import KEY_FIELD, RoundFacts, build_record
from ops.core.ontology import parse_ontology
from ops.core.records import Json, Media, Origin, Record, Task, TaskKey, TaskState
from tests.controls import CASES, Case, Result

_EXPORTS = Path(__file__).parent / "golden" / "label-studio-1.23.2"
_KEY = TaskKey("cats/grey cat é.jpg")
_TASK = Task(key=_KEY, media=Media(path=f"images/{_KEY}", checksum="0" * 32, size_bytes=7))


def _documents(case: Case) -> list[dict[str, Json]]:
    return json.loads((_EXPORTS / f"{case.name}.export.json").read_text(encoding="utf-8"))


def _record(case: Case) -> Record:
    documents = _documents(case)
    people = {
        cast("int", one["completed_by"])
        for document in documents
        for one in cast("list[dict[str, Json]]", document["annotations"])
    }
    facts = RoundFacts(
        round="golden",
        ontology_digest=parse_ontology(case.label_config).digest,
        members={user: f"person-{user}@example.com" for user in people},
    )
    return build_record(_TASK, documents, facts, carried={})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_export_makes_the_golden_record(case: Case) -> None:
    """The form of a record and the digest of an ontology are not to change unnoticed."""
    data = encode_record(_record(case))
    golden = _EXPORTS / f"{case.name}.record.json"
    if os.environ.get("OPS_WRITE_GOLDEN"):
        golden.write_bytes(data)
    assert data.decode() == golden.read_bytes().decode()
    assert decode_record(data, key=_KEY) == _record(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_sent_is_what_is_recorded(case: Case) -> None:
    """Each answer once, with its regions verbatim, whatever drafts and predictions lay there."""
    record = _record(case)
    assert record.state is TaskState.LABELED
    nothing: Result = []
    sent = (case.first, case.second, case.first, nothing)
    for one, result in zip(record.annotations, sent, strict=True):
        assert sorted(map(encode, map(dict, one.result))) == sorted(map(encode, result))
    assert [one.skipped for one in record.annotations] == [False, False, True, False]
    assert [one.ground_truth for one in record.annotations] == [True, False, False, False]
    assert [one.lead_time_s for one in record.annotations] == [2, 12.5, None, None]


def test_a_prediction_that_was_changed_is_remembered() -> None:
    """The one case that says so: the editor's own word for it."""
    case = next(case for case in CASES if case.name == "rectangle")
    changed = _record(case).annotations[1]
    assert changed.origins == {"b3": Origin.CHANGED}
    assert changed.prediction == {"model_version": "m1", "score": 0.5}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_golden_files_hold_what_is_no_label(case: Case) -> None:
    """A draft and a prediction are in each export, or their absence above would show nothing."""
    [document] = _documents(case)
    assert document["drafts"]
    assert document["predictions"]
    data = cast("dict[str, Json]", document["data"])
    assert data[KEY_FIELD] == _KEY


def test_no_file_without_a_case() -> None:
    """A control that is no longer tested leaves no file behind."""
    expected = {f"{case.name}.{kind}.json" for case in CASES for kind in ("export", "record")}
    assert {path.name for path in _EXPORTS.iterdir()} == expected
