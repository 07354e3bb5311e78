"""What tests of the real servers share besides the fixture `servers`."""

import base64
import os
from pathlib import Path

from ops.local import Connection
from ops.local.loopback import Client

SHARED = Path(__file__).parents[1] / ".ops"
"""The checkout's own home: every test stack takes binaries and templates from there."""


def explicit_binary() -> Path | None:
    """The lakeFS program OPS_LAKEFS_BINARY names, or None."""
    named = os.environ.get("OPS_LAKEFS_BINARY")
    return Path(named) if named else None


def basic(servers: Connection) -> dict[str, str]:
    """The header by which lakeFS's API knows us."""
    pair = f"{servers.lakefs_access_key_id}:{servers.lakefs_secret_access_key}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(servers: Connection) -> dict[str, str]:
    """The header by which Label Studio's API knows us, good for five minutes. One request."""
    client = Client(servers.label_studio_url)
    answer = client.post_json("/api/token/refresh/", {"refresh": servers.label_studio_token})
    return {"Authorization": f"Bearer {answer.text_at('access')}"}


def logged_in(servers: Connection) -> Client:
    """A client with a browser's session in Label Studio. Two requests."""
    client = Client(servers.label_studio_url)
    client.get("/user/login/")
    csrf = next(cookie.value for cookie in client.cookies if cookie.name == "csrftoken")
    client.post_form(
        "/user/login/",
        {
            "csrfmiddlewaretoken": csrf or "",
            "email": servers.label_studio_email,
            "password": servers.label_studio_password,
        },
    )
    return client
