"""What is refused: losses nobody allowed, names that clash, and whatever is in the way."""

import shutil
from pathlib import Path

import pytest

from ops.core.exporting.files import Piece
from ops.core.exporting.words import Format, MediaMode
from ops.core.pulls import Choice
from ops.core.records import Json
from ops.errors import (
    ConfigurationError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    RefusedError,
    UsageError,
)
from ops.ports import Upload
from ops.runner.export_files import ExportFolder, listed_files, new_export
from ops.runner.fetch import refuse_names
from tests.exporting.scene import (
    SHAPES,
    answer,
    box,
    bytes_of,
    entry,
    five_states,
    json_of,
    rows_of,
    scene,
)

TRIANGLE: dict[str, Json] = {
    "points": [[10, 10], [50, 10], [10, 50]],
    "closed": True,
    "polygonlabels": ["feta"],
}


def test_what_a_format_cannot_hold_is_refused_with_counts(tmp_path: Path) -> None:
    """Or left out, and named in the facts."""
    relation: dict[str, Json] = {
        "type": "relation",
        "from_id": "b",
        "to_id": "b2",
        "direction": "right",
    }
    note: dict[str, Json] = {"id": "n", "type": "textarea", "from_name": "note", "to_name": "image",
            "value": {"text": ["old"]}}  # fmt: skip
    bare = entry("box", "rectanglelabels", {"x": 1, "y": 1, "width": 2, "height": 2}, "bare")
    made = scene(
        {"p.png": [answer(box("brie", (1, 2, 3, 4)), box("brie", (1, 2, 30, 40), "b2", 30),
                          relation, note, bare)]}
    )  # fmt: skip
    lost = {
        "answers of type textarea": 1,
        "regions without a label": 1,
        "relations": 1,
        "the rotation of turned boxes": 1,
    }
    for form in (Format.VOC, Format.YOLO):
        with pytest.raises(RefusedError) as caught:
            made.export(tmp_path / form, form)
        assert (caught.value.code, caught.value.exit_code) == ("export-loses", 4)
        assert caught.value.details == {"lost": lost}
        assert dict(caught.value.where) == {name: str(count) for name, count in lost.items()}
        assert not list(tmp_path.iterdir())
        made.export(tmp_path / form, form, allow_loss=True)
        assert json_of(tmp_path / form / "export.json")["lost"] == lost
        shutil.rmtree(tmp_path / form)
    coco = made.export(tmp_path / "coco", Format.COCO, allow_loss=True)
    assert coco.facts.losses.counts == {
        name: count for name, count in lost.items() if "rotation" not in name
    }
    for form in (Format.CSV, Format.JSONL, Format.PARQUET, Format.LABEL_STUDIO):
        assert not made.export(tmp_path / form, form).facts.losses.counts


def test_a_class_of_another_kind_is_no_region(tmp_path: Path) -> None:
    """A video's box in a picture's export: named by its type."""
    odd = entry("box", "videorectangle", {"sequence": [], "labels": ["brie"]}, "v")
    with pytest.raises(RefusedError) as caught:
        scene({"p.png": [answer(odd)]}).export(tmp_path / "out", Format.COCO)
    assert caught.value.details == {"lost": {"regions of type videorectangle": 1}}


def test_an_outline_is_lost_where_there_are_boxes_only(tmp_path: Path) -> None:
    """YOLO of a label config with polygons holds them."""
    made = scene({"p.png": [answer(entry("outline", "polygonlabels", TRIANGLE, "p"))]},
                 config=SHAPES)  # fmt: skip
    with pytest.raises(RefusedError) as caught:
        made.export(tmp_path / "voc", Format.VOC)
    assert caught.value.details == {"lost": {"the outline of polygons": 1}}
    made.export(tmp_path / "yolo", Format.YOLO)
    line = (tmp_path / "yolo" / "labels" / "all" / "p.txt").read_text()
    assert line == "2 " + " ".join(f"{n:.8f}" for n in (0.1, 0.1, 0.5, 0.1, 0.1, 0.5)) + "\n"


