"""Joining tables and asking in SQL, on the real servers: for programs, for people, and refused."""

import csv
import json
from contextlib import closing
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ops.core.records import CommitId
from ops.local import Connection
from ops.runner.queries import read_query
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.calls import check_envelope
from tests.cli.conftest import Call
from tests.cli.test_round import CHOICE, Line, variables_for
from tests.context import real_context
from tests.pictures import draw_pictures

PARQUET: Any = import_module("pyarrow.parquet")
QUERY = ("dataset", "query")
COUNT = "SELECT state, count(*) AS n FROM tasks GROUP BY state ORDER BY state"


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


def _label(line: Line, servers: Connection, name: str) -> None:
    """A round of which two of four tasks are answered, one of them with nothing in it."""
    project = line.do("round", "start", name)["data"]["project"]
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        ids = {str(row.key): row.id for row in studio.task_rows(project)}
        people.annotate(ids["p000.png"], [CHOICE], annotator=ann)
        people.annotate(ids["p001.png"], [], annotator=ann)


@pytest.mark.servers
def test_tables_are_joined_and_asked(line: Line, servers: Connection, tmp_path: Path) -> None:
    """From pictures alone to labels with a table beside them."""
    draw_pictures(tmp_path / "pictures", 4)
    line.do("init", "--labels", "brie,gouda")
    line.do("data", "add", "pictures")
    assert line.do(*QUERY, COUNT)["data"]["rows"] == [["unfinished", 4]]
    _join(line, tmp_path)
    _label(line, servers, "first")
    line.do("round", "sync", "first")
    assert "not on main" in line.call(*QUERY, "round-first", COUNT, **line.variables).stderr
    warned = line.do(*QUERY, "round-first", COUNT)
    assert [one["code"] for one in warned["warnings"]] == ["not-packed"]
    line.do("round", "finish", "first", "--allow-unlabeled", "--yes")
    asked = line.do(*QUERY, COUNT)
    assert asked["data"]["rows"] == [["empty", 1], ["labeled", 1], ["unfinished", 2]]
    assert asked["data"]["columns"][1] == {"name": "n", "type": "BIGINT"}
    assert asked["warnings"] == []
    assert line.do(*QUERY, "v1", COUNT)["data"]["ref"] == "v1"
    printed = line.read(*QUERY, COUNT)
    assert printed.splitlines()[0].split() == ["state", "n"]
    assert printed.endswith("3 rows\n")
    chosen = line.do(*QUERY, "--where", "label = 'brie' AND shutter = 8")["data"]
    assert chosen["rows"] == [["p000.png"]]
    _save(line, servers)
    _write(line, tmp_path)
    _refuse(line)
    assert line.do("dataset", "verify")["data"]["findings"] == []
    assert line.do("data", "join", "--drop", "cams")["data"]["dropped"]
    assert line.fail("data", "join", "--drop", "cams")["code"] == "no-such-table"
    assert "meta_cams" in line.read(*QUERY, "v1", "--tables")
    assert "meta_cams" not in line.read(*QUERY, "--tables")


def _join(line: Line, tmp_path: Path) -> None:
    (tmp_path / "cams.csv").write_text(
        "file,shutter\nold/p000.png,8\nold/p003.png,\nold/no.png,1\n"
    )
    join = ("data", "join", "cams.csv", "--key", "file")
    error = line.fail(*join)
    assert (error["code"], error["exit_code"]) == ("no-match", 9)
    assert error["where"]["key in cams.csv"].startswith("old/p000.png")
    assert error["where"]["image"].startswith("p000.png")
    assert error["hint"] == "2 of 3 rows match with: --strip-prefix old/"
    join = (*join, "--strip-prefix", "old/")
    assert line.do(*join, "--dry-run")["status"] == "planned"
    assert "would join" in line.read(*join, "--dry-run")
    assert line.fail(*join, "--require-all")["code"] == "join-incomplete"
    done = line.do(*join)
    assert done["status"] == "ok"
    assert (done["data"]["matched"], done["data"]["unmatched_rows"]) == (2, 1)
    assert done["data"]["unmatched_image_examples"] == ["p001.png", "p002.png"]
    assert [one["code"] for one in done["warnings"]] == ["rows-unmatched"]
    again = line.read(*join)
    assert "nothing to do" in again
    assert "images  2 of 4 have a row" in again
    assert line.do(*QUERY, "FROM meta_cams")["data"]["rows"] == [
        ["p000.png", "old/p000.png", 8],
        ["p003.png", "old/p003.png", None],
    ]
    (tmp_path / "latin.csv").write_bytes("file,städte\np000.png,Köln\n".encode("latin-1"))
    latin = ("data", "join", "latin.csv", "--key", "file")
    assert line.fail(*latin)["code"] == "csv-encoding"
    assert line.do(*latin, "--encoding", "latin-1", "--dry-run")["status"] == "planned"


