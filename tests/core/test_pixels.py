"""Pixels to percent and back: the same numbers."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from ops.core.pixels import (
    box_of_corners,
    corners_of_box,
    percent_of,
    pixels_of,
    to_percent,
    to_pixels,
    whole,
)

SIZES = st.integers(1, 100_000)
WHOLE = st.integers(-100_000, 200_000)
DECIMALS = st.decimals(-(10**5), 10**5, places=9).map(float)


@given(WHOLE, SIZES)
@example(87, 640)
@example(29, 300)
def test_whole_pixels_come_back_whole(pixels: int, size: int) -> None:
    """Whatever the picture's size."""
    assert pixels_of(percent_of(pixels, size), size) == pixels


@given(DECIMALS, SIZES)
def test_fractions_come_back_digit_by_digit(pixels: float, size: int) -> None:
    """Fourteen significant digits."""
    assert pixels_of(percent_of(pixels, size), size) == pixels


@given(st.floats(0, 100, allow_subnormal=False), SIZES)
def test_a_percent_somebody_drew_stays_where_it_is(percent: float, size: int) -> None:
    """To a few units in the last place: far below what a screen shows."""
    again = percent_of(pixels_of(percent, size), size)
    assert abs(again - percent) <= 1e-12


@given(st.tuples(WHOLE, WHOLE, WHOLE, WHOLE), SIZES, SIZES)
def test_a_box_comes_back(box: tuple[int, int, int, int], width: int, height: int) -> None:
    """All four numbers, each by its own side."""
    assert to_pixels(to_percent(box, width, height), width, height) == box


def test_each_number_is_of_its_own_side() -> None:
    """Two by the width, two by the height."""
    assert to_percent((64, 24, 320, 120), 640, 480) == (10, 5, 50, 25)


@given(st.tuples(*[st.decimals(-(10**4), 10**4, places=4).map(float)] * 4))
def test_corners_come_back(corners: tuple[float, float, float, float]) -> None:
    """Through the box between them."""
    assert corners_of_box(box_of_corners(*corners)) == corners


def test_corners_are_taken_in_decimals() -> None:
    """0.3 - 0.1 is 0.2 and not 0.19999999999999998."""
    assert box_of_corners(0.1, 1, 0.3, 4) == (0.1, 1, 0.2, 3)
    assert Decimal(repr(box_of_corners(0.1, 0, 0.3, 0)[2])) == Decimal("0.2")


def test_nearly_whole_is_whole() -> None:
    """What an editor does to the last digits is no fraction of a pixel."""
    assert whole(86.99999999999999) == 87
    assert whole(87.01) is None
