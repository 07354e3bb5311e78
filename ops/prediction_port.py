"""What the runner needs of Label Studio where models speak, in the domain's words.

Owns the part of `ops.ports.Studio` that is about predictions. They are no labels: nothing here
counts one as an annotation, and none of it moves a task's `updated_at`, so a sync sees nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ops.core.records import Json, TaskKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedTask:
    """A task, and whose predictions it holds.

    Attributes:
        models: each `model_version` it has a prediction of, once.
        is_repeated: it holds more predictions than that.
    """

    id: int
    key: TaskKey | None
    models: frozenset[str]
    is_repeated: bool


class Predicting(Protocol):
    """One Label Studio server, as far as predictions go."""

    def predicted_tasks(self, project: int) -> Iterator[PredictedTask]:
        """Every task of a project with the models that speak of it, by id.

        One request a 1 000 tasks.

        Raises:
            NotFoundError: there is no such project.
        """
        ...

    def add_predictions(self, project: int, predictions: Sequence[Mapping[str, Json]]) -> int:
        """Add predictions to tasks that are there, and give how many the server kept.

        Each has `task` (Label Studio's id), `model_version`, `score` and `result`. One request; not
        repeatable: look first at what is there. The server leaves out without a word what it finds
        wrong: a score beyond 0 to 1, a control or a label it does not know.

        Raises:
            InvalidDataError: one is of no task of the project; none was added.
            NotFoundError: there is no such project.
        """
        ...

    def remove_repeated_predictions(
        self, tasks: Sequence[int], model_versions: Collection[str]
    ) -> int:
        """Leave one prediction a task for each of these model versions, the oldest.

        Gives how many went; those of others stay as they are. One request a task, and one a
        prediction that goes. Repeatable.
        """
        ...

    def show_predictions(self, project: int, model_version: str) -> bool:
        """Have annotators begin with what this model says; False if no task has it.

        Label Studio shows the predictions of one model version. One request; repeatable.

        Raises:
            NotFoundError: there is no such project.
        """
        ...
