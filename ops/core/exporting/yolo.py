"""YOLO: a text file a picture, a line a region, `data.yaml` with the classes by frozen id.

Owns its layout, that of Ultralytics: `images/<part>/…` and `labels/<part>/…`. A dataset is one of
upright boxes (`class x-centre y-centre width height`) or, where the label config has polygons or
ellipses, one of outlines (`class x y x y …`): readers take a line of five numbers in a dataset of
outlines for two points. Numbers are shares of the picture, so no picture's size is needed.
"""

import json
from collections.abc import Iterable, Iterator

from ops.core.exporting.boxes import FilesAPicture, stem
from ops.core.exporting.files import ALL, ExportTask, Piece, Plan
from ops.core.exporting.marks import Mark, extent

_OUTLINES = ("polygon", "ellipse")
_DECIMALS = 8


class Yolo(FilesAPicture):
    """Writes YOLO."""

    needs_sizes = False

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet; the label config decides between boxes and outlines."""
        super().__init__(plan)
        tags = [control.type.lower() for control in plan.ontology.controls]
        self._outlines = any(tag.startswith(_OUTLINES) for tag in tags)

    def picture_path(self, task: ExportTask) -> str:
        """Beside the text files, in the folder of the part."""
        return f"images/{task.part or ALL}/{task.key}"

    def begin(self) -> Iterator[Piece]:
        """`data.yaml`."""
        yield from super().begin()
        yield Piece("data.yaml", self._description().encode())

    def _description(self) -> str:
        parts = self.plan.parts or (ALL,)
        if parts == (ALL,):
            # Ultralytics asks for `val`; naming the pictures one trains on would hide it.
            folders = ["# No split: make one (ops dataset split) and export with --split NAME.",
                       f"train: images/{ALL}"]  # fmt: skip
        else:
            folders = [f"{json.dumps(part)}: images/{part}" for part in parts]
        names = [
            f"  {number}: {json.dumps(name, ensure_ascii=False)}"
            for number, name in enumerate(self.plan.classes.names())
        ]
        task = "segment" if self._outlines else "detect"
        lines = [f"# {self.plan.repository} at {self.plan.commit}", f"# task: {task}", "path: ."]
        return "\n".join([*lines, *folders, "names:", *names]) + ("\n" if names else " {}\n")

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """The picture's text file; an empty one where there is nothing in it."""
        if task.chosen.exported_as is None:
            return
        lines: list[str] = []
        for found in self.marks(task):
            if isinstance(found, Piece):
                yield found
            elif self.has_box(found, upright=not self._outlines):
                lines += [f"{number} {self._place(found, task)}\n"
                          for number, _ in self.class_ids(found)]  # fmt: skip
        path = f"labels/{task.part or ALL}/{stem(task.key)}.txt"
        yield Piece(path, "".join(lines).encode())

    def _place(self, mark: Mark, task: ExportTask) -> str:
        width, height = task.size or (1, 1)
        if self._outlines:
            ring = mark.corners((width, height))
            return _numbers(part for x, y in ring for part in (x / width, y / height))
        x, y, wide, high = extent(mark.box((width, height)))
        return _numbers(
            ((x + wide / 2) / width, (y + high / 2) / height, wide / width, high / height)
        )

    def end(self) -> Iterable[Piece]:
        """Nothing more."""
        return ()


def _numbers(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.{_DECIMALS}f}" for number in numbers)
