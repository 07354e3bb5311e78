"""The S3 gateway of the real lakeFS: what is asked again, and what each failure says.

The contract of ports.MediaReader is tests/contract/test_media_reader.py's.
"""

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

from ops.errors import (
    ConfigurationError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    UnavailableError,
)
from ops.gateway import Gateway
from ops.lake import LakeFS
from ops.local import Connection
from ops.ports import Upload
from tests.conftest import stack_home
from tests.kills.driver import LAKEFS, proxied
from tests.proxy import Fate, Seen
from tests.serving import SilentHandler, serving

COUNT = 40
WORDS_OF_THE_LIBRARY = ("reqwest", "hyper", "Debug", "Generic", "GET http", "RetryError")


@dataclass(frozen=True, kw_only=True)
class Stock:
    """A repository with forty objects, as the settings name it."""

    servers: Connection
    repository: str

    def gateway(
        self, *, url: str = "", key: str = "", secret: str = "", repository: str = ""
    ) -> Gateway:
        """A gateway, with something else than what is right where it is given."""
        return Gateway(
            url or self.servers.lakefs_url,
            key or self.servers.lakefs_access_key_id,
            secret or self.servers.lakefs_secret_access_key,
            repository or self.repository,
        )


BARRIER = threading.Condition()
HEADERS = {
    "Content-Length": "0",
    "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
    "Last-Modified": "Sat, 21 Nov 2026 14:00:00 GMT",
}


def answer(handler: BaseHTTPRequestHandler, status: int) -> None:
    """An object of no bytes, or a failure."""
    handler.send_response(status)
    for name, value in HEADERS.items():
        handler.send_header(name, value)
    handler.end_headers()


PATHS = [f"images/{number:03}" for number in range(COUNT)]


@pytest.fixture(scope="module")
def stock(servers: Connection) -> Stock:
    """On main; and one object of a megabyte more than what is read in one piece."""
    name = f"gateway-{uuid.uuid4().hex[:8]}"
    lake = LakeFS(
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        name,
    )
    lake.create_repository(f"local://{name}")
    big = Upload(path="big", data=bytes(range(256)) * 36_864, content_type="image/png")
    lake.write_many("main", [big, *(Upload(path=path, data=path.encode()) for path in PATHS)])
    lake.commit("main", "objects", {})
    return Stock(servers=servers, repository=name)


def whole(read: Iterator[tuple[str, bytes]]) -> bool:
    """Whether each object came once, as it is."""
    found = list(read)
    return sorted(found) == [(path, path.encode()) for path in PATHS]


@pytest.mark.servers
def test_what_breaks_on_the_way_is_asked_again(stock: Stock) -> None:
    """Requests that never arrive, and answers that do not."""
    tries: Counter[str] = Counter()

    def plan(seen: Seen) -> Fate:
        tries[seen.path] += 1
        return {1: Fate.RESET_AFTER, 2: Fate.RESET_BEFORE}.get(tries[seen.path], Fate.THROUGH)

    with proxied(stock.servers) as proxy:
        proxy.plan(plan)
        assert whole(stock.gateway(url=proxy.urls[LAKEFS]).read_many("main", PATHS, workers=8))
        assert len(proxy.seen) == 3 * COUNT


@pytest.mark.parametrize("workers", [8, 32])
def test_many_requests_are_under_way_at_once(workers: int) -> None:
    """As many as are asked for, and no more."""
    under_way, most = 0, 0

    class Slow(SilentHandler):
        """Counts who waits; lets them go when enough do, or after a while."""

        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            """Wait with the others."""
            nonlocal under_way, most
            with BARRIER:
                under_way += 1
                most = max(most, under_way)
                BARRIER.notify_all()
                BARRIER.wait_for(lambda: most >= workers, timeout=5)
                under_way -= 1
            answer(self, 200)

    with serving(Slow) as url:
        list(Gateway(url, "key-id", "secret", "dataset").read_many("main", PATHS, workers=workers))
    assert most == workers


@pytest.mark.servers
def test_a_big_object_comes_in_pieces(stock: Stock) -> None:
    """Each a few megabytes, so that memory stays flat; together the whole."""
    pieces = list(stock.gateway().pieces("main", "big"))
    assert len(pieces) > 1
    assert b"".join(pieces) == bytes(range(256)) * 36_864


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Something that is not right, and what is to be said of it."""

    kind: type[OpsError]
    code: str
    gateway: dict[str, str] = field(default_factory=dict[str, str])
    ref: str = "main"
    path: str = "images/000"


NOBODY, ANOTHER = "AKIAIOSFODNN7NOBODY", "another secret"
WRONG = [
    Wrong(kind=NotFoundError, code="not-in-lakefs", path="images/none"),
    Wrong(kind=NotFoundError, code="not-in-lakefs", ref="nowhere"),
    Wrong(kind=NotFoundError, code="no-repository", gateway={"repository": "nothing-here"}),
    Wrong(kind=DeniedError, code="lakefs-credentials", gateway={"key": NOBODY}),
    Wrong(kind=DeniedError, code="lakefs-credentials", gateway={"secret": ANOTHER}),
    Wrong(kind=InvalidDataError, code="object-path", path="images//x"),
    Wrong(kind=InvalidDataError, code="object-path", path="images/../x"),
    Wrong(kind=InvalidDataError, code="object-path", path="images/\nx"),
]


@pytest.mark.servers
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.code)
def test_each_failure_says_what_it_is(stock: Stock, wrong: Wrong) -> None:
    """In our words; the library's are in the cause."""
    with pytest.raises(wrong.kind) as caught:
        stock.gateway(**wrong.gateway).read(wrong.ref, wrong.path)
    error = caught.value
    assert error.code == wrong.code
    said = f"{error.message}{error.where}{error.unchanged}{error.hint}"
    assert not [word for word in WORDS_OF_THE_LIBRARY if word in said]
    assert stock.servers.lakefs_secret_access_key not in said
    assert error.__cause__ is not None


