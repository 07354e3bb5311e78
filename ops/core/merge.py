"""The three-way merge inside a task: base, ours and theirs to one record, or typed conflicts.

Owns the rules for records, tasks and annotations; those for regions are result_merge.py's. Does not
decide conflicts (settle.py), read or write. Why the rules are these: docs/adr/0009-merge.md.

An annotation is *changed* where it says something else: regions beyond the tolerance, skipped,
ground truth.

| what | one side changed it | both changed it alike | both changed it differently |
|---|---|---|---|
| annotation, by `unique_id`: added or removed | that side | the same | conflict, as a whole |
| skipped, ground truth | that side, whole annotation | the same | conflict, as a whole |
| region (id), relation (ends), answer (control) | that side | the same | conflict |
| … entries of one region, by control | that side, if in one place | the same | conflict |
| a relation added, its region removed | – | – | conflict of both |
| annotator, created at, prediction | that side | the same | as updated at |
| round, updated at and by, lead time, ontology | see below | the same | the later |
| origin of a region | the side whose region it is, else that side | the same | the most human |
| media: checksum and size; width, height, sha256 of the same | that side | the same | conflict |
| a field of the task's data | that side | the same | conflict |
| quarantined (without base: no) | that side | the same | – |
| the record: removed | that side | the same | conflict |

Round, times, lead time and ontology digest go together, with what is said: where one side alone
changed that, they are this side's; else they are taken as if they were a field of their own.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from ops.core.annotation_merge import is_same, merge_annotation
from ops.core.canonical import normalise_record
from ops.core.conflicts import (
    AnnotationConflict,
    Conflict,
    DataConflict,
    MediaConflict,
    Merged,
    RecordConflict,
)
from ops.core.encoding import encode
from ops.core.likeness import TOLERANCE_PERCENT
from ops.core.records import Annotation, Json, Media, Record, Task
from ops.errors import InternalError, InvalidDataError

_Value = TypeVar("_Value")


def merge_records(
    base: Record | None,
    ours: Record | None,
    theirs: Record | None,
    *,
    tolerance_percent: float = TOLERANCE_PERCENT,
) -> Merged:
    """The record both sides agree on and what they do not, in canonical form.

    The same but for the names of the sides if they are swapped. Merging what was merged without
    conflict with one of the sides again changes nothing.

    Args:
        base: the record both sides started from; None where there was none.
        ours: as one side has it now; None where it is not there.
        theirs: as the other has it.
        tolerance_percent: geometry that differs by no more, in percent of the image, says the same.

    Raises:
        InternalError: records of different tasks.
        InvalidDataError: a record has two annotations of one `unique_id`.
    """
    before, one, two = (record and normalise_record(record) for record in (base, ours, theirs))
    _check([record for record in (before, one, two) if record])
    if one is None or two is None:
        return _merge_presence(before, one, two, tolerance_percent)
    task, of_task = _merge_task(before.task if before else None, one.task, two.task)
    annotations, of_annotations = _merge_annotations(
        _by_id(before), _by_id(one), _by_id(two), tolerance_percent=tolerance_percent
    )
    record = Record(
        task=task,
        annotations=tuple(annotations),
        quarantined=_changed(
            before.quarantined if before else False, one.quarantined, two.quarantined
        ),
    )
    return Merged(record=normalise_record(record), conflicts=(*of_task, *of_annotations))


def _check(records: list[Record]) -> None:
    if len({record.task.key for record in records}) > 1:
        raise InternalError(
            "merge-of-different-tasks",
            "records of different tasks cannot be merged",
            where=tuple(("task", record.task.key) for record in records),
            unchanged="nothing was written",
            hint="this is a bug of ops; please report it",
        )
    for record in records:
        if len(_by_id(record)) < len(record.annotations):
            raise InvalidDataError(
                "record-invalid",
                "the record has two annotations of one unique_id",
                subject=record.task.key,
                unchanged="nothing was written",
                hint="look at the object in lakeFS and restore it from a version that reads:"
                " ops dataset log",
            )


def _by_id(record: Record | None) -> dict[str, Annotation]:
    return {one.unique_id: one for one in record.annotations} if record else {}


def _changed(base: _Value, ours: _Value, theirs: _Value) -> _Value:
    """The value a side changed, where they do not disagree."""
    return theirs if ours == base else ours


def _is_contested(base: object, ours: object, theirs: object) -> bool:
    return ours != theirs and base not in (ours, theirs)


def _merge_presence(
    base: Record | None, ours: Record | None, theirs: Record | None, tolerance_percent: float
) -> Merged:
    """The merge where a side has no record."""
    left = ours or theirs
    if base is None or left is None:
        return Merged(record=left)
    if _is_unchanged(base, left, tolerance_percent):
        return Merged(record=None)
    conflict = RecordConflict(base=base, ours=ours, theirs=theirs)
    return Merged(record=base, conflicts=(conflict,))


def _is_unchanged(base: Record, side: Record, tolerance_percent: float) -> bool:
    befores, afters = _by_id(base), _by_id(side)
    return (
        _object(base.task.media) == _object(side.task.media)
        and encode(dict(base.task.data)) == encode(dict(side.task.data))
        and base.quarantined == side.quarantined
        and befores.keys() == afters.keys()
        and all(
            is_same(one, afters[unique_id], tolerance_percent=tolerance_percent)
            for unique_id, one in befores.items()
        )
    )


def _merge_annotations(
    befores: Mapping[str, Annotation],
    ours: Mapping[str, Annotation],
    theirs: Mapping[str, Annotation],
    *,
    tolerance_percent: float,
) -> tuple[list[Annotation], list[Conflict]]:
    annotations: list[Annotation] = []
    conflicts: list[Conflict] = []
    for unique_id in sorted(befores.keys() | ours.keys() | theirs.keys()):
        known = befores.get(unique_id)
        merged = merge_annotation(
            known, ours.get(unique_id), theirs.get(unique_id), tolerance_percent=tolerance_percent
        )
        if isinstance(merged, AnnotationConflict):
            conflicts.append(merged)
            merged = known
        if merged:
            annotations.append(merged)
    return annotations, conflicts


def _merge_task(base: Task | None, ours: Task, theirs: Task) -> tuple[Task, list[Conflict]]:
    conflicts: list[Conflict] = []
    media = _merge_media(base.media if base else None, ours.media, theirs.media)
    if isinstance(media, MediaConflict):
        conflicts.append(media)
        media = media.base or max(media.ours, media.theirs, key=repr)
    data, disputed = _merge_data(base.data if base else {}, ours.data, theirs.data)
    if disputed:
        conflicts.append(disputed)
    return Task(key=ours.key, media=media, data=data), conflicts


def _object(media: Media) -> tuple[str, int]:
    """What makes a media object another one."""
    return (media.checksum, media.size_bytes)


def _merge_media(base: Media | None, ours: Media, theirs: Media) -> Media | MediaConflict:
    before = base and _object(base)
    if _object(ours) != _object(theirs):
        if before in {_object(ours), _object(theirs)}:
            return theirs if before == _object(ours) else ours
        return MediaConflict(base=base, ours=ours, theirs=theirs)
    nothing_known = replace(ours, sha256=None, width=None, height=None)
    known = base if base and before == _object(ours) else nothing_known
    if any(
        _is_contested(*fact)
        for fact in (
            (known.sha256, ours.sha256, theirs.sha256),
            (known.width, ours.width, theirs.width),
            (known.height, ours.height, theirs.height),
        )
    ):
        return MediaConflict(base=base, ours=ours, theirs=theirs)
    return replace(
        ours,
        sha256=_changed(known.sha256, ours.sha256, theirs.sha256),
        width=_changed(known.width, ours.width, theirs.width),
        height=_changed(known.height, ours.height, theirs.height),
    )


def _merge_data(
    base: Mapping[str, Json], ours: Mapping[str, Json], theirs: Mapping[str, Json]
) -> tuple[dict[str, Json], DataConflict | None]:
    """The fields after the merge, those in conflict as base has them."""
    merged: dict[str, Json] = {}
    contested: set[str] = set()
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        sides = [_only({name}, side) for side in (base, ours, theirs)]
        before, mine, other = (encode(side) for side in sides)
        if _is_contested(before, mine, other):
            contested.add(name)
            merged.update(sides[0])
        else:
            merged.update(sides[2] if mine == before else sides[1])
    conflict = DataConflict(
        base=_only(contested, base), ours=_only(contested, ours), theirs=_only(contested, theirs)
    )
    return merged, conflict if contested else None


def _only(names: set[str], data: Mapping[str, Json]) -> dict[str, Json]:
    return {name: data[name] for name in sorted(names & data.keys())}
