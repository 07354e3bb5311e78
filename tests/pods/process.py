"""Child processes of a test: their log, what they answer, their end.

Owns starting, awaiting and stopping by handle. Does not know what the processes are.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_POLL_S = 0.05
_LOG_LINES = 40
_LINE_LENGTH = 400

PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ")
"""What a process gets of this one's environment; all else is said for it."""


class EndedError(AssertionError):
    """A process ended that was to serve, or did not serve in time; says its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A process that ran to its end. `said` is both streams."""

    code: int
    said: str


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment a process sees: `environment` and the little this machine must add."""
    own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**own, "PATH": os.environ.get("PATH", os.defpath), **environment}


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    said: bytes = b"",
    timeout_s: float = 900,
) -> Finished:
    """Run a program to its end, `said` on its standard input, without a terminal."""
    process = subprocess.Popen(
        command,
        env=surroundings(environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(said, timeout=timeout_s)
    except BaseException:
        # With what it started: its session is its own, and it is not yet waited for.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return Finished(code=process.returncode, said=output.decode(errors="replace"))


@dataclass(slots=True, kw_only=True)
class Server:
    """A program that serves until it is stopped.

    Attributes:
        name: what failures call it.
        command: the program and its arguments.
        environment: all it sees, with `surroundings`.
        directory: where it runs; its log is `<name>.log` there.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / f"{self.name}.log"

    def start(self, is_ready: Callable[[], bool], *, timeout_s: float = 300) -> None:
        """Start it and wait until `is_ready`.

        Raises:
            EndedError: it ended before, or is not ready in time.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=surroundings(self.environment),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self._process.poll() is not None:
                raise EndedError(f"{self.name} ended {self._process.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise EndedError(f"{self.name} is not ready in {timeout_s} s\n{self.tail()}")
            time.sleep(_POLL_S)

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, *, grace_s: float = 20) -> None:
        """End it, politely and then not. Repeatable."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            # Its session is its own, so nobody else is in the group; it still holds the number.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def tail(self) -> str:
        """Its last words."""
        return tail(self.log)


def tail(log: Path) -> str:
    """The last lines of a log, each cut to a readable length."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join(line[:_LINE_LENGTH] for line in lines)


@contextlib.contextmanager
def serving(server: Server, is_ready: Callable[[], bool]) -> Generator[Server]:
    """A server for the length of a block."""
    try:
        server.start(is_ready)
        yield server
    finally:
        server.stop()