@pytest.mark.servers
def test_bytes_that_are_gone_or_cut_in_the_store_are_said(stock: Stock) -> None:
    """As after a clean-up of the bucket that went too far; the object is still listed."""
    data = {"images/gone": os.urandom(2_000), "images/cut": os.urandom(2_000)}
    servers = stock.servers
    keys = (servers.lakefs_access_key_id, servers.lakefs_secret_access_key)
    lake = LakeFS(servers.lakefs_url, *keys, stock.repository)
    lake.write_many("main", [Upload(path=path, data=bytes_) for path, bytes_ in data.items()])
    lake.commit("main", "to be lost", {})
    files = (path for path in stack_home().rglob("*") if path.is_file())
    stored = {path.read_bytes(): path for path in files if path.stat().st_size == 2_000}
    stored[data["images/gone"]].unlink()
    stored[data["images/cut"]].write_bytes(data["images/cut"][:100])
    gateway = stock.gateway()
    with pytest.raises(NotFoundError) as caught:
        gateway.read("main", "images/gone")
    assert (caught.value.code, caught.value.subject) == ("object-data-gone", "images/gone")
    with pytest.raises(UnavailableError) as broken:
        gateway.read("main", "images/cut")
    assert broken.value.code == "gateway-broken"


def free_address() -> str:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_nobody_there_is_said_after_a_few_tries() -> None:
    with pytest.raises(UnavailableError) as caught:
        Gateway(free_address(), "key-id", "secret", "dataset").read("main", "x")
    assert caught.value.code == "lakefs-unreachable"
    assert "no connection" in caught.value.message
    assert "5 times" in caught.value.message


def answering(status: int, then: int = 0) -> tuple[type[BaseHTTPRequestHandler], list[str]]:
    """A server that answers with a status, `then` times, and after that as if all were well."""
    seen: list[str] = []

    class Server(SilentHandler):
        """Answers."""

        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            """With the status."""
            seen.append(self.path)
            answer(self, status if not then or len(seen) <= then else 200)

    return Server, seen


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_fails_for_a_moment_is_asked_again(status: int) -> None:
    server, seen = answering(status, then=2)
    with serving(server) as url:
        assert Gateway(url, "key-id", "secret", "dataset").read("main", "x") == b""
    assert len(seen) == 3


def test_a_server_that_fails_for_good_is_said() -> None:
    server, seen = answering(503)
    with serving(server) as url, pytest.raises(UnavailableError) as caught:
        Gateway(url, "key-id", "secret", "dataset").read("main", "x")
    assert "status 503" in caught.value.message
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (410, NotFoundError, "object-data-gone"),
        (403, DeniedError, "lakefs-credentials"),
        (401, DeniedError, "lakefs-credentials"),
        (400, ConfigurationError, "not-lakefs"),
        (405, ConfigurationError, "not-lakefs"),
    ],
)
def test_what_does_not_pass_is_not_asked_again(
    status: int, kind: type[OpsError], code: str
) -> None:
    server, seen = answering(status)
    with serving(server) as url, pytest.raises(kind) as caught:
        Gateway(url, "key-id", "secret", "dataset").read("main", "images/a b#%.jpg")
    assert caught.value.code == code
    assert seen == ["/dataset/main/images/a%20b%23%25.jpg"]


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Gateway("not an address", "key-id", "secret", "dataset")
    assert caught.value.code == "lakefs-url"


FOREIGN = {
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_S3_EXPRESS": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "else",
    "AWS_SESSION_TOKEN": "elsewhere",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}
READ = """
import sys
from ops.gateway import Gateway
sys.stdout.write(Gateway(*sys.argv[1:]).read("main", "images/000").decode())
"""


@pytest.mark.servers
@pytest.mark.parametrize("name", FOREIGN)
def test_nothing_of_the_environment_counts(stock: Stock, name: str) -> None:
    """What is meant for Amazon's S3, and proxies, which must not see the credentials."""
    servers = stock.servers
    arguments = [
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        stock.repository,
    ]
    done = subprocess.run(
        [sys.executable, "-c", READ, *arguments],
        env={**os.environ, name: FOREIGN[name]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "images/000", done.stderr
