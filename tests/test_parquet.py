"""Snapshots as files: the same bytes each time, nothing lost, read by any Parquet reader."""

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.core.canonical import encode_record
from ops.core.names import record_path
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.core.snapshot import Figures, record_checksum, region_columns, task_columns
from ops.errors import InternalError, InvalidDataError
from ops.parquet import Column, read_rows, read_states, read_tasks, write_rows, write_snapshot
from tests import strategies

# By name: no module but ops/parquet.py imports the library when it is imported.
_ARROW, _PARQUET = import_module("pyarrow"), import_module("pyarrow.parquet")
_TIME = "2026-11-21T14:02:00.250000Z"


def _packed(records: list[Record]) -> tuple[bytes, bytes, Figures]:
    tasks, annotations = BytesIO(), BytesIO()
    stored = ((record_path(one.task.key), encode_record(one)) for one in records)
    figures = write_snapshot(stored, tasks=tasks, annotations=annotations)
    return tasks.getvalue(), annotations.getvalue(), figures


def _rows(data: bytes) -> list[dict[str, object]]:
    return _PARQUET.read_table(BytesIO(data)).to_pylist()


def _record(number: int) -> Record:
    key = TaskKey(f"{number:06}.jpg")
    media = Media(path=f"images/{key}", checksum="c" * 32, size_bytes=number)
    one = Annotation(
        unique_id=f"u{number}",
        annotator="ada@example.com",
        round="cheese-1",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest="0" * 64,
        result=tuple({"id": f"r{one}", "type": "choices"} for one in range(number % 4)),
    )
    return Record(task=Task(key=key, media=media), annotations=(one,))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(strategies.records(), max_size=4, unique_by=lambda record: record.task.key).map(
        lambda records: sorted(records, key=lambda record: record.task.key)
    )
)
def test_a_snapshot_holds_what_the_records_say(records: list[Record]) -> None:
    """Row by row, and the records themselves byte by byte."""
    tasks, annotations, figures = _packed(records)
    assert _rows(tasks) == [task_columns(one, encode_record(one)) for one in records]
    assert _rows(annotations) == [row for one in records for row in region_columns(one)]
    stored = [(one.key, one.data, one.checksum) for one in read_tasks(tasks)]
    expected = [(one.task.key, encode_record(one)) for one in records]
    assert stored == [(key, data, record_checksum(data)) for key, data in expected]
    assert read_states(tasks) == {one.task.key: one.state for one in records}
    assert figures.counts.tasks == len(records)
    again = _packed(records)
    assert again == (tasks, annotations, figures)


def test_an_empty_snapshot_has_its_columns() -> None:
    """A dataset without a task can be read like any other."""
    tasks, annotations, figures = _packed([])
    assert _rows(tasks) == _rows(annotations) == []
    table = _PARQUET.read_table(BytesIO(annotations))
    assert {"key", "label", "x", "points"} <= set(table.schema.names)
    assert figures.digest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_times_and_numbers_are_typed() -> None:
    """Nobody parses text to train."""
    _, annotations, _ = _packed([_record(1)])
    schema = _PARQUET.read_table(BytesIO(annotations)).schema
    assert schema.field("created_at").type == _ARROW.timestamp("us", tz="UTC")
    assert schema.field("x").type == _ARROW.float64()
    assert schema.field("points").type == _ARROW.list_(_ARROW.list_(_ARROW.float64()))
    assert schema.field("labels").type == _ARROW.list_(_ARROW.string())


def test_rows_come_in_groups_of_one_size() -> None:
    """However many there are: a reader skips groups, a writer holds one."""
    tasks, annotations, _ = _packed([_record(number) for number in range(2_500)])
    for data, size in ((tasks, 1_000), (annotations, 10_000)):
        facts = _PARQUET.ParquetFile(BytesIO(data)).metadata
        sizes = [facts.row_group(group).num_rows for group in range(facts.num_row_groups)]
        assert all(count == size for count in sizes[:-1])
        assert 0 < sizes[-1] <= size
    assert len(_rows(tasks)) == 2_500
    assert len(_rows(annotations)) == sum(number % 4 for number in range(2_500))


