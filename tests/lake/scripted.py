"""A web server that answers as it is told: refusals, a proxy's pages, broken connections."""

import socket
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ops.lake import LakeFS

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        status: its status.
        body: its body.
        headers: besides the length.
        withheld_bytes: how much of the promised length is never sent.
        is_last: the connection is closed after it, without a word before.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    withheld_bytes: int = 0
    is_last: bool = False


def said(status: int, message: str) -> Answer:
    """A refusal in lakeFS's form."""
    return Answer(status=status, body=b'{"message":"' + message.encode() + b'"}\n')


HANG_UP = Answer(status=0)
"""The connection is closed without an answer."""

COMMIT = Answer(
    body=b'{"id":"c1","parents":[],"message":"m","committer":"ops","creation_date":1,"metadata":{}}'
)
"""An answer to commit_facts."""


class Scripted:
    """What a server is to answer, what it was asked over which connections, which it closed.

    Its `headers` are those of each request.
    """

    def __init__(self, script: Sequence[Answer], before: Callable[[], object]) -> None:
        """Answer in the script's order; its last answer serves for ever."""
        self.asked: list[str] = []
        self.headers: list[Message] = []
        self.closed = threading.Semaphore(0)
        self.connections: set[object] = set()
        self._script = list(script)
        self._before = before
        self._lock = threading.Lock()
        self.port = 0

    def next_answer(self, method: str, path: str) -> Answer:
        """Note the request and give what is to be answered."""
        self._before()
        with self._lock:
            self.asked.append(f"{method} {path.partition('?')[0]}")
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def lake(self, *, tries: int = 3, timeout_s: float = 5.0, concurrency: int = 32) -> LakeFS:
        """A client of this server."""
        return LakeFS(
            f"http://127.0.0.1:{self.port}",
            "id",
            "secret",
            "labels",
            tries=tries,
            timeout_s=timeout_s,
            concurrency=concurrency,
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # A client's connections come all at once.
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        closed: threading.Semaphore,
    ) -> None:
        super().__init__(address, handler)
        self._closed = closed

    def close_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection and say so."""
        super().close_request(request)
        self._closed.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no failure of a test."""


@contextmanager
def serving(*script: Answer, before: Callable[[], object] = lambda: None) -> Generator[Scripted]:
    """Serve a script on a free port; `before` runs within each request, on its own thread."""
    scripted = Scripted(script, before)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer goes out at once, not when the client has acknowledged its headers.
        wbufsize = -1

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            scripted.connections.add(self.client_address)
            scripted.headers.append(self.headers)
            answer = scripted.next_answer(self.command, self.path)
            if answer is HANG_UP:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.withheld_bytes))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.withheld_bytes or answer.is_last:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - as http.server names them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler, scripted.closed)
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
