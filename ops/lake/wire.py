"""Requests to lakeFS and replies, as data.

Does not send anything and does not judge replies (failures.py).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlencode

PAGE_LENGTH = 1000
"""How many entries lakeFS gives, or takes, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is asked of lakeFS, in the words an error about it needs.

    Attributes:
        method: GET, POST, PUT or DELETE.
        doing: what it is for, as an infinitive: "upload annotations/a.json".
        about: what a 404 says is missing: "branch round-a".
        subject: what an error about it is about: a path, a branch, a tag.
        is_repeatable: sending it twice leaves, and answers, what sending it once does.
        is_slow: hooks run within it, so that it may take long.
    """

    method: str
    doing: str
    about: str
    subject: str
    is_repeatable: bool = True
    is_slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Intent):
    """A request of the control plane, which the SDK words.

    Attributes:
        send: have the SDK send it once, with the seconds to wait for a connection and for the
            server; gives any answer of lakeFS's, refusals too.
    """

    send: Callable[[tuple[float, float]], "Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Intent):
    """A request of the data plane, as it goes over the wire.

    Attributes:
        segments: the path below the API's root, unquoted.
        query: unquoted.
        body: the bytes to send.
        headers: besides the credentials; latin-1, as HTTP has them.
    """

    segments: tuple[str, ...]
    query: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def path(self) -> str:
        """The quoted path, with a slash first."""
        return "".join(f"/{quote(segment, safe='')}" for segment in self.segments)

    @property
    def target(self) -> str:
        """The quoted path and query."""
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    data: bytes
    etag: str = ""
    location: str = ""

    @classmethod
    def of(cls, status: int, data: bytes, headers: Mapping[str, str]) -> "Reply":
        """What counts of an answer; its headers are found in any letter case."""
        return cls(
            status=status,
            data=data,
            etag=headers.get("etag", ""),
            location=headers.get("location", ""),
        )

    @property
    def is_success(self) -> bool:
        """Say whether it is one of HTTP's successes."""
        return 200 <= self.status < 300  # noqa: PLR2004 - as HTTP defines them

    @property
    def said(self) -> str | None:
        """What lakeFS says went wrong; None where the body is not of lakeFS's making."""
        try:
            answer: Any = json.loads(self.data)
        except ValueError:
            return None
        if not isinstance(answer, dict):
            return None
        # A merge with conflicts answers 409 {"reference": ""}: lakeFS's, and without a word.
        fields = cast("dict[str, Any]", answer)
        said = fields.get("message", "" if "reference" in fields else None)
        return said if isinstance(said, str) else None
