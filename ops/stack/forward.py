"""`kubectl port-forward` to a stack's servers, for as long as it is wanted.

Owns the processes of kubectl: started here, begun again where a pod is replaced, and ended with
whoever started them. Does not know what is read through them.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from ops.errors import RefusedError, UnavailableError
from ops.local.home import Service
from ops.local.loopback import HOST, Client, is_free
from ops.stack.use import FORWARDED_PORTS, forwarded_url

_REMOTE_PORTS = {Service.LABEL_STUDIO: 8080, Service.LAKEFS: 8000}
_HEALTH = {Service.LABEL_STUDIO: "/health", Service.LAKEFS: "/_health"}
_OK = 200
_READY_S = 60.0
_POLL_S = 0.25
_ANSWER_S = 5.0
_GRACE_S = 5.0
_LOOK_EVERY_S = 5.0
_CUTS = 3
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the Services are: as kubectl takes it."""

    kubeconfig: Path
    namespace: str


@dataclass(kw_only=True)
class _Forward:
    """One kubectl, and what it has said on stderr."""

    service: Service
    cluster: Cluster
    process: subprocess.Popen[bytes] = field(init=False)
    _said: IO[bytes] = field(init=False)

    def start(self) -> None:
        # A file, not a pipe: kubectl says something of each connection that breaks, for days.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        self.process = subprocess.Popen(
            [
                *("kubectl", "--kubeconfig", self.cluster.kubeconfig),
                *("--namespace", self.cluster.namespace),
                *("port-forward", "--address", HOST, f"service/{self.service.value}"),
                f"{FORWARDED_PORTS[self.service]}:{_REMOTE_PORTS[self.service]}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def answers(self) -> bool:
        client = Client(forwarded_url(self.service), timeout_s=_ANSWER_S)
        return client.get(_HEALTH[self.service]).status == _OK

    @property
    def is_cut_off(self) -> bool:
        """Whether kubectl lives and leads nowhere; a server that is slow to answer is not that."""
        for _ in range(_CUTS):
            began = time.monotonic()
            if self.answers or time.monotonic() - began > _ANSWER_S / 2:
                return False
        return True

    def last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing"

    def end(self) -> None:
        """End kubectl, politely and then not."""
        self.process.terminate()
        try:
            self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()


def check_ports(services: Sequence[Service]) -> None:
    """Make sure that nobody listens where the servers are to be.

    Raises:
        RefusedError: somebody does.
    """
    for service in services:
        port = FORWARDED_PORTS[service]
        if not is_free(port):
            raise RefusedError(
                "port-taken",
                f"port {port} of this machine, where {service.display_name} is to be, is taken",
                subject=str(port),
                unchanged="nothing was started",
                hint="if another terminal forwards already, work on: ops doctor\n"
                f"else see who listens there, and end it: ss -ltnp 'sport = :{port}'",
            )


@contextmanager
def forwarded(cluster: Cluster, services: Sequence[Service]) -> Generator["Forwards"]:
    """Forward to these servers until the block is left; within it, all of them answer.

    Raises:
        RefusedError: a port is taken.
        UnavailableError: kubectl gives up, or a server does not answer within a minute.
    """
    check_ports(services)
    forwards = Forwards([_Forward(service=one, cluster=cluster) for one in services])
    try:
        forwards.start()
        yield forwards
    finally:
        forwards.end()


class Forwards:
    """Forwards that run."""

    def __init__(self, forwards: Sequence[_Forward]) -> None:
        self._forwards = forwards
        self._started: list[_Forward] = []

    def start(self) -> None:
        """Start all, and wait until all servers answer.

        Raises:
            UnavailableError: as `forwarded`.
        """
        for one in self._forwards:
            one.start()
            self._started.append(one)
        for one in self._forwards:
            _await(one)

    def end(self) -> None:
        """End those that were started."""
        while self._started:
            self._started.pop().end()

    def keep(self, note: Callable[[str], None]) -> NoReturn:
        """Begin again what breaks off, as when a pod is replaced; until an exception comes.

        Raises:
            UnavailableError: one does not come back within a minute.
        """
        look_at = time.monotonic() + _LOOK_EVERY_S
        while True:
            is_due = time.monotonic() >= look_at
            if is_due:
                look_at = time.monotonic() + _LOOK_EVERY_S
            for one in self._forwards:
                if one.has_ended or (is_due and one.is_cut_off):
                    note(f"{one.service.display_name}: the connection was lost; making it again")
                    self._begin_again(one)
                    note(f"{one.service.display_name}: there again")
            time.sleep(_POLL_S)

    def _begin_again(self, one: _Forward) -> None:
        deadline = time.monotonic() + _READY_S
        for pause_s in _pauses():
            one.end()
            one.start()
            try:
                _await(one)
            except UnavailableError:
                if time.monotonic() + pause_s > deadline:
                    raise
                time.sleep(pause_s)
            else:
                return


def _pauses() -> Iterator[float]:
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _await(one: _Forward) -> None:
    """Wait until the server answers through it.

    Raises:
        UnavailableError: kubectl ends, or the server does not answer in time.
    """
    name, deadline = one.service.display_name, time.monotonic() + _READY_S
    while not one.answers:
        if one.has_ended:
            raise UnavailableError(
                "forward-failed",
                f"kubectl does not forward to {name}",
                subject=one.service.value,
                where=(("kubectl says", one.last_words()),),
                unchanged="nothing is forwarded any more",
                hint=f"see what runs: kubectl --kubeconfig {one.cluster.kubeconfig} --namespace "
                f"{one.cluster.namespace} get pods\nthen run the same command again",
            )
        if time.monotonic() > deadline:
            raise UnavailableError(
                "forward-silent",
                f"{name} does not answer through the forward within {_READY_S:.0f} s",
                subject=one.service.value,
                unchanged="nothing is forwarded any more",
                hint=f"see why: kubectl --kubeconfig {one.cluster.kubeconfig} --namespace "
                f"{one.cluster.namespace} logs deployment/{one.service.value}",
            )
        time.sleep(_POLL_S)
