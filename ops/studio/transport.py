"""How a request travels to Label Studio, and what a status means on every route alike.

Owns the only HTTP client that talks to Label Studio, with its SDK (sdk.py) or without: the token
and its renewal, the tries, the translation of failures. Does not know what any route is for
(client.py). Imported with the first request, since httpx takes 0.12 s.
"""

import random
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx

from ops.errors import OpsError
from ops.studio.failures import (
    FailedError,
    ForbiddenError,
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
from ops.studio.sdk import IDEMPOTENCY_KEY

_TRIES = 4
_CONNECT_TIMEOUT_S = 5.0
_RENEW_AFTER = 0.8
_ACCESS_LIFETIME_S = 300.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_RENEWAL = "/api/token/refresh/"
# What needs no account; sent twice, neither does more than once.
_OPEN = ("/api/version/", _RENEWAL)
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# Label Studio sends a session with every answer; the token alone is to say who asks.
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])


class Exchange(httpx.Client):
    """Requests to one server with one token. Safe for threads.

    Whoever sends by it gets only answers that say that the request was done. Two extensions of a
    request leave tries to the sender: `fail_at_once` those after a 5xx, `try_once` all of them.

    Attributes:
        address: the server's, without a slash at the end.
        has_one_process: the server has said that it is Django's own, which works on one request at
            a time however many are in flight.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        timeout_s: float,
        patience_s: float,
        on_request: Callable[[str, str], None] | None,
    ) -> None:
        """Keep all that; nothing is sent yet.

        Raises:
            NotLabelStudioError: the address is none.
        """
        self.address, self.has_one_process = address, False
        self._token, self._patience_s, self._on_request = token, patience_s, on_request
        self._counting, self._renewing = threading.Lock(), threading.Lock()
        self._access, self._renew_at = "", 0.0
        try:
            super().__init__(
                base_url=address,
                timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
                # No proxy stands between this machine and itself.
                trust_env=urlsplit(address).hostname not in _LOOPBACK,
                cookies=CookieJar(_NO_COOKIES),
                event_hooks={"request": [self._count], "response": [self._note_server]},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise NotLabelStudioError(address, "none", "it is no web address") from error

    def send(self, request: httpx.Request, **_: object) -> httpx.Response:
        """Send one request and give its answer, where the answer says that it was done.

        PATCH and DELETE are repeatable, POST is with an idempotency key: up to four tries, or one
        that reached the server. One renewal of the token where it is not accepted.

        Raises:
            DeniedError: the token is not accepted, or the account may not do this.
            UnavailableError: the server does not answer, or only with 5xx.
            UnexpectedAnswerError: another 4xx.
            ConfigurationError: what answers is not Label Studio.
        """
        response = self._answer(request)
        self._check(request, response)
        return response

    def streams(self, path: str) -> bool:
        """Say whether the server itself streams the bytes at a path. One request, one byte."""
        response = self._answer(self.build_request("GET", path, headers={"Range": "bytes=0-0"}))
        is_page = "text/html" in response.headers.get("content-type", "")
        return response.is_success and not is_page

    def wait(self, share: float) -> None:
        """Wait for a share of the patience, up to a fifth more or less: no herd marches in step."""
        time.sleep(share * self._patience_s * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """What the server answers to whom the token belongs to."""
        if request.url.path.endswith(_OPEN):
            # What the SDK puts there, which has no token.
            request.headers.pop("Authorization", None)
            return self._deliver(request)
        request.headers["Authorization"] = self._authorization()
        response = self._deliver(request)
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._access:
            # The server was restored, or a clock was set: one new access token, one more try.
            self._renew_at = 0.0
            request.headers["Authorization"] = self._authorization()
            response = self._deliver(request)
        return response

    def _authorization(self) -> str:
        kind = read_token(self._token).kind
        if kind is TokenKind.LEGACY:
            return f"Token {self._token}"
        if kind is not TokenKind.PERSONAL:
            raise TokenError(self.address, self._token)
        with self._renewing:
            if time.monotonic() >= self._renew_at:
                self._renew()
            return f"Bearer {self._access}"

    def _renew(self) -> None:
        began = time.monotonic()
        answer = self.post(_RENEWAL, json={"refresh": self._token})
        access = as_mapping(answer.json()).get("access")
        if not isinstance(access, str):
            what = "it gives no access token"
            raise NotLabelStudioError(self.address, f"POST {_RENEWAL}", what)
        # By this machine's clock alone: the server's may be another.
        lifetime_s = read_token(access).lifetime_s or _ACCESS_LIFETIME_S
        self._access, self._renew_at = access, began + _RENEW_AFTER * lifetime_s

    def _deliver(self, request: httpx.Request) -> httpx.Response:
        """The server's answer, after as many tries as it took."""
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                response = super().send(request)
                if _is_passing(response.status_code):
                    response.raise_for_status()
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                if tries == _TRIES or not _may_repeat(request, error):
                    said = f"after {tries} tries in {time.monotonic() - began:.0f} s"
                    raise self._given_up(
                        request, error, said if tries > 1 else "after 1 try"
                    ) from error
            else:
                return response
            self.wait(2 ** (tries - 1) / (2 ** (_TRIES - 1) - 1))

    def _given_up(self, request: httpx.Request, error: httpx.HTTPError, tries: str) -> OpsError:
        if isinstance(error, httpx.UnsupportedProtocol):
            return NotLabelStudioError(self.address, _name(request), "it is no web address")
        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            return FailedError(self.address, _name(request), status=status, tries=tries)
        if _is_about_tls(error):
            return TlsError(self.address)
        return UnreachableError(self.address, _name(request), tries=tries)

    def _check(self, request: httpx.Request, response: httpx.Response) -> None:
        """Take out what means the same on every route.

        Raises:
            TokenError: 401.
            ForbiddenError: 403.
            NotLabelStudioError: a redirect, or a page where JSON is due.
            UnexpectedAnswerError: another 4xx.
        """
        status, kind = response.status_code, response.headers.get("content-type", "nothing")
        is_json, is_refusal = "json" in kind, status >= HTTPStatus.BAD_REQUEST
        body = response.json() if is_json and is_refusal else None
        if status == HTTPStatus.UNAUTHORIZED:
            raise TokenError(self.address, self._token, detail=reason(body))
        if status == HTTPStatus.FORBIDDEN:
            raise ForbiddenError(self.address, _name(request))
        if response.has_redirect_location:
            there = f"it redirects to {response.headers['location']}"
            raise NotLabelStudioError(self.address, _name(request), there)
        # Some routes answer 404 with a page.
        if response.content and not is_json and status != HTTPStatus.NOT_FOUND:
            what = f"it answers {status} with {kind.partition(';')[0]}"
            raise NotLabelStudioError(self.address, _name(request), what)
        if is_refusal:
            raise UnexpectedAnswerError(_name(request), status=status, body=body)

    def _count(self, request: httpx.Request) -> None:
        if self._on_request is not None:
            with self._counting:
                self._on_request(request.method, request.url.path)

    def _note_server(self, response: httpx.Response) -> None:
        if self.has_one_process or not response.headers.get("server", "").startswith("WSGIServer"):
            return
        self.has_one_process = True
        # Django's own server sends an answer in two writes, and on a connection that was used
        # before the second waits for the first one's delayed acknowledgement: 63 ms instead of 20.
        self.headers["Connection"] = "close"


def _name(request: httpx.Request) -> str:
    """Method and path, as errors name a request."""
    return f"{request.method} {request.url.path}"


def _is_passing(status: int) -> bool:
    """Say whether the server may answer better another time."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS


def _may_repeat(request: httpx.Request, error: httpx.HTTPError) -> bool:
    """Say whether another try may help and does no harm: repeatable, or never taken up."""
    if "try_once" in request.extensions:
        return False
    if isinstance(error, httpx.HTTPStatusError):
        if error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        if "fail_at_once" in request.extensions:
            return False
    elif isinstance(error, httpx.UnsupportedProtocol) or _is_about_tls(error):
        return False
    elif isinstance(error, _UNSENT):
        return True
    is_open = request.url.path.endswith(_OPEN)
    return request.method != "POST" or IDEMPOTENCY_KEY in request.headers or is_open


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None
