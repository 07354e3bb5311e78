"""Exports as a Hugging Face dataset: the one place that imports `datasets`.

Owns the features and the folder's layout, one that `datasets.load_dataset` reads without being told
anything: `README.md` and a Parquet file a part. Parquet itself is ops/parquet.py's. A row is one
answer to one task; boxes are in pixels, as COCO has them, and `result` holds all that was said.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

from ops.core.classes import Kind
from ops.core.exporting.files import ExportTask, Losses, Piece, Plan
from ops.core.exporting.marks import Mark, Shape, extent, read_result
from ops.core.exporting.words import MediaMode
from ops.core.ontology import Control
from ops.core.records import Annotation, Json, TaskKey
from ops.errors import ConfigurationError, UsageError
from ops.parquet import TableStream

ReadPictures = Callable[[Sequence[TaskKey]], Iterable[bytes]]
"""Gives the pictures of some tasks, in their order."""

_TRAIN = "train"
"""What Hugging Face calls the part of a dataset that has no parts."""
_A_GROUP = 64
_SPLIT = re.compile(r"\w+(\.\w+)*", re.ASCII)
_UNBOXED = frozenset({Shape.OTHER, Shape.BRUSH})
_COLUMNS = ("key", "state", "annotator", "width", "height", "picture", "image", "objects", "result")


class HuggingFace:
    """Writes a Hugging Face dataset."""

    needs_sizes = True
    is_one_answer = False

    def __init__(self, plan: Plan, *, read: ReadPictures) -> None:
        """Nothing is written yet.

        Args:
            plan: of the export.
            read: for pictures that are put into the files.

        Raises:
            ConfigurationError: `datasets` is not installed.
            UsageError: pictures cannot be linked to from within a file; or a part has a name that
                Hugging Face does not take.
        """
        _check(plan)
        self.losses = Losses()
        self._plan = plan
        self._read = read
        self._questions = {_column(one): one for one in _questions(plan)}
        self._waiting: list[ExportTask] = []
        schema = _features(plan, self._questions).arrow_schema
        self._streams = {
            part: TableStream(schema, group=_A_GROUP) for part in plan.parts or (_TRAIN,)
        }

    def picture_path(self, task: ExportTask) -> str | None:
        """Pictures are in the Parquet files."""
        return None if task.chosen.exported_as is None else _path(task.part or _TRAIN)

    def begin(self) -> Iterator[Piece]:
        """`README.md`: which file is which part."""
        files = "".join(f"  - split: {part}\n    path: {_path(part)}\n" for part in self._streams)
        text = f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n"
        text += f"# {self._plan.repository}\n\nCommit `{self._plan.commit}`.\n"
        yield Piece("README.md", text.encode())

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """A row for each exported answer, some tasks later."""
        if task.chosen.exported_as is not None:
            self._waiting.append(task)
        if len(self._waiting) == _A_GROUP:
            yield from self._written()

    def end(self) -> Iterator[Piece]:
        """The rows that are left, and the ends of the files."""
        yield from self._written()
        for part, stream in self._streams.items():
            yield Piece(_path(part), stream.close())

    def _written(self) -> Iterator[Piece]:
        tasks, self._waiting = self._waiting, []
        is_copied = self._plan.media is MediaMode.COPY
        there = [task.key for task in tasks if task.has_picture and is_copied]
        pictures = dict(zip(there, self._read(there), strict=True))
        for task in tasks:
            data = pictures.get(task.key)
            image = None if data is None else {"bytes": data, "path": task.key}
            part = task.part or _TRAIN
            for answer in task.chosen.answers:
                row = {**self._row(task, answer), "image": image}
                yield Piece(_path(part), self._streams[part].write(row))

    def _row(self, task: ExportTask, answer: Annotation) -> dict[str, object]:
        width, height = task.size or (0, 0)
        reading = read_result(answer.result)
        boxes: list[list[float]] = []
        categories: list[int] = []
        regions: list[str] = []
        for mark in reading.marks:
            for category in self._categories(mark):
                boxes.append([float(one) for one in extent(mark.box((width, height)))])
                categories.append(category)
                regions.append(mark.region_id)
        said: dict[str, list[int]] = {name: [] for name in self._questions}
        for one in reading.answers:
            ids = (self._plan.class_id(one.control, name) for name in one.labels)
            known = [number for number in ids if number is not None]
            for column, control in self._questions.items():
                if control.name == one.control:
                    said[column] += known
        result: list[Json] = [dict(region) for region in answer.result]
        return {
            "key": task.key,
            "state": "labeled" if answer.result else "empty",
            "annotator": answer.annotator,
            "width": width,
            "height": height,
            "picture": self._plan.address(task.key),
            "objects": {"bbox": boxes, "category": categories, "region": regions},
            "result": json.dumps(result, ensure_ascii=False, separators=(",", ":")),
            **said,
        }

    def _categories(self, mark: Mark) -> Sequence[int]:
        """The classes of a region that has a box; what has none is in `result` alone."""
        ids = [self._plan.class_id(*label) for label in mark.labels]
        known = [number for number in ids if number is not None]
        if mark.shape in _UNBOXED or not known:
            self.losses.rewrite("regions without a box or a class, in `result` alone")
            return ()
        if mark.shape is not Shape.BOX:
            self.losses.rewrite(f"outlines of {mark.shape.value}s, in `result` alone")
        return known


def _check(plan: Plan) -> None:
    """Refuse what no Hugging Face dataset can be.

    Raises:
        UsageError: it is so.
    """
    if plan.media is MediaMode.LINK:
        raise UsageError(
            "media-mode",
            "a Hugging Face dataset cannot link to pictures: they are in its files or not at all",
            unchanged="nothing was written",
            hint="--media copy puts them in, --media uri says where they are",
        )
    odd = [part for part in plan.parts if not _SPLIT.fullmatch(part)]
    if odd:
        raise UsageError(
            "part-name",
            f"Hugging Face takes no part named {odd[0]!r}",
            subject=odd[0],
            unchanged="nothing was written",
            hint="make a split whose parts have names of letters, digits and _: ops dataset split",
        )


def _path(part: str) -> str:
    return f"data/{part}{_ENDING}"


def _part(name: str) -> str:
    """The inverse of _path, of the file's name alone."""
    return name.removesuffix(_ENDING)


