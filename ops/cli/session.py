"""What one command works with: its settings, its servers, its clock and where it narrates.

Owns the construction of the adapters, lazily, so that `ops --help` and wrong options cost nothing.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from ops.cli.progress import reporter
from ops.errors import UsageError
from ops.ports import Reporter
from ops.settings import Settings, load


@dataclass(kw_only=True)
class Session:
    """One run of one command."""

    as_json: bool = False
    quiet: bool = False
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: Path = field(default_factory=Path.cwd)

    @cached_property
    def reporter(self) -> Reporter:
        """Where this command narrates: stderr, or nowhere with --json or --quiet."""
        return reporter(sys.stderr, quiet=self.quiet or self.as_json)

    @cached_property
    def settings(self) -> Settings:
        """The settings; raises ConfigurationError as ops.settings.load does."""
        return load(
            flags=self.flags,
            environment=os.environ,
            directory=self.directory,
            local=_local_settings,
        )

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be taken back.

        Raises:
            UsageError: there is no terminal to ask on and `--yes` was not given, or the answer was
                no.
        """
        if yes:
            return
        if not sys.stdin.isatty() or self.as_json:
            raise UsageError(
                "needs-yes",
                f"{question} nobody is there to answer",
                unchanged="nothing was changed",
                hint="repeat the command with --yes",
            )
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise UsageError(
                "answered-no",
                "the answer was no",
                unchanged="nothing was changed",
                hint="repeat the command when it should be done",
            )


def _local_settings(home: Path) -> Mapping[str, str]:
    """What the local stack below `home` knows, by setting name; empty where there is none."""
    from ops.local import connection

    stack = connection(home)
    if stack is None:
        return {}
    return {
        "lakefs.url": stack.lakefs_url,
        "lakefs.access_key_id": stack.lakefs_access_key_id,
        "lakefs.secret_access_key": stack.lakefs_secret_access_key,
        "label_studio.url": stack.label_studio_url,
        "label_studio.token": stack.label_studio_token,
    }
