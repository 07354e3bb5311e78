"""Deciding what a merge left open, by a policy somebody named.

Owns what becomes of each kind of conflict (docs/adr/0009-merge.md). Does not find conflicts
(merge.py), and never decides by itself: `fail` is a policy too.

| in conflict | ours, theirs | both | quarantine |
|---|---|---|---|
| regions of an annotation | that side's; all else merged | two annotations | two annotations |
| an annotation, as a whole | that side's, or gone | two annotations | two annotations |
| … removed by one side | that side's, or gone | the edited one | the edited one |
| media, a field of the task's data | that side's | ours: there is one only | ours |
| the record, removed by one side | that side's, or gone | the changed one | the changed one |

Two annotations are ours and theirs to the byte, theirs under an identity of its own. With
quarantine the task is held back, so that neither counts until somebody has looked.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import NoReturn, TypeVar, assert_never
from uuid import UUID, uuid5

from ops.core.canonical import content, normalise_record
from ops.core.conflicts import (
    AnnotationConflict,
    Conflict,
    DataConflict,
    MediaConflict,
    Merged,
    RecordConflict,
)
from ops.core.records import Annotation, Origin, Record
from ops.errors import ConflictError

_COPIES = UUID("6f1d2c0e-5c0b-4a53-9d6e-0b1f5a7c9e42")
"""Namespace of the identities of second answers; never to be changed."""

_Value = TypeVar("_Value")


class Policy(StrEnum):
    """What to do where both sides changed the same thing."""

    FAIL = "fail"
    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"
    QUARANTINE = "quarantine"


def settle(merged: Merged, policy: Policy) -> Record | None:
    """The record after the policy, canonical; None where the task is gone.

    Without conflicts the merged record, whatever the policy. No request; the same arguments give
    the same bytes, identities of second answers included.

    Raises:
        ConflictError: there are conflicts and the policy is to fail; `where` lists them.
    """
    if not merged.conflicts or merged.record is None:
        return merged.record
    if policy is Policy.FAIL:
        _refuse(merged.record, merged.conflicts)
    settled: Record | None = merged.record
    for conflict in merged.conflicts:
        settled = settled and _settle_one(settled, conflict, policy)
    if settled and policy is Policy.QUARANTINE:
        settled = replace(settled, quarantined=True)
    return settled and normalise_record(settled)


def _refuse(record: Record, conflicts: tuple[Conflict, ...]) -> NoReturn:
    raise ConflictError(
        "merge-conflict",
        f"both sides changed {record.task.key} differently",
        subject=record.task.key,
        where=tuple(_description(conflict) for conflict in conflicts),
        unchanged="nothing was merged",
        hint="say whose answer counts: --on-conflict ours, theirs, both or quarantine",
    )


def _description(conflict: Conflict) -> tuple[str, str]:
    match conflict:
        case AnnotationConflict():
            regions = ", ".join(f"{one.region} ({one.kind})" for one in conflict.regions)
            about = f": {regions}" if regions else ""
            return "annotation", f"{conflict.unique_id} ({conflict.kind}){about}"
        case MediaConflict():
            return "media", f"{conflict.ours.checksum} · {conflict.theirs.checksum}"
        case DataConflict():
            return "data", ", ".join(sorted(conflict.ours.keys() | conflict.theirs.keys()))
        case RecordConflict():
            return "record", "removed on one side, changed on the other"


def _settle_one(record: Record, conflict: Conflict, policy: Policy) -> Record | None:
    match conflict:
        case RecordConflict():
            return _of_side(conflict.ours, conflict.theirs, policy)
        case MediaConflict():
            media = conflict.theirs if policy is Policy.THEIRS else conflict.ours
            return replace(record, task=replace(record.task, media=media))
        case DataConflict():
            known = conflict.base.keys() | conflict.ours.keys() | conflict.theirs.keys()
            kept = {name: one for name, one in record.task.data.items() if name not in known}
            stated = conflict.theirs if policy is Policy.THEIRS else conflict.ours
            return replace(record, task=replace(record.task, data={**kept, **stated}))
        case AnnotationConflict():
            others = {
                one.unique_id: one
                for one in record.annotations
                if one.unique_id != conflict.unique_id
            }
            answers = {one.unique_id: one for one in _answers(conflict, policy, others)}
            return replace(record, annotations=(*{**others, **answers}.values(),))
        case _:
            assert_never(conflict)


def _of_side(ours: _Value | None, theirs: _Value | None, policy: Policy) -> _Value | None:
    """Ours or theirs; with both to be kept, the one that is there."""
    if policy is Policy.OURS:
        return ours
    if policy is Policy.THEIRS:
        return theirs
    return theirs if ours is None else ours


def _answers(
    conflict: AnnotationConflict, policy: Policy, others: Mapping[str, Annotation]
) -> Iterator[Annotation]:
    ours, theirs = conflict.ours, conflict.theirs
    if policy in {Policy.BOTH, Policy.QUARANTINE}:
        if ours and theirs:
            yield ours
            yield second_answer(theirs, others)
        elif one := ours or theirs:
            yield one
    elif one := theirs if policy is Policy.THEIRS else ours:
        yield _with_regions(conflict, one, is_ours=policy is Policy.OURS)


def _with_regions(conflict: AnnotationConflict, side: Annotation, *, is_ours: bool) -> Annotation:
    """The side's annotation; where only regions are in dispute, the merged one with the side's."""
    if conflict.agreed is None:
        return side
    stated = [entry for one in conflict.regions for entry in (one.ours if is_ours else one.theirs)]
    origins = {
        name: side.origins.get(name, Origin.HUMAN)
        for entry in stated
        if isinstance(name := entry.get("id"), str)
    }
    return replace(
        side,
        annotator=conflict.agreed.annotator,
        created_at=conflict.agreed.created_at,
        prediction=conflict.agreed.prediction,
        result=(*conflict.agreed.result, *stated),
        origins={**conflict.agreed.origins, **origins},
    )


def second_answer(annotation: Annotation, others: Mapping[str, Annotation]) -> Annotation:
    """The annotation under an identity of its own, made from the old one and from what it says.

    Where `others` has that identity already, saying the same, it is the same answer, kept before;
    where it says something else by now, the next identity is taken.
    """
    said = content(annotation)
    unique_id = annotation.unique_id
    while True:
        unique_id = str(uuid5(_COPIES, f"{unique_id} {hashlib.sha256(said).hexdigest()}"))
        known = others.get(unique_id)
        if known is None:
            return replace(annotation, unique_id=unique_id)
        if content(known) == said:
            return known
