"""Predictions in Label Studio: which are there, more of them, and which are shown.

Owns what Label Studio 1.23's routes for predictions really promise: its bulk import answers 201 to
what it leaves out, and shows annotators nothing until the project names a model version. Decides
nothing about predictions (ops/core/predictions.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError
from ops.prediction_port import PredictedTask
from ops.studio.failures import RefusedDataError, about
from ops.studio.reading import Reader
from ops.studio.sdk import index_query

_PAGE = 1000
_FIELDS = "id,data,total_predictions,predictions_model_versions"


class PredictionClient(Reader):
    """One Label Studio server: what is read of it, and its predictions."""

    def predicted_tasks(self, project: int) -> Iterator[PredictedTask]:
        """Every task of a project with the models that speak of it, by id.

        One request a 1 000 tasks, each after the last id seen: no row is lost where others are
        deleted meanwhile.
        """
        last_id = 0
        while True:
            page = self._prediction_page(project, last_id)
            yield from map(_predicted, page["tasks"])
            if len(page["tasks"]) >= page["total"] or not page["tasks"]:
                return
            last_id = page["tasks"][-1]["id"]

    def add_predictions(self, project: int, predictions: Sequence[Mapping[str, Json]]) -> int:
        """Add predictions to tasks that are there, and give how many the server kept.

        One request, never repeated.

        Raises:
            RefusedDataError: one is of no task of the project; none was added.
        """
        if not predictions:
            return 0
        url = f"/api/projects/{project}/import/predictions"
        with about(
            "project",
            project,
            refused=lambda body: RefusedDataError(
                "predictions-refused",
                f"Label Studio does not accept the predictions for project {project}",
                body=body,
                hint="if somebody deleted tasks just now, run the same command again",
            ),
        ):
            answer = self.http.post(url, json=[dict(one) for one in predictions]).json()
        return cast("int", answer["created"])

    def remove_repeated_predictions(
        self, tasks: Sequence[int], model_versions: Collection[str]
    ) -> int:
        """Leave one prediction a task for each of these model versions, the oldest."""
        spare = [one for task in tasks for one in self._repeated(task, model_versions)]
        for prediction in spare:
            with about("prediction", prediction):
                self.http.delete(f"/api/predictions/{prediction}/")
        return len(spare)

    def show_predictions(self, project: int, model_version: str) -> bool:
        """Have annotators begin with what this model says; False if no task has it.

        One request. 1.23's label stream shows predictions of the project's `model_version` alone,
        and a bulk import leaves that empty.
        """
        try:
            with about("project", project, refused=_no_such_version):
                body = {"model_version": model_version}
                self.http.request("PATCH", f"/api/projects/{project}/", json=body)
        except InvalidDataError:
            return False
        return True

    def _prediction_page(self, project: int, after: int) -> Mapping[str, Any]:
        params: dict[str, str | int] = {
            "project": project,
            "fields": "all",
            "include": _FIELDS,
            "page_size": _PAGE,
            "resolve_uri": "false",
            "query": index_query(after=after, since=None),
        }
        with about("project", project):
            return self.http.get("/api/tasks/", params=params).json()

    def _repeated(self, task: int, model_versions: Collection[str]) -> Iterator[int]:
        """The ids of a task's predictions that an older one of the same model version precedes."""
        with about("task", task):
            found = self.http.get("/api/predictions/", params={"task": task}).json()
        seen: set[str] = set()
        for one in sorted(found, key=lambda one: one["id"]):
            version = one["model_version"]
            if version in seen and version in model_versions:
                yield one["id"]
            seen.add(version)


def _no_such_version(body: object) -> RefusedDataError:
    return RefusedDataError(
        "no-such-model-version",
        "Label Studio knows no prediction of this model version",
        body=body,
        hint="attach its predictions first",
    )


def _predicted(row: Mapping[str, Any]) -> PredictedTask:
    stated: Any = row["predictions_model_versions"]
    # SQLite joins them with commas, each once; PostgreSQL gives a list with all of them.
    named = stated.split(",") if isinstance(stated, str) else stated
    models = frozenset(one for one in named or () if one)
    key = row["data"].get("key")
    return PredictedTask(
        id=row["id"],
        key=TaskKey(key) if isinstance(key, str) else None,
        models=models,
        is_repeated=row["total_predictions"] > len(models),
    )
