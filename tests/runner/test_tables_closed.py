"""What SQL cannot do: write, look outside the commit, carry a second statement, change by itself.

Every way out that came to mind, one a line; the engine is tried without the checks before it, too.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OpsError, UsageError
from ops.runner.tables import Tables, open_tables
from tests.runner.asked import Asked

ARROW: Any = import_module("pyarrow")


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.fixture(scope="module")
def tables(asked: Asked) -> Iterator[Tables]:
    with open_tables(asked.world.context, asked.commit) as opened:
        yield opened


WRITES = [
    "CREATE TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW tasks AS SELECT 1",
    "CREATE TEMP MACRO f(x) AS x",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "INSERT INTO tasks VALUES (1)",
    "UPDATE tasks SET state = 'labeled'",
    "DELETE FROM annotations",
    "TRUNCATE annotations",
    "DROP VIEW tasks",
    "ALTER TABLE tasks ADD COLUMN x INT",
    "COPY (SELECT 1) TO '{file}'",
    "COPY tasks TO '{file}' (FORMAT parquet)",
    "COPY tasks FROM '{file}'",
    "EXPORT DATABASE '{file}'",
    "IMPORT DATABASE '{file}'",
    "ATTACH '{file}' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs FROM community",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET enable_external_access = true",
    "SET GLOBAL threads = 100",
    "SET VARIABLE a = 1",
    "RESET lock_configuration",
    "CALL pragma_version()",
    "EXECUTE plan",
    "PREPARE plan AS SELECT 1",
    "DEALLOCATE plan",
    "BEGIN TRANSACTION",
    "COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "EXPLAIN ANALYZE SELECT 1",
    "COMMENT ON TABLE tasks IS 'x'",
    "PIVOT tasks ON state",
    "SELECT 1; COPY (SELECT 1) TO '{file}'",
    "SELECT 1;\nDROP VIEW tasks",
    "",
    "-- nothing",
    ";",
]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_but_one_select_is_run(sql: str, tables: Tables, tmp_path: Path) -> None:
    """And nothing appears on the disk."""
    file = tmp_path / "out"
    with pytest.raises(UsageError) as caught:
        list(tables.query(sql.format(file=file)))
    assert caught.value.exit_code == 2
    assert caught.value.code.startswith("sql-")
    assert caught.value.unchanged.startswith("nothing")
    assert list(tmp_path.iterdir()) == []


OUTSIDE = [
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "FROM '{folder}/*.csv'",
    "FROM 'file://{file}'",
    "FROM 'secret.parquet'",
    "FROM 'https://example.org/x.parquet'",
    "FROM 's3://bucket/x.parquet'",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM READ_TEXT('{file}')",
    "SELECT * FROM \"read_text\"('{file}')",
    "SELECT * FROM main.read_text('{file}')",
    "SELECT * FROM system.main.read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_scan('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM tasks, LATERAL (SELECT * FROM read_text('{file}'))",
    "WITH a AS (SELECT * FROM read_text('{file}')) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 1 FROM '{file}') SELECT * FROM a",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT 1 WHERE EXISTS (FROM '{file}')",
    "SELECT * FROM (SELECT 1) UNION SELECT content FROM read_text('{file}')",
    "SELECT * FROM (VALUES (1)) v JOIN read_text('{file}') ON true",
    "SELECT 1 ORDER BY (SELECT content FROM read_text('{file}'))",
    "SELECT 1 LIMIT (SELECT count(*) FROM read_text('{file}'))",
    "SELECT list_transform([1], x -> (SELECT content FROM read_text('{file}')))",
    "PIVOT (FROM read_text('{file}')) ON content IN ('a')",
    "UNPIVOT (FROM read_text('{file}')) ON content",
    "DESCRIBE SELECT * FROM read_text('{file}')",
    "SUMMARIZE '{file}'",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('tasks')",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function(1)",
    "SELECT * FROM seq_scan('tasks')",
    "SELECT * FROM _images",
    "SELECT * FROM _records",
    "SELECT getenv('HOME')",
    "SELECT current_setting('home_directory')",
    "SELECT getvariable('a')",
    "SELECT write_log('x')",
    "SELECT sleep_ms(1)",
    "SELECT tasks.key, getenv('HOME') FROM tasks",
    "SELECT main.getenv('HOME')",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "FROM checkpoint()",
    "FROM enable_logging()",
    "FROM truncate_duckdb_logs()",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_the_commit_is_seen(sql: str, tables: Tables, tmp_path: Path) -> None:
    """However deep in the statement it stands, before anything is run."""
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush-hush\n")
    with pytest.raises(OpsError) as caught:
        list(tables.query(sql.format(file=secret, folder=tmp_path)))
    said = f"{caught.value} {caught.value.hint} {caught.value.where}"
    assert "hush" not in said
    assert isinstance(caught.value, UsageError)


def test_the_engine_itself_is_shut_off_too(tmp_path: Path) -> None:
    """What a check of ours might let through finds no file, no variable, no way to open one."""
    from ops.tables import Engine

    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush-hush\n")
    mine = ARROW.table({"word": ["hush-hush"]})
    engine = Engine()
    try:
        for sql in (
            f"FROM read_text('{secret}')",
            f"FROM '{secret}'",
            f"COPY (SELECT 1) TO '{tmp_path / 'out'}'",
            f"ATTACH '{tmp_path / 'out'}'",
            "SET enable_external_access = true",
            "SET python_enable_replacements = true",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SELECT * FROM mine",
            "SELECT * FROM secret",
        ):
            with pytest.raises(OpsError):
                list(engine.rows(sql))
    finally:
        engine.close()
    assert len(mine) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]


def test_variables_of_the_process_are_no_tables(tables: Tables) -> None:
    """DuckDB would look for them in the caller's frames."""
    frame = ARROW.table({"word": ["hush"]})
    globals()["global_frame"] = frame
    for name in ("frame", "global_frame", "ARROW", "tables"):
        with pytest.raises(UsageError) as caught:
            tables.query(f"FROM {name}")
        assert caught.value.code == "sql-unknown-table"
    del globals()["global_frame"]


