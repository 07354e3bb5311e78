"""COCO results, YOLO texts and Label Studio's tasks, read as what a model says."""

import json
from collections.abc import Mapping

import pytest

from ops.core.prediction_formats import Stated, read_coco, read_label_studio, read_yolo
from ops.core.prediction_rules import Matching, Problem, judge
from ops.core.predictions import Prediction
from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError
from tests.core.said_by_models import OF, ONTOLOGY, by_number, judged, region, sides, taken

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
