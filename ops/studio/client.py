"""The port `Studio` over Label Studio's HTTP API.

Owns what each route of Label Studio 1.23 really promises, and the care it takes to be exact.
Does not own how a request travels (transport.py), people's own acts (annotators.py), nor
what a round needs.
"""

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

from ops.core.records import Json, TaskKey
from ops.errors import PartialError
from ops.ports import Project, TaskRow, Totals
from ops.studio.failures import (
    FailedError,
    MediaError,
    NotLabelStudioError,
    RefusedDataError,
    as_mapping,
)
from ops.studio.transport import Exchange, Reply

_T = TypeVar("_T")

# What Label Studio's filters take: 1.23 answers 500 to a time without the fraction.
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_READS = 4
_PROJECT_PAGE = 100
_ROW_FIELDS = "id,data,updated_at,total_annotations,cancelled_annotations"
_ROW_PAGE, _SMALLEST_ROW_PAGE = 1000, 50
_ROW_TRIES = 12
# 250 ids make a URL of 5 kB: nginx takes 8 kB, Django 1 000 parameters.
_EXPORT_CHUNK = 250
_EXPORTS_IN_FLIGHT = 3
_DELETE_CHUNK = 500


class _Counts(NamedTuple):
    """What an import brings, or brought."""

    tasks: int
    annotations: int
    predictions: int

    @classmethod
    def of(cls, items: Sequence[Mapping[str, Any]]) -> "_Counts":
        annotations = sum(len(item.get("annotations", ())) for item in items)
        predictions = sum(len(item.get("predictions", ())) for item in items)
        return cls(len(items), annotations, predictions)

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.annotations} annotations, {self.predictions} predictions"


class ShortImportError(PartialError):
    """The server kept less of a batch than it was sent, twice."""

    def __init__(self, project: int, sent: _Counts, kept: _Counts) -> None:
        """Say what was sent and what was kept."""
        super().__init__(
            "import-short",
            f"Label Studio kept less than it was sent for project {project}",
            subject=str(project),
            where=(("sent", str(sent)), ("kept", str(kept))),
            unchanged="the tasks of this batch were deleted again; earlier batches are there",
            hint="run the same command again; where Label Studio runs on SQLite with its stock "
            "settings,\nwhen nobody is annotating",
        )


