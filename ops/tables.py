"""SQL over tables in memory: the one place that imports DuckDB.

Owns the engine's lock-down, how a text becomes a checked statement, and the words for what is wrong
with it. Reads no repository and knows no table by name: that is ops/runner/tables.py. What a
statement may ask for is ops/core/sql.py's.
"""

import json
import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar, cast

from ops.core.records import Json
from ops.core.sql import (
    UNCHANGED,
    Statement,
    check_expression,
    did_you_mean,
    read_statement,
    refuse_expression,
)
from ops.errors import InternalError, InvalidDataError, OpsError, UsageError

T = TypeVar("T")

_THREADS = 4
_BATCH_ROWS = 10_000
_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *\^+)", re.MULTILINE)
_MISSING = re.compile(
    r'Referenced column "(.+?)" not found|.* does not have a column named "(.+?)"'
)
_UNREADABLE = re.compile(r"reading the stream registered as '([^']*)' failed")
"""How DuckDB words it where an Arrow dataset cannot be read further."""
_TREE = "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a result; `type` is DuckDB's word for it, such as `VARCHAR` or `DOUBLE`."""

    name: str
    type: str


class _Connection(Protocol):
    def interrupt(self) -> None: ...


class _Batch(Protocol):
    @property
    def columns(self) -> Sequence["_Values"]: ...


class _Values(Protocol):
    def to_pylist(self) -> list[object]: ...


class _Relation(Protocol):
    """What of DuckDB's relations is used."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def types(self) -> Sequence[object]: ...

    def limit(self, count: int) -> "_Relation": ...

    def to_arrow_table(self) -> object: ...

    def to_arrow_reader(self, batch_size: int) -> Iterator[_Batch]: ...


class _Worker:
    """Runs DuckDB beside the main thread, which stays free to hear Ctrl-C.

    DuckDB 2.0 heeds no signal while it makes Arrow's tables and batches.
    """

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sql")

    def run(self, work: Callable[[], T]) -> T:
        """The work's result.

        Raises:
            KeyboardInterrupt: the person pressed Ctrl-C; the statement has ended then.
        """
        future = self._thread.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._connection.interrupt()
            wait([future])
            raise

    def close(self) -> None:
        self._thread.shutdown()


class Rows:
    """What a query gave."""

    def __init__(self, relation: _Relation, worker: _Worker) -> None:
        """Take a statement that is bound and has not run."""
        self._relation = relation
        self._worker = worker
        names, kinds = relation.columns, relation.types
        self.columns: tuple[Column, ...] = tuple(
            Column(name=name, type=str(kind)) for name, kind in zip(names, kinds, strict=True)
        )

    def first(self, count: int) -> "Rows":
        """No more than so many of them."""
        return Rows(self._relation.limit(count), self._worker)

    def to_arrow(self) -> object:
        """All of it as a pyarrow table.

        Raises:
            UsageError: a value made the statement fail.
        """
        with translated():
            return self._worker.run(self._relation.to_arrow_table)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        """Row by row, in memory of a batch; values as Python has them.

        Raises:
            UsageError: a value made the statement fail.
        """
        with translated():
            batches = self._worker.run(lambda: self._relation.to_arrow_reader(_BATCH_ROWS))
        while (batch := self._next(batches)) is not None:
            columns = [column.to_pylist() for column in batch.columns]
            yield from zip(*columns, strict=True)

    def _next(self, batches: Iterator[_Batch]) -> _Batch | None:
        with translated():
            return self._worker.run(lambda: next(batches, None))


class Engine:
    """One locked-down DuckDB in memory."""

    def __init__(self) -> None:
        """Open it: no files, no network, no extensions, none of the process's variables."""
        self._connection: Any = _duckdb().connect(
            ":memory:",
            config={
                "allow_community_extensions": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "enable_external_access": False,
                "python_enable_replacements": False,
                "temp_directory": "",
                "threads": _THREADS,
            },
        )
        # Times have no zone of this machine in them: the same statement, the same rows, anywhere.
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET Calendar = 'gregorian'")
        self._connection.execute("SET lock_configuration = true")
        self._worker = _Worker(self._connection)

    def close(self) -> None:
        """Let go of everything."""
        self._worker.close()
        self._connection.close()

    def register(self, name: str, table: object) -> None:
        """Give a pyarrow table or dataset a name; it is read when a statement asks for it."""
        self._connection.register(name, table)

    def create_view(self, name: str, sql: str) -> None:
        """Give a SELECT of ours a name."""
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {sql}")

    def statement(self, sql: str, known: Collection[str]) -> Statement:
        """What a statement asks for, if it is one SELECT that may run.

        Raises:
            UsageError: it may not.
        """
        self._check_select(sql)
        return read_statement(self._tree(sql), known)

    def expression(self, text: str, known: Collection[str]) -> Statement:
        """What an expression asks for, if it is one and may run.

        Raises:
            UsageError: it may not.
        """
        if not text.strip():
            refuse_expression()
        bare, wrapped = f"SELECT {text}\n", f"SELECT (\n{text}\n)"
        self._check_select(bare, hidden=len("SELECT "))
        try:
            self._check_select(wrapped)
        except UsageError:
            # Whole where it stands alone, and not in parentheses: it is more than an expression.
            refuse_expression()
        tree = self._tree(bare)
        check_expression(tree, self._tree(wrapped))
        return read_statement(tree, known)

    def rows(
        self,
        sql: str,
        *,
        columns: Callable[[], Sequence[str]] = tuple,
        has_expression: bool = False,
    ) -> Rows:
        """What a checked statement gives.

        Args:
            sql: the statement.
            columns: gives those there are, for a person who misspells one.
            has_expression: the person wrote what stands between the first and the last line.

        Raises:
            UsageError: it names what is not there, or fails.
        """
        with translated(columns, shift=int(has_expression), text=sql):
            return Rows(self._connection.sql(sql), self._worker)

    def aggregates(self) -> frozenset[str]:
        """The names of functions that make one value of many rows."""
        found = self._connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type = 'aggregate'"
        )
        return frozenset(name for (name,) in found.fetchall())

    def _check_select(self, sql: str, *, hidden: int = 0) -> None:
        if "\0" in sql or any("\ud800" <= one <= "\udfff" for one in sql):
            raise UsageError(
                "sql-characters",
                "the statement has a character in it that is no text",
                unchanged=UNCHANGED,
                hint="save it as UTF-8, and take it from there",
            )
        with translated(hidden=hidden):
            statements = self._connection.extract_statements(sql)
        kinds = [one.type.name for one in statements]
        if kinds == ["SELECT"]:
            return
        if len(kinds) == 1:
            _refuse_kind(kinds[0])
        raise UsageError(
            "sql-several" if kinds else "sql-empty",
            f"there are {len(kinds)} statements where one is wanted"
            if kinds
            else "there is no statement in it",
            unchanged="nothing was read or written",
            hint='ops dataset query "SELECT label, count(*) FROM annotations GROUP BY label"',
        )

    def _tree(self, sql: str) -> Json:
        [(text,)] = self._connection.execute(_TREE, [sql]).fetchall()
        try:
            return cast("Json", json.loads(text))
        except RecursionError as error:
            raise UsageError(
                "sql-too-deep",
                "the statement is nested too deeply",
                unchanged="nothing was read or written",
                hint="compare with a list instead of many ORs: label IN ('brie', 'gouda')",
            ) from error


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _refuse_kind(kind: str) -> None:
    said = "PIVOT without IN (…)" if kind == "MULTI" else kind.replace("_", " ")
    raise UsageError(
        "sql-writes",
        f"{said} is no SELECT, and only that is run here",
        subject=said,
        unchanged="nothing was read or written",
        hint="a version never changes; write files with: "
        'ops dataset query "SELECT …" --format parquet --out FILE',
    )


