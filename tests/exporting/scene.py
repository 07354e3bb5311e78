"""Commits to export, on a lake in memory: pictures, records of every shape and state, a config.

Records are put on main by hand, so that each test says exactly what is in its commit.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO, StringIO
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from PIL import Image

from ops.cli.progress import QuietReporter
from ops.core.canonical import encode_record
from ops.core.exporting.words import Format, MediaMode, Policy
from ops.core.names import (
    ANNOTATIONS_PARQUET,
    TASKS_PARQUET,
    media_path,
    record_key,
    record_path,
)
from ops.core.pixels import box_of_corners, to_percent
from ops.core.pulls import Choice
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.core.snapshot import record_checksum
from ops.parquet import write_snapshot
from ops.ports import Upload
from ops.runner.context import Context, MediaAccess
from ops.runner.export import Exported, Order, export_dataset
from ops.runner.init import init_repository
from tests.fakes.gateway import FakeGateway
from tests.fakes.lake import FakeLake, FakeLakeServer
from tests.fakes.studio import FakeStudio
from tests.tree import ROOT
from tests.wanted import missing

SIZE = (160, 120)
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="brie"/><Label value="gouda"/></RectangleLabels>
  <Choices name="light" toName="image" choice="single"><Choice value="day"/><Choice value="night"/></Choices>
  <Choices name="ripe" toName="image" perRegion="true"><Choice value="yes"/><Choice value="no"/></Choices>
  <TextArea name="note" toName="image"/>
</View>"""  # noqa: E501 - one tag a line
SHAPES = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="brie"/><Label value="gouda"/></RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="gouda"/><Label value="feta"/></PolygonLabels>
  <EllipseLabels name="ring" toName="image"><Label value="feta"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="eye"/></KeyPointLabels>
  <BrushLabels name="brush" toName="image"><Label value="mould"/></BrushLabels>
