"""What people do in Label Studio besides annotating, on the real server.

Owns the acts only tests need; those a sample round needs are ops.annotator_port.Annotators.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ops.core.records import Json
from ops.studio import LabelStudio
from ops.studio.failures import about

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

    def instruction(self, project: int) -> str:
        """Read what the project tells annotators before they begin; nothing if it does not."""
        ...


class StudioActs:
    """The acts on a real server."""

    def __init__(self, studio: LabelStudio) -> None:
        """Act through this connection."""
        self._studio = studio

    def draft(self, task: int, result: Result) -> None:
        """Leave a draft."""
        with about("task", task):
            self._studio.http.post(f"/api/tasks/{task}/drafts", json={"result": list(result)})

    def predict(self, task: int, result: Result, *, model_version: str) -> None:
        """Add predictions by the bulk route."""
        project = self._studio.task(task)["project"]
        prediction: Any = {"task": task, "result": list(result), "model_version": model_version}
        self._studio.sdk.projects.import_predictions(project, request=[prediction])

    def replace_data(self, task: int, data: Mapping[str, Json]) -> None:
        """Change what a task points at."""
        with about("task", task):
            self._studio.sdk.tasks.update(str(task), data=dict(data))

    def remove_duplicates(self, project: int) -> None:
        """Use the Data Manager's action."""
        everything: Any = {"all": True, "excluded": []}
        self._studio.sdk.actions.create(
            id="remove_duplicates", project=project, selected_items=everything, ordering=[]
        )

    def instruction(self, project: int) -> str:
        """Read what the project tells annotators before they begin."""
        facts = self._studio.sdk.projects.get(project)
        return facts.expert_instruction or "" if facts.show_instruction else ""
