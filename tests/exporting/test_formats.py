"""Every format: the same bytes each time, the five states told apart, keys kept as they are."""

from collections import Counter
from pathlib import Path

import pytest

from ops.core.exporting.words import Format, MediaMode
from ops.parquet import read_rows
from tests.exporting.scene import (
    FIVE,
    answer,
    box,
    bytes_of,
    choice,
    five_states,
    json_of,
    rows_of,
    scene,
    states_of,
)

every_format = pytest.mark.parametrize("form", Format)


@every_format
def test_the_same_commit_is_the_same_bytes(form: Format, tmp_path: Path) -> None:
    """Whoever exports, wherever to; even over an earlier export."""
    made = five_states()
    made.export(tmp_path / "one", form)
    made.export(tmp_path / "deep" / "two", form)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "deep" / "two")
    made.export(tmp_path / "one", form)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "deep" / "two")
    assert not list(tmp_path.glob(".*"))


def test_a_commit_without_a_snapshot_is_the_same(tmp_path: Path) -> None:
    """Records are read one by one where nothing packed them."""
    answers = {"a.png": [answer(box("brie", (1, 2, 3, 4)))], "b.png": [answer()]}
    for name, packed in (("one", True), ("two", False)):
        scene(answers, packed=packed).export(tmp_path / name, Format.CSV, media=MediaMode.NONE)
    one, two = (bytes_of(tmp_path / name) for name in ("one", "two"))
    assert one["annotations.csv"] == two["annotations.csv"]
    assert one["states.csv"] == two["states.csv"]


@every_format
def test_the_five_states_are_told_apart(form: Format, tmp_path: Path) -> None:
    """In the side file of each format, and in the format's own way."""
    found = five_states().export(tmp_path / "out", form)
    assert states_of(tmp_path / "out") == FIVE
    facts = json_of(tmp_path / "out" / "export.json")
    assert facts["tasks"] == {**FIVE, "tasks": 11}
    assert facts["exported"] == {"labeled": 2, "empty": 1}
    assert facts["lost"] == {} == found.facts.losses.counts
    told = _TOLD[form](tmp_path / "out")
    assert told == Counter({**FIVE} if form in _TELL_ALL else {"labeled": 2, "empty": 1})


_TELL_ALL = {Format.CSV, Format.JSONL, Format.PARQUET, Format.LABEL_STUDIO}
"""Formats that have every task in their own files."""


def _coco(out: Path) -> Counter[str]:
    document = json_of(out / "annotations" / "instances_all.json")
    labeled = {one["image_id"] for one in document["annotations"]}
    assert len({one["file_name"] for one in document["images"]}) == len(document["images"])
    return Counter("labeled" if one["id"] in labeled else "empty" for one in document["images"])


def _yolo(out: Path) -> Counter[str]:
    texts = (out / "labels").rglob("*.txt")
    return Counter("labeled" if path.read_text() else "empty" for path in texts)


def _voc(out: Path) -> Counter[str]:
    texts = [path.read_text() for path in (out / "Annotations").rglob("*.xml")]
    listed = (out / "ImageSets" / "Main" / "all.txt").read_text().splitlines()
    assert listed == ["a/l0", "a/l1", "e0"]
    return Counter("labeled" if "<object>" in text else "empty" for text in texts)


def _csv(out: Path) -> Counter[str]:
    states = {row["key"]: row["state"] for row in rows_of(out / "annotations.csv")}
    return Counter(states.values())


def _jsonl(out: Path) -> Counter[str]:
    import json

    lines = (out / "tasks.jsonl").read_text("utf-8").splitlines()
    return Counter(json.loads(line)["state"] for line in lines)


def _json_min(out: Path) -> Counter[str]:
    entries = json_of(out / "result.json")
    return Counter("labeled" if {"box", "light"} & set(one) else "empty" for one in entries)


def _parquet(out: Path) -> Counter[str]:
    data = (out / "tasks.parquet").read_bytes()
    return Counter(str(row["state"]) for row in read_rows(data, ["state"], path="tasks"))


def _hf(out: Path) -> Counter[str]:
    data = (out / "data" / "train-00000-of-00001.parquet").read_bytes()
    return Counter(str(row["state"]) for row in read_rows(data, ["state"], path="data"))


def _label_studio(out: Path) -> Counter[str]:
    tasks = json_of(out / "tasks.json")
    for task in tasks:
        cancelled = [one["was_cancelled"] for one in task["annotations"]]
        assert (task["meta"]["state"] == "skipped") is (cancelled == [True])
        assert (task["meta"]["exported_as"] is None) is (cancelled != [False])
    return Counter(task["meta"]["state"] for task in tasks)


_TOLD = {
    Format.COCO: _coco,
    Format.YOLO: _yolo,
    Format.VOC: _voc,
    Format.CSV: _csv,
    Format.JSONL: _jsonl,
    Format.JSON_MIN: _json_min,
    Format.PARQUET: _parquet,
    Format.HF: _hf,
    Format.LABEL_STUDIO: _label_studio,
}


