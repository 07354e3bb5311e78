"""Why an export is refused: what nobody decided, and what a format cannot hold.

Owns the looking for it, task by task, and the errors. Nothing is guessed in their place.
"""

from dataclasses import dataclass, field

from ops.core.exporting.files import Counted, ExportTask, Losses, Writer
from ops.core.exporting.words import Policy
from ops.core.records import Json, TaskKey
from ops.errors import RefusedError
from ops.runner.context import sample_of

_POLICIES = ", ".join(Policy)


@dataclass(slots=True)
class Unfit:
    """Tasks that cannot be exported as they are asked for."""

    unsized: list[TaskKey] = field(default_factory=list[TaskKey])
    several: list[TaskKey] = field(default_factory=list[TaskKey])
    unparted: list[TaskKey] = field(default_factory=list[TaskKey])

    def look(self, task: ExportTask, writer: Writer, *, is_parted: bool) -> None:
        """Look at a task that is exported."""
        if writer.needs_sizes and task.size is None:
            self.unsized.append(task.key)
        if writer.is_one_answer and len(task.chosen.answers) > 1:
            self.several.append(task.key)
        if is_parted and not task.part:
            self.unparted.append(task.key)

    def refuse(
        self, counted: Counted, losses: Losses, policy: Policy | None, *, allow_loss: bool
    ) -> None:
        """Refuse what cannot be.

        Raises:
            RefusedError: some task is undecided, of unknown size, or answered twice where the
                format has one place; or something would be lost.
        """
        if counted.undecided:
            _refuse_undecided(counted.undecided, policy)
        if self.several:
            raise RefusedError(
                "format-has-one-answer",
                f"{len(self.several)} tasks have several answers, and the format has a place for"
                " one: their regions would count twice",
                subject=self.several[0],
                where=(("tasks", sample_of(self.several)),),
                unchanged="nothing was written",
                hint="choose one answer a task: --policy latest, majority or ground-truth\n"
                "or a format that names annotators: --format coco, csv or jsonl",
            )
        if self.unsized:
            raise RefusedError(
                "picture-size-unknown",
                f"the size of {len(self.unsized)} pictures is not known, and the format is in"
                " pixels",
                subject=self.unsized[0],
                where=(("pictures", sample_of(self.unsized)),),
                unchanged="nothing was written",
                hint="measure them: ops data profile; then export main\n"
                "or take a format without pixels: --format csv, jsonl or yolo",
            )
        if losses.counts and not allow_loss:
            _refuse_loss(losses)


def _refuse_undecided(keys: list[TaskKey], policy: Policy | None) -> None:
    is_truth = policy is Policy.GROUND_TRUTH
    what = "annotation marked as ground truth" if is_truth else "answer"
    raise RefusedError(
        "several-ground-truths" if is_truth else "several-answers",
        f"{len(keys)} tasks have more than one {what}, and nothing says which counts",
        subject=keys[0],
        where=(("tasks", sample_of(keys)),),
        unchanged="nothing was written",
        hint="unmark all but one in a round: ops round start NAME --edit"
        if is_truth
        else f"say whose answer counts: --policy {_POLICIES}",
        details={"tasks": list(keys)},
    )


def _refuse_loss(losses: Losses) -> None:
    counts: dict[str, Json] = dict(sorted(losses.counts.items()))
    raise RefusedError(
        "export-loses",
        f"the format cannot hold everything: {sum(losses.counts.values())} things would be lost",
        where=tuple((what, str(count)) for what, count in sorted(losses.counts.items())),
        unchanged="nothing was written",
        hint="take a format that holds all: --format csv, jsonl, parquet or labelstudio\n"
        "or leave them out: --allow-loss",
        details={"lost": counts},
    )


def refuse_unparted(unfit: Unfit, split: str | None) -> None:
    """Refuse tasks that came after the split was made.

    Raises:
        RefusedError: there are some.
    """
    if unfit.unparted:
        raise RefusedError(
            "not-in-split",
            f"{len(unfit.unparted)} tasks have no part of the split {split}",
            subject=unfit.unparted[0],
            where=(("tasks", sample_of(unfit.unparted)),),
            unchanged="nothing was written",
            hint=f"give them one: ops dataset split {split}; then export main",
        )
