"""Full disks: the servers', and the one `ops` runs on.

A command says which server's disk is full and exits 7; when there is room again, the same command
goes on, and the round ends as one that nobody disturbed.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.local import Connection
from ops.local.home import Home, Service
from ops.local.state import State, new_credentials, save
from tests.kills.campaign import Command, difference, prepared, tell, tell_cleanly, verb
from tests.kills.driver import Driver, proxied
from tests.kills.full_disk import Disk, small_disk
from tests.kills.servers import Servers, own_servers
from tests.kills.story import COMMANDS, Story
from tests.laws import note

pytestmark = pytest.mark.servers

ROOMS_BYTES = (0, 4_096, 12_288, 24_576)
"""With so much room left, lakeFS fails earlier or later in a command."""
OBJECTS_BYTES, EVERYTHING_BYTES = 8 * 2**20, 512 * 2**20


@contextmanager
def servers_on(root: Path, place: Path, size_bytes: int) -> Generator[tuple[Servers, Disk]]:
    """Servers of which one directory is a disk of its own."""
    with small_disk(place, size_bytes=size_bytes) as disk:
        # Data without it would be data whose keys are lost.
        save(Home.at(root), State(ports={}, credentials=new_credentials()))
        with own_servers(root) as servers:
            yield servers, disk


def refused(
    driver: Driver, disk: Disk, revive: Callable[[], None], codes: frozenset[str]
) -> tuple[Callable[[Command], None], list[str]]:
    """Perform each command on a full disk first; what it was refused with."""
    met: list[str] = []

    def perform(command: Command) -> None:
        for room_bytes in ROOMS_BYTES:
            disk.fill(room_bytes=room_bytes)
            answer = driver.run(command)
            disk.empty()
            revive()
            if answer.exit_code == 0:
                break
            assert answer.exit_code == 7, answer.stdout + answer.stderr
            [error] = answer.document["errors"]
            assert error["code"] in codes, answer.stdout
            met.append(f"{verb(command)}: {error['code']}")
        driver.undisturbed(command)

    return perform, met


def test_the_disk_lakefs_keeps_objects_on_is_full(servers: Connection, tmp_path: Path) -> None:
    assert servers.lakefs_url, "the session's servers have seen to the programs"
    root = tmp_path / "home"
    objects = Home.at(root).data(Service.LAKEFS) / "objects"
    with servers_on(root, objects, OBJECTS_BYTES) as (own, disk):
        clean = tell_cleanly(own.connection, tmp_path)
        [story] = prepared(own.connection, tmp_path, 1)
        with proxied(own.connection) as proxy:
            codes = frozenset({"lakefs-disk-full"})
            perform, met = refused(Driver(story.ops, proxy), disk, own.revive, codes)
            told = tell(story, perform)
    assert told == clean.told, difference(told, clean.told)
    assert {f"{verb(command)}: lakefs-disk-full" for command in COMMANDS} <= set(met)
    note("full disk", f"lakeFS's objects: {len(met)} commands exit 7, then go on: same end")


def test_the_disk_of_both_servers_is_full(servers: Connection, tmp_path: Path) -> None:
    """Of a full one lakeFS may die: its own store is mapped into memory."""
    assert servers.lakefs_url, "the session's servers have seen to the programs"
    root = tmp_path / "home"
    with servers_on(root, Home.at(root).local, EVERYTHING_BYTES) as (own, disk):
        clean = tell_cleanly(own.connection, tmp_path)
        [story] = prepared(own.connection, tmp_path, 1)
        with proxied(own.connection) as proxy:
            codes = frozenset(
                {"lakefs-disk-full", "lakefs-failed", "lakefs-unreachable", "label-studio-failed"}
            )
            perform, met = refused(Driver(story.ops, proxy), disk, own.revive, codes)
            told = tell(story, perform)
    assert told == clean.told, difference(told, clean.told)
    assert {line.partition(":")[0] for line in met} == {verb(command) for command in COMMANDS}
    note("full disk", f"both servers': {len(met)} commands exit 7, then go on: same end")


def test_ops_needs_no_room_of_its_own(servers: Connection, tmp_path: Path) -> None:
    clean = tell_cleanly(servers, tmp_path)
    with small_disk(tmp_path / "disk", size_bytes=2**20) as disk:
        story = Story(tmp_path / "disk", servers)
        story.prepare()
        places = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
        story.ops.environment = {
            **story.ops.environment,
            **{name: str(tmp_path / "disk") for name in places},
        }
        disk.fill()
        with proxied(servers) as proxy:
            driver = Driver(story.ops, proxy)

            def perform(command: Command) -> None:
                driver.undisturbed(command)

            told = tell(story, perform)
    assert told == clean.told, difference(told, clean.told)
    note("full disk", "that of ops: it writes nothing there")
