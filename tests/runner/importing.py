"""Label files and the repository they are imported into, on the servers in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from ops.core.canonical import decode_record
from ops.core.importing.formats import LabelFormat
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import record_path
from ops.core.records import Json, Record, TaskKey
from ops.label_files import Given
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.import_labels import Imported, import_labels
from ops.runner.import_reading import Asked
from ops.runner.init import init_repository
from tests.fakes.lake import FakeLake
from tests.runner.world import World

_OF_FILES = ("names", "columns", "encoding", "empty")


class Desk(World):
    """A repository of its own, label files on disk, and people who import them."""

    def __init__(
        self,
        folder: Path,
        labels: Sequence[str] = ("cat", "dog"),
        kind: LabelKind = LabelKind.BOXES,
    ) -> None:
        """An empty repository with these labels."""
        super().__init__(image_count=0)
        self.folder = folder
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True)
        self.configure(write_label_config(labels, kind))

    def configure(self, label_config: str) -> None:
        """Begin again under another label config."""
        self.lake = FakeLake(f"{self.lake.repository}-more", server=self.lake_server)
        self.context = self.context_of(self.lake)
        init_repository(
            self.context, label_config=label_config, namespace=f"mem://{self.lake.repository}"
        )

    def context_of(self, lake: FakeLake) -> Context:
        """The same people at another repository."""
        return replace(self.context, lake=lake)

    def draw(self, *names: str, size: tuple[int, int] = (640, 480), orientation: int = 1) -> None:
        """Pictures in the folder, each of its own colour; turned by EXIF if asked."""
        for name in names:
            path = self.pictures / name
            path.parent.mkdir(parents=True, exist_ok=True)
            exif = Image.Exif()
            exif[0x0112] = orientation
            color = sum(name.encode()) * 7919 % (1 << 24)
            picture = Image.new("RGB", size, color)
            picture.save(path, exif=exif if orientation > 1 else Image.Exif())

    def put(self, *names: str, prefix: str = "", size: tuple[int, int] = (640, 480)) -> None:
        """Pictures on main."""
        self.draw(*names, size=size)
        keys = {TaskKey(prefix + name) for name in names}
        add_media(self.context, [self.pictures], prefix=prefix, only=keys)

    def write(self, name: str, text: str | bytes) -> Path:
        """A label file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def take(
        self,
        format_: str,
        path: Path,
        *,
        given: bool = True,
        dry_run: bool = False,
        **options: Any,  # noqa: ANN401 - those of Given and Asked, by name
    ) -> Imported:
        """Import label files, with the pictures of the folder."""
        of_files = {name: options.pop(name) for name in _OF_FILES if name in options}
        asked = Asked(
            given=Given(format=LabelFormat(format_), path=path, **of_files),
            round=options.pop("round_name", "old"),
            images=self.pictures if given else None,
        )
        return import_labels(self.context, replace(asked, **options), dry_run=dry_run)

    def record(self, key: str, ref: str = "main") -> Record:
        """A task's record."""
        data = self.lake.read(ref, record_path(TaskKey(key)))
        assert data is not None, key
        return decode_record(data)

    def regions(self, key: str, ref: str = "main") -> Sequence[Mapping[str, Json]]:
        """The regions of a task's one annotation."""
        [annotation] = self.record(key, ref).annotations
        return annotation.result


def voc(
    name: str,
    *boxes: tuple[str, int, int, int, int],
    size: tuple[int, int] | None = (640, 480),
    more: str = "",
) -> str:
    """A VOC file; each box a class and its corners."""
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    objects = "".join(
        f"<object><name>{label}</name>{more}<bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, left, top, right, bottom in boxes
    )
    return f"<annotation><filename>{name}</filename>{sides}{objects}</annotation>"
