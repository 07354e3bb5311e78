"""Every exit code of the contract, reached by a command; real refusals are in test_round.py."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ops
from ops.cli.main import InterruptedByUserError
from ops.errors import OpsError
from tests.cli.calls import COMMAND, Said, check_envelope, environment, run
from tests.cli.conftest import Call
from tests.serving import SilentHandler, serving

REACHED_ELSEWHERE = {4, 5, 10}
"""Refused, conflict and partial need the real servers: tests/cli/test_round.py."""


def settings_for(address: str) -> dict[str, str]:
    """Both servers at one address."""
    return {
        "OPS_LAKEFS_URL": address,
        "OPS_LAKEFS_ACCESS_KEY_ID": "KEY",
        "OPS_LAKEFS_SECRET_ACCESS_KEY": "hush-hush",
        "OPS_LABEL_STUDIO_URL": address,
        "OPS_LABEL_STUDIO_TOKEN": "hush-token",
        "OPS_REPOSITORY": "cheese",
        "OPS_ACTOR": "ann",
    }


@contextmanager
def _serving(status: int, body: bytes, content_type: str) -> Generator[str]:
    """A server on loopback that gives one answer to everything."""

    class Handler(SilentHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

    with serving(Handler) as address:
        yield address


def test_0_done(call: Call) -> None:
    """The command did what was asked."""
    assert check_envelope(call("config", "show", "--json"), ["config", "show"])["exit_code"] == 0


def test_0_done_already(call: Call) -> None:
    """Nothing to do is no error, and is said."""
    document = check_envelope(call("local", "down", "--json"), ["local", "down"])
    assert document["data"]["already_done"]


def test_1_a_damaged_installation(tmp_path: Path) -> None:
    """A copy of ops that lacks a module: said as such, one document with --json."""
    shutil.copytree(Path(ops.__file__).parent, tmp_path / "ops")
    (tmp_path / "ops" / "runner" / "status.py").unlink()
    said = run(
        "round", "list", "--json", directory=tmp_path, env=settings_for("http://127.0.0.1:9")
    )
    document = check_envelope(said, ["round", "list"])
    assert (document["exit_code"], document["errors"][0]["code"]) == (1, "installation")
    assert "ops.runner.status" in document["errors"][0]["message"]
    plain = run("round", "list", directory=tmp_path, env=settings_for("http://127.0.0.1:9"))
    assert (plain.exit_code, plain.stdout) == (1, "")
    assert plain.stderr.startswith("error[installation]: ")


def test_1_an_installation_without_its_command_line(tmp_path: Path) -> None:
    """Even where the command tree itself cannot be built there is one document."""
    shutil.copytree(Path(ops.__file__).parent, tmp_path / "ops")
    (tmp_path / "ops" / "cli" / "round.py").unlink()
    document = check_envelope(run("round", "list", "--json", directory=tmp_path), [])
    assert (document["exit_code"], document["errors"][0]["code"]) == (1, "installation")


def test_2_wrong_usage(call: Call) -> None:
    """An option that is none."""
    assert (
        check_envelope(call("config", "show", "--x", "--json"), ["config", "show"])["exit_code"]
        == 2
    )


def test_2_nobody_to_answer(call: Call) -> None:
    """Without a terminal and without --yes nothing is finished or reverted."""
    variables = settings_for("http://127.0.0.1:9")
    for command in (["round", "finish", "cheese"], ["dataset", "revert", "--to", "v1"]):
        document = check_envelope(call(*command, "--json", **variables), command[:2])
        assert (document["exit_code"], document["errors"][0]["code"]) == (2, "needs-yes")


def test_3_not_found(call: Call) -> None:
    """A file that is not there."""
    variables = settings_for("http://127.0.0.1:9")
    said = call("init", "--label-config", "nowhere.xml", "--json", **variables)
    document = check_envelope(said, ["init"])
    assert (document["exit_code"], document["errors"][0]["subject"]) == (3, "nowhere.xml")


def test_3_the_working_directory_is_gone(tmp_path: Path) -> None:
    """Removed by somebody while a shell stands in it."""
    directory = tmp_path / "gone"
    directory.mkdir()
    script = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", script, *COMMAND, "config", "show", "--json"],
        cwd=directory, env=environment(PYTHONSAFEPATH="1"), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    said = Said(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    document = check_envelope(said, ["config", "show"])
    assert (document["exit_code"], document["errors"][0]["code"]) == (3, "no-directory")


def test_6_denied(call: Call) -> None:
    """A server that knows nobody; the secret is in no part of the error."""
    with _serving(401, b'{"message": "error authenticating request"}', "application/json") as url:
        said = call("round", "list", "--json", **settings_for(url))
    document = check_envelope(said, ["round", "list"])
    assert document["exit_code"] == 6
    assert "hush" not in said.stdout


def test_7_unavailable(call: Call) -> None:
    """Nothing listens there."""
    command = ["dataset", "log"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        document = check_envelope(call(*command, "--json", **settings_for(address)), command)
    assert document["exit_code"] == 7
    assert address in document["errors"][0]["where"].values()


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (200, b"<html>a proxy's log-in page</html>", "text/html"),
        (200, b"{", "application/json"),
        (404, b"<html>no such page</html>", "text/html"),
        (502, b"<html>bad gateway</html>", "text/html"),
    ],
)
def test_a_server_that_answers_badly_is_an_error_of_ours(
    status: int, body: bytes, content_type: str, call: Call
) -> None:
    """Never a bug of ops, never the server's page as text."""
    with _serving(status, body, content_type) as url:
        said = call("round", "list", "--json", **settings_for(url))
    document = check_envelope(said, ["round", "list"])
    assert document["exit_code"] in {3, 7, 8}
    assert "<html>" not in said.stdout


