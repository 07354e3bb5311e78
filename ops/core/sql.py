"""What a SQL statement asks for, read from the tree its parser made of it.

Owns which statements may run: one SELECT over the tables of a commit, or one expression, and
nothing that writes, looks outside or is not the same on every machine. Parses no text itself and
runs nothing: that is ops/tables.py.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops.core.records import Json
from ops.errors import UsageError

UNCHANGED = "nothing was written"

TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
"""What may stand in a FROM beside tables: they make rows of values, and read nothing."""

_OUTSIDE = frozenset(
    {
        *("current_query", "current_setting", "currval", "error", "getenv", "getvariable"),
        *("nextval", "set_config", "setseed", "setval", "sleep_ms", "write_log"),
    }
)
"""Functions that tell of the process, change something, or only take time."""

_NOT_REPEATABLE = frozenset(
    {
        *("age", "current_connection_id", "current_database", "current_localtime"),
        *("current_localtimestamp", "current_query_id", "current_schema", "current_schemas"),
        *("current_transaction_id", "gen_random_uuid", "get_current_time", "random", "today"),
        *("get_current_timestamp", "in_search_path", "now", "transaction_timestamp"),
        *("txid_current", "uuid", "uuidv4", "uuidv7", "version"),
    }
)
"""Functions that give another answer tomorrow, or on another machine."""

_NOT_REPEATABLE_WORDS = frozenset(
    {
        *("current_catalog", "current_date", "current_role", "current_time", "current_timestamp"),
        *("current_user", "localtime", "localtimestamp", "session_user", "user"),
    }
)
"""The same, called without parentheses: they look like columns, and a column of the name wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one statement names; names are in lower case, as SQL does not tell cases apart.

    Attributes:
        tables: what it reads from that it does not define itself.
        words: every identifier in it: a superset of the columns it needs.
        takes_all: it needs columns it does not name, as in `SELECT *`.
        functions: what it calls.
        has_subquery: it reads tables of its own accord.
        has_sample: it takes rows by chance.
    """

    tables: frozenset[str]
    words: frozenset[str]
    takes_all: bool
    functions: frozenset[str]
    has_subquery: bool
    has_sample: bool

    def needs(self, columns: Collection[str]) -> bool:
        """Whether any of these columns may have to be read for it."""
        return self.takes_all or not self.words.isdisjoint(one.lower() for one in columns)


def read_statement(tree: Json, known: Collection[str]) -> Statement:
    """What a statement asks for; it is one SELECT already.

    Args:
        tree: the parser's, as JSON.
        known: the tables there are.

    Raises:
        UsageError: it reads what is no table of the commit, calls what looks outside, or has
            parameters.
    """
    nodes = list(_nodes(tree))
    defined = {_text(one, "key").lower() for one in nodes if "key" in one and "value" in one}
    tables = {_table(node, known, defined) for node in nodes if node.get("type") == "BASE_TABLE"}
    functions = {name.lower() for node in nodes if (name := _text(node, "function_name"))}
    for node in nodes:
        _check_node(node)
    if found := sorted(functions & _OUTSIDE):
        _refuse_outside(f"{found[0]}()")
    aliases = {_text(one, "alias").lower() for one in nodes if "class" not in one}
    # Where there is a table `labels`, it has a column `labels`, and that is what is meant.
    whole_rows = (tables | defined | aliases) - {"", "labels"}
    return Statement(
        tables=frozenset(tables - defined),
        words=frozenset(_words(nodes)),
        takes_all=any(_takes_all(node, whole_rows) for node in nodes),
        functions=frozenset(functions),
        has_subquery=any(node.get("class") == "SUBQUERY" for node in nodes),
        has_sample=any("sample" in node for node in nodes),
    )


def check_repeatable(statement: Statement, columns: Collection[str]) -> None:
    """See that an expression has the same value for the same commit, always and everywhere.

    Args:
        statement: what it asks for.
        columns: those there are: a column `user` is no function.

    Raises:
        UsageError: it calls a function that has not, or takes rows by chance.
    """
    said = statement.words & _NOT_REPEATABLE_WORDS - {one.lower() for one in columns}
    found = sorted((statement.functions & _NOT_REPEATABLE) | said)
    found += ["a sample"] if statement.has_sample else []
    if found:
        raise UsageError(
            "sql-not-repeatable",
            f"{found[0]} gives another answer each time: the same tasks could not be found again",
            subject=found[0],
            unchanged=UNCHANGED,
            hint="for tasks by chance use --sample and --seed; write a time as a literal",
        )


def check_expression(bare: Json, wrapped: Json) -> None:
    """See that a text is one expression, whole and in itself.

    Args:
        bare: the tree of `SELECT <text>`.
        wrapped: the tree of `SELECT (<text>)`: a parenthesis that closes too early, or a comment
            that swallows the rest, makes another tree.

    Raises:
        UsageError: it is not.
    """
    trees = [without_places(tree) for tree in (bare, wrapped)]
    node = _select(trees[0])
    chosen = node.get("select_list")
    only = {"aggregate_handling", "cte_map", "from_table", "select_list", "type"}
    is_one = (
        trees[0] == trees[1]
        and node.get("type") == "SELECT_NODE"
        and set(node) <= only
        and node.get("from_table") == {"type": "EMPTY"}
        and isinstance(chosen, list)
        and len(chosen) == 1
        and isinstance(chosen[0], dict)
        and not chosen[0].get("alias")
        and chosen[0].get("class") != "STAR"
    )
    if not is_one:
        refuse_expression()


def refuse_expression() -> None:
    """Refuse a text that is no expression.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "sql-not-expression",
        "this is not one SQL expression",
        unchanged=UNCHANGED,
        hint="write what would stand behind WHERE: label = 'brie' and annotator <> 'ann@x.org'\n"
        "see what there is with: ops dataset query --tables",
    )


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of the known names, and then all of them."""
    near = difflib.get_close_matches(word.lower(), [one.lower() for one in known], n=1, cutoff=0.6)
    named = [one for one in known if near and one.lower() == near[0]]
    said = f"did you mean {named[0]}?\n" if named else ""
    return f"{said}there is: {', '.join(known)}" if known else f"{said}there is none"


def without_places(tree: Json) -> Json:
    """The tree without where in the text each part stood."""
    if isinstance(tree, dict):
        return {
            name: without_places(part)
            for name, part in tree.items()
            if not name.startswith("query_location")
        }
    return [without_places(part) for part in tree] if isinstance(tree, list) else tree


def _nodes(tree: Json) -> Iterator[Mapping[str, Json]]:
    """Every object in the tree; a loop, as an expression may be deeper than Python's stack."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _table(node: Mapping[str, Json], known: Collection[str], defined: Collection[str]) -> str:
    """The table a FROM names, in lower case.

    Raises:
        UsageError: there is none of that name.
    """
    name = _text(node, "table_name")
    is_qualified = bool(node.get("schema_name") or node.get("catalog_name"))
    if not is_qualified and name.lower() in {*(one.lower() for one in known), *defined}:
        return name.lower()
    if "/" in name or "://" in name or name.endswith((".parquet", ".csv", ".json", ".jsonl")):
        _refuse_outside(repr(name))
    raise UsageError(
        "sql-unknown-table",
        f"there is no table {name}" + (" in another schema" if is_qualified else ""),
        subject=name,
        unchanged=UNCHANGED,
        hint=did_you_mean(name, sorted(known)),
    )


