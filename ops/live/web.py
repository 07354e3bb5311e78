"""One HTTP request and its answer, whatever it is.

Owns that a request to this machine goes past any proxy, and that a redirect is an answer. Tries
nothing again, and knows no server.
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered.

    Attributes:
        status: 0 where there was no answer.
        headers: by name in lower case.
        body: its first 64 KiB.
        at_s: when it was asked, and answered: the middle, in seconds since the epoch.
        within_s: how long that took.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    at_s: float
    within_s: float


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        """A redirect is an answer."""
        return


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10,
) -> Answer:
    """Send one request, once."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(url).hostname in _LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))  # noqa: S310 - the settings take http and https only
    began, since = time.time(), time.monotonic()

    def answer(status: int, fields: Mapping[str, str], body: bytes) -> Answer:
        within_s = time.monotonic() - since
        named = {name.lower(): value for name, value in fields.items()}
        return Answer(
            status=status, headers=named, body=body, at_s=began + within_s / 2, within_s=within_s
        )

    try:
        with opener.open(request, timeout=timeout_s) as response:
            return answer(response.status, dict(response.headers), response.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return answer(error.code, dict(error.headers), error.read(_MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return answer(0, {}, b"")
