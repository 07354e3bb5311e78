"""Finding or getting the lakeFS program.

Owns the order: explicit setting, PATH, obtained earlier, release download, build from the project's
own module; and what is said at each turn. Does not download (lakefs_release.py) or build
(lakefs_build.py) itself.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import ops
from ops.errors import ConfigurationError
from ops.local.home import Home, locked, make_private
from ops.local.lakefs import VERSION
from ops.local.lakefs_build import build
from ops.local.lakefs_release import RELEASES_URL, NoReleaseError, fetch_release
from ops.ports import Reporter

_NAME = "lakefs"
_HINT = (
    f"any one of: install lakefs {VERSION} on PATH; set OPS_LAKEFS_BINARY to a lakefs {VERSION};"
    " let this machine reach github.com; install Go and run ops from its source checkout"
)


def _checkout_recipe() -> Path:
    # tools/ is beside ops/ in the checkout, and not part of an installed wheel.
    return Path(ops.__file__).parents[1] / "tools" / _NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a program may come from.

    Attributes:
        search_path: directories of programs, as in $PATH; `go` is looked for there too.
        releases_url: below it are the published releases.
        recipe: the folder with the go.mod that builds it; it may not exist.
    """

    search_path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    releases_url: str = RELEASES_URL
    recipe: Path = field(default_factory=_checkout_recipe)


def find_binary(
    home: Home,
    reporter: Reporter,
    *,
    explicit: Path | None = None,
    sources: Sources | None = None,
) -> Path:
    """The lakeFS program of the right version, got if need be. Repeatable.

    Raises:
        ConfigurationError: the explicit one is not usable, the build fails, or there is no way to
            get one; the error says each way.
        InvalidDataError: a download is not what its release says it is.
    """
    sources = sources or Sources()
    present = present_binary(home, reporter, explicit=explicit, sources=sources)
    if present is not None:
        return present
    kept = _kept(home)
    make_private(home.binaries)
    with locked(home.binaries / ".lock"):
        # Whoever held the lock may have got it.
        if not _is_right(kept, reporter):
            _obtain(kept, home, sources, reporter)
    return kept


def present_binary(
    home: Home,
    reporter: Reporter,
    *,
    explicit: Path | None = None,
    sources: Sources | None = None,
) -> Path | None:
    """The lakeFS program of the right version, if one is on this machine already.

    Raises:
        ConfigurationError: the explicit one is not usable.
    """
    if explicit is not None:
        return _check_explicit(explicit)
    on_path = shutil.which(_NAME, path=(sources or Sources()).search_path)
    candidates = (_kept(home),) if on_path is None else (Path(on_path), _kept(home))
    return next((path for path in candidates if _is_right(path, reporter)), None)


def _kept(home: Home) -> Path:
    return home.binaries / f"{_NAME}-{VERSION}"


def _is_right(candidate: Path, reporter: Reporter) -> bool:
    found = program_version(candidate)
    if found == VERSION:
        return True
    if found is not None:
        reporter.note(f"lakeFS: {candidate} is version {found}, not {VERSION}; passed over")
    return False


def _obtain(target: Path, home: Home, sources: Sources, reporter: Reporter) -> None:
    try:
        fetch_release(target, reporter, releases_url=sources.releases_url)
    except NoReleaseError as error:
        reporter.note(f"lakeFS: no release download: {error.reason}")
        go = shutil.which("go", path=sources.search_path)
        if not (sources.recipe / "go.mod").exists():
            _nowhere(error.reason, "this ops is installed without its source checkout", error)
        if go is None:
            _nowhere(error.reason, "there is no Go on PATH", error)
        build(target, reporter, go=Path(go), recipe=sources.recipe, log=home.cache)
    if program_version(target) != VERSION:
        target.unlink(missing_ok=True)
        raise ConfigurationError(
            "lakefs-binary",
            f"the lakeFS program that was got does not run here or is not {VERSION}",
            unchanged="it was removed again; nothing was started",
            hint=_HINT,
        )


def _nowhere(no_release: str, no_build: str, cause: Exception) -> NoReturn:
    raise ConfigurationError(
        "lakefs-missing",
        f"lakeFS {VERSION} is not on this machine and cannot be got",
        where=(
            ("PATH", f"no lakefs {VERSION} there"),
            ("download", no_release),
            ("build", no_build),
        ),
        unchanged="nothing was started",
        hint=_HINT,
    ) from cause


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
        hint=f"name a lakefs {VERSION}, or leave the setting out to have one found",
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
