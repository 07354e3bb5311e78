"""Pascal VOC: an XML document a picture, a list of pictures a part of the split.

Owns its layout: `Annotations/…`, `JPEGImages/…`, `ImageSets/Main/<part>.txt`. The four numbers of a
box are those that ops/core/pixels.py gives back, so what came from such a file is written as it
was; what lies between pixels keeps its decimals, which VOC's own readers may not take.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from ops.core.exporting.boxes import FilesAPicture, stem
from ops.core.exporting.files import ALL, ExportTask, Piece
from ops.core.exporting.marks import Corners

_EDGES = ("xmin", "ymin", "xmax", "ymax")


class Voc(FilesAPicture):
    """Writes Pascal VOC."""

    needs_sizes = True

    def picture_path(self, task: ExportTask) -> str:
        """Pictures keep their keys, whatever their part."""
        return f"JPEGImages/{task.key}"

    def begin(self) -> Iterator[Piece]:
        """The classes; and every part's list, so that one without pictures is there, too."""
        yield from super().begin()
        # Pascal's own classes are twenty; readers take others from this file of CVAT's making.
        names = "".join(f"{name}:::\n" for name in self.plan.classes.names())
        yield Piece("labelmap.txt", f"# label:color_rgb:parts:actions\n{names}".encode())
        for part in self.plan.parts or (ALL,):
            yield Piece(f"ImageSets/Main/{part}.txt", b"")

    def task(self, task: ExportTask) -> Iterator[Piece]:
        """The picture's document, and its line in the list."""
        if task.chosen.exported_as is None:
            return
        objects: list[str] = []
        for found in self.marks(task):
            if isinstance(found, Piece):
                yield found
            elif self.has_box(found, upright=True):
                box = found.box(task.size or (0, 0))
                self._tell_decimals(box)
                objects += [_object(name, box) for _, name in self.class_ids(found)]
        name = stem(task.key)
        yield Piece(f"Annotations/{name}.xml", self._document(task, objects).encode())
        yield Piece(f"ImageSets/Main/{task.part or ALL}.txt", f"{name}\n".encode())

    def _tell_decimals(self, box: Corners) -> None:
        if any(edge != int(edge) for edge in box):
            self.losses.rewrite("boxes that do not end on whole pixels")

    def _document(self, task: ExportTask, objects: Iterable[str]) -> str:
        width, height = task.size or (0, 0)
        return (
            "<annotation>\n"
            "\t<folder>JPEGImages</folder>\n"
            f"\t<filename>{escape(task.key)}</filename>\n"
            f"\t<source>\n\t\t<database>{escape(self.plan.repository)}</database>\n\t</source>\n"
            f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n"
            "\t\t<depth>3</depth>\n\t</size>\n"
            "\t<segmented>0</segmented>\n"
            f"{''.join(objects)}</annotation>\n"
        )

    def end(self) -> Iterable[Piece]:
        """Nothing more."""
        return ()


def _object(name: str, box: Corners) -> str:
    edges = "".join(f"\t\t\t<{tag}>{edge}</{tag}>\n" for tag, edge in zip(_EDGES, box, strict=True))
    return (
        f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n"
        "\t\t<truncated>0</truncated>\n\t\t<difficult>0</difficult>\n"
        f"\t\t<bndbox>\n{edges}\t\t</bndbox>\n\t</object>\n"
    )
