"""What is read of Label Studio, and read fast: the index, the counts, exports, people.

Owns the care it takes to read exactly what is there while people change it. Does not change
anything (client.py), nor know how a request travels (transport.py).

None of it goes through Label Studio's SDK: these are the requests of a sync, and importing the SDK
would add 0.2 s CPU to each. What else speaks against it: docs/adr/0008-sdks.md.
"""

import base64
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from ops.core.records import Json, TaskKey
from ops.ports import TaskRow, Totals
from ops.studio.failures import FailedError, UnreachableError, about, as_mapping
from ops.studio.sdk import index_query

if TYPE_CHECKING:
    from ops.studio.transport import Exchange

_T = TypeVar("_T")

# What Label Studio's filters take: 1.23 answers 500 to a time without the fraction.
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_COUNTS = "task_number,total_annotations_number,skipped_annotations_number"
_ROW_FIELDS = "id,data,updated_at,total_annotations,cancelled_annotations"
_ROW_PAGE, _SMALLEST_ROW_PAGE = 1000, 50
_ROW_TRIES = 12
_ROWS = "GET /api/tasks/"
# 250 ids make a URL of 5 kB: nginx takes 8 kB, Django 1 000 parameters.
_EXPORT_CHUNK = 250
_EXPORTS_IN_FLIGHT = 3


