"""A round before the gate, through the command line, on the real servers."""

from contextlib import closing
from pathlib import Path

import pytest

from ops.core.names import ACTION_PATH
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.context import real_context
from tests.pictures import draw_pictures
from tests.runner.world import region
from tests.system.proposals import RawLake

pytestmark = pytest.mark.servers


def test_a_round_before_the_gate(servers: Connection, tmp_path: Path) -> None:
    """Through the command line: settings, refusal by ops, a finish that passes, a revert."""
    ops = Ops(tmp_path, servers)
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    draw_pictures(tmp_path / "pictures", 3)
    ops.run("data", "add", "pictures")
    shown = ops.run("gates", "show").data
    assert (shown["whole"], shown["settings"]["coverage"]["answered"]) == (True, 1)

    settings = tmp_path / "mine.toml"
    settings.write_text("[finish]\nwho = ['*@example.com']\n[agreement]\nminimum = 0.5\n")
    plan = ops.run("gates", "set", "mine.toml", "--dry-run").data
    assert [one["setting"] for one in plan["changes"]] == ["agreement.minimum", "finish.who"]
    done = ops.run("gates", "set", "mine.toml", "--yes").data
    assert done == {**plan, "commit": done["commit"]}
    assert ops.run("gates", "set", "mine.toml", "--yes").data["already_done"]
    assert ops.run("gates", "show").data["toml"] == settings.read_text()

    project = ops.run("round", "start", "cheese").data["project"]
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann, ben = (people.ensure_member(f"{who}@example.org") for who in ("ann", "ben"))
        tasks = {str(row.key): row.id for row in studio.task_rows(project)}
        for task in tasks.values():
            people.annotate(task, [region("brie")], annotator=ann)
        people.annotate(tasks["p001.png"], [region("gouda")], annotator=ben)

    [refused] = ops.run("round", "finish", "cheese", "--yes", expect=4).document["errors"]
    assert "lena@example.org may not finish rounds" in str(refused)
    settings.write_text("[agreement]\nminimum = 0.5\n")
    ops.run("gates", "set", "mine.toml", "--yes")
    [refused] = ops.run("round", "finish", "cheese", "--yes", expect=4).document["errors"]
    assert "p001.png" in str(refused)
    assert "agreement" in str(refused)
    settings.write_text("[metadata]\nrequired = ['ticket']\n")
    ops.run("gates", "set", "mine.toml", "--yes")
    [refused] = ops.run("round", "finish", "cheese", "--yes", expect=4).document["errors"]
    assert "ops.ticket" in str(refused)
    finished = ops.run("round", "finish", "cheese", "--yes", "--say", "ticket=A-17").data
    assert finished["version"] == 1
    [version] = ops.run("dataset", "log").data["versions"]
    assert version["facts"]["ticket"] == "A-17"

    raw = RawLake(servers, ops.repository)
    assert raw.said_by_the_hook(finished["commit"]).splitlines() == [
        "3 records are those card.json was made from",
        "counts and snapshot digest derived again from every record",
    ]
    raw.close()
    settings.write_text("[coverage]\nansered = 1\n")
    [refused] = ops.run("gates", "set", "mine.toml", "--yes", expect=9).document["errors"]
    assert refused["where"]["field"] == "coverage.ansered"
    missing = ops.run("gates", "set", "nowhere.toml", "--yes", expect=3).document["errors"]
    assert missing[0]["code"] == "no-gates-file"
    assert ops.say("gates", "show", "--toml").stdout == "[metadata]\nrequired = ['ticket']\n"


def test_a_branch_that_changes_the_gate_is_not_finished(
    servers: Connection, tmp_path: Path
) -> None:
    """Deleted or replaced, ops does not merge it; undone, it does."""
    ops = Ops(tmp_path, servers)
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    draw_pictures(tmp_path / "pictures", 1)
    ops.run("data", "add", "pictures")
    ops.run("round", "start", "cheese")
    lake = real_context(servers, ops.repository).lake
    lake.delete_many("round-cheese", [ACTION_PATH])
    assert lake.commit("round-cheese", "no gate, no trouble", {}) is not None
    finish = ("round", "finish", "cheese", "--allow-unlabeled", "--yes")
    [error] = ops.run(*finish, expect=4).document["errors"]
    assert (error["code"], error["subject"]) == ("gate-changed", ACTION_PATH)
    assert error["where"]["files"] == f"removed {ACTION_PATH}"
    assert ops.run("gates", "show", "--ref", "round-cheese").data["problems"] == [
        f"{ACTION_PATH} was removed around ops"
    ]
