"""Predictions before a round's annotators: each once, whatever was interrupted.

Owns what Label Studio is given of kept predictions, and finding out what it has. Looks before it
adds, and counts afterwards: the server leaves out without a word what it finds wrong, and a request
whose answer was lost may have been carried out. Predictions are no labels: no count here is one.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ops.core.names import check_round_name, manifest_path
from ops.core.predictions import Predicted, parse_model_version
from ops.core.records import Json, TaskKey
from ops.core.region_origins import Shown
from ops.core.rounds import Manifest, encode_manifest
from ops.errors import ConflictError, PartialError, RefusedError
from ops.ports import Upload
from ops.runner.context import Context, Round, load_round, sample_of
from ops.runner.predictions import read_predictions

_BATCH = 2500
"""Predictions a request: each costs the server a look at every task of the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What a project lacks of a round's predictions.

    Attributes:
        missing: predictions to add, as Label Studio takes them.
        keys: their tasks.
        repeated: Label Studio's tasks that hold a model version's prediction more than once.
    """

    missing: tuple[Mapping[str, Json], ...]
    keys: tuple[TaskKey, ...]
    repeated: tuple[int, ...]


class Attachment:
    """The predictions of some model versions; they are read once, when they are needed."""

    def __init__(self, context: Context, names: Sequence[str]) -> None:
        """Nothing is read yet; `names` are `model@version`, the one that is shown last."""
        self._context = context
        self.names = tuple(names)

    @cached_property
    def models(self) -> Sequence[Predicted]:
        """What each of them says. Two requests a model version.

        Raises:
            NotFoundError: one of them is not kept.
        """
        return [read_predictions(self._context, name) for name in self.names]

    def refuse_none(self, name: str, keys: Sequence[TaskKey]) -> None:
        """Refuse a model version that says nothing of any of a round's tasks.

        Raises:
            RefusedError: there is one.
        """
        for model in self.models:
            if not any(key in model.by_key for key in keys):
                raise RefusedError(
                    "nothing-predicted",
                    f"{model.of} says nothing of the {len(keys)} tasks of round {name}",
                    subject=str(model.of),
                    where=(
                        ("predicted", sample_of(sorted(model.by_key), 3) or "nothing"),
                        ("tasks", sample_of(list(keys), 3)),
                    ),
                    unchanged="no round was changed",
                    hint="leave the predictions away, or select tasks they are of",
                )

    def refuse_new(self, manifest: Manifest) -> None:
        """Refuse a model version that a round, which is there, does not know.

        Raises:
            RefusedError: there is one.
        """
        for name in self.names:
            if name not in manifest.predictions:
                raise RefusedError(
                    "round-exists",
                    f"round {manifest.name} exists without the predictions of {name}",
                    subject=manifest.name,
                    unchanged="the round is as it was",
                    hint=f"put them before its annotators: ops predict push {manifest.name} {name}",
                )

    def items(self, key: TaskKey) -> list[Json]:
        """What is said of a task, as an import takes it."""
        return [_item(model, key) for model in self.models if key in model.by_key]

    def shown(self, key: TaskKey) -> Sequence[Shown]:
        """What was before a task's annotators."""
        return [
            Shown(
                model_version=str(model.of),
                since=model.made_at,
                prediction=model.by_key[key],
            )
            for model in self.models
            if key in model.by_key
        ]

    def gaps(self, project: int, keys: Container[TaskKey]) -> Gaps:
        """What a project lacks for these tasks. One request a 1 000 tasks; none for no model."""
        missing: list[Mapping[str, Json]] = []
        lacking: list[TaskKey] = []
        repeated: list[int] = []
        for row in self._context.studio.predicted_tasks(project) if self.names else ():
            if row.key is None or row.key not in keys:
                continue
            if row.is_repeated:
                repeated.append(row.id)
            for model in self.models:
                if row.key in model.by_key and str(model.of) not in row.models:
                    missing.append({"task": row.id, **_item(model, row.key)})
                    lacking.append(row.key)
        return Gaps(missing=tuple(missing), keys=tuple(lacking), repeated=tuple(repeated))

    def fill(self, project: int, keys: Container[TaskKey]) -> int:
        """Add what a project lacks, and give how many that was.

        Looks before and after; one request a 2 500 predictions.

        Raises:
            PartialError: Label Studio kept fewer.
        """
        missing = self.gaps(project, keys).missing
        with self._context.reporter.phase("attaching predictions", len(missing)) as phase:
            for start in range(0, len(missing), _BATCH):
                batch = missing[start : start + _BATCH]
                self._context.studio.add_predictions(project, batch)
                phase.advance(len(batch))
        left = self.gaps(project, keys) if missing else None
        if left and left.missing:
            raise PartialError(
                "predictions-short",
                f"Label Studio kept {len(missing) - len(left.missing)} of {len(missing)} "
                f"predictions for project {project}",
                subject=str(project),
                where=(("without one", sample_of(left.keys)),),
                unchanged="those it kept are there; no annotation was touched",
                hint="run the same command again: only what is missing is sent\n"
                "if it says so again, Label Studio refuses these: see its log",
            )
        return len(missing)

    def settle(self, project: int, keys: Container[TaskKey]) -> None:
        """Take back what came twice, and show annotators the last model version.

        One request a 1 000 tasks, and what remove_repeated_predictions says; repeatable.
        """
        studio = self._context.studio
        if self.names:
            studio.remove_repeated_predictions(self.gaps(project, keys).repeated, self.names)
            studio.show_predictions(project, self.names[-1])


