"""The token by which `ops` is known to a stack's Label Studio: derived, not asked for.

Owns what a personal access token of Label Studio 1.23 is made of. Why it is derived and not got by
a log-in: docs/adr/0020-from-stack-to-ops.md. Sends nothing.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

ADMINISTRATOR = 1
"""The id of Label Studio's first user, whom the stack makes before its port is reachable."""

LIFETIME = timedelta(days=90)
_RENEW_BEFORE = timedelta(days=30)
# A token made in the server's future is refused; clocks may differ.
_BACKDATED = timedelta(hours=1)
_HEADER: Mapping[str, object] = {"alg": "HS256", "typ": "JWT"}


def make_token(secret_key: str, *, now: datetime, token_id: str) -> str:
    """A personal access token of the first user, good for 90 days.

    Args:
        secret_key: Label Studio's SECRET_KEY.
        now: the time.
        token_id: what tells it from any other, for who revokes it.
    """
    claims: Mapping[str, object] = {
        "token_type": "refresh",
        "exp": int((now + LIFETIME).timestamp()),
        "iat": int((now - _BACKDATED).timestamp()),
        "jti": token_id,
        "user_id": str(ADMINISTRATOR),
    }
    signed = f"{_encoded(_json(_HEADER))}.{_encoded(_json(claims))}"
    return f"{signed}.{_signature(signed, secret_key)}"


def is_good(token: str, secret_key: str, *, now: datetime) -> bool:
    """Say whether a token was made with this key, and stays good for another month.

    Whether it was revoked, only the server knows.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed, secret_key).encode()):
        return False
    try:
        body = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        ends = cast("Mapping[str, object]", claims)["exp"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        return False
    return isinstance(ends, int) and ends > (now + _RENEW_BEFORE).timestamp()


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _signature(signed: str, secret_key: str) -> str:
    return _encoded(hmac.new(secret_key.encode(), signed.encode(), hashlib.sha256).digest())
