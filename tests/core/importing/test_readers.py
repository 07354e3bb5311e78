"""Each format's reader against a small file and what it must say."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from ops.core.importing.coco import read_coco
from ops.core.importing.folders import read_folders
from ops.core.importing.label_studio import read_label_studio
from ops.core.importing.min_rows import read_json_min
from ops.core.importing.neutral import Reading, Shape
from ops.core.importing.rows import read_csv
from ops.core.importing.voc import read_voc
from ops.core.importing.yolo import class_names, read_yolo, yaml_names
from ops.core.ontology import parse_ontology

GOLDEN = Path(__file__).parent / "golden"
ONTOLOGY = parse_ontology(
    """<View><Image name="image" value="$image"/>
    <RectangleLabels name="label" toName="image"><Label value="cat"/></RectangleLabels>
    <Choices name="mood" toName="image"><Choice value="happy"/></Choices>
    <TextArea name="why" toName="image"/></View>"""
)

READERS: Mapping[str, Callable[[str, bytes], Reading]] = {
    "coco.json": read_coco,
    "voc.xml": read_voc,
    "yolo.txt": lambda name, data: read_yolo(f"labels/train/{name}", data, ["cat", "dog"]),
    "label_studio.json": lambda name, data: read_label_studio(name, data, media_field="image"),
    "json_min.json": lambda name, data: read_json_min(name, data, ONTOLOGY),
    "label_studio.csv": lambda name, data: read_csv(name, data, ONTOLOGY),
    "boxes.csv": lambda name, data: read_csv(name, data, None),
    "classes.csv": lambda name, data: read_csv(name, data, None),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_says_what_it_says(name: str) -> None:
    """As the golden file beside it has it; a reader that changes its mind changes that file."""
    reading = READERS[name](name, (GOLDEN / name).read_bytes())
    said = json.loads(json.dumps(asdict(reading)))
    assert said == json.loads((GOLDEN / f"{name}.reading").read_text("utf-8"))


def test_coco_pictures_without_a_label_are_empty_only_if_somebody_says_so() -> None:
    """COCO cannot tell nothing there from not done."""
    data = (GOLDEN / "coco.json").read_bytes()
    assert [one.name for one in read_coco("c", data).unanswered] == ["c.jpg"]
    told = read_coco("c", data, empty=True)
    assert told.unanswered == ()
    assert [len(one.marks) for one in told.answers] == [4, 1, 0]


def test_coco_annotations_that_are_lost_make_no_empty_answer() -> None:
    """A picture with a caption alone is one nobody has marked."""
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "caption": "a cat"}],
    }
    reading = read_coco("captions.json", json.dumps(document).encode())
    assert (reading.answers, len(reading.losses)) == ((), 1)
    assert [one.name for one in reading.unanswered] == ["a.jpg"]


def test_a_csv_row_without_a_class_is_no_answer_unless_somebody_says_so() -> None:
    """For boxes and classes alike."""
    for name in ("boxes.csv", "classes.csv"):
        data = (GOLDEN / name).read_bytes()
        assert [one.name for one in read_csv(name, data, None).unanswered] == ["b.jpg"]
        told = read_csv(name, data, None, empty=True)
        assert (told.unanswered, told.answers[-1].marks) == ((), ())


def test_an_empty_yolo_file_is_an_empty_answer() -> None:
    """Somebody looked, and nothing is there."""
    [answer] = read_yolo("labels/a.txt", b"", ["cat"]).answers
    assert (answer.picture.name, answer.picture.is_stem, answer.marks) == ("images/a", True, ())


def test_yolo_of_poses_keeps_the_box_and_names_the_keypoints() -> None:
    """Where data.yaml speaks of keypoints."""
    names, keypoints = yaml_names("data.yaml", b"kpt_shape: [17, 3]\nnames: [person]\n")
    reading = read_yolo("a.txt", b"0 .5 .5 .2 .2 .1 .1 2\n", names, keypoints=keypoints)
    assert reading.answers[0].marks[0].numbers == (40, 40, 20, 20)
    assert [one.what for one in reading.losses] == ["keypoints"]


@pytest.mark.parametrize(
    "text",
    [
        "names: [cat, 'dog, big']\nnc: 2\n",
        "names:\n- cat\n- dog, big\ntrain: x\n",
        "names:\n  - cat # usual\n  - 'dog, big'\n",
        'nc: 2\nnames:\n  0: cat\n  1: "dog, big"\n',
        "names: {0: cat, 1: 'dog, big'}\n",
        "names: [\n  cat,\n  'dog, big'\n]\n",
    ],
)
def test_class_names_in_every_way_yaml_is_written(text: str) -> None:
    """One list each time."""
    assert yaml_names("data.yaml", text.encode()) == (("cat", "dog, big"), False)


def test_class_names_of_the_golden_files() -> None:
    """With a colon in a name, and a line a name."""
    assert yaml_names("d", (GOLDEN / "data.yaml").read_bytes())[0] == ("cat", "dog: big")
    assert class_names("classes.txt", b"cat\nbig dog\n\n") == ("cat", "big dog")


def test_the_folder_is_the_class() -> None:
    """Parts of a data set are no classes; a picture in no folder is nobody's answer."""
    reading = read_folders(["cat/a.jpg", "dog/x/b.jpg", "train/cat/c.jpg", "d.jpg", "val/e.jpg"])
    said = [(one.picture.name, one.marks[0].label, one.data) for one in reading.answers]
    assert said == [
        ("cat/a.jpg", "cat", {}),
        ("dog/x/b.jpg", "dog", {}),
        ("train/cat/c.jpg", "cat", {"folder": "train"}),
    ]
    assert [one.name for one in reading.unanswered] == ["d.jpg", "val/e.jpg"]
    assert {one.marks[0].shape for one in reading.answers} == {Shape.CLASS}
