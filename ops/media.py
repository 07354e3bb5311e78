"""Finds media files on disk and says what they are: the only file that imports Pillow.

Owns which files count as media, and the image facts kept with each object. Uploads nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.core.names import media_problem
from ops.core.records import TaskKey
from ops.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """One media file on disk. `path` is where it lies, `key` what its task would be called."""

    key: TaskKey
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A file that becomes no task, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image's bytes and facts. `metadata` is what lakeFS keeps with the object."""

    data: bytes
    content_type: str
    sha256: str
    width: int
    height: int

    @property
    def metadata(self) -> Mapping[str, str]:
        """The facts as lakeFS object metadata.

        A function of the bytes alone, so equal bytes stay equal.
        """
        return {"sha256": self.sha256, "width": str(self.width), "height": str(self.height)}


def find_files(paths: Iterable[Path], prefix: str = "") -> Iterator[MediaFile]:
    """The files at or below paths, sorted; a folder's files are keyed by their path below it.

    Hidden files and folders are passed over.

    Raises:
        NotFoundError: a path does not exist.
    """
    for root in paths:
        if not root.exists():
            raise NotFoundError(
                "no-such-path",
                f"there is no file or folder {root}",
                subject=str(root),
                unchanged="nothing was uploaded",
                hint="check the path; a folder is taken with everything below it",
            )
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            below = path.relative_to(root) if root.is_dir() else Path(path.name)
            if path.is_file() and not any(part.startswith(".") for part in below.parts):
                yield MediaFile(key=TaskKey(prefix + below.as_posix()), path=path)


def read_image(file: MediaFile) -> Image | Ignored:
    """Read a file and say what image it is, or why it is none.

    The whole image is decoded once: a cut-off file is found here and not by an annotator.
    """
    from io import BytesIO

    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    if problem := media_problem(file.key):
        return Ignored(name=file.key, reason=problem)
    try:
        data = file.path.read_bytes()
        with Pillow.open(BytesIO(data)) as image:
            image.load()
            width, height = image.size
            content_type = Pillow.MIME.get(image.format or "", "application/octet-stream")
    except UnidentifiedImageError:
        return Ignored(name=file.key, reason="is not an image")
    except Pillow.DecompressionBombError:
        return Ignored(name=file.key, reason="claims more pixels than can be true")
    except (OSError, ValueError, SyntaxError):
        # What Pillow's decoders raise for damaged files; a file that cannot be read is the same to
        # us.
        return Ignored(name=file.key, reason="cannot be read, or is damaged")
    return Image(
        data=data,
        content_type=content_type,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
    )