def _check_node(node: Mapping[str, Json]) -> None:
    kind = node.get("type")
    if node.get("class") == "PARAMETER":
        raise UsageError(
            "sql-parameter",
            "the statement has a parameter, and nothing gives it a value",
            unchanged=UNCHANGED,
            hint="write the value itself; a question mark in a text stands in quotes: '?'",
        )
    if kind == "TABLE_FUNCTION":
        called = node.get("function")
        name = _text(called, "function_name") if isinstance(called, dict) else ""
        if name.lower() not in TABLE_FUNCTIONS:
            _refuse_outside(f"{name or 'a function'}() in FROM")
    elif kind == "SHOW_REF" and "query" not in node:
        _refuse_outside("SHOW")


def _refuse_outside(what: str) -> None:
    raise UsageError(
        "sql-outside",
        f"{what} looks outside the dataset, or changes something",
        subject=what,
        unchanged="nothing was read or written",
        hint="a query reads the tables of one commit; see them with: ops dataset query --tables\n"
        "bring in a file of your own with: ops data join FILE --key COLUMN",
    )


def _takes_all(node: Mapping[str, Json], whole_rows: Collection[str]) -> bool:
    if node.get("class") in {"STAR", "POSITIONAL_REFERENCE"} or node.get("ref_type") == "NATURAL":
        return True
    names = node.get("column_names")
    if node.get("class") != "COLUMN_REF" or not isinstance(names, list):
        return False
    return len(names) == 1 and str(names[0]).lower() in whole_rows


def _words(nodes: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    for node in nodes:
        for field in ("column_names", "using_columns"):
            names = node.get(field)
            if isinstance(names, list):
                yield from (str(name).lower() for name in names)


def _select(tree: Json) -> Mapping[str, Json]:
    statements = tree.get("statements") if isinstance(tree, dict) else None
    first = statements[0] if isinstance(statements, list) and statements else None
    node = first.get("node") if isinstance(first, dict) else None
    return node if isinstance(node, dict) else {}


def _text(node: Mapping[str, Json], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""