@pytest.mark.parametrize("form", [Format.YOLO, Format.VOC])
def test_two_keys_of_one_label_file_are_named(form: Format, tmp_path: Path) -> None:
    """`a.jpg` and `a.png` would both be `a.txt`; other formats take them."""
    made = scene({"d/a.jpg": [answer()], "d/a.png": [answer()]})
    with pytest.raises(InvalidDataError) as caught:
        made.export(tmp_path / "out", form)
    assert caught.value.code == "same-stem"
    assert "d/a.jpg and d/a.png" in caught.value.message
    assert not list(tmp_path.iterdir())
    made.export(tmp_path / "out", Format.COCO, media=MediaMode.COPY)


def test_keys_that_differ_by_case_need_a_disk_that_tells_them_apart(tmp_path: Path) -> None:
    """Here they are two files; on a disk that ignores case they are refused by name."""
    made = scene({"a.png": [answer()], "A.png": [answer(box("brie", (1, 2, 3, 4)))]})
    made.export(tmp_path / "out", Format.YOLO, media=MediaMode.COPY)
    paths = sorted(bytes_of(tmp_path / "out"))
    assert {"labels/all/a.txt", "labels/all/A.txt"} < set(paths)
    with pytest.raises(InvalidDataError) as caught:
        refuse_names(paths, ignores_case=True)
    assert caught.value.code == "same-file"
    assert "images/all/A.png and images/all/a.png" in caught.value.message


def test_pixels_take_the_size_of_the_picture(tmp_path: Path) -> None:
    """Where neither a region nor the record says it: YOLO needs none."""
    made = scene({"e.png": [answer()], "l.png": [answer(box("brie", (1, 2, 3, 4)))]}, sized=False)
    for form in (Format.COCO, Format.VOC, Format.HF):
        with pytest.raises(RefusedError) as caught:
            made.export(tmp_path / "out", form)
        assert (caught.value.code, caught.value.subject) == ("picture-size-unknown", "e.png")
        assert "ops data profile" in caught.value.hint
    made.export(tmp_path / "out", Format.YOLO)


@pytest.mark.parametrize("kind", ["file", "folder", "another-export", "link"])
def test_nothing_but_an_export_is_replaced(kind: str, tmp_path: Path) -> None:
    """What is in the way stays."""
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "link":
        out.symlink_to(tmp_path)
    else:
        out.mkdir()
        (out / "export.json").write_text('{"schema": "mine"}')
        (out / "export.json").rename(out / ("mine.txt" if kind == "folder" else "export.json"))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(RefusedError) as caught:
        five_states().export(out, Format.CSV)
    assert caught.value.code == "out-in-the-way"
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert kind != "another-export" or (out / "export.json").read_text() == '{"schema": "mine"}'


def test_the_directory_one_is_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced in one step, it would be gone from under a shell."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError) as caught:
        five_states().export(Path(), Format.CSV)
    assert caught.value.code == "out-in-the-way"
    five_states().export(Path("out"), Format.CSV)


@pytest.mark.parametrize("edit", ["changed", "added", "removed"])
def test_an_export_somebody_worked_on_is_not_replaced(edit: str, tmp_path: Path) -> None:
    made, out = five_states(), tmp_path / "out"
    made.export(out, Format.YOLO)
    path = out / "labels" / "all" / ("new.txt" if edit == "added" else "e0.txt")
    if edit == "removed":
        path.unlink()
    else:
        path.write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(RefusedError) as caught:
        made.export(out, Format.YOLO)
    assert path.name in caught.value.message
    assert path.exists() is (edit != "removed")


def test_an_empty_directory_is_taken_and_an_export_replaced(tmp_path: Path) -> None:
    """Files of the earlier export that the new one has not are gone."""
    made = five_states()
    (tmp_path / "out").mkdir()
    made.export(tmp_path / "out", Format.YOLO)
    made.export(tmp_path / "out", Format.CSV)
    assert sorted(bytes_of(tmp_path / "out")) == ["annotations.csv", "export.json", "states.csv"]


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    """Nor does it touch the earlier one; what a killed one left is removed by the next."""
    made, out = five_states(), tmp_path / "out"
    made.export(out, Format.CSV)
    before = bytes_of(tmp_path)
    with pytest.raises(RuntimeError), new_export(out, name="x") as folder:  # noqa: PT012
        folder.write([Piece("annotations.csv", b"half")])
        assert not (folder.directory / "export.json").exists()
        raise RuntimeError
    assert bytes_of(tmp_path) == before
    killed = tmp_path / ".out.part-killed"
    killed.mkdir()
    (killed / "annotations.csv").write_text("half")
    made.export(out, Format.CSV)
    assert bytes_of(tmp_path) == before


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """And says the same."""
    from ops.runner.export import Order, export_dataset

    made = five_states()
    for form in Format:
        planned = export_dataset(
            made.context, "main", out=tmp_path / "out", order=Order(format=form), dry_run=True
        )
        done = made.export(tmp_path / form, form)
        assert planned.facts.as_mapping() == done.facts.as_mapping()
    assert not (tmp_path / "out").exists()


