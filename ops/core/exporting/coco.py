"""COCO: `annotations/instances_<part>.json`, images and annotations in one JSON document.

Owns its layout. Boxes are exact; turned boxes, polygons and ellipses are segmentations; brushes are
uncompressed run lengths; key points have one point each. A class's category id is its id and 1.
Choices about the whole picture are in `choices.csv`, answers about a region in its `attributes`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from ops.core.classes import Kind
from ops.core.exporting.files import (
    ALL,
    CHOICE_COLUMNS,
    CHOICES_FILE,
    ExportTask,
    Losses,
    Piece,
    Plan,
    choice_rows,
    csv_line,
)
from ops.core.exporting.marks import (
    Corners,
    Mark,
    Shape,
    extent,
    read_result,
    ring_area,
)
from ops.core.exporting.run_lengths import column_runs, read_mask
from ops.core.exporting.words import MediaMode
from ops.core.records import Annotation, Json
from ops.core.regions import value_of

_IMAGES, _ANNOTATIONS, _END = range(3)
FIRST_CATEGORY = 1
"""The category of class 0: readers of COCO, Datumaro among them, take category 0 for no class."""


class Coco:
    """Writes COCO."""

    needs_sizes = True
    is_one_answer = False

    def __init__(self, plan: Plan) -> None:
        """Nothing is written yet."""
        self.losses = Losses()
        self._plan = plan
        self._files: dict[str, list[int]] = {}
        self._image_count = self._annotation_count = 0
        self._used: set[int] = set()
        self._pointed: set[int] = set()

    def picture_path(self, task: ExportTask) -> str:
        """Pictures keep their keys, whatever their part."""
        return f"images/{task.key}"

    def begin(self) -> Iterable[Piece]:
        """Every part's document, so that one without images is there, too."""
        yield Piece(CHOICES_FILE, csv_line(CHOICE_COLUMNS))
        for part in self._plan.parts or ("",):
            path = self._path(part)
            self._files[path] = [0, 0]
            info = _text({"description": self._plan.repository, "version": self._plan.commit})
            yield Piece(path, f'{{"info": {info},\n"licenses": [],\n"images": ['.encode(), _IMAGES)
            yield Piece(path, b'],\n"annotations": [', _ANNOTATIONS)

    def _path(self, part: str) -> str:
        return f"annotations/instances_{part or ALL}.json"

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """An image, and an annotation for each region and class."""
        if task.chosen.exported_as is None:
            return
        self._image_count += 1
        image = self._image_count
        yield self._entry(task, _IMAGES, self._image(task))
        for answer in task.chosen.answers:
            reading = read_result(answer.result)
            self.losses.relations(reading)
            self.losses.unchosen(reading.answers)
            yield Piece(CHOICES_FILE, choice_rows(task, answer, reading, self._plan))
            for mark in reading.marks:
                for entry in self._annotations(mark, task, answer):
                    self._annotation_count += 1
                    numbered = {"id": self._annotation_count, "image_id": image, **entry}
                    yield self._entry(task, _ANNOTATIONS, numbered)

    def _entry(self, task: ExportTask, part: int, entry: Mapping[str, Json]) -> Piece:
        path = self._path(task.part)
        self._files[path][part] += 1
        opening = "\n" if self._files[path][part] == 1 else ",\n"
        return Piece(path, f"{opening}{_text(entry)}".encode(), part)

    def _image(self, task: ExportTask) -> dict[str, Json]:
        width, height = task.size or (0, 0)
        image: dict[str, Json] = {
            "id": self._image_count,
            "file_name": task.key,
            "width": width,
            "height": height,
        }
        if self._plan.media is MediaMode.URI:
            image["coco_url"] = self._plan.address(task.key)
        return image

    def _annotations(
        self, mark: Mark, task: ExportTask, answer: Annotation
    ) -> Iterator[dict[str, Json]]:
        drawn = self._drawn(mark, task.size or (0, 0))
        if drawn is None:
            return
        if not mark.labels:
            self.losses.lose("regions without a label")
        self.losses.rewrite("regions with several labels", int(len(mark.labels) > 1))
        attributes: dict[str, Json] = {
            "annotator": answer.annotator,
            "annotation": answer.unique_id,
            "region": mark.region_id,
            **dict(mark.answers),
        }
        if mark.shape is Shape.TURNED_BOX:
            attributes["rotation"] = mark.rotation
        for control, name in mark.labels:
            category = self._plan.class_id(control, name)
            if category is None:
                self.losses.lose("labels without a class id")
                continue
            self._used.add(category)
            if mark.shape is Shape.KEY_POINT:
                self._pointed.add(category)
            yield {"category_id": category + FIRST_CATEGORY, **drawn, "attributes": attributes}

    def _drawn(self, mark: Mark, size: tuple[int, int]) -> dict[str, Json] | None:
        """The geometry of an annotation; None where COCO has none for it."""
        match mark.shape:
            case Shape.BOX:
                return _outlined(mark.box(size), [], None)
            case Shape.TURNED_BOX | Shape.POLYGON | Shape.ELLIPSE:
                if mark.shape is Shape.ELLIPSE:
                    self.losses.rewrite("ellipses as polygons of 64 corners")
                ring = mark.corners(size)
                flat: list[Json] = [number for point in ring for number in point]
                return _outlined(mark.box(size), [flat], ring_area(ring))
            case Shape.KEY_POINT:
                [(x, y)] = mark.corners(size)
                drawn = _outlined((x, y, x, y), [], None)
                return {**drawn, "keypoints": [x, y, 2], "num_keypoints": 1}
            case Shape.BRUSH:
                return self._brushed(mark, size)
            case Shape.OTHER:
                self.losses.lose(f"regions of type {mark.entry.get('type')}")
                return None

    def _brushed(self, mark: Mark, size: tuple[int, int]) -> dict[str, Json] | None:
        runs = value_of(mark.entry).get("rle")
        mask = read_mask(runs, size) if isinstance(runs, list) else None
        if mask is None:
            self.losses.lose("brush strokes that cannot be read")
            return None
        counts: list[Json] = [*column_runs(mask, size)]
        return {
            "bbox": list(mask_box(mask, size)),
            "area": sum(mask),
            "iscrowd": 0,
            "segmentation": {"size": [size[1], size[0]], "counts": counts},
        }

    def end(self) -> Iterator[Piece]:
        """The categories: what the ontology offers, and what else is used."""
        text = ",\n".join(map(_text, self._categories()))
        for path in self._files:
            yield Piece(path, f'\n],\n"categories": [\n{text}\n]}}\n'.encode(), _END)

    def _categories(self) -> Iterator[dict[str, Json]]:
        retired = {one.id for one in self._plan.classes.retired(self._plan.ontology)}
        seen: set[int] = set()
        listed = [one for one in self._plan.classes.listed if one.kind is Kind.REGIONS]
        for one in sorted(listed, key=lambda one: one.id):
            if one.id in seen or (one.id in retired and one.id not in self._used):
                continue
            seen.add(one.id)
            category: dict[str, Json] = {
                "id": one.id + FIRST_CATEGORY,
                "name": one.name,
                "supercategory": one.control,
            }
            if one.id in self._pointed:
                category |= {"keypoints": [one.name], "skeleton": []}
            yield category


def _outlined(edges: Corners, segmentation: list[Json], area: float | None) -> dict[str, Json]:
    x, y, wide, high = extent(edges)
    return {
        "bbox": [x, y, wide, high],
        "area": wide * high if area is None else area,
        "iscrowd": 0,
        "segmentation": segmentation,
    }


def mask_box(mask: bytes, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x, y, width and height of what a mask covers; zeros for an empty one."""
    width, height = size
    rows = [row for row in range(height) if any(mask[row * width : (row + 1) * width])]
    columns = [column for column in range(width) if any(mask[column::width])]
    if not rows:
        return 0, 0, 0, 0
    return columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1


# Made once: an encoder an entry costs more than the entry.
_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
