"""Says what a picture's bytes are: a pure function that runs on a thread here or on a cluster.

Owns the values a profile has for every kind of file, broken and hostile ones among them; beside
ops/media.py the only file that imports Pillow, and the only one that imports imagehash. Reads and
writes nothing but its argument.
"""

import hashlib
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from ops.core.image_profile import Problem
from ops.core.records import Json

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 178_956_970
"""A picture that claims more is taken for a decompression bomb: Pillow's own limit."""

_ONE_AT_A_TIME = 50_000_000
"""Pictures of more pixels are decoded one at a time in a process: each takes 200 MB and more."""

_PREFIX_BYTES = 16
_ORIENTATION_TAG = 0x0112
_WIDE_MODES = ("I", "F")
# Pillow hands these to a program of the machine (Ghostscript), or only knows their names.
_NEVER_OPENED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})


def profile(data: bytes) -> dict[str, Json]:
    """What the bytes of a picture say of it; the same bytes give the same, on any machine.

    Never raises and never warns, whatever the bytes are: what cannot be decoded has a `problem`.

    - `sha256`, `size_bytes`: of the bytes, always.
    - `width`, `height`: pixels as stored, before turning; `format`, `mode`: Pillow's words. Null
      where the header cannot be read; of a cut-off picture the header is.
    - `orientation`: EXIF's 1 to 8, 1 where it says none or nonsense; null with a problem. Pillow
      turns TIFF files while it decodes them: their width and height are the upright ones, with
      orientation 1.
    - `dhash`: 16 hexadecimal digits of the difference hash of the picture turned upright; null with
      a problem, or without the extra `dedup`. Of an animation its first frame is hashed, of a
      picture with transparency how it looks on white, of one with 16 bits a channel its range of
      values, darkest to brightest.
    - `problem`: null, `empty`, `no-image`, `damaged` (cut off, too) or `too-large` (it claims more
      than MOST_PIXELS: nothing of it is decoded).
    """
    found: dict[str, Json] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "width": None,
        "height": None,
        "orientation": None,
        "format": None,
        "mode": None,
        "dhash": None,
        "problem": None,
    }
    if not data:
        return {**found, "problem": Problem.EMPTY.value}
    with _QUIET.entered():
        try:
            _look(data, found)
        except _NoPictureError as error:
            found["problem"] = error.problem.value
        except Exception:  # noqa: BLE001 - decoders raise anything for damaged bytes
            found["problem"] = Problem.DAMAGED.value
    return found


@cache
def can_hash() -> bool:
    """Say whether profiles made in this process have a `dhash`: the extra `dedup` is installed."""
    from importlib.util import find_spec

    return find_spec("imagehash") is not None


def upright(data: bytes) -> bytes:
    """A picture's bytes as it is meant to be seen: turned where its EXIF says so, else the same.

    What cannot be decoded comes back as it is. Never raises and never warns.
    """
    from PIL import Image as Pillow

    with _QUIET.entered():
        try:
            with Pillow.open(BytesIO(data), formats=_formats()) as image:
                orientation = _orientation(image)
                if orientation == 1 or image.width * image.height > MOST_PIXELS:
                    return data
                sink = BytesIO()
                _turned(image.convert("RGB"), orientation).save(sink, "PNG", compress_level=1)
                return sink.getvalue()
        except Exception:  # noqa: BLE001 - decoders raise anything for damaged bytes
            return data


class _NoPictureError(Exception):
    """There is no picture to decode."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


def _look(data: bytes, found: dict[str, Json]) -> None:
    """Fill in what the header says, then what the pixels say.

    Raises:
        _NoPictureError: there is none.
    """
    from PIL import Image as Pillow

    try:
        image = Pillow.open(BytesIO(data), formats=_formats())
    except Pillow.UnidentifiedImageError as error:
        raise _NoPictureError(_damaged_or_other(data)) from error
    except Pillow.DecompressionBombError as error:
        raise _NoPictureError(Problem.TOO_LARGE) from error
    with image:
        found.update(_header(image))
        if image.width * image.height > MOST_PIXELS:
            raise _NoPictureError(Problem.TOO_LARGE)
        with _LARGE if image.width * image.height > _ONE_AT_A_TIME else nullcontext():
            try:
                image.load()
            except Pillow.DecompressionBombError as error:
                # Some formats tell their real size only here.
                raise _NoPictureError(Problem.TOO_LARGE) from error
            orientation = _orientation(image)
            dhash = _dhash(image, orientation)
        # A decoder may have learnt better, or have turned the picture.
        found.update(_header(image), orientation=orientation, dhash=dhash)


def _damaged_or_other(data: bytes) -> Problem:
    """What bytes are that no format opens: damaged where one knows the first of them as its own."""
    from PIL import Image as Pillow

    accepts = (Pillow.OPEN[name][1] for name in _formats())
    prefix = data[:_PREFIX_BYTES].ljust(_PREFIX_BYTES)
    is_begun = any(accept is not None and accept(prefix) is True for accept in accepts)
    return Problem.DAMAGED if is_begun else Problem.NO_IMAGE


def _header(image: "Image") -> dict[str, Json]:
    return {
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "mode": image.mode,
    }


def _orientation(image: "Image") -> int:
    try:
        stated = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - EXIF of any kind of damage: the pixels are there all the same
        return 1
    return stated if isinstance(stated, int) and stated in range(1, 9) else 1


def _dhash(image: "Image", orientation: int) -> str | None:
    if not can_hash():
        return None
    import imagehash

    return str(imagehash.dhash(_turned(_gray(image), orientation)))


def _gray(image: "Image") -> "Image":
    """The picture in 256 grays, whatever its mode."""
    from PIL import Image as Pillow

    if image.mode.startswith(_WIDE_MODES):
        return _narrowed(image)
    if image.has_transparency_data:
        colored = image.convert("RGBA")
        paper = Pillow.new("RGBA", colored.size, "white")
        return Pillow.alpha_composite(paper, colored).convert("L")
    if image.mode == "LAB":
        return image.getchannel("L")
    return (image.convert("RGB") if image.mode == "CMYK" else image).convert("L")


def _narrowed(image: "Image") -> "Image":
    """A picture of more than 8 bits a channel, its darkest value as 0 and its brightest as 255.

    Pillow's own conversion cuts everything above 255 off. Values that are no finite numbers are 0.
    """
    import numpy as np
    from PIL import Image as Pillow

    values = np.asarray(image, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return Pillow.new("L", image.size)
    low, high = values[finite].min(), values[finite].max()
    share = (np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny)
    return Pillow.fromarray((share * 255).astype(np.uint8))


def _turned(image: "Image", orientation: int) -> "Image":
    """The picture upright; `orientation` is EXIF's."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image as Pillow

    Pillow.init()
    return tuple(name for name in Pillow.ID if name not in _NEVER_OPENED)


class _Quiet:
    """Keeps Pillow's warnings in while any thread profiles.

    `warnings.catch_warnings` alone would leave another thread's state behind: the first one in
    enters it, the last one out leaves it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    @contextmanager
    def entered(self) -> Generator[None]:
        with self._lock:
            if not self._inside:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.|imagehash|ops\.profiling")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._caught.__exit__(None, None, None)


_QUIET = _Quiet()
_LARGE = threading.Lock()