EXPRESSIONS = [
    "label = 'a') OR (1 = 1",
    "true) UNION (SELECT key FROM tasks",
    "true) ORDER BY (1",
    "true) LIMIT (1",
    "true; DROP VIEW tasks",
    "true;",
    "true --\n) OR (true",
    "true /* ",
    "true */",
    "(true",
    "true)",
    "'true",
    '"state',
    "$$true",
    "state, key",
    "state AS other",
    "state other",
    "DISTINCT state",
    "*",
    "COLUMNS(*)",
    "state FROM tasks",
    "true WHERE true",
    "true GROUP BY 1",
    "",
    "  ",
    "-- nothing",
    "/* nothing */",
    "?",
    "$1 = 1",
    "state = ",
    "COPY tasks TO 'x'",
    "DROP VIEW tasks",
    "SET threads = 1",
    "count(*) > 1",
    "row_number() OVER () = 1",
    "key IN (SELECT content FROM read_text('/etc/passwd'))",
    "getenv('HOME') = 'x'",
    "state = 'a\0b'",
    "state = '\ud800'",
    "(" * 2000 + "true" + ")" * 2000,
    " + ".join(["1"] * 3000),
]


@pytest.mark.parametrize("text", EXPRESSIONS, ids=[repr(text[:30]) for text in EXPRESSIONS])
def test_a_condition_cannot_carry_anything_else(text: str, tables: Tables) -> None:
    """No second statement, no parenthesis of ours closed, nothing of ours commented out."""
    with pytest.raises(UsageError) as caught:
        tables.keys_where(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "true -- all",
        "true /* ) */",
        "label = ') --'",
        "label = 'it''s'",
        "\"label\" = '$$'",
        "1 = 1\n",
    ],
)
def test_quotes_and_comments_are_what_they_are(text: str, asked: Asked, tables: Tables) -> None:
    assert tables.keys_where(text) in ([], asked.keys)


@pytest.mark.parametrize(
    "text",
    [
        "random() < 0.5", "now() > updated_at", "today() IS NULL", "current_date IS NOT NULL",
        "CURRENT_TIMESTAMP > updated_at", "uuid() IS NULL", "age(updated_at) IS NULL",
        "key IN (SELECT key FROM tasks USING SAMPLE 2)", "user = 'me'", "gen_random_uuid() IS NULL",
        "key IN (FROM tasks TABLESAMPLE 10% SELECT key)", "version() = 'x'",
    ],
)  # fmt: skip
def test_a_condition_is_the_same_tomorrow(text: str, tables: Tables) -> None:
    """The round's tasks can be found again from it."""
    for asked in (tables.keys_where, tables.values):
        with pytest.raises(UsageError) as caught:
            asked(text)
        assert caught.value.code == "sql-not-repeatable"
    # A question may have another answer tomorrow.
    list(tables.query(f"FROM labels SELECT {text}"))
