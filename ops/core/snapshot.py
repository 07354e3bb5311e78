"""A snapshot's rows, digest and figures: all records at one ref, packed for those who train.

Owns the columns (docs/reference/snapshot.md) and what goes into them. Does not write Parquet
(ops/parquet.py) and does not read a repository. Empty and skipped tasks have a row among the tasks
and none among the regions.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from ops.core.canonical import decode_record
from ops.core.card import LabelCount
from ops.core.classes import Said
from ops.core.encoding import canonical_object
from ops.core.names import record_key
from ops.core.records import Annotation, Counts, Json, Origin, Record, TaskKey, TaskState
from ops.core.regions import is_relation, label_field, labels, value_of
from ops.errors import InternalError

_GEOMETRY = ("x", "y", "width", "height", "rotation")


class TaskColumns(TypedDict):
    """One row of `snapshot/tasks.parquet`: a task.

    Annotators and labels are distinct and sorted. What was said in skipped annotations is neither
    counted as regions nor listed as labels.
    """

    key: str
    media_path: str
    media_checksum: str
    media_sha256: str | None
    width: int | None
    height: int | None
    size_bytes: int
    state: str
    annotators: list[str]
    annotation_count: int
    region_count: int
    labels: list[str]
    record: str
    record_sha256: str
    record_checksum: str


class RegionColumns(TypedDict):
    """One row of `snapshot/annotations.parquet`: a region, or a relation between two.

    Geometry is in percent of the image, null where the control has none. `value` is JSON of what
    of the region's value (or of the relation) no other column says, null where that is nothing.
    """

    key: str
    unique_id: str
    annotator: str
    round: str
    ground_truth: bool
    skipped: bool
    region_id: str | None
    from_name: str | None
    to_name: str | None
    type: str | None
    label: str | None
    labels: list[str]
    x: float | None
    y: float | None
    width: float | None
    height: float | None
    rotation: float | None
    points: list[list[float]] | None
    original_width: int | None
    original_height: int | None
    value: str | None
    origin: str
    created_at: datetime
    updated_at: datetime
    ontology_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as it lies in the repository; `checksum` is what lakeFS lists for it."""

    key: TaskKey
    data: bytes
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a snapshot holds, counted.

    Attributes:
        digest: snapshot_digest of all records.
        counts: tasks by state.
        annotation_count: submitted annotations, skipped ones too.
        region_count: regions of annotations that are not skipped.
        labels: by label, in annotations that are not skipped.
        annotators: annotations by annotator, skipped ones too.
        said: every label that any annotation says, skipped ones too.
    """

    digest: str
    counts: Counts
    annotation_count: int
    region_count: int
    labels: Mapping[str, LabelCount]
    annotators: Mapping[str, int]
    said: frozenset[Said] = frozenset()


def record_checksum(data: bytes) -> str:
    """The md5 lakeFS lists for an object of these bytes, in hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def task_columns(record: Record, data: bytes) -> TaskColumns:
    """The row of a task; `data` are the record's canonical bytes."""
    answers = [one for one in record.annotations if not one.skipped]
    regions = [region for one in answers for region in one.result if not is_relation(region)]
    task, media = record.task, record.task.media
    return {
        "key": task.key,
        "media_path": media.path,
        "media_checksum": media.checksum,
        "media_sha256": media.sha256,
        "width": media.width,
        "height": media.height,
        "size_bytes": media.size_bytes,
        "state": record.state.value,
        "annotators": sorted({one.annotator for one in record.annotations}),
        "annotation_count": len(record.annotations),
        "region_count": len(regions),
        "labels": sorted({label for region in regions for label in labels(region)}),
        "record": data.decode(),
        "record_sha256": hashlib.sha256(data).hexdigest(),
        "record_checksum": record_checksum(data),
    }


def region_columns(record: Record) -> Iterator[RegionColumns]:
    """The rows of a task's regions and relations, in the record's order."""
    for annotation in record.annotations:
        for region in annotation.result:
            yield _region_columns(record.task.key, annotation, region)


def _region_columns(
    key: TaskKey, annotation: Annotation, region: Mapping[str, Json]
) -> RegionColumns:
    value, said = value_of(region), labels(region)
    x, y, width, height, rotation = (_number(value.get(name)) for name in _GEOMETRY)
    region_id = _text(region.get("id"))
    return {
        "key": key,
        "unique_id": annotation.unique_id,
        "annotator": annotation.annotator,
        "round": annotation.round,
        "ground_truth": annotation.ground_truth,
        "skipped": annotation.skipped,
        "region_id": region_id,
        "from_name": _text(region.get("from_name")),
        "to_name": _text(region.get("to_name")),
        "type": _text(region.get("type")),
        "label": said[0] if said else None,
        "labels": list(said),
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": rotation,
        "points": _points(value.get("points")),
        "original_width": _whole(region.get("original_width")),
        "original_height": _whole(region.get("original_height")),
        "value": _rest(region),
        "origin": annotation.origins.get(region_id or "", Origin.HUMAN).value,
        "created_at": datetime.fromisoformat(annotation.created_at),
        "updated_at": datetime.fromisoformat(annotation.updated_at),
        "ontology_digest": annotation.ontology_digest,
    }


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Json) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -_TOO_WIDE <= value < _TOO_WIDE else None


