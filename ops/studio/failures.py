"""What Label Studio's refusals and silences mean to a person.

Owns the wording of the errors of Label Studio's adapter. Makes no request and knows nothing of HTTP
clients. Label Studio's own words are quoted only where they are about the user's own data.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, cast

from ops.errors import (
    ConfigurationError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    UnavailableError,
)

_REASON_LENGTH = 400
# HTML is lower case; Label Studio's own tags are not, and a reason may name them.
_HTML_TAG = re.compile(r"</?[a-z][^<>]*>")
_REMEDY = (
    "make one in Label Studio under Account & Settings, Personal Access Token,\n"
    "and set OPS_LABEL_STUDIO_TOKEN to it"
)


class TokenKind(StrEnum):
    """What a token looks like, before any server has seen it."""

    NONE = "missing token"
    PERSONAL = "personal access token"
    ACCESS = "access token"
    LEGACY = "legacy token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says of itself; its signature is for the server to check.

    Attributes:
        lifetime_s: how long a JWT is valid from its making, or None.
        expires_at: seconds since the epoch, or None.
    """

    kind: TokenKind
    lifetime_s: float | None = None
    expires_at: float | None = None


def read_token(text: str) -> Token:
    """What a token looks like: a JWT says its type, anything else is a legacy token."""
    if not text:
        return Token(kind=TokenKind.NONE)
    try:
        payload = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        is_access = claims["token_type"] == "access"  # noqa: S105 - a claim, not a secret
        expires_at, issued_at = claims.get("exp"), claims.get("iat")
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return Token(kind=TokenKind.LEGACY)
    return Token(
        kind=TokenKind.ACCESS if is_access else TokenKind.PERSONAL,
        lifetime_s=expires_at - issued_at if expires_at and issued_at else None,
        expires_at=expires_at,
    )


class TokenError(DeniedError):
    """A token that is not accepted, or cannot be: says what to do about this one."""

    def __init__(self, url: str, token: str, *, detail: str = "") -> None:
        """`detail` is the server's reason, if one was asked."""
        message, hint = _token_advice(read_token(token), detail)
        super().__init__(
            "label-studio-token",
            message,
            where=(("server", url),),
            unchanged="nothing was written",
            hint=hint,
        )


def _token_advice(token: Token, detail: str) -> tuple[str, str]:
    if token.kind is TokenKind.NONE:
        return "there is no token for Label Studio", _REMEDY
    if token.kind is TokenKind.ACCESS:
        return (
            "the Label Studio token is an access token, which lives for five minutes",
            "use the personal access token itself: " + _REMEDY,
        )
    if token.kind is TokenKind.LEGACY and "legacy" in detail.lower():
        return (
            "this Label Studio takes no legacy tokens",
            _REMEDY + ",\nor let its administrator allow legacy tokens",
        )
    if token.expires_at is not None and token.expires_at < datetime.now(UTC).timestamp():
        ended = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%d")
        return f"the Label Studio token expired on {ended}", _REMEDY
    return (
        f"Label Studio does not accept the {token.kind}",
        "it is another server's, or revoked, or was cut off when it was copied;\n" + _REMEDY,
    )


class ForbiddenError(DeniedError):
    """The account may not do this (403)."""

    def __init__(self, url: str, request: str) -> None:
        """Name the request, as `GET /api/…`."""
        super().__init__(
            "label-studio-forbidden",
            "Label Studio does not allow this account to do that",
            where=(("server", url), ("request", request)),
            unchanged="nothing was written by this request",
            hint="use the token of an account that may administer the project",
        )


class UnreachableError(UnavailableError):
    """The server cannot be reached, or breaks off."""

    def __init__(self, url: str, request: str, *, tries: str) -> None:
        """Name the request and the tries, as `after 4 tries in 7 s`."""
        self.request = request
        super().__init__(
            "label-studio-unreachable",
            f"Label Studio does not answer at {url} ({tries})",
            where=(("request", request),),
            unchanged=_aftermath(request),
            hint="start it with: ops local up\nor, for a stack, forward it: ops open --forward\n"
            "or correct label_studio.url (ops config show says where it comes from),\n"
            "then run the same command again",
        )


class FailedError(UnavailableError):
    """The server answers 5xx, or that it is asked too much (429)."""

    def __init__(self, url: str, request: str, *, status: int, tries: str) -> None:
        """Name the request and the tries, as `after 4 tries in 7 s`; keep the status."""
        self.request, self.status = request, status
        super().__init__(
            "label-studio-failed",
            f"Label Studio answers {status} ({tries})",
            where=(("server", url), ("request", request)),
            unchanged=_aftermath(request),
            hint="run the same command again; its log says why, such as a full disk:\n"
            "ops local logs label-studio",
        )


