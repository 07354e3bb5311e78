"""Work on the bytes of many objects: one interface, whatever machines do it.

Owns what an engine is. `threads.py` works in this process, `ray.py` on a Ray cluster through Daft,
the only file that imports it. What is done with the bytes is a function of the caller's: the same
one everywhere, so an engine changes how long something takes and never what comes out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from ops.core.records import Json

Work: TypeAlias = Callable[[bytes], Mapping[str, Json]]
"""A pure function of an object's bytes, at the top level of a module: clusters import it by name.

Never raises for what the bytes are: one picture that cannot be decoded ends no run.
"""


class Engine(Protocol):
    """Runs a function over the bytes of many objects of one repository.

    A context manager: what it takes is started on entry, and gone on exit.
    """

    def __enter__(self) -> Self:
        """Make ready.

        Raises:
            ConfigurationError: the engine is not installed, or not set up for this.
            UnavailableError: what it works on does not answer.
        """
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of everything."""
        ...

    def map(
        self, work: Work, ref: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
        """Each path with what `work` says of its bytes; None where the engine cannot read them.

        In any order, each path once, as results come; memory does not grow with the bytes. One
        request a path.

        Args:
            work: what is done with the bytes.
            ref: a commit, so that every worker sees the same bytes.
            paths: of the objects, each once.

        Raises:
            UnavailableError: the server or the cluster does not answer.
            NotFoundError: one of the objects is not there, where the engine knows that.
        """
        ...
