"""SQL over a commit: the same answers as plain Python gives, and nothing but answers."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.names import MAIN
from ops.core.records import CommitId, TaskKey
from ops.errors import InvalidDataError, UsageError
from ops.parquet import Column
from ops.ports import Upload
from ops.runner.deposit import deposit
from ops.runner.table_sources import PREDICTION_KINDS
from ops.runner.tables import Tables, open_tables
from tests.runner.asked import PREDICTED, Asked, CountingLake, Row
from tests.runner.world import World

ARROW: Any = import_module("pyarrow")
PARQUET: Any = import_module("pyarrow.parquet")

ANN, BEN = "ann@example.org", "ben@example.org"
Truth = Callable[[Asked], object]


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.fixture(scope="module")
def tables(asked: Asked) -> Iterator[Tables]:
    with open_tables(asked.world.context, asked.commit) as opened:
        yield opened


def _answers(asked: Asked) -> Iterator[tuple[TaskKey, str, int]]:
    for key, record in asked.records.items():
        for one in record.annotations:
            yield key, one.annotator, len(one.result)


def _by_label(asked: Asked) -> list[tuple[str, int, int]]:
    said = [row for row in asked.rows if row.label]
    counts = Counter(str(row.label) for row in said)
    return [
        (label, count, len({row.key for row in said if row.label == label}))
        for label, count in sorted(counts.items())
    ]


def _figures(numbers: list[float]) -> tuple[float, float, float]:
    return min(numbers), max(numbers), sum(numbers) / len(numbers)


def _busiest(asked: Asked) -> list[tuple[str, int]]:
    counts = Counter(row.key for row in asked.rows if row.label)
    return sorted((key, n) for key, n in counts.items() if n == max(counts.values()))


TRUTHS: list[tuple[str, Truth]] = [
    ("SELECT count(*) FROM tasks", lambda a: [(len(a.keys),)]),
    ("SELECT key, state FROM tasks ORDER BY key", lambda a: [(k, a.state(k)) for k in a.keys]),
    (
        "SELECT state, count(*) FROM tasks GROUP BY state ORDER BY state",
        lambda a: sorted(Counter(a.state(key) for key in a.keys).items()),
    ),
    ("SELECT count(*) FROM labels", lambda a: [(len(a.rows),)]),
    (
        "SELECT count(*) FROM annotations",
        lambda a: [(sum(count for _, _, count in _answers(a)),)],
    ),
    (
        "SELECT label, count(*), count(DISTINCT key) FROM annotations GROUP BY 1 ORDER BY 1",
        _by_label,
    ),
    (
        "SELECT DISTINCT annotator FROM annotations WHERE NOT skipped ORDER BY 1",
        lambda a: sorted({(r.annotator,) for r in a.rows if r.skipped is False}),
    ),
    (
        "SELECT key FROM tasks WHERE 'gouda' = ANY(labels) ORDER BY key",
        lambda a: sorted({(r.key,) for r in a.rows if r.label == "gouda" and not r.skipped}),
    ),
    (
        "SELECT key, region_count FROM tasks WHERE region_count > 0 ORDER BY key",
        lambda a: sorted(
            Counter(r.key for r in a.rows if r.label and not r.skipped).items()
        ),
    ),
    (
        "SELECT key, len(annotators) FROM tasks WHERE annotation_count > 1",
        lambda a: [("p000.png", 2)] if len(a.records[a.keys[0]].annotations) == 2 else [],
    ),
    (
        "SELECT min(x), max(x), avg(x) FROM annotations",
        lambda a: [_figures([r.x for r in a.rows if r.x is not None])],
    ),
    ("SELECT sum(width * height) FROM tasks", lambda a: [(160 * 120 * len(a.keys),)]),
    (
        "SELECT key FROM labels WHERE label IS NULL ORDER BY key",
        lambda a: [(r.key,) for r in a.rows if r.label is None],
    ),
    (
        "SELECT camera, count(*) FROM tasks GROUP BY camera ORDER BY camera NULLS FIRST",
        lambda a: [(None, len(a.keys) - 1), ("left", 1)],
    ),
    (
        "SELECT key, iso FROM meta_shots ORDER BY iso DESC LIMIT 2",
        lambda a: sorted(
            ((s["key"], s["iso"]) for s in a.shots), key=lambda pair: -int(str(pair[1]))
        )[:2],
    ),
    (
        "SELECT DISTINCT t.state, m.state FROM tasks t JOIN meta_shots m USING (key) ORDER BY 1",
        lambda a: sorted({(a.state(TaskKey(str(s["key"]))), "kept") for s in a.shots}),
    ),
    (
        "SELECT count(*) FROM tasks ANTI JOIN meta_shots USING (key)",
        lambda a: [(len(a.keys) - len(a.shots),)],
    ),
    (
        "SELECT key FROM predictions WHERE score < 0.5 OR score IS NULL ORDER BY key",
        lambda a: [(p["key"],) for p in a.predicted if p["score"] != 0.5],
    ),
    (
        "SELECT t.key FROM tasks t JOIN predictions p USING (key) WHERE t.state = 'unfinished'"
        " ORDER BY 1",
        lambda a: [(p["key"],) for p in a.predicted
                   if a.state(TaskKey(str(p["key"]))) == "unfinished"],
    ),
    (
        'SELECT split, part, count(*), min("group") FROM splits GROUP BY ALL ORDER BY ALL',
        lambda _: [("a'b", "test", 3, "10"), ("a'b", "train", 9, "0"), ("fair", "train", 2, "0")],
    ),
    (
        "SELECT run, model, version, (metrics->>'$.map')::DOUBLE FROM runs",
        lambda _: [("r1", "net", 2, 0.5)],
    ),
    ("SELECT count(*) FROM profile", lambda _: [(0,)]),
    (
        "WITH busy AS (SELECT key, count(*) AS n FROM annotations GROUP BY key)"
        " SELECT key, n FROM busy WHERE n = (SELECT max(n) FROM busy) ORDER BY key",
        _busiest,
    ),
    (
        "SELECT key, row_number() OVER (PARTITION BY state ORDER BY key) FROM tasks"
        " QUALIFY row_number() OVER (PARTITION BY state ORDER BY key) = 1 ORDER BY key",
        lambda a: sorted(
            (min(k for k in a.keys if a.state(k) == state), 1)
            for state in {a.state(k) for k in a.keys}
        ),
    ),
    (
        "SELECT key FROM tasks WHERE isnan(sharpness)",
        lambda a: [(s["key"],) for s in a.shots if s["sharpness"] != s["sharpness"]],
    ),
    ("SELECT unnest([1, 2]) AS n, * FROM range(1)", lambda _: [(1, 0), (2, 0)]),
    ("VALUES (1, 'a;b -- c')", lambda _: [(1, "a;b -- c")]),
    ("SELECT count(*) FROM (DESCRIBE tasks)", lambda _: [(16,)]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "truth"), TRUTHS, ids=[sql[:60] for sql, _ in TRUTHS])
def test_an_answer_is_the_one_plain_python_gives(
    sql: str, truth: Truth, asked: Asked, tables: Tables
) -> None:
    """From the records themselves, one by one."""
    wanted = truth(asked)
    assert list(tables.query(sql)) == wanted
    # The same where it is the first question, and nothing is loaded yet.
    with open_tables(asked.world.context, asked.commit) as fresh:
        assert list(fresh.query(sql)) == wanted


Fact = Callable[[Row], bool | None]


def _compared(value: object, other: object, *, is_equal: bool) -> bool | None:
    return None if value is None else (value == other) is is_equal


def _above(value: float | None, least: float) -> bool | None:
    return None if value is None else value > least


ATOMS: list[tuple[str, Fact]] = [
    ("label = 'brie'", lambda r: _compared(r.label, "brie", is_equal=True)),
    ("label <> 'gouda'", lambda r: _compared(r.label, "gouda", is_equal=False)),
    ("label IS NULL", lambda r: r.label is None),
    (f"annotator <> '{ANN}'", lambda r: _compared(r.annotator, ANN, is_equal=False)),
    (f"Annotator IN ('{BEN}')", lambda r: _compared(r.annotator, BEN, is_equal=True)),
    ("x > 10.5", lambda r: _above(r.x, 10.5)),
    ("skipped", lambda r: r.skipped),
    ("state = 'labeled'", lambda r: r.state == "labeled"),
    ("labels.state IN ('empty', 'unfinished')", lambda r: r.state in {"empty", "unfinished"}),
    ("camera = 'left'", lambda r: _compared(r.camera, "left", is_equal=True)),
    ("iso > 300", lambda r: _above(r.iso, 300)),
    ("key < 'p005'", lambda r: r.key < "p005"),
]


def _not(fact: Fact) -> Fact:
    def negated(row: Row) -> bool | None:
        value = fact(row)
        return None if value is None else not value

    return negated


def _joined(one: Fact, other: Fact, *, is_and: bool) -> Fact:
    def both(row: Row) -> bool | None:
        values = (one(row), other(row))
        if (not is_and) in values:
            return not is_and
        return None if None in values else is_and

    return both


CONDITIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"NOT (\n{one[0]}\n)", _not(one[1]))),
        st.tuples(inner, inner, st.booleans()).map(
            lambda pair: (
                f"(\n{pair[0][0]}\n) {'AND' if pair[2] else 'OR'} (\n{pair[1][0]}\n) -- so",
                _joined(pair[0][1], pair[1][1], is_and=pair[2]),
            )
        ),
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=60)
@given(CONDITIONS)
def test_a_condition_takes_a_task_if_any_row_fulfils_it(
    asked: Asked, tables: Tables, condition: tuple[str, Fact]
) -> None:
    """With SQL's three values: what is not known is not fulfilled, and neither is its opposite."""
    text, fact = condition
    wanted = sorted({row.key for row in asked.rows if fact(row) is True})
    assert tables.keys_where(text) == wanted