def test_parts_of_a_file_come_in_their_order(tmp_path: Path) -> None:
    """However many files are written at once."""
    folder = ExportFolder(tmp_path)
    pieces = [Piece(f"f{n}/x", b"%d" % part, part) for part in (1, 0, 2) for n in range(100)]
    folder.write([*pieces, *(Piece(f"f{n}/x", b"+") for n in range(100))])
    assert {path.read_bytes() for path in tmp_path.rglob("x")} == {b"0+12"}
    assert len(list(listed_files(tmp_path))) == 100


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """Refs, tasks, splits and columns."""
    made = five_states()
    with pytest.raises(NotFoundError) as gone:
        made.export(tmp_path / "out", Format.CSV, ref="v9")
    assert gone.value.code == "no-such-ref"
    cases: list[tuple[Choice, type[OpsError], str]] = [
        (Choice(where="key = 'nobody'"), NotFoundError, "nothing-to-export"),
        (Choice(split="nope"), NotFoundError, "no-such-split"),
        (Choice(where="colour = 1"), UsageError, "sql-unknown-column"),
        (Choice(where="1; delete from tasks"), UsageError, "sql-several"),
    ]
    for choice, kind, code in cases:
        with pytest.raises(kind) as caught:
            made.export(tmp_path / "out", Format.CSV, choice=choice)
        assert caught.value.code == code
    with pytest.raises(UsageError) as caught:
        made.export(tmp_path / "out", Format.HF, media=MediaMode.LINK)
    assert caught.value.code == "media-mode"
    assert not list(tmp_path.iterdir())


def test_out_below_a_file_is_named(tmp_path: Path) -> None:
    """No directory can be made there."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError) as caught:
        five_states().export(tmp_path / "file" / "out", Format.CSV)
    assert caught.value.code == "cannot-write"


def test_where_takes_its_tasks_alone(tmp_path: Path) -> None:
    """The counts are of them."""
    made = five_states()
    made.export(tmp_path / "out", Format.CSV, choice=Choice(where="state = 'empty'"))
    facts = json_of(tmp_path / "out" / "export.json")
    assert facts["tasks"] == {
        "tasks": 1, "labeled": 0, "empty": 1, "skipped": 0, "unfinished": 0, "quarantined": 0,
    }  # fmt: skip
    assert facts["where"] == "state = 'empty'"


def test_pictures_that_changed_are_named(tmp_path: Path) -> None:
    """Gone ones have no place, others are not those people labeled; nothing is left out."""
    labeled = [answer(box("brie", (1, 2, 3, 4)))]
    made = scene({"gone.png": labeled, "other.png": [answer()], "same.png": [answer()]})
    made.put(Upload(path="images/other.png", data=b"another picture"))
    made.lake.create_branch("by-hand", "main")
    made.lake.delete_many("by-hand", ["images/gone.png"])
    made.lake.commit("by-hand", "gone", {})
    made.lake.merge("by-hand", "main", "gone", {})
    for form in Format:
        out = tmp_path / form
        made.export(out, form, media=MediaMode.COPY)
        facts = json_of(out / "export.json")
        assert facts["pictures_gone"] == ["gone.png"]
        assert facts["pictures_replaced"] == ["other.png"]
        assert facts["exported"] == {"labeled": 1, "empty": 2}
        places = {row["key"]: bool(row["picture"]) for row in rows_of(out / "states.csv")}
        assert places == {"gone.png": False, "other.png": True, "same.png": True}


def test_a_name_no_file_can_have_is_named(tmp_path: Path) -> None:
    """Longer than disks take: in a format with a file a picture."""
    key = "x" * 253 + ".png"
    made = scene({key: [answer()]})
    with pytest.raises(InvalidDataError) as caught:
        made.export(tmp_path / "out", Format.VOC)
    assert caught.value.code == "no-file-name"
    assert not list(tmp_path.iterdir())
    made.export(tmp_path / "out", Format.COCO)
