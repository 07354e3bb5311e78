"""Servers of a test's own, that may be killed: never those the session shares.

Owns starting, killing and starting again. Does not decide when.
"""

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

from ops.local import Connection, stack
from ops.local.home import Home, Service
from ops.local.loopback import is_free
from ops.local.processes import wait_gone
from ops.local.status import running_process
from tests.narration import Narration
from tests.real import SHARED, explicit_binary

_GONE_S = 20.0
_POLL_S = 0.02


class Servers:
    """Both servers, in a home of their own.

    Attributes:
        connection: how to reach them. Ports and credentials outlive a kill.
        kill_count: how many processes were killed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = Home.at(root)
        self._dead: SimpleQueue[Service | None] = SimpleQueue()
        self._up = threading.Event()
        self._mender = threading.Thread(target=self._mend, daemon=True)
        self._mishaps: list[BaseException] = []
        self.kill_count = 0
        self.connection = self._start()
        self._up.set()
        self._mender.start()

    def kill(self, service: Service) -> bool:
        """SIGKILL a server, which is started again at once; False if it is not there just now."""
        process = running_process(self._home, service)
        if process is None or not self._up.is_set():
            return False
        self._up.clear()
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        self.kill_count += 1
        self._dead.put(service)
        return True

    def wait(self) -> None:
        """Wait until both servers serve again."""
        assert self._up.wait(120), "the servers are not up again"
        assert not self._mishaps, self._mishaps

    def revive(self) -> None:
        """Start again what has ended by itself."""
        assert self._start() == self.connection, "the servers have moved"

    def close(self) -> None:
        """Stop both."""
        self._dead.put(None)
        self._mender.join()
        stack.down(self._root, Narration())

    def _mend(self) -> None:
        while (service := self._dead.get()) is not None:
            try:
                self._again(service)
            except BaseException as error:  # noqa: BLE001 - raised on the test's thread
                self._mishaps.append(error)
            self._up.set()

    def _again(self, service: Service) -> None:
        process = running_process(self._home, service)
        if process is not None:
            wait_gone(process, timeout_s=_GONE_S)
        url = {
            Service.LAKEFS: self.connection.lakefs_url,
            Service.LABEL_STUDIO: self.connection.label_studio_url,
        }[service]
        # A connection on its way out may have the port as its own for a moment.
        deadline = time.monotonic() + _GONE_S
        while not is_free(urlsplit(url).port or 0) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        connection = self._start()
        assert connection == self.connection, "the servers have moved"

    def _start(self) -> Connection:
        status = stack.up(self._root, Narration(), lakefs_binary=explicit_binary(), shared=SHARED)
        assert status.connection is not None
        return status.connection


@contextmanager
def own_servers(root: Path) -> Generator[Servers]:
    """Both servers, stopped in the end."""
    servers = Servers(root)
    try:
        yield servers
    finally:
        servers.close()
