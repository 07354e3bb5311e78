"""PostgreSQL gone and back, under running pods."""

from pathlib import Path

import pytest

from ops.local.home import Service
from tests.pods.rounds import BRIE, GOUDA, answer, ops_on, started
from tests.pods.stand import Stand
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


def test_postgres_restarts_under_the_pods(stand: Stand, tmp_path: Path) -> None:
    """Not ready while it is gone, never restarted for it, and right again by themselves."""
    ops = ops_on(stand, tmp_path)
    project = started(ops, 3)
    connection = stand.connection()
    answer(connection, project, {"p000.png": BRIE, "p001.png": GOUDA})
    ops = ops_on(stand, tmp_path, repository=ops.repository)
    ops.run("round", "sync", "cheese")

    stand.postgres.stop()
    try:
        for service in Service:
            probes = stand.probes(service)
            assert probes["readinessProbe"] >= 500, (service, probes)
            assert probes["livenessProbe"] == 200, (service, probes)
        # Never read as keys that are wrong, and safe to run again.
        assert ops.run("round", "sync", "cheese", expect=7).document["errors"]
    finally:
        stand.postgres.start()
    for service in Service:
        wait_for(
            lambda service=service: set(stand.probes(service).values()) == {200},
            f"{service.display_name} is ready again",
        )
        assert stand.runs(service)
    answer(connection, project, {"p002.png": BRIE})
    counts = ops.run("round", "sync", "cheese").data["counts"]
    assert (counts["labeled"], counts["unfinished"]) == (3, 0)
    ops.run("round", "finish", "cheese", "--yes")
    assert ops.run("dataset", "verify", "--all").data["findings"] == []
