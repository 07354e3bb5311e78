"""A reporter that remembers what it was told."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field

from ops.ports import Phase


@dataclass
class _Count:
    total: int | None
    done: int = 0

    def advance(self, count: int = 1) -> None:
        self.done += count


@dataclass
class Narration:
    """Implements ops.ports.Reporter; `phases`, `counts` and `notes` hold what was said, in order.

    `counts` holds, for each phase that ended well, how far it came and what its total was.
    """

    phases: list[str] = field(default_factory=list[str])
    counts: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, int | None]])
    notes: list[str] = field(default_factory=list[str])

    @contextlib.contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Remember the title, and the count when it ends."""
        self.phases.append(title)
        count = _Count(total)
        yield count
        self.counts.append((count.done, total))

    def note(self, text: str) -> None:
        """Remember the line."""
        self.notes.append(text)
