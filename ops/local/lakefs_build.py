"""Building lakeFS from its Go module, pinned by the project's own go.mod and go.sum.

Owns the go commands and their progress. A lakeFS built so has no web pages: `/` shows a
placeholder; the API, the S3 gateway and the hooks are complete.
"""

import os
import subprocess
import tempfile
from collections import deque
from pathlib import Path

from ops.errors import ConfigurationError
from ops.local.home import make_private
from ops.local.lakefs import VERSION
from ops.ports import Phase, Reporter

_MODULE = "github.com/treeverse/lakefs"
_PROGRAM = f"{_MODULE}/cmd/lakefs"
_TOLD_LINES = 3


def build(target: Path, reporter: Reporter, *, go: Path, recipe: Path, log: Path) -> None:
    """Put the built program at `target`, whole or not at all.

    The first time some 2 GB of modules are fetched and about four CPU-minutes pass. What go says
    is kept in `lakefs-build.log` in the directory `log`.

    Raises:
        ConfigurationError: go fails.
    """
    log_file = make_private(log) / "lakefs-build.log"
    log_file.unlink(missing_ok=True)
    reporter.note("lakeFS: building it from its Go module: about 3 minutes, once")
    with reporter.phase("lakeFS: fetching modules") as phase:
        packages = _go([go, "list", "-mod=readonly", "-deps", _PROGRAM], recipe, log_file, phase)
    unfinished = target.with_name(f".{target.name}.new")
    flags = ["-mod=readonly", "-trimpath", "-v"]
    linker = f"-s -w -X {_MODULE}/pkg/version.Version={VERSION}"
    # -v names each package once it is compiled; those of Go's cache are not named.
    with reporter.phase("lakeFS: compiling packages", len(packages)) as phase:
        command = [go, "build", *flags, "-ldflags", linker, "-o", unfinished, _PROGRAM]
        _go(command, recipe, log_file, phase)
    unfinished.replace(target)
    reporter.note("lakeFS: built without its web pages; its API, S3 gateway and hooks are whole")


def _go(command: list[str | Path], recipe: Path, log_file: Path, phase: Phase) -> list[str]:
    """Run one go command and give its output lines; each line of its narration is one unit.

    Raises:
        ConfigurationError: it fails.
    """
    last_said: deque[str] = deque(maxlen=_TOLD_LINES)
    with (
        log_file.open("a", encoding="utf-8") as log,
        # A file, because nobody reads it while the narration is read.
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen(
            command,
            cwd=recipe,
            # As lakeFS's own releases are built; a C compiler is neither needed nor asked.
            env={**os.environ, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        for line in process.stderr or ():
            log.write(line)
            last_said.append(line.strip())
            phase.advance()
        process.wait()
        output.seek(0)
        lines = output.read().splitlines()
    if process.returncode != 0:
        raise ConfigurationError(
            "lakefs-build",
            "lakeFS could not be built",
            subject=str(recipe),
            where=(("log", str(log_file)), *(("said", line) for line in last_said)),
            unchanged="nothing was started",
            hint="mend what go said and run ops local up again; or set OPS_LAKEFS_BINARY",
        )
    return lines
