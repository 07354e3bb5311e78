"""Pixels and percent of a picture, and the way back to the very same pixels.

Owns the arithmetic every importer and exporter shares, so that what was read from a file in pixels
is written to a file in the same pixels. Does not know any format, nor what lies outside a picture.

Label Studio keeps geometry in percent of the picture. `percent * size / 100` in floats seldom gives
back the pixels it came from (87 of 640 comes back as 86.99999999999999); here the way back takes
the shortest decimal that has that percent, as `repr` does for floats.

Pascal VOC: the devkit counts pixels from 1 and names the last one inside the box; most tools write
what they have, from 0 and exclusive, in the same fields. Nothing in a file says which. So the four
numbers are kept as they stand: `x = xmin`, `y = ymin`, `width = xmax - xmin`,
`height = ymax - ymin`, and back.
"""

from decimal import Decimal
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""x and y of the upper left corner, width and height."""

_MOST_DECIMALS = 15
_NEAR = 1e-6


def percent_of(pixels: float, size: int) -> float:
    """A length or a place in pixels as percent of the picture's size in that direction."""
    return pixels * 100 / size


def pixels_of(percent: float, size: int) -> float:
    """The inverse of percent_of.

    Exact for what has up to 15 significant digits, of them up to 12 behind the point; else within
    two units in the last place. Whole numbers come back whole.
    """
    guess = percent * size / 100
    for decimals in range(_MOST_DECIMALS + 1):
        candidate = round(guess, decimals)
        if percent_of(candidate, size) == percent:
            return candidate
    return guess


def to_percent(box: Box, width: int, height: int) -> Box:
    """A box in pixels as percent of a picture of `width` by `height` pixels."""
    x, y, wide, high = box
    return (
        percent_of(x, width),
        percent_of(y, height),
        percent_of(wide, width),
        percent_of(high, height),
    )


def to_pixels(box: Box, width: int, height: int) -> Box:
    """The inverse of to_percent, as exact as pixels_of."""
    x, y, wide, high = box
    return (
        pixels_of(x, width),
        pixels_of(y, height),
        pixels_of(wide, width),
        pixels_of(high, height),
    )


def box_of_corners(xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
    """The box between two corners, its numbers in decimal arithmetic: 0.3 - 0.1 is 0.2."""
    return xmin, ymin, _decimally(xmax, -_decimal(xmin)), _decimally(ymax, -_decimal(ymin))


def corners_of_box(box: Box) -> tuple[float, float, float, float]:
    """The inverse of box_of_corners: xmin, ymin, xmax, ymax."""
    x, y, wide, high = box
    return x, y, _decimally(x, _decimal(wide)), _decimally(y, _decimal(high))


def whole(pixels: float) -> int | None:
    """The whole number of pixels this is, to a millionth; None where it is none.

    Label Studio's editor gives percents back that differ in the last place.
    """
    nearest = round(pixels)
    return nearest if abs(pixels - nearest) < _NEAR else None


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _decimally(number: float, other: Decimal) -> float:
    return float(_decimal(number) + other)
