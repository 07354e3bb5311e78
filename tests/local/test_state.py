"""What the home remembers: private, whole, and never made up."""

import json
import os
import select
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from ops.errors import InvalidDataError
from ops.local import connection
from ops.local.home import Home, Service, make_home
from ops.local.processes import Process, start_mark, write_record
from ops.local.state import State, as_connection, load, new_credentials, save


def _saved(root: Path, token: str = "") -> tuple[Home, State]:
    home = Home.at(root)
    ports = {Service.LAKEFS: 20_001, Service.LABEL_STUDIO: 20_002}
    state = State(ports=ports, credentials=new_credentials()).with_token(token)
    save(home, state)
    return home, state


def _record_self(home: Home, *services: Service) -> None:
    """Let this very process stand for servers."""
    mark = start_mark(os.getpid())
    assert mark is not None
    for service in services:
        write_record(home.process_file(service), Process(pid=os.getpid(), started=mark))


def test_state_reads_back(tmp_path: Path) -> None:
    """What is saved is what is loaded."""
    home, state = _saved(tmp_path / ".ops", "t")
    assert load(home) == state


def test_nothing_is_remembered_before_the_first_start(tmp_path: Path) -> None:
    """No home, no state, no connection."""
    assert load(Home.at(tmp_path / ".ops")) is None
    assert connection(tmp_path / ".ops") is None
    assert not (tmp_path / ".ops").exists()


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """The state file is 0600 and its directory 0700, whatever the umask and an older file said."""
    home = Home.at(tmp_path / ".ops")
    home.local.mkdir(parents=True)
    home.state_file.write_text("old", encoding="utf-8")
    home.state_file.chmod(0o644)
    before = os.umask(0)
    try:
        _saved(home.root)
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.local.stat().st_mode) == 0o700


def test_the_home_stays_out_of_git(tmp_path: Path) -> None:
    """`git add .` in the working directory never takes credentials along."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    home, _ = _saved(tmp_path / ".ops")
    make_home(home)
    shown = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not shown.stdout


def test_credentials_are_random_and_fit_the_servers() -> None:
    """No two homes share a secret; lakeFS's S3 gateway takes key ids of 3 to 20 characters."""
    one, other = new_credentials(), new_credentials()
    for name in one.__slots__:
        if name not in {"label_studio_email", "label_studio_token"}:
            assert getattr(one, name) != getattr(other, name), name
    assert 3 <= len(one.lakefs_access_key_id) <= 20


def test_secrets_stay_out_of_reprs(tmp_path: Path) -> None:
    """A state or connection that gets into a message says nothing secret."""
    home, state = _saved(tmp_path / ".ops", "the-token")
    _record_self(home, *Service)
    shown = f"{state!r} {connection(home.root)!r}"
    assert "Connection(" in shown
    for secret in (
        "the-token",
        state.credentials.label_studio_password,
        state.credentials.lakefs_secret_access_key,
        state.credentials.label_studio_secret_key,
    ):
        assert secret not in shown


def test_a_connection_needs_both_servers_and_a_token(tmp_path: Path) -> None:
    """Half a stack is not offered as one that can be worked with."""
    home, state = _saved(tmp_path / ".ops")
    _record_self(home, Service.LAKEFS)
    complete = state.with_token("t")
    save(home, complete)
    assert connection(home.root) is None
    _record_self(home, Service.LABEL_STUDIO)
    found = connection(home.root)
    assert found is not None
    assert found.lakefs_url == "http://127.0.0.1:20001"
    assert found == as_connection(complete)
    save(home, state)
    assert connection(home.root) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"schema": "ops.local/9"}', '{"schema": "ops.local/1", "ports": {}}'],
)
def test_a_broken_state_file_is_refused(tmp_path: Path, text: str) -> None:
    """Never replaced by fresh credentials, which would lock the data away."""
    home, _ = _saved(tmp_path / ".ops")
    home.state_file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDataError) as refused:
        load(home)
    assert refused.value.code == "local-state"
    assert home.state_file.read_text(encoding="utf-8") == text


def test_a_wrong_port_in_the_state_file_is_refused(tmp_path: Path) -> None:
    """A port is a number from 1 to 65535."""
    home, _ = _saved(tmp_path / ".ops")
    document = json.loads(home.state_file.read_text(encoding="utf-8"))
    document["ports"]["lakefs"] = 70_000
    home.state_file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InvalidDataError):
        load(home)


def test_a_lost_state_file_beside_data_is_refused(tmp_path: Path) -> None:
    """Data without their keys are not given new ones."""
    home, _ = _saved(tmp_path / ".ops")
    home.data(Service.LAKEFS).mkdir()
    home.state_file.unlink()
    with pytest.raises(InvalidDataError) as refused:
        load(home)
    assert "missing beside its data" in refused.value.message


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    """What cannot be written whole is not written, and the error says so."""
    home, state = _saved(tmp_path / ".ops")
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from ops.errors import ConfigurationError\n"
        "from ops.local.home import Home; from ops.local.state import load, save\n"
        "home = Home.at(Path(sys.argv[1])); state = load(home)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: save(home, state.with_token('new'))\n"
        "except ConfigurationError as error: print(error.code)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script, home.root], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "cannot-write\n"
    assert load(home) == state
    assert [path.name for path in home.local.iterdir()] == ["state.json"]


def test_a_lock_is_held_by_one_and_goes_with_its_process(tmp_path: Path) -> None:
    """A second process waits; a killed holder leaves nothing to clean up."""
    path = tmp_path / "lock"
    script = (
        "import sys, time; from pathlib import Path; from ops.local.home import locked\n"
        "print('waiting', flush=True)\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, path]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as other,
    ):
        try:
            outputs = {_output(one): one, _output(other): other}
            assert {output.readline() for output in outputs} == {b"waiting\n"}
            ready, _, _ = select.select(list(outputs), [], [], 10)
            [holding] = ready
            [blocked] = outputs.keys() - {holding}
            assert holding.readline() == b"held\n"
            assert select.select([blocked], [], [], 0.3) == ([], [], [])
            outputs[holding].kill()
            assert blocked.readline() == b"held\n"
        finally:
            one.kill()
            other.kill()


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout
