"""Who asks: tokens, their renewal, and what is kept between requests."""

import pytest

from ops.errors import ConfigurationError, DeniedError
from ops.studio import LabelStudio
from tests.studio.scripted import Connect, Script, parts, said, serve, token

MEMBERS = "GET /api/users/"
RENEW = "POST /api/token/refresh/"
NOBODY = said([])
REFUSED = said({"detail": "Invalid token."}, 401)


def authorizations(script: Script, path: str) -> list[str | None]:
    """The credentials that came with requests for a path."""
    return [seen.headers.get("Authorization") for seen in script.seen if seen.path == path]


def test_a_legacy_token_is_sent_as_it_is(script: Script, studio: LabelStudio) -> None:
    """Servers of older organizations take it."""
    script.on(MEMBERS, NOBODY)
    studio.members()
    assert authorizations(script, "/api/users/") == ["Token 0123abcd"]


def test_the_sdk_asks_with_the_same_token(script: Script, studio: LabelStudio) -> None:
    """And with none where none is needed."""
    script.on("GET /api/projects/", said({"count": 0, "next": None, "results": []}))
    script.on("GET /api/version/", said({"release": "1.23.2"}))
    studio.find_projects("ops:round/1")
    assert studio.server_version() == "1.23.2"
    assert authorizations(script, "/api/projects/") == ["Token 0123abcd"]
    assert authorizations(script, "/api/version/") == [None]


def test_a_personal_access_token_is_traded_once(script: Script, connect: Connect) -> None:
    """And never sent but for that."""
    personal, access = token("refresh"), token("access")
    script.on(RENEW, said({"access": access}))
    script.on(MEMBERS, NOBODY)
    studio = connect(script.url, personal + "\n")
    studio.members()
    studio.members()
    assert script.requests() == [RENEW, MEMBERS, MEMBERS]
    assert script.seen[0].body == {"refresh": personal}
    assert authorizations(script, "/api/users/") == [f"Bearer {access}"] * 2


def test_an_access_token_is_renewed_by_this_machines_clock(
    script: Script, connect: Connect
) -> None:
    """Before it ends, though its times are by a clock a century ahead."""
    brief, lasting = token("access", lifetime_s=0.001), token("access", lifetime_s=300)
    script.on(RENEW, said({"access": brief}), said({"access": lasting}))
    script.on(MEMBERS, NOBODY)
    studio = connect(script.url, token("refresh"))
    for _ in range(3):
        studio.members()
    assert authorizations(script, "/api/users/") == [
        f"Bearer {brief}",
        f"Bearer {lasting}",
        f"Bearer {lasting}",
    ]


def test_a_401_costs_one_renewal_and_one_more_try(script: Script, connect: Connect) -> None:
    """The server was restored, or its clock was set."""
    script.on(RENEW, said({"access": token("access")}))
    script.on(MEMBERS, REFUSED, NOBODY)
    studio = connect(script.url, token("refresh"))
    assert studio.members() == {}
    assert script.requests() == [RENEW, MEMBERS, RENEW, MEMBERS]
    script.on(MEMBERS, REFUSED)
    with pytest.raises(DeniedError):
        studio.members()
    assert script.requests()[4:] == [MEMBERS, RENEW, MEMBERS]


PERSONAL, ACCESS = token("refresh"), token("access")
EXPIRED = token("refresh", lifetime_s=60, issued_at=1_000_000_000)
DISABLED = said({"detail": "legacy token authentication has been disabled"}, 401)


ADVICE = {
    "": ("there is no token for Label Studio", "OPS_LABEL_STUDIO_TOKEN"),
    ACCESS: ("is an access token", "use the personal access token itself"),
    "0123abcd": ("does not accept the legacy token", "another server's, or revoked"),
    PERSONAL: ("does not accept the personal access token", "revoked"),
    EXPIRED: ("expired on 2001-09-09", "Personal Access Token"),
}


@pytest.mark.parametrize("given", ADVICE, ids=["none", "access", "legacy", "personal", "expired"])
def test_a_token_that_is_not_accepted_is_explained(
    script: Script, given: str, connect: Connect
) -> None:
    """By what it looks like, and without showing it."""
    message, hint = ADVICE[given]
    script.on(MEMBERS, REFUSED)
    script.on(RENEW, REFUSED)
    studio = connect(script.url, given)
    with pytest.raises(DeniedError) as caught:
        studio.members()
    assert caught.value.code == "label-studio-token"
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not given or given not in parts(caught.value) + repr(studio)


def test_legacy_tokens_may_be_switched_off(script: Script, studio: LabelStudio) -> None:
    """As they are by default."""
    script.on(MEMBERS, DISABLED)
    with pytest.raises(DeniedError) as caught:
        studio.members()
    assert caught.value.message == "this Label Studio takes no legacy tokens"
    assert "let its administrator allow" in caught.value.hint


def test_a_renewal_without_a_token_is_not_label_studios(script: Script, connect: Connect) -> None:
    """Though it answers in JSON."""
    script.on(RENEW, said({"hello": "world"}))
    with pytest.raises(ConfigurationError) as caught:
        connect(script.url, PERSONAL).members()
    assert caught.value.code == "not-label-studio"


def test_no_session_is_kept(script: Script, studio: LabelStudio) -> None:
    """Label Studio hands out a session with every answer; only the token says who asks."""
    script.on(MEMBERS, said([], headers={"Set-Cookie": "sessionid=1; Path=/"}))
    studio.members()
    studio.members()
    assert [seen.headers.get("Cookie") for seen in script.seen] == [None, None]


@pytest.mark.parametrize(
    ("server", "connections"),
    [("WSGIServer/0.2 CPython/3.11", ["keep-alive", "close"]), ("nginx", ["keep-alive"] * 2)],
    ids=["django", "nginx"],
)
def test_connections_are_kept_where_that_is_faster(
    server: str, connections: list[str], connect: Connect
) -> None:
    """Django's own server takes 40 ms longer on a connection that was used before."""
    with serve(server) as script:
        script.on(MEMBERS, NOBODY)
        studio = connect(script.url, "t")
        studio.members()
        studio.members()
        assert [seen.headers["Connection"] for seen in script.seen] == connections
