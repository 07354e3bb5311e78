"""What each format's own readers make of our exports: the same boxes, classes and pictures."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from ops.core.exporting.words import Format, MediaMode
from ops.core.records import Json
from tests.exporting.scene import (
    SHAPES,
    SIZE,
    Scene,
    answer,
    box,
    bytes_of,
    choice,
    entry,
    five_states,
    json_of,
    scene,
)
from tests.readers import readers_python
from tests.tree import ROOT

_Library: TypeAlias = Any
"""What a library gives: they ship partial types, or none."""

BOXES: Mapping[str, list[tuple[str, tuple[float, float, float, float]]]] = {
    "e.png": [],
    "p.png": [("brie", (10, 20, 50, 60)), ("gouda", (1, 2, 100, 119))],
    "q.png": [("gouda", (0, 0, 160, 120))],
}


def boxes() -> Scene:
    """Three pictures without folders, which every reader takes."""
    return scene(
        {
            key: [answer(*(box(name, edges, f"b{n}") for n, (name, edges) in enumerate(there)))]
            for key, there in BOXES.items()
        },
        unlabeled=["u.png"],
    )


def said(dataset: _Library) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    """What supervision read: class and edges of each box, by picture."""
    found: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    for path, _, detections in dataset:
        found[Path(path).name] = [
            (dataset.classes[label], tuple(round(float(edge), 2) for edge in edges))
            for edges, label in zip(detections.xyxy, detections.class_id, strict=True)
        ]
    return found


def expected(shift: float = 0) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    """The boxes as supervision says them; VOC's lower edges it reads as counted from 1."""
    return {
        key: [(name, (left - shift, top - shift, right, bottom))
              for name, (left, top, right, bottom) in there]
        for key, there in BOXES.items()
    }  # fmt: skip


@pytest.fixture
def supervision() -> Iterator[_Library]:
    """The library; its own warnings are not ours."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import supervision

        yield supervision


def test_supervision_reads_coco(supervision: _Library, tmp_path: Path) -> None:
    boxes().export(tmp_path, Format.COCO, media=MediaMode.COPY)
    dataset = supervision.DetectionDataset.from_coco(
        images_directory_path=str(tmp_path / "images"),
        annotations_path=str(tmp_path / "annotations" / "instances_all.json"),
    )
    assert dataset.classes == ["brie", "gouda"]
    assert said(dataset) == expected()


def test_supervision_reads_yolo(supervision: _Library, tmp_path: Path) -> None:
    """It stands for Ultralytics' own loader, which needs torch."""
    boxes().export(tmp_path, Format.YOLO, media=MediaMode.COPY)
    dataset = supervision.DetectionDataset.from_yolo(
        images_directory_path=str(tmp_path / "images" / "all"),
        annotations_directory_path=str(tmp_path / "labels" / "all"),
        data_yaml_path=str(tmp_path / "data.yaml"),
    )
    assert dataset.classes == ["brie", "gouda"]
    assert said(dataset) == expected()


def test_supervision_reads_voc(supervision: _Library, tmp_path: Path) -> None:
    boxes().export(tmp_path, Format.VOC, media=MediaMode.COPY)
    dataset = supervision.DetectionDataset.from_pascal_voc(
        images_directory_path=str(tmp_path / "JPEGImages"),
        annotations_directory_path=str(tmp_path / "Annotations"),
    )
    assert said(dataset) == expected(shift=1)


# A 2 x 2 square of paint in a picture of 160 x 120, as the editor packs it.


def painted() -> list[int]:
    """Brush strokes over the pixels (3, 2) to (4, 3), by label-studio-sdk's own encoder."""
    import numpy as np
    from label_studio_sdk.converter import brush

    mask = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    mask[2:4, 3:5] = 255
    runs: Any = cast("Any", brush).mask2rle(mask)
    return [int(one) for one in runs]


def shapes() -> Scene:
    """One picture with a region of every shape."""
    ring: dict[str, Json] = {
        "x": 50,
        "y": 50,
        "radiusX": 10,
        "radiusY": 20,
        "ellipselabels": ["feta"],
    }
    return scene(
        {
            "p.png": [
                answer(
                    box("brie", (10, 20, 50, 60), "b0"),
                    box("gouda", (100, 20, 120, 60), "b1", 90),
                    entry(
                        "outline",
                        "polygonlabels",
                        {"points": [[10, 10], [50, 10], [10, 50]], "polygonlabels": ["feta"]},
                        "p",
                    ),
                    entry("ring", "ellipselabels", ring, "r"),
                    entry(
                        "point",
                        "keypointlabels",
                        {"x": 25, "y": 50, "width": 1, "keypointlabels": ["eye"]},
                        "k",
                    ),
                    entry(
                        "brush",
                        "brushlabels",
                        {"format": "rle", "rle": [*painted()], "brushlabels": ["mould"]},
                        "m",
                    ),
                )
            ]
        },
        config=SHAPES,
    )


