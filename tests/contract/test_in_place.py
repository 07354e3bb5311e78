"""ops.in_place.LakeInPlace on the real lakeFS in a real fake-gcs-server, and in memory."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ops.errors import (
    ConfigurationError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    RefusedError,
)
from ops.in_place import LakeInPlace, Loss, Placed
from ops.lake.in_place import LakeFSInPlace
from ops.local import Connection
from ops.ports import ChangeKind, Upload
from tests.fakes.bucket import FakeBucketServer
from tests.fakes.in_place import FakeLakeInPlace
from tests.fakes.lake import FakeLakeServer
from tests.gcs.fixtures import client
from tests.gcs.front import Front
from tests.lake_bench import MAIN, fresh, kinds, paths, save

NAMES = (
    "plain.png", "a b.png", "hash#1.png", "p%20t.png", "100%.png", "%2F.png", "q?x.png",
    "é日😀.png", "plus+.png", "[b].png", "a:b.png", "a//b.png", "dot/./x.png", "dot/../x.png",
    "trailing ", "&=;.png",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A lakeFS to try, and the bucket beside it."""

    open: Callable[[str], LakeInPlace]
    bucket: str
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]

    def lake(self) -> LakeInPlace:
        """A new repository that stores in the bucket, with a branch to work on."""
        lake = self.open(fresh("place"))
        assert lake.create_repository(f"gs://{self.bucket}/lakefs/{lake.repository}")
        assert lake.create_branch("work", MAIN)
        return lake

    def source(self, name: str, data: bytes, path: str = "") -> Placed:
        """An object in the bucket, as it is placed."""
        self.put(name, data)
        return Placed(
            path=path or f"images/{name}",
            address=f"gs://{self.bucket}/{name}",
            checksum=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            size_bytes=len(data),
            content_type="image/png",
            metadata={"width": "3"},
        )


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.servers)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each in turn."""
    bucket = f"data-{uuid.uuid4().hex[:12]}"
    if request.param == "fake":
        buckets, server = FakeBucketServer(), FakeLakeServer()
        buckets.make(bucket)
        server.outside = buckets.read
        return Bench(
            open=lambda name: FakeLakeInPlace(name, server),
            bucket=bucket,
            put=lambda name, data: buckets.put(bucket, name, data),
            remove=lambda name: buckets.remove(bucket, name),
        )
    servers: Connection = request.getfixturevalue("cloud_servers")
    request.getfixturevalue("cloud_here")
    google = client().create_bucket(bucket)
    return Bench(
        open=lambda name: connect(servers, name),
        bucket=bucket,
        put=lambda name, data: google.blob(name).upload_from_string(data),
        remove=lambda name: google.blob(name).delete(),
    )


def connect(servers: Connection, name: str) -> LakeFSInPlace:
    """A repository of the real lakeFS."""
    return LakeFSInPlace(
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        name,
        tries=2,
    )


def test_the_namespace_is_told(bench: Bench) -> None:
    """As the repository was created with."""
    lake = bench.lake()
    assert lake.namespace() == f"gs://{bench.bucket}/lakefs/{lake.repository}"


def test_what_is_placed_is_read_listed_and_committed(bench: Bench) -> None:
    """Beside what lakeFS holds itself, which stays."""
    lake = bench.lake()
    save(lake, "work", {"images/own.png": b"own"})
    seen: list[str] = []
    sources = [bench.source(f"src/{number}.png", b"x" * number) for number in (1, 2, 3)]
    assert lake.place_many("work", sources, done=lambda one: seen.append(one.path)) == 3
    assert sorted(seen) == [one.path for one in sources]
    commit = lake.commit("work", "Place", {})
    assert commit is not None
    assert paths(lake, commit) == ["images/own.png", *(one.path for one in sources)]
    assert lake.read(commit, "images/src/2.png") == b"xx"
    assert list(lake.placed(commit)) == sources
    assert list(lake.placed(commit, "images/src/3")) == sources[2:]
    listed = {one.path: one for one in lake.list_objects(commit, metadata=True)}
    assert listed["images/src/1.png"].metadata == {"width": "3"}
    assert listed["images/src/1.png"].checksum == sources[0].checksum


def test_an_upload_of_the_same_is_no_change(bench: Bench) -> None:
    """In place or not is no part of what an object is."""
    lake = bench.lake()
    source = bench.source("a.png", b"the bytes")
    lake.place_many("work", [source])
    lake.commit("work", "Place", {})
    upload = Upload(
        path=source.path, data=b"the bytes", content_type="image/png", metadata={"width": "3"}
    )
    lake.write_many("work", [upload])
    assert list(lake.uncommitted("work")) == []
    lake.write_many("work", [replace(upload, data=b"others")])
    assert kinds(lake.uncommitted("work")) == {source.path: ChangeKind.CHANGED}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_placed_letter_by_letter(name: str, bench: Bench) -> None:
    """The bytes, and the address as it is told again."""
    lake = bench.lake()
    source = bench.source(f"src/{name}", name.encode(), path="images/one.png")
    lake.place_many("work", [source])
    assert lake.read("work", "images/one.png") == name.encode()
    assert [one.address for one in lake.placed("work")] == [source.address]


def test_bytes_that_are_gone_or_cut_are_told(bench: Bench) -> None:
    """And nothing of those that are there, be they of lakeFS's own."""
    lake = bench.lake()
    save(lake, "work", {"images/own.png": b"own"})
    sources = [bench.source(name, b"ten bytes!") for name in ("cut", "gone", "kept", "longer")]
    lake.place_many("work", sources)
    asked = [*(one.path for one in sources), "images/own.png"]
    assert list(lake.losses("work", asked)) == []
    bench.put("cut", b"nine")
    bench.put("longer", b"more than ten bytes")
    bench.remove("gone")
    assert list(lake.losses("work", asked)) == [
        ("images/cut", Loss.CUT),
        ("images/gone", Loss.GONE),
    ]
    with pytest.raises(NotFoundError) as told:
        lake.read("work", "images/gone")
    assert told.value.code == "object-data-gone"


