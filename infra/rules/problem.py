"""One thing wrong with the settings, and how it is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with the settings.

    Attributes:
        code: stable kebab-case name.
        keys: the configuration keys it is about.
        reason: why it cannot stand.
        remedy: what to type, or which way out there is.
        is_acceptable: whether naming the code in `accept` lets it pass.
    """

    code: str
    keys: tuple[str, ...]
    reason: str
    remedy: str
    is_acceptable: bool = False

    def text(self) -> str:
        """The problem as people read it, without an end of line."""
        naming = f"pulumi config set --path 'accept[0]' {self.code}"
        accepting = f"\n  or    accept it: {naming}" if self.is_acceptable else ""
        heading = f"{', '.join(self.keys)} [{self.code}]"
        return f"{heading}\n  why   {self.reason}\n  next  {self.remedy}{accepting}"


Rule = Callable[[Settings], Iterator[Problem]]
"""Gives what one rule finds wrong; nothing where nothing is."""
