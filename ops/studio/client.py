"""The port `Studio` on the real Label Studio, by its SDK.

Owns what the routes of Label Studio 1.23 that change something really promise. Does not own what is
read (reading.py), predictions (predictions.py), how a request travels (transport.py), people's own
acts (annotators.py), nor what a round needs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ops.core.records import Json
from ops.errors import PartialError
from ops.ports import Project
from ops.studio.failures import (
    GoneError,
    MediaError,
    NotLabelStudioError,
    RefusedDataError,
    UnexpectedAnswerError,
    about,
    as_mapping,
)
from ops.studio.predictions import PredictionClient
from ops.studio.reading import batches
from ops.studio.sdk import open_client

if TYPE_CHECKING:
    from ops.studio.sdk import Client

_TITLE_LENGTH = 50
_OVER = "<p>This round is over: what is annotated here from now on is not read.</p>"
_READS = 4
_PROJECT_PAGE = 100
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


class LabelStudio(PredictionClient):
    """One Label Studio server: what is read of it, and what is changed there.

    The changes, and what no sync asks, are worded by Label Studio's SDK.
    """

    @cached_property
    def sdk(self) -> "Client":
        """Label Studio's SDK, sending by `http`."""
        return open_client(self.http)

    def server_version(self) -> str:
        """The server's version, as `1.23.2`. One request, without credentials.

        Raises:
            NotLabelStudioError: it states none.
        """
        release: object = getattr(self.sdk.versions.get(), "release", None)
        if not isinstance(release, str):
            raise NotLabelStudioError(self.url, "GET /api/version/", "it states no version")
        return release

    def find_projects(self, marker: str) -> tuple[Project, ...]:
        """The projects whose description holds the marker as a word, oldest first.

        One request a 100 projects; read again where one is made or deleted meanwhile.
        """
        word = re.compile(rf"(?<![\w/:-]){re.escape(marker)}(?![\w/:-])")
        pages: list[Any] = []
        for _ in range(_READS):
            pages = list(self._project_pages())
            if pages[-1].next is None and len({page.count for page in pages}) == 1:
                break
        found = [
            self._project(facts.id, facts.title, facts.description)
            for page in pages
            for facts in page.results
        ]
        return tuple(project for project in found if word.search(project.description))

    def create_project(self, *, title: str, description: str, label_config: str) -> Project:
        """Create a project set up for labeling. One request, never repeated.

        Annotators may skip a task and may submit it empty; predictions are shown; tasks come in
        order.

        Raises:
            RefusedDataError: Label Studio does not accept the label config (code `label-config`),
                or the title.
        """
        with about("project", refused=_refused_project):
            facts: Any = self.sdk.projects.create(
                title=title,
                description=description,
                label_config=label_config,
                show_skip_button=True,
                enable_empty_annotation=True,
                show_collab_predictions=True,
                evaluate_predictions_automatically=False,
                sampling="Sequential sampling",
            )
        return self._project(facts.id, facts.title, facts.description)

    def close_project(self, project: int, *, title: str, description: str) -> None:
        """Rename a project, and tell its annotators that what they do is not read any more.

        One request; repeatable.

        Raises:
            NotFoundError: there is no such project.
        """
        with about("project", project, refused=_refused_project):
            self.sdk.projects.update(
                project,
                title=title[:_TITLE_LENGTH],
                description=description,
                expert_instruction=_OVER,
                show_instruction=True,
            )

    def delete_project(self, project: int) -> bool:
        """Delete a project with its tasks and annotations; False if there is none. One request."""
        with suppress(GoneError), about("project", project):
            self.sdk.projects.delete(project)
            return True
        return False

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
        storages = self.sdk.import_storage.s3
        with about("project", project, refused=lambda body: MediaError(bucket, body=body)):
            rows = storages.list(project=project)
            known = next((row.id for row in rows if row.bucket == bucket), None)
            store = storages.create if known is None else partial(storages.update, known)
            store(
                project=project,
                title=bucket,
                bucket=bucket,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                region_name="us-east-1",
                use_blob_urls=True,
                presign=False,
            )
        return known is None

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
        for chunk in batches(tasks, _DELETE_CHUNK):
            chosen: Any = {"all": False, "included": chunk}
            with about("project", project):
                self.sdk.actions.create(
                    id="delete_tasks", project=project, selected_items=chosen, ordering=[]
                )

    def _project_pages(self) -> Iterator[Any]:
        for number in count(1):
            try:
                # Not by iterating, which asks for one page more than there is: a 404.
                page = self.sdk.projects.list(
                    include="id,title,description",
                    ordering="id",
                    page=number,
                    page_size=_PROJECT_PAGE,
                ).response
            except UnexpectedAnswerError as answer:
                # Projects were deleted meanwhile, and this page is past the end.
                if answer.status == HTTPStatus.NOT_FOUND and number > 1:
                    return
                raise
            yield page
            if page.next is None:
                return

    def _project(self, number: int, title: str, description: str | None) -> Project:
        url = f"{self.url}/projects/{number}/data"
        return Project(id=number, title=title, description=description or "", url=url)

    def _import(
        self, project: int, items: Sequence[Mapping[str, Json]]
    ) -> tuple[tuple[int, ...], "_Counts"]:
        request = cast("Any", items)
        with about(
            "project",
            project,
            refused=lambda body: RefusedDataError(
                "import-refused",
                f"Label Studio does not accept the tasks for project {project}",
                body=body,
                hint="correct the data the reason names, then run the same command again",
            ),
        ):
            # `Any`: its model lacks `task_ids`, and says `predictions_count`, which no server does.
            facts: Any = self.sdk.projects.import_tasks(
                project, request=request, return_task_ids=True
            )
        counts = _Counts(facts.task_count, facts.annotation_count, facts.prediction_count)
        return tuple(facts.task_ids), counts


def _refused_project(body: object) -> RefusedDataError:
    is_config = "label_config" in as_mapping(as_mapping(body).get("validation_errors"))
    what = "label config" if is_config else "project"
    return RefusedDataError(
        what.replace(" ", "-"),
        f"Label Studio does not accept the {what}",
        body=body,
        hint=f"correct the {what}, then run the same command again",
    )
