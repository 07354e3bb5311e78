"""`ops open`: pages, and forwards that live and end with the command."""

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ops.local import Connection
from ops.local.home import Service
from ops.local.loopback import is_free
from ops.stack.file import read, write
from ops.stack.use import FORWARDED_PORTS, forwarded_url
from tests.cli.calls import COMMAND, check_envelope, environment
from tests.cli.conftest import Call
from tests.stack.kubectl import kubectl
from tests.stack.ports import ports
from tests.stack.recorded import before_path, program
from tests.stack.running import READY, answers, forwarding, read_until, remember
from tests.waiting import wait_for

__all__ = ["ports"]

_DEADLINE_S = 30
PUBLIC = {"label_studio": "https://labeling.example.org", "lakefs": "https://lake.example.org"}


def tools(directory: Path) -> str:
    """PATH with the test's kubectl first."""
    return before_path(kubectl(directory / "bin"))


def targets(servers: Connection) -> dict[str, int | None]:
    """Where the Services of the test's kubectl are."""
    return {
        "service/lakefs": urlsplit(servers.lakefs_url).port,
        "service/label-studio": urlsplit(servers.label_studio_url).port,
    }


def are_gone(pids: Path) -> bool:
    """Whether every kubectl that was started has ended."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split())


def test_pages_are_printed(call: Call, tmp_path: Path) -> None:
    """Of a stack with public addresses, and of one server where it is named."""
    remember(tmp_path, {}, PUBLIC)
    document = check_envelope(call("open", "--json"), ["open"])
    assert (document["data"], document["warnings"]) == ({**PUBLIC, "web_addresses": []}, [])
    one = call("open", "lakefs", "--json").document["data"]
    assert one == {"lakefs": PUBLIC["lakefs"], "web_addresses": []}
    assert call("open").stdout.splitlines() == [
        "label-studio https://labeling.example.org",
        "lakefs       https://lake.example.org",
    ]


def test_people_are_told_where_they_pass_the_proxy(call: Call, tmp_path: Path) -> None:
    """Behind Identity-Aware Proxy programs go another way than browsers."""
    remember(tmp_path, {})
    found = read(tmp_path)
    assert found is not None
    facts = {**found.facts, "web_addresses": " ".join(PUBLIC.values())}
    write(tmp_path, replace(found, facts=facts))
    said = call("open").stdout.splitlines()
    assert said[0] == "label-studio http://127.0.0.1:18080"
    assert said[2:] == [f"for people   {page}" for page in PUBLIC.values()]


def test_pages_that_nobody_forwards_are_told(call: Call, tmp_path: Path) -> None:
    """With the command that does."""
    remember(tmp_path, {})
    said = call("open")
    assert said.exit_code == 0
    assert said.stderr.count("next: ops open --forward") == 2


def test_what_is_reached_without_is_not_forwarded(call: Call, tmp_path: Path) -> None:
    """A stack with public addresses, or no stack at all."""
    remember(tmp_path, {}, PUBLIC)
    [error] = call("open", "--forward", "--json").document["errors"]
    assert error["code"] == "nothing-to-forward"
    assert "config use --stack NAME --forward" in error["hint"]
    call("config", "use", "--local")
    away = {"OPS_LAKEFS_URL": "http://127.0.0.1:1", "OPS_LABEL_STUDIO_URL": "http://127.0.0.1:2"}
    said = call("open", "--forward", "--json", **away).document
    assert (said["exit_code"], said["errors"][0]["code"]) == (4, "nothing-to-forward")


@pytest.mark.parametrize("missing", ["kubectl", "gke-gcloud-auth-plugin"])
def test_a_program_that_is_missing_is_named(call: Call, tmp_path: Path, missing: str) -> None:
    """With how to install it; nothing is started."""
    remember(tmp_path, {"command": "gke-gcloud-auth-plugin"})
    place = kubectl(tmp_path / "bin")
    (place / missing).unlink()
    said = call("open", "--forward", "--json", PATH=f"{place}").document
    assert (said["exit_code"], said["errors"][0]["code"]) == (8, "no-program")
    assert missing in said["errors"][0]["message"]
    assert f"gcloud components install {missing}" in said["errors"][0]["hint"]


def test_a_port_that_is_taken_is_named(call: Call, tmp_path: Path) -> None:
    """No other is taken in its place: the address would be another."""
    import socket

    remember(tmp_path, {"targets": {}})
    with socket.create_server(("127.0.0.1", 18000)):
        place = before_path(kubectl(tmp_path / "bin"))
        said = call("open", "--forward", "--json", PATH=place).document
    assert (said["exit_code"], said["errors"][0]["code"]) == (4, "port-taken")
    assert "18000" in said["errors"][0]["message"]


def test_what_kubectl_says_is_passed_on(call: Call, tmp_path: Path) -> None:
    """And the other forward is ended."""
    remember(tmp_path, {"targets": {}})
    place = before_path(kubectl(tmp_path / "bin"))
    said = call("open", "--forward", "--json", PATH=place).document
    assert (said["exit_code"], said["errors"][0]["code"]) == (7, "forward-failed")
    assert "NotFound" in said["errors"][0]["where"]["kubectl says"]
    assert "get pods" in said["errors"][0]["hint"]
    assert all(map(is_free, FORWARDED_PORTS.values()))


@pytest.mark.servers
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_both_are_forwarded_until_the_command_ends(
    servers: Connection, tmp_path: Path, ending: signal.Signals
) -> None:
    """However it is told to; its children end with it, and that is no failure."""
    pids = tmp_path / "pids"
    remember(tmp_path, {"targets": targets(servers), "pids": str(pids)})
    with forwarding(tmp_path, path=tools(tmp_path)) as running:
        said = read_until(running, READY)
        assert [url for url in map(forwarded_url, Service) if url not in said] == []
        assert all(map(answers, Service))
        kubeconfig = tmp_path / "secrets" / "kubeconfig.yaml"
        assert kubeconfig.stat().st_mode & 0o077 == 0
        running.send_signal(ending)
        stdout, _ = running.communicate(timeout=_DEADLINE_S)
    assert (running.returncode, stdout) == (0, "nothing is forwarded any more\n")
    assert are_gone(pids)
    assert all(map(is_free, FORWARDED_PORTS.values()))


@pytest.mark.servers
def test_a_connection_that_is_lost_is_made_again(servers: Connection, tmp_path: Path) -> None:
    """As when the pod is replaced by another version; the other server's goes on."""
    lose, pids = tmp_path / "lose", tmp_path / "pids"
    known = {"targets": targets(servers), "lose": str(lose), "pids": str(pids)}
    remember(tmp_path, known)
    with forwarding(tmp_path, path=tools(tmp_path)) as running:
        read_until(running, READY)
        lose.write_text("service/lakefs")
        said = read_until(running, "there again")
        assert answers(Service.LAKEFS)
        assert len(pids.read_text().split()) == 3
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=_DEADLINE_S)
    assert "lakeFS: the connection was lost; making it again" in said
    assert "Label Studio: the connection was lost" not in said
    assert are_gone(pids)


