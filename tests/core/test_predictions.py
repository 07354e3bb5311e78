"""What a model may say of tasks, in four formats, and what becomes of its regions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.label_config import LabelKind, write_label_config
from ops.core.ontology import Ontology, parse_ontology
from ops.core.prediction_formats import (
    PredictionFormat,
    Stated,
    detect,
    read_coco,
    read_label_studio,
    read_lines,
    read_yolo,
)
from ops.core.prediction_rules import Matching, MatchOn, Problem, judge
from ops.core.predictions import (
    ModelVersion,
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
from ops.core.records import Json, Origin, TaskKey
from ops.core.region_origins import Shown, told_origins
from ops.errors import InvalidDataError, UsageError

OF = ModelVersion(model="cheese-net", version="3")
ONTOLOGY = parse_ontology(write_label_config(["brie", "gouda"], LabelKind.BOXES))
KEYS = {TaskKey("a.png"): (200, 100), TaskKey("deep/b.png"): None, TaskKey("c.jpg"): (50, 50)}
NAMES = ("brie", "gouda")


def by_number(number: int) -> str | None:
    return NAMES[number] if 0 <= number < len(NAMES) else None


def lines(*said: Mapping[str, Json]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in said)


def box(label: str = "brie", **more: Json) -> dict[str, Json]:
    return {"label": label, "x": 10, "y": 20, "width": 30, "height": 40, **more}


def region(label: str = "brie", **more: Json) -> dict[str, Json]:
    """A region as Label Studio has it, with its value's fields changed by `more`."""
    value: dict[str, Json] = {"x": 10, "y": 20, "width": 30, "height": 40, **more}
    return {
        "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "value": {**value, "rectanglelabels": [label]},
    }  # fmt: skip


def judged(
    stated: Sequence[Stated],
    matching: Matching | None = None,
    ontology: Ontology = ONTOLOGY,
) -> list[Prediction | Problem]:
    """What a file's statements are found to be."""
    found = judge(stated, of=OF, sizes=KEYS, ontology=ontology, matching=matching or Matching())
    return list(found)


def taken(stated: Sequence[Stated], matching: Matching | None = None) -> list[Prediction]:
    """The predictions, where nothing is wrong."""
    found = judged(stated, matching)
    wrong = [str(one) for one in found if isinstance(one, Problem)]
    assert not wrong
    return [one for one in found if isinstance(one, Prediction)]


def problem(data: bytes) -> str:
    """What is wrong with the one line of a file."""
    [found] = judged(list(read_lines(data, "said.jsonl")))
    assert isinstance(found, Problem), found
    assert found.place == "line 1"
    return found.reason


def sides(prediction: Prediction) -> list[tuple[float, ...]]:
    """Each region's place, in percent."""
    found: list[tuple[float, ...]] = []
    for one in prediction.result:
        value = one["value"]
        assert isinstance(value, dict)
        numbers = [value[name] for name in ("x", "y", "width", "height")]
        found.append(tuple(float(n) for n in numbers if isinstance(n, int | float)))
    return found


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


# COCO results


TRUTH = {
    "images": [
        {"id": 7, "file_name": "a.png", "width": 200, "height": 100},
        {"id": 9, "file_name": "deep/b.png", "width": 10, "height": 10},
    ],
    "categories": [{"id": 5, "name": "gouda"}],
}


def coco(*entries: Mapping[str, Json], truth: Mapping[str, object] | None = None) -> list[Stated]:
    document = None if truth is None else json.dumps(truth).encode()
    return list(
        read_coco(json.dumps(entries).encode(), "r.json", truth=document, class_name=by_number)
    )


def detection(**more: Json) -> dict[str, Json]:
    return {"image_id": 7, "category_id": 5, "bbox": [20, 20, 60, 40], "score": 0.5, **more}


def test_coco_results_are_gathered_by_picture() -> None:
    """In pixels of the document's pictures where main does not know theirs; a score a box."""
    found = taken(
        coco(
            detection(),
            detection(image_id=9, bbox=[1, 2, 3, 4], score=0.25),
            detection(score=0.75),
            truth=TRUTH,
        )
    )
    assert {one.key: sides(one) for one in found} == {
        "a.png": [(10, 20, 30, 40)] * 2,
        "deep/b.png": [(10, 20, 30, 40)],
    }
    assert [one.score for one in found] == [None, None]
    assert [one.shown_score for one in found] == [0.5, 0.25]


