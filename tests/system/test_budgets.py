"""How many requests a round costs on the real servers: a budget, not a time."""

from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from ops.core.label_config import LabelKind, write_label_config
from ops.core.selection import Selection
from ops.lake import LakeFS
from ops.local import Connection
from ops.runner.data import add_media
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from ops.studio import LabelStudio, StudioAnnotators
from tests.context import real_context
from tests.pictures import draw_pictures
from tests.runner.world import region

pytestmark = pytest.mark.servers

TASK_COUNT = 1000
CHANGED_COUNT = 50


def test_requests_of_a_thousand_tasks(servers: Connection, tmp_path: Path) -> None:
    repository = f"test-{uuid4().hex[:12]}"
    requests: Counter[str] = Counter()
    context = replace(
        real_context(servers, repository, overlap_s=0),
        lake=LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            repository,
            on_request=lambda _, __: requests.update(["lakeFS"]),
        ),
        studio=LabelStudio(
            servers.label_studio_url,
            servers.label_studio_token,
            on_request=lambda _, __: requests.update(["Label Studio"]),
        ),
    )
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{repository}")
    draw_pictures(tmp_path, TASK_COUNT)
    add_media(context, [tmp_path])

    requests.clear()
    started = start_round(context, "cheese", Selection())
    assert len(started.keys) == TASK_COUNT
    assert requests["lakeFS"] <= 30
    assert requests["Label Studio"] <= 15

    sync_round(context, "cheese")
    requests.clear()
    assert sync_round(context, "cheese").commit is None
    assert requests["lakeFS"] <= 6
    assert requests["Label Studio"] <= 3

    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        project = started.manifest.project if started.manifest else None
        assert project is not None
        rows = list(studio.task_rows(project))[::20][:CHANGED_COUNT]
        for row in rows:
            people.annotate(row.id, [region("brie")], annotator=ann)
    requests.clear()
    assert len(sync_round(context, "cheese").changed) == CHANGED_COUNT
    assert requests["lakeFS"] <= CHANGED_COUNT + 13
    assert requests["Label Studio"] <= 5