def test_a_condition_may_ask_other_tables(asked: Asked, tables: Tables) -> None:
    wanted = [key for key in asked.keys if key >= "p009.png"]
    said = "key IN (SELECT key FROM splits WHERE split = 'a''b' AND part = 'test')"
    assert tables.keys_where(said) == wanted
    assert tables.keys_where("EXISTS (FROM predictions p WHERE p.key = labels.key)") == [
        "p000.png", "p008.png", "p009.png",
    ]  # fmt: skip


def test_a_select_names_its_tasks_by_key(tables: Tables) -> None:
    """What a saved query may be; rows without an image are none."""
    said = (
        "-- the busy ones\nSELECT key, count(*) FROM annotations GROUP BY key HAVING count(*) > 2;"
    )
    assert tables.keys_where(said) == ["p000.png", "p005.png"]
    assert tables.keys_where("SELECT unnest(['p001.png', 'no.png', NULL]) AS key") == ["p001.png"]
    for wrong in (
        "SELECT state FROM tasks",
        "SELECT 1 AS key",
        "SELECT key FROM tasks USING SAMPLE 3",
    ):
        with pytest.raises(UsageError):
            tables.keys_where(wrong)


def test_values_are_one_a_task(asked: Asked, tables: Tables) -> None:
    """Of a task's own columns, or by an aggregate over its regions."""
    states = tables.values("state")
    assert states == {key: asked.state(key) for key in asked.keys}
    assert list(states) == asked.keys
    regions = Counter(row.key for row in asked.rows if row.label)
    assert tables.values("count(label)") == {key: regions[key] for key in asked.keys}
    empty = "CASE WHEN state = 'empty' THEN 1.5 ELSE 2 END"
    for text, key, value in (
        ("max(x)", "p005.png", 12.0),
        ("iso", "p003.png", None),
        ("iso + 1", "p002.png", 201),
        (empty, "p002.png", 1.5),
        ("updated_at IS NULL", "p011.png", True),
    ):
        assert tables.values(text)[TaskKey(key)] == value


