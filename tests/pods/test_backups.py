"""The drill: both databases dumped as every night, restored into a new PostgreSQL, and served."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ops.local.home import Service
from tests.gcs.emulator import Emulator
from tests.laws import note
from tests.pods.conftest import empty_stand
from tests.pods.rounds import BRIE, GOUDA, SKIPPED, answer, ops_on, started
from tests.pods.stand import BUCKET, Stand
from tests.training import read_by_boto3
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


@pytest.fixture
def second(stand: Stand, bucket: Emulator) -> Iterator[Stand]:
    """Pods on another, empty PostgreSQL, with the first one's Secrets and bucket."""
    with empty_stand(bucket) as second:
        second.secrets = stand.secrets
        assert second.script("make-databases.sh").code == 0
        yield second


def test_both_databases_come_back(stand: Stand, second: Stand, tmp_path: Path) -> None:
    """Every version verifies, open rounds go on, nobody needs another password."""
    ops = ops_on(stand, tmp_path / "first")
    project = started(ops, 4)
    answer(stand.connection(), project, {"p000.png": BRIE, "p001.png": (), "p002.png": SKIPPED})
    ops = ops_on(stand, tmp_path / "first", repository=ops.repository)
    ops.run("round", "finish", "cheese", "--yes", "--allow-unlabeled")
    open_project = ops.run("round", "start", "open", "--all").data["project"]
    answer(stand.connection(), open_project, {"p003.png": GOUDA})
    version = ops.run("dataset", "show", "v1").data

    dumped = stand.script("back-up.sh")
    assert dumped.code == 0, dumped.said
    again = stand.script("back-up.sh")
    assert again.code == 0, again.said
    for database in ("lakefs", "label_studio"):
        newest = max((stand.dumps / database).glob("*.dump"))
        restored = second.script("restore.sh", database, str(newest))
        assert restored.code == 0, restored.said
    for service in Service:
        second.start(service)

    there = ops_on(second, tmp_path / "first", repository=ops.repository)
    assert there.run("dataset", "verify", "--all", "--deep").data["findings"] == []
    assert there.run("dataset", "show", "v1").data == version
    synced = there.run("round", "sync", "open").data["counts"]
    assert (synced["tasks"], synced["labeled"]) == (4, 1)
    there.run("round", "finish", "open", "--yes", "--allow-unlabeled")
    labels = [
        row["label"]
        for row in read_by_boto3(second.connection(), ops.repository, "v2", "annotations")
    ]
    assert sorted(labels) == ["brie", "gouda"]
    note("the drill", "two dumps restored into a new PostgreSQL: verified, an open round finished")


def test_a_restore_takes_back_what_came_after(own: Stand) -> None:
    """All of the dump or nothing of it: what is newer goes, and a bad dump changes nothing."""
    own.start(Service.LAKEFS)
    assert own.script("back-up.sh").code == 0
    [dump] = (own.dumps / "lakefs").glob("*.dump")
    repository = {"name": "later", "storage_namespace": f"gs://{BUCKET}/lakefs/later"}
    made = own.client(Service.LAKEFS).post_json(
        "/api/v1/repositories", repository, headers=own.basic()
    )
    assert made.status == 201

    cut = dump.with_name("cut.dump")
    cut.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])
    assert own.script("restore.sh", "lakefs", str(cut)).code != 0
    assert own.lakefs("/api/v1/repositories/later").status == 200

    own.stop(Service.LAKEFS)
    assert own.script("restore.sh", "lakefs", str(dump)).code == 0
    own.start(Service.LAKEFS)
    assert own.lakefs("/api/v1/repositories/later").status == 404
    assert own.lakefs("/api/v1/repositories").status == 200


def test_refs_alone_bring_a_repository_back(stand: Stand, own: Stand, tmp_path: Path) -> None:
    """Without any database: a refs dump and the bucket."""
    ops = ops_on(stand, tmp_path / "first")
    project = started(ops, 2)
    answer(stand.connection(), project, {"p000.png": BRIE, "p001.png": GOUDA})
    ops = ops_on(stand, tmp_path / "first", repository=ops.repository)
    ops.run("round", "finish", "cheese", "--yes")
    verified = ops.run("dataset", "verify", "--all", "--deep").data
    refs = dumped_refs(stand, ops.repository)

    own.start(Service.LAKEFS)
    restore_refs(own, ops.repository, refs)
    first = stand.connection()
    second = replace(
        first,
        lakefs_url=own.url(Service.LAKEFS),
        lakefs_secret_access_key=own.secrets.secret_access_key,
    )
    rows = [
        sorted(row["label"] for row in read_by_boto3(one, ops.repository, "v1", "annotations"))
        for one in (first, second)
    ]
    assert rows == [["brie", "gouda"]] * 2
    there = ops_on(stand, tmp_path / "first", repository=ops.repository)
    there.environment = {
        **there.environment,
        "OPS_LAKEFS_URL": second.lakefs_url,
        "OPS_LAKEFS_SECRET_ACCESS_KEY": second.lakefs_secret_access_key,
    }
    assert verified["findings"] == []
    # Main's protection is lakeFS's own setting and no ref: named, with what puts it back.
    [lost] = there.run("dataset", "verify", "--all", "--deep", expect=9).data["findings"]
    assert (lost["code"], lost["remedy"]) == ("main-unprotected", "ops doctor --fix")
    there.say("doctor", "--fix", "--json")
    assert there.run("dataset", "verify", "--all", "--deep").data["findings"] == []


def dumped_refs(stand: Stand, repository: str) -> Mapping[str, str]:
    """Where lakeFS has put the branches, tags and commits of a repository, in its namespace."""
    return task(stand, repository, "dump", {})["refs"]


def restore_refs(stand: Stand, repository: str, refs: Mapping[str, str]) -> None:
    """Make a repository of a namespace that has one already, with these refs."""
    named = {
        "name": repository,
        "storage_namespace": f"gs://{BUCKET}/lakefs/{repository}",
        "default_branch": "main",
    }
    made = stand.client(Service.LAKEFS).post_json(
        "/api/v1/repositories?bare=true", named, headers=stand.basic()
    )
    assert made.status == 201, made
    task(stand, repository, "restore", refs)


def task(stand: Stand, repository: str, what: str, body: object) -> dict[str, Any]:
    """Have lakeFS do something that takes a while, and give what came of it."""
    path = f"/api/v1/repositories/{repository}/{what}"
    begun = stand.client(Service.LAKEFS).post_json(path, body, headers=stand.basic())
    assert begun.status == 202, begun
    number = begun.text_at("id")

    def state() -> dict[str, Any]:
        return cast("dict[str, Any]", stand.lakefs(f"{path}?task_id={number}").json())

    wait_for(lambda: bool(state()["done"]), what)
    assert not state().get("error")
    return state()
