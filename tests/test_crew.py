"""Many at once: order, laziness, failures, and that nobody is left behind."""

import threading
from collections.abc import Callable, Iterator

import pytest

from ops.crew import Work, in_any_order, in_order

WORKERS = 8
ROOM = 2 * WORKERS
Run = Callable[[Work[int, int], Iterator[int]], Iterator[tuple[int, int]]]


def any_order(work: Work[int, int], items: Iterator[int]) -> Iterator[tuple[int, int]]:
    """As they end."""
    return in_any_order(work, items, workers=WORKERS)


def same_order(work: Work[int, int], items: Iterator[int]) -> Iterator[tuple[int, int]]:
    """As they were."""
    return in_order(work, items, workers=WORKERS)


@pytest.fixture(params=[any_order, same_order])
def run(request: pytest.FixtureRequest) -> Run:
    """Each way in turn."""
    return request.param


def double(item: int, _: threading.Event) -> int:
    """Work that ends at once."""
    return 2 * item


def test_every_item_comes_back_once_with_its_result(run: Run) -> None:
    """None is lost, none comes twice."""
    assert sorted(run(double, iter(range(500)))) == [(item, 2 * item) for item in range(500)]
    assert list(run(double, iter([]))) == []


def test_the_order_is_kept_though_later_work_ends_first() -> None:
    """The first item ends last of all that fit in."""
    others_ended = threading.Semaphore(0)

    def work(item: int, _: threading.Event) -> int:
        if item == 0:
            for _each in range(WORKERS - 1):
                others_ended.acquire()
        else:
            others_ended.release()
        return item

    assert [item for item, _ in same_order(work, iter(range(50)))] == list(range(50))


def test_as_many_are_under_way_as_there_are_workers(run: Run) -> None:
    """Nobody gets past the barrier before all are at it."""
    barrier = threading.Barrier(WORKERS, timeout=10)

    def work(item: int, _: threading.Event) -> int:
        barrier.wait()
        return item

    assert len(list(run(work, iter(range(4 * WORKERS))))) == 4 * WORKERS


def test_items_are_pulled_no_faster_than_results_are_taken(run: Run) -> None:
    """What is held in memory does not grow with the number of items."""
    pulled = 0
    given = 0

    def items() -> Iterator[int]:
        nonlocal pulled
        for item in range(1000):
            assert pulled - given < ROOM
            pulled += 1
            yield item

    for _ in run(double, items()):
        given += 1
    assert given == 1000


def test_a_result_is_given_before_more_is_pulled() -> None:
    """Room or not: a caller may wait long for its next item.

    Of three workers, two are held up; that the third has begun with item 3 says that the result of
    item 0 is there.
    """
    held = threading.Event()
    began_three = threading.Event()
    pulled: list[int] = []

    def items() -> Iterator[int]:
        for item in range(6):
            if item == 4:
                assert began_three.wait(10)
            pulled.append(item)
            yield item

    def work(item: int, _: threading.Event) -> int:
        if item == 3:
            began_three.set()
        if item in {1, 2, 3}:
            assert held.wait(10)
        return item

    results = in_any_order(work, items(), workers=3)
    assert next(results) == (0, 0)
    assert len(pulled) <= 5
    held.set()
    assert len(list(results)) == 5


def test_one_slow_item_does_not_let_the_others_pile_up() -> None:
    """In order, what waits for its turn takes up room."""
    pulled: list[int] = []
    release = threading.Event()

    def items() -> Iterator[int]:
        for item in range(1000):
            pulled.append(item)
            yield item

    def work(item: int, _: threading.Event) -> int:
        if item == 0:
            assert release.wait(10)
        elif item == ROOM - 1:
            release.set()
        return item

    results = same_order(work, items())
    assert next(results) == (0, 0)
    assert len(pulled) == ROOM
    assert len(list(results)) == 999


def test_a_failure_is_raised_and_nothing_is_pulled_after_it(run: Run) -> None:
    """At once: not when the items are used up."""
    pulled: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100_000):
            pulled.append(item)
            yield item

    def work(item: int, _: threading.Event) -> int:
        if item == 20:
            raise LookupError(item)
        return item

    with pytest.raises(LookupError, match="20"):
        list(run(work, items()))
    assert len(pulled) <= 21 + 2 * ROOM


def test_a_failure_of_the_items_is_raised(run: Run) -> None:
    """It is the caller's own."""

    def items() -> Iterator[int]:
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(run(double, items()))


def test_those_still_at_work_are_told_that_nobody_waits(run: Run) -> None:
    """A pause between two tries ends at once."""
    told: list[bool] = []

    def work(item: int, stop: threading.Event) -> int:
        if item == WORKERS - 1:
            raise LookupError
        told.append(stop.wait(10))
        return item

    with pytest.raises(LookupError):
        list(run(work, iter(range(WORKERS))))
    assert told == [True] * (WORKERS - 1)


def test_no_thread_outlives_its_work(run: Run) -> None:
    """Neither where all was taken nor where the caller left."""
    before = threading.active_count()
    list(run(double, iter(range(50))))
    assert threading.active_count() == before
    results = run(double, iter(range(1000)))
    next(results)
    del results
    assert threading.active_count() == before


def test_little_work_takes_few_threads(run: Run) -> None:
    """Two items need two."""
    seen: set[int] = set()

    def work(item: int, _: threading.Event) -> int:
        seen.add(threading.get_ident())
        return item

    list(run(work, iter(range(2))))
    assert len(seen) <= 2
