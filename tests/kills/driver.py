"""Runs `ops` through the proxy while something happens to it, and again until it is done.

Owns the process, and the contract of exit codes that say "run me again". Does not know the story.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ops.local import Connection
from tests.command import Answer, Ops
from tests.proxy import Fate, Limits, Plan, Proxy, Seen

LAKEFS, LABEL_STUDIO = "lakefs", "label-studio"
AGAIN = frozenset({7, 10})
"""Exit codes that say that the same command is safe to run again, and will go on."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A request of a command, counted over both servers, and on which side of it to strike."""

    number: int
    after: bool

    @property
    def fate(self) -> Fate:
        """What the proxy is to do with the request."""
        return Fate.STRIKE_AFTER if self.after else Fate.STRIKE_BEFORE

    def plan(self, seen: Seen) -> Fate:
        """The proxy's plan."""
        return self.fate if seen.number == self.number else Fate.THROUGH

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} request {self.number}"


@contextmanager
def proxied(servers: Connection, limits: Limits | None = None) -> Generator[Proxy]:
    """A proxy in front of both servers."""
    urls = {LAKEFS: servers.lakefs_url, LABEL_STUDIO: servers.label_studio_url}
    with Proxy(urls, limits=limits) as proxy:
        yield proxy


class Driver:
    """The commands of one person, through a proxy."""

    def __init__(self, ops: Ops, proxy: Proxy, *, patience_s: float = 180.0) -> None:
        """Point the commands at the proxy; one that takes longer than the patience has failed."""
        self.proxy = proxy
        self._patience_s = patience_s
        self._directory = ops.directory
        self._environment: Mapping[str, str] = {
            **ops.environment,
            "OPS_LAKEFS_URL": proxy.urls[LAKEFS],
            "OPS_LABEL_STUDIO_URL": proxy.urls[LABEL_STUDIO],
        }
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: Sequence[str]) -> Answer:
        """Run a command through the proxy as it is set up, and give what it said."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ops", *arguments, "--json"],
            cwd=self._directory,
            env=dict(self._environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            stdout, stderr = self._process.communicate(timeout=self._patience_s)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{' '.join(arguments)} is not over: {error}") from error
        finally:
            self._process.kill()
            self._process.wait()
        return Answer(exit_code=self._process.returncode, stdout=stdout, stderr=stderr)

    def kill(self) -> None:
        """SIGKILL the command that runs."""
        assert self._process is not None
        self._process.kill()

    def killed_at(self, point: Point, arguments: Sequence[str]) -> bool:
        """Run a command and kill it at a point; False if it was over before.

        What was on its way is answered when this returns.
        """
        self.proxy.plan(point.plan, self.kill)
        answer = self.run(arguments)
        self.proxy.drain()
        assert answer.exit_code in {0, -signal.SIGKILL}, answer.stdout + answer.stderr
        return answer.exit_code != 0

    def undisturbed(self, arguments: Sequence[str]) -> Answer:
        """Run a command with nothing going wrong: it must succeed."""
        self.proxy.plan()
        answer = self.run(arguments)
        assert answer.exit_code == 0, answer.stdout + answer.stderr
        return answer

    def until_done(
        self,
        arguments: Sequence[str],
        plan: Plan,
        *,
        strike: Callable[[], None] | None = None,
        mend: Callable[[], None] | None = None,
        most: int = 25,
    ) -> int:
        """Run a command again as long as it says that this will help; give how often it ran.

        Args:
            arguments: the command.
            plan: what happens to its requests, counted over all runs.
            strike: what a strike of the plan does.
            mend: called after each run.
            most: it must be done after so many runs.
        """
        self.proxy.plan(plan, strike)
        for count in range(1, most + 1):
            answer = self.run(arguments)
            self.proxy.drain()
            if mend is not None:
                mend()
            if answer.exit_code == 0:
                return count
            assert answer.exit_code in AGAIN, answer.stdout + answer.stderr
        raise AssertionError(f"{' '.join(arguments)} is not done after {most} runs")
