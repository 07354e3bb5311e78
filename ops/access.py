"""How a process gets at a repository for reading: what it takes, and the making of a context of it.

Owns what is sent to other processes, such as a training job's workers: plain values, of which each
process makes connections of its own. The secret is among them; nothing prints it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ops.cli.progress import QuietReporter
from ops.no_studio import no_studio
from ops.runner.context import Context, MediaAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a repository is, who reads it, and where media are kept."""

    url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    repository: str
    actor: str
    cache_dir: Path | None = None

    def context(self) -> Context:
        """A context of this process's own; no request yet."""
        from importlib.metadata import version

        from ops.lake import LakeFS

        keys = (self.access_key_id, self.secret_access_key)
        return Context(
            lake=LakeFS(self.url, *keys, self.repository),
            studio=no_studio(),
            reporter=QuietReporter(),
            actor=self.actor,
            now=lambda: datetime.now(UTC),
            new_id=lambda: uuid4().hex,
            tool_version=version("labeling-ops"),
            media=MediaAccess(access_key_id=keys[0], secret_access_key=keys[1]),
            cache_dir=self.cache_dir,
        )


class Door:
    """A context for each process that comes through: connections do not survive a fork.

    Can be pickled; what is opened stays behind.
    """

    def __init__(self, open_context: Callable[[], Context]) -> None:
        """Open nothing yet."""
        self._open = open_context
        self._context: Context | None = None
        self._process = 0

    @property
    def context(self) -> Context:
        """This process's own."""
        if self._context is None or self._process != os.getpid():
            self._context, self._process = self._open(), os.getpid()
        return self._context

    def __getstate__(self) -> dict[str, object]:
        return {"_open": self._open, "_context": None, "_process": 0}