def test_several_values_of_one_task_are_refused_and_shown(tables: Tables) -> None:
    with pytest.raises(UsageError) as caught:
        tables.values("label")
    error = caught.value
    assert error.code == "sql-several-values"
    assert error.subject in {"p000.png", "p005.png"}
    assert "'brie'" in error.message
    assert "'gouda'" in error.message


def test_before_the_first_version_every_image_is_unfinished() -> None:
    world = World(2)
    with open_tables(world.context, CommitId(str(world.lake.find_commit(MAIN)))) as tables:
        assert list(tables.query("SELECT key, state, labels, width FROM tasks ORDER BY 1")) == [
            ("p000.png", "unfinished", [], 160),
            ("p001.png", "unfinished", [], 160),
        ]
        assert tables.keys_where("label IS NULL") == ["p000.png", "p001.png"]
        for table in tables.names:
            assert tables.columns(table)
            assert list(tables.query(f'FROM "{table}" WHERE false')) == []


def test_a_record_whose_image_is_gone_is_told_but_never_taken(asked: Asked) -> None:
    """It cannot be put before anybody."""
    images = [
        one
        for one in asked.world.lake.list_objects(asked.commit, "images/", metadata=True)
        if one.path != "images/p000.png"
    ]
    with open_tables(asked.world.context, asked.commit, images=images) as tables:
        assert list(tables.query("SELECT key FROM tasks WHERE NOT has_image")) == [("p000.png",)]
        assert "p000.png" not in tables.keys_where("label = 'brie'")
        assert "p000.png" not in tables.values("state")


