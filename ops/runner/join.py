"""`data join`: a table of one's own onto main, beside the images it speaks of.

Owns the reading of the file and the order: match against main's images, then one deposit. Which row
belongs to which image is ops/core/joining.py's; no record is touched.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.arrow import arrow_table, column_types, column_values, keyed_rows, read_arrow
from ops.core.csv_table import Kind, as_mapping, check_names, read_csv, typed
from ops.core.join_facts import JoinFacts
from ops.core.joining import UNCHANGED, Match, Rule, check_complete, match
from ops.core.names import (
    MAIN,
    MEDIA_PREFIX,
    METADATA_PREFIX,
    check_table_name,
    facts_path,
    media_key,
    metadata_path,
)
from ops.core.records import CommitId, TaskKey
from ops.core.sql import did_you_mean
from ops.errors import InvalidDataError, NotFoundError, UsageError
from ops.given import read_given
from ops.parquet import Column
from ops.ports import Upload
from ops.runner.context import Context, main_head
from ops.runner.deposit import deposit

PARQUET = "application/vnd.apache.parquet"
KIND = "data-join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table somebody has as a file.

    Attributes:
        key: the column that names the images.
        encoding: of a CSV file, where it is not UTF-8.
        delimiter: between a CSV file's cells.
    """

    path: Path
    key: str
    encoding: str | None = None
    delimiter: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a join made.

    Attributes:
        facts: what is known of the table, its match among it.
        is_new: main did not hold just this already.
        replaces: main held another table of this name.
        commit: the merge; None where there was nothing to do, or it was only planned.
    """

    facts: JoinFacts
    is_new: bool
    replaces: bool
    commit: CommitId | None


def join_table(
    context: Context,
    source: Source,
    rule: Rule,
    *,
    name: str | None = None,
    needs_all: bool = False,
    dry_run: bool = False,
) -> Joined:
    """Match a file's rows with main's images and keep those that match on main.

    Repeatable: the same file by the same rule is nothing to do. One request a 1 000 images, four
    more, and those of a deposit.

    Args:
        context: the servers.
        source: the file.
        rule: how a row's key becomes an image.
        name: of the table; None for the file's.
        needs_all: refuse unless every row has its image and every image its row.
        dry_run: match, and write nothing.

    Raises:
        NotFoundError: there is no such file, or the repository is not set up.
        UsageError: it has no such column, or the name is taken by another spelling.
        InvalidDataError: it is no table, its keys are not clear, or not one row matches.
        RefusedError: something does not match and `needs_all` is true, or a gate refused.
    """
    lake = context.lake
    named = check_table_name(name or table_name(source.path), noun="table")
    data = read_given(
        source.path,
        code="no-join-file",
        hint="name a file that is there: ops data join FILE.csv --key COLUMN",
    )
    table = _table(source, data)
    keys = _keys(table, source)
    base = main_head(lake)
    _check_spelling(context, base, named)
    with context.reporter.phase("listing pictures") as phase:
        images: list[TaskKey] = []
        for found in lake.list_objects(base, MEDIA_PREFIX):
            images.append(media_key(found.path))
            phase.advance()
    matched = match(keys, images, rule, file=source.path.name)
    if needs_all:
        check_complete(matched, file=source.path.name)
    packed = keyed_rows(table, matched.rows)
    facts = _facts(context, source, rule, match=matched, packed=packed, data=data, name=named,
                   base=base)  # fmt: skip
    return _keep(context, facts, packed, dry_run=dry_run)


def drop_table(context: Context, name: str, *, dry_run: bool = False) -> CommitId | None:
    """Take a joined table off main; older versions keep it. The requests of a deposit, and one.

    Raises:
        NotFoundError: main has no such table.
    """
    path = metadata_path(check_table_name(name, noun="table"))
    there = _tables(context, main_head(context.lake))
    if name not in there:
        raise NotFoundError(
            "no-such-table",
            f"main has no joined table {name}",
            subject=name,
            unchanged=UNCHANGED,
            hint=did_you_mean(name, there),
        )
    if dry_run:
        return None
    return deposit(
        context, KIND, (), message=f"Drop table {name}", removed=[path, facts_path(path)], name=name
    )


def table_name(path: Path) -> str:
    """What a file's table is called where nobody says: its name, in what SQL takes unquoted."""
    kept = "".join(one if one.isascii() and one.isalnum() else "_" for one in path.stem.lower())
    return kept.strip("_")[:64] or "table"


