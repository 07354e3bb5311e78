"""The one byte form of records, and the strict way back.

Equal labels are equal bytes, so lakeFS shows a change exactly where somebody changed a label. Owns
what a record's document holds and in which order (docs/adr/0003-canonical-records.md); how JSON is
laid out is encoding.py's business, what a record means records.py's, where it comes from
exports.py's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias, TypeVar

from ops.core.documents import Fields, Source, parse
from ops.core.encoding import canonical_object, encode
from ops.core.names import media_path
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey
from ops.core.regions import said

SCHEMA = "ops.record/1"
_Place: TypeAlias = tuple[int, str, str, str]
_Region = TypeVar("_Region", bound=Mapping[str, Json])

_RECORD_FIELDS = frozenset({"schema", "state", "task", "annotations", "quarantined"})
_TASK_FIELDS = frozenset({"key", "media", "data"})
_MEDIA_FIELDS = frozenset({"path", "checksum", "size_bytes", "sha256", "width", "height"})
_ANNOTATION_FIELDS = frozenset(
    {
        *("unique_id", "annotator", "updated_by", "round", "created_at", "updated_at"),
        *("lead_time_s", "skipped", "ground_truth", "ontology_digest", "origins", "prediction"),
        "result",
    }
)


def normalise(annotation: Annotation) -> Annotation:
    """The annotation in the form its bytes have; repeatable.

    Numbers in one form; regions ordered by `(id, from_name, type)`, relations last by
    `(from_id, to_id)`; origins name only regions that are there and that no person drew, since a
    region without origin is a person's.
    """
    result = _ordered(annotation.result)
    ids = region_ids(result)
    origins = {
        region: origin
        for region, origin in sorted(annotation.origins.items())
        if region in ids and origin is not Origin.HUMAN
    }
    prediction = annotation.prediction
    return replace(
        annotation,
        result=tuple(canonical_object(region) for region in result),
        origins=origins,
        prediction=None if prediction is None else canonical_object(prediction),
    )


def normalise_record(record: Record) -> Record:
    """The record with each annotation normalised, by `created_at`, then `unique_id`; repeatable."""
    return replace(
        record,
        task=replace(record.task, data=canonical_object(record.task.data)),
        annotations=tuple(normalise(annotation) for annotation in _by_age(record.annotations)),
    )


def _by_age(annotations: Iterable[Annotation]) -> list[Annotation]:
    return sorted(annotations, key=lambda one: (one.created_at, one.unique_id))


def _ordered(result: Iterable[_Region]) -> list[_Region]:
    regions = sorted(result, key=_place)
    if any(_place(one) == _place(two) for one, two in pairwise(regions)):
        # Encoding each region for the order costs as much as encoding the record: only for twins.
        regions.sort(key=lambda region: (_place(region), encode(dict(region))))
    return regions


def _place(region: Mapping[str, Json]) -> _Place:
    if "id" in region:
        return (0, str(region["id"]), str(region.get("from_name")), str(region.get("type")))
    return (1, str(region.get("from_id")), str(region.get("to_id")), str(region.get("type")))


def content(annotation: Annotation) -> bytes:
    """What the person said: result, skipped, ground truth; equal bytes mean nothing was changed.

    What the editor adds by itself (regions.said) is left out.
    """
    return encode(
        {
            "ground_truth": annotation.ground_truth,
            "result": [*_ordered(said(annotation.result))],
            "skipped": annotation.skipped,
        }
    )


def region_ids(result: Iterable[Mapping[str, Json]]) -> frozenset[str]:
    """The ids of the regions; relations have none, and entries of one region share one."""
    return frozenset(name for region in result if isinstance(name := region.get("id"), str))


def encode_record(record: Record) -> bytes:
    """A record's canonical bytes, whatever the order of annotations, regions and fields in it.

    Raises:
        InvalidDataError: as encode.
    """
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "state": record.state.value,
        "task": _task_document(record.task),
        "annotations": [_annotation_document(one) for one in _by_age(record.annotations)],
    }
    if record.quarantined:
        document["quarantined"] = True
    return encode(document)


def _task_document(task: Task) -> dict[str, Json]:
    media: dict[str, Json] = {
        "path": task.media.path,
        "checksum": task.media.checksum,
        "size_bytes": task.media.size_bytes,
        "sha256": task.media.sha256,
        "width": task.media.width,
        "height": task.media.height,
    }
    document: dict[str, Json] = {"key": task.key, "media": _stated(media)}
    if task.data:
        document["data"] = dict(task.data)
    return document


def _annotation_document(annotation: Annotation) -> dict[str, Json]:
    one = normalise(annotation)
    return _stated(
        {
            "unique_id": one.unique_id,
            "annotator": one.annotator,
            "updated_by": one.updated_by,
            "round": one.round,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "lead_time_s": one.lead_time_s,
            "skipped": one.skipped,
            "ground_truth": one.ground_truth,
            "ontology_digest": one.ontology_digest,
            "origins": {region: origin.value for region, origin in one.origins.items()} or None,
            "prediction": None if one.prediction is None else dict(one.prediction),
            "result": [dict(region) for region in one.result],
        }
    )


def _stated(document: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in document.items() if value is not None}


def decode_record(data: bytes, *, key: TaskKey | None = None) -> Record:
    """The record some bytes state, normalised; the layout of the JSON is free, its meaning is not.

    Args:
        data: the bytes of `annotations/<key>.json`.
        key: the key the object's path says; the record must say the same.

    Raises:
        InvalidDataError: not a record of this schema; the message and `where` name the place, as
            `annotations[2].skipped`.
    """
    source = Source(
        code="record-invalid",
        noun="record",
        subject=key,
        hint="look at the object in lakeFS and restore it from a version that reads:"
        " ops dataset log",
    )
    document = Fields.of(parse(data, source), "", source)
    if document.text("schema") != SCHEMA:
        document.refuse("schema", f"is {document.text('schema')!r}; this version reads {SCHEMA!r}")
    document.only(_RECORD_FIELDS)
    record = Record(
        task=_decode_task(document.fields("task")),
        annotations=_decode_annotations(document),
        quarantined="quarantined" in document.values and document.boolean("quarantined"),
    )
    if key is not None and record.task.key != key:
        document.refuse("task.key", f"is {record.task.key!r}, the object's path says {key!r}")
    if document.text("state") != record.state.value:
        said = document.text("state")
        document.refuse("state", f"says {said!r}, the annotations say {record.state.value!r}")
    return normalise_record(record)


def _decode_task(task: Fields) -> Task:
    task.only(_TASK_FIELDS)
    media = task.fields("media")
    media.only(_MEDIA_FIELDS)
    key = TaskKey(task.text("key"))
    if media.text("path") != media_path(key):
        media.refuse("path", f"is {media.text('path')!r}, the key says {media_path(key)!r}")
    return Task(
        key=key,
        media=Media(
            path=media.text("path"),
            checksum=media.text("checksum"),
            size_bytes=media.integer("size_bytes"),
            sha256=media.text("sha256") if "sha256" in media.values else None,
            width=media.integer("width") if "width" in media.values else None,
            height=media.integer("height") if "height" in media.values else None,
        ),
        data=task.mapping("data") if "data" in task.values else {},
    )


def _decode_annotations(document: Fields) -> tuple[Annotation, ...]:
    items = document.items("annotations")
    seen: set[str] = set()
    for item in items:
        if item.text("unique_id") in seen:
            item.refuse("unique_id", f"is {item.text('unique_id')!r}, which is there already")
        seen.add(item.text("unique_id"))
    return tuple(_decode_annotation(item) for item in items)


def _decode_annotation(item: Fields) -> Annotation:
    item.only(_ANNOTATION_FIELDS)
    result = tuple(region.values for region in item.items("result"))
    return Annotation(
        unique_id=item.text("unique_id"),
        annotator=item.text("annotator"),
        updated_by=item.text("updated_by") if "updated_by" in item.values else None,
        round=item.text("round"),
        created_at=item.timestamp("created_at"),
        updated_at=item.timestamp("updated_at"),
        lead_time_s=item.number("lead_time_s") if "lead_time_s" in item.values else None,
        skipped=item.boolean("skipped"),
        ground_truth=item.boolean("ground_truth"),
        ontology_digest=item.text("ontology_digest"),
        origins=_decode_origins(item, result),
        prediction=item.mapping("prediction") if "prediction" in item.values else None,
        result=result,
    )


def _decode_origins(item: Fields, result: tuple[Mapping[str, Json], ...]) -> dict[str, Origin]:
    if "origins" not in item.values:
        return {}
    origins = item.fields("origins")
    ids = region_ids(result)
    for region in origins.values:
        if region not in ids:
            origins.refuse(region, "names no region of the result")
        if origins.text(region) not in set(Origin):
            origins.refuse(region, f"is {origins.text(region)!r}, which is no origin")
    return {region: Origin(origins.text(region)) for region in origins.values}
