"""The verbs of the embedded servers on the real programs: one stack of this file's own.

The tests leave the stack running for the next one, each from whatever state it finds.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from ops.errors import NotFoundError, UnavailableError
from ops.local import connection, stack
from ops.local.home import Home, Service
from ops.local.loopback import Client, is_free
from ops.local.processes import Process, start_mark, wait_gone, write_record
from ops.local.state import Connection, State, load, save
from ops.local.status import Condition, Status, logs, running_process
from tests.narration import Narration
from tests.real import SHARED, basic, bearer, explicit_binary

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def root(servers: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of this file's stack, brought down at the end; where there can be servers at all."""
    del servers
    root = tmp_path_factory.mktemp("stack") / ".ops"
    yield root
    stack.down(root, Narration())


def _up(root: Path, narration: Narration | None = None) -> Status:
    return stack.up(root, narration or Narration(), lakefs_binary=explicit_binary(), shared=SHARED)


def _connected(status: Status) -> Connection:
    assert status.connection is not None
    return status.connection


def _state(root: Path) -> State:
    state = load(Home.at(root))
    assert state is not None
    return state


def _conditions(status: Status) -> list[Condition]:
    return [server.condition for server in status.servers]


def _pids(status: Status) -> list[int | None]:
    return [server.pid for server in status.servers]


def test_up_starts_what_is_down_and_nothing_twice(root: Path) -> None:
    """The first up changes something and the second does not; both give the same servers."""
    assert _conditions(stack.status(root)) == [Condition.STOPPED] * 2
    first = _up(root)
    second = _up(root)

    assert first.changed
    assert not second.changed
    assert _conditions(second) == [Condition.RUNNING] * 2
    assert [server.version for server in second.servers] == ["1.84.0", "1.23.2"]
    assert _pids(second) == _pids(first)
    assert second.connection == first.connection == connection(root)


def test_data_ports_and_credentials_survive_a_restart(root: Path) -> None:
    """After down nothing listens and nobody is offered a connection; after up all is as before."""
    before = _connected(_up(root))
    name = f"kept-{uuid4().hex[:8]}"
    lakefs, label_studio = Client(before.lakefs_url), Client(before.label_studio_url)
    made = {"name": name, "storage_namespace": f"local://{name}"}
    assert lakefs.post_json("/api/v1/repositories", made, headers=basic(before)).status == 201
    project = label_studio.post_json("/api/projects", {"title": name}, headers=bearer(before))
    assert project.status == 201

    down = stack.down(root, Narration())
    assert down.changed
    assert _conditions(down) == [Condition.STOPPED] * 2
    assert connection(root) is None
    assert all(is_free(port) for port in _state(root).ports.values())
    assert not stack.down(root, Narration()).changed

    assert _connected(_up(root)) == before
    found = lakefs.get(f"/api/v1/repositories/{name}", headers=basic(before))
    assert found.status == 200
    assert name.encode() in label_studio.get("/api/projects", headers=bearer(before)).body


def test_the_copies_of_exports_go_with_the_server(root: Path) -> None:
    """Label Studio keeps two files an export; an up beside it leaves what may be in use."""
    connected = _connected(_up(root))
    headers, client = bearer(connected), Client(connected.label_studio_url)
    made = client.post_json("/api/projects/", {"title": "copies"}, headers=headers)
    project = cast("dict[str, int]", made.json())["id"]
    export = f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
    folder = Home.at(root).data(Service.LABEL_STUDIO) / "data" / "export"

    assert client.get(export, headers=headers).status == 200
    kept = {path.name for path in folder.iterdir()}
    assert len(kept) == 2
    _up(root)
    assert {path.name for path in folder.iterdir()} == kept
    stack.down(root, Narration())
    assert not list(folder.iterdir())