def _item(model: Predicted, key: TaskKey) -> dict[str, Json]:
    one = model.by_key[key]
    return {
        "model_version": str(model.of),
        "score": one.shown_score,
        "result": [dict(region) for region in one.result],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        count: predictions that were missing.
        of_tasks: tasks of the round that the model speaks of.
    """

    round: str
    model_version: str
    project: int
    count: int
    of_tasks: int
    already_done: bool


def push_predictions(
    context: Context, name: str, model_version: str, *, dry_run: bool = False
) -> Pushed:
    """Put a model version's predictions before an open round's annotators, or find them there.

    The manifest names them first, so an interrupted push goes on as the round's next start or push.
    Eight requests and what Attachment says. Repeatable: each task has one in the end.

    Raises:
        UsageError: the name is none.
        NotFoundError: there is no such round, or no such predictions.
        RefusedError: the round is not open, or the model says nothing of its tasks.
        ConflictError: a sync that was interrupted has left something on the branch.
        PartialError: Label Studio kept fewer than it was sent.
    """
    model_version = str(parse_model_version(model_version))
    round_ = load_round(context, check_round_name(name))
    new = Attachment(context, [model_version])
    new.refuse_none(name, list(round_.tasks))
    gaps = new.gaps(round_.project, round_.tasks)
    is_named = model_version in round_.manifest.predictions
    if not dry_run:
        manifest = round_.manifest if is_named else _name(context, round_, model_version)
        every = Attachment(context, manifest.predictions)
        every.fill(round_.project, round_.tasks)
        every.settle(round_.project, round_.tasks)
    return Pushed(
        round=name,
        model_version=model_version,
        project=round_.project,
        count=len(gaps.missing),
        of_tasks=sum(key in new.models[0].by_key for key in round_.tasks),
        already_done=is_named and not gaps.missing,
    )


def _name(context: Context, round_: Round, model_version: str) -> Manifest:
    """The manifest that names it, committed to the round's branch.

    Raises:
        ConflictError: something else is staged there, which only a sync may commit.
    """
    lake, name = context.lake, round_.name
    manifest = round_.manifest
    path = manifest_path(name)
    staged = [change.path for change in lake.uncommitted(round_.branch) if change.path != path]
    if staged:
        raise ConflictError(
            "branch-unsettled",
            f"a sync of round {name} was interrupted, or is under way",
            subject=name,
            where=(("staged", sample_of(staged, 3)),),
            unchanged="nothing was written",
            hint=f"let it end, or: ops round sync {name}\nthen run the same command again",
        )
    manifest = replace(manifest, predictions=(*manifest.predictions, model_version))
    lake.write_many(round_.branch, [Upload(path=path, data=encode_manifest(manifest))])
    lake.commit(
        round_.branch,
        f"Show predictions of {model_version} in round {name}",
        context.metadata("predict", round=name, predictions=model_version),
    )
    return manifest
