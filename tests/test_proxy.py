"""The proxy does to each request what its plan says, and nothing to the others."""

import http.client
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

import pytest

from tests.proxy import Fate, Limits, Proxy, Seen

LONG = b"x" * 300_000


class Echo(ThreadingHTTPServer):
    """A server that remembers the bodies it got, and numbers its answers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Echo)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server.bodies.append(body)
        said = LONG if self.path == "/long" else b"answer %d" % len(server.bodies)
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def answer(
    url: str, body: bytes | Iterator[bytes] = b"hi", *, path: str = "/"
) -> Generator[http.client.HTTPResponse]:
    """What comes back of one POST."""
    place = urlsplit(url)
    assert place.hostname
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    try:
        connection.request("POST", path, body, encode_chunked=not isinstance(body, bytes))
        yield connection.getresponse()
    finally:
        connection.close()


def ask(url: str, body: bytes | Iterator[bytes] = b"hi", *, path: str = "/") -> bytes:
    """The body of what comes back of one POST."""
    with answer(url, body, path=path) as response:
        return response.read()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server


def test_requests_of_all_servers_are_counted_in_one_row(echo: Echo) -> None:
    with Echo() as other, Proxy({"a": echo.url, "b": other.url}) as proxy:
        assert ask(proxy.urls["a"], path="/one?q=1") == b"answer 1"
        assert ask(proxy.urls["b"], path="/two") == b"answer 1"
        assert ask(proxy.urls["a"]) == b"answer 2"
        assert [(s.number, s.server, s.method, s.path) for s in proxy.seen] == [
            (1, "a", "POST", "/one"), (2, "b", "POST", "/two"), (3, "a", "POST", "/"),
        ]  # fmt: skip
        proxy.plan()
        assert not proxy.seen


def test_bodies_arrive_as_they_were_sent(echo: Echo) -> None:
    with Proxy({"a": echo.url}) as proxy:
        ask(proxy.urls["a"], LONG)
        ask(proxy.urls["a"], iter([b"one", LONG, b"two"]))
        assert ask(proxy.urls["a"], path="/long") == LONG
    assert echo.bodies == [LONG, b"one" + LONG + b"two", b"hi"]


@pytest.mark.parametrize(
    ("fate", "deliveries"),
    [
        (Fate.RESET_BEFORE, 0),
        (Fate.RESET_AFTER, 1),
        (Fate.STRIKE_BEFORE, 0),
        (Fate.STRIKE_AFTER, 1),
    ],
)
def test_a_request_is_lost_before_or_after_the_server_took_it(
    echo: Echo, fate: Fate, deliveries: int
) -> None:
    struck: list[int] = []
    with Proxy({"a": echo.url}) as proxy:
        proxy.plan(
            lambda seen: fate if seen.number == 2 else Fate.THROUGH,
            lambda: struck.append(len(echo.bodies)),
        )
        assert ask(proxy.urls["a"]) == b"answer 1"
        with pytest.raises(ConnectionResetError):
            ask(proxy.urls["a"])
        assert len(echo.bodies) == 1 + deliveries
        assert ask(proxy.urls["a"]) == b"answer %d" % (2 + deliveries)
    assert struck == ([1 + deliveries] if fate.name.startswith("STRIKE") else [])


@pytest.mark.parametrize(
    ("fate", "given"), [(Fate.TWICE, b"answer 2"), (Fate.TWICE_FIRST, b"answer 1")]
)
def test_a_request_is_delivered_twice(echo: Echo, fate: Fate, given: bytes) -> None:
    with Proxy({"a": echo.url}) as proxy:
        proxy.plan(lambda _: fate)
        assert ask(proxy.urls["a"], b"once") == given
    assert echo.bodies == [b"once", b"once"]


def test_a_server_is_struck_while_it_works(echo: Echo) -> None:
    struck: list[Seen] = []
    with Proxy({"a": echo.url}) as proxy:
        proxy.plan(lambda _: Fate.STRIKE_DURING, lambda: struck.extend(proxy.seen))
        assert ask(proxy.urls["a"]) == b"answer 1"
    assert [seen.number for seen in struck] == [1]


def test_no_server_is_a_bad_gateway() -> None:
    with Echo() as gone:
        url = gone.url
    with Proxy({"a": url}) as proxy, answer(proxy.urls["a"]) as response:
        assert response.status == 502


def test_a_slow_answer_is_cut_off_in_the_middle(echo: Echo) -> None:
    limits = Limits(cut_after_s=0.3, bytes_per_s=400_000)
    with Proxy({"a": echo.url}, limits=limits) as proxy:
        assert ask(proxy.urls["a"]) == b"answer 1"
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            ask(proxy.urls["a"], path="/long")
        assert proxy.cut_count == 1


def test_a_strike_that_fails_is_not_lost(echo: Echo) -> None:
    def fail() -> None:
        raise ValueError("no such process")

    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy({"a": echo.url}))
        proxy.plan(lambda _: Fate.STRIKE_BEFORE, fail)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask(proxy.urls["a"])
        with pytest.raises(AssertionError, match="no such process"):
            stack.close()
