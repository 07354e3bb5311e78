"""What the contract suites of lakeFS are run on: the real one, and the one in memory."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ops.core.records import CommitId
from ops.lake.mending import MendableLakeFS
from ops.local import Connection
from ops.mending import MendableLake
from ops.ports import Change, ChangeKind, Lake, Upload
from tests.fakes.lake import FakeLake, FakeLakeServer

BENCHES = ("fake", pytest.param("real", marks=pytest.mark.servers))
MAIN = "main"
NOWHERE = CommitId("f" * 64)
GATE = """
name: contract
on: {pre-merge: {branches: [main]}}
hooks:
  - id: needs_round
    type: lua
    properties:
      script: |
        if (action.commit.metadata["round"] or "") == "" then
          require("hook").fail("the merge names no round: say which")
        end
"""
REASON = "the merge names no round: say which"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeBench:
    """A server to try."""

    open: Callable[[str], MendableLake]
    add_gate: Callable[[Lake], None]

    def lake(self) -> MendableLake:
        """A new repository of a name of its own."""
        lake = self.open(fresh("contract"))
        assert lake.create_repository(f"local://{lake.repository}")
        return lake


def fresh(prefix: str) -> str:
    """A name nobody else has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def open_bench(request: pytest.FixtureRequest) -> LakeBench:
    """The bench a fixture's parameter names."""
    if request.param == "fake":
        return fake_bench()
    servers: Connection = request.getfixturevalue("servers")
    return real_bench(servers)


def fake_bench() -> LakeBench:
    """The lakeFS in memory."""
    server = FakeLakeServer()

    def add_gate(_: Lake) -> None:
        server.gate = lambda branch, said: (
            REASON if branch == MAIN and not said.get("round") else None
        )

    return LakeBench(open=lambda name: FakeLake(name, server), add_gate=add_gate)


def real_bench(servers: Connection) -> LakeBench:
    """The real lakeFS."""

    def connect(name: str) -> MendableLake:
        return MendableLakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            name,
        )

    def add_gate(lake: Lake) -> None:
        put(lake, MAIN, {"_lakefs_actions/gate.yaml": GATE.encode()})
        lake.commit(MAIN, "Add a gate", {})

    return LakeBench(open=connect, add_gate=add_gate)


def put(lake: Lake, branch: str, objects: dict[str, bytes]) -> None:
    """Stage objects."""
    uploads = [Upload(path=path, data=data) for path, data in objects.items()]
    assert lake.write_many(branch, uploads) == len(uploads)


def save(lake: Lake, branch: str, objects: dict[str, bytes]) -> CommitId:
    """Stage and commit objects."""
    put(lake, branch, objects)
    commit = lake.commit(branch, "Save", {})
    assert commit is not None
    return commit


def paths(lake: Lake, ref: str, prefix: str = "") -> list[str]:
    """The paths at a ref."""
    return [found.path for found in lake.list_objects(ref, prefix)]


def kinds(changes: Iterator[Change]) -> dict[str, ChangeKind]:
    """Changes by path, which must come ordered and once each."""
    found = list(changes)
    assert [change.path for change in found] == sorted({change.path for change in found})
    return {change.path: change.kind for change in found}


def fork(lake: Lake) -> tuple[str, str]:
    """Two branches that went apart.

    Both changed `both` differently and `same` alike, one removed `gone` that the other changed, and
    each added one object.
    """
    save(lake, MAIN, {"both": b"0", "same": b"0", "gone": b"0", "still": b"0", "dropped": b"0"})
    for name in ("left", "right"):
        assert lake.create_branch(name, MAIN)
        put(lake, name, {"both": name.encode(), "same": b"1", f"only-{name}": b"1"})
    lake.delete_many("left", ["gone", "dropped"])
    put(lake, "right", {"gone": b"1"})
    for name in ("left", "right"):
        assert lake.commit(name, f"Change {name}", {})
    return "left", "right"
