"""A whole round on the pods: the manifests' own commands, PostgreSQL, a bucket; then an S3 read."""

from collections import Counter
from pathlib import Path

import pytest

from tests.laws import note
from tests.pods.rounds import BRIE, GOUDA, SKIPPED, answer, ops_on, picture, started
from tests.pods.stand import Stand
from tests.training import read_by_boto3

pytestmark = pytest.mark.servers


def test_a_round_on_the_pods(stand: Stand, tmp_path: Path) -> None:
    ops = ops_on(stand, tmp_path)
    project = started(ops, 6)
    connection = stand.connection()
    both = (*BRIE, *GOUDA)
    answer(connection, project, {"p000.png": both, "p001.png": both, "p002.png": both})
    answer(connection, project, {"p003.png": (), "p004.png": SKIPPED})
    ops = ops_on(stand, tmp_path, repository=ops.repository)
    counts = ops.run("round", "sync", "cheese").data["counts"]
    expected = {"labeled": 3, "empty": 1, "skipped": 1, "unfinished": 1, "quarantined": 0}
    assert counts == {"tasks": 6, **expected}
    assert sum(expected.values()) == counts["tasks"]
    assert ops.run("round", "sync", "cheese").data["commit"] is None
    ops.run("round", "finish", "cheese", "--allow-unlabeled", "--yes")

    labels = Counter(
        row["label"] for row in read_by_boto3(connection, ops.repository, "v1", "annotations")
    )
    assert labels == {"brie": 3, "gouda": 3}
    states = Counter(
        row["state"] for row in read_by_boto3(connection, ops.repository, "v1", "tasks")
    )
    assert states == {state: count for state, count in expected.items() if count}
    assert ops.run("dataset", "verify", "--all", "--deep").data["findings"] == []
    note("counts on the pods", f"6 tasks in, {dict(states)} in v1, read over S3")


def test_pictures_are_shown_through_label_studio(stand: Stand, tmp_path: Path) -> None:
    """The address of lakeFS that only the operator sets is the one private one it may ask."""
    project = started(ops_on(stand, tmp_path), 1)
    assert picture(stand, project) == (tmp_path / "pictures" / "p000.png").read_bytes()
