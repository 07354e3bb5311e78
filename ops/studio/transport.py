"""How a request travels to Label Studio, and what a status means on every route alike.

Owns the only HTTP client that talks to Label Studio: the token and its renewal, the tries, the
translation of failures. Does not know what any route is for (client.py).
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ops.errors import OpsError
from ops.studio.failures import (
    FailedError,
    ForbiddenError,
    GoneError,
    NotLabelStudioError,
    TlsError,
    TokenError,
    TokenKind,
    UnexpectedAnswerError,
    UnreachableError,
    as_mapping,
    read_token,
    reason,
)

if TYPE_CHECKING:
    import httpx  # noqa: TID251 - this is the file that may

Params = Mapping[str, str | int | Sequence[int]]

_TRIES = 4
_CONNECT_TIMEOUT_S = 5.0
_RENEW_AFTER = 0.8
_ACCESS_LIFETIME_S = 300.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as every try sends it.

    Attributes:
        body: sent as JSON, unless None.
        repeatable: sending it twice does what sending it once does.
        allow_failure: a 5xx is given back at once, for a caller with tries of its own.
    """

    method: str
    path: str
    params: Params | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = True
    allow_failure: bool = False

    def __str__(self) -> str:
        """Method and path, as errors name it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: its status, and its JSON where there is any."""

    status: int
    body: Any

    @property
    def is_missing(self) -> bool:
        """What was asked about is not there."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_refused(self) -> bool:
        """What was sent is not accepted."""
        return self.status == HTTPStatus.BAD_REQUEST

    @property
    def is_failed(self) -> bool:
        """The server could not do it."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def expect(self, kind: str, number: int = 0) -> "Reply":
        """Give the answer back if it says that the request was done.

        `kind` and `number` say what the request was about, as `project` and 31.

        Raises:
            GoneError: that is not there.
            UnexpectedAnswerError: another refusal, which this route is not known to give.
        """
        if self.is_missing:
            raise GoneError(kind, number)
        if self.status >= HTTPStatus.BAD_REQUEST:
            raise UnexpectedAnswerError(f"{kind} {number}", status=self.status, body=self.body)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """A try without an answer."""

    error: Exception
    was_sent: bool