def _save(line: Line, servers: Connection) -> None:
    """A condition and a statement, kept, listed, and run by their names."""
    said = ("--where", "label = 'brie'", "--save", "brie")
    assert line.do(*QUERY, *said, "--dry-run")["status"] == "planned"
    assert "no saved queries" in line.read(*QUERY, "--list")
    assert line.do(*QUERY, *said)["data"]["saved_commit"]
    assert "main has just this" in line.read(*QUERY, *said)
    assert line.do(*QUERY, "/* how far */\n" + COUNT, "--save", "states")["data"]["saved_as"]
    listed = line.do(*QUERY, "--list")["data"]["queries"]
    assert [one["name"] for one in listed] == ["brie", "states"]
    assert "condition" in line.read(*QUERY, "--list")
    assert line.do(*QUERY, "--saved", "brie")["data"]["rows"] == [["p000.png"]]
    assert len(line.do(*QUERY, "--saved", "states")["data"]["rows"]) == 3
    assert line.fail(*QUERY, "v1", "--saved", "brie")["code"] == "no-such-query"
    context = real_context(servers, line.variables["OPS_REPOSITORY"])
    commit = CommitId(str(context.lake.find_commit("main")))
    assert read_query(context, commit, "brie") == "label = 'brie'"
    planned = line.do("round", "start", "second", "--saved", "brie", "--all", "--dry-run")
    assert planned["data"]["choice"]["keys"] == ["p000.png"]


def _write(line: Line, tmp_path: Path) -> None:
    """Every form holds the same."""
    sql = "SELECT key, state, labels, shutter FROM tasks ORDER BY key"
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        assert line.do(*QUERY, sql, "--out", name)["data"]["file"] == name
    rows = PARQUET.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["key"] for row in rows] == ["p000.png", "p001.png", "p002.png", "p003.png"]
    assert rows[0] == {"key": "p000.png", "state": "labeled", "labels": ["brie"], "shutter": 8}
    lines = (tmp_path / "t.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(one) for one in lines] == rows
    written = (tmp_path / "t.csv").read_text("utf-8")
    assert list(csv.reader(StringIO(written)))[:3] == [
        ["key", "state", "labels", "shutter"],
        ["p000.png", "labeled", '["brie"]', "8"],
        ["p001.png", "empty", "[]", ""],
    ]
    assert line.read(*QUERY, sql, "--format", "csv") == written
    assert "the first 1 rows" in line.read(*QUERY, sql, "--limit", "1")
    assert len(line.do(*QUERY, sql, "--limit", "2")["data"]["rows"]) == 2
    error = line.fail(*QUERY, sql, "--out", "t.csv")
    assert (error["code"], error["exit_code"]) == ("out-exists", 4)
    assert line.fail(*QUERY, sql, "--out", "no/t.csv")["exit_code"] == 8
    twice = "SELECT key, key FROM tasks"
    assert line.fail(*QUERY, twice, "--out", "u.jsonl")["code"] == "sql-same-columns"
    assert len(line.do(*QUERY, twice)["data"]["columns"]) == 2
    assert line.do(*QUERY, "SELECT 'nan'::DOUBLE")["data"]["rows"] == [["NaN"]]
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".t")]


def _refuse(line: Line) -> None:
    for words, code in (
        (("SELECT lable FROM labels",), "sql-unknown-column"),
        (("DROP TABLE tasks",), "sql-writes"),
        (("COPY tasks TO 'x.csv'",), "sql-writes"),
        (("SELECT * FROM read_text('/etc/passwd')",), "sql-outside"),
        (("--where", "true) OR (true"), "sql-invalid"),
        (("--where", "random() < 1"), "sql-not-repeatable"),
        (("SELECT 1; SELECT 2",), "sql-several"),
        (("--where", "state ="), "sql-invalid"),
    ):
        error = line.fail(*QUERY, *words)
        assert (error["code"], error["exit_code"]) == (code, 2)
    assert line.fail(*QUERY, "v9", COUNT)["code"] == "no-such-ref"
    assert line.fail(*QUERY, "--saved", "nope")["exit_code"] == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing-value"),
        (("SELECT 1", "--where", "x"), "options-exclude"),
        (("main", "SELECT 1", "--saved", "x"), "options-exclude"),
        (("--where", "x", "--list"), "options-exclude"),
        (("--saved", "x", "--save", "y"), "options-exclude"),
        (("SELECT 1", "--dry-run"), "options-exclude"),
        (("--list", "--limit", "3"), "options-exclude"),
        (("--tables", "--out", "x"), "options-exclude"),
        (("SELECT 1", "--format", "parquet"), "options-exclude"),
        (("SELECT 1", "--format", "csv"), "options-exclude"),
        (("SELECT 1", "--format", "table", "--out", "x"), "options-exclude"),
        (("SELECT 1", "--format", "xml"), "wrong-value"),
    ],
)
def test_questions_that_do_not_go_together(words: tuple[str, ...], code: str, call: Call) -> None:
    """Before anything is read."""
    document = check_envelope(call(*QUERY, *words, "--json"), QUERY)
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing-value"),
        (("x.csv",), "missing-value"),
        (("x.csv", "--drop", "x"), "options-exclude"),
        (("--key", "a", "--drop", "x"), "options-exclude"),
        (("x.csv", "--key", "a", "--match-on", "size"), "wrong-value"),
        (("x.csv", "--key", "a", "--alike", "sound"), "wrong-value"),
    ],
)
def test_joins_that_do_not_go_together(words: tuple[str, ...], code: str, call: Call) -> None:
    """Before anything is read."""
    document = check_envelope(call("data", "join", *words, "--json"), ("data", "join"))
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, code)
