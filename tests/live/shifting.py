"""Small servers for what real ones do rarely: say another time, or answer in one way."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.serving import SilentHandler, serving


@contextmanager
def shifted(url: str, ahead_s: float) -> Generator[str]:
    """A server as it is, but for its Date header."""
    place = urlsplit(url)

    class Handler(SilentHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
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

    class Handler(SilentHandler):
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
