"""`ops data import` on the real servers: lakeFS stores in buckets of a real fake-gcs-server."""

import hashlib
import uuid
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from ops.bucket import GoogleBucket
from ops.cli.progress import QuietReporter
from ops.core.buckets import parse_address
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import LABEL_CONFIG_PATH
from ops.lake.in_place import LakeFSInPlace
from ops.local import Connection
from ops.ports import Phase
from ops.runner.context import Context
from ops.runner.imports import import_media
from ops.studio import LabelStudio
from ops.studio.annotators import StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import CHOICE, Line, variables_for
from tests.gcs.fixtures import client
from tests.gcs.front import Front
from tests.lake_bench import save
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository in a bucket, and a versioned bucket of pictures beside it."""

    line: Line
    cloud: Front
    bucket: str
    pictures: Mapping[str, bytes]
    lake: LakeFSInPlace

    @property
    def google(self) -> Any:  # noqa: ANN401 - the library is not typed
        """The bucket, by Google's own library."""
        return client().bucket(self.bucket)

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""
        self.google.blob(name).upload_from_string(data)

    @property
    def keys(self) -> list[str]:
        """The images on main."""
        return [one["key"] for one in self.line.do("data", "list")["data"]["images"]]


@pytest.fixture
def place(call: Call, cloud_servers: Connection, cloud_here: Front, tmp_path: Path) -> Place:
    """Three pictures below shots/, and a repository with nothing in it."""
    bucket = f"data-{uuid.uuid4().hex[:12]}"
    client().create_bucket(bucket)
    cloud_here.amend(bucket, {"versioning": {"enabled": True}})
    variables = {
        **variables_for(cloud_servers),
        "OPS_STORAGE_NAMESPACE": f"gs://{bucket}/lakefs/x",
        "STORAGE_EMULATOR_HOST": cloud_here.url,
    }
    lake = LakeFSInPlace(
        cloud_servers.lakefs_url,
        cloud_servers.lakefs_access_key_id,
        cloud_servers.lakefs_secret_access_key,
        variables["OPS_REPOSITORY"],
    )
    drawn = draw_pictures(tmp_path / "pictures", 3)
    place = Place(
        line=Line(call=call, variables=variables, worked=set()),
        cloud=cloud_here,
        bucket=bucket,
        pictures={path.name: path.read_bytes() for path in drawn},
        lake=lake,
    )
    for name, data in place.pictures.items():
        place.put(f"shots/{name}", data)
    # What `ops init` does besides takes 6 s, and an import asks for none of it.
    assert lake.create_repository(variables["OPS_STORAGE_NAMESPACE"])
    return place


def test_a_round_goes_over_pictures_that_stay_where_they_lie(
    place: Place, cloud_servers: Connection
) -> None:
    """From the import to a version that `dataset verify` finds nothing about."""
    line, source = place.line, f"gs://{place.bucket}/shots"
    line.do("init", "--labels", "brie,gouda")
    place.put("shots/notes.txt", b"no picture")
    place.put("shots/.hidden.png", b"x")
    place.put("shots/below/", b"")
    planned = line.do("data", "import", source, "--dry-run")
    assert (planned["status"], planned["data"]["commit"]) == ("planned", None)
    assert place.keys == []
    done = line.do("data", "import", source)
    assert done["data"]["added"] == planned["data"]["added"] == sorted(place.pictures)
    assert done["data"]["unhashed"] == done["data"]["accepted"] == []
    ignored = {one["name"]: one["reason"] for one in done["data"]["ignored"]}
    assert set(ignored) == {"shots/notes.txt", "shots/.hidden.png", "shots/below/"}
    assert ignored["shots/notes.txt"] == "is not an image"
    assert "nothing new: 3 images there already" in line.read("data", "import", f"{source}/")
    assert "notes.txt is not an image" in line.read("data", "import", source)

    [*placed] = place.lake.placed("main", "images/")
    assert [one.address for one in placed] == [f"{source}/{name}" for name in place.pictures]
    assert [one.content_type for one in placed] == ["image/png"] * 3
    data = place.pictures["p000.png"]
    assert placed[0].metadata == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": "160",
        "height": "120",
    }
    merged = place.lake.commit_facts("main")
    assert merged.metadata["ops.kind"] == "data-import"
    assert merged.metadata["ops.source"] == source
    assert merged.id == done["data"]["commit"]
    assert [name for name, _ in place.lake.branches()] == ["main"]

    started = line.do("round", "start", "first")
    with closing(
        LabelStudio(cloud_servers.label_studio_url, cloud_servers.label_studio_token)
    ) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        for task in studio.task_rows(started["data"]["project"]):
            people.annotate(task.id, [CHOICE], annotator=ann)
    assert line.do("round", "finish", "first", "--yes")["data"]["tag"] == "v1"
    assert line.do("dataset", "verify", "--all")["data"]["findings"] == []
    line.do("doctor")


