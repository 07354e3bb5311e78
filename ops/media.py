"""Finds media files on disk and says what they are: the only file that imports Pillow.

Owns which files count as media, and the image facts kept with each object. Uploads nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ops.core.names import media_problem
from ops.core.records import TaskKey
from ops.errors import InvalidDataError, NotFoundError


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
    if problem := media_problem(file.key):
        return Ignored(name=file.key, reason=problem)
    try:
        data = file.path.read_bytes()
    except OSError:
        return Ignored(name=file.key, reason=_DAMAGED)
    found = read_picture(file.key, data)
    if not isinstance(found, Picture):
        return found
    return Image(
        data=data,
        content_type=found.content_type,
        sha256=hashlib.sha256(data).hexdigest(),
        width=found.width,
        height=found.height,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is known of an image. `sha256` is of its bytes; None where not all of them were read."""

    content_type: str
    width: int
    height: int
    sha256: str | None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The facts as lakeFS object metadata; an Image of the same bytes has the same."""
        known = {"width": str(self.width), "height": str(self.height)}
        return known if self.sha256 is None else {"sha256": self.sha256, **known}


def read_picture(name: str, data: bytes) -> Picture | Ignored:
    """Say what image these bytes are, or why they are none; the whole image is decoded once."""
    try:
        content_type, width, height = _decode(data, is_whole=True)
    except _NoImageError as error:
        return Ignored(name=name, reason=error.reason)
    sha256 = hashlib.sha256(data).hexdigest()
    return Picture(content_type=content_type, width=width, height=height, sha256=sha256)


def orientation_of(data: bytes) -> int:
    """EXIF's orientation of an image, 1 to 8: 1 where it says none, or where these are none."""
    from io import BytesIO

    from PIL import Image as Pillow

    try:
        with Pillow.open(BytesIO(data)) as image:
            stated = image.getexif().get(_ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError):
        return 1
    return stated if stated in _ORIENTATIONS else 1


_ORIENTATION = 0x0112
_ORIENTATIONS = range(1, 9)


def read_beginning(name: str, data: bytes) -> Picture | Ignored | None:
    """Say what image begins so; None where more bytes are needed to tell."""
    try:
        content_type, width, height = _decode(data, is_whole=False)
    except _NoImageError as error:
        if error.reason != _BOMB and _may_begin_an_image(data):
            return None
        return Ignored(name=name, reason=error.reason)
    return Picture(content_type=content_type, width=width, height=height, sha256=None)


_DAMAGED = "cannot be read, or is damaged"
_BOMB = "claims more pixels than can be true"
_PREFIX_BYTES = 16


class _NoImageError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _decode(data: bytes, *, is_whole: bool) -> tuple[str, int, int]:
    """Content type, width and height; of a whole image, every pixel is decoded.

    Raises:
        _NoImageError: these bytes are none.
    """
    from io import BytesIO

    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(BytesIO(data)) as image:
            if is_whole:
                image.load()
            kind = Pillow.MIME.get(image.format or "", "application/octet-stream")
            return kind, *image.size
    except UnidentifiedImageError as error:
        raise _NoImageError("is not an image") from error
    except Pillow.DecompressionBombError as error:
        raise _NoImageError(_BOMB) from error
    except (OSError, ValueError, SyntaxError) as error:
        # What Pillow's decoders raise for damaged files.
        raise _NoImageError(_DAMAGED) from error


def _may_begin_an_image(data: bytes) -> bool:
    """Say whether a format knows these first bytes as its own."""
    from PIL import Image as Pillow

    Pillow.init()
    accepts = (accept for _, accept in Pillow.OPEN.values() if accept is not None)
    prefix = data[:_PREFIX_BYTES]
    return len(prefix) == _PREFIX_BYTES and any(accept(prefix) is True for accept in accepts)


def decode_rgb(data: bytes, *, key: TaskKey) -> tuple[int, int, bytes]:
    """A picture as its annotators saw it: width, height, and its pixels, turned upright.

    Pixels: rows from the top, three bytes each, red first.

    Raises:
        InvalidDataError: the bytes are no picture, or one of too many pixels.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(BytesIO(data)) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
            return upright.width, upright.height, upright.tobytes()
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise InvalidDataError(
            "not-a-picture",
            f"{key} cannot be decoded as a picture",
            subject=key,
            unchanged="nothing was written",
            hint="see what is wrong with it: ops data profile",
        ) from error