@contextmanager
def translated(
    columns: Callable[[], Sequence[str]] = tuple,
    *,
    text: str = "",
    shift: int = 0,
    hidden: int = 0,
) -> Generator[None]:
    """Put what DuckDB finds wrong with a statement into our words.

    Args:
        columns: gives those there are.
        text: the statement.
        shift: lines of ours before the person's first.
        hidden: characters of ours before the person's first.

    Raises:
        OpsError: the statement is wrong, what it reads is damaged, or the engine is at fault.
    """
    duckdb = _duckdb()
    try:
        yield
    except (duckdb.Error, OSError, ValueError) as error:
        # What goes wrong after the first batch comes through pyarrow, in DuckDB's words.
        where = _place(str(error), shift, hidden)
        failure: OpsError = _failure(duckdb, error, columns, where)
        if isinstance(failure, UsageError) and not where and failure.subject:
            # DuckDB does not always say where a column is named.
            lines = text.split("\n")
            failure.where = _found(lines[shift : len(lines) - shift], failure.subject)
        raise failure from error


def _failure(
    duckdb: ModuleType,
    error: Exception,
    columns: Callable[[], Sequence[str]],
    where: tuple[tuple[str, str], ...],
) -> OpsError:
    said = str(error).split("\n", 1)[0].partition("Error: ")[2].rstrip("!. ") or "it failed"
    missing = _MISSING.match(said)
    if missing:
        name = missing[1] or missing[2]
        return UsageError(
            "sql-unknown-column",
            f"there is no column {name}",
            subject=name,
            where=where,
            unchanged=UNCHANGED,
            hint=did_you_mean(name, columns()),
        )
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return InternalError(
            "sql-engine",
            "the SQL engine met a fault of its own",
            unchanged=UNCHANGED,
            hint="put the statement in another way, and report this one",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(
            "sql-too-large",
            "the statement needs more memory than there is",
            unchanged=UNCHANGED,
            hint="take fewer rows or columns: name the columns, and filter before joining",
        )
    if unreadable := _UNREADABLE.search(str(error)):
        return InvalidDataError(
            "table-damaged",
            f"table {unreadable[1]} of this commit is damaged",
            subject=unreadable[1],
            unchanged=UNCHANGED,
            hint="see which commit changed it: ops dataset log",
        )
    return UsageError(
        "sql-invalid",
        said if said[:2].isupper() else said[0].lower() + said[1:],
        where=where,
        unchanged=UNCHANGED,
        hint="see what there is with: ops dataset query --tables",
    )


def _place(message: str, shift: int, hidden: int) -> tuple[tuple[str, str], ...]:
    """The line of the person's that is wrong, with a mark under it."""
    found = _PLACE.search(message)
    if not found or int(found[1]) <= shift:
        return ()
    cut = hidden if int(found[1]) == 1 else 0
    mark = found[3][len(f"LINE {found[1]}: ") + cut :]
    return (("sql", f"{found[2][cut:]}\n{mark}"),) if mark.strip() else ()


def _found(lines: Sequence[str], word: str) -> tuple[tuple[str, str], ...]:
    """The first line that has the word, with a mark under it."""
    for line in lines:
        if found := re.search(rf"\b{re.escape(word)}\b", line, re.IGNORECASE):
            return (("sql", f"{line}\n{' ' * found.start()}{'^' * len(word)}"),)
    return ()


def _duckdb() -> ModuleType:
    """The library, imported late: it takes 0.1 s."""
    import duckdb

    return cast("ModuleType", duckdb)
