"""Label files on disk: which there are, read by their format's reader.

Owns what belongs to an import among the files of a folder. Does not know what they say
(ops/core/importing), nor which pictures a repository has.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ops.core.importing.coco import read_coco
from ops.core.importing.folders import read_folders
from ops.core.importing.formats import LabelFormat
from ops.core.importing.label_studio import read_label_studio
from ops.core.importing.min_rows import read_json_min
from ops.core.importing.neutral import Reading, joined
from ops.core.importing.rows import Columns, read_csv
from ops.core.importing.voc import read_voc
from ops.core.importing.yolo import class_names, read_yolo, yaml_names
from ops.core.ontology import Ontology
from ops.errors import NotFoundError
from ops.given import read_given
from ops.media import MediaFile, find_files

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
"""Endings of files that are pictures, for formats that say nothing but by a file's place."""

_MEDIA_FIELD = "image"
_YAMLS = (".yaml", ".yml")
_NAMES = ("classes.txt", "obj.names", "labels.txt")
_LABELS = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The label files somebody gives, and how they are to be read.

    Attributes:
        format: theirs.
        path: the file, or the folder they lie in.
        names: the file that names a YOLO folder's classes; None: looked for in the folder.
        columns: of a CSV file.
        encoding: of a CSV file; UTF-8 where None.
        empty: pictures a COCO or CSV file lists without a label were looked at: nothing is there.
    """

    format: LabelFormat
    path: Path
    names: Path | None = None
    columns: Columns = field(default_factory=Columns)
    encoding: str | None = None
    empty: bool = False


def read_labels(given: Given, ontology: Ontology | None) -> Reading:
    """What label files say; all of it in memory.

    Raises:
        NotFoundError: there is no such file, or none of the format in the folder.
        InvalidDataError: a file is none of the format, or holds what cannot be.
    """
    if not given.path.exists():
        _refuse_missing(given.path, "there is no file or folder", "check the path")
    name, media_field = given.path.name, ontology.media_field if ontology else _MEDIA_FIELD
    match given.format:
        case LabelFormat.COCO:
            reading = read_coco(name, _bytes(given.path), empty=given.empty)
        case LabelFormat.YOLO:
            reading = _yolo(given)
        case LabelFormat.VOC:
            reading = _voc(given.path)
        case LabelFormat.CSV:
            reading = read_csv(
                name,
                _bytes(given.path),
                ontology,
                columns=given.columns,
                encoding=given.encoding,
                empty=given.empty,
            )
        case LabelFormat.JSON_MIN:
            reading = read_json_min(name, _bytes(given.path), ontology)
        case LabelFormat.LABEL_STUDIO:
            reading = read_label_studio(name, _bytes(given.path), media_field=media_field)
        case LabelFormat.FOLDERS:
            reading = read_folders(file.key for file in pictures_in(given.path))
    return reading


def pictures_in(folder: Path, prefix: str = "") -> Iterator[MediaFile]:
    """The pictures at or below a folder, by the ending of their name; hidden ones left out.

    Raises:
        NotFoundError: there is no such folder.
    """
    for file in find_files([folder], prefix):
        if file.path.suffix.lower() in PICTURES:
            yield file


def _voc(path: Path) -> Reading:
    files = _files(path, lambda file: file.path.suffix.lower() == ".xml")
    if not files:
        _refuse_missing(path, "there is no XML file below", "name the folder of the annotations")
    return joined(read_voc(file.key, file.path.read_bytes()) for file in files)


def _yolo(given: Given) -> Reading:
    folder = given.path if given.path.is_dir() else given.path.parent
    names_file = given.names or (given.path if given.path.is_file() else _names_file(folder))
    if names_file.suffix.lower() in _YAMLS:
        names, keypoints = yaml_names(names_file.name, _bytes(names_file))
    else:
        names, keypoints = class_names(names_file.name, _bytes(names_file)), False
    texts = _files(folder, lambda file: file.path.suffix.lower() == ".txt")
    own = {names_file.resolve()}
    labels = [file for file in texts if _LABELS in Path(file.key).parts[:-1]]
    labels = labels or [file for file in texts if file.path.name not in _NAMES]
    labels = [file for file in labels if file.path.resolve() not in own]
    if not labels:
        _refuse_missing(
            folder, "there is no label file (*.txt) below", "name the data set's folder"
        )
    return joined(
        read_yolo(file.key, file.path.read_bytes(), names, keypoints=keypoints) for file in labels
    )


def _names_file(folder: Path) -> Path:
    """The file that names a YOLO folder's classes."""
    yamls = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _YAMLS]
    plain = [place / name for place in (folder, folder / _LABELS) for name in _NAMES]
    found = [path for path in [*yamls, *plain] if path.is_file()]
    if not found:
        _refuse_missing(
            folder, "no data.yaml and no classes.txt names the classes of", "name it: --names FILE"
        )
    return found[0]


def _files(path: Path, wanted: Callable[[MediaFile], bool]) -> Sequence[MediaFile]:
    return [file for file in find_files([path]) if wanted(file)]


def _bytes(path: Path) -> bytes:
    return read_given(
        path,
        code="no-label-file",
        hint="name the label file itself; see which there are: ops import --help",
    )


def _refuse_missing(path: Path, problem: str, hint: str) -> NoReturn:
    raise NotFoundError(
        "no-label-file",
        f"{problem} {path}",
        subject=str(path),
        unchanged="nothing was written",
        hint=f"{hint}; formats: ops import --help",
    )
