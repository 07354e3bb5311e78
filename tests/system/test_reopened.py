"""A round outlives its servers: stopped and started again on another port, its pictures load."""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ops.local import Connection, stack
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.narration import Narration
from tests.pictures import draw_pictures
from tests.real import SHARED, explicit_binary
from tests.runner.world import region

pytestmark = pytest.mark.servers


@pytest.fixture
def home(servers: Connection, tmp_path: Path) -> Iterator[Path]:
    """A home for servers of this test alone; `servers` has seen to the programs."""
    assert servers.lakefs_url
    root = tmp_path / "home"
    yield root
    stack.down(root, Narration())


def up(home: Path) -> Connection:
    """Start what does not run, as `ops local up` does."""
    status = stack.up(home, Narration(), lakefs_binary=explicit_binary(), shared=SHARED)
    assert status.connection is not None
    return status.connection


@contextmanager
def taken(url: str) -> Generator[None]:
    """Another program has the port of an address meanwhile."""
    place = urlsplit(url)
    with socket.create_server((place.hostname or "", place.port or 0)):
        yield


def pictures_shown(servers: Connection, repository: str, started: dict[str, str]) -> list[str]:
    """The tasks whose picture an annotator gets."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    shown = [
        str(row.key)
        for row in studio.task_rows(int(started["project"]))
        if studio.shows_media(row.id, f"s3://{repository}/{started['base']}/images/{row.key}")
    ]
    studio.close()
    return shown


def test_an_open_round_survives_a_restart(home: Path, tmp_path: Path) -> None:
    before = up(home)
    ops = Ops(tmp_path, before)
    keys = [path.name for path in draw_pictures(tmp_path / "pictures", 3)]
    ops.run("init", "--labels", "brie", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    started = ops.run("round", "start", "long").data
    studio = LabelStudio(before.label_studio_url, before.label_studio_token)
    people = StudioAnnotators(studio)
    ann = people.ensure_member("ann@example.org")
    tasks = {str(row.key): row.id for row in studio.task_rows(started["project"])}
    people.annotate(tasks[keys[0]], [region("brie")], annotator=ann)
    ops.run("round", "sync", "long")
    people.annotate(tasks[keys[1]], [region("brie")], annotator=ann)
    studio.close()
    assert pictures_shown(before, ops.repository, started) == keys

    stack.down(home, Narration())
    with taken(before.lakefs_url):
        after = up(home)
    assert after.lakefs_url != before.lakefs_url
    assert after.label_studio_token == before.label_studio_token
    assert pictures_shown(after, ops.repository, started) == keys

    again = Ops(tmp_path, after)
    again.environment = {**again.environment, "OPS_REPOSITORY": ops.repository}
    assert again.run("round", "start", "long").data["already_done"]
    assert again.run("round", "sync", "long").data["changed"] == [keys[1]]
    done = again.run("round", "finish", "long", "--allow-unlabeled", "--yes").data
    assert (done["version"], done["counts"]["labeled"]) == (1, 2)
