"""The engine on Ray: the same table as here, nothing left behind, nobody else let in."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from ops.core.names import IMAGE_PROFILE_PATH, MAIN
from ops.core.records import TaskKey
from ops.engines.versions import check_versions, versions
from ops.errors import ConfigurationError
from ops.local import Connection
from ops.local.loopback import free_port
from ops.ports import Upload
from ops.runner.deposit import deposit
from ops.runner.profile import read_profile
from tests.command import Ops
from tests.context import real_context
from tests.engines.descendants import alive, command_of, descendants, is_loopback, listeners
from tests.photos import coffee, file_of, photographs, png_claiming, turned
from tests.tree import ROOT
from tests.waiting import wait_for

ROOM = {"images/no+te%20s é.txt": b"buy cheese", "images/none.jpg": b""}


class Desk(Ops):
    """`ops` on the real servers, with a home of its own and a repository of forty pictures."""

    def __init__(self, directory: Path, servers: Connection) -> None:
        super().__init__(directory, servers)
        self.home = directory / "home"
        self.home.mkdir()
        # Ray's sockets lie in it, whose paths may be 107 bytes long.
        self.temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        kept = {n: v for n, v in self.environment.items() if not n.startswith(("RAY_", "DAFT_"))}
        self.environment = {**kept, "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        self.run("init", "--labels", "brie,gouda")
        self.context = real_context(servers, self.repository)
        pictures = {
            f"images/p{number:02}.jpg": file_of(one) for number, one in enumerate(photographs(36))
        }
        odd = {
            "images/turned.jpg": turned(coffee(), 6),
            "images/cut.jpg": file_of(coffee())[:4000],
            "images/bomb.png": png_claiming(65_000, 65_000),
            "images/cmyk.jpg": file_of(coffee().convert("CMYK")),
        }
        uploads = [Upload(path=p, data=d) for p, d in {**pictures, **odd, **ROOM}.items()]
        deposit(self.context, "data-add", uploads, message="Add pictures")

    def table(self) -> bytes:
        """The profile as it lies on main."""
        found = self.context.lake.read(MAIN, IMAGE_PROFILE_PATH)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def desk(servers: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    found = Desk(tmp_path_factory.mktemp("ray"), servers)
    yield found
    shutil.rmtree(found.temporary)
    # Nothing was written into the person's home: no token, no statistics.
    assert list(found.home.iterdir()) == []


@pytest.mark.servers
def test_a_ray_of_this_machine_makes_the_same_table(desk: Desk) -> None:
    """Through the real gateway, to the byte; a second run starts nothing."""
    assert desk.run("data", "profile").data["measured"] == 42
    here = desk.table()
    ray = ("data", "profile", "--engine", "ray", "--ray-address", "local", "--jobs", "2")
    said = desk.run(*ray, "--again")
    assert (said.data["measured"], said.data["engine"]) == (42, "ray")
    assert [one["key"] for one in said.data["problems"]] == [
        "bomb.png", "cut.jpg", "no+te%20s é.txt", "none.jpg",
    ]  # fmt: skip
    assert desk.table() == here
    assert read_profile(desk.context, MAIN)[TaskKey("turned.jpg")].orientation == 6
    assert said.stderr == ""
    assert desk.run(*ray).data["commit"] is None


@pytest.mark.servers
def test_a_cluster_makes_the_same_table_and_lets_only_its_own_in(desk: Desk) -> None:
    """Over Ray's client, as from a laptop to a cluster; without the token nothing is done."""
    desk.run("data", "profile")
    here = desk.table()
    with cluster(desk) as (address, token):
        desk.environment = {**desk.environment, "OPS_RAY_TOKEN": token}
        ray = ("data", "profile", "--engine", "ray", "--ray-address", address, "--again")
        assert desk.run(*ray).data["measured"] == 42
        assert desk.table() == here
        unused = desk.run(*ray, "--jobs", "2", expect=2)
        assert unused.document["errors"][0]["code"] == "jobs-on-a-cluster"
        desk.environment = {
            **desk.environment,
            "OPS_RAY_TOKEN": secrets.token_hex(32),
            # Ray asks three times, and for half a minute.
            "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "1",
            "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "1",
        }
        refused = desk.run(*ray, expect=6)
        assert refused.document["errors"][0]["code"] == "ray-denied"
    gone = desk.run(*ray, expect=7)
    assert gone.document["errors"][0]["code"] == "ray-unreachable"


