"""Conflicts as people and programs read them: which task, which annotation, both answers.

Owns their wording. Does not find conflicts (merge.py) nor decide them (settle.py).
"""

from collections.abc import Iterable, Mapping

from ops.core.conflicts import (
    AnnotationConflict,
    Conflict,
    DataConflict,
    Entries,
    MediaConflict,
)
from ops.core.records import Annotation, Json, Media, Record, TaskKey
from ops.core.regions import labels, value_of


def disagreement(key: TaskKey, conflict: Conflict) -> dict[str, Json]:
    """A conflict for programs: both answers whole, as lists of entries; null where one is gone."""
    about: dict[str, Json] = {"task": key}
    match conflict:
        case AnnotationConflict():
            about |= {
                "annotation": conflict.unique_id,
                "kind": conflict.kind.value,
                "ours": _said(conflict.ours),
                "theirs": _said(conflict.theirs),
                "regions": [
                    {
                        "region": one.region,
                        "kind": one.kind.value,
                        "base": _entries(one.base),
                        "ours": _entries(one.ours),
                        "theirs": _entries(one.theirs),
                    }
                    for one in conflict.regions
                ],
            }
        case MediaConflict():
            about |= {
                "kind": "media",
                "ours": _media(conflict.ours),
                "theirs": _media(conflict.theirs),
            }
        case DataConflict():
            about |= {"kind": "data", "ours": dict(conflict.ours), "theirs": dict(conflict.theirs)}
        case _:
            about |= {
                "kind": "record",
                "ours": _ids(conflict.ours),
                "theirs": _ids(conflict.theirs),
            }
    return about


def disagreement_lines(key: TaskKey, conflict: Conflict) -> list[str]:
    """A conflict for people: what is in dispute, then a line a side."""
    match conflict:
        case AnnotationConflict(regions=()):
            return [
                f"{key}, annotation {conflict.unique_id} ({conflict.kind.value})",
                f"  ours    {_words(conflict.ours)}",
                f"  theirs  {_words(conflict.theirs)}",
            ]
        case AnnotationConflict():
            return [
                line
                for one in conflict.regions
                for line in (
                    f"{key}, annotation {conflict.unique_id}, region {one.region}"
                    f" ({one.kind.value})",
                    f"  ours    {_regions(one.ours)}",
                    f"  theirs  {_regions(one.theirs)}",
                )
            ]
        case MediaConflict():
            sides = conflict.ours.checksum, conflict.theirs.checksum
        case DataConflict():
            sides = str(dict(conflict.ours)), str(dict(conflict.theirs))
        case _:
            sides = _record(conflict.ours), _record(conflict.theirs)
    return [f"{key}", f"  ours    {sides[0]}", f"  theirs  {sides[1]}"]


def _said(annotation: Annotation | None) -> Json:
    if annotation is None:
        return None
    return {
        "annotator": annotation.annotator,
        "updated_by": annotation.updated_by,
        "round": annotation.round,
        "updated_at": annotation.updated_at,
        "skipped": annotation.skipped,
        "ground_truth": annotation.ground_truth,
        "result": _entries(annotation.result),
    }


def _entries(entries: Entries) -> list[Json]:
    return [dict(entry) for entry in entries]


def _media(media: Media) -> dict[str, Json]:
    return {"path": media.path, "checksum": media.checksum}


def _ids(record: Record | None) -> Json:
    return None if record is None else [one.unique_id for one in record.annotations]


def _words(annotation: Annotation | None) -> str:
    if annotation is None:
        return "not there"
    who = annotation.updated_by or annotation.annotator
    return f"{_verdict(annotation)}{_regions(annotation.result)}, by {who}"


def _verdict(annotation: Annotation) -> str:
    marks = [name for name in ("skipped", "ground_truth") if getattr(annotation, name)]
    return "".join(f"{mark}, " for mark in marks)


def _record(record: Record | None) -> str:
    return "not there" if record is None else f"{len(record.annotations)} annotations"


def _regions(entries: Iterable[Mapping[str, Json]]) -> str:
    return "; ".join(_region(entry) for entry in entries) or "nothing"


def _region(entry: Mapping[str, Json]) -> str:
    value = value_of(entry)
    place = " ".join(
        f"{name} {value[name]}" for name in ("x", "y", "width", "height") if name in value
    )
    named = " ".join(labels(entry)) or str(entry.get("type"))
    return f"{named} at {place}" if place else named
