"""Label Studio's brush strokes, and COCO's run lengths.

Owns both encodings. Label Studio's is that of @thi.ng/rle-pack over the bytes of an RGBA picture,
row by row; a pixel is painted where its alpha is not 0. COCO's counts pixels column by column,
unpainted and painted ones in turn (pycocotools, `mask.frPyObjects`).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from ops.core.records import Json

_CHANNELS = 4
_LARGEST_PICTURE = 2**28


def read_mask(runs: Sequence[Json], size: tuple[int, int]) -> bytes | None:
    """A byte a pixel, row by row, 1 where it is painted; None where the strokes are no such.

    Time: a step a run, not a pixel.
    """
    width, height = size
    if not all(isinstance(one, int) and 0 <= one <= 255 for one in runs):  # noqa: PLR2004 - a byte
        return None
    bits = _Bits(bytes(one for one in runs if isinstance(one, int)))
    mask = bytearray(width * height)
    try:
        count = bits.take(32)
        if count != width * height * _CHANNELS or count > _LARGEST_PICTURE:
            return None
        for start, stop, value in _spans(bits, count):
            # Of pixel p the alpha is byte 4 p + 3: in the span for these.
            first, last = start // _CHANNELS, stop // _CHANNELS
            if value:
                mask[first:last] = b"\1" * (last - first)
    except EOFError:
        return None
    return bytes(mask)


def _spans(bits: "_Bits", count: int) -> Iterator[tuple[int, int, int]]:
    """Where bytes of one value start and stop; a single byte is a span, too.

    Raises:
        EOFError: there are fewer or more than they say.
    """
    word = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    place = 0
    while place < count:
        is_run = bits.take(1)
        stop = place + 1 + bits.take(sizes[bits.take(2)])
        if stop > count:
            raise EOFError
        if is_run:
            yield place, stop, bits.take(word)
        else:
            for one in range(place, stop):
                yield one, one + 1, bits.take(word)
        place = stop


class _Bits:
    """Bits of some bytes, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        """The next so many bits as a number.

        Raises:
            EOFError: there are no more.
        """
        end = self._at + count
        if end > 8 * len(self._data):
            raise EOFError
        first, last = self._at // 8, -(-end // 8)
        self._at = end
        whole = int.from_bytes(self._data[first:last])
        return (whole >> (8 * last - end)) & ((1 << count) - 1)


def column_runs(mask: bytes, size: tuple[int, int]) -> Iterator[int]:
    """How many pixels in a row are unpainted, painted, unpainted …, column by column."""
    width, _ = size
    turned = b"".join(mask[column::width] for column in range(width))
    if turned[:1] == b"\1":
        yield 0
    for _, same in groupby(turned):
        yield sum(1 for _ in same)
