"""What two sides said differently of one task since their base, in types.

Owns the shapes. Does not find conflicts (merge.py) and does not decide them (settle.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ops.core.records import Annotation, Json, Media, Record

Entries: TypeAlias = tuple[Mapping[str, Json], ...]
"""Entries of a result, in canonical order."""


class ConflictKind(StrEnum):
    """How two sides disagree on an annotation, or on a region of one."""

    EDIT_EDIT = "edit-edit"
    EDIT_DELETE = "edit-delete"
    ADD_ADD = "add-add"
    VERDICT = "verdict"
    """One side skipped it or marked it as reference, the other says something else of it."""
    RELATION = "relation"
    """One side relates a region that the other removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionConflict:
    """One region, relation or answer of an annotation on which two sides disagree.

    Attributes:
        kind: how.
        region: the region's id; `a → b` for a relation from region a to b; the control's name for
            an answer about the whole task.
        base, ours, theirs: all entries of it (a region has one a control), none where it is absent.
    """

    kind: ConflictKind
    region: str
    base: Entries
    ours: Entries
    theirs: Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationConflict:
    """One annotation on which two sides disagree.

    Attributes:
        unique_id: which.
        kind: how; `edit-edit` where the disagreement is about `regions` alone.
        base, ours, theirs: the annotation as each has it; None where it is absent.
        regions: the regions in dispute; none where the annotation is, as a whole.
        agreed: the annotation merged but for the regions in dispute; None where it is the whole.
    """

    unique_id: str
    kind: ConflictKind
    base: Annotation | None
    ours: Annotation | None
    theirs: Annotation | None
    regions: tuple[RegionConflict, ...] = ()
    agreed: Annotation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConflict:
    """Two sides put different media objects behind one task."""

    base: Media | None
    ours: Media
    theirs: Media


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConflict:
    """Two sides changed fields of the task's data differently: those fields, where present."""

    base: Mapping[str, Json]
    ours: Mapping[str, Json]
    theirs: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConflict:
    """One side removed the task's record, the other changed it: `ours` or `theirs` is None."""

    base: Record
    ours: Record | None
    theirs: Record | None


Conflict: TypeAlias = AnnotationConflict | MediaConflict | DataConflict | RecordConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One task after a merge.

    Attributes:
        record: what both sides agree on, and what is in conflict as base has it (an annotation
            both added differently is then not in it); None where the task is gone.
        conflicts: media, data, then annotations by `unique_id`. With any, `record` is not for
            writing: settle it first.
    """

    record: Record | None
    conflicts: tuple[Conflict, ...] = ()