class Exchange:
    """Requests to one server with one token. Safe for threads.

    Attributes:
        url: the server's address, without a slash at the end.
        has_one_process: the server has said that it is Django's own, which works on one request at
            a time however many are in flight.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float,
        patience_s: float,
        on_request: Callable[[str, str], None] | None,
    ) -> None:
        """Keep all that; nothing is sent yet."""
        self.url = url.rstrip("/")
        self.has_one_process = False
        self._token = token.strip()
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._on_request = on_request
        self._counting, self._renewing = threading.Lock(), threading.Lock()
        self._access, self._renew_at = "", 0.0

    def get(self, path: str, params: Params | None = None, *, allow_failure: bool = False) -> Reply:
        """Read something. One request, up to four tries; raises as `send`."""
        request = Request(method="GET", path=path, params=params, allow_failure=allow_failure)
        return self._read(request, self._send_signed(request))

    def get_anonymously(self, path: str) -> Reply:
        """Read something that needs no account. One request, up to four tries; raises as `send`."""
        request = Request(method="GET", path=path)
        return self._read(request, self._exchange(request, {}))

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Params | None = None,
        repeatable: bool | None = None,
    ) -> Reply:
        """Send one request and give its answer, where the answer is one of Label Studio's.

        PATCH and DELETE are repeatable unless said otherwise, POST is not: up to four tries, or one
        that reached the server. One renewal of the token where it is not accepted.

        Raises:
            DeniedError: the token is not accepted, or the account may not do this.
            UnavailableError: the server does not answer, or only with 5xx.
            ConfigurationError: what answers is not Label Studio.
        """
        if repeatable is None:
            repeatable = method in _REPEATABLE
        request = Request(method=method, path=path, params=params, body=body, repeatable=repeatable)
        return self._read(request, self._send_signed(request))

    def streams(self, path: str) -> bool:
        """Say whether the server itself streams the bytes at a path. One request, one byte."""
        request = Request(method="GET", path=path, headers={"Range": "bytes=0-0"})
        response = self._send_signed(request)
        is_page = "text/html" in response.headers.get("content-type", "")
        return response.is_success and not is_page

    def wait(self, share: float) -> None:
        """Wait for a share of the patience, up to a fifth more or less: no herd marches in step."""
        time.sleep(share * self._patience_s * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    def close(self) -> None:
        """Let go of open connections; a later request opens new ones."""
        # Asking for the client would make one, and import httpx to make it.
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def _send_signed(self, request: Request) -> "httpx.Response":
        response = self._exchange(request, {"Authorization": self._authorization()})
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._access:
            # The server was restored, or a clock was set: one new access token, one more try.
            self._renew_at = 0.0
            response = self._exchange(request, {"Authorization": self._authorization()})
        return response

    def _authorization(self) -> str:
        kind = read_token(self._token).kind
        if kind is TokenKind.LEGACY:
            return f"Token {self._token}"
        if kind is not TokenKind.PERSONAL:
            raise TokenError(self.url, self._token)
        with self._renewing:
            if time.monotonic() >= self._renew_at:
                self._renew()
            return f"Bearer {self._access}"

    def _renew(self) -> None:
        body = {"refresh": self._token}
        request = Request(method="POST", path="/api/token/refresh/", body=body)
        began = time.monotonic()
        reply = self._read(request, self._exchange(request, {}))
        access = as_mapping(reply.body).get("access")
        if not isinstance(access, str):
            raise NotLabelStudioError(self.url, str(request), "it gives no access token")
        # By this machine's clock alone: the server's may be another.
        lifetime_s = read_token(access).lifetime_s or _ACCESS_LIFETIME_S
        self._access, self._renew_at = access, began + _RENEW_AFTER * lifetime_s

    def _exchange(self, request: Request, headers: Mapping[str, str]) -> "httpx.Response":
        """The server's answer, after as many tries as it took."""
        began, tries = time.monotonic(), 0
        while True:
            answer = self._try(request, headers)
            tries += 1
            if not isinstance(answer, _Silence) and _is_final(request, answer.status_code):
                return answer
            if tries == _TRIES or not _may_repeat(request, answer):
                raise self._give_up(request, answer, tries, time.monotonic() - began)
            self.wait(2 ** (tries - 1) / (2 ** (_TRIES - 1) - 1))

    def _try(self, request: Request, headers: Mapping[str, str]) -> "httpx.Response | _Silence":
        import httpx  # noqa: TID251 - this is the file that may

        try:
            response = self._client.request(
                request.method,
                self.url + request.path,
                params=request.params,
                json=request.body,
                headers={**request.headers, **headers},
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise NotLabelStudioError(self.url, str(request), "it is no web address") from error
        except httpx.TransportError as error:
            if _is_about_tls(error):
                raise TlsError(self.url) from error
            unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
            return _Silence(error=error, was_sent=not isinstance(error, unsent))
        self._note_server(response)
        return response

    def _note_server(self, response: "httpx.Response") -> None:
        if self.has_one_process or not response.headers.get("server", "").startswith("WSGIServer"):
            return
        self.has_one_process = True
        # Django's own server sends an answer in two writes, and on a connection that was used
        # before the second waits for the first one's delayed acknowledgement: 63 ms instead of 20.
        self._client.headers["Connection"] = "close"

    def _give_up(
        self, request: Request, answer: "httpx.Response | _Silence", tries: int, elapsed_s: float
    ) -> OpsError:
        said = f"after {tries} tries in {elapsed_s:.0f} s" if tries > 1 else "after 1 try"
        if isinstance(answer, _Silence):
            unreachable = UnreachableError(self.url, str(request), tries=said)
            unreachable.__cause__ = answer.error
            return unreachable
        return FailedError(self.url, str(request), status=answer.status_code, tries=said)

    def _read(self, request: Request, response: "httpx.Response") -> Reply:
        """Take out what means the same on every route.

        Raises:
            TokenError: 401.
            ForbiddenError: 403.
            NotLabelStudioError: a redirect, or a page where JSON is due.
        """
        status, kind = response.status_code, response.headers.get("content-type", "nothing")
        body = response.json() if "json" in kind else None
        if status == HTTPStatus.UNAUTHORIZED:
            raise TokenError(self.url, self._token, detail=reason(body))
        if status == HTTPStatus.FORBIDDEN:
            raise ForbiddenError(self.url, str(request))
        if response.has_redirect_location:
            there = f"it redirects to {response.headers['location']}"
            raise NotLabelStudioError(self.url, str(request), there)
        # Some routes answer 404 with a page; a failed one may answer 500 with anything.
        may_be_page = status == HTTPStatus.NOT_FOUND or request.allow_failure
        if body is None and response.content and not may_be_page:
            what = f"it answers {status} with {kind.partition(';')[0]}"
            raise NotLabelStudioError(self.url, str(request), what)
        return Reply(status=status, body=body)

    @cached_property
    def _client(self) -> "httpx.Client":
        import httpx  # noqa: TID251 - this is the file that may

        connect_s = min(_CONNECT_TIMEOUT_S, self._timeout_s)
        return httpx.Client(
            timeout=httpx.Timeout(self._timeout_s, connect=connect_s),
            # No proxy stands between this machine and itself.
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
            event_hooks={"request": [self._count, _forget_session]},
        )

    def _count(self, request: "httpx.Request") -> None:
        if self._on_request is not None:
            with self._counting:
                self._on_request(request.method, request.url.path)


def _forget_session(request: "httpx.Request") -> None:
    # Label Studio sends a session cookie with every answer; the token alone is to say who asks.
    request.headers.pop("Cookie", None)


def _is_final(request: Request, status: int) -> bool:
    is_passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return request.allow_failure or not (is_passing or status == HTTPStatus.TOO_MANY_REQUESTS)


def _may_repeat(request: Request, answer: "httpx.Response | _Silence") -> bool:
    """Say whether another try does no harm: the request is repeatable, or was not taken up."""
    if isinstance(answer, _Silence):
        return request.repeatable or not answer.was_sent
    return request.repeatable or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS


def _is_about_tls(error: BaseException | None) -> bool:
    import ssl

    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
