"""An annotated round to measure on: real servers, tiny pictures, three boxes a task."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ops.cli.progress import QuietReporter
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import RECORD_PREFIX, media_path, record_path, round_branch
from ops.core.records import Json, TaskKey
from ops.core.selection import Selection
from ops.lake import LakeFS
from ops.local import connection
from ops.ports import Upload
from ops.runner.context import Context, MediaAccess, load_round
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.studio import LabelStudio, StudioAnnotators

CHANGED_COUNT = 50
_BATCH = 1000


class _ShownStudio(LabelStudio):
    """Label Studio, but nobody looks whether the pictures, a few bytes each, are pictures."""

    def shows_media(self, task: int, uri: str) -> bool:
        """Take it for granted: what is measured is the sync."""
        del task, uri
        return True


@dataclass(kw_only=True)
class Bench:
    """One open round whose tasks all have an annotation that was not synced yet."""

    context: Context
    round: str
    project: int
    requests: Counter[str]
    environment: Mapping[str, str]

    @property
    def branch(self) -> str:
        """The round's branch."""
        return round_branch(self.round)

    def every_task(self) -> Sequence[int]:
        """Label Studio's ids of all tasks."""
        return [row.id for row in self.context.studio.task_rows(self.project)]

    def change(self, count: int) -> Sequence[int]:
        """Submit another annotation for so many tasks, spread over the round; their ids."""
        assert isinstance(self.context.studio, LabelStudio)
        people = StudioAnnotators(self.context.studio)
        someone = people.ensure_member("ben@example.org")
        tasks = self.every_task()
        chosen = tasks[:: max(1, len(tasks) // count)][:count]
        for task in chosen:
            people.annotate(task, boxes(1), annotator=someone)
        return chosen

    def records(self) -> dict[str, bytes]:
        """Every record on the branch, by path."""
        paths = [f.path for f in self.context.lake.list_objects(self.branch, RECORD_PREFIX)]
        return dict(self.context.lake.read_many(self.branch, paths))

    def records_of(self, tasks: Sequence[int]) -> dict[str, bytes]:
        """The records of some tasks, by path."""
        seen = load_round(self.context, self.round).index.seen
        keys = {seen[task].key for task in tasks}
        paths = sorted(record_path(key) for key in keys if key is not None)
        return dict(self.context.lake.read_many(self.branch, paths))

    def since(self) -> str | None:
        """From when a delta looks."""
        return load_round(self.context, self.round).index.since(self.context.overlap_s)


def set_up(home: Path, task_count: int) -> Bench:
    """Make a repository with so many pictures and an open round, every task annotated once."""
    stack = connection(home)
    assert stack is not None, "the caller started it"
    requests: Counter[str] = Counter()
    repository = f"bench-{uuid4().hex[:8]}"
    context = Context(
        lake=LakeFS(
            stack.lakefs_url,
            stack.lakefs_access_key_id,
            stack.lakefs_secret_access_key,
            repository,
            on_request=lambda _, __: requests.update(["lakeFS"]),
        ),
        studio=_ShownStudio(
            stack.label_studio_url,
            stack.label_studio_token,
            on_request=lambda _, __: requests.update(["Label Studio"]),
        ),
        reporter=QuietReporter(),
        actor="bench@example.org",
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        tool_version="bench",
        media=MediaAccess(
            access_key_id=stack.lakefs_access_key_id,
            secret_access_key=stack.lakefs_secret_access_key,
        ),
        # The tasks are seconds old here; a round's are not, and its delta reads the changed ones.
        overlap_s=0,
    )
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{repository}")
    _add_pictures(context, task_count)
    started = start_round(context, "cheese", Selection())
    assert started.manifest is not None
    project = started.manifest.project or 0
    _annotate_all(context, project)
    environment = {
        "OPS_REPOSITORY": repository,
        "OPS_LAKEFS_URL": stack.lakefs_url,
        "OPS_LAKEFS_ACCESS_KEY_ID": stack.lakefs_access_key_id,
        "OPS_LAKEFS_SECRET_ACCESS_KEY": stack.lakefs_secret_access_key,
        "OPS_LABEL_STUDIO_URL": stack.label_studio_url,
        "OPS_LABEL_STUDIO_TOKEN": stack.label_studio_token,
        "OPS_SYNC_OVERLAP_S": "0",
    }
    return Bench(
        context=context,
        round="cheese",
        project=project,
        requests=requests,
        environment=environment,
    )


def _add_pictures(context: Context, count: int) -> None:
    lake = context.lake
    lake.create_branch("pictures", "main")
    uploads: Iterator[Upload] = (
        Upload(
            path=media_path(TaskKey(f"{number // 1000:03}/{number:06}.png")),
            data=b"picture %d" % number,
            content_type="image/png",
            metadata={"sha256": "0" * 64, "width": "640", "height": "480"},
        )
        for number in range(count)
    )
    lake.write_many("pictures", uploads)
    lake.commit("pictures", "pictures", {})
    lake.merge("pictures", "main", "pictures", {})


def _annotate_all(context: Context, project: int) -> None:
    """Put annotated tasks in the place of the round's own: 10 000 answers by bulk, not by hand."""
    rows = list(context.studio.task_rows(project))
    context.studio.delete_tasks(project, [row.id for row in rows])
    for start in range(0, len(rows), _BATCH):
        items: list[Mapping[str, Json]] = [
            {
                "data": dict(row.data),
                "annotations": [{"result": [*boxes(3)], "ground_truth": False}],
            }
            for row in rows[start : start + _BATCH]
        ]
        context.studio.import_tasks(project, items)


def boxes(count: int) -> list[dict[str, Json]]:
    """So many regions as Label Studio's editor makes them."""
    return [
        {
            "id": f"r{number}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": 640,
            "original_height": 480,
            "image_rotation": 0,
            "value": {
                "x": 47.8 + number, "y": 47.3, "width": 7.2, "height": 8.3, "rotation": 0,
                "rectanglelabels": ["brie"],
            },
        }
        for number in range(count)
    ]  # fmt: skip
