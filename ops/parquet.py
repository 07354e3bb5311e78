"""Snapshots and other tables as Parquet files: the one place that imports pyarrow.

Owns the files' schema and layout: the same rows are the same bytes, whoever writes them with the
same pyarrow. Does not decide what is in a row (ops/core/snapshot.py). pyarrow ships partial types:
they end here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from io import BytesIO
from types import ModuleType, TracebackType
from typing import BinaryIO, NoReturn, Self, cast

from ops.core.names import TASKS_PARQUET
from ops.core.records import Json, Record, TaskKey, TaskState
from ops.core.snapshot import (
    Figures,
    RegionColumns,
    StoredRecord,
    Tally,
    TaskColumns,
    read_in_order,
    region_columns,
    task_columns,
)
from ops.errors import InvalidDataError

# Rows a group: what is held in memory while writing, and the unit a reader can skip.
_TASKS_A_GROUP = 1_000
_REGIONS_A_GROUP = 10_000
_COMPRESSION_LEVEL = 3


def write_snapshot(
    records: Iterable[tuple[str, bytes]], *, tasks: BinaryIO, annotations: BinaryIO
) -> Figures:
    """Pack records and give what was counted on the way; deterministic, in memory of a few groups.

    Args:
        records: `(path, bytes)` of each record, in the order of their keys (a path without
            `annotations/` and `.json`), which is not quite a listing's.
        tasks: where `snapshot/tasks.parquet` is written, a row a task, by key.
        annotations: where `snapshot/annotations.parquet` is written, a row a region, by key.

    Raises:
        InternalError: the records are not in order.
        InvalidDataError: one of them is no record.
    """
    return write_records(read_in_order(records), tasks=tasks, annotations=annotations)


def write_records(
    records: Iterable[tuple[Record, bytes]], *, tasks: BinaryIO, annotations: BinaryIO
) -> Figures:
    """Pack records that are decoded already, as write_snapshot; in the order they come in."""
    tally = Tally()
    with (
        _Writer(tasks, _task_schema(), _TASKS_A_GROUP) as task_rows,
        _Writer(annotations, _region_schema(), _REGIONS_A_GROUP) as region_rows,
    ):
        for record, data in records:
            row = task_columns(record, data)
            tally.add(record, row)
            task_rows.write([row])
            region_rows.write(region_columns(record))
    return tally.figures()


def read_tasks(data: bytes) -> Iterator[StoredRecord]:
    """The records in a `snapshot/tasks.parquet`, by key, a group at a time.

    A later snapshot takes from here the records whose `checksum` main still lists, instead of
    reading each object.

    Raises:
        InvalidDataError: it is no such file.
    """
    for row in _rows(data, ["key", "record", "record_checksum"]):
        yield StoredRecord(
            key=TaskKey(row["key"]), data=row["record"].encode(), checksum=row["record_checksum"]
        )


def read_states(data: bytes) -> dict[TaskKey, TaskState]:
    """The state of each task in a `snapshot/tasks.parquet`.

    Raises:
        InvalidDataError: it is no such file.
    """
    try:
        rows = _rows(data, ["key", "state"])
        return {TaskKey(row["key"]): TaskState(row["state"]) for row in rows}
    except ValueError as error:
        _refuse(error)


class Column(StrEnum):
    """What a column of a table holds; any of them may be null."""

    TEXT = "text"
    TEXTS = "texts"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"


def write_rows(rows: Iterable[Mapping[str, Json]], columns: Mapping[str, Column]) -> bytes:
    """The bytes of a table, in the order the rows come in; the same rows are the same bytes.

    Args:
        rows: each with a value, or null, for every column.
        columns: what each column holds, in the file's order.
    """
    arrow, parquet = _pyarrow()
    schema = arrow.schema([arrow.field(name, _type(kind)) for name, kind in columns.items()])
    sink = BytesIO()
    table = arrow.Table.from_pylist(list(rows), schema=schema)
    parquet.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        row_group_size=_REGIONS_A_GROUP,
    )
    return sink.getvalue()


def _type(column: Column) -> object:
    arrow, _ = _pyarrow()
    match column:
        case Column.TEXT:
            return arrow.string()
        case Column.TEXTS:
            return arrow.list_(arrow.string())
        case Column.WHOLE:
            return arrow.int64()
        case Column.NUMBER:
            return arrow.float64()
        case Column.FLAG:
            return arrow.bool_()


def table_schema(columns: Mapping[str, Column]) -> object:
    """The pyarrow schema of a table of these columns, in this order."""
    arrow, _ = _pyarrow()
    return arrow.schema([arrow.field(name, _type(kind)) for name, kind in columns.items()])


class TableStream:
    """A table written piece by piece: rows in, the next bytes of the file out; flat memory."""

    def __init__(self, schema: object, *, group: int = _REGIONS_A_GROUP) -> None:
        """Nothing is written yet.

        Args:
            schema: pyarrow's, as table_schema makes it, or as another library does.
            group: rows a group: what is held in memory.
        """
        self._arrow, parquet = _pyarrow()
        self._schema, self._group = schema, group
        self._rows: list[Mapping[str, object]] = []
        self._sink = _Pieces()
        self._writer = parquet.ParquetWriter(
            self._sink, schema, compression="zstd", compression_level=_COMPRESSION_LEVEL
        )

    def write(self, row: Mapping[str, object]) -> bytes:
        """Take one row in, and give what there is of the file since the last time."""
        self._rows.append(row)
        if len(self._rows) == self._group:
            self._flush()
        return self._sink.taken()

    def _flush(self) -> None:
        table = self._arrow.Table.from_pylist(self._rows, schema=self._schema)
        self._writer.write_table(table, row_group_size=self._group)
        self._rows.clear()

    def close(self) -> bytes:
        """The rest of the file."""
        if self._rows:
            self._flush()
        self._writer.close()
        return self._sink.taken()


class _Pieces:
    """A file, as pyarrow asks for one, that is taken away while it is written."""

    closed = False

    def __init__(self) -> None:
        self._held = bytearray()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._held += data
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data


def read_rows(data: bytes, columns: Sequence[str], *, path: str) -> Iterator[Mapping[str, Json]]:
    """The rows of a table that ops wrote, by the columns asked for, a group at a time.

    Args:
        data: the file.
        columns: their names.
        path: where it lies, for the error.

    Raises:
        InvalidDataError: it is no Parquet file, or lacks one of the columns.
    """
    arrow, parquet = _pyarrow()
    try:
        file = parquet.ParquetFile(BytesIO(data))
        # A file without rows gives no batch, which would be found to lack the column.
        file.schema_arrow.empty_table().select(columns)
        for batch in file.iter_batches(batch_size=_REGIONS_A_GROUP, columns=list(columns)):
            yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        _refuse_table(error, path)


def differing_keys(stored: bytes, packed: bytes) -> Sequence[TaskKey]:
    """The tasks whose rows are not the same in two files of one kind, sorted; none where all are.

    Compares what the files say, not their bytes: another pyarrow writes other bytes.

    Raises:
        InvalidDataError: one of them is no Parquet file, or has no keys.
    """
    arrow, parquet = _pyarrow()
    try:
        tables = [parquet.read_table(BytesIO(data)) for data in (stored, packed)]
        if tables[0].equals(tables[1]):
            return []
        one, two = (_by_key(table.to_pylist()) for table in tables)
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        _refuse(error)
    return sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))


def _by_key(rows: Iterable[Mapping[str, object]]) -> Mapping[TaskKey, list[Mapping[str, object]]]:
    found: dict[TaskKey, list[Mapping[str, object]]] = {}
    for row in rows:
        found.setdefault(TaskKey(str(row["key"])), []).append(row)
    return found


def _rows(data: bytes, columns: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Rows of a tasks file, by columns that hold text.

    Raises:
        InvalidDataError: it is no such file.
    """
    arrow, parquet = _pyarrow()
    try:
        file = parquet.ParquetFile(BytesIO(data))
        for batch in file.iter_batches(batch_size=_TASKS_A_GROUP, columns=list(columns)):
            # pyarrow leaves out a column that is not there without a word.
            yield from map(_texts, batch.select(columns).to_pylist())
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        _refuse(error)


