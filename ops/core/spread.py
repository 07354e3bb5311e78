"""How a handful or a million of shares between 0 and 1 are distributed.

Owns the figures by which a distribution is told. Does not know what is measured.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

from ops.core.records import Json

BOUNDS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Where the histogram's bins begin and end; each holds its lower bound, the last one both."""

_DIGITS = 4
_NOISE = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution of shares.

    Attributes:
        count: how many were measured.
        unmeasured_count: how many could not be.
        minimum, lower_quartile, median, upper_quartile, mean: None where nothing was measured; a
            quartile between two shares is in proportion between them.
        histogram: how many are in each bin of BOUNDS.
    """

    count: int = 0
    unmeasured_count: int = 0
    minimum: float | None = None
    lower_quartile: float | None = None
    median: float | None = None
    upper_quartile: float | None = None
    mean: float | None = None
    histogram: tuple[int, ...] = (0,) * (len(BOUNDS) - 1)

    @classmethod
    def of(cls, shares: Iterable[float | None]) -> "Spread":
        """The distribution of some shares, None for one that could not be measured.

        The same whatever their order.
        """
        found = list(shares)
        known = sorted(share for share in found if share is not None)
        if not known:
            return cls(unmeasured_count=len(found))
        bins = [0] * (len(BOUNDS) - 1)
        for share in known:
            # A half that floats made 0.4999999999999999 is a half.
            bins[min(bisect_right(BOUNDS, round(share, _NOISE)), len(bins)) - 1] += 1
        lower, median, upper = (_at(known, part) for part in (0.25, 0.5, 0.75))
        return cls(
            count=len(known),
            unmeasured_count=len(found) - len(known),
            minimum=known[0],
            lower_quartile=lower,
            median=median,
            upper_quartile=upper,
            mean=fsum(known) / len(known),
            histogram=tuple(bins),
        )

    def as_json(self) -> dict[str, Json]:
        """The distribution for programs; shares with four digits."""
        return {
            "measured": self.count,
            "unmeasured": self.unmeasured_count,
            "minimum": _rounded(self.minimum),
            "lower_quartile": _rounded(self.lower_quartile),
            "median": _rounded(self.median),
            "upper_quartile": _rounded(self.upper_quartile),
            "mean": _rounded(self.mean),
            "histogram": [
                {"from": low, "to": high, "count": count}
                for low, high, count in zip(BOUNDS, BOUNDS[1:], self.histogram, strict=False)
            ],
        }


def _at(known: list[float], part: float) -> float:
    """The share below which a part of the sorted shares lie."""
    place = part * (len(known) - 1)
    below = int(place)
    above = min(below + 1, len(known) - 1)
    return known[below] + (place - below) * (known[above] - known[below])


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _DIGITS)
