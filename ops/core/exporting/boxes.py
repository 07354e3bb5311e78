"""What the formats of one text file a picture have in common: YOLO and Pascal VOC.

Owns their file names, which come from keys without the ending, and the losses they share. Neither
can tell two people's answers apart.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ops.core.exporting.files import (
    CHOICE_COLUMNS,
    CHOICES_FILE,
    ExportTask,
    Losses,
    Piece,
    Plan,
    choice_rows,
    csv_line,
)
from ops.core.exporting.marks import Mark, Shape, read_result
from ops.core.records import TaskKey
from ops.errors import InvalidDataError


def stem(key: TaskKey) -> str:
    """A key without its ending, folders kept: `a/b.jpg` is `a/b`."""
    return str(PurePosixPath(key).with_suffix(""))


class FilesAPicture:
    """The tasks of a format with one annotation file a picture."""

    is_one_answer = True

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet."""
        self.losses = Losses()
        self.plan = plan
        self._names = plan.classes.names()
        self._stems: dict[str, TaskKey] = {}

    def begin(self) -> Iterator[Piece]:
        """The head of `choices.csv`."""
        yield Piece(CHOICES_FILE, csv_line(CHOICE_COLUMNS))

    def marks(self, task: ExportTask) -> Iterator[Piece | Mark]:
        """The lines of `choices.csv`, and the regions.

        Raises:
            InvalidDataError: another key has the same name but for the ending.
        """
        other = self._stems.setdefault(stem(task.key), task.key)
        if other != task.key:
            raise InvalidDataError(
                "same-stem",
                f"{other} and {task.key} would both have the annotation file {stem(task.key)}",
                subject=task.key,
                unchanged="nothing was written",
                hint="choose one of them with --where, or another format: --format coco",
            )
        for answer in task.chosen.answers:
            reading = read_result(answer.result)
            self.losses.relations(reading)
            self.losses.unchosen(reading.answers)
            yield Piece(CHOICES_FILE, choice_rows(task, answer, reading, self.plan))
            for mark in reading.marks:
                self.losses.lose("answers about a region", len(mark.answers))
                yield mark

    def class_ids(self, mark: Mark) -> Iterable[tuple[int, str]]:
        """The id and name of each class of a region."""
        if not mark.labels:
            self.losses.lose("regions without a label")
        self.losses.rewrite("regions with several labels", int(len(mark.labels) > 1))
        for control, name in mark.labels:
            number = self.plan.class_id(control, name)
            if number is None:
                self.losses.lose("labels without a class id")
            else:
                yield number, self._names[number]

    def has_box(self, mark: Mark, *, upright: bool) -> bool:
        """Whether the format has a place for a region; what it cannot hold is counted.

        Args:
            mark: the region.
            upright: the format knows upright boxes only; of another outline the box around it is
                written.
        """
        if mark.shape in {Shape.OTHER, Shape.BRUSH, Shape.KEY_POINT}:
            kind = str(mark.entry.get("type"))
            self.losses.lose(f"regions of type {kind}")
            return False
        if upright and mark.shape is Shape.TURNED_BOX:
            self.losses.lose("the rotation of turned boxes")
        elif upright and mark.shape is not Shape.BOX:
            self.losses.lose(f"the outline of {mark.shape.value}s")
        elif mark.shape is Shape.ELLIPSE:
            self.losses.rewrite("ellipses as polygons of 64 corners")
        return True