class LabelStudio:
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
        self.http = Exchange(
            url, token, timeout_s=timeout_s, patience_s=patience_s, on_request=on_request
        )

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return self.http.url

    def close(self) -> None:
        """Let go of open connections; a later call opens new ones."""
        self.http.close()

    def server_version(self) -> str:
        """The server's version, as `1.23.2`. One request, without credentials.

        Raises:
            NotLabelStudioError: it states none.
        """
        path = "/api/version"
        release = as_mapping(self.http.get_anonymously(path).body).get("release")
        if not isinstance(release, str):
            raise NotLabelStudioError(self.url, f"GET {path}", "it states no version")
        return release

    def find_projects(self, marker: str) -> tuple[Project, ...]:
        """The projects whose description holds the marker as a word, oldest first.

        One request a 100 projects; read again where one is made or deleted meanwhile.
        """
        word = re.compile(rf"(?<![\w/:-]){re.escape(marker)}(?![\w/:-])")
        pages: list[Any] = []
        for _ in range(_READS):
            pages = list(self._project_pages())
            if len({page["count"] for page in pages}) == 1:
                break
        found = [self._project(facts) for page in pages for facts in page["results"]]
        return tuple(project for project in found if word.search(project.description))

    def create_project(self, *, title: str, description: str, label_config: str) -> Project:
        """Create a project set up for labeling. One request, never repeated.

        Annotators may skip a task and may submit it empty; predictions are shown; tasks come in
        order.

        Raises:
            RefusedDataError: Label Studio does not accept the label config (code `label-config`),
                or the title.
        """
        settings = {
            "title": title,
            "description": description,
            "label_config": label_config,
            "show_skip_button": True,
            "enable_empty_annotation": True,
            "show_collab_predictions": True,
            "evaluate_predictions_automatically": False,
            "sampling": "Sequential sampling",
        }
        reply = self.http.send("POST", "/api/projects/", settings)
        if reply.is_refused:
            is_config = "label_config" in as_mapping(
                as_mapping(reply.body).get("validation_errors")
            )
            what = "label config" if is_config else "project"
            raise RefusedDataError(
                what.replace(" ", "-"),
                f"Label Studio does not accept the {what}",
                body=reply.body,
                hint=f"correct the {what}, then run the same command again",
            )
        return self._project(reply.expect("project").body)

    def delete_project(self, project: int) -> bool:
        """Delete a project with its tasks and annotations; False if there is none. One request."""
        return not self.http.send("DELETE", f"/api/projects/{project}/").is_missing

    def connect_media(
        self, project: int, *, bucket: str, access_key_id: str, secret_access_key: str
    ) -> bool:
        """Let the project show objects of the S3 bucket; False if it was set up already.

        Two requests; what was set up is brought up to date. Nothing is synchronised: any
        `s3://bucket/…` in a task's data resolves. Label Studio streams the bytes itself, since
        lakeFS sends no CORS headers a presigned URL would need.

        Raises:
            MediaError: Label Studio cannot reach the bucket with these credentials.
        """
        path, row = "/api/storages/s3/", self._storage(project, bucket)
        settings: dict[str, Any] = {
            "project": project,
            "title": bucket,
            "bucket": bucket,
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
            "region_name": "us-east-1",
            "use_blob_urls": True,
            "presign": False,
        }
        if row is None:
            reply = self.http.send("POST", path, settings)
        else:
            reply = self.http.send("PATCH", f"{path}{row}", settings)
        if reply.is_refused:
            raise MediaError(bucket, body=reply.body)
        reply.expect("project", project)
        return row is None

    def shows_media(self, task: int, uri: str) -> bool:
        """Say whether an annotator's browser gets the bytes of `uri` with this task.

        Two requests: the task as the editor is given it, then the first byte of the picture. What
        the editor asks for is not always `uri`: white space at its end is lost on the way there.
        """
        reply = self.http.get(f"/api/tasks/{task}/")
        data: Mapping[str, Any] = reply.expect("task", task).body["data"]
        path = next((path for path in data.values() if _resolves_to(path, uri)), None)
        return path is not None and self.http.streams(path)

    def import_tasks(self, project: int, items: Sequence[Mapping[str, Json]]) -> tuple[int, ...]:
        """Import one batch and give the new task ids in its order. One request.

        Where the server took other counts than were sent, the batch is deleted and sent once more.

        Raises:
            ShortImportError: the counts differed twice.
            RefusedDataError: the server refused an item; nothing was imported.
        """
        if not items:
            return ()
        sent = _Counts.of(items)
        tasks, kept = self._import(project, items)
        if kept != sent:
            self.delete_tasks(project, tasks)
            tasks, kept = self._import(project, items)
        if kept != sent:
            self.delete_tasks(project, tasks)
            raise ShortImportError(project, sent, kept)
        return tasks

    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks with their annotations. One request a 500, never repeated by itself.

        Without tasks nothing is sent: Label Studio takes an empty list for every task.
        """
        for chunk in _batches(tasks, _DELETE_CHUNK):
            reply = self.http.send(
                "POST",
                "/api/dm/actions/",
                {"selectedItems": {"all": False, "included": chunk}, "ordering": []},
                params={"id": "delete_tasks", "project": project},
            )
            reply.expect("project", project)

    def totals(self, project: int) -> Totals:
        """The project's own counts, straight from its tables. One request."""
        fields = "task_number,total_annotations_number,skipped_annotations_number"
        reply = self.http.get(f"/api/projects/{project}/", {"include": fields})
        facts = reply.expect("project", project).body
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
        """
        last_id, size, failures = 0, _ROW_PAGE, 0
        while True:
            reply = self._row_page(project, since, last_id=last_id, size=size)
            if reply.is_failed:
                # 1.23 answers 500 where a task of the page is deleted while it is put together: a
                # smaller page is put together sooner.
                failures, size = failures + 1, max(size // 2, _SMALLEST_ROW_PAGE)
                self._wait_after(failures, reply)
                continue
            page, failures = reply.expect("project", project).body, 0
            yield from (_task_row(row) for row in page["tasks"])
            if len(page["tasks"]) >= page["total"] or not page["tasks"]:
                return
            last_id = page["tasks"][-1]["id"]

    def export(self, project: int, tasks: Sequence[int]) -> Iterator[Mapping[str, Json]]:
        """Tasks in Label Studio's export form, with `unique_id`, in the order asked for.

        Tasks that are gone are left out; skipped, empty and unfinished ones are there. One request
        a 250, the next on its way while these are read; a few chunks in memory. Label Studio keeps
        a copy of every answer in its `export` folder, for good.
        """
        chunks = _batches(dict.fromkeys(tasks), _EXPORT_CHUNK)
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
        reply = self.http.get("/api/users/").expect("account")
        return {user["id"]: user["email"] for user in reply.body}

    def _project_pages(self) -> Iterator[Any]:
        number, more = 1, True
        while more:
            params = {
                "include": "id,title,description",
                "ordering": "id",
                "page_size": _PROJECT_PAGE,
                "page": number,
            }
            reply = self.http.get("/api/projects/", params)
            if reply.is_missing and number > 1:
                # Projects were deleted meanwhile, and this page is past the end.
                yield {"count": None, "results": []}
                return
            page = reply.expect("account").body
            yield page
            number, more = number + 1, page["next"] is not None

    def _project(self, facts: Mapping[str, Any]) -> Project:
        return Project(
            id=facts["id"],
            title=facts["title"],
            description=facts["description"] or "",
            url=f"{self.url}/projects/{facts['id']}/data",
        )

    def _storage(self, project: int, bucket: str) -> int | None:
        reply = self.http.get("/api/storages/s3/", {"project": project})
        rows: list[Any] = reply.expect("project", project).body
        return next((row["id"] for row in rows if row["bucket"] == bucket), None)

    def _import(
        self, project: int, items: Sequence[Mapping[str, Json]]
    ) -> tuple[tuple[int, ...], "_Counts"]:
        path = f"/api/projects/{project}/import"
        reply = self.http.send("POST", path, items, params={"return_task_ids": "true"})
        if reply.is_refused:
            raise RefusedDataError(
                "import-refused",
                f"Label Studio does not accept the tasks for project {project}",
                body=reply.body,
                hint="correct the data the reason names, then run the same command again",
            )
        facts = reply.expect("project", project).body
        counts = _Counts(facts["task_count"], facts["annotation_count"], facts["prediction_count"])
        return tuple(facts.get("task_ids") or ()), counts

    def _row_page(self, project: int, since: str | None, *, last_id: int, size: int) -> Reply:
        filters = [_filter("id", "greater", "Number", last_id)]
        if since is not None:
            filters.append(_filter("updated_at", "greater_or_equal", "Datetime", _time(since)))
        query = {"filters": {"conjunction": "and", "items": filters}, "ordering": ["tasks:id"]}
        params = {
            "project": project,
            "include": _ROW_FIELDS,
            "page_size": size,
            "resolve_uri": "false",
            "query": json.dumps(query),
        }
        return self.http.get("/api/tasks/", params, allow_failure=True)

    def _wait_after(self, failures: int, reply: Reply) -> None:
        """Wait longer after each failed page, all of the patience in all.

        Raises:
            FailedError: it has failed too often.
        """
        if failures == _ROW_TRIES:
            tries = f"after {failures} tries"
            raise FailedError(self.url, "GET /api/tasks/", status=reply.status, tries=tries)
        self.http.wait(2 * failures / (_ROW_TRIES * (_ROW_TRIES - 1)))

    def _export_chunk(self, project: int, tasks: Sequence[int]) -> list[Mapping[str, Json]]:
        params = {"exportType": "JSON", "download_all_tasks": "true", "ids[]": tasks}
        reply = self.http.get(f"/api/projects/{project}/export", params).expect("project", project)
        documents = {document["id"]: document for document in reply.body}
        return [documents[task] for task in tasks if task in documents]


def _batches(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def _filter(column: str, operator: str, kind: str, value: str | int) -> Mapping[str, Json]:
    name = f"filter:tasks:{column}"
    return {"filter": name, "operator": operator, "type": kind, "value": value}


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
