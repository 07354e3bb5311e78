"""Files that cannot be what they claim: refused, with the place."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ops.core.importing.coco import read_coco
from ops.core.importing.label_studio import read_label_studio
from ops.core.importing.min_rows import read_json_min
from ops.core.importing.pointers import manifest_of, tracked_by
from ops.core.importing.rows import Columns, read_csv
from ops.core.importing.voc import read_voc
from ops.core.importing.yolo import class_names, read_yolo, yaml_names
from ops.errors import InvalidDataError

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>{}</ymax></bndbox>"


def voc(inner: str) -> bytes:
    return f"<annotation><filename>a.jpg</filename>{inner}</annotation>".encode()


def thing(box: str, name: str = "cat") -> bytes:
    return voc(f"<object><name>{name}</name>{box}</object>")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"<annotation><object>", "line 1, column"),
        (b"\x00\x01", "is no XML"),
        (b"<data/>", "one <annotation>"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "<!DOCTYPE"),
        (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "encoding"),
        (b"<annotation>" + b"<a>" * 100, "tags deep"),
        (thing(BOX.format(4), name=""), "has no name"),
        (thing(""), "0 boxes"),
        (thing(BOX.format(4) * 2), "2 boxes"),
        (thing("<bndbox><xmin>1</xmin></bndbox>"), "without ymin"),
        (thing(BOX.format("nan")), "no finite number"),
        (thing(BOX.format("1e999")), "no finite number"),
        (thing(BOX.format("1_0")), "no finite number"),
        (thing(BOX.format("four")), "no number"),
        (thing(BOX.format(1)), "ends before it begins"),
        (voc("<size><width>-3</width><height>4</height></size>"), "which no picture has"),
    ],
)
def test_voc(data: bytes, place: str) -> None:
    """Entities are never expanded; numbers are numbers."""
    with pytest.raises(InvalidDataError, match=place) as caught:
        read_voc("a.xml", data)
    assert caught.value.unchanged == "nothing was written"


def coco(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    image = {"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}
    document: dict[str, Any] = {
        "images": changes.pop("images", [image]),
        "categories": changes.pop("categories", [{"id": 1, "name": "cat"}]),
        "annotations": [{**annotation, **changes}],
    }
    return json.dumps(document).encode()


def rle(counts: object, size: object = (3, 4)) -> bytes:
    return coco(segmentation={"size": size, "counts": counts})


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{}", "is not UTF-8"),
        (b"[]", "ops predict add"),
        (b"{}", "categories is missing"),
        (coco(category_id=9), "no such category"),
        (coco(image_id=9), "no such image"),
        (coco(images=[{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]), "there already"),
        (coco(images=[{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}]), "is already"),
        (coco(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "there already"),
        (coco(bbox=[1, 2, 3]), "3 numbers"),
        (coco(bbox=[1, 2, -3, 4]), "negative"),
        (coco(bbox=[1, 2, "3", 4]), "array of numbers"),
        (coco(bbox=[1, 2, float("nan"), 4]), "no finite number"),
        (coco(segmentation=[[1, 2, 3, 4]]), "4 numbers"),
        (coco(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "7 numbers"),
        (rle([5, 6]), "does not cover"),
        (rle([-1, 13]), "does not cover"),
        (rle([12], size=[100, 100]), "does not cover"),
        (rle([12], size=[3]), "height and width"),
        (rle("~~~~"), "no run-length code"),
        (rle([1.5, 10.5]), "whole numbers"),
    ],
)
def test_coco(data: bytes, place: str) -> None:
    """Ids that are not there, names twice, boxes and masks that are none."""
    with pytest.raises(InvalidDataError, match=place):
        read_coco("instances.json", data)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("0 .5 .5 .2", "4 numbers"),
        ("0 .5 .5 .2 .2 .9", "ops predict add"),
        ("2 .5 .5 .2 .2", "there are 2 names"),
        ("-1 .5 .5 .2 .2", "there are 2 names"),
        ("0.5 .5 .5 .2 .2", "there are 2 names"),
        ("0 .5 .5 nan .2", "no finite number"),
        ("0 .5 .5 -.2 .2", "negative"),
        ("cat .5 .5 .2 .2", "no number"),
        ("0 1 2 3 4 5 6 7", "8 numbers"),
    ],
)
def test_yolo(line: str, place: str) -> None:
    """A line that is neither box nor outline, or of no class."""
    with pytest.raises(InvalidDataError, match=place):
        read_yolo("labels/a.txt", line.encode(), ["cat", "dog"])


@pytest.mark.parametrize(
    ("read", "data", "place"),
    [
        (class_names, b"", "is empty"),
        (class_names, b"cat\ncat\n", "twice"),
        (class_names, b"cat\n\ndog\n", "no name for class 1"),
        (class_names, b"\xff", "not UTF-8"),
        (yaml_names, b"nc: 2\n", "names is missing"),
        (yaml_names, b"names: []\n", "names no class"),
        (yaml_names, b"names:\n  0: a\n  2: b\n", "without a gap"),
        (yaml_names, b"names:\n  0: a\n  0: b\n", "one twice"),
        (tracked_by, b"stages: {}\n", "outs is missing"),
        (tracked_by, b"outs:\n- md5: nonsense\n  path: a\n", "no path with its md5"),
        (manifest_of, b"{}", "must be an array"),
    ],
)
def test_names_and_pointers(read: Callable[[str, bytes], object], data: bytes, place: str) -> None:
    """Files that other files lean on."""
    with pytest.raises(InvalidDataError, match=place):
        read("file", data)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "is empty"),
        (b"image,label\na.jpg,caf\xe9\n", "--encoding latin-1"),
        ("image,label\na.jpg,cat\n".encode("utf-16"), "--encoding utf-16"),
        (b"image,label\na.jpg,cat,more\n", "line 2 has 3 fields"),
        (b"image,label\na.jpg\n", "line 2 has 1 fields"),
        (b"image,image\na.jpg,cat\n", "twice"),
        (b"picture_of,label\na.jpg,cat\n", "no column for the picture"),
        (b"image,kind_of\na.jpg,cat\n", "no column for the class"),
        (b"image,label\n,cat\n", "has no image"),
        (b'image,label\n"a.jpg,cat\n', "is no CSV"),
        (b"image,label,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,x,4\n", "no number"),
        (b"image,label,xmin,ymin,xmax,ymax\na.jpg,cat,5,2,3,4\n", "negative"),
        (b"image,label,xmin,ymin,xmax,ymax\na.jpg,,5,2,8,4\n", "has a box and no label"),
        (b"annotation_id,image\n1,a.jpg\n", "ops init first"),
    ],
)
def test_csv(data: bytes, place: str) -> None:
    """Encodings, ragged rows and columns nobody knows."""
    with pytest.raises(InvalidDataError, match=place):
        read_csv("labels.csv", data, None)


def test_csv_in_another_encoding_is_read_if_it_is_named() -> None:
    """And refused where it is another still."""
    data = "bild,klasse\nk\u00e4se.jpg,gr\u00fcn\n".encode("latin-1")
    columns = Columns(picture="bild", label="klasse")
    [answer] = read_csv("l.csv", data, None, columns=columns, encoding="latin-1").answers
    assert (answer.picture.name, answer.marks[0].label) == ("k\u00e4se.jpg", "gr\u00fcn")
    for wrong in ("klingon", "utf-16"):
        with pytest.raises(InvalidDataError, match=f"is not {wrong}"):
            read_csv("l.csv", data[:-1], None, columns=columns, encoding=wrong)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON"),
        (b'[{"annotations": []}]', "data is missing"),
        (b'[{"annotation_id": 1, "image": "a.jpg"}]', "ops import json-min"),
        (b'[{"data": {"text": "x"}}]', "data.image is missing"),
        (b'[{"data": {"image": "a"}, "annotations": [{"result": [{"id": "r"}]}]}]', "from_name"),
        (b'[{"data": {"image": "a"}, "annotations": [{}]}]', "result is missing"),
        (
            b'[{"data": {"image": "a"}, "annotations": [{"unique_id": "u", "result": []},'
            b' {"unique_id": "u", "result": []}]}]',
            "there already",
        ),
        (b'[{"data": {"image": "a"}, "annotations": [{"result": [], "lead_time": NaN}]}]', "NaN"),
    ],
)
def test_label_studio(data: bytes, place: str) -> None:
    """An export that is none."""
    with pytest.raises(InvalidDataError, match=place):
        read_label_studio("export.json", data, media_field="image")


def test_json_min_and_the_full_export_are_told_apart() -> None:
    """Each names the other's command."""
    with pytest.raises(InvalidDataError, match="ops import labelstudio"):
        read_json_min("e.json", b'[{"data": {}, "annotations": []}]', None)
    with pytest.raises(InvalidDataError, match="must be an array"):
        read_json_min("e.json", b"{}", None)
