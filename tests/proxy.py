"""A proxy between `ops` and the real servers that does to requests what networks do.

Owns one HTTP/1.1 listener a server, one count of the requests of all of them, and the fates a
request can meet. Knows nothing of what a request means, and keeps no connection: each request has
one of its own on either side.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit

_HEAD_LIMIT = 2**20
_HEAD_END = b"\r\n\r\n"
_PIECE_BYTES = 16 * 2**10
_TAKE_UP_S = 0.02
_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 16\r\n"
    b"Connection: close\r\n\r\n<h1>No one</h1>\n"
)
_RESET = struct.pack("ii", 1, 0)
"""Linger on, for no time: closing sends RST."""


class Fate(StrEnum):
    """What happens to one request."""

    THROUGH = "through"
    RESET_BEFORE = "reset before"
    """It never gets to the server; the connection is reset."""
    RESET_AFTER = "reset after"
    """The server has answered; the connection is reset instead."""
    TWICE = "twice"
    """It is delivered twice, one after the other; the second answer is given."""
    TWICE_FIRST = "twice, first answer"
    """As above; the first answer is given."""
    STRIKE_BEFORE = "strike before"
    """`strike` is called, and the request never gets to the server."""
    STRIKE_DURING = "strike during"
    """`strike` is called as soon as the server has the request."""
    STRIKE_AFTER = "strike after"
    """`strike` is called once the server has answered, and the answer goes nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came: its number over all servers, from 1 on, and what it asks of whom."""

    number: int
    server: str
    method: str
    path: str


Plan: TypeAlias = Callable[[Seen], Fate]


def let_through(_: Seen) -> Fate:
    """The plan of a network that works."""
    return Fate.THROUGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How slow a network is.

    Attributes:
        cut_after_s: a response that is not over so long after its request came is cut off.
        bytes_per_s: how fast a response goes to who asked.
    """

    cut_after_s: float | None = None
    bytes_per_s: float | None = None


class Proxy:
    """Listeners on the loopback, one a server; a context manager.

    Attributes:
        urls: where each server is reached through the proxy, by the name it was given.
        seen: the requests since `plan`, in the order they came.
        cut_count: responses that were cut off since `plan`.
    """

    def __init__(self, servers: Mapping[str, str], *, limits: Limits | None = None) -> None:
        self._servers = dict(servers)
        self._limits = limits or Limits()
        self._plan: Plan = let_through
        self._strike: Callable[[], None] = _no_strike
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listeners: list[asyncio.Server] = []
        self._under_way = 0
        self._idle = threading.Condition()
        self._mishaps: list[dict[str, object]] = []
        self._loop.set_exception_handler(lambda _, mishap: self._note(mishap))
        self.urls: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.cut_count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert kind or not self._mishaps, self._mishaps

    def plan(self, plan: Plan = let_through, strike: Callable[[], None] | None = None) -> None:
        """Count from 1 again, with this fate for each request; `strike` is what a strike does."""
        self._plan, self._strike = plan, strike or _no_strike
        self.seen, self.cut_count = [], 0

    def drain(self, timeout_s: float = 60.0) -> None:
        """Wait until the servers have answered everything that came."""
        # What a process sent before it died may be waiting to be taken up.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(_TAKE_UP_S), self._loop).result()
        with self._idle:
            assert self._idle.wait_for(lambda: not self._under_way, timeout_s), "still under way"

    def _note(self, mishap: dict[str, object]) -> None:
        # Python 3.11 tells of requests that are under way when the proxy is closed.
        if not isinstance(mishap.get("exception"), asyncio.CancelledError):
            self._mishaps.append(mishap)

    async def _listen(self) -> None:
        for name, url in self._servers.items():
            listener = await asyncio.start_server(
                lambda reader, writer, name=name: self._serve(name, reader, writer),
                "127.0.0.1",
                0,
                limit=_HEAD_LIMIT,
            )
            self._listeners.append(listener)
            port = listener.sockets[0].getsockname()[1]
            self.urls[name] = f"http://127.0.0.1:{port}{urlsplit(url).path.rstrip('/')}"

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with self._idle:
            self._under_way += 1
        try:
            request = await _read_request(reader)
            if request is not None:
                await self._answer(name, request, writer)
        except (OSError, EOFError):
            _reset(writer)
        finally:
            writer.close()
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    async def _answer(self, name: str, request: bytes, writer: asyncio.StreamWriter) -> None:
        method, target, _ = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        seen = Seen(
            number=len(self.seen) + 1, server=name, method=method, path=target.partition("?")[0]
        )
        self.seen.append(seen)
        fate = self._plan(seen)
        if fate is Fate.STRIKE_BEFORE:
            self._strike()
        if fate in {Fate.STRIKE_BEFORE, Fate.RESET_BEFORE}:
            _reset(writer)
            return
        delivery = asyncio.create_task(self._delivered(name, request, fate))
        try:
            async with asyncio.timeout(self._limits.cut_after_s):
                answer = await asyncio.shield(delivery)
                if fate is Fate.STRIKE_AFTER:
                    self._strike()
                if fate in {Fate.STRIKE_AFTER, Fate.RESET_AFTER}:
                    _reset(writer)
                    return
                await self._give(answer, writer)
        except TimeoutError:
            self.cut_count += 1
            _reset(writer)
            await delivery

    async def _delivered(self, name: str, request: bytes, fate: Fate) -> bytes:
        """The server's answer, as a gateway passes it on: 502 where no server listens."""
        struck = self._strike if fate is Fate.STRIKE_DURING else _no_strike
        try:
            answer = await self._deliver(name, request, struck)
            if fate in {Fate.TWICE, Fate.TWICE_FIRST}:
                again = await self._deliver(name, request, _no_strike)
                answer = again if fate is Fate.TWICE else answer
        except ConnectionRefusedError:
            return _BAD_GATEWAY
        return answer

    async def _deliver(self, name: str, request: bytes, strike: Callable[[], None]) -> bytes:
        """One delivery, and all that the server answers.

        Raises:
            OSError, EOFError: the server broke off, or answered nothing.
        """
        place = urlsplit(self._servers[name])
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(request)
            await writer.drain()
            strike()
            answer = await reader.read()
        finally:
            writer.close()
        if not _is_whole(answer):
            raise EOFError
        return answer

    async def _give(self, answer: bytes, writer: asyncio.StreamWriter) -> None:
        """Send an answer as fast as the limits allow."""
        for start in range(0, len(answer), _PIECE_BYTES):
            piece = answer[start : start + _PIECE_BYTES]
            writer.write(piece)
            await writer.drain()
            if self._limits.bytes_per_s is not None:
                await asyncio.sleep(len(piece) / self._limits.bytes_per_s)


def _no_strike() -> None:
    pass


async def _read_request(reader: asyncio.StreamReader) -> bytes | None:
    """A whole request that asks for its connection to be closed; None where none came.

    Raises:
        OSError, EOFError: it breaks off.
    """
    try:
        head = await reader.readuntil(_HEAD_END)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    lines = head.removesuffix(_HEAD_END).split(b"\r\n")
    fields = {
        line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in lines[1:]
    }
    if b"transfer-encoding" in fields:
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close"]) + _HEAD_END + body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body as it came."""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        if size == 0:
            return body


def _is_whole(answer: bytes) -> bool:
    """Say whether an answer that ended with its connection is all there."""
    head, found, body = answer.partition(_HEAD_END)
    if not found:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) == int(value) or head.startswith(b"http/1.1 304")
        if name == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection by RST, as a gateway that dies does."""
    with suppress(OSError):
        place: socket.socket = writer.get_extra_info("socket")
        place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
