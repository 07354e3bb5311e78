"""Label Studio as its pod has it, from an empty database on."""

import threading

import httpx
import pytest

from ops.local.home import Service
from tests.laws import note
from tests.pods.process import Server
from tests.pods.rounds import bearer
from tests.pods.stand import EMAIL, MEDIA_BUCKET, Stand
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


def test_set_up_at_once_and_again(own: Stand) -> None:
    """Two pods on an empty database: migrated once, one user, one organization."""
    ended: list[tuple[int, str]] = []

    def set_up() -> None:
        done = own.set_up(Service.LABEL_STUDIO)
        ended.append((done.code, done.said))

    pods = [threading.Thread(target=set_up) for _ in range(2)]
    for pod in pods:
        pod.start()
    for pod in pods:
        pod.join()
    assert [code for code, _ in ended] == [0, 0], ended
    assert own.secrets.first_password not in str(ended)
    assert own.sql("select email from htx_user", Service.LABEL_STUDIO) == EMAIL
    assert own.sql("select count(*) from organization", Service.LABEL_STUDIO) == "1"
    migrations = own.sql("select count(*) from django_migrations", Service.LABEL_STUDIO)
    names = own.sql(
        "select count(*) from (select distinct app, name from django_migrations) as once",
        Service.LABEL_STUDIO,
    )
    assert migrations == names
    assert int(migrations) > 300
    note("two set-ups at once", f"{migrations} migrations, each once; one user, one organization")


def test_its_doors(stand: Stand) -> None:
    """Nobody signs up, no token lasts for ever, nothing is told to anybody outside."""
    client = stand.client(Service.LABEL_STUDIO)
    client.get("/user/signup/")
    csrf = next(cookie.value for cookie in client.cookies if cookie.name == "csrftoken")
    fields = {"email": "mallory@example.org", "password": "long enough", "csrfmiddlewaretoken": ""}
    signed_up = client.post_form("/user/signup/", {**fields, "csrfmiddlewaretoken": csrf or ""})
    assert signed_up.status == 403
    assert "mallory" not in stand.sql("select email from htx_user", Service.LABEL_STUDIO)

    header = bearer(stand, stand.connection().label_studio_token)
    settings = stand.client(Service.LABEL_STUDIO).get("/api/jwt/settings", headers=header).json()
    assert isinstance(settings, dict)
    assert settings["legacy_api_tokens_enabled"] is False
    page = stand.client(Service.LABEL_STUDIO).get("/user/login/").body.decode()
    assert "sentry.io" not in page


def test_its_uploads_are_in_the_bucket(stand: Stand) -> None:
    """A pod's own disk is gone with it: an uploaded file goes to the bucket, and comes back."""
    header = bearer(stand, stand.connection().label_studio_token)
    client = stand.client(Service.LABEL_STUDIO)
    choices = '<Choices name="c" toName="t"><Choice value="a"/></Choices>'
    config = f'<View><Text name="t" value="$t"/>{choices}</View>'
    made = client.post_json(
        "/api/projects/", {"title": "uploads", "label_config": config}, headers=header
    ).json()
    assert isinstance(made, dict)
    uploaded = httpx.post(
        f"{stand.url(Service.LABEL_STUDIO)}/api/projects/{made['id']}/import",
        files={"file": ("words.json", b'[{"t": "words"}]')},
        headers=header,
        timeout=60,
    )
    assert uploaded.status_code == 201, uploaded.text
    [kept] = stand.bucket_names(MEDIA_BUCKET)
    assert kept.endswith("words.json")


def test_a_wrong_database_password_is_said(own: Stand) -> None:
    """In the words of PostgreSQL and without the password; no server starts."""
    own.secrets.label_studio_password = "not-the-password"  # noqa: S105
    container = own.pod("Deployment", "label-studio")["set-up"]
    trying = Server(
        name="set-up",
        command=container.command,
        environment=own.seen(container),
        directory=own.log(Service.LABEL_STUDIO).parent,
    )
    trying.start(lambda: True)
    try:
        wait_for(lambda: "waiting for PostgreSQL" in trying.tail(), "the first attempt")
        said = trying.log.read_text()
    finally:
        trying.stop()
    assert 'password authentication failed for user "label_studio"' in said
    assert own.secrets.label_studio_password not in said
