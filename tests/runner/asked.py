"""A dataset to ask, and the same facts as plain Python has them, read from the records alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from ops.core.canonical import decode_record
from ops.core.names import MAIN, record_key
from ops.core.records import CommitId, Json, Record, TaskKey, TaskState
from ops.core.regions import labels, value_of
from ops.core.runs import Run, Training, encode_run
from ops.core.selection import Selection
from ops.parquet import Column, write_rows
from ops.ports import StoredObject, Upload
from ops.runner.deposit import deposit
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.fakes.lake import FakeLake
from tests.runner.world import World

TIME = "2026-11-21T14:02:00.000000Z"
SPLIT = {"key": Column.TEXT, "part": Column.TEXT, "group": Column.TEXT}
META = {
    "key": Column.TEXT, "camera": Column.TEXT, "iso": Column.WHOLE, "sharpness": Column.NUMBER,
    "state": Column.TEXT,
}  # fmt: skip
PREDICTED = dict.fromkeys(
    ("key", "model", "version", "score", "label", "labels", "result"), Column.TEXT
) | {"score": Column.NUMBER, "labels": Column.TEXTS}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A region as `labels` has it, with its task; None where the task has none."""

    key: TaskKey
    state: str
    label: str | None
    annotator: str | None
    x: float | None
    skipped: bool | None
    camera: str | None
    iso: int | None


class Asked:
    """A dataset of twelve images: labeled by two people, empty, skipped, and never seen."""

    def __init__(self) -> None:
        """Label it in two rounds, and lay tables beside it."""
        self.world = World(12)
        world = self.world
        start_round(world.context, "first", Selection(limit=8))
        world.label("p000.png", "brie", "gouda")
        world.label("p000.png", "brie", by=world.ben)
        world.label("p001.png", "gouda", by=world.ben)
        world.label("p002.png")
        world.label("p003.png", skipped=True)
        world.label("p004.png", "gouda", skipped=True)
        world.label("p005.png", "brie", "brie", "gouda")
        self._end("first")
        start_round(world.context, "second", Selection(limit=3))
        world.label("p006.png", "gouda")
        world.label("p007.png")
        self._end("second")
        self._deposit("data-join", "metadata/shots.parquet", self.shots, META)
        self._deposit("predict", "predictions/net/1.parquet", self.predicted, PREDICTED)
        self._deposit("split", "splits/a'b.parquet", self.parts, SPLIT)
        self._deposit("split", "splits/fair.parquet", self.parts[:2], SPLIT)
        run = Run(
            id="r1", commit=CommitId("c" * 64), version=2, made_by="ann", made_at=TIME,
            training=Training(model="net", metrics={"map": 0.5}), tool_version="0",
        )  # fmt: skip
        upload = Upload(path="runs/r1.json", data=encode_run(run))
        deposit(world.context, "run", [upload], message="run")

    def _end(self, name: str) -> None:
        sync_round(self.world.context, name)
        finish_round(self.world.context, name, allow_unlabeled=True)

    def _deposit(
        self,
        kind: str,
        path: str,
        rows: Sequence[Mapping[str, object]],
        columns: Mapping[str, Column],
    ) -> None:
        data = write_rows(cast("Sequence[Mapping[str, Json]]", rows), columns)
        deposit(self.world.context, kind, [Upload(path=path, data=data)], message=path)

    @property
    def shots(self) -> Sequence[Mapping[str, object]]:
        """A table of somebody's about some images; a column of it is called as a task's."""
        every = [(n, None, 100 * n, float("nan") if n == 4 else n / 2) for n in range(0, 12, 2)]
        return [
            {"key": f"p{n:03}.png", "camera": camera, "iso": iso, "sharpness": sharpness,
             "state": "kept"}
            for n, camera, iso, sharpness in [*every, (1, "left", 50, None)]
        ]  # fmt: skip

    @property
    def predicted(self) -> Sequence[Mapping[str, object]]:
        """What a model said of three images."""
        return [
            {"key": f"p{n:03}.png", "model": "net", "version": "1", "score": score,
             "label": "brie", "labels": ["brie"], "result": "[]"}
            for n, score in ((0, 0.5), (8, 0.25), (9, None))
        ]  # fmt: skip

    @property
    def parts(self) -> Sequence[Mapping[str, object]]:
        """Which part of a split each image is in."""
        return [
            {"key": f"p{n:03}.png", "part": "train" if n < 9 else "test", "group": str(n)}
            for n in range(12)
        ]

    @cached_property
    def commit(self) -> CommitId:
        """Main's head."""
        return CommitId(str(self.world.lake.find_commit(MAIN)))

    @cached_property
    def keys(self) -> list[TaskKey]:
        """Every image."""
        return [TaskKey(f"p{n:03}.png") for n in range(12)]

    @cached_property
    def records(self) -> Mapping[TaskKey, Record]:
        """Every record, from its own bytes."""
        return {
            record_key(path): decode_record(data, key=record_key(path))
            for path, data in self.world.records().items()
        }

    def state(self, key: TaskKey) -> str:
        """A task's state."""
        return (self.records[key].state if key in self.records else TaskState.UNFINISHED).value

    @cached_property
    def rows(self) -> list[Row]:
        """What `labels` must hold."""
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        shots = {shot["key"]: shot for shot in self.shots}
        for key in self.keys:
            shot = shots.get(key, {})
            found = [
                Row(
                    key=key, state=self.state(key), label=label, annotator=one.annotator,
                    x=float(str(value_of(region)["x"])), skipped=one.skipped,
                    camera=_text(shot.get("camera")), iso=_whole(shot.get("iso")),
                )
                for one in (self.records[key].annotations if key in self.records else ())
                for region in one.result
                for label in labels(region)
            ]  # fmt: skip
            yield from found or [
                Row(
                    key=key, state=self.state(key), label=None, annotator=None, x=None,
                    skipped=None, camera=_text(shot.get("camera")), iso=_whole(shot.get("iso")),
                )
            ]  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


class CountingLake(FakeLake):
    """Notes which objects are read."""

    def __init__(self, world: World) -> None:
        """Connect to the world's lakeFS."""
        super().__init__("dataset", server=world.lake_server)
        self.paths: list[str] = []
        self.listed: list[str] = []

    def read(self, ref: str, path: str) -> bytes | None:
        """The object, noted."""
        self.paths.append(path)
        return super().read(ref, path)

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The objects, noted."""
        named = list(paths)
        self.paths += named
        return super().read_many(ref, named)

    def list_objects(
        self, ref: str, prefix: str = "", *, metadata: bool = False
    ) -> Iterator[StoredObject]:
        """The listing, noted."""
        self.listed.append(prefix)
        return super().list_objects(ref, prefix, metadata=metadata)
