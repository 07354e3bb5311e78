"""Masks as run lengths: COCO's two forms read, Label Studio's brush form written.

COCO counts a picture's pixels column after column, Label Studio row after row with four bytes a
pixel, as @thi.ng/rle-pack packs them. Owns both codes; a mask of a picture costs a byte a pixel
while it is turned.
"""

import re
from collections.abc import Iterator, Sequence

from ops.core.importing.neutral import Mask
from ops.errors import InvalidDataError

MOST_PIXELS = 178_956_970
"""A mask of more is taken for a bomb, as a picture is."""

_FIRST = 48
_RUNS = re.compile(rb"\x00+|\x01+")
_LONGEST_RUN = 2**16
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)
"""Bits a run's length may take in Label Studio's form; two bits say which."""


def counts_of(text: str) -> tuple[int, ...]:
    """The run lengths of COCO's compressed form (maskApi.c, rleFrString).

    Raises:
        ValueError: it is none.
    """
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, is_more = 0, 0, True
        while is_more:
            if place >= len(text):
                raise ValueError(text)
            code = ord(text[place]) - _FIRST
            if not 0 <= code < 64:  # noqa: PLR2004 - six bits a character
                raise ValueError(text)
            value |= (code & 0x1F) << shift
            is_more = bool(code & 0x20)
            place += 1
            shift += 5
            if not is_more and code & 0x10:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)  # noqa: PLR2004
    return tuple(counts)


def fits(mask: Mask) -> bool:
    """Say whether the runs cover the picture exactly."""
    pixels = mask.width * mask.height
    return (
        0 < pixels <= MOST_PIXELS and min(mask.runs, default=-1) >= 0 and sum(mask.runs) == pixels
    )


def brush(mask: Mask) -> list[int]:
    """The mask as a brush region's `rle`.

    Raises:
        InvalidDataError: the runs do not cover the picture.
    """
    if not fits(mask):
        raise InvalidDataError(
            "label-file",
            f"a mask's runs do not add up to {mask.width} by {mask.height} pixels",
            unchanged="nothing was written",
            hint="correct the file; its masks are of another size than its picture",
        )
    bits = [f"{mask.width * mask.height * 4:032b}", f"{_WORD_BITS - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in _SIZES]
    for length, is_inside in _rows(mask):
        bits.append(_packed(length * 4, 255 if is_inside else 0))
    whole = "".join(bits)
    whole += "0" * (-len(whole) % 8)
    return list(int(whole, 2).to_bytes(len(whole) // 8))


def _rows(mask: Mask) -> Iterator[tuple[int, bool]]:
    """Runs row after row: how many pixels, and whether they are inside."""
    columns = b"".join(bytes((number % 2,)) * length for number, length in enumerate(mask.runs))
    rows = b"".join(columns[row :: mask.height] for row in range(mask.height))
    for run in _RUNS.finditer(rows):
        yield run.end() - run.start(), rows[run.start()] == 1


def _packed(length: int, value: int) -> str:
    parts: list[str] = []
    while length > 0:
        run = min(length, _LONGEST_RUN)
        size = next(place for place, bits in enumerate(_SIZES) if run <= 2**bits)
        parts.append(f"1{size:02b}{run - 1:0{_SIZES[size]}b}{value:08b}")
        length -= run
    return "".join(parts)


def box_of(mask: Mask) -> tuple[float, float, float, float] | None:
    """The box around the mask's pixels; None where it has none."""
    return _around(mask.runs, mask.height)


def _around(runs: Sequence[int], height: int) -> tuple[float, float, float, float] | None:
    left = top = right = bottom = None
    start = 0
    for number, length in enumerate(runs):
        if number % 2 and length:
            last = start + length - 1
            first_row, last_row = start % height, last % height
            if start // height != last // height:
                first_row, last_row = 0, height - 1
            left = start // height if left is None else left
            right = last // height
            top = first_row if top is None else min(top, first_row)
            bottom = last_row if bottom is None else max(bottom, last_row)
        start += length
    if left is None or top is None or right is None or bottom is None:
        return None
    return left, top, right - left + 1, bottom - top + 1
