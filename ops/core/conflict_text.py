"""Conflicts in words and as JSON, both answers beside each other.

Owns how a conflict is shown. Does not find conflicts (merge.py) nor settle them (settle.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ops.core.conflicts import (
    AnnotationConflict,
    Conflict,
    DataConflict,
    MediaConflict,
    RecordConflict,
    RegionConflict,
)
from ops.core.encoding import encode
from ops.core.records import Annotation, Json, Media, Record, TaskKey
from ops.core.regions import labels, value_of

_GEOMETRY = ("x", "y", "width", "height", "rotation", "radiusX", "radiusY")


def conflict_lines(key: TaskKey, conflicts: Iterable[Conflict]) -> Iterator[str]:
    """Each disagreement about a task in three lines: what it is about, ours, theirs."""
    for conflict in conflicts:
        for about, ours, theirs in _pairs(conflict):
            yield f"{key}: {about}"
            yield f"  ours    {ours}"
            yield f"  theirs  {theirs}"


def conflict_json(key: TaskKey, conflicts: Iterable[Conflict]) -> list[Json]:
    """Each disagreement about a task with both answers whole, and base's."""
    return [{"task": key, **_json(conflict)} for conflict in conflicts]


def _pairs(conflict: Conflict) -> Iterator[tuple[str, str, str]]:
    match conflict:
        case AnnotationConflict() if conflict.regions:
            for region in conflict.regions:
                ours = _by(conflict.ours) + _entries(region.ours)
                theirs = _by(conflict.theirs) + _entries(region.theirs)
                yield f"region {region.region} ({region.kind.value})", ours, theirs
        case AnnotationConflict():
            about = f"annotation {conflict.unique_id[:8]} ({conflict.kind.value})"
            yield about, _annotation(conflict.ours), _annotation(conflict.theirs)
        case MediaConflict():
            yield "picture", _media(conflict.ours), _media(conflict.theirs)
        case DataConflict():
            yield "task data", _text(conflict.ours), _text(conflict.theirs)
        case RecordConflict():
            yield "the whole task", _record(conflict.ours), _record(conflict.theirs)


def _by(annotation: Annotation | None) -> str:
    return f"{annotation.updated_by or annotation.annotator}: " if annotation else ""


def _annotation(annotation: Annotation | None) -> str:
    if annotation is None:
        return "removed"
    said = "skipped" if annotation.skipped else _entries(annotation.result)
    mark = ", ground truth" if annotation.ground_truth else ""
    return _by(annotation) + said + mark


def _entries(entries: Sequence[Mapping[str, Json]]) -> str:
    return "; ".join(_entry(entry) for entry in entries) or "nothing there"


def _entry(entry: Mapping[str, Json]) -> str:
    value = value_of(entry)
    named = ", ".join(labels(entry))
    place = " ".join(f"{name} {value[name]:g}" for name in _GEOMETRY if _is_number(value, name))
    return " at ".join(part for part in (named, place) if part) or _text(value or entry)


def _is_number(value: Mapping[str, Json], name: str) -> bool:
    return isinstance(value.get(name), int | float)


def _media(media: Media) -> str:
    return f"{media.checksum[:12]}, {media.size_bytes} bytes"


def _record(record: Record | None) -> str:
    return f"{len(record.annotations)} annotations" if record else "removed"


def _text(value: Mapping[str, Json]) -> str:
    return " ".join(encode(dict(value)).decode().split())


def _json(conflict: Conflict) -> dict[str, Json]:
    match conflict:
        case AnnotationConflict():
            return {
                "about": "annotation",
                "kind": conflict.kind.value,
                "unique_id": conflict.unique_id,
                "ours": _annotation_json(conflict.ours),
                "theirs": _annotation_json(conflict.theirs),
                "base": _annotation_json(conflict.base),
                "regions": [_region_json(region) for region in conflict.regions],
            }
        case MediaConflict():
            ours, theirs = conflict.ours, conflict.theirs
            return {"about": "media", "ours": ours.checksum, "theirs": theirs.checksum}
        case DataConflict():
            return {"about": "data", "ours": dict(conflict.ours), "theirs": dict(conflict.theirs)}
        case RecordConflict():
            return {
                "about": "record",
                "ours": conflict.ours is not None,
                "theirs": conflict.theirs is not None,
            }


def _annotation_json(annotation: Annotation | None) -> Json:
    if annotation is None:
        return None
    return {
        "annotator": annotation.annotator,
        "updated_by": annotation.updated_by,
        "updated_at": annotation.updated_at,
        "round": annotation.round,
        "skipped": annotation.skipped,
        "ground_truth": annotation.ground_truth,
        "result": [dict(entry) for entry in annotation.result],
    }


def _region_json(region: RegionConflict) -> Json:
    return {
        "region": region.region,
        "kind": region.kind.value,
        "base": [dict(entry) for entry in region.base],
        "ours": [dict(entry) for entry in region.ours],
        "theirs": [dict(entry) for entry in region.theirs],
    }