def test_what_is_added_and_what_is_imported_is_the_same(place: Place) -> None:
    """An upload of the same bytes is no change, and the other way round."""
    line = place.line
    line.do("data", "add", "pictures")
    head = place.lake.find_commit("main")
    again = line.do("data", "import", f"gs://{place.bucket}/shots/")
    assert (again["data"]["added"], len(again["data"]["unchanged"])) == ([], 3)
    assert place.lake.find_commit("main") == head
    line.do("data", "import", f"gs://{place.bucket}/shots/", "--to", "elsewhere/")
    assert place.keys == [f"elsewhere/{name}" for name in place.pictures] + [*place.pictures]


def test_nothing_that_is_there_is_replaced(place: Place) -> None:
    """Other bytes of the same key are refused, and whatever else is below the prefix stays."""
    line = place.line
    line.do("data", "add", "pictures", "--prefix", "shots/")
    place.put("new/p000.png", place.pictures["p001.png"])
    place.put("new/p003.png", place.pictures["p002.png"])
    refused = line.fail("data", "import", f"gs://{place.bucket}/new/", "--to", "shots/")
    assert (refused["exit_code"], refused["code"]) == (5, "image-exists")
    assert refused["subject"] == "new/p000.png"
    before = {one.path: one.checksum for one in place.lake.list_objects("main")}
    place.google.blob("new/p000.png").delete()
    line.do("data", "import", f"gs://{place.bucket}/new/", "--to", "shots/")
    after = {one.path: one.checksum for one in place.lake.list_objects("main")}
    assert after.keys() - before.keys() == {"images/shots/p003.png"}
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"md5Hash": None, "componentCount": 2}, "no-checksum"),
        ({"contentEncoding": "gzip"}, "encoded"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    facts: Mapping[str, Any], why: str, place: Place
) -> None:
    """All of it, with the reason, by name; no word of one's own helps."""
    place.cloud.facts[place.bucket, "shots/p001.png"] = facts
    for options in ((), ("--accept-mutable",)):
        document = place.line.do(
            "data", "import", f"gs://{place.bucket}/shots/", *options, exit_code=4
        )
        [error] = document["errors"]
        assert error["code"] == "cannot-take-in-place"
        assert error["where"].keys() == {why}
        assert [one["name"] for one in document["data"]["refused"]] == ["shots/p001.png"]
    assert place.keys == []


def test_objects_that_may_change_are_refused_unless_somebody_sees_to_them(place: Place) -> None:
    """What was accepted is on record; what is fixed by its name or a hold need not be."""
    line, source = place.line, f"gs://{place.bucket}/shots/"
    place.cloud.amend(place.bucket, {"versioning": {"enabled": False}})
    data = place.pictures["p000.png"]
    place.google.blob("shots/p000.png").delete()
    place.put(f"shots/{hashlib.md5(data, usedforsecurity=False).hexdigest()}.png", data)
    place.cloud.facts[place.bucket, "shots/p001.png"] = {"temporaryHold": True}
    refused = line.fail("data", "import", source)
    assert (refused["exit_code"], refused["code"]) == (4, "cannot-take-in-place")
    assert refused["where"]["mutable"].startswith("shots/p002.png can be overwritten")
    assert "--accept-mutable" in refused["hint"]
    assert "--versioning" in refused["hint"]
    done = line.do("data", "import", source, "--accept-mutable")
    assert [one["name"] for one in done["data"]["accepted"]] == ["shots/p002.png"]
    assert place.lake.commit_facts("main").metadata["ops.accepted_mutable"] == "1"


