"""An export as Parquet: `tasks.parquet` and `annotations.parquet`.

Owns that both files grow side by side, in flat memory. What is in a row is ops/core/exporting/rows,
the same as in CSV.
"""

from collections.abc import Iterator, Mapping

from ops.core.exporting.files import ExportTask, Piece, Plan
from ops.core.exporting.rows import (
    REGION_COLUMNS,
    TASK_COLUMNS,
    Kind,
    Rows,
    region_rows,
    task_row,
)
from ops.parquet import Column, TableStream, table_schema

_TASKS, _REGIONS = "tasks.parquet", "annotations.parquet"
_COLUMNS: Mapping[Kind, Column] = {
    "text": Column.TEXT,
    "texts": Column.TEXTS,
    "whole": Column.WHOLE,
    "number": Column.NUMBER,
    "flag": Column.FLAG,
}


class Tables(Rows):
    """Writes Parquet."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet."""
        super().__init__(plan)
        self._tasks, self._regions = _stream(TASK_COLUMNS), _stream(REGION_COLUMNS)

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """A row for the task, and one a region of its exported answers."""
        yield Piece(_TASKS, self._tasks.write(task_row(task, self.picture(task))))
        for row in region_rows(task, self.plan):
            yield Piece(_REGIONS, self._regions.write({**_EMPTY, **row}))

    def end(self) -> Iterator[Piece]:
        """The rest of both files."""
        yield Piece(_TASKS, self._tasks.close())
        yield Piece(_REGIONS, self._regions.close())


_EMPTY: Mapping[str, None] = dict.fromkeys(REGION_COLUMNS)


def _stream(columns: Mapping[str, Kind]) -> TableStream:
    return TableStream(table_schema({name: _COLUMNS[kind] for name, kind in columns.items()}))