def test_a_killed_server_is_told_as_died_and_started_again(root: Path) -> None:
    """The other server is left as it is."""
    lakefs_pid, label_studio_pid = _pids(_up(root))
    killed = running_process(Home.at(root), Service.LABEL_STUDIO)
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    assert wait_gone(killed, timeout_s=10)
    assert _conditions(stack.status(root)) == [Condition.RUNNING, Condition.DIED]
    assert connection(root) is None

    again = _up(root)
    assert again.changed
    assert again.is_running
    assert _pids(again)[0] == lakefs_pid
    assert _pids(again)[1] != label_studio_pid


def test_a_stale_record_stops_nothing_that_is_not_ours(root: Path) -> None:
    """A record whose pid belongs to another program now: up replaces it, down ignores it."""
    stack.down(root, Narration())
    with subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            mark = start_mark(bystander.pid)
            record = Home.at(root).process_file(Service.LABEL_STUDIO)
            stale = Process(pid=bystander.pid, started=f"before {mark}")
            write_record(record, stale)
            assert _conditions(stack.status(root)) == [Condition.STOPPED, Condition.DIED]
            assert not stack.down(root, Narration()).changed
            write_record(record, stale)
            status = _up(root)
            assert status.is_running
            assert bystander.pid not in _pids(status)
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_taken_port_is_left_to_its_owner(root: Path) -> None:
    """The server moves, says so, and Label Studio is told where lakeFS is now."""
    before = _connected(_up(root))
    old = _state(root).ports[Service.LAKEFS]
    stack.down(root, Narration())
    with socket.create_server(("127.0.0.1", old)) as foreign:
        narration = Narration()
        moved = _up(root, narration)
        foreign.setblocking(False)
        with pytest.raises(BlockingIOError):
            foreign.accept()
    after = _connected(moved)
    assert after.lakefs_url != before.lakefs_url
    assert after.label_studio_url == before.label_studio_url
    assert any(
        note.startswith(f"lakeFS: port {old} is taken") and after.lakefs_url[-5:] in note
        for note in narration.notes
    )
    assert _environment(moved)["LABEL_STUDIO_S3_ENDPOINT"] == after.lakefs_url


def _environment(status: Status) -> dict[str, str]:
    """What Label Studio's process sees."""
    pid = _pids(status)[1]
    shown = subprocess.run(
        ["ps", "eww", "-o", "command=", "-p", str(pid)], check=True, capture_output=True, text=True
    )
    return dict(word.split("=", 1) for word in shown.stdout.split() if "=" in word)


_UP = """
import json, sys
from pathlib import Path
from ops.local import stack
from tests.narration import Narration
binary = Path(sys.argv[3]) if len(sys.argv) > 3 else None
status = stack.up(Path(sys.argv[1]), Narration(), shared=Path(sys.argv[2]), lakefs_binary=binary)
print(json.dumps([status.changed, status.is_running, [server.pid for server in status.servers]]))
"""
# Each of these would change where or how a server runs that took them from its environment.
_HOSTILE = {
    "CI": "true",
    "DEBUG": "true",
    "DJANGO_SETTINGS_MODULE": "nowhere",
    "HOST": "http://example.com",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "LABEL_STUDIO_BASE_DATA_DIR": "/nowhere",
    "LAKEFS_DATABASE_TYPE": "mem",
    "LAKEFS_LISTEN_ADDRESS": "0.0.0.0:1",
    "PORT": "1",
    "http_proxy": "http://127.0.0.1:9",
}
# Set by ops.local itself, to values of its own.
_OURS = {"DJANGO_SETTINGS_MODULE", "LABEL_STUDIO_BASE_DATA_DIR"}


def test_two_ups_at_once_start_one_stack_in_a_hostile_environment(root: Path) -> None:
    """The second waits for the first; the servers outlive both and see none of their variables."""
    stack.down(root, Narration())
    checkout = Path(__file__).parents[2]
    command = [sys.executable, "-c", _UP, root, SHARED, *filter(None, [explicit_binary()])]
    environment = {**os.environ, **_HOSTILE, "PYTHONPATH": str(checkout)}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=checkout)
        for _ in range(2)
    ]
    said = sorted(json.loads(process.communicate(timeout=120)[0]) for process in both)

    assert [changed for changed, _, _ in said] == [False, True]
    assert all(is_running for _, is_running, _ in said)
    status = stack.status(root)
    assert [pids for _, _, pids in said] == [_pids(status)] * 2
    assert status.is_running
    assert not set(_environment(status)) & (_HOSTILE.keys() - _OURS)


