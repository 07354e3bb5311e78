"""Processes that outlive the command which started them, and are never mistaken for others.

Owns what identifies a process: its pid together with when it started, for a pid alone is given out
again. Does not know what the processes are.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ConfigurationError, UnavailableError

_POLL_S = 0.05
_KILL_S = 10
_PROC_SELF = Path("/proc/self/stat")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Fields of /proc/<pid>/stat after the command's closing bracket: state is the first, start time
# (clock ticks since boot) the twentieth.
_STATE_FIELD = 0
_START_FIELD = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that was started here.

    `started` is an opaque mark that no other process of this pid has.
    """

    pid: int
    started: str


def start_mark(pid: int) -> str | None:
    """What tells this process from any other that had or will have its pid; None if none lives.

    A zombie counts as dead: it does nothing any more and waits only for its parent.
    """
    if _PROC_SELF.exists():
        return proc_mark(pid)
    return ps_mark(pid)


def proc_mark(pid: int) -> str | None:
    """The mark from /proc: which boot, and how many clock ticks after it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command may hold spaces and brackets; what follows its last bracket does not.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in {"Z", "X"}:
        return None
    boot = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
    return f"{boot}:{fields[_START_FIELD]}"


def ps_mark(pid: int) -> str | None:
    """The mark from `ps`, where there is no /proc (macOS): to the second. One process is run."""
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def is_alive(process: Process) -> bool:
    """Say whether this very process still runs."""
    return start_mark(process.pid) == process.started


def write_record(path: Path, process: Process) -> None:
    """Note a process in a file, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{process.pid}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"pid": process.pid, "started": process.started}, file)
    temporary.replace(path)


def read_record(path: Path) -> Process | None:
    """The process noted in a file; None where there is no such file or it says nothing usable."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Process(pid=int(record["pid"]), started=str(record["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def start(
    command: Sequence[str],
    *,
    record: Path,
    log: Path,
    directory: Path,
    environment: Mapping[str, str],
) -> Process:
    """Start a process that survives this one, and give it.

    It gets a session of its own, no input, `log` for everything it prints, and `environment` as it
    is. It is in `record` before the program runs, so a crash here leaves no process unknown.

    Raises:
        ConfigurationError: the program cannot be run.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ops.local.detach", record, log, directory, *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    process = read_record(record) if done.returncode == 0 else None
    if process is None:
        raise ConfigurationError(
            "cannot-start",
            f"cannot run {command[0]}",
            subject=str(command[0]),
            where=tuple(("said", line) for line in done.stderr.strip().splitlines()[-1:]),
            unchanged="nothing was started",
            hint="check that the file is there and may be run, then: ops local up",
        )
    return process


def stop(process: Process, *, grace_s: float) -> bool:
    """End this very process, politely and then not; False if it was gone already.

    Repeatable. Waits at most `grace_s` seconds after SIGTERM and ten more after SIGKILL.

    Raises:
        UnavailableError: it is there even then.
    """
    if not _signal(process, signal.SIGTERM):
        return False
    if not wait_gone(process, timeout_s=grace_s):
        _signal(process, signal.SIGKILL)
        if not wait_gone(process, timeout_s=_KILL_S):
            raise UnavailableError(
                "cannot-stop",
                f"process {process.pid} does not end",
                unchanged="it is still remembered as running",
                hint="wait for the disk it may be waiting for, then: ops local down",
            )
    return True


def _signal(process: Process, number: signal.Signals) -> bool:
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(process: Process, *, timeout_s: float) -> bool:
    """Wait until the process has ended; False if it has not by then."""
    deadline = time.monotonic() + timeout_s
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return True