def _aftermath(request: str) -> str:
    if request.startswith("GET "):
        return "nothing was written by this request"
    return "the request may have been carried out; the next run looks before it writes"


class TlsError(ConfigurationError):
    """The connection is not one that TLS lets trust."""

    def __init__(self, url: str) -> None:
        """Name the server."""
        super().__init__(
            "label-studio-tls",
            f"no trusted TLS connection to {url}",
            unchanged="nothing was sent",
            hint="check https and the name in label_studio.url; a private authority's certificate "
            "is named by SSL_CERT_FILE",
        )


class NotLabelStudioError(ConfigurationError):
    """What answers is not Label Studio."""

    def __init__(self, url: str, request: str, what: str) -> None:
        """Say what was seen, to be read after `does not answer like Label Studio:`."""
        super().__init__(
            "not-label-studio",
            f"{url} does not answer like Label Studio: {what}",
            where=(("request", request),),
            unchanged="nothing was written",
            hint="correct label_studio.url; ops config show says where it comes from",
        )


class UnexpectedAnswerError(ConfigurationError):
    """A 4xx that no Label Studio known to ops gives on that route, unless `about` explains it."""

    def __init__(self, request: str, *, status: int, body: object) -> None:
        """Name the request, as `GET /api/…`; keep the status and the answer's JSON."""
        self.status, self.body = status, body
        super().__init__(
            "label-studio-unexpected",
            f"Label Studio answers {status} to {request}",
            where=(("Label Studio says", reason(body)),),
            unchanged="nothing was written by this request",
            hint="this ops works with Label Studio 1.23: compare with the server's page /version",
        )


class GoneError(NotFoundError):
    """A project, task or annotation is not there, or not for this account to see."""

    def __init__(self, kind: str, number: int) -> None:
        """Say which; the code is `project-gone` and the like."""
        super().__init__(
            f"{kind}-gone",
            f"Label Studio has no {kind} {number} that this account may see",
            subject=str(number),
            unchanged="nothing was written",
            hint="it was deleted, or is another organization's; what is committed is in lakeFS",
        )


class RefusedDataError(InvalidDataError):
    """A 400 that is about the user's own data, in Label Studio's words."""

    def __init__(self, code: str, message: str, *, body: object, hint: str) -> None:
        """Quote the reason `body` holds."""
        super().__init__(
            code,
            message,
            where=(("Label Studio says", reason(body)),),
            unchanged="nothing was written",
            hint=hint,
        )


class MediaError(ConfigurationError):
    """Label Studio cannot read the pictures' bucket."""

    def __init__(self, bucket: str, *, body: object) -> None:
        """Quote the reason `body` holds."""
        super().__init__(
            "media-unreachable",
            f"Label Studio cannot read the bucket {bucket}",
            subject=bucket,
            where=(("Label Studio says", reason(body)),),
            unchanged="the project shows no pictures yet",
            hint="Label Studio must run with LABEL_STUDIO_S3_ENDPOINT set to lakeFS's address,\n"
            "and the lakeFS keys ops is given must be valid; then run the same command again",
        )


@contextmanager
def about(
    kind: str, number: int = 0, *, refused: Callable[[object], OpsError] | None = None
) -> Generator[None]:
    """Say what a refusal of the requests in this block means.

    `kind` and `number` are what they are about, as `project` and 31; `refused` words a 400 by its
    body.

    Raises:
        GoneError: the answer was 404.
        OpsError: it was 400: what `refused` gives.
        UnexpectedAnswerError: it was another 4xx.
    """
    try:
        yield
    except UnexpectedAnswerError as answer:
        if answer.status == HTTPStatus.NOT_FOUND:
            raise GoneError(kind, number) from answer
        if answer.status == HTTPStatus.BAD_REQUEST and refused is not None:
            raise refused(answer.body) from answer
        raise


def reason(body: object) -> str:
    """Label Studio's reason for a refusal: one line, no HTML, at most 400 characters."""
    facts = as_mapping(body)
    found = facts.get("validation_errors") or facts.get("detail") or body
    text = " ".join(_HTML_TAG.sub(" ", " ".join(_leaves(found))).split())
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"


def as_mapping(body: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}


def _leaves(value: object) -> list[str]:
    """Every text in a nest of lists and mappings, in order."""
    if isinstance(value, dict):
        return [
            leaf for inner in as_mapping(cast("object", value)).values() for leaf in _leaves(inner)
        ]
    if isinstance(value, list):
        return [leaf for inner in cast("list[object]", value) for leaf in _leaves(inner)]
    return [] if value is None else [str(value)]
