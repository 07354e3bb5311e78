"""What an import refuses, names or keeps though it is odd."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.core.label_config import LabelKind
from ops.core.regions import value_of
from ops.errors import InvalidDataError, NotFoundError, OpsError, RefusedError, UsageError
from ops.runner.finish import finish_round
from tests.fakes.lake import FakeLake
from tests.runner.importing import Desk, voc


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty repository for cats and dogs."""
    return Desk(tmp_path)


def refused(desk: Desk, format_: str, path: Path, **options: Any) -> OpsError:  # noqa: ANN401
    """The error of an import, after which nothing was written."""
    before = dict(desk.lake.branches())
    given = bool(options.pop("given", True))
    with pytest.raises(OpsError) as caught:
        desk.take(format_, path, given=given, **options)
    assert dict(desk.lake.branches()) == before
    assert not desk.studio.projects
    error = caught.value
    assert error.message
    assert error.hint
    assert "nothing was" in error.unchanged
    return error


def test_labels_the_ontology_lacks_are_named_with_the_command(desk: Desk) -> None:
    """Spaces and quotes are typed as the shell needs them."""
    desk.draw("a.jpg")
    path = desk.write("a.xml", voc("a.jpg", ("big fish", 1, 2, 3, 4), ("eel", 1, 2, 3, 4)))
    error = refused(desk, "voc", path)
    assert isinstance(error, RefusedError)
    assert error.hint == "ops ontology add 'big fish' eel --control label"


def test_an_empty_repository_is_set_up_with_the_labels_of_the_files(desk: Desk) -> None:
    """The hint is the whole command, with the kind of their shapes."""
    desk.draw("a.jpg")
    desk.lake = FakeLake("nowhere", server=desk.lake_server)
    desk.context = desk.context_of(desk.lake)
    for format_, path, hint in (
        (
            "voc",
            desk.write("a.xml", voc("a.jpg", ("eel", 1, 2, 3, 4))),
            "--labels eel --kind boxes",
        ),
        ("csv", desk.write("c.csv", "image,label\na.jpg,b c\n"), "--labels 'b c' --kind choices"),
        ("csv", desk.write("d.csv", 'image,label\na.jpg,"b,c"\n'), "--label-config FILE"),
    ):
        with pytest.raises(NotFoundError) as caught:
            desk.take(format_, path)
        assert caught.value.code == "no-repository"
        assert f"ops init {hint}" in caught.value.hint


def coco(*segmentations: object, size: tuple[int, int] = (640, 480)) -> str:
    """A COCO file of one picture."""
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"id": n, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40],
                 "segmentation": one}
                for n, one in enumerate(segmentations)
            ],
        }
    )  # fmt: skip


TRIANGLE = [[10, 20, 40, 20, 10, 60]]


def test_a_shape_no_control_holds_is_refused_or_boxed_if_asked(desk: Desk) -> None:
    """What is lost by that is counted."""
    desk.draw("a.jpg")
    path = desk.write("coco.json", coco(TRIANGLE, []))
    error = refused(desk, "coco", path)
    assert (error.code, error.where) == ("shape-unfit", (("controls", "label (RectangleLabels)"),))
    assert "--boxes" in error.hint
    found = desk.take("coco", path, boxes=True)
    assert [one.what for one in found.losses] == ["outlines: the boxes around them are taken"]
    finish_round(desk.context, "old")
    shapes = [value_of(one) for one in desk.regions("a.jpg")]
    assert [one["width"] for one in shapes] == [4.6875, 4.6875]


def test_outlines_and_masks_are_kept_where_they_fit(tmp_path: Path) -> None:
    """A polygon by its points in percent, a mask by Label Studio's code."""
    desk = Desk(tmp_path / "polygons", kind=LabelKind.POLYGONS)
    desk.draw("a.jpg")
    desk.take("coco", desk.write("coco.json", coco(TRIANGLE)))
    finish_round(desk.context, "old")
    [region] = desk.regions("a.jpg")
    points = [[1.5625, 20 * 100 / 480], [6.25, 20 * 100 / 480], [1.5625, 12.5]]
    assert value_of(region)["points"] == points
    desk = Desk(tmp_path / "brush", kind=LabelKind.BRUSH)
    desk.draw("a.jpg", size=(4, 3))
    mask = {"size": [3, 4], "counts": [4, 2, 6]}
    desk.take("coco", desk.write("coco.json", coco(mask, size=(4, 3))))
    finish_round(desk.context, "old")
    [region] = desk.regions("a.jpg")
    assert (region["type"], value_of(region)["format"]) == ("brushlabels", "rle")