def test_coco_results_may_name_files_and_frozen_class_ids() -> None:
    """Without the document they are of."""
    said = {name: value for name, value in detection(category_id=1).items() if name != "image_id"}
    [found] = taken(coco({**said, "file_name": "images/a.png"}))
    [one] = found.result
    assert (found.key, one["value"]) == (
        "a.png",
        {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["gouda"]},
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (detection(image_id=8), "is of image_id 8, which no picture has"),
        (detection(category_id=1), "is of category 1, which nobody names"),
        (detection(bbox=[1, 2, 3]), "has a box whose sides are [1, 2, 3]"),
        (detection(bbox=None), "has a box whose sides are []"),
        (detection(score=1.5), "has a box with the score 1.5"),
        (detection(bbox=[190, 20, 60, 40]), "has a region outside the picture"),
    ],
)
def test_what_is_wrong_with_a_detection_is_said(entry: Mapping[str, Json], reason: str) -> None:
    """A picture with a wrong detection is not half taken."""
    found = judged(coco(detection(image_id=9, bbox=[1, 2, 3, 4]), entry, detection(), truth=TRUTH))
    wrong = [one for one in found if isinstance(one, Problem)]
    assert wrong[0].reason.startswith(reason)
    keys = [one.key for one in found if isinstance(one, Prediction)]
    assert keys[0] == "deep/b.png"
    assert ("a.png" in keys) == (entry["image_id"] == 8)


def test_coco_ids_without_a_document_say_what_is_missing() -> None:
    """Every one of them, so none can be guessed."""
    [found] = judged(coco(detection()))
    assert isinstance(found, Problem)
    assert "--coco FILE" in found.reason


# YOLO


def yolo(**texts: str) -> list[Stated]:
    data = {f"{name}.txt": text.encode() for name, text in texts.items()}
    return list(read_yolo(data, class_name=by_number))


def test_yolo_says_centres_in_fractions() -> None:
    """An empty text is a model that saw nothing."""
    first, second = taken(yolo(a="1 0.25 0.4 0.3 0.4 0.75\n\n0 0.5 0.5 1 1\n", c=""))
    assert (first.key, first.shown_score) == ("a.png", 0.75)
    assert sides(first)[0] == pytest.approx((10, 20, 30, 40))
    assert sides(first)[1] == (0, 0, 100, 100)
    assert (second.key, second.result) == ("c.jpg", ())


def test_yolos_rounding_at_the_edge_is_no_fault() -> None:
    """Six digits may end a hair outside; it is cut, and Label Studio takes it."""
    [found] = taken(yolo(a="0 0.166666 0.5 0.333334 1.000000 0.5"))
    [(x, _, width, _)] = sides(found)
    assert x == 0
    assert width == pytest.approx(33.3333, abs=1e-4)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.2", "has 4 numbers in line 1"),
        ("0 0.5 0.5 0.2 0.2 0.9 7", "has 7 numbers in line 1"),
        ("2 0.5 0.5 0.2 0.2", "is of class 2 in line 1, which nobody names"),
        ("brie 0.5 0.5 0.2 0.2", "has no numbers in line 1: brie"),
        ("0 0.5 nan 0.2 0.2", "has a box whose sides are"),
        ("0 0.5 0.5 0.2 0.2 inf", "has a box with the score inf"),
        ("0 0.9 0.5 0.4 0.2", "has a region outside the picture"),
    ],
)
def test_what_is_wrong_with_a_yolo_line_is_said(line: str, reason: str) -> None:
    [found] = judged(yolo(a=line))
    assert isinstance(found, Problem)
    assert (found.place, found.name) == ("a.txt", "a")
    assert found.reason.startswith(reason)


def test_yolo_texts_that_are_no_text_are_refused() -> None:
    """And a folder without any."""
    for texts, said in (({"a.txt": b"\xff\xfe"}, "is not UTF-8"), ({}, "is empty")):
        with pytest.raises(InvalidDataError) as caught:
            list(read_yolo(texts, class_name=by_number))
        assert said in caught.value.message


def test_a_stem_that_may_be_two_pictures_is_not_guessed() -> None:
    """`x.png` and `x.jpg` have one YOLO text."""
    sizes = {TaskKey("x.png"): None, TaskKey("x.jpg"): None}
    [found] = judge(yolo(x=""), of=OF, sizes=sizes, ontology=ONTOLOGY, matching=Matching())
    assert isinstance(found, Problem)
    assert found.reason == "may be any of 2 tasks: x.jpg, x.png"