@contextmanager
def cluster(desk: Desk) -> Generator[tuple[str, str]]:
    """A Ray of its own, as a cluster's head is: its client's address, and its token."""
    token = secrets.token_hex(32)
    head, port = listening_head(desk, token)
    try:
        yield f"ray://127.0.0.1:{port}", token
    finally:
        below = descendants(head.pid)
        head.terminate()
        head.wait(20)
        wait_for(lambda: not alive(below), "Ray is gone")


def listening_head(desk: Desk, token: str) -> tuple[subprocess.Popen[bytes], int]:
    """A head that answers, and its client's port; a port may be taken before Ray takes it."""
    for _ in range(3):
        port = free_port()
        head = start_head(desk, token, port)
        with suppress(AssertionError):
            wait_for(partial(has_settled, head, port), "Ray listens", timeout_s=60)
        if listens(head, port):
            return head, port
        head.kill()
        head.wait(20)
    raise AssertionError((desk.temporary / "head.log").read_text("utf-8"))


def has_settled(head: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it listens, or never will."""
    return head.poll() is not None or listens(head, port)


def listens(head: subprocess.Popen[bytes], port: int) -> bool:
    return any(one.endswith(f":{port:04X}") for one in listeners(descendants(head.pid)))


def start_head(desk: Desk, token: str, port: int) -> subprocess.Popen[bytes]:
    with (desk.temporary / "head.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *("--num-cpus=2", f"--port={free_port(besides=[port])}"),
                *(f"--ray-client-server-port={port}", "--node-ip-address=127.0.0.1"),
                *("--min-worker-port=0", "--max-worker-port=0"),
                *("--include-dashboard=false", "--disable-usage-stats"),
                *("--object-store-memory=80000000", f"--temp-dir={desk.temporary}"),
            ],
            env={
                **desk.environment,
                "DO_NOT_TRACK": "true",
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": token,
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            },
            stdout=log,
            stderr=log,
        )


def test_a_ray_of_this_machine_listens_to_nobody_else_and_dies_with_us(
    request: pytest.FixtureRequest,
) -> None:
    """Ray 2.59 would listen at every address; killed, the command takes Ray along."""
    # What is killed tidies nothing up; pytest's own folders have names too long for sockets.
    folder = tempfile.mkdtemp(prefix="ops-")
    request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("RAY_", "DAFT_"))}
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.engines.hold_ray"],
        cwd=ROOT,
        env={**kept, "TMPDIR": folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    below = descendants(holder.pid)
    addresses = listeners(below)
    assert len(addresses) > 2
    assert [address for address in addresses if not is_loopback(address)] == []
    # Two small ones notice within a minute that they are alone.
    agents = [pid for pid in below if "Agent" in command_of(pid)]
    holder.kill()
    holder.communicate()
    try:
        others = [pid for pid in below if pid not in agents]
        wait_for(lambda: not alive(others), "Ray is gone", timeout_s=60)
    finally:
        for pid in alive(agents):
            os.kill(pid, signal.SIGKILL)


def test_other_versions_there_are_refused() -> None:
    """They might see other things in the same bytes."""
    here = versions()
    check_versions("ray://a:1", {**here, "python": "3.11.99"})
    with pytest.raises(ConfigurationError) as caught:
        check_versions("ray://a:1", {**here, "pillow": "1.0"})
    assert caught.value.code == "ray-packages"
    assert caught.value.where == (("pillow", f"1.0 there, {here['pillow']} here"),)
    with pytest.raises(ConfigurationError, match="imagehash"):
        check_versions("ray://a:1", {**here, "imagehash": "missing"})


def test_without_the_extra_it_is_said_how_to_get_it() -> None:
    """As in a process that has no Daft; and importing the engine imports neither."""
    code = (
        "import sys; sys.modules['daft'] = None\n"
        "from ops.engines.ray import ObjectAccess, RayEngine\n"
        "from ops.errors import ConfigurationError\n"
        "assert 'ray' not in sys.modules\n"
        "access = ObjectAccess(url='', repository='', access_key_id='', secret_access_key='')\n"
        "try:\n    RayEngine(access).__enter__()\n"
        "except ConfigurationError as error:\n    print(error.code, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "extra-missing pip install 'labeling-ops[cluster]'\n"