def test_labels_of_other_pictures_are_never_dropped_unnamed(desk: Desk) -> None:
    """Refused; left out if asked, and named; never all of them."""
    desk.draw("a.jpg")
    desk.write("voc/a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    other = desk.write("voc/z.xml", voc("z.jpg", ("cat", 1, 2, 3, 4)))
    error = refused(desk, "voc", other.parent)
    assert (error.code, error.subject) == ("other-pictures", "z.jpg")
    assert error.message == "1 of 2 pictures the label files speak of are nowhere"
    found = desk.take("voc", other.parent, allow_missing=True, dry_run=True)
    assert (found.pictures, found.counts.tasks) == (2, 1)
    assert found.unmatched == {"z.jpg": "no such picture"}
    nothing = refused(desk, "voc", other, allow_missing=True)
    assert dict(nothing.where) == {
        "pictures": "z.jpg: no such picture",
        "there": "no picture at all",
    }


def test_names_that_differ_by_case_are_told_apart(desk: Desk) -> None:
    """Two keys that differ by case are two pictures; a wrong case is told."""
    desk.draw("Cat.jpg", "cat.jpg")
    desk.write("voc/1.xml", voc("Cat.jpg", ("cat", 1, 2, 3, 4)))
    folder = desk.write("voc/2.xml", voc("cat.jpg", ("dog", 1, 2, 3, 4))).parent
    assert desk.take("voc", folder).counts.labeled == 2
    finish_round(desk.context, "old")
    said = [value_of(desk.regions(key)[0])["rectanglelabels"] for key in ("Cat.jpg", "cat.jpg")]
    assert said == [["cat"], ["dog"]]
    wrong = desk.write("3.xml", voc("CAT.jpg", ("cat", 1, 2, 3, 4)))
    with pytest.raises(RefusedError) as caught:
        desk.take("voc", wrong, round_name="more")
    assert "there is Cat.jpg: case differs" in dict(caught.value.where)["pictures"]


def test_odd_names_find_their_pictures(desk: Desk) -> None:
    """Accents, spaces and percent signs, as a tool wrote them or encoded them."""
    desk.draw("sub/k\u00e4se 1.jpg", "100%25.jpg")
    desk.write("voc/1.xml", voc("sub/k%C3%A4se%201.jpg", ("cat", 1, 2, 3, 4)))
    folder = desk.write("voc/2.xml", voc("100%25.jpg", ("dog", 1, 2, 3, 4))).parent
    found = desk.take("voc", folder)
    assert found.added
    assert found.added.added == ("100%25.jpg", "sub/k\u00e4se 1.jpg")
    assert finish_round(desk.context, "old").counts.labeled == 2


def test_pictures_that_are_not_named_clearly_are_refused(desk: Desk) -> None:
    """One name for two pictures, two names for one, and a file that names two."""
    desk.draw("x/a.jpg", "y/a.jpg", "b.jpg", "c.jpg")
    several = desk.write("1.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    error = refused(desk, "voc", several)
    assert (error.code, error.subject) == ("pictures-unclear", "a.jpg may mean x/a.jpg or y/a.jpg")
    rows = desk.write(
        "2.csv", "image,label,x,y,width,height\np/b.jpg,cat,1,1,1,1\nq/b.jpg,cat,1,1,1,1\n"
    )
    assert refused(desk, "csv", rows).subject == "p/b.jpg and q/b.jpg both mean b.jpg"
    liar = desk.write("voc/c.xml", voc("b.jpg", ("cat", 1, 2, 3, 4)))
    error = refused(desk, "voc", liar)
    assert error.subject == "c.xml: says b.jpg, and is named like c.jpg"


def test_the_same_picture_under_another_name_is_not_added_again(desk: Desk) -> None:
    """By its digest: labels go to the one main has."""
    desk.put("a.jpg", prefix="site/")
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    found = desk.take("voc", path)
    assert found.added is None
    assert found.started
    assert found.started.keys == ("site/a.jpg",)


def test_pictures_with_other_bytes_than_main_has_are_refused(desk: Desk) -> None:
    """Their labels would be about another picture."""
    desk.put("a.jpg")
    desk.draw("a.jpg", size=(320, 240))
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    assert refused(desk, "voc", path).code == "image-exists"


def test_a_size_that_differs_is_refused_or_trusted(desk: Desk) -> None:
    """A picture that was only resized: percent of the size the file states."""
    desk.draw("a.jpg", size=(320, 240))
    path = desk.write("a.xml", voc("a.jpg", ("cat", 64, 48, 128, 96)))
    error = refused(desk, "voc", path)
    assert error.code == "size-differs"
    assert dict(error.where)["pictures"] == "a.jpg: 320 by 240, its label file says 640 by 480"
    desk.take("voc", path, trust_file_size=True)
    finish_round(desk.context, "old")
    [region] = desk.regions("a.jpg")
    assert (value_of(region)["x"], value_of(region)["width"]) == (10, 10)
    assert region["original_width"] == 640


def test_turned_pictures_are_named_and_taken_as_they_are_shown(desk: Desk) -> None:
    """EXIF 6: stored 640 by 480, shown 480 by 640; a file that speaks of the stored one is told."""
    desk.draw("a.jpg", orientation=6)
    stored = desk.write("a.xml", voc("a.jpg", ("cat", 48, 64, 96, 128)))
    error = refused(desk, "voc", stored)
    assert error.code == "size-differs"
    assert "before it is turned upright" in dict(error.where)["pictures"]
    shown = desk.write("a.xml", voc("a.jpg", ("cat", 48, 64, 96, 128), size=(480, 640)))
    planned = desk.take("voc", shown, dry_run=True)
    [note] = planned.notes
    assert (note.what[:14], note.place) == ("turned by EXIF", "a.jpg: orientation 6")
    desk.take("voc", shown)
    finish_round(desk.context, "old")
    [region] = desk.regions("a.jpg")
    assert (value_of(region)["x"], value_of(region)["y"]) == (10, 10)
    again = desk.take("voc", desk.write("b/a.xml", shown.read_text()), round_name="x", dry_run=True)
    assert len(again.notes) == 1


def test_marks_beyond_the_picture_are_refused_or_cut(desk: Desk) -> None:
    """A pixel beyond is a tool's rounding, and stays as it is."""
    desk.draw("a.jpg")
    path = desk.write("a.xml", voc("a.jpg", ("cat", -40, 10, 660, 481), ("dog", -1, 0, 641, 481)))
    error = refused(desk, "voc", path)
    assert (error.code, error.message[:7]) == ("beyond-picture", "1 marks")
    found = desk.take("voc", path, clip=True)
    assert [one.what for one in found.losses] == ["parts beyond a picture's edge, cut"]
    finish_round(desk.context, "old")
    boxes = {
        str(value_of(one)["rectanglelabels"]): [value_of(one)[n] for n in ("x", "width", "height")]
        for one in desk.regions("a.jpg")
    }
    assert boxes["['cat']"] == [0, 100, 470 * 100 / 480]
    assert boxes["['dog']"] == [-100 / 640, 642 * 100 / 640, 481 * 100 / 480]


def test_a_box_without_area_is_kept_and_named(desk: Desk) -> None:
    """As two of the blood cells' files have it."""
    desk.draw("a.jpg")
    found = desk.take("voc", desk.write("a.xml", voc("a.jpg", ("cat", 504, 337, 504, 337))))
    assert [one.what for one in found.notes] == ["boxes without area"]
    assert (found.region_count, found.losses) == (1, ())


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_a_picture_that_is_none_is_refused(desk: Desk, data: bytes) -> None:
    """Before anything is added."""
    (desk.pictures / "a.jpg").write_bytes(data)
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    error = refused(desk, "voc", path)
    assert isinstance(error, InvalidDataError)
    assert error.code == "picture-unreadable"


def test_two_controls_for_one_shape_are_asked_about(desk: Desk) -> None:
    """The one that offers all labels is meant; else one is named."""
    boxes = '<RectangleLabels name="{}" toName="image"><Label value="cat"/>{}</RectangleLabels>'
    image = '<Image name="image" value="$image"/>'
    desk.configure(f"<View>{image}{boxes.format('a', '')}{boxes.format('b', '')}</View>")
    desk.draw("a.jpg")
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    assert isinstance(refused(desk, "voc", path), UsageError)
    desk.take("voc", path, control="b")
    finish_round(desk.context, "old")
    assert desk.regions("a.jpg")[0]["from_name"] == "b"
    more = '<Label value="dog"/>'
    desk.configure(f"<View>{image}{boxes.format('a', '')}{boxes.format('b', more)}</View>")
    desk.studio.projects.clear()
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4), ("dog", 1, 2, 3, 4)))
    desk.take("voc", path)
    assert refused_control(desk, path) == "shape-unfit"