@pytest.mark.parametrize(
    ("condition", "reads", "lists"),
    [
        ("state = 'labeled'", {"snapshot/tasks.parquet"}, {"metadata/", "images/"}),
        (
            "label = 'brie'",
            {"snapshot/tasks.parquet", "snapshot/annotations.parquet"},
            {"metadata/", "images/"},
        ),
    ],
)
def test_only_what_a_statement_names_is_read(
    condition: str, reads: set[str], lists: set[str], asked: Asked
) -> None:
    """Never a record, never a picture; a joined table's bytes for its columns' names."""
    lake = CountingLake(asked.world)
    with open_tables(replace(asked.world.context, lake=lake), asked.commit) as tables:
        tables.keys_where(condition)
        assert set(lake.paths) - {"metadata/shots.parquet"} == reads
        assert set(lake.listed) == lists
        before = len(lake.paths) + len(lake.listed)
        tables.keys_where(condition + " OR iso > 3")
        assert len(lake.paths) + len(lake.listed) == before


def test_the_columns_are_those_the_others_write() -> None:
    """An empty table looks as a full one does."""
    assert PREDICTION_KINDS == PREDICTED
    assert all(isinstance(kind, Column) for kind in PREDICTION_KINDS.values())


def test_rows_come_as_arrow_and_in_part(tables: Tables) -> None:
    rows = tables.query("SELECT key, width FROM tasks ORDER BY key")
    assert [(one.name, one.type) for one in rows.columns] == [
        ("key", "VARCHAR"),
        ("width", "BIGINT"),
    ]
    table: Any = rows.to_arrow()
    assert table.column("key").to_pylist()[:2] == ["p000.png", "p001.png"]
    assert len(list(rows.first(5))) == 5


@pytest.mark.parametrize(
    ("sql", "code", "parts"),
    [
        ("SELECT lable FROM labels", "sql-unknown-column", ["did you mean label?", "annotator"]),
        ("SELECT t.stat FROM tasks t", "sql-unknown-column", ["did you mean state?"]),
        ("SELECT zzz FROM annotations", "sql-unknown-column", ["there is: "]),
        ("SELECT 1 FROM task", "sql-unknown-table", ["did you mean tasks?", "meta_shots"]),
        ("SELECT 1 FROM Meta_Shot", "sql-unknown-table", ["did you mean meta_shots?"]),
        ("SELECT 1 FROM tasks\nWHERE stat = 'x'", "sql-unknown-column", ["did you mean state?"]),
        ("SELEC 1", "sql-invalid", ["--tables"]),
        ("SELECT nope(1)", "sql-invalid", ["--tables"]),
        ("SELECT state::INT FROM tasks", "sql-invalid", ["--tables"]),
        ("SELECT count(*) FROM tasks WHERE state", "sql-invalid", ["--tables"]),
        (
            "SELECT CASE WHEN i > 700000 THEN 'x' ELSE '1' END::INT FROM range(1000000) t(i)",
            "sql-invalid",
            ["--tables"],
        ),
    ],
)
def test_what_is_wrong_with_a_statement_is_said(
    sql: str, code: str, parts: list[str], tables: Tables
) -> None:
    """In one line, with the place, and what there is."""
    with pytest.raises(UsageError) as caught:
        list(tables.query(sql))
    error = caught.value
    assert (error.code, error.exit_code) == (code, 2)
    assert not [part for part in parts if part not in error.hint]
    assert "\n" not in error.message
    assert not [word for word in ("Error", "LINE", "Candidate", "duckdb") if word in error.message]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("state = 'x' AND lable = 1", "state = 'x' AND lable = 1\n                ^^^^^"),
        ("state =\n  lable", "  lable\n  ^^^^^"),
        ("state = = 1", "state = = 1\n        ^"),
    ],
)
def test_the_place_is_the_persons_own(text: str, place: str, tables: Tables) -> None:
    """Not where it stands in what is made of it."""
    with pytest.raises(UsageError) as caught:
        tables.keys_where(text)
    assert dict(caught.value.where)["sql"] == place


def test_a_damaged_table_is_the_datas_fault() -> None:
    """Not the statement's."""
    world = World(2)
    sink = BytesIO()
    PARQUET.write_table(ARROW.table({"key": ["p000.png"], "a": ["x" * 999]}), sink)
    data = bytearray(sink.getvalue())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[4:footer] = b"\xff" * (footer - 4)
    uploads = [Upload(path="metadata/bad.parquet", data=bytes(data))]
    deposit(world.context, "data-join", uploads, message="x")
    commit = CommitId(str(world.lake.find_commit(MAIN)))
    with open_tables(world.context, commit) as tables, pytest.raises(InvalidDataError) as caught:
        list(tables.query("SELECT a FROM meta_bad"))
    assert (caught.value.code, caught.value.subject) == ("table-damaged", "meta_bad")
    deposit(world.context, "data-join", [replace(uploads[0], data=b"no")], message="y")
    commit = CommitId(str(world.lake.find_commit(MAIN)))
    with open_tables(world.context, commit) as tables, pytest.raises(InvalidDataError) as caught:
        tables.query("SELECT 1 FROM tasks")
    assert caught.value.code == "table-invalid"
