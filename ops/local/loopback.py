"""Requests and ports on this machine's loopback.

Owns the few requests by which the embedded servers are judged ready. Does not follow proxies: a
proxy of the environment must never see loopback credentials.
"""

import http.client
import json
import secrets
import socket
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import cast
from urllib.parse import urlencode

from ops.errors import UnavailableError

HOST = "127.0.0.1"
_FIRST_PORT = 18_000
_LAST_PORT = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered. `status` is 0 where it did not answer at all."""

    status: int
    body: bytes = b""

    def json(self) -> object:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def text_at(self, *names: str) -> str | None:
        """The text at a path of names in the JSON body; None where there is none."""
        value = self.json()
        for name in names:
            value = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        """A redirect is an answer."""
        return


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one loopback server that keeps its cookies."""

    url: str
    timeout_s: float = 10
    cookies: CookieJar = field(default_factory=CookieJar)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """One GET."""
        return self._send(urllib.request.Request(self.url + path, headers=dict(headers or {})))  # noqa: S310 - loopback http

    def post_json(
        self, path: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One POST of JSON."""
        return self._send(
            urllib.request.Request(  # noqa: S310 - loopback http
                self.url + path,
                data=json.dumps(body).encode(),
                headers={"Content-Type": "application/json", **(headers or {})},
                method="POST",
            )
        )

    def post_form(self, path: str, fields: Mapping[str, str]) -> Answer:
        """One POST of a form."""
        return self._send(
            urllib.request.Request(self.url + path, data=urlencode(fields).encode(), method="POST")  # noqa: S310 - loopback http
        )

    def _send(self, request: urllib.request.Request) -> Answer:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self.cookies),
            _NoRedirect(),
        )
        try:
            with opener.open(request, timeout=self.timeout_s) as response:
                return Answer(status=response.status, body=response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, body=error.read())
        except (OSError, http.client.HTTPException):
            return Answer(status=0)


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        # On Linux SO_REUSEADDR lets a second bind pass while nobody listens yet; listen does not.
        try:
            probe.listen(1)
        except OSError:
            return False
        return True


def free_port(*, besides: Collection[int] = ()) -> int:
    """A port of the loopback nobody listens on at this moment, and none of `besides`.

    Below the range from which systems take ports for outgoing connections, so that a port which is
    remembered is likely still free the next time.

    Raises:
        UnavailableError: a hundred tries found none.
    """
    for _ in range(100):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        if port not in besides and is_free(port):
            return port
    raise UnavailableError(
        "no-free-port",
        f"no free port was found between {_FIRST_PORT} and {_LAST_PORT} on {HOST}",
        unchanged="nothing was started",
        hint="end some of the programs that listen there, then: ops local up",
    )
