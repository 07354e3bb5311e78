"""Every credential changed on running pods, as secrets/README.md says it."""

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from ops.local.home import Service
from tests.laws import note
from tests.pods.process import Finished
from tests.pods.rounds import access, ops_on, picture, started
from tests.pods.stand import BUCKET, EMAIL, Stand
from tests.tree import ROOT
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

CHANGE_KEY = (ROOT / "tools" / "change-lakefs-key").read_text("utf-8")
SECOND = "the-second-secret-access-key"
CACHE_S = 20
"""How long lakeFS 1.84 believes what it knows of a key (auth.cache.ttl), and a little jitter."""


def change_key(stand: Stand, secret: str, *, key_id: str | None = None) -> Finished:
    """Run tools/change-lakefs-key as `kubectl exec` does in the pod."""
    server = stand.pod("Deployment", "lakefs")["lakefs"]
    program, _, configuration, _ = server.command
    environment = {
        **server.environment,
        "LAKEFS_PROGRAM": program,
        "LAKEFS_CONFIGURATION": configuration,
    }
    command = ["sh", "-c", CHANGE_KEY, "key", key_id or stand.secrets.access_key_id]
    pod = replace(server, command=command, environment=environment)
    return stand.run(pod, said=f"{secret}\n".encode())


def is_let_in(stand: Stand) -> bool:
    """Whether lakeFS takes the Secret's key."""
    return stand.lakefs("/api/v1/repositories").status == 200


@contextmanager
def other(stand: Stand, **changed: str) -> Generator[None]:
    """Other secrets for the length of a block."""
    before = stand.secrets
    stand.secrets = replace(before, **changed)
    try:
        yield
    finally:
        stand.secrets = before


def test_lakefs_key(own: Stand) -> None:
    """While it runs, without a moment in which it could be claimed; the old one is refused."""
    own.start(Service.LAKEFS)
    made = own.client(Service.LAKEFS).post_json(
        "/api/v1/repositories",
        {"name": "labels", "storage_namespace": f"gs://{BUCKET}/lakefs/{uuid4().hex}"},
        headers=own.basic(),
    )
    assert made.status == 201
    done = change_key(own, SECOND)
    changed_s = time.monotonic()
    assert done.code == 0, done.said
    assert SECOND not in done.said
    claimed = own.client(Service.LAKEFS).post_json("/api/v1/setup_lakefs", {"username": "mallory"})
    assert claimed.status == 409

    with other(own, secret_access_key=SECOND):
        wait_for(lambda: is_let_in(own), "the new key is taken", timeout_s=2 * CACHE_S)
        taken_s = time.monotonic() - changed_s
        assert own.lakefs("/api/v1/repositories/labels").status == 200
    assert not is_let_in(own)
    own.secrets.secret_access_key = SECOND
    own.stop(Service.LAKEFS)
    own.start(Service.LAKEFS)
    assert is_let_in(own)
    note("lakeFS's key changed", f"taken {taken_s:.0f} s later, the old one refused, no restart")


def test_lakefs_key_in_projects(stand: Stand, tmp_path: Path) -> None:
    """A project shows its pictures with the key it was made with, until it is given the new one."""
    ops = ops_on(stand, tmp_path)
    project = started(ops, 1)
    assert isinstance(picture(stand, project), bytes)
    secret = f"{stand.secrets.secret_access_key}-2"
    assert change_key(stand, secret).code == 0
    stand.secrets = replace(stand.secrets, secret_access_key=secret)
    wait_for(lambda: is_let_in(stand), "the new key is taken", timeout_s=2 * CACHE_S)
    assert isinstance(picture(stand, project), int)
    done = subprocess.run(
        [sys.executable, "-m", "tools.change_key_in_projects"],
        cwd=ROOT,
        env=ops_on(stand, tmp_path, repository=ops.repository).environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "projects have lakeFS's key now" in done.stdout
    assert isinstance(picture(stand, project), bytes)


def test_lakefs_key_of_another_id_is_refused(own: Stand) -> None:
    """It would be a second key that no command shows."""
    own.start(Service.LAKEFS)
    done = change_key(own, "another", key_id="AKIAANOTHER")
    assert done.code == 3
    assert "nothing was changed" in done.said
    assert change_key(own, "").code == 2
    assert is_let_in(own)


def test_lakefs_encryption_key(own: Stand) -> None:
    """Changed, it takes the stored key along; setting the key again brings it back."""
    own.start(Service.LAKEFS)
    assert is_let_in(own)
    own.stop(Service.LAKEFS)
    own.secrets.lakefs_encryption_key = "another-encryption-key-of-some-length"
    own.start(Service.LAKEFS)
    assert not is_let_in(own)
    assert change_key(own, own.secrets.secret_access_key).code == 0
    wait_for(lambda: is_let_in(own), "the key is taken again", timeout_s=2 * CACHE_S)


def test_lakefs_signing_key(own: Stand) -> None:
    """Nothing stored depends on it."""
    own.start(Service.LAKEFS)
    own.stop(Service.LAKEFS)
    own.secrets.lakefs_signing_key = "another-signing-key-of-some-length"
    own.start(Service.LAKEFS)
    assert is_let_in(own)


def test_database_passwords(stand: Stand) -> None:
    """make-databases.sh gives the roles the Secret's passwords; then the pods start anew."""
    old = stand.secrets
    stand.secrets = replace(
        old,
        lakefs_password=f"{old.lakefs_password}-2",
        label_studio_password=f"{old.label_studio_password}-2",
    )
    done = stand.script("make-databases.sh")
    assert done.code == 0, done.said
    for service in Service:
        stand.stop(service)
        stand.start(service)
        assert set(stand.probes(service).values()) == {200}
    assert is_let_in(stand)
    with other(stand, lakefs_password=old.lakefs_password):
        assert "password authentication failed" in stand.asks_database().said
    assert stand.asks_database().code == 0


def test_label_studio_secret_key(stand: Stand) -> None:
    """Sessions and tokens end; the password makes new ones."""
    token = stand.connection().label_studio_token
    assert access(stand, token).status == 200
    stand.stop(Service.LABEL_STUDIO)
    stand.secrets.secret_key = "another secret key, which is to be fifty characters long too"  # noqa: S105
    stand.start(Service.LABEL_STUDIO)
    assert access(stand, token).status == 401
    assert access(stand, stand.connection().label_studio_token).status == 200


def test_label_studio_password(stand: Stand) -> None:
    """In the pod, from standard input; the Secret alone changes nobody's password."""
    password = "the second password of the first user"  # noqa: S105
    with other(stand, first_password=password):
        assert stand.set_up(Service.LABEL_STUDIO).code == 0
        assert not stand.can_log_in()
    server = stand.pod("Deployment", "label-studio")["label-studio"]
    command = ["label-studio", "reset_password", "--username", EMAIL]
    done = stand.run(replace(server, command=command), said=f"{password}\n".encode())
    assert done.code == 0, done.said
    assert password not in done.said
    assert not stand.can_log_in()
    stand.secrets.first_password = password
    assert stand.can_log_in()


def test_label_studio_token(stand: Stand) -> None:
    """Whoever has it can revoke it, and needs nothing else; then another can be made."""
    token = stand.connection().label_studio_token
    client = stand.client(Service.LABEL_STUDIO)
    assert client.post_json("/api/token/blacklist/", {"refresh": token}).status == 204
    assert access(stand, token).status == 401
    assert access(stand, stand.connection().label_studio_token).status == 200