# Its own, of NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_pycocotools_reads_every_shape(tmp_path: Path) -> None:
    """Boxes and areas; masks decode to what was painted."""
    import pycocotools.coco

    shapes().export(tmp_path / "out", Format.COCO)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = cast("Any", pycocotools.coco).COCO(
            str(tmp_path / "out" / "annotations" / "instances_all.json")
        )
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    # Gouda is one class, whether a box or a polygon says it.
    assert names == {1: "brie", 2: "gouda", 3: "feta", 4: "eye", 5: "mould"}
    found = {one["attributes"]["region"]: one for one in coco.loadAnns(coco.getAnnIds())}
    assert found["b0"]["bbox"] == [10, 20, 40, 40]
    # Turned by 90 degrees about its upper left corner.
    assert found["b1"]["bbox"] == [60, 20, 40, 20]
    assert found["b1"]["segmentation"] == [[100, 20, 100, 40, 60, 40, 60, 20]]
    assert found["b1"]["attributes"]["rotation"] == 90
    assert found["p"]["segmentation"] == [[16, 12, 80, 12, 16, 60]]
    assert (found["p"]["area"], found["p"]["bbox"]) == (1536, [16, 12, 64, 48])
    assert found["r"]["area"] == pytest.approx(3.14159 * 16 * 24, rel=0.002)
    assert found["r"]["bbox"] == [64, 36, 32, 48]
    assert (found["k"]["keypoints"], found["k"]["bbox"]) == ([40, 60, 2], [40, 60, 0, 0])
    mask = coco.annToMask(found["m"])
    assert mask.shape == (SIZE[1], SIZE[0])
    assert mask.sum() == found["m"]["area"] == 4
    assert mask[2:4, 3:5].all()
    assert found["m"]["bbox"] == [3, 2, 2, 2]
    for name in ("b1", "p"):
        assert coco.annToMask(found[name]).sum() == pytest.approx(found[name]["area"], rel=0.1)


def test_what_yolo_lacks_of_the_shapes_is_named(tmp_path: Path) -> None:
    """Outlines of five; a key point and a brush stroke are lost."""
    found = shapes().export(tmp_path / "out", Format.YOLO, allow_loss=True)
    assert found.facts.losses.counts == {
        "regions of type brushlabels": 1,
        "regions of type keypointlabels": 1,
    }
    assert found.facts.losses.rewritten == {"ellipses as polygons of 64 corners": 1}
    lines = (tmp_path / "out" / "labels" / "all" / "p.txt").read_text().splitlines()
    assert sorted(len(line.split()) for line in lines) == [7, 9, 9, 1 + 2 * 64]


def test_label_studios_converter_makes_the_same_coco(tmp_path: Path) -> None:
    """Of our Label Studio export, by names: the same boxes of the same pictures."""
    from label_studio_sdk.converter.converter import Converter

    made = boxes()
    made.export(tmp_path / "ls", Format.LABEL_STUDIO)
    made.export(tmp_path / "coco", Format.COCO)
    config = (tmp_path / "ls" / "label_config.xml").read_text()
    converter = cast("Any", Converter)(config=config, project_dir=None, download_resources=False)
    converter.convert_to_coco(
        str(tmp_path / "ls" / "tasks.json"), str(tmp_path / "theirs"), is_dir=False
    )
    ours, theirs = (
        dict(_by_name(json_of(path)))
        for path in (
            tmp_path / "coco" / "annotations" / "instances_all.json",
            tmp_path / "theirs" / "result.json",
        )
    )
    # Their converter lists a picture nobody has looked at as if nothing were in it.
    assert theirs.pop("u.png") == []
    assert ours == theirs
    assert ours["e.png"] == []


def _by_name(coco: _Library) -> Iterator[tuple[str, list[tuple[str, list[float]]]]]:
    names = {one["id"]: one["name"] for one in coco["categories"]}
    for image in coco["images"]:
        yield (
            image["file_name"].rpartition("/")[2],
            sorted(
                (names[one["category_id"]], [round(number, 6) for number in one["bbox"]])
                for one in coco["annotations"]
                if one["image_id"] == image["id"]
            ),
        )


