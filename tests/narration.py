"""A reporter that remembers what it was told."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field

from ops.ports import Phase


@dataclass
class _Count:
    done: int = 0

    def advance(self, count: int = 1) -> None:
        self.done += count


@dataclass
class Narration:
    """Implements ops.ports.Reporter; `phases` and `notes` hold what was said, in order."""

    phases: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    @contextlib.contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Remember the title."""
        del total
        self.phases.append(title)
        yield _Count()

    def note(self, text: str) -> None:
        """Remember the line."""
        self.notes.append(text)
