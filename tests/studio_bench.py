"""What the contract suites of Label Studio are run on: the real one, and the one in memory."""

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from ops.annotator_port import Annotators
from ops.core.records import Json
from ops.local import Connection
from ops.ports import Project, Studio, TaskRow
from ops.studio import LabelStudio, StudioAnnotators
from tests.acts import Acts, StudioActs
from tests.fakes.studio import FakeStudio

TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
BOXES = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="Cat"/></RectangleLabels>
</View>
"""
BOX: Mapping[str, Json] = {
    "id": "r1",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 640,
    "original_height": 480,
    "image_rotation": 0,
    "value": {
        "x": 47.8,
        "y": 7,
        "width": 7.25,
        "height": 8,
        "rotation": 0,
        "rectanglelabels": ["Cat"],
    },
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A server to try: its two ports, the further acts, and a bucket with pictures."""

    studio: Studio
    annotators: Annotators
    acts: Acts
    account: int
    bucket: str
    keys: tuple[str, str] = field(repr=False)
    put: Callable[[str], str]

    def project(self, label_config: str = BOXES, description: str = "") -> Project:
        """A project of a name of its own."""
        return self.studio.create_project(
            title=f"contract {uuid.uuid4().hex[:12]}",
            description=description,
            label_config=label_config,
        )

    def connect(self, project: int) -> bool:
        """Let a project show the bucket's pictures."""
        identity, secret = self.keys
        return self.studio.connect_media(
            project, bucket=self.bucket, access_key_id=identity, secret_access_key=secret
        )

    def rows(self, project: int, since: str | None = None) -> dict[int, TaskRow]:
        """The task index by id."""
        return {row.id: row for row in self.studio.task_rows(project, since=since)}

    def document(self, project: int, task: int) -> Mapping[str, Json]:
        """One task in export form."""
        (found,) = self.studio.export(project, [task])
        return found

    def answers(self, project: int, task: int) -> Sequence[Mapping[str, Json]]:
        """The annotations of one task in export form."""
        return mappings(self.document(project, task)["annotations"])


def mappings(value: Json) -> list[dict[str, Json]]:
    """A JSON list of objects."""
    assert isinstance(value, list)
    return [item for item in value if isinstance(item, dict)]


def item(uri: str, key: str) -> dict[str, Json]:
    """One task to import."""
    return {"data": {"image": uri, "key": key}}


def items(*keys: str, **more: Json) -> list[dict[str, Json]]:
    """Tasks to import, one a key."""
    return [{"data": {"image": f"s3://pictures/{key}.png", "key": key}, **more} for key in keys]


def fake_bench() -> Bench:
    """The Label Studio in memory, whose clock moves on by a second whenever it is looked at."""
    seconds = count()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    studio = FakeStudio(lambda: start + timedelta(seconds=next(seconds), microseconds=7))
    stored: set[str] = set()
    studio.has_media = stored.__contains__

    def put(key: str) -> str:
        uri = f"s3://pictures/{'c' * 64}/images/{key}"
        stored.add(uri)
        return uri

    return Bench(
        studio=studio,
        annotators=studio,
        acts=studio,
        account=1,
        bucket="pictures",
        keys=("id", "secret"),
        put=put,
    )


@contextmanager
def real_bench(servers: Connection) -> Generator[Bench]:
    """The real Label Studio, and a lakeFS repository of a name of its own."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    bucket, made = f"contract-{uuid.uuid4().hex[:12]}", list[str]()
    emails = {email: user for user, email in studio.members().items()}
    keys = (servers.lakefs_access_key_id, servers.lakefs_secret_access_key)
    with httpx.Client(base_url=f"{servers.lakefs_url}/api/v1", auth=keys) as lake:

        def put(key: str) -> str:
            if not made:
                body = {"name": bucket, "storage_namespace": f"local://{bucket}"}
                made.append(lake.post("/repositories", json=body).raise_for_status().json()["id"])
            path = f"images/{key}"
            lake.post(
                f"/repositories/{bucket}/branches/main/objects",
                params={"path": path},
                content=PIXEL,
            ).raise_for_status()
            return f"s3://{bucket}/main/{path}"

        yield Bench(
            studio=studio,
            annotators=StudioAnnotators(studio),
            acts=StudioActs(studio),
            account=emails[servers.label_studio_email],
            bucket=bucket,
            keys=keys,
            put=put,
        )


@contextmanager
def open_bench(request: pytest.FixtureRequest) -> Generator[Bench]:
    """The one a fixture's parameter names."""
    if request.param == "memory":
        yield fake_bench()
        return
    with real_bench(request.getfixturevalue("servers")) as bench:
        yield bench


BENCHES = ("memory", pytest.param("real", marks=pytest.mark.servers))
