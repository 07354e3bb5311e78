"""What a model may say of tasks: its lines, what is wrong with them, and how they are kept."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.prediction_formats import PredictionFormat, detect, read_lines
from ops.core.prediction_rules import Matching, MatchOn, Problem, judge
from ops.core.predictions import (
    Prediction,
    PredictionFacts,
    check_model_version,
    decode_facts,
    encode_facts,
    parse_model_version,
    prediction_of,
    prediction_rows,
    predictions_digest,
)
from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError, UsageError
from tests.core.said_by_models import KEYS, OF, ONTOLOGY, box, judged, lines, region, sides, taken


def problem(data: bytes) -> str:
    """What is wrong with the one line of a file."""
    [found] = judged(list(read_lines(data, "said.jsonl")))
    assert isinstance(found, Problem), found
    assert found.place == "line 1"
    return found.reason


def test_a_line_says_its_boxes_in_percent_pixels_or_fractions() -> None:
    """All three are one region."""
    said: list[dict[str, Json]] = [
        {"key": "a.png", "score": 0.5, "boxes": [box(score=0.25)]},
        {"key": "c.jpg", "unit": "pixels", "boxes": [box(x=5, y=10, width=15, height=20)]},
        {
            "key": "deep/b.png",
            "unit": "fraction",
            "boxes": [box("gouda", x=0.1, y=0.2, width=0.3, height=0.4)],
        },
    ]
    first, second, third = taken(list(read_lines(lines(*said), "said.jsonl")))
    assert (first.key, first.score, first.shown_score) == ("a.png", 0.5, 0.5)
    assert sides(first) == sides(second) == [(10, 20, 30, 40)]
    assert sides(third)[0] == pytest.approx((10, 20, 30, 40))
    [one] = first.result
    assert (one["original_width"], one["original_height"], one["score"]) == (200, 100, 0.25)
    assert one["value"] == {
        "x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["brie"],
    }  # fmt: skip


def test_a_line_says_label_studios_regions() -> None:
    """Verbatim but for what an editor would add; an id of its own stays."""
    said: dict[str, Json] = {"key": "a.png", "result": [{**region(), "id": "own"}, region("gouda")]}
    [found] = taken(list(read_lines(lines(said), "said.jsonl")))
    assert next(one["id"] for one in found.result) == "own"
    assert len({str(one["id"]) for one in found.result}) == 2
    assert found.score is found.shown_score is None
    [again] = taken(list(read_lines(lines(said), "said.jsonl")))
    assert again == found


def test_two_models_regions_have_no_id_in_common() -> None:
    """Both may be accepted in one annotation."""
    stated = list(read_lines(lines({"key": "a.png", "boxes": [box()]}), "said.jsonl"))
    other = replace(OF, version="4")
    found = [
        next(iter(judge(stated, of=of, sizes=KEYS, ontology=ONTOLOGY, matching=Matching())))
        for of in (OF, other)
    ]
    ids = {str(one.result[0]["id"]) for one in found if isinstance(one, Prediction)}
    assert len(ids) == 2


def test_nothing_found_is_a_prediction() -> None:
    """A model that looked and saw nothing has said so."""
    [found] = taken(list(read_lines(lines({"key": "a.png", "boxes": []}), "said.jsonl")))
    assert (found.result, found.shown_score) == ((), None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"key": "a.png"}, "needs either result or boxes"),
        ({"key": "a.png", "boxes": [], "result": []}, "needs either result or boxes"),
        ({"boxes": []}, "has no key"),
        ({"key": "a.png", "boxes": [], "confidence": 1}, "has a field 'confidence'"),
        ({"key": "a.png", "boxes": [], "unit": "metres"}, "has the unit 'metres'"),
        ({"key": "a.png", "boxes": 5}, "has a boxes that is no list"),
        ({"key": "a.png", "boxes": [5]}, "has a box without a label"),
        ({"key": "a.png", "boxes": [box(x="10")]}, "has a box whose sides are"),
        ({"key": "a.png", "boxes": [box("edam")]}, "says 'edam', which no box may be called; "),
        ({"key": "a.png", "boxes": [box(x=90)]}, "has a region outside the picture"),
        ({"key": "a.png", "boxes": [box(x=-1)]}, "has a region outside the picture: x is -1"),
        ({"key": "a.png", "boxes": [box(width=0)]}, "has a region without an area"),
        ({"key": "deep/b.png", "unit": "pixels", "boxes": [box()]}, "is in pixels, and nobody"),
        ({"key": "nowhere.png", "boxes": []}, "there is no such task"),
        ({"key": "a.png", "boxes": [], "score": 1.01}, "has the score 1.01, not one from 0 to 1"),
        ({"key": "a.png", "boxes": [], "score": -0.1}, "has the score -0.1"),
        ({"key": "a.png", "boxes": [], "score": True}, "has the score True"),
        ({"key": "a.png", "boxes": [], "score": "0.5"}, "has the score 0.5"),
        ({"key": "a.png", "boxes": [box(score=2)]}, "has a box with the score 2"),
        ({"key": "a.png", "result": ["x"]}, "has a region that is no object"),
        ({"key": "a.png", "result": [region("edam")]}, "says the label 'edam' of 'label'"),
        ({"key": "a.png", "result": [{**region(), "from_name": "tag"}]}, "names the control 'tag'"),
        ({"key": "a.png", "result": [{**region(), "to_name": "text"}]}, "says 'label' of 'text'"),
        ({"key": "a.png", "result": [{**region(), "type": "choices"}]}, "has a region of type"),
        ({"key": "a.png", "result": [{"id": "r"}]}, "has a region without from_name"),
        ({"key": "a.png", "result": [region(rectanglelabels=[])]}, ""),
        ({"key": "a.png", "result": [{**region(), "score": 7}]}, "has a region with the score 7"),
        (
            {"key": "a.png", "result": [{**region(), "id": "r"}, {**region(), "id": "r"}]},
            "has two regions of the id 'r'",
        ),
    ],
)
def test_what_is_wrong_with_a_line_is_said(said: Mapping[str, Json], reason: str) -> None:
    """Label Studio would leave each of them out without a word, or show it."""
    if not reason:
        said = {"key": "a.png", "result": [{**region(), "value": {"rectanglelabels": []}}]}
        reason = "has a region without a label"
    assert problem(lines(said)).startswith(reason)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ["score", "box", "region"])
def test_a_number_that_is_none_is_named_by_its_line(number: str, place: str) -> None:
    """As Python's json writes numpy's; the other lines can be taken."""
    bad: dict[str, dict[str, Json]] = {
        "score": {"key": "a.png", "boxes": [], "score": 0.125},
        "box": {"key": "a.png", "boxes": [box(x=0.125)]},
        "region": {"key": "a.png", "result": [region(x=0.125)]},
    }
    data = lines(bad[place]).replace(b"0.125", number.encode())
    good = lines({"key": "c.jpg", "boxes": []})
    found = judged(list(read_lines(data + good, "said.jsonl")))
    assert [type(one) for one in found] == [Problem, Prediction]


def test_a_task_is_predicted_once() -> None:
    """Of two lines for one task neither may win by chance: the second is named."""
    twice = lines({"key": "a.png", "boxes": []}, {"key": "a.png", "boxes": [box()]})
    first, second = judged(list(read_lines(twice, "said.jsonl")))
    assert isinstance(first, Prediction)
    assert isinstance(second, Problem)
    assert str(second) == "line 2 (a.png): is about task a.png, which line 1 is about already"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"key,score\n", "is neither JSON lines"),
        (b"[", "is not JSON"),
    ],
)
def test_what_is_no_file_of_predictions_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        detect(data, "said.json")
    assert caught.value.code == "predictions-unreadable"
    assert said in caught.value.message


def test_lines_that_are_no_text_are_refused() -> None:
    """Not UTF-8, or not JSON: the line is named."""
    for data in (b'{"key": "a.png", "boxes": []}\n{"key": "\xff"}\n', b'{"key": 1}\n{"key"'):
        with pytest.raises(InvalidDataError) as caught:
            list(read_lines(data, "said.jsonl"))
        assert "line 2" in caught.value.message


def test_formats_are_told_by_what_files_begin_with() -> None:
    """Whatever they are called."""
    told = {
        b'{"key": "a.png", "boxes": []}\n': PredictionFormat.JSONL,
        b'{"key": "a"}\n\n{"key": "b"}\n': PredictionFormat.JSONL,
        b'{"images": [],\n "annotations": []}': PredictionFormat.COCO,
        b'[{"image_id": 1, "bbox": []}]': PredictionFormat.COCO,
        b'[{"data": {}, "predictions": []}]': PredictionFormat.LABEL_STUDIO,
    }
    assert {data: detect(data, "said") for data in told} == told


# Names


@pytest.mark.parametrize(
    ("name", "matching", "key"),
    [
        ("./a.png", Matching(), "a.png"),
        ("images/deep/b.png", Matching(), "deep/b.png"),
        ("out/deep/b.png", Matching(strip_prefix="out/"), "deep/b.png"),
        ("/data/elsewhere/b.png", Matching(on=MatchOn.NAME), "deep/b.png"),
    ],
)
def test_names_find_their_task(name: str, matching: Matching, key: str) -> None:
    said = lines({"key": name, "boxes": []})
    assert [one.key for one in taken(list(read_lines(said, "f")), matching)] == [key]


def test_a_model_has_a_name_and_a_version() -> None:
    """Both, and each can be part of a path."""
    assert check_model_version("cheese-net", "3") == OF
    assert parse_model_version(str(OF)) == OF
    for model, version in (("", "3"), ("cheese-net", "")):
        with pytest.raises(UsageError) as caught:
            check_model_version(model, version)
        assert caught.value.code == "no-model-version"
        assert "never changes" in caught.value.hint
    for name in ("cheese-net", "@3", "cheese-net@", "a/b@3", "cheese-net@3/4"):
        with pytest.raises(UsageError):
            parse_model_version(name)


PREDICTIONS = st.builds(
    Prediction,
    key=st.text("abcä/", min_size=1, max_size=5).map(TaskKey),
    score=st.none() | st.floats(0, 1),
    result=st.lists(
        st.sampled_from(["brie", "gouda"]).map(lambda label: {**region(label), "id": "r"}),
        max_size=2,
    ).map(tuple),
)


@given(st.lists(PREDICTIONS, unique_by=lambda one: one.key))
def test_rows_say_what_was_predicted(said: list[Prediction]) -> None:
    """In the order of keys, with the labels beside; the digest knows no order."""
    rows = list(prediction_rows(OF, said))
    assert [prediction_of(row, "p") for row in rows] == sorted(said, key=lambda one: one.key)
    assert predictions_digest(said) == predictions_digest(reversed(said))
    for row, one in zip(rows, sorted(said, key=lambda one: one.key), strict=True):
        assert (row["label"] is None) == (not one.result)
        assert (row["model"], row["version"]) == ("cheese-net", "3")


def test_facts_come_back_and_are_a_models_own() -> None:
    facts = PredictionFacts(
        of=OF, file="said.jsonl", sha256="0" * 64, rows=2, digest="1" * 64, left_out=1,
        made_by="lena@example.org", made_at="2026-11-22T01:00:00.000000Z",
    )  # fmt: skip
    assert decode_facts(encode_facts(facts), OF) == facts
    with pytest.raises(InvalidDataError):
        decode_facts(encode_facts(facts), replace(OF, version="4"))
