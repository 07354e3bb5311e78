"""Whole rounds through networks that lose and double requests.

One that loses one in ten, before the server gets it or after it has answered, and delivers one in
twenty twice; and one that delivers all of them twice. GETs, POSTs and all. The commands are run
again as their exit codes say, and the round must end as one that nobody disturbed.
"""

from pathlib import Path

import pytest

from ops.local import Connection
from tests.command import Ops
from tests.kills.campaign import Command, doubling, flaky, prepared, tell, tell_all, tell_cleanly
from tests.kills.driver import Driver, proxied
from tests.kills.long_round import sync_through_cuts
from tests.laws import note
from tests.pictures import draw_pictures
from tests.proxy import Fate, Plan

pytestmark = pytest.mark.servers

SEEDS = range(4)
ANSWERS = (
    (Fate.TWICE,),
    (Fate.TWICE_FIRST,),
    (Fate.TWICE, Fate.TWICE_FIRST),
    (Fate.TWICE_FIRST, Fate.TWICE),
)


def test_rounds_through_a_flaky_network(servers: Connection, tmp_path: Path) -> None:
    clean = tell_cleanly(servers, tmp_path)
    stories = prepared(servers, tmp_path, len(SEEDS))
    disturbed = [
        (f"seed {seed}", story, flaky(seed)) for seed, story in zip(SEEDS, stories, strict=True)
    ]
    tally = tell_all(disturbed, clean)
    assert not tally.failures, "\n\n".join(tally.failures)
    counts = tally.counts
    assert counts["resets"] > 20
    assert counts["doubles"] > 10
    note(
        "flaky network",
        f"{len(SEEDS)} rounds, {counts['requests through the flaky network']} requests, "
        f"{counts['resets']} reset, {counts['doubles']} doubled, "
        f"{counts['runs through the flaky network']} runs: exactly once",
    )


def test_every_request_delivered_twice(servers: Connection, tmp_path: Path) -> None:
    clean = tell_cleanly(servers, tmp_path)
    stories = prepared(servers, tmp_path, len(ANSWERS))
    disturbed = [
        (" and ".join(answers), story, doubling(answers))
        for answers, story in zip(ANSWERS, stories, strict=True)
    ]
    tally = tell_all(disturbed, clean)
    assert not tally.failures, "\n\n".join(tally.failures)
    requests = sum(map(len, clean.requests.values()))
    assert tally.counts["doubles"] >= requests * len(ANSWERS)
    note(
        "doubled requests",
        f"{len(ANSWERS)} rounds, all of their {tally.counts['doubles']} requests delivered twice: "
        "exactly once",
    )


def test_a_network_that_cuts_long_answers_off(servers: Connection, tmp_path: Path) -> None:
    """250 tasks of an export take longer than it allows; half of them do not."""
    arrived = sync_through_cuts(servers, tmp_path, task_count=500, each=4, cut_after_s=2, chunk_s=3)
    assert arrived.annotation_count == 2_000
    assert arrived.cut_count
    note(
        "cut answers",
        f"{arrived.annotation_count} annotations through a network that cuts answers off after "
        f"2 s, {arrived.cut_count} cut: each there, once and whole",
    )


def doubled(fate: Fate) -> Plan:
    return lambda _: fate


def test_a_round_of_corrections_delivered_twice(servers: Connection, tmp_path: Path) -> None:
    """Its tasks come in with answers: their copies hold the same, and go again."""
    [story] = prepared(servers, tmp_path, 1)
    with proxied(servers) as proxy:
        driver = Driver(story.ops, proxy)

        def perform(command: Command) -> None:
            driver.undisturbed(command)

        tell(story, perform)
        for answer in (Fate.TWICE, Fate.TWICE_FIRST):
            name = f"again-{answer.name.lower().replace('_', '-')}"
            driver.until_done(("round", "start", name, "--edit"), doubled(answer))
            shown = driver.undisturbed(("round", "sync", name)).data
            assert (shown["repeated"], shown["changed"]) == ([], [])
            assert shown["counts"]["labeled"] == 3


def test_other_commands_delivered_twice(servers: Connection, tmp_path: Path) -> None:
    """Setting up, adding pictures, rebasing, undoing and giving up."""
    draw_pictures(tmp_path / "pictures", 2)
    draw_pictures(tmp_path / "more", 1, start=2)
    for answer in (Fate.TWICE, Fate.TWICE_FIRST):
        ops = Ops(tmp_path, servers)
        with proxied(servers) as proxy:
            driver = Driver(ops, proxy)
            for command in (
                ("init", "--labels", "brie", "--kind", "boxes"),
                ("data", "add", "pictures"),
                ("round", "start", "first"),
                ("round", "start", "doomed"),
                ("round", "finish", "first", "--allow-unlabeled", "--yes"),
                ("data", "add", "more"),
                ("round", "rebase", "doomed"),
                ("round", "abort", "doomed", "--yes", "--remove-project"),
                ("round", "start", "second"),
                ("round", "finish", "second", "--allow-unlabeled", "--yes"),
                ("dataset", "revert", "--to", "v1", "--yes"),
            ):
                driver.until_done(command, doubled(answer))
        log = ops.run("dataset", "log").data["versions"]
        assert [version["version"] for version in log] == [3, 2, 1]
        assert len(ops.run("data", "list").data["images"]) == 3
        states = {one["round"]: one["state"] for one in ops.run("round", "list").data["rounds"]}
        assert states == {"first": "finished", "doomed": "aborted", "second": "finished"}
