"""Whole rounds through a network that loses one request in ten and doubles one in twenty.

Before the server gets it or after it has answered; GETs, POSTs and all. The commands are run again
as their exit codes say, and the round must end as one that nobody disturbed.
"""

from pathlib import Path

import pytest

from ops.local import Connection
from tests.kills.campaign import flaky, prepared, tell_all, tell_cleanly
from tests.laws import note

pytestmark = pytest.mark.servers

SEEDS = range(6)


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