_TOO_WIDE = 2**63


def _number(value: Json) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        # A whole number beyond all floats.
        return None


def _points(value: Json) -> list[list[float]] | None:
    """The corners of a polygon; other shapes of points stay in the value."""
    if not isinstance(value, list):
        return None
    points = [[_number(part) for part in one] for one in value if isinstance(one, list)]
    plain = [[part for part in one if part is not None] for one in points]
    return plain if plain == points and len(plain) == len(value) else None


def _rest(region: Mapping[str, Json]) -> str | None:
    """What no other column says: JSON, fields sorted, on one line."""
    if is_relation(region):
        rest = {name: said for name, said in region.items() if name != "type"}
    else:
        field = label_field(region)
        rest = {
            name: said
            for name, said in value_of(region).items()
            if not (
                (name in _GEOMETRY and _number(said) is not None)
                or (name == "points" and _points(said) is not None)
                or (name == field and said and _is_texts(said))
            )
        }
    if not rest:
        return None
    return json.dumps(canonical_object(rest), ensure_ascii=False, separators=(",", ":"))


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


class Tally:
    """Counts records one by one; memory grows by a line a task, 100 bytes or so."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._states: list[TaskState] = []
        self._annotators: Counter[str] = Counter()
        self._regions: Counter[str] = Counter()
        self._tasks: Counter[str] = Counter()
        self._said: set[Said] = set()
        self._annotation_count = 0
        self._region_count = 0

    def add(self, record: Record, row: TaskColumns) -> None:
        """Count one task in."""
        self._lines.append((row["key"], row["record_sha256"]))
        self._states.append(record.state)
        self._annotators.update(one.annotator for one in record.annotations)
        self._annotation_count += row["annotation_count"]
        self._region_count += row["region_count"]
        self._tasks.update(row["labels"])
        answers = (one for one in record.annotations if not one.skipped)
        regions = (region for one in answers for region in one.result if not is_relation(region))
        self._regions.update(label for region in regions for label in labels(region))
        self._said.update(said_labels(record))

    def figures(self) -> Figures:
        """What was counted so far."""
        return Figures(
            digest=snapshot_digest(self._lines),
            counts=Counts.of(self._states),
            annotation_count=self._annotation_count,
            region_count=self._region_count,
            labels={
                label: LabelCount(regions=count, tasks=self._tasks[label])
                for label, count in sorted(self._regions.items())
            },
            annotators=dict(sorted(self._annotators.items())),
            said=frozenset(self._said),
        )


def said_labels(record: Record) -> Iterator[Said]:
    """The labels a record's regions say, each as often as it is said; relations say none."""
    for annotation in record.annotations:
        for region in annotation.result:
            if not is_relation(region):
                control, kind = str(region.get("from_name")), str(region.get("type"))
                for name in labels(region):
                    yield Said(control=control, type=kind, name=name)


def snapshot_digest(lines: Iterable[tuple[str, str]]) -> str:
    """The digest of `(key, sha256 of the record's bytes)` pairs, whatever their order.

    sha256, in hexadecimal, over a line a task, sorted by key (code points): the key, a tab, the
    record's sha256, a newline.
    """
    text = "".join(f"{key}\t{sha256}\n" for key, sha256 in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()


def listing_digest(checksums: Mapping[str, str]) -> str:
    """The digest of records as lakeFS lists them: checksum by path.

    sha256, in hexadecimal, over a line a record, sorted by path (code points): the path, a tab, the
    checksum, a newline. It says no more than the snapshot's digest, and needs no record to be read:
    the gate inside lakeFS can hold any number of records against it.
    """
    text = "".join(f"{path}\t{checksum}\n" for path, checksum in sorted(checksums.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def read_in_order(records: Iterable[tuple[str, bytes]]) -> Iterator[tuple[Record, bytes]]:
    """Records decoded from `(path, bytes)`, which must come in the order of their keys.

    A listing's order is not enough: of `a` and `a-b`, `a-b.json` is listed first.

    Raises:
        InternalError: a key comes before its predecessor, or twice.
        InvalidDataError: the bytes are no record of that key.
    """
    before = ""
    for path, data in records:
        key = record_key(path)
        if key <= before:
            raise InternalError(
                "snapshot-order",
                f"the record of {key!r} comes after that of {before!r}",
                subject=key,
                unchanged="nothing was written",
                hint="report this: it is a bug of ops",
            )
        before = key
        yield decode_record(data, key=key), data