@pytest.mark.servers
def test_a_kubectl_that_leads_nowhere_is_replaced(servers: Connection, tmp_path: Path) -> None:
    """As one does whose pod is gone, and that does not know it yet."""
    deaf, pids = tmp_path / "deaf", tmp_path / "pids"
    known = {"targets": targets(servers), "deaf": str(deaf), "pids": str(pids)}
    remember(tmp_path, known)
    with forwarding(tmp_path, path=tools(tmp_path)) as running:
        read_until(running, READY)
        deaf.touch()
        read_until(running, "there again")
        assert not deaf.exists()
        wait_for(lambda: all(map(answers, Service)), "both answer", timeout_s=_DEADLINE_S)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=_DEADLINE_S)
    assert are_gone(pids)


@pytest.mark.servers
def test_one_server_alone(servers: Connection, tmp_path: Path) -> None:
    """The other port stays free; with --json the one document comes in the end."""
    remember(tmp_path, {"targets": targets(servers)})
    with forwarding(tmp_path, "lakefs", "--json", path=tools(tmp_path)) as running:
        wait_for(lambda: answers(Service.LAKEFS), "lakeFS answers", timeout_s=_DEADLINE_S)
        assert is_free(FORWARDED_PORTS[Service.LABEL_STUDIO])
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=_DEADLINE_S)
    assert stderr == ""
    assert json.loads(stdout)["data"]["lakefs"] == "http://127.0.0.1:18000"


def test_the_pages_open_in_the_browser(tmp_path: Path) -> None:
    """Whichever the person has: here one that notes what it is told to open."""
    remember(tmp_path, {}, PUBLIC)
    note = tmp_path / "opened"
    lines = f"import sys\nopen({str(note)!r}, 'a').write(sys.argv[1] + '\\n')\n"
    place = program(tmp_path / "bin", "browser", lines)
    said = subprocess.run(
        [*COMMAND, "open", "--browser"],
        cwd=tmp_path,
        env=environment(BROWSER=f"{place / 'browser'} %s", PATH=os.environ["PATH"]),
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.splitlines()[0].endswith(PUBLIC["label_studio"])
    assert note.read_text().split() == [*PUBLIC.values()]
