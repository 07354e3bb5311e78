"""Real blood cells, out of VOC and into it again: 364 pictures, 4 888 boxes, two of them points."""

import contextlib
import io
from pathlib import Path
from typing import Any, cast

import pytest

from ops.core.exporting.words import Format, MediaMode
from ops.core.records import Annotation
from tests.exporting.scene import Scene, answer, bccd, box, scene, voc_boxes

SIZE = (640, 480)
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image">
    <Label value="Platelets"/><Label value="RBC"/><Label value="WBC"/>
  </RectangleLabels>
</View>"""


def read_cells(folder: Path) -> dict[str, Annotation]:
    """What the documents say, as annotations."""
    found: dict[str, Annotation] = {}
    for path in sorted((folder / "voc").glob("*.xml")):
        regions = [
            box(name, (float(left), float(top), float(right), float(bottom)), f"b{n:03}", size=SIZE)
            for n, (name, left, top, right, bottom) in enumerate(voc_boxes(path))
        ]
        found[f"{path.stem}.jpg"] = answer(*regions)
    return found


@pytest.fixture(scope="module")
def cells() -> Scene:
    """The whole dataset."""
    folder = bccd()
    answers = {key: [one] for key, one in read_cells(folder).items()}
    pictures = {key: (folder / "images" / key).read_bytes() for key in answers}
    return scene(answers, config=CONFIG, pictures=pictures, size=SIZE)


def test_the_original_boxes_come_back_through_voc(cells: Scene, tmp_path: Path) -> None:
    """To the letter, in their order."""
    found = cells.export(tmp_path / "out", Format.VOC)
    assert found.facts.losses.rewritten == {}
    count = 0
    for path in sorted((bccd() / "voc").glob("*.xml")):
        boxes = voc_boxes(path)
        assert voc_boxes(tmp_path / "out" / "Annotations" / path.name) == boxes
        count += len(boxes)
    assert count == 4888


def test_coco_has_every_box(cells: Scene, tmp_path: Path) -> None:
    """By pycocotools, with the areas that whole pixels have."""
    import pycocotools.coco

    cells.export(tmp_path / "out", Format.COCO)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = cast("Any", pycocotools.coco).COCO(
            str(tmp_path / "out" / "annotations" / "instances_all.json")
        )
    assert len(coco.getImgIds()) == 364
    counts = {one["name"]: len(coco.getAnnIds(catIds=[one["id"]]))
              for one in coco.loadCats(coco.getCatIds())}  # fmt: skip
    assert counts == {"Platelets": 361, "RBC": 4155, "WBC": 372}
    boxes = [one["bbox"] for one in coco.loadAnns(coco.getAnnIds())]
    assert all(isinstance(number, int) for found in boxes for number in found)


def test_a_loader_of_yolo_finds_every_box(cells: Scene, tmp_path: Path) -> None:
    """Within a hundredth of a pixel."""
    import supervision

    cells.export(tmp_path / "out", Format.YOLO, media=MediaMode.COPY)
    dataset: Any = cast("Any", supervision).DetectionDataset.from_yolo(
        images_directory_path=str(tmp_path / "out" / "images" / "all"),
        annotations_directory_path=str(tmp_path / "out" / "labels" / "all"),
        data_yaml_path=str(tmp_path / "out" / "data.yaml"),
    )
    count = 0
    for path, detections in dataset.annotations.items():
        known = voc_boxes(bccd() / "voc" / f"{Path(path).stem}.xml")
        for edges, label, one in zip(detections.xyxy, detections.class_id, known, strict=True):
            assert dataset.classes[label] == one[0]
            expected = [float(edge) for edge in one[1:]]
            assert [float(edge) for edge in edges] == pytest.approx(expected, abs=0.01)
            count += 1
    assert count == 4888
