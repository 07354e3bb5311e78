"""Debian's chromium, driven through a pipe: no driver, no port, nothing to install."""

import base64
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from typing import Any

import pytest

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--window-size=1400,900",
)
_PAUSE_S = 0.2


class Page:
    """One page, spoken to in Chrome's own protocol: JSON, each message closed by a zero byte."""

    def __init__(self, write: RawIOBase, read: RawIOBase) -> None:
        """Open a blank page."""
        self._write, self._read = write, read
        self._count, self._rest, self._session = 0, b"", ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def send(self, method: str, **parameters: object) -> Mapping[str, Any]:
        """Send one command and give its result; what the page says meanwhile is passed over."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self) -> Mapping[str, Any]:
        while b"\0" not in self._rest:
            more = self._read.read(65536)
            assert more, "chromium is gone"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url: str, cookies: Mapping[str, str]) -> None:
        """Go to an address with these cookies."""
        for name, value in cookies.items():
            self.send("Network.setCookie", name=name, value=value, url=url)
        self.send("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """What a script gives; it must be a JSON value."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str, *, timeout_s: float = 60) -> None:
        """Wait until a script gives something true; it may not throw."""
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, f"in {timeout_s} s this did not come: {condition}"
            time.sleep(_PAUSE_S)

    def screenshot(self) -> bytes:
        """The page as it is seen, a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])


@contextmanager
def open_page() -> Generator[Page]:
    """A page of a chromium of its own; skips, loudly, where there is none, but never in CI."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("NO BROWSER, though this is CI: .ci/run installs chromium")
        pytest.skip("NO BROWSER: chromium is not installed; apt-get install chromium")
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        os.fdopen(to_browser, "wb", 0) as write,
        os.fdopen(from_browser, "rb", 0) as read,
    ):
        process = _start(program, profile, commands, answers)
        try:
            yield Page(write, read)
        finally:
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)


def _start(program: str, profile: str, commands: int, answers: int) -> int:
    """Start the browser and give its process id; it owns its ends of the pipes then."""
    null = os.devnull
    # Chrome reads commands from descriptor 3 and answers on 4, which may be ours for other things.
    sources = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (commands, answers)]
    process = os.posix_spawn(
        program,
        [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, sources[0], 3),
            (os.POSIX_SPAWN_DUP2, sources[1], 4),
        ],
    )
    for descriptor in (commands, answers, *sources):
        os.close(descriptor)
    return process
