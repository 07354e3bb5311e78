"""Narration on stderr: bars on a terminal, a line a phase otherwise, nothing when asked for quiet.

Owns how progress looks; what is reported is decided where the work is done (ops.ports.Reporter).
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ops.ports import Phase, Reporter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class _Counter:
    """A phase that only counts."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, count: int = 1) -> None:
        """Add to the count."""
        self.done += count


class QuietReporter:
    """Says nothing."""

    @contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Open a phase nobody sees."""
        del title, total
        yield _Counter()

    def note(self, text: str) -> None:
        """Drop the line."""


class LineReporter:
    """One line a phase, when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Open a phase; its line gives the count and the seconds it took."""
        counter, started = _Counter(), time.monotonic()
        yield counter
        taken = f"{time.monotonic() - started:.1f} s"
        count = f" {counter.done}" if total is not None or counter.done else ""
        self.note(f"{title}:{count} ({taken})")

    def note(self, text: str) -> None:
        """Print the line."""
        print(text, file=self._stream, flush=True)


class BarReporter:
    """A progress bar a phase, on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        from ops.cli.output import console

        self._console = console(stream)

    @contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Open a phase; the bar moves as it advances, and stays when it is done."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = [SpinnerColumn(finished_text="✓"), TextColumn("{task.description}")]
        counted = [BarColumn(bar_width=28), MofNCompleteColumn()]
        seen = counted if total is not None else [TextColumn("{task.fields[count]}")]
        with Progress(*columns, *seen, TimeElapsedColumn(), console=self._console) as bar:
            phase = _BarPhase(bar, bar.add_task(title, total=total, count=""))
            yield phase
            phase.end(is_counted=total is not None)

    def note(self, text: str) -> None:
        """Print the line above any bar."""
        self._console.print(text)


class _BarPhase:
    """A phase shown as a bar."""

    def __init__(self, bar: "Progress", task: "TaskID") -> None:
        self._bar = bar
        self._task = task
        self._done = 0

    def advance(self, count: int = 1) -> None:
        """Move the bar."""
        self._done += count
        self._bar.update(self._task, completed=self._done, count=str(self._done))

    def end(self, *, is_counted: bool) -> None:
        """Show the phase as done, with what was really counted."""
        done = self._done if is_counted else 1
        self._bar.update(self._task, total=done, completed=done)


def reporter(stream: TextIO, *, quiet: bool) -> Reporter:
    """The reporter that fits the stream."""
    if quiet:
        return QuietReporter()
    return BarReporter(stream) if stream.isatty() else LineReporter(stream)
