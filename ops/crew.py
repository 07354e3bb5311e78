"""Many pieces of work at once, over an iterable that is read no faster than they end.

Owns the threads. Knows nothing of lakeFS.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import closing
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work: TypeAlias = Callable[[Item, threading.Event], Result]

_FAREWELL_S = 2.0


def in_any_order(
    work: Work[Item, Result], items: Iterable[Item], *, workers: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, as they end.

    Items are pulled on the caller's thread, never more than twice `workers` ahead of what was given
    out: memory does not grow with their number. A failure is raised as soon as it is known, and no
    item is pulled after it.

    Args:
        work: called on several threads at once; gets an event that is set when nobody waits for it
            any more.
        items: pulled lazily.
        workers: how many pieces of work are under way at once.
    """
    with closing(_endings(work, items, workers, ())) as endings:
        for _, item, result in endings:
            yield item, result


def in_order(
    work: Work[Item, Result], items: Iterable[Item], *, workers: int
) -> Iterator[tuple[Item, Result]]:
    """As in_any_order, with the results in the order of their items."""
    early: dict[int, tuple[Item, Result]] = {}
    given = 0
    with closing(_endings(work, items, workers, early)) as endings:
        for index, item, result in endings:
            early[index] = (item, result)
            while given in early:
                yield early.pop(given)
                given += 1


def _endings(
    work: Work[Item, Result], items: Iterable[Item], workers: int, held: Sized
) -> Generator[tuple[int, Item, Result]]:
    """Number, item and result of each piece of work as it ends; `held` ones take up room."""
    crew = _Crew(work, workers)
    try:
        for item in items:
            crew.submit(item)
            while crew.has_ended or crew.outstanding + len(held) >= crew.room:
                yield crew.take()
        while crew.outstanding:
            yield crew.take()
    finally:
        crew.dismiss()


class _Crew(Generic[Item, Result]):
    """Threads that serve one queue of work and fill one queue of endings."""

    def __init__(self, work: Work[Item, Result], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._jobs: SimpleQueue[tuple[int, Item] | None] = SimpleQueue()
        self._ended: SimpleQueue[tuple[int, Item, Result] | BaseException] = SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._submitted = 0
        self._taken = 0
        # Twice what can be under way: neither a caller who is busy with a result nor an item that
        # is slow, where the others wait for it in order, leaves workers idle.
        self.room = 2 * workers

    @property
    def outstanding(self) -> int:
        """How many pieces were submitted and not taken."""
        return self._submitted - self._taken

    @property
    def has_ended(self) -> bool:
        """Say whether `take` would give something at once."""
        return not self._ended.empty()

    def submit(self, item: Item) -> None:
        """Queue one piece of work; one thread more where all may be busy."""
        self._jobs.put((self._submitted, item))
        self._submitted += 1
        if len(self._threads) < min(self._workers, self.outstanding):
            # Daemons: a person who presses Ctrl-C does not wait for a server that does not answer.
            thread = threading.Thread(target=self._serve, daemon=True)
            self._threads.append(thread)
            thread.start()

    def take(self) -> tuple[int, Item, Result]:
        """Wait for the next piece to end, and raise what it raised."""
        ended = self._ended.get()
        self._taken += 1
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def dismiss(self) -> None:
        """Let every thread end its present piece, and wait for that, but not for long."""
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + _FAREWELL_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stop.is_set():
            index, item = job
            try:
                self._ended.put((index, item, self._work(item, self._stop)))
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
                self._ended.put(error)
