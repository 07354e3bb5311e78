"""A door before fake-gcs-server that adds what it lacks, as Google Cloud Storage has it.

fake-gcs-server 1.5x answers objects truly, but forgets a bucket's settings, gives composed objects
an md5 they do not have at Google, knows no holds and no rights, allows every web page everything,
and refuses nobody. Owns those: settings by merge patch with a revision, facts of objects and rights
that a test states, preflights by the bucket's rules, refusals that a test asks for, and the
requests that came.
"""

import json
import re
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ops.local.loopback import HOST
from tests.gcs.emulator import Emulator

_BUCKET = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)")
_BUCKETS = "/storage/v1/b"
_RIGHTS = re.compile(rf"{_BUCKET.pattern}/iam/testPermissions")
_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass
class Front:
    """What the door knows.

    Attributes:
        url: where it is; what STORAGE_EMULATOR_HOST takes.
        behind: the real fake-gcs-server.
        settings: of each bucket, as Google states them.
        facts: what is said of an object instead of what is true, by bucket and name; None for not.
        rights: what who asks may do with a bucket; None for everything.
        refusals: the status to answer requests with whose `METHOD path` match.
        seen: the requests that came, as `METHOD path?query`.
    """

    behind: Emulator
    url: str = ""
    settings: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    facts: dict[tuple[str, str], Mapping[str, Any]] = field(
        default_factory=dict[tuple[str, str], Mapping[str, Any]]
    )
    rights: frozenset[str] | None = None
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    seen: list[str] = field(default_factory=list[str])

    @property
    def environment(self) -> dict[str, str]:
        """What a process that is to come through the door needs in its environment."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    @contextmanager
    def refusing(self, pattern: str, status: int) -> Generator[None]:
        """Answer what matches with a status, within the block."""
        self.refusals[pattern] = status
        try:
            yield
        finally:
            del self.refusals[pattern]

    def refusal(self, line: str) -> int | None:
        """The status a request is refused with, or None."""
        found = (status for said, status in self.refusals.items() if re.search(said, line))
        return next(found, None)

    def amend(self, bucket: str, stated: Mapping[str, Any]) -> None:
        """Merge settings into a bucket's; what is stated as None is removed."""
        there = self.settings.setdefault(bucket, {"metageneration": "0"})
        for name, value in stated.items():
            if value is None:
                there.pop(name, None)
            else:
                there[name] = value
        there["metageneration"] = str(int(there["metageneration"]) + 1)

    def amended(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer of the server behind, as Google would have given it."""
        if answer.get("kind") == "storage#bucket":
            return {**answer, **self.settings.get(answer["name"], {})}
        if answer.get("kind") == "storage#object":
            stated = self.facts.get((answer["bucket"], answer["name"]), {})
            return {k: v for k, v in {**answer, **stated}.items() if v is not None}
        if isinstance(answer.get("items"), list):
            answer["items"] = [self.amended(item) for item in answer["items"]]
        return answer


class _Door(BaseHTTPRequestHandler):
    """One request: refused, answered from the settings, or handed on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    front: Front

    def answer(self) -> None:
        body = self.body()
        front, path = self.front, urlsplit(self.path).path
        front.seen.append(f"{self.command} {self.path}")
        if (status := front.refusal(f"{self.command} {unquote(self.path)}")) is not None:
            self.refuse(status)
            return
        bucket = _BUCKET.fullmatch(path)
        if self.command == "OPTIONS":
            self.preflight(path.split("/")[1])
            return
        if asked := _RIGHTS.fullmatch(path):
            self.tell_rights(asked["bucket"])
            return
        if bucket and self.command == "PATCH":
            self.amend(bucket["bucket"], json.loads(body))
            return
        status, headers, said = self.hand_on(body)
        if path == _BUCKETS and self.command == "POST" and status == 200:
            stated = json.loads(body)
            front.amend(stated["name"], {k: v for k, v in stated.items() if k != "name"})
        if status == 200 and headers.get("content-type", "").startswith("application/json"):
            answer = json.loads(said)
            said = json.dumps(front.amended(answer)).encode() if answer else said
        self.give(status, headers, said)

    def body(self) -> bytes:
        """What the request carries; lakeFS sends uploads in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts: list[bytes] = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def amend(self, bucket: str, stated: dict[str, Any]) -> None:
        """Change settings, on condition of their revision where one is stated."""
        there = self.front.settings.get(bucket)
        wanted = parse_qs(urlsplit(self.path).query).get("ifMetagenerationMatch")
        if there is None:
            self.refuse(404)
        elif wanted and wanted != [there["metageneration"]]:
            self.refuse(412)
        else:
            self.front.amend(bucket, stated)
            said = {"kind": "storage#bucket", "name": bucket, **self.front.settings[bucket]}
            self.give(200, {"content-type": "application/json"}, json.dumps(said).encode())

    def tell_rights(self, bucket: str) -> None:
        """Which of the rights that are asked about who asks has."""
        asked = parse_qs(urlsplit(self.path).query).get("permissions", [])
        if bucket not in self.front.settings:
            self.refuse(404)
            return
        has = [one for one in asked if self.front.rights is None or one in self.front.rights]
        said = {
            "kind": "storage#testIamPermissionsResponse",
            **({"permissions": has} if has else {}),
        }
        self.give(200, {"content-type": "application/json"}, json.dumps(said).encode())

    def preflight(self, bucket: str) -> None:
        """A browser's question, answered by the bucket's own rules."""
        origin, method = self.headers["origin"], self.headers["access-control-request-method"]
        rules = self.front.settings.get(bucket, {}).get("cors", [])
        fits = (r for r in rules if method in r["method"] and {origin, "*"} & {*r["origin"]})
        rule = next(fits, None)
        allowed = {} if rule is None else {"access-control-allow-origin":
                                           origin if origin in rule["origin"] else "*"}  # fmt: skip
        self.give(200, allowed, b"")

    def hand_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What the server behind answers."""
        real = HTTPConnection(urlsplit(self.front.behind.url).netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        # Unpacked, so that it can be amended.
        headers["Accept-Encoding"] = "identity"
        real.request(self.command, self.path, body or None, headers)
        answer = real.getresponse()
        said = answer.read()
        given = {k.lower(): v for k, v in answer.getheaders() if k.lower() not in _HOP}
        real.close()
        return answer.status, given, said

    def refuse(self, status: int) -> None:
        """Answer as Google does: JSON, with words no person should ever read."""
        said = {"error": {"code": status, "message": f"googleapi says {status}, in its own words"}}
        self.give(status, {"content-type": "application/json"}, json.dumps(said).encode())

    def give(self, status: int, headers: Mapping[str, str], said: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Say nothing."""
        del format, args


class _Doorway(ThreadingHTTPServer):
    """Where requests come in."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Let who went away in the middle of a word go."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]


@contextmanager
def front(behind: Emulator) -> Generator[Front]:
    """The door before a fake-gcs-server, for the block."""
    made = Front(behind=behind)
    handler = type("Door", (_Door,), {"front": made})
    server = _Doorway((HOST, 0), handler)
    made.url = f"http://{HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