def test_8_configuration(call: Call) -> None:
    """A setting that is missing."""
    assert check_envelope(call("round", "list", "--json"), ["round", "list"])["exit_code"] == 8


def test_8_the_output_cannot_be_written(tmp_path: Path) -> None:
    """A full disk loses the output and says so."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, "config", "show"], cwd=tmp_path, env=environment(), stdout=full,
            stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 8
    assert done.stderr.startswith("error[cannot-write-output]: ")
    assert "Traceback" not in done.stderr


def test_9_invalid_data(call: Call, tmp_path: Path) -> None:
    """A label config that is no XML."""
    (tmp_path / "broken.xml").write_text("<View><Image")
    variables = settings_for("http://127.0.0.1:9")
    said = call("init", "--label-config", "broken.xml", "--json", **variables)
    assert check_envelope(said, ["init"])["exit_code"] == 9


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("as_json", [False, True])
def test_130_interrupted(as_json: bool, silent: socket.socket, tmp_path: Path) -> None:
    """Ctrl-C while a server is waited for."""
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    arguments = ["round", "list", *(["--json"] if as_json else [])]
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, env=environment(**settings_for(address)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    silent.settimeout(60)
    connection, _ = silent.accept()
    with connection:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    said = Said(exit_code=process.returncode, stdout=stdout, stderr=stderr)
    assert said.exit_code == InterruptedByUserError.exit_code == 130
    if as_json:
        assert check_envelope(said, ["round", "list"])["errors"][0]["code"] == "interrupted"
    else:
        assert stdout == ""
        assert stderr.startswith("error[interrupted]: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show"],
        ["config", "show", "--json"],
        ["round", "list", "--json"],
        ["--help"],
        ["--version"],
        ["round", "--help"],
    ],
)
def test_141_nobody_reads(arguments: list[str], tmp_path: Path) -> None:
    """`ops … | head -0`: no traceback, whether a result, an error or a help page is cut off."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, env=environment(), stdout=pipe,
            stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_streams_may_be_closed(tmp_path: Path) -> None:
    """A shell's `>&-`: the exit code is still the command's."""
    script = 'exec "$0" -m ops config show >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, env=environment(), check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0


def test_every_exit_code_has_a_test() -> None:
    """One class, one code; each reached here or on the real servers."""
    codes = {0, *(kind.exit_code for kind in OpsError.__subclasses__()), 141}
    names = [name for name in globals() if name.startswith("test_")]
    reached = {int(part) for name in names if (part := name.split("_")[1]).isdigit()}
    assert codes == reached | REACHED_ELSEWHERE
