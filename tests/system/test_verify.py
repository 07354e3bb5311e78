"""Audit and check-up of a real dataset: clean where ops made it, every way around ops named."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ops.core.audit import Check
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import ACTION_PATH, GATE_SCRIPT_PATH, MAIN
from ops.core.records import CommitId
from ops.gate import hook_files
from ops.local import Connection
from ops.runner.context import Context, main_head
from ops.runner.init import init_repository
from ops.runner.verify import unaccounted_commits, verify_dataset
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.context import real_context
from tests.pictures import draw_pictures
from tests.runner.world import region
from tests.system.proposals import RawLake, propose, record, with_files

pytestmark = pytest.mark.servers


def finished_round(ops: Ops, servers: Connection, name: str, *labels: str) -> None:
    """A round over all pictures, each with these labels, to its end."""
    start = ops.run("round", "start", name, "--all").data
    answer(servers, start["project"], *labels)
    ops.run("round", "finish", name, "--yes", "--on-conflict", "theirs")


def answer(servers: Connection, project: int, *labels: str) -> None:
    """Somebody labels every task."""
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        regions = [region(label, number) for number, label in enumerate(labels)]
        for row in studio.task_rows(project):
            people.annotate(row.id, regions, annotator=ann)


def counts(document: Mapping[str, Any]) -> dict[str, int]:
    """Faults by check."""
    return {one["check"]: one["faults"] for one in document["data"]["checks"]}


def test_a_gate_that_was_left_behind_is_named_and_put_back(
    servers: Connection, tmp_path: Path
) -> None:
    """Refused by ops; done by the raw API, it is found, named, and mended but for its history."""
    ops = Ops(tmp_path, servers)
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    draw_pictures(tmp_path / "pictures", 3)
    ops.run("data", "add", "pictures")
    finished_round(ops, servers, "cheese", "brie")
    finished_round(ops, servers, "ham", "gouda", "brie")
    clean = ops.run("dataset", "verify", "--all", "--deep").document
    assert clean["data"]["findings"] == []
    assert ops.run("dataset", "verify").data["findings"] == []
    assert "what it says it is" in ops.say("dataset", "verify", "--ref", "v1").stdout
    well = ops.run("doctor").document
    assert {one["verdict"] for one in well["data"]["checks"]} <= {"ok", "skipped"}

    third = ops.run("round", "start", "third", "--all").data
    answer(servers, third["project"], "brie")
    ops.run("round", "sync", "third")
    lake = real_context(servers, ops.repository).lake
    lake.delete_many("round-third", [ACTION_PATH])
    assert lake.commit("round-third", "no gate, no trouble", {}) is not None
    [refused] = ops.run("round", "finish", "third", "--yes", expect=4).document["errors"]
    assert refused["code"] == "gate-changed"
    around = lake.merge("round-third", MAIN, "by hand", {})
    assert around is not None

    audit = ops.run("dataset", "verify", expect=9).document
    [named] = [one for one in audit["data"]["findings"] if one["check"] == "history"]
    assert (named["code"], named["commit"]) == ("around-ops", around)
    assert named["message"].startswith("a merge by ")
    assert "3 records (+0 -0 ~3)" in named["message"]
    assert "1 gate file" in named["message"]
    faults = counts(audit)
    assert (faults["history"], faults["versions"], faults["gates"]) == (1, 0, 1)
    assert faults["snapshot"]
    assert faults["rounds"]
    said = ops.say("dataset", "verify")
    assert (said.exit_code, said.stdout) == (9, "")
    assert around[:12] in said.stderr

    ill = ops.run("doctor", expect=8).document
    assert ill["errors"][0]["code"] == "gate-gone"
    planned = ops.run("doctor", "--fix", "--dry-run").document
    assert planned["status"] == "planned"
    assert lake.find_commit(MAIN) == around
    mended = ops.run("doctor", "--fix").data
    assert any("put main's gate back" in step for step in mended["steps"])
    for path, data in hook_files().items():
        assert lake.read(MAIN, path) == data
    again = ops.run("doctor", "--fix").data
    assert again["steps"] == []

    ops.run("dataset", "revert", "--to", "v2", "--yes")
    past = ops.run("dataset", "verify", expect=9).document
    assert (counts(past)["history"], counts(past)["gates"]) == (1, 0)
    since = ops.run("dataset", "verify", "--since", around, expect=9).document
    left = [(one["check"], one["code"]) for one in since["data"]["findings"]]
    assert left == [("rounds", "round-not-finished")]


@pytest.fixture
def dataset(servers: Connection) -> Context:
    """A repository with the gate and one version of two records, whose pictures are there."""
    context = real_context(servers, f"test-{uuid4().hex[:12]}")
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{context.lake.repository}")
    first = propose(context, [record("a.png", "brie"), record("b.png", "gouda")], kind="revert")
    assert context.lake.merge(first.head, MAIN, "First", first.metadata) is not None
    return context


@pytest.fixture
def raw(servers: Connection, dataset: Context) -> Iterator[RawLake]:
    """The same by lakeFS's own API."""
    api = RawLake(servers, dataset.lake.repository)
    yield api
    api.close()


def history(context: Context, since: CommitId | None = None) -> dict[str, str]:
    """What is said of commits that came around ops."""
    verified = verify_dataset(context, since=since)
    return {
        one.subject: one.message.partition(" by ")[0]
        for one in verified.findings
        if one.check is Check.HISTORY
    }


def test_every_way_around_is_told_apart(dataset: Context, raw: RawLake) -> None:
    """As lakeFS 1.84 leaves them in history: merge, revert, cherry-pick."""
    lake, version = dataset.lake, main_head(dataset.lake)
    assert history(dataset) == {}
    no_gate = with_files(dataset, {ACTION_PATH: None, GATE_SCRIPT_PATH: None})
    merged = lake.merge(no_gate.head, MAIN, "Merge 'x' into 'main'", {})
    assert merged is not None
    other = with_files(dataset, {"annotations/c.png.json": b"{}"})
    assert raw.cherry_pick(other.head).status_code == 201
    picked = main_head(lake)
    assert raw.revert(version).status_code == 204
    reverted = main_head(lake)
    named = {merged: "a merge", picked: "a cherry-pick", reverted: "a revert"}
    assert history(dataset) == named
    assert history(dataset, since=picked) == {reverted: "a revert"}
    found = unaccounted_commits(dataset, version, reverted)
    assert [one.id for one in found] == [reverted, picked, merged]
    assert unaccounted_commits(dataset, reverted, reverted) == []


def test_metadata_that_is_made_up_gives_itself_away(dataset: Context) -> None:
    """A merge that calls itself a finish, and leaves the gate behind."""
    lies = {
        "ops.kind": "finish",
        "ops.actor": "nobody",
        "ops.expected_head": main_head(dataset.lake),
    }
    no_gate = with_files(dataset, {ACTION_PATH: None, "odd.txt": b"x"})
    merged = dataset.lake.merge(no_gate.head, MAIN, "Finish round x", lies)
    codes = {one.code: one.subject for one in verify_dataset(dataset).findings}
    assert codes["beyond-its-kind"] == merged
    assert codes["gate-changed"] == ACTION_PATH
