"""The session's servers are the real ones, of the pinned versions, closed to strangers."""

import pytest

from ops.local.loopback import Client
from ops.local.state import Connection

pytestmark = pytest.mark.servers


def test_sign_up_is_off(servers: Connection) -> None:
    """Nobody can make an account without an invitation."""
    client = Client(servers.label_studio_url)
    client.get("/user/signup/")
    token = next(cookie.value for cookie in client.cookies if cookie.name == "csrftoken")
    assert token is not None
    answer = client.post_form(
        "/user/signup/",
        {
            "csrfmiddlewaretoken": token,
            "email": "stranger@example.com",
            "password": "long enough to pass",
        },
    )
    assert answer.status == 403
