"""Label Studio in memory: ports.Studio, annotator_port.Annotators, and what else people do there.

Honest about what hurts: ids are given twice, as SQLite gives them; nothing is deduplicated; the
times that do not move do not move. tests/contract/test_studio.py holds it to the real server.
"""

import functools
import re
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Concatenate, ParamSpec, TypeVar, cast

from ops.core.records import Json
from ops.errors import ConfigurationError, ConflictError
from ops.ports import Project, TaskRow, Totals
from ops.prediction_port import PredictedTask
from tests.fakes.studio_state import (
    FakeAnnotation,
    FakePrediction,
    FakeTask,
    annotations_in,
    check_label_config,
    document,
    gone,
    is_score,
    predicted,
    predictions_in,
    refused,
    repeats,
    row,
)

Result = Sequence[Mapping[str, Json]]
Hook = Callable[[str], None]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_TITLE_LENGTHS = range(3, 51)
_LOST_IN_URLS = re.compile(r"[?\t\r\n]")
_ADMINISTRATOR = 1


def _watched(
    method: Callable[Concatenate["FakeStudio", _P], _R],
) -> Callable[Concatenate["FakeStudio", _P], _R]:
    """Call the hooks around a method, and let one thread in at a time."""

    @functools.wraps(method)
    def watched(self: "FakeStudio", *args: _P.args, **kwargs: _P.kwargs) -> _R:
        self.before(method.__name__)
        with self.lock:
            answer = method(self, *args, **kwargs)
        self.after(method.__name__)
        return answer

    return watched