def test_records_are_taken_one_by_one() -> None:
    """The next record is asked for when the last is packed: memory does not grow with the input."""
    asked: list[int] = []

    def stored() -> Iterator[tuple[str, bytes]]:
        for number in range(3):
            asked.append(number)
            record = _record(number)
            yield record_path(record.task.key), encode_record(record)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_snapshot(stored(), tasks=BytesIO(), annotations=BytesIO())
    assert asked == [0, 1, 2]


def test_reading_is_lazy() -> None:
    """The first record is there before the last was decompressed."""
    tasks, _, _ = _packed([_record(number) for number in range(3)])
    records = read_tasks(tasks)
    assert next(records).key == "000000.jpg"
    assert [one.key for one in records] == ["000001.jpg", "000002.jpg"]


def test_disorder_is_refused() -> None:
    """The rows of a snapshot are sorted."""
    with pytest.raises(InternalError, match="comes after"):
        _packed([_record(2), _record(1)])


def _table(**columns: list[str]) -> bytes:
    sink = BytesIO()
    _PARQUET.write_table(_ARROW.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"no parquet", b"PAR1" + b"\0" * 100, _table(key=["a"]), _table(key=["a"], state=["x"])],
)
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    """Damaged, foreign, or of a later schema."""
    with pytest.raises(InvalidDataError) as caught:
        read_states(data)
    assert caught.value.subject == "snapshot/tasks.parquet"
    assert caught.value.__cause__ is not None
    with pytest.raises(InvalidDataError):
        list(read_tasks(data))


def test_a_truncated_snapshot_is_refused() -> None:
    """Half a file gives no half a dataset."""
    tasks, _, _ = _packed([_record(number) for number in range(50)])
    with pytest.raises(InvalidDataError):
        list(read_tasks(tasks[: len(tasks) // 2]))


def _documented(file: str) -> list[str]:
    """The columns the reference lists for a file: name and type."""
    page = Path(__file__).parents[1] / "docs" / "reference" / "snapshot.md"
    section = page.read_text(encoding="utf-8").split(f"## `{file}`")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return [f"{name.strip().strip('`')}: {kind.strip()}" for name, kind in rows]


def test_the_reference_lists_the_columns() -> None:
    """Each with its type, in the order of the file."""
    words = {
        "string": "string",
        "bool": "bool",
        "int64": "int64",
        "double": "double",
        "list<element: string>": "list of string",
        "list<element: list<element: double>>": "list of list of double",
        "timestamp[us, tz=UTC]": "timestamp, UTC",
    }
    tasks, annotations, _ = _packed([_record(1)])
    for file, data in (("tasks", tasks), ("annotations", annotations)):
        schema = _PARQUET.ParquetFile(BytesIO(data)).schema_arrow
        columns = [
            f"{field.name}: {words[str(field.type)]}{' or null' if field.nullable else ''}"
            for field in schema
        ]
        assert columns == _documented(f"snapshot/{file}.parquet")


_COLUMNS = {
    "key": Column.TEXT,
    "labels": Column.TEXTS,
    "count": Column.WHOLE,
    "score": Column.NUMBER,
    "odd": Column.FLAG,
}


def test_a_table_gives_its_rows_back_in_their_order() -> None:
    """Nulls too; the same rows are the same bytes; only the columns asked for are read."""
    rows: list[dict[str, Json]] = [
        {"key": "z/ä.png", "labels": ["brie"], "count": 2**40, "score": 0.5, "odd": True},
        {"key": "a.png", "labels": None, "count": None, "score": None, "odd": None},
    ]
    data = write_rows(rows, _COLUMNS)
    assert list(read_rows(data, list(_COLUMNS), path="splits/x.parquet")) == rows
    assert data == write_rows(iter(rows), _COLUMNS)
    assert [*read_rows(data, ["key"], path="x")] == [{"key": "z/ä.png"}, {"key": "a.png"}]
    assert [*read_rows(write_rows([], _COLUMNS), ["key"], path="x")] == []


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no parquet at all"])
def test_a_table_that_is_none_is_named(data: bytes) -> None:
    with pytest.raises(InvalidDataError) as caught:
        list(read_rows(data, ["key"], path="splits/x.parquet"))
    assert (caught.value.code, caught.value.subject) == ("table-invalid", "splits/x.parquet")


def test_a_table_without_a_column_is_refused() -> None:
    with pytest.raises(InvalidDataError):
        list(read_rows(write_rows([], _COLUMNS), ["nope"], path="x"))