def _texts(row: Mapping[str, object]) -> Mapping[str, str]:
    """The row, of which every column holds a text.

    Raises:
        ValueError: one does not.
    """
    texts = {name: value for name, value in row.items() if isinstance(value, str)}
    if len(texts) != len(row):
        raise ValueError(row)
    return texts


def _refuse(cause: Exception) -> NoReturn:
    raise InvalidDataError(
        "snapshot-invalid",
        f"{TASKS_PARQUET} is damaged, or no snapshot of this version of ops",
        subject=TASKS_PARQUET,
        unchanged="nothing was written",
        hint="see which commit changed it: ops dataset log",
    ) from cause


def _refuse_table(cause: Exception, path: str) -> NoReturn:
    raise InvalidDataError(
        "table-invalid",
        f"{path} is damaged, or no table of this version of ops",
        subject=path,
        unchanged="nothing was written",
        hint="see which commit changed it: ops dataset log",
    ) from cause


class _Writer:
    """Writes rows in groups of one size, as many as come."""

    def __init__(self, sink: BinaryIO, schema: object, group: int) -> None:
        arrow, parquet = _pyarrow()
        self._arrow = arrow
        self._schema = schema
        self._group = group
        self._rows: list[TaskColumns | RegionColumns] = []
        self._writer = parquet.ParquetWriter(
            sink, schema, compression="zstd", compression_level=_COMPRESSION_LEVEL
        )

    def write(self, rows: Iterable[TaskColumns | RegionColumns]) -> None:
        for row in rows:
            self._rows.append(row)
            if len(self._rows) == self._group:
                self._flush()

    def _flush(self) -> None:
        table = self._arrow.Table.from_pylist(self._rows, schema=self._schema)
        self._writer.write_table(table, row_group_size=self._group)
        self._rows.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._rows:
            self._flush()
        self._writer.close()


