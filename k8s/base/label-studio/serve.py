"""Label Studio as a WSGI application and two more pages: /ready asks the database, /alive does not.

Label Studio's own /health is no use for either: its view looks at nothing, but what runs before
every view asks the database for the organization (1.23.2): without one it is answered with 500.
"""

from collections.abc import Callable, Iterable
from typing import Any

from core.wsgi import application as _label_studio
from django.db import Error, connection

_Environ = dict[str, Any]
_Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: _Environ, start_response: _Start) -> Iterable[bytes]:
    """Answer /alive and /ready here, and everything else as Label Studio does."""
    if environ.get("PATH_INFO") == "/alive":
        return _answer(start_response, "200 OK", b"alive\n")
    if environ.get("PATH_INFO") == "/ready":
        return _ready(start_response)
    return _label_studio(environ, start_response)


def _ready(start_response: _Start) -> Iterable[bytes]:
    # One query, on a connection of its own: Label Studio keeps none between requests either.
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except Error:
        status, body = "503 Service Unavailable", b"the database does not answer\n"
    else:
        status, body = "200 OK", b"ready\n"
    finally:
        connection.close()
    return _answer(start_response, status, body)


def _answer(start_response: _Start, status: str, body: bytes) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]
