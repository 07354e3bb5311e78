"""How requests get to lakeFS: connections, credentials, time limits, tries.

The one file that imports an HTTP library, and only once a server is to be reached. What the SDK
words is sent from here too. Does not know what a request means.
"""

import base64
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias
from urllib.parse import urlsplit

from ops.errors import ConfigurationError
from ops.lake import failures
from ops.lake.failures import Site
from ops.lake.wire import Call, Reply, Request

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
    from urllib3.exceptions import HTTPError

Sendable: TypeAlias = Request | Call

_API = "/api/v1"
_CONNECT_S = 5.0
# Hooks run inside a commit or merge; reading a thousand objects from a bucket takes them minutes.
_SLOW_FACTOR = 10
_FIRST_PAUSE_S = 0.4
_PAUSE_GROWTH = 2.5
_JITTER = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to reach the server.

    Attributes:
        connections: how many are open at most; a request waits for a free one.
        timeout_s: how long the server may be silent within one request; ten times as long where
            hooks run.
        tries: how often a request is sent at most.
        on_request: called with method and path (without the query) before each request that is
            sent, tries included, on whichever thread sends it.
    """

    connections: int
    timeout_s: float
    tries: int
    on_request: Callable[[str, str], None] | None


class _SilenceError(Exception):
    """No answer. Not urllib3's own: the SDK makes something else of some of those.

    Attributes:
        cause: why, for people.
        was_not_sent: the request surely did not reach a server.
        is_lasting: another try would fare alike.
    """

    def __init__(self, error: "HTTPError", timeout_s: float) -> None:
        from urllib3 import exceptions

        causes: tuple[tuple[type[Exception], str], ...] = (
            (exceptions.NameResolutionError, "its name does not resolve"),
            (exceptions.NewConnectionError, "nothing listens at its address"),
            (exceptions.ConnectTimeoutError, f"no connection within {_CONNECT_S:.0f} s"),
            (exceptions.ReadTimeoutError, f"no answer within {timeout_s:.0f} s"),
            (exceptions.SSLError, "no secure connection could be made"),
        )
        said = (text for kind, text in causes if isinstance(error, kind))
        self.cause = next(said, "the connection broke")
        self.is_lasting = isinstance(error, exceptions.SSLError)
        self.was_not_sent = self.is_lasting or isinstance(error, exceptions.ConnectTimeoutError)
        super().__init__(self.cause)


class Transport:
    """Sends requests to one server; threads may share it.

    Attributes:
        root: the path every request's begins with.
    """

    def __init__(
        self, site: Site, access_key_id: str, secret_access_key: str, *, options: Options
    ) -> None:
        """Check the address and make ready; opens no connection.

        Raises:
            ConfigurationError: the address is none of a web server.
        """
        self._site = site
        self._options = options
        credentials = f"{access_key_id}:{secret_access_key}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(credentials).decode('ascii')}",
            "User-Agent": "labeling-ops",
        }
        self.root = urlsplit(site.url).path.rstrip("/") + _API
        self._pool = self._open_pool()

    def send(
        self,
        request: Sendable,
        *,
        accept: tuple[int, ...] = (),
        stop: threading.Event | None = None,
    ) -> Reply:
        """Send a request and give the answer: a success, or a status named in `accept`.

        Tried again, a bounded number of times with growing, jittered pauses, where that may help
        and cannot do harm: a request that is not repeatable only where it surely did not arrive or
        lakeFS says that it was not carried out.

        Args:
            request: what to send.
            accept: statuses the caller may have a meaning for.
            stop: once it is set, nothing is tried again.

        Raises:
            OpsError: what failures.py makes of any other answer, or of none.
        """
        stop = stop or threading.Event()
        started = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        attempt = 1
        while True:
            outcome = self._once(request)
            if isinstance(outcome, Reply) and (outcome.is_success or outcome.status in accept):
                return outcome
            if attempt == self._options.tries or stop.is_set() or not _may_pass(outcome, request):
                break
            stop.wait(pause_s * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - jitter
            pause_s *= _PAUSE_GROWTH
            attempt += 1
        spent = f" after {attempt} tries in {time.monotonic() - started:.0f} s"
        return self._fail(outcome, request, spent if attempt > 1 else "")

    def _open_pool(self) -> "HTTPConnectionPool":
        import urllib3

        _check_url(self._site.url)
        return urllib3.connection_from_url(
            self._site.url,
            maxsize=self._options.connections,
            block=True,
            retries=False,
        )

    def exchange(
        self,
        method: str,
        target: str,
        *,
        body: bytes | str | None,
        headers: Mapping[str, str],
        timeout: "Timeout",
    ) -> "BaseHTTPResponse":
        """Send one request once, in our name, and read its answer, whatever it is.

        All that goes to the server goes through here, so that it is counted and bounded.

        Raises:
            _SilenceError: there is none.
        """
        from urllib3.exceptions import HTTPError

        if self._options.on_request is not None:
            self._options.on_request(method, target.partition("?")[0])
        try:
            return self._pool.urlopen(
                method,
                target,
                body=body,
                headers={**headers, **self._headers},
                timeout=timeout,
                redirect=False,
            )
        except HTTPError as error:
            raise _SilenceError(error, self._options.timeout_s) from error

    def _once(self, request: Sendable) -> Reply | _SilenceError:
        import urllib3

        read_s = self._options.timeout_s * (_SLOW_FACTOR if request.is_slow else 1)
        connect_s = min(_CONNECT_S, self._options.timeout_s)
        try:
            if isinstance(request, Call):
                return request.send((connect_s, read_s))
            answer = self.exchange(
                request.method,
                self.root + request.target,
                body=request.body,
                headers=request.headers,
                timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            )
        except _SilenceError as silence:
            return silence
        return Reply.of(answer.status, answer.data, answer.headers)

    def _fail(self, outcome: Reply | _SilenceError, request: Sendable, tries: str) -> NoReturn:
        if isinstance(outcome, Reply):
            raise failures.refused(outcome, request, self._site, tries=tries)
        raise failures.unreachable(
            outcome.cause, request, self._site, tries=tries
        ) from outcome.__cause__


def _check_url(url: str) -> None:
    from urllib3.exceptions import LocationValueError
    from urllib3.util import parse_url

    cause: Exception | None = None
    try:
        parts = parse_url(url)
        if parts.scheme in {"http", "https"} and parts.host:
            return
    except LocationValueError as error:
        cause = error
    raise ConfigurationError(
        "lakefs-url",
        f"{url!r} is not the address of a server",
        subject=url,
        unchanged="nothing was read or written",
        hint="write it as https://lakefs.example.org; ops config show says where it is set",
    ) from cause


def _may_pass(outcome: Reply | _SilenceError, request: Sendable) -> bool:
    if isinstance(outcome, Reply):
        return failures.may_pass(outcome, request)
    return not outcome.is_lasting and (request.is_repeatable or outcome.was_not_sent)