def refused_control(desk: Desk, path: Path) -> str:
    """The code of the error for a control that is not there."""
    with pytest.raises(RefusedError) as caught:
        desk.take("voc", path, round_name="more", control="nobody")
    return caught.value.code


def test_regions_of_controls_that_are_not_there_are_refused(desk: Desk) -> None:
    """Or of another type than the control's."""
    desk.put("a.jpg")
    region = {"id": "r", "to_name": "image", "value": {"x": 1, "choices": ["cat"]}}
    for name, kind, code in (
        ("other", "choices", "controls-missing"),
        ("label", "choices", "shape-unfit"),
    ):
        said = [{**region, "from_name": name, "type": kind}]
        task = {"data": {"image": "a.jpg"}, "annotations": [{"result": said}]}
        path = desk.write("e.json", json.dumps([task]))
        assert refused(desk, "labelstudio", path, given=False).code == code


def test_missing_files_are_named(desk: Desk) -> None:
    """The path, a folder without label files, a YOLO folder without names."""
    (desk.folder / "none").mkdir()
    for format_, name in (("coco", "x.json"), ("voc", "none"), ("yolo", "none"), ("coco", "none")):
        error = refused(desk, format_, desk.folder / name)
        assert (error.code, error.exit_code) == ("no-label-file", 3)
    desk.write("none/classes.txt", "cat\n")
    assert refused(desk, "yolo", desk.folder / "none").code == "no-label-file"