@every_format
@pytest.mark.parametrize("mode", [MediaMode.COPY, MediaMode.URI, MediaMode.NONE])
def test_pictures_are_where_the_side_file_says(
    form: Format, mode: MediaMode, tmp_path: Path
) -> None:
    """Copied only for exported tasks: a picture without a label file is empty to most trainers."""
    made = five_states()
    made.export(tmp_path / "out", form, media=mode)
    rows = {row["key"]: row for row in rows_of(tmp_path / "out" / "states.csv")}
    commit = made.lake.find_commit("main")
    if mode is MediaMode.COPY:
        exported = {key: row["picture"] for key, row in rows.items() if row["exported_as"]}
        assert {key for key, row in rows.items() if row["picture"]} == exported.keys()
        pngs = {one for one in bytes_of(tmp_path / "out") if one.endswith(".png")}
        if form is not Format.HF:
            assert pngs == set(exported.values())
            for key, path in exported.items():
                stored = made.lake.read("main", f"images/{key}")
                assert (tmp_path / "out" / path).read_bytes() == stored
    elif mode is MediaMode.URI:
        key = "ü 3%.png"
        assert rows[key]["picture"] == f"s3://dataset/{commit}/images/{key}"
    else:
        assert not any(row["picture"] for row in rows.values())


def test_links_lead_to_the_cache(tmp_path: Path) -> None:
    """And are as good as copies."""
    from dataclasses import replace

    made = five_states()
    cached = replace(made, context=replace(made.context, cache_dir=tmp_path / "cache"))
    cached.export(tmp_path / "linked", Format.COCO, media=MediaMode.LINK)
    path = tmp_path / "linked" / "images" / "a" / "l0.png"
    assert path.stat().st_nlink == 2
    assert path.read_bytes() == made.lake.read("main", "images/a/l0.png")


def test_every_file_has_its_digest_in_the_facts(tmp_path: Path) -> None:
    """And nothing else is there."""
    import hashlib

    five_states().export(tmp_path / "out", Format.YOLO, media=MediaMode.COPY)
    facts = json_of(tmp_path / "out" / "export.json")
    found = bytes_of(tmp_path / "out")
    found = {path: data for path, data in found.items() if path != "export.json"}
    assert facts["files"] == [
        {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for path, data in found.items()
    ]
    assert (facts["schema"], facts["ref"], facts["tool_version"]) == ("ops.export/1", "main", "1")
    assert facts["policy"] is None


def test_choices_are_beside_the_boxes(tmp_path: Path) -> None:
    """With class ids of their own; what is said of a region is with the region."""
    ripe = {**choice("ripe", "yes"), "id": "b"}
    made = scene({"p.png": [answer(box("gouda", (1, 2, 3, 4)), ripe, choice("light", "night"))]})
    made.export(tmp_path / "out", Format.COCO)
    [row] = rows_of(tmp_path / "out" / "choices.csv")
    assert (row["key"], row["control"], row["choice"], row["class_id"]) == (
        *("p.png", "light", "night"),
        "1",
    )
    document = json_of(tmp_path / "out" / "annotations" / "instances_all.json")
    [one] = document["annotations"]
    assert one["attributes"]["ripe"] == ["yes"]
    assert one["category_id"] == 2
    assert [category["name"] for category in document["categories"]] == ["brie", "gouda"]


def test_keys_are_kept_as_they_are(tmp_path: Path) -> None:
    """Folders, spaces, percent signs and other alphabets, down to the file names."""
    key = "site ä/100%25 ü#1.png"
    made = scene({key: [answer(box("brie", (1, 2, 3, 4)))]})
    for form in (Format.COCO, Format.YOLO, Format.VOC):
        made.export(tmp_path / form, form, media=MediaMode.COPY)
    assert (tmp_path / "coco" / "images" / key).is_file()
    assert (
        json_of(tmp_path / "coco" / "annotations" / "instances_all.json")["images"][0]["file_name"]
        == key
    )
    assert (tmp_path / "yolo" / "labels" / "all" / "site ä" / "100%25 ü#1.txt").is_file()
    assert (tmp_path / "voc" / "Annotations" / "site ä" / "100%25 ü#1.xml").is_file()


def test_yolo_names_each_class_at_its_id(tmp_path: Path) -> None:
    """In `data.yaml`, whatever is used."""
    import yaml

    five_states().export(tmp_path / "out", Format.YOLO)
    described = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text("utf-8"))
    assert described == {"path": ".", "train": "images/all", "names": {0: "brie", 1: "gouda"}}
    line = (tmp_path / "out" / "labels" / "all" / "a" / "l1.txt").read_text()
    assert line == "1 0.01406250 0.02500000 0.01562500 0.01666667\n"
