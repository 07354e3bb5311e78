"""One request to lakeFS and one reply, as data.

Does not send anything and does not judge replies (failures.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, with the words an error about it needs.

    Attributes:
        method: GET, POST, PUT or DELETE.
        segments: the path below the API's root, unquoted.
        doing: what it is for, as an infinitive: "upload annotations/a.json".
        about: what a 404 says is missing: "branch round-a".
        subject: what an error about it is about: a path, a branch, a tag.
        query: unquoted.
        body: the bytes to send.
        headers: besides the credentials; latin-1, as HTTP has them.
        is_repeatable: sending it twice leaves, and answers, what sending it once does.
        is_slow: hooks run within it, so that it may take long.
    """

    method: str
    segments: tuple[str, ...]
    doing: str
    about: str
    subject: str
    query: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_repeatable: bool = True
    is_slow: bool = False

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
