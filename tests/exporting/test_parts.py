"""Exports in the parts of a split: every task in one, none in two."""

from itertools import combinations
from pathlib import Path

import pytest

from ops.core.canonical import encode_record
from ops.core.exporting.words import Format, MediaMode
from ops.core.names import media_path, record_path
from ops.core.pulls import Choice
from ops.core.records import Media, Record, Task, TaskKey
from ops.core.splits import parse_ratios
from ops.errors import RefusedError
from ops.ports import Upload
from ops.runner.context import main_head
from ops.runner.splits import Asked, make_split, read_split
from tests.exporting.scene import Scene, answer, box, bytes_of, json_of, picture, rows_of, scene


@pytest.fixture
def parted() -> Scene:
    """Twelve labeled pictures in three parts."""
    made = scene({f"{n:02}.png": [answer(box("brie", (n, 2, n + 9, 40)))] for n in range(12)})
    ratios = parse_ratios("train=0.5,val=0.3,test=0.2")
    make_split(made.context, "first", Asked(ratios=ratios))
    return made


def keys_by_part(made: Scene) -> dict[str, set[str]]:
    """The keys of each part, as the split says."""
    found: dict[str, set[str]] = {}
    for key, part in read_split(made.context, main_head(made.lake), "first").items():
        found.setdefault(part, set()).add(key)
    return found


def test_each_format_has_its_parts(parted: Scene, tmp_path: Path) -> None:
    """In files, folders, lists or a column of their own."""
    parts, choice = keys_by_part(parted), Choice(split="first")
    assert set(parts) == {"train", "val", "test"}
    for form in Format:
        parted.export(tmp_path / form, form, choice=choice, media=MediaMode.COPY)
        rows = rows_of(tmp_path / form / "states.csv")
        assert {row["key"]: row["split"] for row in rows} == {
            key: part for part, keys in parts.items() for key in keys
        }
        assert json_of(tmp_path / form / "export.json")["parts"] == sorted(parts)
    for part, keys in parts.items():
        coco = json_of(tmp_path / "coco" / "annotations" / f"instances_{part}.json")
        assert {one["file_name"] for one in coco["images"]} == keys
        stems = {key.removesuffix(".png") for key in keys}
        assert {path.stem for path in (tmp_path / "yolo" / "labels" / part).iterdir()} == stems
        assert {path.name for path in (tmp_path / "yolo" / "images" / part).iterdir()} == keys
        listed = (tmp_path / "voc" / "ImageSets" / "Main" / f"{part}.txt").read_text()
        assert set(listed.splitlines()) == stems
        assert (tmp_path / "hf" / "data" / f"{part}-00000-of-00001.parquet").is_file()
    coco_parts = [json_of(path) for path in sorted((tmp_path / "coco" / "annotations").iterdir())]
    for one, two in combinations(coco_parts, 2):
        for what in ("images", "annotations"):
            assert not {x["id"] for x in one[what]} & {x["id"] for x in two[what]}
    yaml = (tmp_path / "yolo" / "data.yaml").read_text()
    assert '"test": images/test\n"train": images/train\n"val": images/val\n' in yaml


def test_one_part_alone(parted: Scene, tmp_path: Path) -> None:
    """As `NAME:PART`; the others are no part of the counts."""
    parts = keys_by_part(parted)
    choice = Choice(split="first", part="val")
    parted.export(tmp_path / "out", Format.COCO, choice=choice)
    assert {path for path in bytes_of(tmp_path / "out") if path.startswith("annotations/")} == {
        "annotations/instances_val.json"
    }
    facts = json_of(tmp_path / "out" / "export.json")
    assert (facts["tasks"]["tasks"], facts["parts"]) == (len(parts["val"]), ["val"])


def test_a_task_that_came_after_the_split_is_named(parted: Scene, tmp_path: Path) -> None:
    """It is in no part, and none is guessed; unlabeled pictures need none."""
    data = picture("new.png")
    image = Upload(path=media_path(TaskKey("new.png")), data=data, content_type="image/png")
    parted.put(image)
    choice = Choice(split="first")
    parted.export(tmp_path / "out", Format.COCO, choice=choice)
    media = Media(path="images/new.png", checksum="0", size_bytes=len(data), width=160, height=120)
    task = Task(key=TaskKey("new.png"), media=media)
    record = encode_record(Record(task=task, annotations=(answer(),)))
    parted.put(Upload(path=record_path(TaskKey("new.png")), data=record))
    with pytest.raises(RefusedError) as caught:
        parted.export(tmp_path / "out", Format.COCO, choice=choice)
    assert (caught.value.code, caught.value.subject) == ("not-in-split", "new.png")
    assert "ops dataset split first" in caught.value.hint
