"""Other people's programs in an environment of their own, for tests that need the real thing.

Owns where the environment of tools/readers is kept between runs: in the person's cache directory,
by the digest of its lock. Its libraries cannot live beside ours.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tree import ROOT
from tests.wanted import missing

_RECIPE = ROOT / "tools" / "readers"


def readers_python() -> Path:
    """The environment's Python, made unless it was before: half a gigabyte, once.

    Skips where uv is not to be had, and fails there under CI.
    """
    digest = hashlib.sha256((_RECIPE / "uv.lock").read_bytes() + sys.version.encode())
    kept = _cache() / f"readers-{digest.hexdigest()[:12]}"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / "done").exists():
            _sync(kept / "venv")
            (kept / "done").touch()
    return kept / "venv" / "bin" / "python"


def _cache() -> Path:
    stated = os.environ.get("XDG_CACHE_HOME")
    return (Path(stated) if stated else Path.home() / ".cache") / "labeling-ops"


def _sync(environment: Path) -> None:
    beside = ROOT / ".venv-tools" / "bin" / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        missing("NO UV: the readers' environment cannot be made; pip install uv")
    subprocess.run(
        [uv, "sync", "--frozen", "--quiet", "--python", sys.executable],
        cwd=_RECIPE,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)},
        check=True,
    )