class Reader:
    """One Label Studio server, seen by the account a token belongs to.

    Safe for threads. Nothing is sent before the first call.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 120.0,
        patience_s: float = 7.0,
        on_request: Callable[[str, str], None] | None = None,
    ) -> None:
        """Keep the address and a personal access token (a legacy token does too).

        `timeout_s` bounds one request, `patience_s` the waiting between the tries of one that
        fails. `on_request` is told method and path of every request sent, renewals included.
        """
        self._url, self._token, self._on_request = url.rstrip("/"), token.strip(), on_request
        self._limits = {"timeout_s": timeout_s, "patience_s": patience_s}

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return self._url

    @cached_property
    def http(self) -> "Exchange":
        """What sends, for requests the SDK cannot word; `about` says what their refusals mean."""
        from ops.studio.transport import Exchange

        http = Exchange(self._url, self._token, **self._limits, on_request=self._on_request)
        # Whoever lets go of this without closing it leaves no connection behind.
        weakref.finalize(self, http.close)
        return http

    def close(self) -> None:
        """Let go of open connections. Nothing can be asked afterwards."""
        if "http" in vars(self):
            self.http.close()

    def totals(self, project: int) -> Totals:
        """The project's own counts, straight from its tables. One request."""
        with about("project", project):
            facts = self.http.get(f"/api/projects/{project}/", params={"include": _COUNTS}).json()
        return Totals(
            task_count=facts["task_number"],
            annotation_count=facts["total_annotations_number"],
            skipped_count=facts["skipped_annotations_number"],
        )

    def task_rows(self, project: int, *, since: str | None = None) -> Iterator[TaskRow]:
        """The task index, by id: all of it, or the tasks updated at or after `since`.

        One request a 1 000 tasks, lazily. A page starts after the last id seen, so that tasks
        deleted or imported meanwhile move no row past it: every task that is there from the first
        request to the last is given, once.

        Raises:
            FailedError: a page failed time and again, however small; or the token's renewal.
        """
        since = None if since is None else _time(since)
        last_id, size, failures = 0, _ROW_PAGE, 0
        while True:
            try:
                page = self._row_page(project, index_query(after=last_id, since=since), size)
            except FailedError as failed:
                if failed.request != _ROWS:
                    # The renewal of the token, which has had its tries.
                    raise
                # 1.23 answers 500 where a task of the page is deleted while it is put together: a
                # smaller page is put together sooner.
                failures, size = failures + 1, max(size // 2, _SMALLEST_ROW_PAGE)
                self._wait_after(failures, failed)
                continue
            failures = 0
            yield from (_task_row(row) for row in page["tasks"])
            if len(page["tasks"]) >= page["total"] or not page["tasks"]:
                return
            last_id = page["tasks"][-1]["id"]

    def export(self, project: int, tasks: Sequence[int]) -> Iterator[Mapping[str, Json]]:
        """Tasks in Label Studio's export form, with `unique_id`, in the order asked for.

        Tasks that are gone are left out; skipped, empty and unfinished ones are there. One request
        a 250, the next on its way while these are read; a few chunks in memory. Label Studio keeps
        a copy of every answer in its `export` folder; `ops local` removes them.
        """
        chunks = batches(dict.fromkeys(tasks), _EXPORT_CHUNK)
        in_flight = 1 if self.http.has_one_process else _EXPORTS_IN_FLIGHT
        with ThreadPoolExecutor(in_flight) as pool:
            pending: deque[Future[list[Mapping[str, Json]]]] = deque()
            for chunk in chunks:
                pending.append(pool.submit(self._export_chunk, project, chunk))
                if len(pending) > in_flight:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()

    def members(self) -> Mapping[int, str]:
        """E-mail by user id, of everyone on the server. One request: this list has no pages."""
        with about("account"):
            users = self.http.get("/api/users/").json()
        return {user["id"]: user["email"] for user in users}

    def shows_media(self, task: int, uri: str) -> bool:
        """Say whether an annotator's browser gets the bytes of `uri` with this task.

        Two requests: the task as the editor is given it, then the first byte of the picture. What
        the editor asks for is not always `uri`: white space at its end is lost on the way there.
        """
        data = as_mapping(self.task(task)["data"])
        path = next((path for path in data.values() if _resolves_to(path, uri)), None)
        return path is not None and self.http.streams(path)

    def task(self, task: int) -> Mapping[str, Any]:
        """A task as the editor is given it. One request.

        Raises:
            GoneError: there is no such task.
        """
        with about("task", task):
            return self.http.get(f"/api/tasks/{task}/").json()

    def _row_page(self, project: int, query: str, size: int) -> Mapping[str, Any]:
        params: dict[str, str | int] = {
            "project": project,
            "include": _ROW_FIELDS,
            "page_size": size,
            "resolve_uri": "false",
            "query": query,
        }
        with about("project", project):
            extensions = {"fail_at_once": True}
            return self.http.get("/api/tasks/", params=params, extensions=extensions).json()

    def _wait_after(self, failures: int, failed: FailedError) -> None:
        """Wait longer after each failed page, all of the patience in all.

        Raises:
            FailedError: it has failed too often.
        """
        if failures == _ROW_TRIES:
            tries = f"after {failures} tries"
            raise FailedError(self.url, _ROWS, status=failed.status, tries=tries) from failed
        self.http.wait(2 * failures / (_ROW_TRIES * (_ROW_TRIES - 1)))

    def _export_chunk(self, project: int, tasks: Sequence[int]) -> list[Mapping[str, Json]]:
        """Some tasks' documents; in halves where there is no whole answer, down to single tasks.

        A proxy may cut an answer off that takes long, however often it is asked for. Only single
        tasks are tried again: where nobody answers at all, they are arrived at in no time.

        Raises:
            FailedError: not even a single task is answered; or the token is not renewed.
            UnreachableError: the same, without an answer.
        """
        if len(tasks) == 1:
            return self._exported(project, tasks)
        try:
            return self._exported(project, tasks, try_once=True)
        except (FailedError, UnreachableError) as failed:
            if not failed.request.endswith("/export"):
                raise
            half = len(tasks) // 2
            halves = (tasks[:half], tasks[half:])
            return [found for part in halves for found in self._export_chunk(project, part)]

    def _exported(
        self, project: int, tasks: Sequence[int], **extensions: bool
    ) -> list[Mapping[str, Json]]:
        # The SDK has `ids` where the route has `ids[]`: it would give the whole project.
        params = {"exportType": "JSON", "download_all_tasks": "true", "ids[]": tasks}
        url = f"/api/projects/{project}/export"
        with about("project", project):
            found = self.http.get(url, params=params, extensions=extensions).json()
        documents = {document["id"]: document for document in found}
        return [documents[task] for task in tasks if task in documents]


def batches(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """The values in lists of so many, the last one shorter."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def _time(text: str) -> str:
    """A time in the canonical form; Label Studio leaves out a fraction that is zero."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime(_TIME_FORMAT)


def _task_row(row: Mapping[str, Any]) -> TaskRow:
    data: Mapping[str, Json] = row["data"]
    key = data.get("key")
    return TaskRow(
        id=row["id"],
        key=TaskKey(key) if isinstance(key, str) else None,
        updated_at=_time(row["updated_at"]),
        annotation_count=row["total_annotations"],
        skipped_count=row["cancelled_annotations"],
        data=data,
    )


def _resolves_to(value: object, uri: str) -> bool:
    """Say whether a value of a task, as the editor is given it, is a path that stands for `uri`."""
    if not isinstance(value, str) or not value.startswith("/"):
        return False
    coded = parse_qs(urlsplit(value).query).get("fileuri", [""])[0]
    return coded == base64.urlsafe_b64encode(uri.encode()).decode()