def test_objects_a_lifecycle_rule_will_delete_are_refused(place: Place) -> None:
    """A versioned bucket is no help: lakeFS reads the newest of a name alone."""
    condition = {"age": 30, "matchesPrefix": ["shots/p001"]}
    rules = {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}}
    place.cloud.amend(place.bucket, rules)
    refused = place.line.fail("data", "import", f"gs://{place.bucket}/shots/")
    assert refused["where"].keys() == {"doomed"}
    assert refused["subject"] == "shots/p001.png"


@pytest.mark.parametrize(
    ("source", "exit_code", "code"),
    [
        ("gs://{bucket}/nothing/", 3, "no-objects"),
        ("gs://{bucket}/shots/p00", 3, "no-objects"),
        ("gs://nobody-made-this-one/", 3, "no-bucket"),
        ("gs://{bucket}/", 4, "own-storage"),
        ("gs://{bucket}/lakefs/", 4, "own-storage"),
        ("gs://{bucket}/lakefs/x/data/", 4, "own-storage"),
        ("s3://{bucket}/shots/", 2, "bucket-address"),
        ("pictures", 2, "bucket-address"),
    ],
)
def test_a_wrong_source_is_told(source: str, exit_code: int, code: str, place: Place) -> None:
    """Before anything is written."""
    error = place.line.fail("data", "import", source.format(bucket=place.bucket))
    assert (error["exit_code"], error["code"]) == (exit_code, code)
    assert [name for name, _ in place.lake.branches()] == ["main"]


def test_one_object_may_be_named(place: Place) -> None:
    """It is called by its own name."""
    place.line.do("data", "import", f"gs://{place.bucket}/shots/p001.png")
    assert place.keys == ["p001.png"]


def test_a_name_that_cannot_be_a_key_is_refused(place: Place) -> None:
    """A file that is no picture may be called as it likes."""
    place.put("shots/what?.txt", b"text")
    place.line.do("data", "import", f"gs://{place.bucket}/shots/", "--dry-run")
    place.put("shots/what?.png", place.pictures["p000.png"])
    refused = place.line.fail("data", "import", f"gs://{place.bucket}/shots/")
    assert refused["where"].keys() == {"name"}


def test_a_bucket_that_lakefs_cannot_read_is_no_source(place: Place) -> None:
    """Found before main is touched, though we can read it."""
    gateway = f"GET /{place.bucket}/shots"
    with place.cloud.refusing(gateway, 403):
        refused = place.line.fail("data", "import", f"gs://{place.bucket}/shots/")
    assert (refused["exit_code"], refused["code"]) == (6, "lakefs-bucket-forbidden")
    assert place.keys == []
    assert [name for name, _ in place.lake.branches()] == ["main"]


def test_a_repository_on_a_disk_takes_nothing_of_a_bucket(
    place: Place, servers: Connection
) -> None:
    """And says what to do instead."""
    line = Line(call=place.line.call, variables={**variables_for(servers)}, worked=set())
    line.variables["STORAGE_EMULATOR_HOST"] = place.cloud.url
    line.do("init", "--labels", "brie,gouda")
    refused = line.fail("data", "import", f"gs://{place.bucket}/shots/")
    assert (refused["exit_code"], refused["code"]) == (4, "not-in-a-bucket")
    assert "ops data add" in refused["hint"]


def _noise(seed: int) -> bytes:
    """A picture of more than 64 KiB."""
    picture = Image.frombytes("RGB", (200, 200), Random(seed).randbytes(120_000))  # noqa: S311 - noise
    stream = BytesIO()
    picture.save(stream, "PNG")
    assert len(stream.getvalue()) > 100_000
    return stream.getvalue()


def test_of_a_large_picture_its_beginning_is_read_and_no_more(place: Place, tmp_path: Path) -> None:
    """It has no SHA-256 then, and is told from others by its md5."""
    data = _noise(1)
    place.put("large/p.png", data)
    place.cloud.seen.clear()
    done = place.line.do("data", "import", f"gs://{place.bucket}/large/")
    assert done["data"]["unhashed"] == ["p.png"]
    assert len([line for line in place.cloud.seen if "alt=media" in line]) == 1
    [placed] = place.lake.placed("main", "images/")
    assert placed.metadata == {"width": "200", "height": "200"}
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "p.png").write_bytes(data)
    assert place.line.do("data", "add", "again")["data"]["unchanged"] == ["p.png"]
    (tmp_path / "again" / "p.png").write_bytes(_noise(2))
    assert place.line.fail("data", "add", "again")["code"] == "image-exists"


