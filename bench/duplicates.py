"""Times the search for near pairs among N perceptual hashes against comparing every two.

    python -m bench.duplicates [--pictures 155388] [--distance 4] [--every]

Needs no server. The hashes are as those of real pictures that are alike: each bit is set as often
as among 364 blood-cell pictures, the least even ones in 36 and 73 of 100; a hundredth of them are
copies of another with a few bits flipped. Prints, in one run: ops among all of them; and for fewer,
or for all with --every, ops, every two by numpy in blocks that fit a cache, and every two by plain
Python. They must find the same pairs.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np

from ops.core.duplicates import NEAR_DISTANCE, near_pairs

BITS = 64
FEW, SOME = 4_000, 40_000
BLOCK = 512
LEAST, MOST = 0.36, 0.73


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=155_388)
    parser.add_argument("--distance", type=int, default=NEAR_DISTANCE)
    parser.add_argument("--every", action="store_true", help="let numpy compare all of them, too")
    options = parser.parse_args()
    run(make_hashes(options.pictures), options.distance, every=options.every)


def make_hashes(count: int) -> Sequence[int]:
    """Distinct hashes, sorted; the same for the same count."""
    chance = random.Random(count)  # noqa: S311 - a benchmark's
    often = [chance.uniform(LEAST, MOST) for _ in range(BITS)]
    hashes: set[int] = set()
    while len(hashes) < count - count // 100:
        hashes.add(sum(1 << bit for bit in range(BITS) if chance.random() < often[bit]))
    originals = sorted(hashes)
    while len(hashes) < count:
        flips = sum(1 << bit for bit in chance.sample(range(BITS), chance.randrange(1, 7)))
        hashes.add(chance.choice(originals) ^ flips)
    return sorted(hashes)


def run(hashes: Sequence[int], distance: int, *, every: bool) -> None:
    """Measure everything, hold the pairs against one another, and print the ratios."""
    took, pairs = timed(lambda: near_pairs(hashes, distance))
    print(f"{len(hashes)} hashes, at most {distance} of {BITS} bits apart: ", end="")
    print(f"{len(pairs)} pairs in {took:.2f} s")
    print("| hashes | every two by  |  they s |  ops s | ops is faster |")
    print("| -----: | ------------- | ------: | -----: | ------------: |")
    for name, count, baseline in (
        ("numpy", len(hashes) if every else SOME, every_two_by_numpy),
        ("plain Python", FEW, every_two),
    ):
        some = hashes[:: max(len(hashes) // count, 1)]
        ours_s, ours = timed(lambda some=some: near_pairs(some, distance))
        theirs_s, theirs = timed(lambda some=some, find=baseline: find(some, distance))
        assert ours == theirs, f"ops and {name} differ"
        ratio = f"{theirs_s / ours_s:.0f} times"
        print(f"| {len(some):>6} | {name:<13} | {theirs_s:>7.2f} | {ours_s:>6.2f} | {ratio:>13} |")


def timed(work: Callable[[], Iterable[tuple[int, int]]]) -> tuple[float, set[frozenset[int]]]:
    """Seconds on the clock, and the pairs that were found."""
    begin = time.perf_counter()
    pairs = list(work())
    took = time.perf_counter() - begin
    return took, {frozenset(pair) for pair in pairs}


def every_two(hashes: Sequence[int], distance: int) -> Iterable[tuple[int, int]]:
    """Compare every two, one by one."""
    return (
        (one, other)
        for one, other in combinations(hashes, 2)
        if (one ^ other).bit_count() <= distance
    )


def every_two_by_numpy(hashes: Sequence[int], distance: int) -> Iterable[tuple[int, int]]:
    """Compare every two, a block of rows with all that follow at a time."""
    values = np.array(hashes, dtype=np.uint64)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        for at in range(start, len(values), BLOCK * 8):
            rest = values[at : at + BLOCK * 8]
            near = np.bitwise_count(block[:, None] ^ rest[None, :]) <= distance
            for row, column in zip(*np.nonzero(near), strict=True):
                if start + row < at + column:
                    yield int(block[row]), int(rest[column])


if __name__ == "__main__":
    main()