_ENDING = "-00000-of-00001.parquet"


def _questions(plan: Plan) -> Iterator[Control]:
    asked = {one.control for one in plan.classes.listed if one.kind is Kind.ANSWERS}
    return (one for one in plan.ontology.controls if one.name in asked)


def _column(control: Control) -> str:
    return f"answer_{control.name}" if control.name in _COLUMNS else control.name


def _features(plan: Plan, questions: Mapping[str, Control]) -> "_Features":
    hub = _datasets()
    text, whole, number = hub.Value("string"), hub.Value("int64"), hub.Value("float64")
    features = {
        "key": text,
        "state": text,
        "annotator": text,
        "width": whole,
        "height": whole,
        **({"picture": text} if plan.media is MediaMode.URI else {}),
        **({"image": hub.Image()} if plan.media is MediaMode.COPY else {}),
        "objects": {
            "bbox": hub.List(hub.List(number)),
            "category": hub.List(_label(plan.classes.names())),
            "region": hub.List(text),
        },
        **{
            column: hub.List(_label(plan.classes.answers(control.name)))
            for column, control in questions.items()
        },
        "result": text,
    }
    return cast("_Features", hub.Features(features))


def _label(names: Sequence[str]) -> object:
    """A class by its frozen id, which is its place among the names."""
    hub = _datasets()
    return hub.ClassLabel(names=[*names]) if names else hub.Value("int64")


class _Features:
    """What is used of `datasets.Features`, which ships partial types."""

    arrow_schema: object


def _datasets() -> ModuleType:
    """The library, imported late: it takes a second.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise ConfigurationError(
            "extra-missing",
            "Hugging Face datasets need an extra that is not installed",
            subject="hf",
            unchanged="nothing was written",
            hint="pip install 'labeling-ops[hf]'",
        ) from error
    return cast("ModuleType", datasets)


def load(folder: Path, *, in_memory: bool) -> object:
    """An export in this format as a `datasets.DatasetDict`, a dataset a part.

    Args:
        folder: the export.
        in_memory: nothing of it need be there afterwards; else its files are read when asked for.

    Raises:
        ConfigurationError: `datasets` is not installed.
    """
    hub = _datasets()
    # It copies what it reads into a cache; of what is gone at once nobody needs one.
    cache = folder / "cache" if in_memory else None
    files = {_part(file.name): str(file) for file in sorted((folder / "data").iterdir())}
    return hub.DatasetDict(
        {
            part: hub.Dataset.from_parquet(file, keep_in_memory=in_memory, cache_dir=cache)
            for part, file in files.items()
        }
    )
