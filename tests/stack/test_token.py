"""Tokens derived from Label Studio's key: the real server takes them, until they are revoked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local import Connection
from ops.local.loopback import Client
from ops.stack.token import LIFETIME, is_good, make_token
from ops.studio import LabelStudio
from ops.studio.failures import TokenError, TokenKind, read_token
from tests.stack.conftest import secret_key_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@given(key=st.text(min_size=1), other=st.text(min_size=1), token_id=st.text(max_size=40))
def test_a_token_is_good_for_its_own_key_alone(key: str, other: str, token_id: str) -> None:
    """And until a month before it ends."""
    token = make_token(key, now=NOW, token_id=token_id)
    assert is_good(token, key, now=NOW)
    assert is_good(token, other, now=NOW) is (key == other)
    assert not is_good(token, key, now=NOW + LIFETIME - timedelta(days=29))
    assert not is_good(token + "x", key, now=NOW)


@given(st.text(max_size=200))
def test_no_text_makes_the_check_itself_fail(text: str) -> None:
    """Whatever stands in the file."""
    assert not is_good(text, "key", now=NOW)


def test_ops_reads_it_as_what_it_is() -> None:
    """A personal access token that ends."""
    token = read_token(make_token("key", now=NOW, token_id="1"))  # noqa: S106 - no password
    assert token.kind is TokenKind.PERSONAL
    assert token.expires_at == (NOW + LIFETIME).timestamp()


@pytest.mark.servers
def test_label_studio_takes_it_for_its_first_users(servers: Connection) -> None:
    """Beside the token that account has: nobody else's is revoked by it."""
    token = make_token(secret_key_of(servers), now=datetime.now(UTC), token_id="first")  # noqa: S106
    studio = LabelStudio(servers.label_studio_url, token)
    other = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    try:
        assert studio.members()[1] == servers.label_studio_email
        assert other.members() == studio.members()
    finally:
        studio.close()
        other.close()


@pytest.mark.servers
@pytest.mark.parametrize("days", [-100, 1])
def test_label_studio_refuses_one_that_ended_or_is_of_the_future(
    servers: Connection, days: int
) -> None:
    """A laptop's clock may be an hour ahead, not a day."""
    made = datetime.now(UTC) + timedelta(days=days)
    token = make_token(secret_key_of(servers), now=made, token_id=f"days{days}")
    studio = LabelStudio(servers.label_studio_url, token)
    with pytest.raises(TokenError):
        studio.members()
    studio.close()


@pytest.mark.servers
def test_one_that_was_revoked_is_refused_and_the_next_is_not(servers: Connection) -> None:
    """Each has a name of its own, by which it is revoked."""
    key, now = secret_key_of(servers), datetime.now(UTC)
    lost = make_token(key, now=now, token_id="lost-laptop")  # noqa: S106 - no password
    kept = make_token(key, now=now, token_id="kept-laptop")  # noqa: S106 - no password
    client = Client(servers.label_studio_url)
    access = client.post_json("/api/token/refresh/", {"refresh": lost}).text_at("access")
    headers = {"Authorization": f"Bearer {access}"}
    revoked = client.post_json("/api/token/blacklist/", {"refresh": lost}, headers=headers)
    assert revoked.status == 204
    studio = LabelStudio(servers.label_studio_url, lost)
    with pytest.raises(TokenError):
        studio.members()
    studio.close()
    studio = LabelStudio(servers.label_studio_url, kept)
    assert studio.members()
    studio.close()