def test_nobody_else_can_read_anything(root: Path) -> None:
    """Data, logs, state and configuration: directories 0700, files 0600, or less."""
    _up(root)
    open_paths = [
        str(path)
        for path in Home.at(root).local.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert not open_paths
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_secrets_are_in_no_log_and_no_command_line(root: Path) -> None:
    """What is secret is in the state file, the configuration, and nowhere else to be seen."""
    status = _up(root)
    pids = ",".join(str(pid) for pid in _pids(status))
    commands = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", pids], check=True, capture_output=True, text=True
    ).stdout
    assert "lakefs" in commands
    shown = commands + "".join(server.log.read_text("utf-8") for server in status.servers)
    credentials = _state(root).credentials
    for name in credentials.__slots__:
        if name not in {"label_studio_email", "lakefs_access_key_id"}:
            assert getattr(credentials, name) not in shown, name


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the whole of 127.0.0.0/8")
def test_the_servers_listen_on_the_loopback_only(root: Path) -> None:
    """The same port of this machine's other addresses is free."""
    _up(root)
    for port in _state(root).ports.values():
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", port))
            probe.listen()


def test_a_token_nobody_knows_any_more_is_replaced(root: Path) -> None:
    """An up that was killed before it noted the token is mended by the next."""
    old = _connected(_up(root))
    home = Home.at(root)
    save(home, _state(root).with_token(""))
    assert connection(root) is None

    new = _connected(_up(root))
    assert new.label_studio_token != old.label_studio_token
    refreshed = Client(new.label_studio_url).post_json(
        "/api/token/refresh/", {"refresh": old.label_studio_token}
    )
    assert refreshed.status == 401


def test_logs_are_the_last_lines(root: Path) -> None:
    """As many as asked for, oldest first; before the first start there are none."""
    _up(root)
    two = logs(root, Service.LABEL_STUDIO, lines=2)
    assert len(two) == 2
    text = Home.at(root).log_file(Service.LABEL_STUDIO).read_text("utf-8")
    assert text.endswith("\n".join(two) + "\n")
    with pytest.raises(NotFoundError) as refused:
        logs(root / "other", Service.LAKEFS)
    assert refused.value.code == "no-log"


def test_reset_removes_the_data_and_only_that(root: Path) -> None:
    """Servers stopped, data, ports and credentials gone, binaries kept; a second finds nothing."""
    status = _up(root)
    kept = root / "bin" / "mine"
    kept.parent.mkdir()
    kept.touch()

    assert stack.reset(root, Narration()).changed
    assert not Home.at(root).local.exists()
    assert kept.exists()
    assert all(start_mark(pid) is None for pid in _pids(status) if pid is not None)
    assert not stack.reset(root, Narration()).changed


def test_a_server_that_ends_at_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The error carries what the program said and where its log is."""
    program = tmp_path / "lakefs"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo lakefs version 1.84.0 && exit\n'
        "echo no space left on device; exit 3\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    root = tmp_path / ".ops"
    try:
        with pytest.raises(UnavailableError) as failed:
            stack.up(root, Narration(), lakefs_binary=program, shared=SHARED)
    finally:
        stack.down(root, Narration())
    assert failed.value.code == "lakefs-start"
    assert "ended while it was starting" in failed.value.message
    assert dict(failed.value.where) == {
        "log": str(Home.at(root).log_file(Service.LAKEFS)),
        "said": "no space left on device",
    }


def test_down_where_nothing_ever_was(tmp_path: Path) -> None:
    """Nothing to stop, nothing to make."""
    root = tmp_path / ".ops"
    assert not stack.down(root, Narration()).changed
    assert not stack.reset(root, Narration()).changed
    assert not root.exists()
