"""A commit's tables for SQL: what each is made of, and the loading of just those a statement names.

Owns the tables' names and columns (docs/how-to/join-and-query.md). Works on listings, snapshots
and what lies beside them; reads no picture and no record. The engine is ops/tables.py.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

from ops.arrow import column_names, empty_snapshot, open_dataset
from ops.core.cells import plain
from ops.core.join_facts import joined_columns_of
from ops.core.names import (
    ANNOTATIONS_PARQUET,
    IMAGE_PROFILE_PATH,
    MEDIA_PREFIX,
    METADATA_PREFIX,
    PREDICTION_PREFIX,
    RUN_PREFIX,
    SPLIT_PREFIX,
    TASKS_PARQUET,
    facts_path,
    metadata_path,
)
from ops.core.queries import is_select
from ops.core.records import CommitId, Json, TaskKey
from ops.core.sql import Statement, check_repeatable
from ops.core.table_columns import (
    ANNOTATION_COLUMNS,
    LABEL_COLUMNS,
    joined_columns,
    labels_view,
    tasks_view,
)
from ops.errors import UsageError
from ops.ports import StoredObject
from ops.runner.context import Context
from ops.runner.profile import COLUMNS as PROFILE_COLUMNS
from ops.runner.table_sources import (
    PREDICTION_KINDS,
    SPLIT_KINDS,
    files_table,
    image_table,
    runs_table,
)
from ops.tables import Engine, Rows, quoted, text_literal

FIXED = ("annotations", "labels", "predictions", "profile", "runs", "splits", "tasks")
META = "meta_"
_BESIDE = frozenset({"predictions", "profile", "runs", "splits"})


@contextmanager
def open_tables(
    context: Context, commit: CommitId, *, images: Iterable[StoredObject] | None = None
) -> Generator["Tables"]:
    """The tables of a commit, until the end of the block. No request by itself.

    A statement costs one request a file it needs, one for the list of joined tables and one a
    1 000 images where it names tasks or labels.

    Args:
        context: the servers.
        commit: the commit; a branch would move meanwhile.
        images: its listing of `images/` with metadata, where the caller has it already.
    """
    engine = Engine()
    try:
        yield Tables(context, commit, engine, images)
    finally:
        engine.close()


class Tables:
    """The tables of one commit."""

    def __init__(
        self,
        context: Context,
        commit: CommitId,
        engine: Engine,
        images: Iterable[StoredObject] | None,
    ) -> None:
        """Take an engine with nothing in it; open_tables makes one."""
        self._context = context
        self._commit = commit
        self._engine = engine
        self._images = images
        self._loaded: set[str] = set()
        self._joined: tuple[str, ...] = ()
        self._read_tables: dict[str, bytes] = {}

    @cached_property
    def names(self) -> Sequence[str]:
        """Every table there is, sorted. One request."""
        return sorted([*FIXED, *(META + name for name in self._metadata)])

    def columns(self, table: str) -> Sequence[str]:
        """A table's columns in their order; loads it.

        Raises:
            UsageError: there is no such table.
        """
        statement = self._engine.statement(f"FROM {quoted(table)}", self.names)
        self._provide(statement)
        return [one.name for one in self._engine.rows(f"FROM {quoted(table)} LIMIT 0").columns]

    def keys_where(self, expression: str) -> Sequence[TaskKey]:
        """The tasks of which any row of `labels` fulfils an expression, sorted.

        Only tasks that have an image. What is NULL is not fulfilled. A whole SELECT with a column
        `key` does as well: a saved query may be one.

        Raises:
            UsageError: it is no expression over the columns there are, or not repeatable.
            InvalidDataError: a table it needs is damaged.
        """
        return sorted(TaskKey(str(key)) for (key,) in self.tasks_where(expression))

    def tasks_where(self, expression: str) -> Rows:
        """The same as rows of one column `key`, by key.

        Raises:
            UsageError, InvalidDataError: as keys_where.
        """
        if is_select(expression):
            return self._tasks_of(expression.rstrip().rstrip(";"))
        statement = self._expression(expression)
        head = f"SELECT DISTINCT key FROM {self._source(statement)} WHERE has_image AND"  # noqa: S608
        return self._rows(statement, f"{head} (\n{expression}\n) ORDER BY key")

    def _tasks_of(self, sql: str) -> Rows:
        """The tasks that a statement names in its column `key`.

        Raises:
            UsageError: it names none, or others each time.
        """
        statement = self._engine.statement(sql, self.names)
        check_repeatable(statement, self._label_columns)
        self._provide_tasks(statement)
        given = {one.name.lower(): one.type for one in self.query(sql).columns}
        if given.get("key") != "VARCHAR":
            raise UsageError(
                "sql-no-key",
                "the statement gives no column key of texts, so it names no tasks",
                unchanged="nothing was written",
                hint="SELECT key FROM …; or write a condition alone: label = 'brie'",
            )
        tail = "SEMI JOIN _images USING (key) ORDER BY key"
        return self._rows(statement, f"SELECT DISTINCT key FROM (\n{sql}\n) {tail}")  # noqa: S608

    def values(self, expression: str) -> Mapping[TaskKey, Json]:
        """An expression's value for each task that has an image, by key.

        Over columns that differ within a task it needs an aggregate: `max(x)`, `count(label)`.

        Raises:
            UsageError: it is no expression over the columns there are, not repeatable, or has
                several values for one task.
            InvalidDataError: a table it needs is damaged.
        """
        statement = self._expression(expression)
        source = self._source(statement)
        if statement.functions & self._engine.aggregates():
            source = self._source(statement, is_counted=True)
            head, tail = "SELECT key,", f"FROM {source} WHERE has_image GROUP BY key"
        else:
            head, tail = "SELECT DISTINCT key,", f"FROM {source} WHERE has_image"
        sql = f"{head} (\n{expression}\n) {tail}"
        found: dict[TaskKey, Json] = {}
        for key, value in self._rows(statement, sql):
            name = TaskKey(str(key))
            if name in found:
                _refuse_several(name, found[name], plain(value))
            found[name] = plain(value)
        return dict(sorted(found.items()))

    def query(self, sql: str) -> Rows:
        """What one SELECT gives.

        Raises:
            UsageError: it is no SELECT over the tables there are.
            InvalidDataError: a table it needs is damaged.
        """
        statement = self._engine.statement(sql, self.names)
        self._provide(statement)
        return self._engine.rows(sql, columns=lambda: self._columns_of(statement))

    def _expression(self, text: str) -> Statement:
        statement = self._engine.expression(text, self.names)
        check_repeatable(statement, self._label_columns)
        return statement

    def _source(self, statement: Statement, *, is_counted: bool = False) -> str:
        """What an expression is evaluated over, provided.

        Tasks alone, without a row a region, where no column of a region is named and rows are not
        counted.
        """
        self._provide(statement)
        needs = is_counted or statement.has_subquery or statement.needs(ANNOTATION_COLUMNS)
        self._provide_tasks(statement)
        if needs:
            self._provide_annotations()
            return "labels"
        self._engine.create_view(_LABELS_OF_TASKS, labels_view(self._own_of(self._joined), ()))
        return f"{_LABELS_OF_TASKS} AS labels"

    def _rows(self, statement: Statement, sql: str) -> Rows:
        return self._engine.rows(
            sql, columns=lambda: self._columns_of(statement) or self._label_columns,
            has_expression=True,
        )  # fmt: skip

    @property
    def _label_columns(self) -> Sequence[str]:
        every = [name for names in self._own.values() for name in names]
        return sorted({*LABEL_COLUMNS, *every})

    def _columns_of(self, statement: Statement) -> Sequence[str]:
        """The columns of every table a statement names, for somebody who misspelled one."""
        found: set[str] = set()
        for table in statement.tables:
            found.update(self.columns(table))
        return sorted(found)

    def _provide(self, statement: Statement) -> None:
        """Load what a statement names and is not there yet."""
        names = {name.lower(): name for name in self.names}
        for table in sorted(statement.tables):
            if table in {"tasks", "labels"}:
                self._provide_tasks(statement)
            if table in {"annotations", "labels"}:
                self._provide_annotations()
            elif table.startswith(META):
                self._load_metadata(names[table].removeprefix(META))
            elif table in _BESIDE and table not in self._loaded:
                self._load(table)

    def _load(self, table: str) -> None:
        match table:
            case "predictions":
                files = self._read(PREDICTION_PREFIX, ".parquet")
                self._engine.register(table, files_table(files, PREDICTION_KINDS))
            case "profile":
                files = self._read(IMAGE_PROFILE_PATH, ".parquet")
                self._engine.register(table, files_table(files, PROFILE_COLUMNS))
            case "runs":
                self._engine.register(table, runs_table(self._read(RUN_PREFIX, ".json")))
            case _:
                self._load_splits()
        self._loaded.add(table)

    def _load_splits(self) -> None:
        """Every split's assignments, each with the split's name, which its file alone says."""
        parts: list[str] = []
        for number, (path, data) in enumerate(self._read(SPLIT_PREFIX, ".parquet").items()):
            self._engine.register(f"_split_{number}", open_dataset({path: data}))
            name = text_literal(path.removeprefix(SPLIT_PREFIX).removesuffix(".parquet"))
            parts.append(f'SELECT {name} AS split, part, key, "group" FROM _split_{number}')  # noqa: S608
        if parts:
            self._engine.create_view("splits", " UNION ALL ".join(parts))
        else:
            self._engine.register("splits", files_table({}, SPLIT_KINDS))

    def _read(self, prefix: str, suffix: str) -> Mapping[str, bytes]:
        lake = self._context.lake
        listed = [one.path for one in lake.list_objects(self._commit, prefix)]
        paths = [path for path in listed if path.endswith(suffix)]
        return dict(lake.read_many(self._commit, paths))

    def _provide_tasks(self, statement: Statement) -> None:
        needed = [name for name, columns in self._own.items() if statement.needs(columns)]
        joined = tuple(sorted({*self._joined, *needed}))
        if "tasks" in self._loaded and joined == self._joined:
            return
        for name in needed:
            self._load_metadata(name)
        if "tasks" not in self._loaded:
            listed = self._images
            if listed is None:
                lake = self._context.lake
                listed = lake.list_objects(self._commit, MEDIA_PREFIX, metadata=True)
            self._engine.register("_images", image_table(listed))
            self._engine.register("_records", self._snapshot(TASKS_PARQUET, 0))
        self._loaded.add("tasks")
        self._joined = joined
        self._engine.create_view("tasks", tasks_view(self._own_of(joined)))
        if "annotations" in self._loaded:
            self._create_labels()

    def _provide_annotations(self) -> None:
        if "annotations" not in self._loaded:
            self._engine.register("annotations", self._snapshot(ANNOTATIONS_PARQUET, 1))
            self._loaded.add("annotations")
            if "tasks" in self._loaded:
                self._create_labels()

    def _create_labels(self) -> None:
        own = self._own_of(self._joined)
        self._engine.create_view("labels", labels_view(own, ANNOTATION_COLUMNS))

    def _snapshot(self, path: str, index: int) -> object:
        data = self._context.lake.read(self._commit, path)
        return empty_snapshot()[index] if data is None else open_dataset({path: data})

    @cached_property
    def _metadata_objects(self) -> Sequence[StoredObject]:
        return list(self._context.lake.list_objects(self._commit, METADATA_PREFIX))

    @cached_property
    def _metadata(self) -> Mapping[str, str]:
        """Paths of the joined tables, by their names."""
        listed = [one.path for one in self._metadata_objects]
        paths = [path for path in listed if path.endswith(".parquet")]
        return {path.removeprefix(METADATA_PREFIX).removesuffix(".parquet"): path for path in paths}

    @cached_property
    def _own(self) -> Mapping[str, Sequence[str]]:
        """The columns that tasks and labels get from each joined table.

        Known from the documents beside the tables, which are small; a table without one is read.
        """
        paths = {facts_path(path): name for name, path in self._metadata.items()}
        there = [one.path for one in self._metadata_objects if one.path in paths]
        read = self._context.lake.read_many(self._commit, there)
        columns: dict[str, Sequence[str]] = {
            paths[path]: joined_columns_of(data, path) for path, data in read
        }
        for name in self._metadata.keys() - columns.keys():
            columns[name] = column_names(self._table_bytes(name), metadata_path(name))
        return joined_columns(dict(sorted(columns.items())))

    def _table_bytes(self, name: str) -> bytes:
        if name not in self._read_tables:
            [(_, data)] = self._context.lake.read_many(self._commit, [self._metadata[name]])
            self._read_tables[name] = data
        return self._read_tables[name]

    def _own_of(self, names: Iterable[str]) -> Mapping[str, Sequence[str]]:
        return {META + name: self._own[name] for name in names}

    def _load_metadata(self, name: str) -> None:
        if META + name not in self._loaded:
            table = open_dataset({metadata_path(name): self._table_bytes(name)})
            self._engine.register(META + name, table)
            self._loaded.add(META + name)


_LABELS_OF_TASKS = "_labels_of_tasks"


def _refuse_several(key: TaskKey, one: Json, other: Json) -> None:
    raise UsageError(
        "sql-several-values",
        f"the expression has several values for {key}: {one!r} and {other!r}",
        subject=key,
        unchanged="nothing was written",
        hint="make one of them: max(…), count(label), or a column of the task",
    )
