"""The files a model's predictions come in, on this machine's disk.

Owns opening them, telling a folder from a file, and the names of YOLO's classes. What is in them is
ops/core/prediction_formats.py's business.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ops.core.importing.yolo import class_names, yaml_names
from ops.core.prediction_formats import (
    ClassName,
    PredictionFormat,
    Stated,
    detect,
    read_coco,
    read_label_studio,
    read_lines,
    read_yolo,
)
from ops.core.predictions import ModelVersion
from ops.errors import UsageError
from ops.given import read_given

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFile:
    """A file, or a folder of YOLO texts, held in memory.

    Attributes:
        texts: what is in it, by path below it; a file's own name for a file.
        truth: the COCO document the ids of COCO results are of.
        names: YOLO's class names, where they are not the version's own.
    """

    path: Path
    format: PredictionFormat
    texts: Mapping[str, bytes] = field(repr=False)
    truth: bytes | None = field(default=None, repr=False)
    names: tuple[str, ...] | None = None

    @property
    def sha256(self) -> str:
        """The digest of a file's bytes; of a folder, of its texts' names and digests."""
        if self.format is not PredictionFormat.YOLO:
            [data] = self.texts.values()
            return hashlib.sha256(data).hexdigest()
        lines = (f"{n}\t{hashlib.sha256(d).hexdigest()}\n" for n, d in sorted(self.texts.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def read(self, of: ModelVersion, class_name: ClassName) -> Iterator[Stated]:
        """What it says, in its order.

        Args:
            of: whose predictions are meant, where the file holds several models'.
            class_name: the dataset's own name of a class id.

        Raises:
            InvalidDataError: it is not of its format.
        """
        if self.names is not None:
            class_name = by_number(self.names)
        if self.format is PredictionFormat.YOLO:
            yield from read_yolo(self.texts, class_name=class_name)
            return
        [data] = self.texts.values()
        name = self.path.name
        match self.format:
            case PredictionFormat.COCO:
                yield from read_coco(data, name, truth=self.truth, class_name=class_name)
            case PredictionFormat.LABEL_STUDIO:
                yield from read_label_studio(data, name, versions=(str(of), of.version, of.model))
            case _:
                yield from read_lines(data, name)


def by_number(names: Sequence[str]) -> ClassName:
    """The name of a class by its place among them."""
    return lambda number: names[number] if 0 <= number < len(names) else None


def open_predictions(
    path: Path,
    *,
    format_: PredictionFormat = PredictionFormat.AUTO,
    coco: Path | None = None,
    names: Path | None = None,
) -> PredictionFile:
    """A file of predictions with its format told.

    Args:
        path: a file, or a folder of YOLO texts.
        format_: how it is written; AUTO to tell by what it begins with.
        coco: the COCO document the ids of COCO results are of.
        names: a data.yaml or a text with a class name a line, for YOLO.

    Raises:
        NotFoundError: one of the paths cannot be read.
        InvalidDataError: it is empty, or of no known format.
        UsageError: a folder is said to be another format than YOLO, or a file to be YOLO.
    """
    if path.is_dir() != (format_ is PredictionFormat.YOLO) and format_ is not PredictionFormat.AUTO:
        _refuse_kind(path)
    if path.is_dir():
        found = sorted(one for one in path.rglob("*.txt") if one.name != "classes.txt")
        texts = {one.relative_to(path).as_posix(): _read(one) for one in found}
        inside = next((one for one in _names_files(path) if one.is_file()), None)
        given = names or inside
        return PredictionFile(
            path=path,
            format=PredictionFormat.YOLO,
            texts=texts,
            names=read_names(given) if given else None,
        )
    data = _read(path).removeprefix(_BYTE_ORDER_MARK)
    told = detect(data, path.name)
    return PredictionFile(
        path=path,
        format=told if format_ is PredictionFormat.AUTO else format_,
        texts={path.name: data},
        truth=_read(coco) if coco else None,
    )


def _names_files(folder: Path) -> Iterator[Path]:
    yield folder / "classes.txt"
    yield folder.parent / "classes.txt"


def read_names(path: Path) -> tuple[str, ...]:
    """The class names in a data.yaml, or in a text with a name a line.

    Raises:
        NotFoundError: it cannot be read.
        InvalidDataError: it names no classes.
    """
    data = _read(path)
    if path.suffix in {".yaml", ".yml"}:
        return tuple(yaml_names(path.name, data)[0])
    return tuple(class_names(path.name, data))


def _read(path: Path) -> bytes:
    return read_given(path, code="no-prediction-file", hint="check the path")


def _refuse_kind(path: Path) -> NoReturn:
    raise UsageError(
        "format-of-folder",
        "YOLO's predictions are a folder of .txt files, and only they are",
        subject=str(path),
        unchanged="nothing was read or written",
        hint="leave --format away, or name the folder",
    )
