"""Masks: COCO's codes against pycocotools, Label Studio's against its own decoder."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from label_studio_sdk.converter import brush as label_studio
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from ops.core.importing.neutral import Mask
from ops.core.importing.rle import box_of, brush, counts_of, fits


@st.composite
def bitmaps(draw: st.DrawFn) -> NDArray[np.uint8]:
    """Small pictures of what is inside and what is not."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(bits, dtype=np.uint8).reshape(height, width)


def shown(rle: list[int], height: int, width: int) -> NDArray[np.uint8]:
    """How opaque each pixel is by Label Studio's own decoder."""
    decoded: Any = label_studio.decode_rle(rle)  # pyright: ignore[reportUnknownMemberType]
    return np.asarray(decoded, dtype=np.uint8).reshape(height, width, 4)[:, :, 3]


def mask_of(bitmap: NDArray[np.uint8]) -> Mask:
    """The mask by pycocotools' own code."""
    encoded = coco_masks.encode(np.asfortranarray(bitmap))
    counts = encoded["counts"]
    runs = counts_of(counts if isinstance(counts, str) else bytes(counts).decode())
    return Mask(width=bitmap.shape[1], height=bitmap.shape[0], runs=runs)


@given(bitmaps())
def test_every_pixel_stays_where_it_is(bitmap: NDArray[np.uint8]) -> None:
    """From pycocotools' code to Label Studio's, read back by Label Studio's SDK."""
    mask = mask_of(bitmap)
    assert fits(mask)
    assert np.array_equal(shown(brush(mask), *bitmap.shape) > 0, bitmap > 0)


@given(bitmaps())
def test_the_box_is_the_one_around_all_pixels(bitmap: NDArray[np.uint8]) -> None:
    """As pycocotools finds it; none for none."""
    mask = mask_of(bitmap)
    if not bitmap.any():
        assert box_of(mask) is None
        return
    expected = coco_masks.toBbox(coco_masks.encode(np.asfortranarray(bitmap)))
    assert box_of(mask) == tuple(expected)


def test_a_long_run_is_cut_where_the_code_ends() -> None:
    """Label Studio's code counts 65 536 bytes at most in one run."""
    bitmap = np.zeros((300, 400), dtype=np.uint8)
    bitmap[10:290, 20:380] = 1
    assert np.array_equal(shown(brush(mask_of(bitmap)), 300, 400) > 0, bitmap > 0)


def test_a_mask_of_another_size_does_not_fit() -> None:
    """Nor one that is far too large."""
    assert not fits(Mask(width=3, height=3, runs=(8,)))
    assert not fits(Mask(width=10**6, height=10**6, runs=(10**12,)))
    assert not fits(Mask(width=2, height=2, runs=()))
