"""Tables in memory: Parquet files as Arrow's datasets and tables, and tables as Parquet files.

Owns what the SQL engine and the joining of files need of pyarrow, which ops/parquet.py imports. The
values are Arrow's own objects: nothing here turns a row into Python but where it says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import NoReturn, Protocol, cast

from ops.core.records import TaskKey
from ops.errors import InvalidDataError
from ops.parquet import Column, libraries, snapshot_schemas, table_schema

_COMPRESSION_LEVEL = 3
_ROWS_A_GROUP = 10_000


def open_dataset(files: Mapping[str, bytes]) -> object:
    """Parquet files as one Arrow dataset, of which a reader decodes only the columns it asks for.

    Args:
        files: the bytes of each by its path, at least one; all of one schema.

    Raises:
        InvalidDataError: one of them is no Parquet file.
    """
    arrow, _, library = libraries()
    form = library.ParquetFileFormat()
    fragments: list[object] = []
    schema: object = None
    for path, data in files.items():
        try:
            fragment = form.make_fragment(arrow.BufferReader(data))
            schema = schema or fragment.physical_schema
        except (arrow.ArrowException, OSError, ValueError) as error:
            _refuse(path, error)
        fragments.append(fragment)
    return library.FileSystemDataset(fragments, schema, form)


def column_names(data: bytes, path: str) -> Sequence[str]:
    """The columns of a Parquet file, in their order; decodes no row.

    Raises:
        InvalidDataError: it is no Parquet file.
    """
    _, parquet, _ = libraries()
    open_dataset({path: data})
    return list(parquet.ParquetFile(BytesIO(data)).schema_arrow.names)


def arrow_table(columns: Mapping[str, Sequence[object]], kinds: Mapping[str, Column]) -> object:
    """Columns of Python values as an Arrow table.

    Args:
        columns: the values by name, all of one length.
        kinds: what each column holds, in their order.
    """
    arrow, _, _ = libraries()
    schema = cast("Iterable[_ArrowField]", table_schema(kinds))
    arrays = [arrow.array(columns[field.name], type=field.type) for field in schema]
    return arrow.Table.from_arrays(arrays, schema=schema)


def read_arrow(data: bytes, path: str) -> object:
    """A Parquet file as an Arrow table, without what pandas and others say of it besides.

    Raises:
        InvalidDataError: it is no Parquet file.
    """
    arrow, parquet, _ = libraries()
    try:
        table = parquet.read_table(BytesIO(data))
    except (arrow.ArrowException, OSError, ValueError) as error:
        _refuse(path, error)
    return table.replace_schema_metadata(None)


def column_types(table: object) -> Mapping[str, str]:
    """An Arrow table's columns with their types in Arrow's words, in their order."""
    return {field.name: str(field.type) for field in cast("_Arrow", table).schema}


def column_values(table: object, column: str) -> Sequence[object]:
    """A column of an Arrow table as Python values."""
    return cast("_Arrow", table).column(column).to_pylist()


def keyed_rows(table: object, rows: Mapping[TaskKey, int]) -> bytes:
    """Rows of an Arrow table as a Parquet file by key: `key` first, then the table's columns.

    Args:
        table: the table; a column `key` of its own is left out.
        rows: the row of each key, by key in the order wanted.
    """
    arrow, parquet, _ = libraries()
    keys = arrow.array(list(rows), type=arrow.string())
    taken = cast("_Arrow", table).take(arrow.array(list(rows.values()), type=arrow.int64()))
    kept = [field for field in taken.schema if field.name.lower() != "key"]
    schema = arrow.schema([arrow.field("key", arrow.string(), nullable=False), *kept])
    columns = [keys, *(taken.column(field.name) for field in kept)]
    sink = BytesIO()
    parquet.write_table(
        arrow.Table.from_arrays(columns, schema=schema),
        sink,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        row_group_size=_ROWS_A_GROUP,
    )
    return sink.getvalue()


def write_arrow(table: object) -> bytes:
    """An Arrow table as a Parquet file."""
    _, parquet, _ = libraries()
    sink = BytesIO()
    parquet.write_table(table, sink, compression="zstd", compression_level=_COMPRESSION_LEVEL)
    return sink.getvalue()


class _ArrowField(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def type(self) -> object: ...


class _ArrowColumn(Protocol):
    def to_pylist(self) -> list[object]: ...


class _Arrow(Protocol):
    """What of Arrow's tables is used."""

    @property
    def schema(self) -> Iterable[_ArrowField]: ...

    def column(self, name: str) -> _ArrowColumn: ...

    def take(self, indices: object) -> "_Arrow": ...


def empty_snapshot() -> tuple[object, object]:
    """What a commit before the first version has: tables of tasks and annotations without a row."""
    arrow, _, _ = libraries()
    tasks, regions = snapshot_schemas()
    return (
        arrow.Table.from_pylist([], schema=tasks),
        arrow.Table.from_pylist([], schema=regions),
    )


def _refuse(path: str, cause: Exception) -> NoReturn:
    raise InvalidDataError(
        "table-invalid",
        f"{path} is no Parquet file, or a damaged one",
        subject=path,
        unchanged="nothing was written",
        hint="see which commit changed it: ops dataset log",
    ) from cause
