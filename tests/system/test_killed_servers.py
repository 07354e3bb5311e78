"""Each server killed in the middle of a round's commands, and started again.

The commands are run again as their exit codes say; nothing either server has acknowledged is lost,
and the round ends as one that nobody disturbed.
"""

from pathlib import Path

import pytest

from ops.local import Connection
from ops.local.home import Service
from tests.kills.campaign import Tally, killing_servers, prepared, tell_all, tell_cleanly
from tests.kills.servers import own_servers
from tests.laws import note

pytestmark = pytest.mark.servers

ROUNDS = (Service.LAKEFS, Service.LABEL_STUDIO, Service.LAKEFS)
STRIKES = {Service.LAKEFS: 3, Service.LABEL_STUDIO: 1}
"""A command. Label Studio takes seconds to be up again."""
LEAST_KILLS = 20


def test_servers_killed_at_random(servers: Connection, tmp_path: Path) -> None:
    assert servers.lakefs_url, "the session's servers have seen to the programs"
    tally, seed = Tally(), 0
    with own_servers(tmp_path / "home") as own:
        clean = tell_cleanly(own.connection, tmp_path)
        while own.kill_count < LEAST_KILLS:
            stories = prepared(own.connection, tmp_path, len(ROUNDS))
            for story, service in zip(stories, ROUNDS, strict=True):
                seed += 1
                name = f"{service.display_name} killed, seed {seed}"
                mischief = killing_servers(own, clean, service, seed=seed, strikes=STRIKES[service])
                tally.add(tell_all([(name, story, mischief)], clean, crew=1))
            assert not tally.failures, "\n\n".join(tally.failures)
    kills = {
        service.display_name: sum(
            count for name, count in tally.counts.items() if f"of {service.display_name}" in name
        )
        for service in Service
    }
    assert sum(kills.values()) == own.kill_count
    parts = ", ".join(f"{name} {count}" for name, count in kills.items())
    note("killed servers", f"{own.kill_count} SIGKILLs ({parts}), seeds 1-{seed}: nothing lost")
