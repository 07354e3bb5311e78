"""A whole round on the pods: the manifests' own commands, PostgreSQL, a bucket; then an S3 read."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from ops.local.home import Service
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.laws import note
from tests.pictures import draw_pictures
from tests.pods.stand import Stand
from tests.runner.world import region
from tests.training import read_by_boto3

pytestmark = pytest.mark.servers


def test_a_round_on_the_pods(stand: Stand, tmp_path: Path) -> None:
    connection = stand.connection()
    ops = Ops(tmp_path, connection)
    draw_pictures(tmp_path / "pictures", 6)
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    project = ops.run("round", "start", "cheese", "--all").data["project"]
    with closing(LabelStudio(connection.label_studio_url, connection.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        tasks = {str(row.key): row.id for row in studio.task_rows(project)}
        for name in ("p000.png", "p001.png", "p002.png"):
            people.annotate(tasks[name], [region("brie", 1), region("gouda", 2)], annotator=ann)
        people.annotate(tasks["p003.png"], [], annotator=ann)
        people.annotate(tasks["p004.png"], [], annotator=ann, skipped=True)
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
    connection = stand.connection()
    ops = Ops(tmp_path, connection)
    [picture] = draw_pictures(tmp_path / "pictures", 1)
    ops.run("init", "--labels", "brie", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    project = ops.run("round", "start", "cheese").data["project"]
    with closing(LabelStudio(connection.label_studio_url, connection.label_studio_token)) as studio:
        [row] = studio.task_rows(project)
        task = studio.task(row.id)
    assert str(task["data"]["image"]).startswith("s3://")
    access = stand.client(Service.LABEL_STUDIO).post_json(
        "/api/token/refresh/", {"refresh": connection.label_studio_token}
    )
    shown = stand.client(Service.LABEL_STUDIO).get(
        f"/tasks/{row.id}/resolve/?fileuri={encoded(str(task['data']['image']))}",
        headers={"Authorization": f"Bearer {access.text_at('access')}"},
    )
    assert (shown.status, shown.body) == (200, picture.read_bytes())
