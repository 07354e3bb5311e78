"""Small servers for what real ones do rarely: say another time, or answer in one way."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Generator[str]:
    """A server on the loopback for as long as the block."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Silent(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""
        del format, args


@contextmanager
def shifted(url: str, ahead_s: float) -> Generator[str]:
    """A server as it is, but for its Date header."""
    place = urlsplit(url)

    class Handler(_Silent):
        def do_GET(self) -> None:
            """Hand on, and say another time."""
            there = HTTPConnection(str(place.hostname), place.port or 80)
            there.request("GET", self.path)
            answer = there.getresponse()
            body = answer.read()
            stated = parsedate_to_datetime(str(answer.getheader("Date")))
            self.send_response_only(answer.status)
            shifted_date = stated + timedelta(seconds=ahead_s)
            self.send_header("Date", format_datetime(shifted_date, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            there.close()

    with serving(Handler) as there:
        yield there


@contextmanager
def answering(
    status: int, *, headers: Mapping[str, str] | None = None, body: bytes = b"", port: int = 0
) -> Generator[str]:
    """A server that answers everything in one way."""

    class Handler(_Silent):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = answer  # noqa: N815 - http.server's names

    with serving(Handler, port) as url:
        yield url
