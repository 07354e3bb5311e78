"""Rounds on the pods by the command line, and how answers get into them."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from ops.core.records import Json
from ops.local import Connection
from ops.local.home import Service
from ops.local.loopback import Answer
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.pods.stand import BUCKET, Stand
from tests.runner.world import region

_OK = 200
BRIE, GOUDA = (region("brie", 1),), (region("gouda", 2),)
SKIPPED = None

Answers = Mapping[str, Sequence[Mapping[str, Json]] | None]
"""Regions by task key; SKIPPED for a task that is submitted as skipped."""


def ops_on(stand: Stand, directory: Path, *, repository: str | None = None) -> Ops:
    """The command line on the pods, its objects in the stack's bucket. Makes a token."""
    ops = Ops(directory, stand.connection())
    ops.repository = repository or ops.repository
    ops.environment = {
        **ops.environment,
        "OPS_REPOSITORY": ops.repository,
        "OPS_STORAGE_NAMESPACE": f"gs://{BUCKET}/lakefs/{{repository}}",
    }
    return ops


def started(ops: Ops, count: int) -> int:
    """Make a repository of `count` pictures with a round `cheese` over them; give its project."""
    draw_pictures(ops.directory / "pictures", count)
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    return ops.run("round", "start", "cheese", "--all").data["project"]


def answer(connection: Connection, project: int, answers: Answers) -> None:
    """Have an annotator submit answers."""
    with closing(LabelStudio(connection.label_studio_url, connection.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        tasks = {str(row.key): row.id for row in studio.task_rows(project)}
        for key, regions in answers.items():
            people.annotate(tasks[key], regions or [], annotator=ann, skipped=regions is SKIPPED)


def picture(stand: Stand, project: int) -> bytes | int:
    """The picture of a project's first task as an annotator's browser gets it, or the status."""
    connection = stand.connection()
    with closing(LabelStudio(connection.label_studio_url, connection.label_studio_token)) as studio:
        row = next(iter(studio.task_rows(project)))
    address = str(row.data["image"])
    assert address.startswith("s3://")
    coded = base64.urlsafe_b64encode(address.encode()).decode()
    shown = stand.client(Service.LABEL_STUDIO).get(
        f"/tasks/{row.id}/resolve/?fileuri={coded}",
        headers=bearer(stand, connection.label_studio_token),
    )
    return shown.body if shown.status == _OK else shown.status


def bearer(stand: Stand, token: str) -> Mapping[str, str]:
    """The header by which Label Studio's API knows the owner of a personal access token."""
    return {"Authorization": f"Bearer {access(stand, token).text_at('access')}"}


def access(stand: Stand, token: str) -> Answer:
    """What Label Studio says to a personal access token."""
    client = stand.client(Service.LABEL_STUDIO)
    return client.post_json("/api/token/refresh/", {"refresh": token})
