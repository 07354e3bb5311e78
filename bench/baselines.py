"""Other places to keep the same files in versions, each driven by its own command line.

Each is started with a local remote and then given the files of a version; putting them includes the
commit and the
push. Tools are looked for on PATH, DVC also in `.ops/bench/dvc` (make bench puts it there).
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from ops.local import connection

_DVC = Path(".ops") / "bench" / "dvc" / "bin" / "dvc"
_HOME = Path(".ops") / "bench"


class Place(Protocol):
    """Somewhere files are kept in versions."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Make these files a new version, pushed."""
        ...


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One tool: why it is not there, and how it starts."""

    missing: Callable[[], str | None]
    start: Callable[[Path], Place]


def _run(directory: Path, *command: str, **environment: str) -> None:
    subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that differ, as an editor would."""
    for path, data in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != data:
            target.write_bytes(data)


class Git:
    """Plain git, or git-lfs, pushing to a bare repository beside it."""

    def __init__(self, directory: Path, *, lfs: bool) -> None:
        self._work = directory / "work"
        remote = directory / "remote.git"
        _run(directory, "git", "init", "--bare", str(remote))
        _run(directory, "git", "init", "-b", "main", str(self._work))
        for name, value in (("user.email", "bench@example.org"), ("user.name", "bench")):
            _run(self._work, "git", "config", name, value)
        _run(self._work, "git", "remote", "add", "origin", remote.absolute().as_uri())
        if lfs:
            _run(self._work, "git", "lfs", "install", "--local")
            _run(self._work, "git", "lfs", "track", "*.json")

    def put(self, files: Mapping[str, bytes]) -> None:
        """Add, commit, push."""
        _write(self._work, files)
        _run(self._work, "git", "add", "-A")
        _run(self._work, "git", "commit", "-m", "version")
        _run(self._work, "git", "push", "origin", "main")


class Dvc:
    """DVC: `dvc add` of the folder, `dvc push` to a folder."""

    def __init__(self, directory: Path, *, folder: str = "annotations") -> None:
        self._work = directory / "work"
        self._work.mkdir()
        self._folder = folder
        self._dvc = str(_find_dvc())
        self._environment = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(directory / "site")}
        _run(self._work, "git", "init")
        self._do("init")
        self._do("remote", "add", "-d", "store", str(directory / "store"))

    def put(self, files: Mapping[str, bytes]) -> None:
        """Add and push."""
        self._add(files)
        self._do("push")

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Add and commit, without a push: so that it can be compared with another version."""
        self._add(files)
        _run(self._work, "git", "add", "-A")
        who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
        _run(self._work, "git", *who, "commit", "-m", "version")

    def compare(self) -> None:
        """Say which files differ between the last two versions that were kept."""
        self._do("diff", "HEAD~1", "HEAD")

    def pull(self, directory: Path, *, new: bool = False) -> None:
        """Bring the files into a directory: with `new` as somebody does who has nothing of them."""
        if new:
            shutil.copytree(
                self._work, directory, ignore=shutil.ignore_patterns("cache", "tmp", self._folder)
            )
        _run(directory, self._dvc, "pull", **self._environment)

    def _add(self, files: Mapping[str, bytes]) -> None:
        _write(self._work, files)
        self._do("add", self._folder)

    def _do(self, *arguments: str) -> None:
        _run(self._work, self._dvc, *arguments, **self._environment)


class Lakectl:
    """lakeFS's own command line: upload of the folder to a branch, and a commit."""

    def __init__(self, directory: Path) -> None:
        self._work = directory / "work"
        self._work.mkdir()
        stack = connection(_HOME)
        assert stack is not None, "the benchmark started it"
        self._environment = {
            "HOME": str(directory),
            "LAKECTL_SERVER_ENDPOINT_URL": stack.lakefs_url,
            "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": stack.lakefs_access_key_id,
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": stack.lakefs_secret_access_key,
        }
        self._branch = f"lakefs://bench-lakectl-{uuid4().hex[:8]}"
        space = self._branch.replace("lakefs://", "local://")
        self._do("repo", "create", self._branch, space)
        self._branch += "/main"
        self._before: dict[str, bytes] = {}

    def put(self, files: Mapping[str, bytes]) -> None:
        """Upload what changed (it cannot tell by itself) and commit."""
        changed = {p: data for p, data in files.items() if self._before.get(p) != data}
        shutil.rmtree(self._work / "annotations", ignore_errors=True)
        _write(self._work, changed)
        self._before = dict(files)
        source, target = f"{self._work}/annotations/", f"{self._branch}/annotations/"
        self._do("fs", "upload", "-r", "-s", source, target)
        self._do("commit", self._branch, "-m", "version")

    def _do(self, *arguments: str) -> None:
        _run(self._work, _find_lakectl() or "lakectl", *arguments, **self._environment)


def _find_lakectl() -> str | None:
    return os.environ.get("OPS_BENCH_LAKECTL") or shutil.which("lakectl")


def _find_dvc() -> Path | None:
    found = shutil.which("dvc")
    return Path(found) if found else _DVC.absolute() if _DVC.exists() else None


def _unless(is_there: object, remedy: str) -> str | None:
    return None if is_there else remedy


def _has_lfs() -> bool:
    return shutil.which("git-lfs") is not None


BASELINES: Mapping[str, Baseline] = {
    "dvc": Baseline(missing=lambda: _unless(_find_dvc(), "no dvc: make bench"), start=Dvc),
    "lakectl": Baseline(
        missing=lambda: _unless(_find_lakectl(), "no lakectl on PATH or in OPS_BENCH_LAKECTL"),
        start=Lakectl,
    ),
    "git-lfs": Baseline(
        missing=lambda: _unless(_has_lfs(), "no git-lfs on PATH"),
        start=lambda directory: Git(directory, lfs=True),
    ),
    "git": Baseline(
        missing=lambda: _unless(shutil.which("git"), "no git"),
        start=lambda directory: Git(directory, lfs=False),
    ),
}
