"""What the tests of a law did, for the summary at the end of a run.

A test calls `note` when it has passed; tests/conftest.py prints the notes. Owns no law.
"""

from collections.abc import Iterable

PROPERTY = "law"

_pending: list[tuple[str, str]] = []


def note(law: str, text: str) -> None:
    """Say what was tried of a law: `note("kill points", "44 kills: the same tree each time")`."""
    _pending.append((law, text))


def take_notes() -> list[tuple[str, object]]:
    """The notes since the last call, as properties of a test's report."""
    notes: list[tuple[str, object]] = [(PROPERTY, f"{law}\n{text}") for law, text in _pending]
    _pending.clear()
    return notes


def summary_lines(properties: Iterable[tuple[str, object]]) -> list[str]:
    """A line a note, by law: what a report's properties say of laws."""
    noted = sorted({str(value) for name, value in properties if name == PROPERTY})
    pairs = [value.split("\n", 1) for value in noted]
    width = max((len(law) for law, _ in pairs), default=0)
    return [f"{law:<{width}}  {text}" for law, text in pairs]