class FakeStudio:
    """One Label Studio server in memory, seen by its administrator.

    Attributes:
        before, after: called with a method's name around each method; what they raise, the caller
            gets. Raising in `after` is a crash between the deed and the answer.
        has_media, is_kept: say whether an `s3://` URI is there, and a prediction's score right.
        projects, tasks, annotations, users: the state, by id.
        media: the buckets connected, by project.
        shown: the model version each project shows.
        miscounted: tasks whose own counters are wrong, answers and skips, as several people at one
            task leave them on the real server; its totals are right all the same.
    """

    def __init__(self, now: Callable[[], datetime], *, email: str = "ops@localhost.local") -> None:
        """Start empty but for its administrator; `now` gives the server's time."""
        self.before: Hook = lambda _: None
        self.after: Hook = lambda _: None
        self.has_media: Callable[[str], bool] = lambda _: True
        self.is_kept: Callable[[Json], bool] = is_score
        self.lock = threading.RLock()
        self.projects: dict[int, Project] = {}
        self.configs: dict[int, str] = {}
        self.instructions: dict[int, str] = {}
        self.tasks: dict[int, FakeTask] = {}
        self.annotations: dict[int, FakeAnnotation] = {}
        self.users: dict[int, str] = {_ADMINISTRATOR: email}
        self.media: dict[int, set[str]] = {}
        self.miscounted: dict[int, tuple[int, int]] = {}
        self.shown: dict[int, str] = {}
        self._now = now
        # The highest id ever given: what a single insert goes on from, and an import does not.
        self._highest = {"project": 0, "annotation": 0, "prediction": 0, "unique": 0}

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return "http://studio.invalid"

    @_watched
    def server_version(self) -> str:
        """The version whose ways these are."""
        return "1.23.2"

    @_watched
    def find_projects(self, marker: str) -> tuple[Project, ...]:
        """The projects whose description holds the marker as a word, oldest first."""
        word = re.compile(rf"(?<![\w/:-]){re.escape(marker)}(?![\w/:-])")
        return tuple(p for p in self.projects.values() if word.search(p.description))

    @_watched
    def create_project(self, *, title: str, description: str, label_config: str) -> Project:
        """Create a project; a second one of the same name too."""
        if len(title) not in _TITLE_LENGTHS:
            raise refused("project", f"title of {len(title)} characters")
        check_label_config(label_config)
        number = self._next("project")
        url = f"{self.url}/projects/{number}/data"
        project = Project(id=number, title=title, description=description, url=url)
        self.projects[number], self.configs[number] = project, label_config
        self.media[number] = set()
        return project

    @_watched
    def close_project(self, project: int, *, title: str, description: str) -> None:
        """Rename a project, and tell its annotators that it is over."""
        self._require_project(project)
        if len(title) < _TITLE_LENGTHS.start:
            raise refused("project", f"title of {len(title)} characters")
        title = title[: _TITLE_LENGTHS.stop - 1]
        closed = replace(self.projects[project], title=title, description=description)
        self.projects[project] = closed
        self.instructions[project] = "This round is over."

    @_watched
    def instruction(self, project: int) -> str:
        """What annotators are shown before they begin; nothing at first."""
        self._require_project(project)
        return self.instructions.get(project, "")

    @_watched
    def delete_project(self, project: int) -> bool:
        """Delete a project and everything in it; False if there is none."""
        if self.projects.pop(project, None) is None:
            return False
        self._drop(task.id for task in self._of(project))
        return True

    @_watched
    def connect_media(
        self, project: int, *, bucket: str, access_key_id: str, secret_access_key: str
    ) -> bool:
        """Connect a bucket; False if it was connected."""
        self._require_project(project)
        if not access_key_id or not secret_access_key:
            raise ConfigurationError("media-unreachable", "no keys", unchanged="all", hint="keys")
        is_new = bucket not in self.media[project]
        self.media[project].add(bucket)
        return is_new

    @_watched
    def shows_media(self, task: int, uri: str) -> bool:
        """Say whether a task shows a URI; what is lost on the real way is lost here."""
        found = self._require_task(task)
        is_readable = uri == uri.rstrip() and not _LOST_IN_URLS.search(uri)
        is_connected = uri.removeprefix("s3://").partition("/")[0] in self.media[found.project]
        return uri in found.data.values() and is_readable and is_connected and self.has_media(uri)

    @_watched
    def import_tasks(self, project: int, items: Sequence[Mapping[str, Json]]) -> tuple[int, ...]:
        """Import a batch as a whole or not at all; give the ids in its order."""
        self._require_project(project)
        for number, item in enumerate(items):
            self._check_item(project, number, item)
        # As on SQLite: from the highest there is, so that the ids of what was newest and was
        # deleted come again, in whatever project.
        first, inner_ids = max(self.tasks, default=0) + 1, [t.inner_id for t in self._of(project)]
        inner_id, annotation = max(inner_ids, default=0) + 1, max(self.annotations, default=0) + 1
        for place, item in enumerate(items):
            self._add_task(project, first + place, inner_id + place, item)
            for body in annotations_in(item):
                self._add_annotation(annotation, first + place, body)
                annotation += 1
        self._highest["annotation"] = max(self._highest["annotation"], annotation - 1)
        self._show_imported(project, items)
        return tuple(range(first, first + len(items)))

    def _show_imported(self, project: int, items: Sequence[Mapping[str, Json]]) -> None:
        """Show the last model version of an import, where none is shown."""
        said = [one for item in items for one in predictions_in(item)]
        if said:
            self.shown.setdefault(project, str(said[-1].get("model_version", "undefined")))

    @_watched
    def predicted_tasks(self, project: int) -> Iterator[PredictedTask]:
        """Every task with the models that speak of it."""
        self._require_project(project)
        return iter([predicted(task) for task in self._of(project)])

    @_watched
    def add_predictions(self, project: int, predictions: Sequence[Mapping[str, Json]]) -> int:
        """Add predictions in bulk; `updated_at` does not move."""
        self._require_project(project)
        there = {task.id for task in self._of(project)}
        if any(one.get("task") not in there for one in predictions):
            raise refused("predictions-refused", "task not found")
        return sum(self._add_predictions(cast("int", one["task"]), [one]) for one in predictions)

    @_watched
    def remove_repeated_predictions(
        self, tasks: Sequence[int], model_versions: Collection[str]
    ) -> int:
        """Keep the oldest of each."""
        found = [self._require_task(task) for task in tasks]
        spare = {one for task in found for one in repeats(task, model_versions)}
        for task in found:
            task.predictions = [one for one in task.predictions if one.id not in spare]
        return len(spare)

    @_watched
    def show_predictions(self, project: int, model_version: str) -> bool:
        """Show what one model version says; False if no task has it."""
        self._require_project(project)
        if not any(model_version in predicted(task).models for task in self._of(project)):
            return False
        self.shown[project] = model_version
        return True

    @_watched
    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks of this project; pass over all others."""
        if tasks:
            self._require_project(project)
        asked = set(tasks)
        self._drop([task.id for task in self._of(project) if task.id in asked])

    @_watched
    def totals(self, project: int) -> Totals:
        """The project's own counts."""
        self._require_project(project)
        rows = self._rows(project)
        return Totals(
            task_count=len(rows),
            annotation_count=sum(row.annotation_count for row in rows),
            skipped_count=sum(row.skipped_count for row in rows),
        )

    @_watched
    def task_rows(self, project: int, *, since: str | None = None) -> Iterator[TaskRow]:
        """The task index as it is now, by id."""
        self._require_project(project)
        rows = [self._as_counted(row) for row in self._rows(project)]
        return iter([row for row in rows if since is None or row.updated_at >= since])

    def _as_counted(self, line: TaskRow) -> TaskRow:
        answers, skips = self.miscounted.get(line.id, (line.annotation_count, line.skipped_count))
        return replace(line, annotation_count=answers, skipped_count=skips)

    @_watched
    def export(self, project: int, tasks: Sequence[int]) -> Iterator[Mapping[str, Json]]:
        """Tasks in export form as they are now, in the order asked for."""
        if tasks:
            self._require_project(project)
        there = {task.id: task for task in self._of(project)}
        answers = self._answers()
        asked = [there[task] for task in dict.fromkeys(tasks) if task in there]
        return iter([document(task, answers.get(task.id, [])) for task in asked])

    @_watched
    def members(self) -> Mapping[int, str]:
        """E-mail by user id."""
        return dict(self.users)

    @_watched
    def ensure_member(self, email: str, *, first_name: str = "", last_name: str = "") -> int:
        """The id of the member with this e-mail, made where there is none."""
        del first_name, last_name
        known = {known.lower(): user for user, known in self.users.items()}
        if email.lower() in known:
            return known[email.lower()]
        if "@" not in email:
            raise refused("member-refused", email)
        user = max(self.users) + 1
        self.users[user] = email
        return user

    @_watched
    def annotate(
        self,
        task: int,
        result: Result,
        *,
        annotator: int,
        lead_time_s: float | None = None,
        skipped: bool = False,
        unique_id: str | None = None,
    ) -> int:
        """Submit an annotation; with a `unique_id` that is there already, give that one back."""
        self._require_task(task)
        for annotation in self.annotations.values():
            if annotation.unique_id == unique_id and annotation.task == task:
                return annotation.id
            if annotation.unique_id == unique_id:
                raise ConflictError("annotation-elsewhere", "taken", unchanged="all", hint="other")
        if annotator not in self.users:
            raise refused("annotation-refused", f"user {annotator}")
        self._touch(task)
        number = self._next("annotation")
        body: dict[str, Json] = {
            "result": _copy(result),
            "completed_by": annotator,
            "lead_time": lead_time_s,
            "was_cancelled": skipped,
            "ground_truth": False,
        }
        self._add_annotation(number, task, body, unique_id=unique_id, updated_by=_ADMINISTRATOR)
        return number

    @_watched
    def update_annotation(
        self,
        annotation: int,
        result: Result,
        *,
        lead_time_s: float | None = None,
        skipped: bool = False,
    ) -> None:
        """Replace what an annotation says."""
        if annotation not in self.annotations:
            raise gone("annotation", annotation)
        found = self.annotations[annotation]
        found.result, found.was_cancelled = _copy(result), skipped
        found.lead_time = found.lead_time if lead_time_s is None else lead_time_s
        found.updated_at, found.updated_by = self._time(), _ADMINISTRATOR
        self._touch(found.task)

    @_watched
    def delete_annotation(self, annotation: int) -> bool:
        """Delete an annotation; False if there is none."""
        found = self.annotations.pop(annotation, None)
        if found is not None:
            self._touch(found.task)
        return found is not None

    @_watched
    def draft(self, task: int, result: Result) -> None:
        """Leave a draft: `updated_at` does not move."""
        found = self._require_task(task)
        found.drafts.append({"task": task, "result": _copy(result), "annotation": None})

    @_watched
    def predict(self, task: int, result: Result, *, model_version: str) -> None:
        """Add predictions in bulk: `updated_at` does not move."""
        self._add_predictions(task, [{"model_version": model_version, "result": _copy(result)}])

    @_watched
    def replace_data(self, task: int, data: Mapping[str, Json]) -> None:
        """Change what a task points at."""
        self._require_task(task).data = dict(data)
        self._touch(task)

    @_watched
    def remove_duplicates(self, project: int) -> None:
        """Keep one of the tasks with equal data, with the annotations of all.

        `updated_at` does not move.
        """
        answers, groups = self._answers(), dict[str, list[FakeTask]]()
        for task in self._of(project):
            groups.setdefault(repr(task.data), []).append(task)
        for group in groups.values():
            kept = next((task for task in group if task.id in answers), group[0])
            for task in group:
                for annotation in answers.get(task.id, []):
                    annotation.task = kept.id
            self._drop([task.id for task in group if task is not kept])

    def _time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _next(self, kind: str) -> int:
        self._highest[kind] += 1
        return self._highest[kind]

    def _require_project(self, project: int) -> None:
        if project not in self.projects:
            raise gone("project", project)

    def _require_task(self, task: int) -> FakeTask:
        if task not in self.tasks:
            raise gone("task", task)
        return self.tasks[task]

    def _of(self, project: int) -> list[FakeTask]:
        found = [task for task in self.tasks.values() if task.project == project]
        return sorted(found, key=lambda task: task.id)

    def _touch(self, task: int) -> None:
        self.tasks[task].updated_at, self.tasks[task].updated_by = self._time(), _ADMINISTRATOR

    def _drop(self, tasks: Iterable[int]) -> None:
        answers = self._answers()
        for task in list(tasks):
            del self.tasks[task]
            for annotation in answers.get(task, []):
                del self.annotations[annotation.id]

    def _check_item(self, project: int, number: int, item: Mapping[str, Json]) -> None:
        data = item.get("data")
        needed = set(re.findall(r'value=["\']\$(\w+)', self.configs[project]))
        if not isinstance(data, dict) or not needed <= data.keys():
            raise refused("import-refused", f"item {number}")
        for annotation in annotations_in(item):
            if self._author(annotation) is None:
                raise refused("import-refused", f"item {number}: completed_by")

    def _author(self, annotation: Mapping[str, Json]) -> int | None:
        stated = annotation.get("completed_by", _ADMINISTRATOR)
        if isinstance(stated, dict):
            return {email: user for user, email in self.users.items()}.get(str(stated.get("email")))
        return stated if isinstance(stated, int) and stated in self.users else None

    def _add_task(self, project: int, number: int, inner_id: int, item: Mapping[str, Json]) -> None:
        now = self._time()
        self.tasks[number] = FakeTask(
            id=number,
            project=project,
            inner_id=inner_id,
            data=dict(cast("dict[str, Json]", item["data"])),
            meta=item.get("meta", {}),
            created_at=now,
            updated_at=now,
        )
        self._add_predictions(number, predictions_in(item))

    def _add_annotation(
        self,
        number: int,
        task: int,
        body: Mapping[str, Json],
        *,
        unique_id: str | None = None,
        updated_by: int | None = None,
    ) -> None:
        now = self._time()
        self.annotations[number] = FakeAnnotation(
            id=number,
            unique_id=unique_id or str(uuid.UUID(int=self._next("unique"), version=4)),
            task=task,
            completed_by=cast("int", self._author(body)),
            updated_by=updated_by,
            result=_copy(cast("Result", body["result"])),
            was_cancelled=bool(body.get("was_cancelled", False)),
            ground_truth=bool(body.get("ground_truth", True)),
            lead_time=cast("float | None", body.get("lead_time")),
            import_id=cast("int | None", body.get("id")),
            prediction=self._shown_to(task) if updated_by else {},
            created_at=now,
            updated_at=now,
        )

    def _add_predictions(self, task: int, said: Sequence[Mapping[str, Json]]) -> int:
        """Add what the server finds right, and give how many that is."""
        found = self.tasks[task]
        kept = [one for one in said if self.is_kept(one.get("score"))]
        for one in kept:
            version = str(one.get("model_version", "undefined"))
            found.predictions.append(
                FakePrediction(
                    id=self._next("prediction"),
                    model_version=version,
                    score=cast("float | None", one.get("score")),
                    result=_copy(cast("Result", one["result"])),
                )
            )
        return len(kept)

    def _shown_to(self, task: int) -> dict[str, Json]:
        """The prediction an annotator of a task sees."""
        found = self.tasks[task]
        shown = self.shown.get(found.project)
        seen = [one for one in found.predictions if one.model_version == shown]
        return seen[0].as_json() if seen else {}

    def _answers(self) -> Mapping[int, list[FakeAnnotation]]:
        """Every annotation, by task and id."""
        found: dict[int, list[FakeAnnotation]] = {}
        for _, annotation in sorted(self.annotations.items()):
            found.setdefault(annotation.task, []).append(annotation)
        return found

    def _rows(self, project: int) -> list[TaskRow]:
        answers = self._answers()
        return [row(task, answers.get(task.id, [])) for task in self._of(project)]


def _copy(result: Result) -> list[Json]:
    return [dict(region) for region in result]
