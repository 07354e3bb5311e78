"""What only the real servers show: their refusals, and what each call costs in requests."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from ops.core.records import CommitId
from ops.errors import ConfigurationError, DeniedError, InvalidDataError
from ops.lake import LakeFS
from ops.lake.failures import Site
from ops.lake.transport import Options, Transport
from ops.lake.wire import Request
from ops.local import Connection
from ops.ports import Upload

pytestmark = pytest.mark.servers

MAIN = "main"
BROKEN_GATE = b"""name: broken
on: {pre-commit: {}}
hooks:
  - id: x
    type: lua
    properties: {script: "print(1)"}
"""
COSTS: Sequence[tuple[str, Callable[[LakeFS], object], int]] = (
    ("server_version", lambda lake: lake.server_version(), 1),
    ("repository_exists", lambda lake: lake.repository_exists(), 1),
    ("is_protected", lambda lake: lake.is_protected(MAIN), 1),
    ("find_commit", lambda lake: lake.find_commit(MAIN), 1),
    ("log", lambda lake: list(lake.log(MAIN)), 1),
    ("branches", lambda lake: list(lake.branches()), 1),
    ("create_branch", lambda lake: lake.create_branch("other", MAIN), 1),
    ("list_objects", lambda lake: list(lake.list_objects(MAIN, metadata=True)), 3),
    ("read", lambda lake: lake.read(MAIN, "many/0001"), 1),
    ("read_many", lambda lake: list(lake.read_many(MAIN, ["many/0001", "many/0002"])), 2),
    ("write_many", lambda lake: lake.write_many("side", [Upload(path="a", data=b"1")]), 1),
    ("write_if_absent", lambda lake: lake.write_if_absent("side", Upload(path="b", data=b"")), 1),
    ("delete_many none", lambda lake: lake.delete_many("side", []), 0),
    (
        "delete_many",
        lambda lake: lake.delete_many("side", [f"many/{number:04}" for number in range(2001)]),
        4,
    ),
    ("uncommitted", lambda lake: list(lake.uncommitted("side")), 3),
    ("diff", lambda lake: list(lake.diff("main~1", MAIN)), 3),
    ("commit", lambda lake: lake.commit("side", "Side", {}), 1),
    ("merge", lambda lake: lake.merge("side", MAIN, "Merge", {}), 1),
    ("merge_base", lambda lake: lake.merge_base("side", MAIN), 1),
    ("tags", lambda lake: list(lake.tags()), 1),
    ("create_tag", lambda lake: lake.create_tag("v1", head(lake)), 2),
    ("create_tag again", lambda lake: lake.create_tag("v1", head(lake)), 3),
    ("discard", lambda lake: lake.discard("side"), 1),
    ("delete_branch", lambda lake: lake.delete_branch("side"), 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The real lakeFS, and what was asked of it."""

    servers: Connection
    asked: list[str]

    def lake(self, *, secret: str | None = None, url: str | None = None) -> LakeFS:
        """A repository of a name of its own, not created yet."""
        return LakeFS(
            url or self.servers.lakefs_url,
            self.servers.lakefs_access_key_id,
            secret or self.servers.lakefs_secret_access_key,
            f"lake-{uuid.uuid4().hex[:12]}",
            on_request=lambda method, path: self.asked.append(f"{method} {path}"),
        )

    def created(self) -> LakeFS:
        """The same, created."""
        lake = self.lake()
        lake.create_repository(f"local://{lake.repository}")
        return lake


@pytest.fixture
def door(servers: Connection) -> Door:
    """The real lakeFS."""
    return Door(servers=servers, asked=[])


def head(lake: LakeFS) -> CommitId:
    """Main's head; one request."""
    found = lake.find_commit(MAIN)
    assert found
    return found


def test_each_call_costs_what_it_says(door: Door) -> None:
    """In requests, on a repository of 2 001 objects; tries are counted too."""
    lake = door.created()
    lake.write_many(MAIN, (Upload(path=f"many/{n:04}", data=b"1") for n in range(2001)))
    lake.commit(MAIN, "Many", {})
    lake.create_branch("side", MAIN)
    costs: dict[str, int] = {}
    for name, use, _ in COSTS:
        door.asked.clear()
        use(lake)
        costs[name] = len(door.asked)
    assert costs == {name: cost for name, _, cost in COSTS}


def test_a_listing_asks_for_no_more_than_is_taken(door: Door) -> None:
    """Each page when the one before is used up."""
    lake = door.created()
    lake.write_many(MAIN, (Upload(path=f"{n:04}", data=b"1") for n in range(1001)))
    door.asked.clear()
    found = lake.list_objects(MAIN)
    assert door.asked == []
    assert next(found).path == "0000"
    assert door.asked == [f"GET /api/v1/repositories/{lake.repository}/refs/main/objects/ls"]


def test_protecting_what_is_protected_looks_twice(door: Door) -> None:
    """Once at the rules and once whether they bite."""
    lake = door.created()
    lake.protect(MAIN)
    door.asked.clear()
    lake.protect(MAIN)
    assert [asked.partition(" ")[0] for asked in door.asked] == ["GET", "DELETE"]


def test_wrong_keys_are_denied(door: Door) -> None:
    """And tried once."""
    with pytest.raises(DeniedError) as caught:
        door.lake(secret="wrong").find_commit(MAIN)  # noqa: S106 - that it is not the secret is the point
    assert caught.value.code == "lakefs-credentials"
    assert len(door.asked) == 1


def test_label_studio_is_not_taken_for_lakefs(door: Door) -> None:
    """The two addresses are easily mixed up."""
    with pytest.raises(ConfigurationError) as caught:
        door.lake(url=door.servers.label_studio_url).repository_exists()
    assert caught.value.code == "not-lakefs"


def test_a_malformed_gate_is_named(door: Door) -> None:
    """It makes lakeFS answer status 500 to every commit of that branch."""
    lake = door.created()
    lake.write_many(MAIN, [Upload(path="_lakefs_actions/gate.yaml", data=BROKEN_GATE)])
    with pytest.raises(ConfigurationError) as caught:
        lake.commit(MAIN, "Break it", {})
    assert caught.value.code == "broken-gate"
    assert "_lakefs_actions/gate.yaml" in dict(caught.value.where)["it says"]


def test_lakefs_itself_refuses_the_paths_that_are_not_sent(door: Door) -> None:
    """The limit is the server's, not ours."""
    lake = door.created()
    site = Site(url=door.servers.lakefs_url, repository=lake.repository)
    transport = Transport(
        site,
        door.servers.lakefs_access_key_id,
        door.servers.lakefs_secret_access_key,
        options=Options(connections=1, timeout_s=10, tries=1, on_request=None),
    )
    for path in ("", "x" * 1025, "ü" * 513):
        request = Request(
            method="POST",
            segments=("repositories", lake.repository, "branches", MAIN, "objects"),
            doing="upload it",
            about="branch main",
            subject=path,
            query={"path": path},
            body=b"1",
        )
        with pytest.raises(InvalidDataError) as caught:
            transport.send(request)
        assert caught.value.code == "object-path"