def test_yolo_and_folders_bring_their_own_pictures(tmp_path: Path) -> None:
    """The pictures lie beside the labels: no --images."""
    desk = Desk(tmp_path)
    desk.draw("images/train/a.jpg", "images/train/b.jpg", "images/train/c.jpg")
    root = desk.pictures
    (root / "data.yaml").write_text("names: [cat, dog]\n")
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (root / "labels" / "train" / "b.txt").write_text("")
    found = desk.take("yolo", root, given=False)
    assert (found.counts.labeled, found.counts.empty, found.unspoken) == (1, 1, 1)
    assert found.started
    assert found.started.keys == ("images/train/a.jpg", "images/train/b.jpg")
    finish_round(desk.context, "old")
    value = value_of(desk.regions("images/train/a.jpg")[0])
    assert [value[name] for name in ("x", "y", "width", "height")] == [37.5, 25, 25, 50]
    classes = Desk(tmp_path / "classes", kind=LabelKind.CHOICES)
    classes.draw("cat/a.jpg", "dog/b.jpg", "c.jpg")
    found = classes.take("folders", classes.pictures, given=False)
    assert (found.pictures, found.counts.labeled, found.unanswered) == (3, 2, ("c.jpg",))
    assert found.added
    assert found.added.added == ("c.jpg", "cat/a.jpg", "dog/b.jpg")


def test_pictures_that_were_never_pulled_are_named_first(desk: Desk) -> None:
    """Not as broken pictures: with the command that pulls them."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    (desk.pictures / "a.jpg").write_text(pointer)
    path = desk.write("a.xml", voc("a.jpg", ("cat", 1, 2, 3, 4)))
    assert refused(desk, "voc", path).code == "not-pulled"
