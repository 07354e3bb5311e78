"""Pictures whose looks are known: different to the eye, or the same at another size."""

import random
from io import BytesIO

from PIL import Image


def look(number: int) -> Image.Image:
    """A picture that looks like that of no other number: nine by eight random grays, enlarged."""
    chance = random.Random(number)  # noqa: S311 - a test's
    grays = bytes(chance.randrange(256) for _ in range(72))
    return Image.frombytes("L", (9, 8), grays).resize((180, 120), Image.Resampling.BILINEAR)


def picture(image: Image.Image, *, size: tuple[int, int] = (180, 120), kind: str = "PNG") -> bytes:
    """An image file of that look and size."""
    sink = BytesIO()
    image.resize(size).save(sink, kind)
    return sink.getvalue()
