"""Label Studio's own formats: tasks to import again, and JSON-MIN.

Owns their layout. `tasks.json` holds every task: what a converter of label-studio-sdk reads, and
what another Label Studio imports. JSON-MIN names neither regions nor relations.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from ops.core.exporting.files import ExportTask, Losses, Piece, Plan
from ops.core.exporting.words import MediaMode
from ops.core.exports import KEY_FIELD, identity_number
from ops.core.records import Annotation, Json, TaskState
from ops.core.regions import is_relation, value_of

# Made once: an encoder an entry costs more than the entry.
_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class _Document:
    """One JSON array."""

    needs_sizes = False
    is_one_answer = False
    path = "tasks.json"

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet."""
        self.losses = Losses()
        self.plan = plan
        self._count = 0

    def picture_path(self, task: ExportTask) -> str:
        """Pictures keep their keys."""
        return f"images/{task.key}"

    def begin(self) -> Iterable[Piece]:
        """The opening."""
        yield Piece(self.path, b"[")

    def end(self) -> Iterable[Piece]:
        """The closing."""
        yield Piece(self.path, b"\n]\n")

    def entry(self, value: Mapping[str, Json]) -> Piece:
        """One value of the array."""
        self._count += 1
        text = _text(value)
        return Piece(self.path, f"{',' if self._count > 1 else ''}\n{text}".encode())

    def data(self, task: ExportTask) -> dict[str, Json]:
        """What annotators see, with the picture where the export says it is."""
        field = self.plan.ontology.media_field
        picture = {field: self.plan.address(task.key)}
        if self.plan.media is MediaMode.NONE:
            picture = {field: task.key}
        if self.plan.pictures_are_files and task.chosen.exported_as:
            picture = {field: self.picture_path(task)}
        return {**task.record.task.data, **picture, KEY_FIELD: task.key}


class LabelStudio(_Document):
    """Writes `tasks.json`, every task in it, skipped answers of skipped tasks too."""

    def begin(self) -> Iterable[Piece]:
        """The label config, as a project takes it."""
        yield Piece("label_config.xml", self.plan.label_config.encode())
        yield from super().begin()

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """The task; its state is in `meta`."""
        exported_as, record = task.chosen.exported_as, task.record
        skips = [one for one in record.annotations if one.skipped]
        answers = skips if record.state is TaskState.SKIPPED else task.chosen.answers
        meta: dict[str, Json] = {
            "state": record.state.value,
            "exported_as": exported_as.value if exported_as else None,
        }
        if task.part:
            meta["split"] = task.part
        yield self.entry(
            {
                "id": self._count + 1,
                "data": self.data(task),
                "meta": meta,
                "annotations": [_annotation(one) for one in answers],
                "predictions": [],
            }
        )


def _annotation(one: Annotation) -> dict[str, Json]:
    return {
        "id": identity_number(one.unique_id),
        "unique_id": one.unique_id,
        "completed_by": {"email": one.annotator},
        "result": [dict(region) for region in one.result],
        "was_cancelled": one.skipped,
        "ground_truth": one.ground_truth,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "lead_time": one.lead_time_s,
    }


class JsonMin(_Document):
    """Writes `result.json`: an entry a task and answer, its regions below the control's name."""

    path = "result.json"

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """An entry for each exported answer."""
        for answer in task.chosen.answers:
            self.losses.lose("relations", sum(map(is_relation, answer.result)))
            entry = {**self.data(task), "id": self._count + 1, **_controls(answer)}
            if task.part:
                entry["split"] = task.part
            yield self.entry(
                {
                    **entry,
                    "annotator": answer.annotator,
                    "annotation_id": identity_number(answer.unique_id),
                    "created_at": answer.created_at,
                    "updated_at": answer.updated_at,
                    "lead_time": answer.lead_time_s,
                }
            )


def _controls(answer: Annotation) -> dict[str, Json]:
    """What each control was answered, in Label Studio's short form."""
    found: dict[str, list[Mapping[str, Json]]] = {}
    for region in answer.result:
        if not is_relation(region):
            found.setdefault(str(region.get("from_name")), []).append(region)
    return {control: _short([*map(_value, said)], said) for control, said in found.items()}


def _value(region: Mapping[str, Json]) -> Json:
    value = dict(value_of(region))
    for name in ("original_width", "original_height"):
        if name in region:
            value[name] = region[name]
    return value


def _short(values: list[Json], regions: list[Mapping[str, Json]]) -> Json:
    """One choice or one text is the word itself; everything else a list."""
    if len(regions) == 1:
        kind = str(regions[0].get("type"))
        said = value_of(regions[0]).get("text" if kind == "textarea" else kind)
        if kind in {"choices", "textarea"} and isinstance(said, list) and len(said) == 1:
            return said[0]
    return values
