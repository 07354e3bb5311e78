"""Pictures with odd names: a file takes part in a round to its end, or it is ignored by name.

Nothing between the two: a name Label Studio cannot show would be a broken picture to an annotator.
"""

import json
from pathlib import Path

import pytest

from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures
from tests.runner.world import region
from tests.snapshots import read_object, read_rows

pytestmark = pytest.mark.servers

GOOD = (
    "two  spaces .png",
    " leading.png",
    "plus+and&equals=;.png",
    'it\'s "quoted" `so`.png',
    "50 %.png",
    "%41%2F%zz.png",
    "number #3.png",
    "<b>$image {{x}}.png",
    "Käse.png",
    "Ka\u0308se.png",
    "奶酪/сыр/جبن.png",
    "🧀.png",
    "a..b...png",
    "no suffix",
    "comma,colon:star*pipe|.png",
    "x" * 200 + "/" + "y" * 200 + "/" + "é" * 100 + ".png",
    "annotations.json",
)
REFUSED = (
    "what?.png",
    "back\\slash.png",
    "tab\t.png",
    "line\nend.png",
    "trailing space.png ",
    "ideographic space.png\u3000",
    "delete\x7f.png",
    "/".join(["z" * 250] * 4) + ".png",
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture of each name, each with other bytes."""
    folder = tmp_path_factory.mktemp("odd") / "pictures"
    drawn = draw_pictures(folder.parent / "drawn", len(GOOD) + len(REFUSED))
    for name, picture in zip((*GOOD, *REFUSED), drawn, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.rename(folder / name)
    return folder


def test_odd_names_from_disk_to_version(
    servers: Connection, tmp_path: Path, pictures: Path
) -> None:
    ops = Ops(tmp_path, servers)
    ops.run("init", "--labels", "brie", "--kind", "boxes")
    added = ops.run("data", "add", str(pictures)).data
    assert added["added"] == sorted(GOOD)
    assert sorted(file["name"] for file in added["ignored"]) == sorted(REFUSED)
    assert all(file["reason"].startswith("has ") for file in added["ignored"])

    started = ops.run("round", "start", "odd").data
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann = people.ensure_member("ann@example.org")
    shown: dict[str, bool] = {}
    for row in studio.task_rows(started["project"]):
        uri = f"s3://{ops.repository}/{started['base']}/images/{row.key}"
        shown[str(row.key)] = studio.shows_media(row.id, uri)
        people.annotate(row.id, [region("brie")], annotator=ann)
    studio.close()
    assert shown == dict.fromkeys(GOOD, True)
    assert ops.run("round", "sync", "odd").data["changed"] == sorted(GOOD)
    assert ops.run("round", "finish", "odd", "--yes").data["version"] == 1

    tasks = read_rows(servers, ops.repository, "v1", "tasks.parquet")
    assert {row["key"]: row["state"] for row in tasks} == dict.fromkeys(GOOD, "labeled")
    regions = read_rows(servers, ops.repository, "v1", "annotations.parquet")
    assert sorted(row["key"] for row in regions) == sorted(GOOD)
    for name in GOOD:
        data = read_object(servers, ops.repository, f"v1/images/{name}")
        assert data == (pictures / name).read_bytes()
        record = json.loads(read_object(servers, ops.repository, f"v1/annotations/{name}.json"))
        assert record["task"]["key"] == name
