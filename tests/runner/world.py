"""A dataset on the two servers in memory, and the people around it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import NAMESPACE_URL, uuid5

from ops.cli.progress import QuietReporter
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import RECORD_PREFIX, TASKS_PARQUET, media_path
from ops.core.records import Json, TaskKey
from ops.ports import Upload
from ops.runner.context import Context, MediaAccess
from ops.runner.init import init_repository
from tests.fakes.gateway import FakeGateway
from tests.fakes.lake import FakeLake, FakeLakeServer
from tests.fakes.studio import FakeStudio

LABELS = ("brie", "gouda")


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)


class World:
    """Two servers, a repository with images, and what annotators do."""

    def __init__(self, image_count: int = 6) -> None:
        """Set the repository up and put the images in, as `init` and `data add` would."""
        self.clock = Clock()
        self.lake_server = FakeLakeServer()
        self.studio = FakeStudio(self.clock)
        self.lake = FakeLake("dataset", server=self.lake_server)
        ids = count(1)
        self.context = Context(
            lake=self.lake,
            studio=self.studio,
            reporter=QuietReporter(),
            actor="lena@example.org",
            now=self.clock,
            new_id=lambda: f"{next(ids):032x}",
            tool_version="0",
            media=MediaAccess(access_key_id="key", secret_access_key="secret"),  # noqa: S106
            open_gateway=lambda: FakeGateway(self.lake),
        )
        config = write_label_config(LABELS, LabelKind.BOXES)
        init_repository(self.context, label_config=config, namespace="mem://dataset")
        self.add_images([f"p{number:03}.png" for number in range(image_count)])
        self.ann = self.studio.ensure_member("ann@example.org")
        self.ben = self.studio.ensure_member("ben@example.org")

    def add_images(self, keys: Sequence[str]) -> None:
        """Put images on main, through a branch as everything goes there."""
        self.lake.create_branch("data", "main")
        self.lake.write_many(
            "data",
            [
                Upload(
                    path=media_path(TaskKey(key)),
                    data=data,
                    content_type="image/png",
                    metadata={
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "width": "160",
                        "height": "120",
                    },
                )
                for key, data in ((key, f"picture {key}".encode()) for key in keys)
            ],
        )
        metadata = self.context.metadata("data-add", images=len(keys))
        self.lake.commit("data", "images", metadata)
        self.lake.merge("data", "main", "images", metadata)
        self.lake.delete_branch("data")

    def another(self, actor: str) -> Context:
        """Somebody else's connection to the same servers."""
        lake = FakeLake("dataset", server=self.lake_server)
        return replace(self.context, lake=lake, actor=actor)

    def watch(self, before: Callable[[str], None], after: Callable[[str], None]) -> None:
        """Call these around every request to either server."""
        self.lake.before = self.studio.before = before
        self.lake.after = self.studio.after = after

    def task(self, key: str, project: int | None = None) -> int:
        """The Label Studio task of a key, in the newest project or the one named."""
        wanted = project or max(self.studio.projects)
        return next(row.id for row in self.studio.task_rows(wanted) if row.key == key)

    def label(self, key: str, *labels: str, by: int | None = None, skipped: bool = False) -> int:
        """Submit an annotation with a region a label, the same identity each time."""
        self.clock.advance(1)
        who = by or self.ann
        name = f"{key} {who} {labels} {max(self.studio.projects)}"
        return self.studio.annotate(
            self.task(key),
            [region(label, number) for number, label in enumerate(labels)],
            annotator=who,
            skipped=skipped,
            lead_time_s=2.5,
            unique_id=str(uuid5(NAMESPACE_URL, name)),
        )

    def records(self, ref: str = "main") -> Mapping[str, bytes]:
        """Every record's bytes at a ref, by path."""
        paths = [found.path for found in self.lake.list_objects(ref, RECORD_PREFIX)]
        return dict(self.lake.read_many(ref, paths))

    def snapshot(self, ref: str = "main") -> bytes:
        """The packed tasks at a ref."""
        data = self.lake.read(ref, TASKS_PARQUET)
        assert data is not None
        return data


def region(label: str, number: int = 0) -> dict[str, Json]:
    """A box as Label Studio's editor makes it."""
    return {
        "id": f"r{number}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 160,
        "original_height": 120,
        "image_rotation": 0,
        "value": {
            "x": 10 + number, "y": 20.5, "width": 30, "height": 25.25, "rotation": 0,
            "rectanglelabels": [label],
        },
    }  # fmt: skip