def _table(source: Source, data: bytes) -> object:
    """The file as an Arrow table.

    Raises:
        InvalidDataError: it is no table.
        UsageError: it has no such column, or its kind is not known.
    """
    name = source.path.name
    if source.path.suffix.lower() == ".parquet":
        table = _own_parquet(data, name)
        check_names(list(column_types(table)), name, key=source.key)
        return table
    if source.path.suffix.lower() not in {".csv", ".tsv", ".txt"}:
        raise UsageError(
            "join-file-kind",
            f"{name} is neither .csv nor .parquet",
            subject=name,
            unchanged="nothing was read or written",
            hint="save it as CSV in UTF-8, or as Parquet",
        )
    read = read_csv(data, name, encoding=source.encoding, delimiter=source.delimiter)
    check_names(read.names, name, key=source.key)
    columns = {
        column: (Kind.TEXT, list(cells)) if column == source.key else typed(cells)
        for column, cells in as_mapping(read).items()
    }
    return arrow_table(
        {column: values for column, (_, values) in columns.items()},
        {column: _COLUMNS[kind] for column, (kind, _) in columns.items()},
    )


def _own_parquet(data: bytes, name: str) -> object:
    try:
        return read_arrow(data, name)
    except InvalidDataError as error:
        raise InvalidDataError(
            "join-file-invalid",
            f"{name} is no Parquet file, or a damaged one",
            subject=name,
            unchanged=UNCHANGED,
            hint="write it again, or save it as CSV in UTF-8",
        ) from error


_COLUMNS = {
    Kind.TEXT: Column.TEXT,
    Kind.WHOLE: Column.WHOLE,
    Kind.NUMBER: Column.NUMBER,
    Kind.FLAG: Column.FLAG,
}


def _keys(table: object, source: Source) -> Sequence[str | None]:
    """What names the image in each row.

    Raises:
        InvalidDataError: the column does not hold text, or there is no row.
    """
    values = column_values(table, source.key)
    keys = [value for value in values if isinstance(value, str | None)]
    if not values or len(keys) < len(values):
        kind = column_types(table)[source.key]
        raise InvalidDataError(
            "key-not-text" if values else "no-rows",
            f"column {source.key!r} of {source.path.name} holds {kind}, not text"
            if values
            else f"{source.path.name} has columns and no rows",
            subject=source.path.name,
            unchanged=UNCHANGED,
            hint="it must name images by path, or by file name with --match-on name"
            if values
            else "it needs a row an image",
        )
    return keys


def _tables(context: Context, commit: CommitId) -> Sequence[str]:
    listed = context.lake.list_objects(commit, METADATA_PREFIX)
    return [
        one.path.removeprefix(METADATA_PREFIX).removesuffix(".parquet")
        for one in listed
        if one.path.endswith(".parquet")
    ]


def _check_spelling(context: Context, commit: CommitId, name: str) -> None:
    """See that no other table's name differs by upper and lower case alone.

    Raises:
        UsageError: one's does: SQL could not tell them apart.
    """
    there = _tables(context, commit)
    other = next((one for one in there if one != name and one.lower() == name.lower()), None)
    if other:
        raise UsageError(
            "table-spelling",
            f"there is a table {other}, and SQL cannot tell {name} from it",
            subject=name,
            unchanged=UNCHANGED,
            hint=f"replace it with: --name {other}\nor take another name",
        )


def _facts(  # what a document holds comes from as many sides
    context: Context,
    source: Source,
    rule: Rule,
    *,
    match: Match,
    packed: bytes,
    data: bytes,
    name: str,
    base: CommitId,
) -> JoinFacts:
    return JoinFacts(
        name=name,
        file=source.path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        key_column=source.key,
        rule=rule,
        match=match,
        columns=column_types(read_arrow(packed, name)),
        base=base,
        made_by=context.actor,
        made_at=context.timestamp(),
    )


def _keep(context: Context, facts: JoinFacts, packed: bytes, *, dry_run: bool) -> Joined:
    path = metadata_path(facts.name)
    stored = context.lake.read(MAIN, path)
    document = context.lake.read(MAIN, facts_path(path)) if stored else None
    is_new = stored != packed or document is None or not facts.says_the_same(document)
    commit = None
    if is_new and not dry_run:
        commit = deposit(
            context,
            KIND,
            [
                Upload(path=path, data=packed, content_type=PARQUET),
                Upload(path=facts_path(path), data=facts.encode()),
            ],
            message=f"Join {facts.file} as {facts.name}",
            name=facts.name,
            rows=len(facts.match.rows),
        )
    return Joined(facts=facts, is_new=is_new, replaces=stored is not None, commit=commit)
