"""Finding or getting the lakeFS program.

Owns the order: explicit setting, PATH, obtained earlier, release download, build from the project's
own module, and what is said at each turn. Does not download or build itself.
"""

import re
import shutil
import subprocess
from pathlib import Path

from ops.errors import ConfigurationError
from ops.local.home import Home
from ops.local.lakefs import VERSION
from ops.ports import Reporter

_NAME = "lakefs"


def find_binary(home: Home, reporter: Reporter, *, explicit: Path | None = None) -> Path:
    """The lakeFS program of the right version, got if need be. Repeatable.

    Raises:
        ConfigurationError: the explicit one is not usable, or there is no way to get one.
    """
    if explicit is not None:
        return _check_explicit(explicit)
    kept = home.binaries / f"{_NAME}-{VERSION}"
    for candidate in (shutil.which(_NAME), kept):
        if candidate is None:
            continue
        found = program_version(Path(candidate))
        if found == VERSION:
            return Path(candidate)
        if found is not None:
            reporter.note(f"lakeFS: {candidate} is version {found}, not {VERSION}; passed over")
    raise ConfigurationError(
        "lakefs-missing",
        f"there is no lakeFS {VERSION} on this machine",
        unchanged="nothing was started",
        hint=f"put lakefs {VERSION} on PATH, or: ops local up --lakefs-binary FILE",
    )


def _check_explicit(path: Path) -> Path:
    found = program_version(path)
    if found == VERSION:
        return path.absolute()
    what = "is no lakeFS program" if found is None else f"is lakeFS {found}, not {VERSION}"
    raise ConfigurationError(
        "lakefs-binary",
        f"{path} {what}",
        subject=str(path),
        unchanged="nothing was started",
        hint=f"name a lakeFS {VERSION} program, or leave the setting out",
    )


def program_version(path: Path) -> str | None:
    """What `lakefs --version` says, as `1.84.0`; None where that is no such program."""
    try:
        shown = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"lakefs version (\S+)", shown.stdout)
    return match.group(1) if match and shown.returncode == 0 else None
