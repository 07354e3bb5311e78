"""A server on the loopback that answers as it is told, for what no healthy Label Studio does."""

import base64
import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ops.errors import OpsError
from ops.studio import LabelStudio

LEGACY = "0123abcd"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to answer. `hang_up`: nothing, and close; `silent`: nothing until the server ends."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hang_up: bool = False
    silent: bool = False


class Connect(Protocol):
    """Makes a client that is closed at the test's end."""

    def __call__(
        self, url: str, token: str = ..., on_request: Callable[[str, str], None] | None = ...
    ) -> LabelStudio:
        """Make one."""
        ...


HANG_UP = Answer(hang_up=True)
SILENCE = Answer(silent=True)
PAGE = Answer(body=b"<!doctype html><p>Hello", content_type="text/html; charset=utf-8")


def said(value: object, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON."""
    return Answer(status=status, body=json.dumps(value).encode(), headers=headers or {})


def token(kind: str, *, lifetime_s: float = 300, issued_at: float = 4_000_000_000) -> str:
    """A JWT that says what Label Studio's say; of no valid signature."""
    claims = {"token_type": kind, "iat": issued_at, "exp": issued_at + lifetime_s}
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".s"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any


@dataclass(kw_only=True)
class Script:
    """What is to be answered, by method and path, in turn; the last one again and again."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict[str, list[Answer]])
    seen: list[Seen] = field(default_factory=list[Seen])
    over: threading.Event = field(default_factory=threading.Event)

    def on(self, request: str, *answers: Answer) -> None:
        """Set what `request`, as `GET /api/users/`, is answered."""
        self.answers[request] = list(answers)

    def next(self, request: str) -> Answer:
        """Take the next answer."""
        left = self.answers.get(request, [said({"detail": "not scripted"}, 404)])
        return left.pop(0) if len(left) > 1 else left[0]

    def requests(self) -> list[str]:
        """What came in, as `GET /api/users/`."""
        return [f"{seen.method} {seen.path}" for seen in self.seen]


@contextmanager
def serve(name: str = "scripted") -> Generator[Script]:
    """Run a server on a free port that calls itself `name`; it ends with the block."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def version_string(self) -> str:
            """What it calls itself."""
            return name

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body, parts = self.rfile.read(length), urlsplit(self.path)
            script.seen.append(
                Seen(
                    method=self.command,
                    path=parts.path,
                    query=parse_qs(parts.query),
                    headers=dict(self.headers.items()),
                    body=json.loads(body) if body else None,
                )
            )
            answer = script.next(f"{self.command} {parts.path}")
            if answer.silent:
                script.over.wait()
            if answer.silent or answer.hang_up:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for header, value in answer.headers.items():
                self.send_header(header, value)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        script.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def parts(error: OpsError) -> str:
    """All that a person is shown of an error."""
    shown = (error.code, error.message, error.subject, error.where, error.unchanged, error.hint)
    return "\n".join(map(str, shown))