def test_label_studio_imports_its_export(tmp_path: Path) -> None:
    """The field the label config reads, and an address for it."""
    made = five_states()
    made.export(tmp_path / "out", Format.LABEL_STUDIO)
    commit = made.lake.find_commit("main")
    first = json_of(tmp_path / "out" / "tasks.json")[0]
    assert first["data"] == {
        "image": f"s3://dataset/{commit}/images/a/l0.png",
        "key": "a/l0.png",
    }
    assert first["annotations"][0]["completed_by"] == {"email": "ann@example.org"}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, and a cache of one's own."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    return tmp_path / "cache"


def test_hugging_face_loads_its_export(offline: Path, tmp_path: Path) -> None:
    """With the features of our making: class names by id, pictures that open."""
    import datasets

    made = five_states()
    made.export(tmp_path / "out", Format.HF, media=MediaMode.COPY)
    loaded: Any = cast("Any", datasets).load_dataset(str(tmp_path / "out"), cache_dir=str(offline))[
        "train"
    ]
    assert loaded["key"][:] == ["a/l0.png", "a/l1.png", "e0.png"]
    assert loaded.features["objects"]["category"].feature.names == ["brie", "gouda"]
    assert loaded.features["light"].feature.names == ["day", "night"]
    row = loaded[1]
    assert row["objects"] == {"bbox": [[1, 2, 2.5, 2]], "category": [1], "region": ["b"]}
    assert row["light"] == [0]
    assert row["image"].size == SIZE
    assert json.loads(row["result"])[0]["id"] == "b"
    assert loaded[2]["objects"]["bbox"] == []
    assert bytes_of(tmp_path / "out")["README.md"].startswith(b"---\nconfigs:")


def test_pandas_reads_rows(tmp_path: Path) -> None:
    """CSV and Parquet say the same."""
    import pandas as pd

    made = five_states()
    made.export(tmp_path / "csv", Format.CSV)
    made.export(tmp_path / "parquet", Format.PARQUET)
    text = cast("Any", pd).read_csv(tmp_path / "csv" / "annotations.csv")
    table = cast("Any", pd).read_parquet(tmp_path / "parquet" / "annotations.parquet")
    regions = text[text["region_id"].notna()]
    assert list(regions["region_id"]) == list(table["region_id"]) == ["b", "b", "c"]
    for column in ("x", "y", "width", "height"):
        assert regions[column].fillna(-1).tolist() == table[column].fillna(-1).tolist()
    assert table["class_id"].tolist() == [0, 1, 0]
    assert [json.loads(one) for one in regions["labels"]] == table["labels"].map(list).tolist()
    assert len(text) == 11 + 1


_DATUMARO = """
import json, sys
from datumaro.components.dataset import Dataset
dataset = Dataset.import_from(sys.argv[2], sys.argv[1])
names = [one.name for one in dataset.categories()[next(iter(dataset.categories()))].items]
print(json.dumps({
    item.id: sorted([names[one.label], [round(n, 2) for n in one.get_bbox()]]
                    for one in item.annotations if one.type.name == "bbox")
    for item in dataset
}))
"""


@pytest.mark.parametrize(
    ("form", "name"), [(Format.COCO, "coco"), (Format.YOLO, "yolo"), (Format.VOC, "voc")]
)
def test_datumaro_reads_boxes(form: Format, name: str, tmp_path: Path) -> None:
    """In an environment of its own."""
    python = readers_python()
    boxes().export(tmp_path / "out", form, media=MediaMode.COPY)
    done = subprocess.run(
        [python, "-c", _DATUMARO, name, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DATUMARO_TELEMETRY": "0", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        key.removesuffix(".png"): sorted(
            [label, [left, top, right - left, bottom - top]]
            for label, (left, top, right, bottom) in there
        )
        for key, there in BOXES.items()
    }


def test_choices_alone_are_a_classification(tmp_path: Path) -> None:
    """Whose classes count from 0; there is no box to write."""
    made = scene({"p.png": [answer(choice("light", "night"))], "q.png": [answer()]})
    made.export(tmp_path / "out", Format.YOLO)
    assert (tmp_path / "out" / "labels" / "all" / "p.txt").read_text() == ""
    assert "p.png,,ann@example.org," in (tmp_path / "out" / "choices.csv").read_text()


_WITHOUT_EXTRA = """
import sys
sys.modules["datasets"] = None
from pathlib import Path
from ops.cli.output import error_text
from ops.core.exporting.words import Format
from ops.errors import ConfigurationError
from tests.exporting.scene import five_states
try:
    five_states().export(Path(sys.argv[1]), Format.HF)
except ConfigurationError as error:
    print(error_text(error))
"""


def test_without_its_extra_a_format_says_what_to_install(tmp_path: Path) -> None:
    """In a process that cannot import it; nothing is written."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_EXTRA, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.startswith("error[extra-missing]")
    assert "pip install 'labeling-ops[hf]'" in done.stdout
    assert not list(tmp_path.iterdir())
