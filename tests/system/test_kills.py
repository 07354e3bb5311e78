"""`ops` killed all along a round, on the real servers, and run again.

SIGKILL before a request is sent on, or after the server has answered and before ops knows. The
round must end as one that nobody disturbed. tests/chaos.py strikes each request on both sides;
tests/runner/test_crash.py does so on the fakes.
"""

from pathlib import Path

import pytest

from ops.local import Connection
from tests.kills.campaign import (
    in_words,
    killing,
    one_kill_each,
    prepared,
    tell_all,
    tell_cleanly,
    verb,
)
from tests.kills.story import COMMANDS
from tests.laws import note

pytestmark = pytest.mark.servers


def test_killed_all_along_and_run_again(servers: Connection, tmp_path: Path) -> None:
    clean = tell_cleanly(servers, tmp_path)
    plans = one_kill_each(clean)
    stories = prepared(servers, tmp_path, len(plans))
    disturbed = [
        (in_words(points), story, killing(points))
        for points, story in zip(plans, stories, strict=True)
    ]
    tally = tell_all(disturbed, clean)
    assert not tally.failures, "\n\n".join(tally.failures)
    kills = {verb(c): tally.counts[f"kills of {verb(c)}"] for c in COMMANDS}
    assert kills == {verb(c): len(clean.points(c)) for c in COMMANDS}
    assert sum(kills.values()) >= 40
    parts = ", ".join(f"{name} {count}" for name, count in kills.items())
    note("kill points", f"{sum(kills.values())} SIGKILLs of ops ({parts}): the same end each time")
