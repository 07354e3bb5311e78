"""Work on objects' bytes on the threads of this process.

Owns nothing but the wiring: what reads is ports.py's, the threads are ops/crew.py's. Pillow and
hashing let other threads run while they work.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from ops.core.records import Json
from ops.crew import in_any_order
from ops.engines import Work

ReadMany: TypeAlias = Callable[[str, Iterable[str]], Iterator[tuple[str, bytes]]]


class ThreadEngine:
    """Runs work on this machine, the default."""

    def __init__(self, read_many: ReadMany, *, jobs: int | None = None) -> None:
        """Nothing is started yet.

        Args:
            read_many: gives the bytes of objects at a ref, as ports.Lake does.
            jobs: how many pieces of work are under way at once; None: twice the processors.
        """
        self._read_many = read_many
        self._jobs = jobs or 2 * (os.cpu_count() or 1)

    def __enter__(self) -> Self:
        """Start nothing: threads come with the work."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is left: threads go with the work."""

    def map(
        self, work: Work, ref: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
        """As Engine.map; raises NotFoundError for the first object that is not there."""
        objects = self._read_many(ref, paths)
        for (path, _), found in in_any_order(partial(_do, work), objects, workers=self._jobs):
            yield path, found


def _do(work: Work, item: tuple[str, bytes], stop: threading.Event) -> Mapping[str, Json]:
    del stop  # a piece of work is short
    return work(item[1])
