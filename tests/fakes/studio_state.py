"""What the Label Studio in memory holds, and how it is shown: index rows and export documents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from xml.etree import ElementTree as ET

from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import TaskRow
from ops.prediction_port import PredictedTask


@dataclass(frozen=True, kw_only=True)
class FakePrediction:
    """What one model version says of a task."""

    id: int
    model_version: str
    score: float | None
    result: list[Json]

    def as_json(self) -> dict[str, Json]:
        """As an annotation's export shows the one it was made beside."""
        return {
            "id": self.id,
            "model_version": self.model_version,
            "score": self.score,
            "result": list(self.result),
        }


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
    prediction: dict[str, Json]
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
    predictions: list[FakePrediction] = field(default_factory=list[FakePrediction])


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


def predicted(task: FakeTask) -> PredictedTask:
    """Whose predictions a task holds."""
    models = frozenset(one.model_version for one in task.predictions)
    return PredictedTask(
        id=task.id,
        key=row(task, []).key,
        models=models,
        is_repeated=len(task.predictions) > len(models),
    )


def repeats(task: FakeTask, model_versions: Collection[str]) -> frozenset[int]:
    """Its predictions that an older one of the same model version precedes."""
    oldest = {one.model_version: one.id for one in reversed(task.predictions)}
    return frozenset(
        one.id
        for one in task.predictions
        if one.model_version in model_versions and one.id != oldest[one.model_version]
    )


def document(task: FakeTask, annotations: Sequence[FakeAnnotation]) -> Mapping[str, Json]:
    """A task in export form."""
    line = row(task, annotations)
    return {
        "id": task.id,
        "annotations": [_exported(annotation, task) for annotation in annotations],
        "drafts": list(task.drafts),
        "predictions": [prediction.id for prediction in task.predictions],
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
        "prediction": dict(annotation.prediction),
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


def check_label_config(text: str) -> None:
    """Refuse what the real server refuses."""
    try:
        tags = list(ET.fromstring(text).iter())  # noqa: S314 - a test's own XML
    except ET.ParseError as error:
        raise refused("label-config", str(error)) from error
    names = [name for tag in tags if (name := tag.get("name")) is not None]
    if len(names) != len(set(names)):
        raise refused("label-config", "Label config contains non-unique names")
    for tag in tags:
        for other in filter(None, tag.get("toName", "").split(",")):
            if other not in names:
                raise refused("label-config", f'toName="{other}" not found in names: {names}')


def refused(code: str, said: str) -> InvalidDataError:
    """The error for what the server does not accept."""
    where = (("Label Studio says", said),)
    return InvalidDataError(code, "not accepted", where=where, unchanged="all", hint="correct it")


def gone(kind: str, number: int) -> NotFoundError:
    """The error for what is not there."""
    code, message = f"{kind}-gone", f"there is no {kind} {number}"
    return NotFoundError(code, message, subject=str(number), unchanged="all", hint="look again")


def predictions_in(item: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The predictions of one item of an import."""
    return cast("list[Mapping[str, Json]]", item.get("predictions", []))


def is_score(score: Json) -> bool:
    """Say whether the server keeps a prediction of this score."""
    return score is None or (isinstance(score, int | float) and 0 <= score <= 1)


def annotations_in(item: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Its annotations."""
    return cast("list[Mapping[str, Json]]", item.get("annotations", []))