def test_read_whole_a_damaged_picture_is_found(place: Place) -> None:
    """And the others have their SHA-256."""
    place.put("large/cut.png", _noise(1)[:100_000])
    place.put("large/whole.png", _noise(2))
    source = f"gs://{place.bucket}/large/"
    blind = place.line.do("data", "import", source, "--dry-run")
    assert blind["data"]["added"] == ["cut.png", "whole.png"]
    done = place.line.do("data", "import", source, "--whole")
    assert (done["data"]["added"], done["data"]["unhashed"]) == (["whole.png"], [])
    assert [one["name"] for one in done["data"]["ignored"]] == ["large/cut.png"]


def test_an_import_that_was_killed_goes_on(place: Place) -> None:
    """What is named to lakeFS is not named again; a commit without its merge is merged."""
    source = parse_address(f"gs://{place.bucket}/shots/")
    with closing(LabelStudio("http://127.0.0.1:1", "unused")) as studio:
        context = Context(
            lake=place.lake,
            studio=studio,
            reporter=QuietReporter(),
            actor="lena@example.org",
            now=lambda: datetime.now(UTC),
            new_id=lambda: uuid.uuid4().hex,
            tool_version="0",
            in_place=place.lake,
            open_bucket=GoogleBucket,
        )
        with pytest.raises(_KilledError):
            import_media(replace(context, reporter=_Killer("naming pictures to lakeFS")), source)
        [(branch, _)] = place.lake.branches("data-")
        named = len(list(place.lake.uncommitted(branch)))
        assert named >= 1
        done = import_media(context, source)
    assert len(done.added) == 3
    assert place.keys == [*place.pictures]
    assert list(place.lake.branches("data-")) == []


class _KilledError(Exception):
    pass


class _Killer(QuietReporter):
    """Narrates nowhere, and is the end of one phase."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    @contextmanager
    def phase(self, title: str, total: int | None = None) -> Generator[Phase]:
        """Open a phase; within the one that was named, the first unit done is the last."""
        with super().phase(title, total) as phase:
            yield _Bomb() if title == self._title else phase


class _Bomb:
    def advance(self, count: int = 1) -> None:
        """End it all."""
        if count:
            raise _KilledError


@pytest.mark.parametrize("how", ["gone", "other", "short", "same size"])
@pytest.mark.parametrize("asks_bucket", [True, False])
def test_bytes_that_are_not_what_was_imported_are_told(
    how: str, asks_bucket: bool, place: Place
) -> None:
    """By verify, doctor and round start; without the bucket, what lakeFS can tell of them."""
    line, name = place.line, "shots/p001.png"
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    save(place.lake, "main", {LABEL_CONFIG_PATH: config.encode()})
    line.do("data", "import", f"gs://{place.bucket}/shots/")
    data = place.pictures["p001.png"]
    if how == "gone":
        place.google.blob(name).delete()
    else:
        place.put(name, {"other": data * 2, "short": b"short"}.get(how, data[::-1]))
    listing = f"GET /storage/v1/b/{place.bucket}/o[?]"
    with place.cloud.refusing("nothing" if asks_bucket else listing, 403):
        document = line.do("dataset", "verify", exit_code=9)
        doctor = line.fail("doctor")
        start = line.call("round", "start", "first", "--dry-run", "--json", **line.variables)
    found = [one for one in document["data"]["findings"] if one["check"] == "images"]
    codes = [one["code"] for one in found]
    is_noticed = asks_bucket or how in {"gone", "short"}
    expected = ["picture-gone" if how == "gone" else "picture-changed"] if is_noticed else []
    assert codes == expected + ([] if asks_bucket else ["bucket-not-asked"])
    if is_noticed:
        assert found[0]["subject"] == "images/p001.png"
        assert "gcloud storage cp" in found[0]["remedy"]
        assert "sources" in doctor["where"]
        assert "fail: 1 pictures are not what was imported" in doctor["where"]["sources"]
        assert start.document["errors"][0]["code"] == "pictures-stale"
        assert start.exit_code == 4
    else:
        assert start.exit_code == 0
        assert doctor["where"]["sources"].startswith("warn")
