"""What the Label Studio in memory holds, and how it is shown: index rows and export documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.records import Json, TaskKey
from ops.ports import TaskRow


@dataclass(kw_only=True)
class FakeAnnotation:
    """One annotation, by the names of Label Studio's export."""

    id: int
    unique_id: str
    task: int
    completed_by: int
    updated_by: int | None
    result: list[Json]
    was_cancelled: bool
    ground_truth: bool
    lead_time: float | None
    import_id: int | None
    created_at: str
    updated_at: str


@dataclass(kw_only=True)
class FakeTask:
    """One task, by the names of Label Studio's export."""

    id: int
    project: int
    inner_id: int
    data: dict[str, Json]
    meta: Json
    created_at: str
    updated_at: str
    updated_by: int | None = None
    drafts: list[Json] = field(default_factory=list["Json"])
    predictions: list[int] = field(default_factory=list[int])


def row(task: FakeTask, annotations: Sequence[FakeAnnotation]) -> TaskRow:
    """A task's line in the index."""
    skipped = sum(annotation.was_cancelled for annotation in annotations)
    key = task.data.get("key")
    return TaskRow(
        id=task.id,
        key=TaskKey(key) if isinstance(key, str) else None,
        updated_at=task.updated_at,
        annotation_count=len(annotations) - skipped,
        skipped_count=skipped,
        data=dict(task.data),
    )


def document(task: FakeTask, annotations: Sequence[FakeAnnotation]) -> Mapping[str, Json]:
    """A task in export form."""
    line = row(task, annotations)
    return {
        "id": task.id,
        "annotations": [_exported(annotation, task) for annotation in annotations],
        "drafts": list(task.drafts),
        "predictions": list[Json](task.predictions),
        "data": dict(task.data),
        "meta": task.meta,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "allow_skip": True,
        "inner_id": task.inner_id,
        "total_annotations": line.annotation_count,
        "cancelled_annotations": line.skipped_count,
        "total_predictions": len(task.predictions),
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": task.project,
        "updated_by": task.updated_by,
        "comment_authors": [],
    }


def _exported(annotation: FakeAnnotation, task: FakeTask) -> dict[str, Json]:
    return {
        "id": annotation.id,
        "completed_by": annotation.completed_by,
        "result": list(annotation.result),
        "was_cancelled": annotation.was_cancelled,
        "ground_truth": annotation.ground_truth,
        "created_at": annotation.created_at,
        "updated_at": annotation.updated_at,
        "draft_created_at": None,
        "lead_time": annotation.lead_time,
        "prediction": {},
        "result_count": len(annotation.result),
        "unique_id": annotation.unique_id,
        "import_id": annotation.import_id,
        "last_action": None,
        "bulk_created": False,
        "task": annotation.task,
        "project": task.project,
        "updated_by": annotation.updated_by,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }
