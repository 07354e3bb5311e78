"""lakeFS as its pod has it, from an empty database on."""

import socket
import threading

import pytest

from ops.local.home import Service
from ops.local.loopback import HOST
from tests.pods.process import Server
from tests.pods.stand import Stand
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

CLAIM = {
    "username": "mallory",
    "key": {"access_key_id": "AKIAMALLORY", "secret_access_key": "mine"},
}


def is_open(stand: Stand) -> bool:
    """Whether anything listens where lakeFS will."""
    port = int(stand.url(Service.LAKEFS).rpartition(":")[2])
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def administrators(stand: Stand) -> list[str]:
    """The access keys in lakeFS's database."""
    keys = "select convert_from(key, 'UTF8') from kv where partition_key = 'basicAuth'"
    found = stand.sql(keys, Service.LAKEFS).splitlines()
    return [key.rpartition("/")[2] for key in found if "/credentials/" in key]


def test_nobody_can_claim_it(own: Stand) -> None:
    """Its port opens when its administrator is there, and not before."""
    opened = threading.Event()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            if is_open(own):
                opened.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert own.set_up(Service.LAKEFS).code == 0
    finally:
        done.set()
        watcher.join()
    assert not opened.is_set()
    assert administrators(own) == [own.secrets.access_key_id]

    own.serve(Service.LAKEFS)
    claimed = own.client(Service.LAKEFS).post_json("/api/v1/setup_lakefs", CLAIM)
    assert claimed.status == 409
    assert administrators(own) == [own.secrets.access_key_id]


def test_without_set_up_it_could_be_claimed(own: Stand) -> None:
    """Why the set-up is there: the test above would fail without it."""
    own.serve(Service.LAKEFS)
    claimed = own.client(Service.LAKEFS).post_json("/api/v1/setup_lakefs", CLAIM)
    assert claimed.status == 200
    assert administrators(own) == ["AKIAMALLORY"]


def test_set_up_again_and_at_once(own: Stand) -> None:
    """Two pods start at once, and again whenever they are moved."""
    ended: list[int] = []
    pods = [
        threading.Thread(target=lambda: ended.append(own.set_up(Service.LAKEFS).code))
        for _ in range(2)
    ]
    for pod in pods:
        pod.start()
    for pod in pods:
        pod.join()
    assert ended == [0, 0]
    again = own.set_up(Service.LAKEFS)
    assert (again.code, again.said.strip()) == (0, "lakeFS was set up before")
    own.serve(Service.LAKEFS)
    assert own.lakefs("/api/v1/user").status == 200


def test_its_logs_hold_no_secret(own: Stand) -> None:
    """What lakeFS prints at its set-up, the secret key, its pod does not."""
    said = own.set_up(Service.LAKEFS).said
    own.serve(Service.LAKEFS)
    assert own.lakefs("/api/v1/repositories").status == 200
    said += own.log(Service.LAKEFS).read_text()
    assert "lakeFS is set up" in said
    found = [name for name, value in own.secrets.every().items() if value in said]
    assert found == []


def test_a_wrong_database_password_is_said(own: Stand) -> None:
    """In the words of PostgreSQL, without the password, and nothing is served."""
    own.secrets.lakefs_password = "not-the-password"  # noqa: S105
    [container] = [own.pod("Deployment", "lakefs")["set-up"]]
    trying = Server(
        name="set-up",
        command=container.command,
        environment=own.seen(container),
        directory=own.log(Service.LAKEFS).parent,
    )
    trying.start(lambda: True)
    try:
        wait_for(lambda: "attempt 1 of 12" in trying.tail(), "the first attempt")
        said = trying.log.read_text()
    finally:
        trying.stop()
    assert 'password authentication failed for user "lakefs"' in said
    assert own.secrets.lakefs_password not in said
    assert not is_open(own)