# Label Studio


def tasks(*said: Json) -> list[Stated]:
    data = json.dumps(said).encode()
    return list(read_label_studio(data, "tasks.json", versions=("cheese-net@3", "3")))


def test_label_studios_tasks_name_the_picture_by_key_or_address() -> None:
    said: Json = [{"model_version": "any", "score": 0.5, "result": [region()]}]
    first, second = taken(
        tasks(
            {"data": {"image": "s3://x/y", "key": "a.png"}, "predictions": said},
            {"data": {"image": f"s3://d/{'c' * 64}/images/deep/b.png"}, "predictions": said},
        )
    )
    assert (first.key, second.key, first.score) == ("a.png", "deep/b.png", 0.5)
    assert sides(first) == [(10, 20, 30, 40)]


WRONG_TASKS: list[tuple[Json, str]] = [
    ({"data": {"key": "a.png"}, "predictions": []}, "has 0 predictions at all, not one"),
    ({"data": {"key": "a.png"}}, "has 0 predictions at all, not one"),
    ({"data": {}, "predictions": []}, "has no data that names a picture"),
    ({"data": {"key": "a.png"}, "predictions": [{}]}, "has a result that is no list"),
    (5, "is no task"),
]


@pytest.mark.parametrize(("said", "reason"), WRONG_TASKS)
def test_what_is_wrong_with_a_task_is_said(said: Json, reason: str) -> None:
    [found] = judged(tasks(said))
    assert isinstance(found, Problem)
    assert found.reason.startswith(reason)


def test_of_several_models_in_a_task_the_one_that_was_named_is_meant() -> None:
    both: list[Json] = [
        {"model_version": "2", "result": [region()]},
        {"model_version": "3", "result": [region("gouda")]},
    ]
    [found] = taken(tasks({"data": {"key": "a.png"}, "predictions": both}))
    assert "gouda" in str(found.result)
    [other] = judged(tasks({"data": {"key": "a.png"}, "predictions": [*both, *both]}))
    assert isinstance(other, Problem)


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


# What became of them


SINCE = "2026-11-22T01:00:00.000000Z"
LATER = "2026-11-22T02:00:00.000000Z"


def shown(*result: Mapping[str, Json], name: str = str(OF), since: str = SINCE) -> Shown:
    prediction = Prediction(key=TaskKey("a.png"), score=0.5, result=result)
    return Shown(model_version=name, since=since, prediction=prediction)


def drawn(name: str, label: str = "brie", **more: Json) -> dict[str, Json]:
    return {**region(label, **more), "id": name}


def test_regions_are_a_models_or_a_persons() -> None:
    """Same id and same: accepted; same id, moved or renamed: changed; drawn: nobody's but ours."""
    said = shown(drawn("p1"), drawn("p2", x=50), drawn("p3", x=60))
    ours = [
        {**drawn("p1"), "original_width": 200, "score": 0.25},
        drawn("p2", x=51),
        drawn("p3", "gouda", x=60),
        drawn("own", x=5),
        {"type": "relation", "from_id": "p1", "to_id": "p2"},
    ]
    told = told_origins(ours, [said], saved_at=LATER)
    assert told.origins == {
        "p1": Origin.ACCEPTED,
        "p2": Origin.CHANGED,
        "p3": Origin.CHANGED,
    }
    assert told.shown is said
    assert said.as_json() == {"model_version": "cheese-net@3", "score": 0.5}


def test_a_copy_under_another_id_is_accepted() -> None:
    """Programs may give regions new ids."""
    told = told_origins([drawn("new")], [shown(drawn("p1"))], saved_at=LATER)
    assert told.origins == {"new": Origin.ACCEPTED}


def test_what_was_saved_before_cannot_come_from_it() -> None:
    """A model that learned from these very labels says the same."""
    said = shown(drawn("p1"), since=LATER)
    told = told_origins([drawn("p1")], [said], saved_at=SINCE)
    assert (told.origins, told.shown) == ({}, None)


def test_of_two_models_the_first_that_fits_counts() -> None:
    one, two = shown(drawn("p1"), name="a@1"), shown(drawn("q1", x=70), name="b@1")
    told = told_origins([drawn("q1", x=70), drawn("p1")], [one, two], saved_at=LATER)
    assert told.origins == {"q1": Origin.ACCEPTED, "p1": Origin.ACCEPTED}
    assert told.shown is one
    assert told_origins([drawn("x", x=1)], [one, two], saved_at=LATER).shown is None
