"""What one command works with: its settings, its servers, its clock and where it narrates.

Owns the construction of the adapters, lazily, so that `ops --help` and wrong options cost nothing.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ops.cli.progress import reporter
from ops.errors import UsageError
from ops.settings import Named, Settings, load

if TYPE_CHECKING:
    from ops.bucket_port import Bucket
    from ops.in_place import LakeInPlace
    from ops.ports import Reporter, Studio
    from ops.runner.context import Context, MediaAccess
    from ops.studio import LabelStudio


@dataclass(kw_only=True)
class Session:
    """One run of one command."""

    as_json: bool = False
    quiet: bool = False
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: Path = field(default_factory=Path.cwd)
    _opened: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Let go of the connections this command opened."""
        self._opened.close()

    @cached_property
    def reporter(self) -> "Reporter":
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
            stack=_stack_settings,
        )

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def context(self) -> "Context":
        """What the runner works with: both servers as the settings name them; no request yet.

        Raises:
            ConfigurationError: an address or a credential is not set.
        """
        from ops.studio import LabelStudio

        need = self.settings.need
        lake, media = self._lake()
        studio = LabelStudio(need("label_studio.url"), need("label_studio.token"))
        return self.context_of(lake, studio, media=media)

    def lake_context(self) -> "Context":
        """The same for a verb that asks Label Studio nothing, where none may be set.

        Raises:
            ConfigurationError: lakeFS's address or a credential is not set.
        """
        from ops.no_studio import no_studio

        lake, media = self._lake()
        return self._context(lake, no_studio(), media=media)

    def _lake(self) -> "tuple[LakeInPlace, MediaAccess]":
        from ops.lake.in_place import LakeFSInPlace
        from ops.runner.context import MediaAccess

        need = self.settings.need
        url = need("lakefs.url")
        keys = (need("lakefs.access_key_id"), need("lakefs.secret_access_key"))
        lake = LakeFSInPlace(url, *keys, need("repository"))
        return lake, MediaAccess(access_key_id=keys[0], secret_access_key=keys[1])

    def context_of(
        self, lake: "LakeInPlace", studio: "LabelStudio", *, media: "MediaAccess | None" = None
    ) -> "Context":
        """The same with servers that somebody else names; Label Studio is closed in the end.

        Raises:
            ConfigurationError: nothing says who is named in commits.
        """
        self._opened.callback(studio.close)
        return self._context(lake, studio, media=media)

    def _context(
        self, lake: "LakeInPlace", studio: "Studio", *, media: "MediaAccess | None"
    ) -> "Context":
        from importlib.metadata import version

        from ops.runner.context import Context

        return Context(
            lake=lake,
            studio=studio,
            reporter=self.reporter,
            actor=self.settings.need("actor"),
            now=self.now,
            new_id=lambda: uuid4().hex,
            tool_version=version("labeling-ops"),
            media=media,
            overlap_s=int(self.settings.need("sync.overlap_s")),
            in_place=lake,
            open_bucket=_open_bucket,
            cache_dir=self.cache_dir,
            clip_path=self._clip_path,
        )

    @property
    def cache_dir(self) -> Path | None:
        """Where media once read are kept; None for a user without a home directory."""
        from ops.cache import default_directory

        if (stated := self.settings.find("cache_dir")) is not None:
            return self.directory / Path(stated).expanduser()
        try:
            return default_directory(os.environ, Path.home())
        except RuntimeError:
            # A container's user may have none.
            return None

    @property
    def _clip_path(self) -> Path | None:
        stated = self.settings.find("clip_path")
        return None if stated is None else self.directory / Path(stated).expanduser()

    def project_url(self, project: int | None) -> str:
        """Where a project is labeled."""
        return f"{self.settings.need('label_studio.url').rstrip('/')}/projects/{project}/data"

    def compare_url(self, branch: str) -> str:
        """Where a branch is compared with main, in the lakeFS UI."""
        place = f"{self.settings.need('lakefs.url').rstrip('/')}/repositories"
        return f"{place}/{self.settings.need('repository')}/compare?ref=main&compare={branch}"

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


def _open_bucket(name: str) -> "Bucket":
    """The bucket of a name; Google's library is imported when it is first asked."""
    from ops.bucket import GoogleBucket

    return GoogleBucket(name)


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


def _stack_settings(directory: Path) -> Named | None:
    """What is remembered of the stack in use, and what it is called; None where none is."""
    from ops.stack.file import read

    found = read(directory)
    return (found.source, found.settings) if found else None
