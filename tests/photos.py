"""Real photographs, and what can be wrong with a file of one."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

TURNED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""EXIF's orientations, each with Pillow's transposition that makes such a file of a picture."""

_ORIENTATION = 0x0112


def coffee() -> Image.Image:
    """A cup of coffee, 320 x 240."""
    return _photograph("coffee").resize((320, 240))


def photographs(count: int) -> Iterator[Image.Image]:
    """Different pieces of three photographs, 320 x 240, the same ones each time."""
    whole = [_photograph(name) for name in ("coffee", "chelsea", "astronaut")]
    for number in range(count):
        photograph = whole[number % len(whole)]
        left = number * 7 % (photograph.width - 320)
        top = number * 11 % (photograph.height - 240)
        yield photograph.crop((left, top, left + 320, top + 240))


def file_of(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """An image's file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    """A file that shows the image upright to who minds its EXIF orientation, and only to them."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    stored = image
    if orientation in TURNED:
        stored = image.transpose(Image.Transpose(TURNED[orientation]))
    return file_of(stored, kind, exif=exif)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of some 70 bytes that claims to be so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _photograph(name: str) -> Image.Image:
    """One that scikit-image brings along."""
    from skimage import data

    return Image.fromarray(getattr(data, name)())


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum
