"""CSV, JSON lines and tables: everything, as it was said, in percent of the picture.

Owns the rows. These formats lose nothing; a reader does with percent, paths and texts what it
likes. A task without regions has one row too, so that each task is there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from ops.core.exporting.files import ExportTask, Losses, Piece, Plan, csv_line, picture_of
from ops.core.lines import line
from ops.core.records import Annotation, Json
from ops.core.regions import is_relation, labels, value_of

Kind: TypeAlias = Literal["text", "texts", "whole", "number", "flag"]
"""What a column holds; any of them may be empty."""

TASK_COLUMNS: Mapping[str, Kind] = {
    "key": "text",
    "state": "text",
    "exported_as": "text",
    "split": "text",
    "picture": "text",
    "width": "whole",
    "height": "whole",
    "sha256": "text",
}
REGION_COLUMNS: Mapping[str, Kind] = {
    "key": "text",
    "state": "text",
    "exported_as": "text",
    "split": "text",
    "annotator": "text",
    "unique_id": "text",
    "round": "text",
    "ground_truth": "flag",
    "created_at": "text",
    "updated_at": "text",
    "region_id": "text",
    "from_name": "text",
    "to_name": "text",
    "type": "text",
    "label": "text",
    "labels": "texts",
    "class_id": "whole",
    "x": "number",
    "y": "number",
    "width": "number",
    "height": "number",
    "rotation": "number",
    "original_width": "whole",
    "original_height": "whole",
    "value": "text",
}

_GEOMETRY = ("x", "y", "width", "height", "rotation")


class Rows:
    """What the formats of rows have in common."""

    needs_sizes = False
    is_one_answer = False

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet."""
        self.losses = Losses()
        self.plan = plan

    def picture_path(self, task: ExportTask) -> str:
        """Pictures keep their keys."""
        return f"images/{task.key}"

    def begin(self) -> Iterable[Piece]:
        """Nothing before the first task."""
        return ()

    def end(self) -> Iterable[Piece]:
        """Nothing more."""
        return ()

    def picture(self, task: ExportTask) -> str | None:
        """Where the task's picture is."""
        return picture_of(task, self.plan, self)


class Csv(Rows):
    """Writes `annotations.csv`: a row a region."""

    def begin(self) -> Iterable[Piece]:
        """The head."""
        yield Piece("annotations.csv", csv_line(REGION_COLUMNS))

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """The task's rows."""
        for row in region_rows(task, self.plan, always=True):
            cells = (_cell(row.get(name)) for name in REGION_COLUMNS)
            yield Piece("annotations.csv", csv_line(cells))


def _cell(value: Json) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


class Jsonl(Rows):
    """Writes `tasks.jsonl`: a line a task, with its answers as Label Studio words them."""

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """The task's line."""
        row = task_row(task, self.picture(task))
        answers: list[Json] = [_answer(answer) for answer in task.chosen.answers]
        data = dict(task.record.task.data)
        yield Piece("tasks.jsonl", line({**row, "data": data, "annotations": answers}))


def _answer(answer: Annotation) -> dict[str, Json]:
    return {
        "unique_id": answer.unique_id,
        "annotator": answer.annotator,
        "round": answer.round,
        "ground_truth": answer.ground_truth,
        "created_at": answer.created_at,
        "updated_at": answer.updated_at,
        "result": [dict(region) for region in answer.result],
    }


def task_row(task: ExportTask, picture: str | None) -> dict[str, Json]:
    """What a table of tasks says of one."""
    exported_as, media = task.chosen.exported_as, task.record.task.media
    width, height = task.size or (None, None)
    return {
        "key": task.key,
        "state": task.record.state.value,
        "exported_as": exported_as.value if exported_as else None,
        "split": task.part or None,
        "picture": picture,
        "width": width,
        "height": height,
        "sha256": media.sha256,
    }


def region_rows(
    task: ExportTask, plan: Plan, *, always: bool = False
) -> Iterator[Mapping[str, Json]]:
    """A row a region of the exported answers; `always` one row at least."""
    exported_as = task.chosen.exported_as
    said: dict[str, Json] = {
        "key": task.key,
        "state": task.record.state.value,
        "exported_as": exported_as.value if exported_as else None,
        "split": task.part or None,
    }
    count = 0
    for answer in task.chosen.answers:
        for region in answer.result:
            count += 1
            yield {**said, **_annotation(answer), **_region(region, plan)}
        if not answer.result and always:
            count += 1
            yield {**said, **_annotation(answer)}
    if not count and always:
        yield said


def _annotation(answer: Annotation) -> dict[str, Json]:
    return {
        "annotator": answer.annotator,
        "unique_id": answer.unique_id,
        "round": answer.round,
        "ground_truth": answer.ground_truth,
        "created_at": answer.created_at,
        "updated_at": answer.updated_at,
    }


def _region(region: Mapping[str, Json], plan: Plan) -> dict[str, Json]:
    value, names = value_of(region), labels(region)
    control = str(region.get("from_name"))
    whole: Mapping[str, Json] = region if is_relation(region) else value
    return {
        "region_id": _as(str, region.get("id")),
        "from_name": _as(str, region.get("from_name")),
        "to_name": _as(str, region.get("to_name")),
        "type": _as(str, region.get("type")),
        "label": names[0] if names else None,
        "labels": [*names],
        "class_id": plan.class_id(control, names[0]) if names else None,
        **{name: _number(value.get(name)) for name in _GEOMETRY},
        "original_width": _as(int, region.get("original_width")),
        "original_height": _as(int, region.get("original_height")),
        "value": json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    }


def _as(kind: type, value: Json) -> Json:
    return value if type(value) is kind else None


def _number(value: Json) -> Json:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
