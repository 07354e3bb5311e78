"""`ops local` as people and programs meet it: run as a command, in a directory of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.local import Connection, stack
from ops.local.home import Home, Service
from tests.narration import Narration
from tests.real import SHARED, explicit_binary


def _ops(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One run of the command, with none of the person's settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPS_", "LAKECTL_", "LABEL_STUDIO_"))
    }
    binary = explicit_binary()
    if binary is not None:
        environment["OPS_LAKEFS_BINARY"] = str(binary)
    return subprocess.run(
        [sys.executable, "-c", "from ops.cli.main import run; run()", *arguments],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _document(run: subprocess.CompletedProcess[str], exit_code: int = 0) -> dict[str, Any]:
    assert run.returncode == exit_code, run.stderr
    document = json.loads(run.stdout)
    assert document["exit_code"] == exit_code
    return document


@pytest.fixture(scope="module")
def directory(servers: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory whose home finds programs and templates where the servers' does."""
    del servers
    directory = tmp_path_factory.mktemp("work")
    home = Home.at(directory / ".ops")
    home.root.mkdir()
    for kept in ("bin", "cache"):
        (home.root / kept).symlink_to(SHARED / kept)
    yield directory
    stack.down(home.root, Narration())


@pytest.mark.servers
def test_up_is_planned_done_and_done_already(directory: Path) -> None:
    """The dry run names the steps; the run takes them; a second finds nothing to do."""
    planned = _document(_ops(directory, "local", "up", "--dry-run", "--json"))
    assert planned["status"] == "planned"
    assert planned["data"]["steps"][-2:] == ["start lakeFS", "start Label Studio"]
    assert not (directory / ".ops" / "local").exists()

    done = _document(_ops(directory, "local", "up", "--json"))
    assert done["command"] == ["local", "up"]
    assert not done["data"]["already_done"]
    assert [(s["server"], s["state"], s["version"]) for s in done["data"]["servers"]] == [
        ("lakefs", "running", "1.84.0"),
        ("label-studio", "running", "1.23.2"),
    ]

    again = _ops(directory, "local", "up")
    assert again.returncode == 0
    assert again.stdout.startswith("the servers run already: nothing to do\n")
    for server in done["data"]["servers"]:
        assert server["url"] in again.stdout
    assert _document(_ops(directory, "local", "up", "--dry-run", "--json"))["status"] == "ok"


@pytest.mark.servers
def test_progress_is_told_on_stderr_and_not_with_json(directory: Path) -> None:
    """One line a phase; with --json nothing but the document."""
    _ops(directory, "local", "down")
    told = _ops(directory, "local", "up")
    assert "lakeFS: starting" in told.stderr
    assert "Label Studio: starting" in told.stderr
    silent = _ops(directory, "local", "down", "--json")
    assert _document(silent)["data"]["already_done"] is False
    assert not silent.stderr


@pytest.mark.servers
def test_the_running_stack_gives_the_settings(directory: Path) -> None:
    """Where the servers run, every command knows them, and says where from."""
    up = _document(_ops(directory, "local", "up", "--json"))
    shown = _document(_ops(directory, "config", "show", "--json"))
    settings = {setting["name"]: setting for setting in shown["data"]["settings"]}
    urls = {server["server"]: server["url"] for server in up["data"]["servers"]}
    assert settings["lakefs.url"]["value"] == urls["lakefs"]
    assert settings["label_studio.url"]["value"] == urls["label-studio"]
    assert settings["label_studio.token"]["source"] == "the local stack"


@pytest.mark.servers
def test_secrets_are_shown_only_when_asked_for(directory: Path) -> None:
    """The log-in is there for the person who asks, and in no other output."""
    _ops(directory, "local", "up")
    secret = _document(_ops(directory, "local", "status", "--credentials", "--json"))
    password = secret["data"]["credentials"]["label_studio_password"]
    assert len(password) >= 16
    assert f"password: {password}" in _ops(directory, "local", "status", "--credentials").stdout
    for arguments in (["local", "status", "--json"], ["local", "up"], ["config", "show"]):
        run = _ops(directory, *arguments)
        assert password not in run.stdout + run.stderr


@pytest.mark.servers
def test_logs_are_shown_for_one_or_both(directory: Path) -> None:
    """The last lines, and the file they are from."""
    _ops(directory, "local", "up")
    one = _document(_ops(directory, "local", "logs", "lakefs", "--lines", "3", "--json"))
    [log] = one["data"]["logs"]
    assert log["server"] == "lakefs"
    assert len(log["lines"]) == 3
    both = _ops(directory, "local", "logs").stdout
    assert "lakeFS: " in both
    assert "Label Studio: " in both


@pytest.mark.servers
def test_reset_asks_first(directory: Path) -> None:
    """Without a terminal and without --yes nothing is removed; with it all of the data is."""
    _ops(directory, "local", "up")
    local = Home.at(directory / ".ops").local
    refused = _document(_ops(directory, "local", "reset", "--json"), exit_code=2)
    assert refused["errors"][0]["code"] == "needs-yes"
    planned = _document(_ops(directory, "local", "reset", "--dry-run", "--json"))
    assert planned["data"]["steps"] == ["stop Label Studio", "stop lakeFS", f"remove {local}"]
    assert local.exists()

    assert _ops(directory, "local", "reset", "--yes").returncode == 0
    assert not local.exists()
    assert _ops(directory, "local", "reset").stdout == "nothing to do\n"


def test_status_where_nothing_ever_ran(tmp_path: Path) -> None:
    """Stopped is an answer, not an error; nothing is made by asking."""
    run = _ops(tmp_path, "local", "status", "--json")
    states = [server["state"] for server in _document(run)["data"]["servers"]]
    assert states == ["stopped", "stopped"]
    assert not (tmp_path / ".ops").exists()


def test_logs_where_nothing_ever_ran(tmp_path: Path) -> None:
    """Not found, with the command that would make them."""
    refused = _document(_ops(tmp_path, "local", "logs", "--json"), exit_code=3)
    assert refused["errors"][0]["hint"] == "ops local up"


def test_a_broken_state_file_is_told_and_a_reset_mends_it(tmp_path: Path) -> None:
    """Invalid data for status, up and down; the one way out that the error names works."""
    home = Home.at(tmp_path / ".ops")
    home.local.mkdir(parents=True)
    home.state_file.write_text("{", encoding="utf-8")
    for word in ("status", "up", "down"):
        refused = _document(_ops(tmp_path, "local", word, "--json"), exit_code=9)
        assert refused["errors"][0]["code"] == "local-state"
    assert _ops(tmp_path, "local", "reset", "--yes").returncode == 0
    assert _ops(tmp_path, "local", "status").returncode == 0


def test_a_lakefs_setting_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A configuration error that names the file, before anything is started."""
    (tmp_path / "ops.toml").write_text('lakefs.binary = "/no/such/lakefs"\n', encoding="utf-8")
    if explicit_binary() is not None:
        pytest.skip("OPS_LAKEFS_BINARY is set and wins over ops.toml")
    for arguments in (["--dry-run"], []):
        refused = _document(_ops(tmp_path, "local", "up", "--json", *arguments), exit_code=8)
        assert refused["errors"][0]["code"] == "lakefs-binary"
        assert "/no/such/lakefs" in refused["errors"][0]["message"]
    assert not Home.at(tmp_path / ".ops").process_file(Service.LABEL_STUDIO).exists()
