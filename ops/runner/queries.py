"""Saved queries: read at a ref, listed, and brought onto main.

Owns the files below `queries/`. What is asked of a commit's tables is tables.py's.
"""

from ops.core.names import QUERY_PREFIX, check_table_name, query_path
from ops.core.queries import decode_query, encode_query
from ops.core.records import CommitId
from ops.core.sql import did_you_mean
from ops.errors import NotFoundError
from ops.ports import Upload
from ops.runner.context import Context
from ops.runner.deposit import deposit

_SUFFIX = ".sql"


def read_query(context: Context, commit: CommitId, name: str) -> str:
    """The text of a saved query as a commit has it. One request, two where there is none.

    Raises:
        NotFoundError: there is no such query at the commit.
        InvalidDataError: what is there is no query.
    """
    path = query_path(check_table_name(name, noun="query"))
    data = context.lake.read(commit, path)
    if data is None:
        there = list(list_queries(context, commit))
        raise NotFoundError(
            "no-such-query",
            f"there is no saved query {name}",
            subject=name,
            where=(("path", path), ("commit", commit)),
            unchanged="nothing was written",
            hint=did_you_mean(name, there),
        )
    return decode_query(data, path)


def list_queries(context: Context, commit: CommitId) -> dict[str, str]:
    """The saved queries of a commit with their texts, by name. One request, and one a query.

    Raises:
        InvalidDataError: one of them is no query.
    """
    listed = context.lake.list_objects(commit, QUERY_PREFIX)
    paths = [one.path for one in listed if one.path.endswith(_SUFFIX)]
    return {
        path.removeprefix(QUERY_PREFIX).removesuffix(_SUFFIX): decode_query(data, path)
        for path, data in context.lake.read_many(commit, paths)
    }


def save_query(context: Context, name: str, text: str) -> CommitId | None:
    """Bring a query onto main; None where main has just this. The requests of a deposit."""
    path = query_path(check_table_name(name, noun="query"))
    upload = Upload(path=path, data=encode_query(text), content_type="text/plain")
    return deposit(context, "query", [upload], message=f"Save query {name}", name=name)
