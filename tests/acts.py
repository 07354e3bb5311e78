"""What people do in Label Studio besides annotating, on the real server.

Owns the acts only tests need; those a sample round needs are ops.ports.Annotators.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ops.core.records import Json
from ops.studio import LabelStudio

Result = Sequence[Mapping[str, Json]]


class Acts(Protocol):
    """The acts; tests/fakes/studio.py does them in memory."""

    def draft(self, task: int, result: Result) -> None:
        """Leave a draft: something begun and not submitted."""
        ...

    def predict(self, task: int, result: Result, *, model_version: str) -> None:
        """Add predictions by the bulk route, as a model does."""
        ...

    def replace_data(self, task: int, data: Mapping[str, Json]) -> None:
        """Change what a task points at."""
        ...

    def remove_duplicates(self, project: int) -> None:
        """Use the Data Manager's action of that name on all tasks."""
        ...


class StudioActs:
    """The acts on a real server."""

    def __init__(self, studio: LabelStudio) -> None:
        """Act through this connection."""
        self._studio = studio

    def draft(self, task: int, result: Result) -> None:
        """Leave a draft."""
        path = f"/api/tasks/{task}/drafts"
        self._studio.http.send("POST", path, {"result": list(result)}).expect("task", task)

    def predict(self, task: int, result: Result, *, model_version: str) -> None:
        """Add predictions by the bulk route."""
        reply = self._studio.http.get(f"/api/tasks/{task}/")
        project = reply.expect("task", task).body["project"]
        body = [{"task": task, "result": list(result), "model_version": model_version}]
        path = f"/api/projects/{project}/import/predictions"
        self._studio.http.send("POST", path, body).expect("project", project)

    def replace_data(self, task: int, data: Mapping[str, Json]) -> None:
        """Change what a task points at."""
        path = f"/api/tasks/{task}/"
        self._studio.http.send("PATCH", path, {"data": dict(data)}).expect("task", task)

    def remove_duplicates(self, project: int) -> None:
        """Use the Data Manager's action."""
        self._studio.http.send(
            "POST",
            "/api/dm/actions/",
            {"selectedItems": {"all": True, "excluded": []}, "ordering": []},
            params={"id": "remove_duplicates", "project": project},
        ).expect("project", project)