def test_what_cannot_be_placed_is_told(bench: Bench) -> None:
    """No branch, a protected one, no path; what is not listed is not looked at either."""
    lake = bench.lake()
    source = bench.source("a.png", b"a")
    lake.protect(MAIN)
    cases = [
        ("nowhere", source, NotFoundError, "not-in-lakefs"),
        (MAIN, source, RefusedError, "protected-branch"),
        ("work", replace(source, path=""), InvalidDataError, "object-path"),
        ("work", replace(source, path="x" * 1025), InvalidDataError, "object-path"),
    ]
    for branch, one, error, code in cases:
        with pytest.raises(error) as told:
            lake.place_many(branch, [one])
        assert told.value.code == code
    with pytest.raises(NotFoundError):
        list(lake.losses("work", ["images/not-there.png"]))
    with pytest.raises(NotFoundError):
        list(lake.placed("nowhere"))


@pytest.mark.servers
def test_a_bucket_that_lakefs_may_not_read_is_told(
    cloud_servers: Connection, cloud_here: Front
) -> None:
    """Its own account's rights count, not ours."""
    bucket = f"data-{uuid.uuid4().hex[:12]}"
    google = client().create_bucket(bucket)
    lake = connect(cloud_servers, fresh("place"))
    lake.create_repository(f"gs://{bucket}/lakefs/x")
    lake.create_branch("work", MAIN)
    google.blob("a.png").upload_from_string(b"abc")
    lake.place_many(
        "work",
        [
            Placed(
                path="images/a.png",
                address=f"gs://{bucket}/a.png",
                checksum="x",
                size_bytes=3,
                content_type="image/png",
            )
        ],
    )
    with cloud_here.refusing(f"{bucket}.*a.png", 403), pytest.raises(DeniedError) as told:
        list(lake.losses("work", ["images/a.png"]))
    assert told.value.code == "lakefs-bucket-forbidden"


@pytest.mark.servers
def test_a_lakefs_on_a_disk_takes_nothing_of_a_bucket(servers: Connection) -> None:
    """And what it holds is never taken for something that lies elsewhere."""
    lake = connect(servers, fresh("place"))
    lake.create_repository(f"local://{lake.repository}")
    lake.create_branch("work", MAIN)
    save(lake, "work", {"images/own.png": b"own"})
    assert list(lake.placed("work")) == []
    source = Placed(
        path="images/a.png",
        address="gs://bucket/a.png",
        checksum="x",
        size_bytes=3,
        content_type="image/png",
    )
    with pytest.raises(ConfigurationError) as told:
        lake.place_many("work", [source])
    assert told.value.code == "other-storage"