</View>"""  # noqa: E501 - one tag a line


def entry(control: str, kind: str, value: Mapping[str, Json], name: str) -> dict[str, Json]:
    """One entry of a result."""
    return {
        "id": name,
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "original_width": SIZE[0],
        "original_height": SIZE[1],
        "image_rotation": 0,
        "value": dict(value),
    }


def box(
    label: str,
    edges: tuple[float, float, float, float],
    name: str = "b",
    rotation: float = 0,
    *,
    size: tuple[int, int] = SIZE,
) -> dict[str, Json]:
    """A box between edges in pixels: left, top, right, bottom."""
    x, y, width, height = to_percent(box_of_corners(*edges), *size)
    value: dict[str, Json] = {
        "x": x, "y": y, "width": width, "height": height, "rotation": rotation,
        "rectanglelabels": [label],
    }  # fmt: skip
    width_px, height_px = size
    stated = {"original_width": width_px, "original_height": height_px}
    return {**entry("box", "rectanglelabels", value, name), **stated}


def choice(control: str, *names: str, name: str = "c") -> dict[str, Json]:
    """An answer to a question about the whole picture."""
    chosen: list[Json] = [*names]
    return {
        "id": name, "type": "choices", "from_name": control, "to_name": "image",
        "value": {"choices": chosen},
    }  # fmt: skip


_NUMBERS = count(1)


def answer(
    *result: Mapping[str, Json],
    by: str = "ann",
    at: int = 0,
    skipped: bool = False,
    ground_truth: bool = False,
) -> Annotation:
    """Somebody's answer, made `at` seconds after the first."""
    moment = datetime(2026, 11, 21, 14, 0, at, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Annotation(
        unique_id=f"{by}-{at}-{next(_NUMBERS)}",
        annotator=f"{by}@example.org",
        round="cheese",
        created_at=moment,
        updated_at=moment,
        ontology_digest="0" * 64,
        skipped=skipped,
        ground_truth=ground_truth,
        result=tuple(result),
    )


def picture(key: str, size: tuple[int, int] = SIZE) -> bytes:
    """A picture's bytes, another one for each key."""
    sink = BytesIO()
    shade = sum(key.encode()) % 256
    Image.new("RGB", size, (shade, 90, 30)).save(sink, "PNG")
    return sink.getvalue()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A repository whose main holds what a test put there."""

    context: Context
    lake: FakeLake

    def export(  # each option of the command, as a test names it
        self,
        out: Path,
        form: Format,
        *,
        ref: str = "main",
        media: MediaMode = MediaMode.URI,
        policy: Policy | None = None,
        choice: Choice | None = None,
        allow_loss: bool = False,
    ) -> Exported:
        """Export a ref."""
        order = Order(
            format=form,
            media=media,
            policy=policy,
            choice=choice or Choice(),
            allow_loss=allow_loss,
        )
        return export_dataset(self.context, ref, out=out, order=order)

    def put(self, *uploads: Upload) -> None:
        """Put objects on main, around ops."""
        self.lake.create_branch("by-hand", "main")
        self.lake.write_many("by-hand", uploads)
        self.lake.commit("by-hand", "by hand", {})
        self.lake.merge("by-hand", "main", "by hand", {})
        self.lake.delete_branch("by-hand")


def scene(
    answers: Mapping[str, Sequence[Annotation]],
    *,
    config: str = CONFIG,
    unlabeled: Sequence[str] = (),
    held: Sequence[str] = (),
    sized: bool = True,
    packed: bool = True,
    pictures: Mapping[str, bytes] | None = None,
    size: tuple[int, int] = SIZE,
) -> Scene:
    """A repository with a record for each key in `answers` and pictures for the others, too.

    Args:
        answers: by key.
        config: the label config.
        unlabeled: keys of pictures without a record.
        held: keys of quarantined tasks.
        sized: the records say how large the pictures are.
        packed: there is a snapshot of the records.
        pictures: the pictures' bytes; drawn where there are none.
        size: of all pictures.
    """
    server = FakeLakeServer()
    lake = FakeLake("dataset", server=server)
    ids = count(1)
    context = Context(
        lake=lake,
        studio=FakeStudio(lambda: datetime(2026, 11, 21, tzinfo=UTC)),
        reporter=QuietReporter(),
        actor="lena@example.org",
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        new_id=lambda: f"{next(ids):032x}",
        tool_version="1",
        media=MediaAccess(access_key_id="key", secret_access_key="secret"),  # noqa: S106
        open_gateway=lambda: FakeGateway(lake),
    )
    init_repository(context, label_config=config, namespace="mem://dataset")
    made = Scene(context=context, lake=lake)
    drawn = pictures or {key: picture(key, size) for key in [*answers, *unlabeled]}
    uploads: list[Upload] = []
    records: dict[str, bytes] = {}
    for key in [*answers, *unlabeled]:
        data = drawn[key]
        uploads.append(Upload(path=media_path(TaskKey(key)), data=data, content_type="image/png"))
    for key, given in answers.items():
        task = Task(key=TaskKey(key), media=media(key, drawn[key], size))
        task = task if sized else replace(task, media=replace(task.media, width=None, height=None))
        record = Record(task=task, annotations=tuple(given), quarantined=key in held)
        records[record_path(TaskKey(key))] = encode_record(record)
    uploads += [Upload(path=path, data=data) for path, data in records.items()]
    made.put(*uploads, *(_snapshot(records) if packed else ()))
    return made


def _snapshot(records: Mapping[str, bytes]) -> Sequence[Upload]:
    tasks, annotations = BytesIO(), BytesIO()
    ordered = sorted(records.items(), key=lambda pair: record_key(pair[0]))
    write_snapshot(ordered, tasks=tasks, annotations=annotations)
    return (
        Upload(path=TASKS_PARQUET, data=tasks.getvalue()),
        Upload(path=ANNOTATIONS_PARQUET, data=annotations.getvalue()),
    )


def media(key: str, data: bytes, size: tuple[int, int] = SIZE) -> Media:
    """What a record says of a picture."""
    return Media(
        path=media_path(TaskKey(key)),
        checksum=record_checksum(data),
        size_bytes=len(data),
        width=size[0],
        height=size[1],
    )


def five_states(**more: Sequence[Annotation]) -> Scene:
    """A commit with tasks in each state, in different numbers: 2, 1, 3, 4 and 1."""
    answers: dict[str, Sequence[Annotation]] = {
        "a/l0.png": [answer(box("brie", (10, 20, 50, 60)))],
        "a/l1.png": [answer(box("gouda", (1, 2, 3.5, 4)), choice("light", "day"))],
        "e0.png": [answer()],
        "s0.png": [answer(skipped=True)],
        "s1.png": [answer(box("brie", (0, 0, 5, 5)), skipped=True)],
        "s2.png": [answer(skipped=True)],
        "u0.png": [],
        "q0.png": [answer(box("brie", (0, 0, 5, 5)))],
        **more,
    }
    return scene(answers, unlabeled=["u1.png", "u2.png", "ü 3%.png"], held=["q0.png"])


FIVE = {"labeled": 2, "empty": 1, "skipped": 3, "unfinished": 4, "quarantined": 1}


def states_of(out: Path) -> Mapping[str, int]:
    """The five counts as `states.csv` tells them."""
    return dict(Counter(row["state"] for row in rows_of(out / "states.csv")))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(StringIO(path.read_text("utf-8"))))


def json_of(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """A JSON file's value."""
    return json.loads(path.read_text("utf-8"))


def bytes_of(out: Path) -> Mapping[str, bytes]:
    """Every file's bytes, by path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


Edges = tuple[str, str, str, str, str]
"""A class, then xmin, ymin, xmax and ymax as a document's text says them."""


def bccd() -> Path:
    """The folder of real blood cells with `images` and `voc`; skips loudly where it is absent."""
    beside = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("OPS_TEST_DATA", beside)) / "bccd"
    if not folder.is_dir():
        missing(f"NO BCCD: {folder} is not there; name its parent with OPS_TEST_DATA")
    return folder


def voc_boxes(path: Path) -> list[Edges]:
    """The class and edges of each object in a VOC document, in its order."""

    def text(thing: "ET.Element[str]", tag: str) -> str:
        return thing.findtext(tag, "").strip()

    return [
        (
            text(thing, "name"),
            text(thing, "bndbox/xmin"),
            text(thing, "bndbox/ymin"),
            text(thing, "bndbox/xmax"),
            text(thing, "bndbox/ymax"),
        )
        for thing in ET.parse(path).getroot().iter("object")  # noqa: S314 - test data
    ]
