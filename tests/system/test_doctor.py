"""Repairs on a real lakeFS: a dirty main, hooks nobody can read, tags, protection."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from ops.core.health import Diagnosis, RepairKind, Verdict, plan_repairs
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import ACTION_PATH, ACTIONS_PREFIX, MAIN
from ops.errors import RefusedError
from ops.gate import hook_files
from ops.lake.mending import MendableLakeFS
from ops.local import Connection
from ops.ports import Upload
from ops.runner.context import Context, main_head
from ops.runner.doctor import examine_lake
from ops.runner.init import init_repository
from ops.runner.repair import apply_repair
from ops.runner.verify import verify_dataset
from tests.command import Ops
from tests.context import real_context
from tests.system.proposals import propose, record
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

_DEADLINE_S = 30
MALFORMED = b"""name: malformed
on:
  pre-merge:
    branches: [main]
hooks:
  - id: x
    type: lua
    properties:
      script: return
"""
"""An id of one letter: lakeFS 1.84 takes the file, and then nothing else any more."""


@pytest.fixture
def dataset(servers: Connection) -> Context:
    """A repository with the gate and one version."""
    context = real_context(servers, f"test-{uuid4().hex[:12]}")
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{context.lake.repository}")
    first = propose(context, [record("a.png", "brie")])
    commit = context.lake.merge(first.head, MAIN, "First", first.metadata)
    assert commit is not None
    context.lake.create_tag("v1", commit)
    return context


@pytest.fixture
def lake(servers: Connection, dataset: Context) -> MendableLakeFS:
    """The same, to be mended."""
    return MendableLakeFS(
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        dataset.lake.repository,
    )


def ill(context: Context) -> Sequence[Diagnosis]:
    """What is not as it should be."""
    return [one for one in examine_lake(context) if one.verdict is not Verdict.OK]


def fix(context: Context, lake: MendableLakeFS) -> list[str]:
    """Make every repair."""
    plan = plan_repairs(examine_lake(context))
    return [apply_repair(context, lake, repair) for repair in plan]


def test_a_dirty_main_is_cleared_and_its_content_kept(
    dataset: Context, lake: MendableLakeFS
) -> None:
    """The trap of a stray write before the protection bit (lakeFS 1.84)."""
    head = main_head(lake)
    lake.unprotect(MAIN)
    lake.write_many(MAIN, [Upload(path="stray.txt", data=b"stray")])
    lake.delete_many(MAIN, [ACTION_PATH])
    lake.protect(MAIN)
    other = propose(dataset, [record("b.png", "gouda")])
    with pytest.raises(RefusedError) as caught:
        lake.merge(other.head, MAIN, "Second", other.metadata)
    assert caught.value.code == "dirty-branch"
    assert [one.name for one in ill(dataset)] == ["main"]
    [said] = fix(dataset, lake)
    assert ill(dataset) == []
    branch = f"rescue-{head[:12]}"
    assert branch in said
    assert lake.read(branch, "stray.txt") == b"stray"
    assert lake.read(branch, ACTION_PATH) is None
    assert main_head(lake) == head
    assert lake.merge(other.head, MAIN, "Second", other.metadata) is not None


def test_the_way_out_of_hooks_that_nobody_can_read(dataset: Context, lake: MendableLakeFS) -> None:
    """No commit, no branch, no merge, no revert: lakeFS answers all of it with status 500."""
    lake.unprotect(MAIN)
    # lakeFS remembers for seconds that it could read the hooks: that is how they get in.
    lake.write_many(MAIN, [Upload(path="plain.txt", data=b"1")])
    assert lake.commit(MAIN, "Plain", {}) is not None
    extra = f"{ACTIONS_PREFIX}extra.yaml"
    lake.write_many(MAIN, [Upload(path=path, data=MALFORMED) for path in (ACTION_PATH, extra)])
    assert lake.commit(MAIN, "Malformed", {}) is not None
    lake.protect(MAIN)
    wait_for(
        lambda: any(one.name == "hooks" for one in ill(dataset)), "seen", timeout_s=_DEADLINE_S
    )
    hooks = next(one for one in ill(dataset) if one.name == "hooks")
    assert [repair.kind for repair in hooks.repairs] == [RepairKind.HOOKS]
    said = fix(dataset, lake)
    assert extra in said[0]
    wait_for(
        lambda: {one.name for one in ill(dataset)} == {"history"}, "mended", timeout_s=_DEADLINE_S
    )
    assert lake.read(MAIN, ACTION_PATH) == hook_files()[ACTION_PATH]
    assert lake.read(MAIN, extra) is None
    assert lake.read(MAIN, "plain.txt") == b"1"
    codes = [one.code for one in verify_dataset(dataset).findings if one.check.value != "records"]
    assert codes == ["around-ops", "around-ops"]
    other = propose(dataset, [record("b.png", "gouda")])
    assert lake.merge(other.head, MAIN, "Second", other.metadata) is not None


def test_tags_branches_and_protection_are_set_right(dataset: Context, lake: MendableLakeFS) -> None:
    """Each by its own step."""
    version = dict(lake.tags())["v1"]
    other = propose(dataset, [record("b.png", "gouda")])
    lake.delete_tag("v1")
    lake.create_tag("v1", other.head)
    lake.create_branch("data-0123456789ab", MAIN)
    lake.unprotect(MAIN)
    assert {one.name for one in ill(dataset)} == {"tags", "protection", "branches"}
    assert len(fix(dataset, lake)) == 3
    assert ill(dataset) == []
    assert dict(lake.tags())["v1"] == version
    assert lake.find_commit(f"rescue-{other.head[:12]}") == other.head
    assert lake.find_commit("data-0123456789ab") is None


def test_from_a_fresh_machine_to_one_that_is_well(servers: Connection, tmp_path: Path) -> None:
    """At each step it says what to type next, with the exit code of what is missing."""
    ops = Ops(tmp_path, servers)
    bare = {name: v for name, v in ops.environment.items() if not name.startswith("OPS_")}
    full, ops.environment = ops.environment, bare
    [error] = ops.run("doctor", expect=8).document["errors"]
    assert error["code"] == "setting-missing"
    assert "ops local up" in error["hint"]
    ops.environment = {**full, "OPS_LAKEFS_URL": "http://127.0.0.1:9"}
    document = ops.run("doctor", expect=7).document
    verdicts = {one["check"]: one["verdict"] for one in document["data"]["checks"]}
    assert (verdicts["lakefs"], verdicts["repository"]) == ("fail", "skipped")
    assert (verdicts["label-studio"], verdicts["account"]) == ("ok", "ok")
    ops.environment = {**full, "OPS_LAKEFS_SECRET_ACCESS_KEY": "wrong"}
    assert ops.run("doctor", expect=6).document["errors"][0]["code"] == "lakefs-credentials"
    ops.environment = {**full, "OPS_LABEL_STUDIO_TOKEN": "wrong"}
    assert ops.run("doctor", expect=6).document["errors"][0]["code"] == "label-studio-token"
    ops.environment = full
    [error] = ops.run("doctor", expect=3).document["errors"]
    assert "ops init" in error["hint"]
    ops.run("init", "--labels", "brie")
    well = ops.run("doctor").document
    assert "lakefs" in {one["check"] for one in well["data"]["checks"]}
    assert well["warnings"] == []