def _task_schema() -> object:
    arrow, _ = _pyarrow()
    text, texts, whole = arrow.string(), arrow.list_(arrow.string()), arrow.int64()
    return arrow.schema(
        [
            arrow.field("key", text, nullable=False),
            arrow.field("media_path", text, nullable=False),
            arrow.field("media_checksum", text, nullable=False),
            arrow.field("media_sha256", text),
            arrow.field("width", whole),
            arrow.field("height", whole),
            arrow.field("size_bytes", whole, nullable=False),
            arrow.field("state", text, nullable=False),
            arrow.field("annotators", texts, nullable=False),
            arrow.field("annotation_count", whole, nullable=False),
            arrow.field("region_count", whole, nullable=False),
            arrow.field("labels", texts, nullable=False),
            arrow.field("record", text, nullable=False),
            arrow.field("record_sha256", text, nullable=False),
            arrow.field("record_checksum", text, nullable=False),
        ]
    )


def _region_schema() -> object:
    arrow, _ = _pyarrow()
    text, number, flag = arrow.string(), arrow.float64(), arrow.bool_()
    moment = arrow.timestamp("us", tz="UTC")
    return arrow.schema(
        [
            *(arrow.field(name, text, nullable=False) for name in ("key", "unique_id")),
            *(arrow.field(name, text, nullable=False) for name in ("annotator", "round")),
            *(arrow.field(name, flag, nullable=False) for name in ("ground_truth", "skipped")),
            *(arrow.field(name, text) for name in ("region_id", "from_name", "to_name", "type")),
            arrow.field("label", text),
            arrow.field("labels", arrow.list_(text), nullable=False),
            *(arrow.field(name, number) for name in ("x", "y", "width", "height", "rotation")),
            arrow.field("points", arrow.list_(arrow.list_(number))),
            *(arrow.field(name, arrow.int64()) for name in ("original_width", "original_height")),
            arrow.field("value", text),
            arrow.field("origin", text, nullable=False),
            *(arrow.field(name, moment, nullable=False) for name in ("created_at", "updated_at")),
            arrow.field("ontology_digest", text, nullable=False),
        ]
    )


def snapshot_schemas() -> tuple[object, object]:
    """The schemas of a snapshot's tasks and annotations."""
    return _task_schema(), _region_schema()


def libraries() -> tuple[ModuleType, ModuleType, ModuleType]:
    """pyarrow, its Parquet module and its datasets, for ops/arrow.py; imported late."""
    from pyarrow import dataset

    return *_pyarrow(), cast("ModuleType", dataset)


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    """The library and its Parquet module, imported late: it takes 0.2 s."""
    import pyarrow as pa
    from pyarrow import parquet

    return cast("ModuleType", pa), cast("ModuleType", parquet)
