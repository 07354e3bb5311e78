"""ops.bucket_port.Bucket on Google's library with a real fake-gcs-server, and in memory."""

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest

from ops.bucket import GoogleBucket
from ops.bucket_port import Bucket
from ops.core.buckets import CorsRule
from ops.errors import (
    ConflictError,
    DeniedError,
    InternalError,
    NotFoundError,
    OpsError,
    UnavailableError,
)
from ops.local.loopback import free_port
from tests.fakes.bucket import FakeBucket, FakeBucketServer
from tests.gcs.fixtures import client
from tests.gcs.front import Front

NAMES = ("a b.png", "hash#1.png", "p%20t.png", "q?x.png", "é日😀.png", "plus+.png", "[b].png")
RULE = CorsRule(
    origins=("https://labels.example.org",),
    methods=("GET", "HEAD"),
    response_headers=("Content-Type",),
    max_age_s=3600,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketBench:
    """A server to try."""

    open: Callable[[str], Bucket]
    make: Callable[[str], None]
    put: Callable[[str, str, bytes], None]
    remove: Callable[[str, str], None]

    def bucket(self, **objects: bytes) -> Bucket:
        """A new bucket with objects."""
        name = f"pictures-{uuid.uuid4().hex[:12]}"
        self.make(name)
        for key, data in objects.items():
            self.put(name, key, data)
        return self.open(name)


@pytest.fixture(params=["fake", "real"])
def bench(request: pytest.FixtureRequest) -> BucketBench:
    """Each in turn."""
    if request.param == "fake":
        server = FakeBucketServer()
        return BucketBench(
            open=lambda name: FakeBucket(name, server),
            make=server.make,
            put=server.put,
            remove=server.remove,
        )
    request.getfixturevalue("cloud_here")
    google = client()

    def put(bucket: str, name: str, data: bytes) -> None:
        google.bucket(bucket).blob(name).upload_from_string(data, content_type="image/png")

    return BucketBench(
        open=lambda name: GoogleBucket(name, patience_s=2),
        make=google.create_bucket,
        put=put,
        remove=lambda bucket, name: google.bucket(bucket).blob(name).delete(),
    )


def test_a_new_bucket_says_how_it_is_set_up(bench: BucketBench) -> None:
    """As Google sets up what nobody asked for."""
    bucket = bench.bucket()
    facts = bucket.facts()
    assert (facts.name, facts.location, facts.location_kind) == (
        bucket.name,
        "US-CENTRAL1",
        "region",
    )
    assert (facts.storage_class, facts.cors, facts.lifecycle) == ("STANDARD", (), ())
    assert not facts.is_versioned
    assert not facts.prevents_public_access
    assert facts.retention_s is None


def test_cors_rules_come_back_as_they_were_set(bench: BucketBench) -> None:
    """Several, one without an age; and none again."""
    bucket = bench.bucket()
    other = CorsRule(origins=("https://b.example",), methods=("PUT",))
    bucket.set_cors([RULE, other], seen=bucket.facts())
    assert bucket.facts().cors == (RULE, other)
    bucket.set_cors([], seen=bucket.facts())
    assert bucket.facts().cors == ()


def test_settings_that_moved_are_not_written_over(bench: BucketBench) -> None:
    """Of two who looked at the same time, the second is told."""
    bucket = bench.bucket()
    seen = bucket.facts()
    bucket.set_cors([RULE], seen=seen)
    with pytest.raises(ConflictError) as told:
        bucket.set_cors([replace(RULE, max_age_s=1)], seen=seen)
    assert told.value.code == "bucket-changed"
    assert bucket.facts().cors == (RULE,)


def test_objects_are_listed_by_name_with_their_facts(bench: BucketBench) -> None:
    """Size, md5 in hex, and which writing it is."""
    bucket = bench.bucket(**{"b/2": b"two", "b/1": b"one!", "a": b"", "c": b"c"})
    found = list(bucket.objects("b/"))
    assert [(one.name, one.size_bytes, one.md5) for one in found] == [
        ("b/1", 4, hashlib.md5(b"one!", usedforsecurity=False).hexdigest()),
        ("b/2", 3, hashlib.md5(b"two", usedforsecurity=False).hexdigest()),
    ]
    assert all(one.generation > 0 and one.content_type == "image/png" for one in found)
    assert not any(one.is_encoded or one.is_held or one.kept_until for one in found)
    assert [one.name for one in bucket.objects()] == ["a", "b/1", "b/2", "c"]
    assert list(bucket.objects("nothing")) == []


def test_a_listing_may_begin_and_end_anywhere(bench: BucketBench) -> None:
    """Both names are in it, and need not be there."""
    bucket = bench.bucket(a=b"", b=b"", c=b"", d=b"")
    assert [one.name for one in bucket.objects(first="b", last="c")] == ["b", "c"]
    assert [one.name for one in bucket.objects(first="bb", last="cc")] == ["c"]
    assert [one.name for one in bucket.objects(first="c")] == ["c", "d"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_found_and_read(name: str, bench: BucketBench) -> None:
    """Letter by letter."""
    bucket = bench.bucket(**{name: name.encode(), f"{name}x": b""})
    found = bucket.find(name)
    assert found is not None
    assert found.name == name
    assert [data for _, data in bucket.beginnings([found], 1000)] == [name.encode()]


def test_what_is_not_there_is_not_found(bench: BucketBench) -> None:
    """Not even by what its name begins with."""
    bucket = bench.bucket(abc=b"")
    assert bucket.find("ab") is None


def test_beginnings_come_in_order_and_no_longer_than_asked_for(bench: BucketBench) -> None:
    """Short and empty objects come whole."""
    bucket = bench.bucket(**{f"n{i:03}": bytes([i]) * i for i in range(60)})
    given = list(bucket.beginnings(bucket.objects(), 20))
    assert [one.name for one, _ in given] == [f"n{i:03}" for i in range(60)]
    assert [data for _, data in given] == [bytes([i]) * min(i, 20) for i in range(60)]


def test_an_object_that_was_written_again_is_not_the_one_that_was_listed(
    bench: BucketBench,
) -> None:
    """Nor is one that is gone."""
    bucket = bench.bucket(gone=b"x", kept=b"x", other=b"x")
    listed = list(bucket.objects())
    bench.remove(bucket.name, "gone")
    bench.put(bucket.name, "other", b"y")
    given = {one.name: data for one, data in bucket.beginnings(listed, 10)}
    assert given == {"gone": None, "kept": b"x", "other": None}


def test_a_bucket_that_is_not_there_is_told(bench: BucketBench) -> None:
    """By everything that asks it."""
    bucket = bench.open("nobody-made-this-one")
    asks: list[Callable[[], object]] = [
        bucket.facts,
        lambda: bucket.find("a"),
        lambda: next(bucket.objects()),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError) as told:
            ask()
        assert (told.value.code, told.value.subject) == ("no-bucket", "nobody-made-this-one")


@pytest.fixture
def real(cloud_here: Front) -> tuple[GoogleBucket, Front]:
    """A bucket with an object, and the door to it."""
    google, name = client(), f"pictures-{uuid.uuid4().hex[:12]}"
    google.create_bucket(name)
    google.bucket(name).blob("a").upload_from_string(b"x")
    return GoogleBucket(name, patience_s=1), cloud_here


def test_a_listing_of_many_costs_a_request_a_thousand(real: tuple[GoogleBucket, Front]) -> None:
    """And nothing else is asked behind our back."""
    bucket, cloud = real
    cloud.seen.clear()
    assert len(list(bucket.objects())) == 1
    bucket.facts()
    assert len(cloud.seen) == 2, cloud.seen


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, DeniedError, "bucket-credentials"),
        (403, DeniedError, "bucket-forbidden"),
        (404, NotFoundError, "no-bucket"),
        (429, UnavailableError, "bucket-unreachable"),
        (503, UnavailableError, "bucket-unreachable"),
        (400, InternalError, "bucket-request"),
    ],
)
def test_a_refusal_is_told_in_our_words(
    status: int, error: type[OpsError], code: str, real: tuple[GoogleBucket, Front]
) -> None:
    """Whatever was asked; not one word is Google's."""
    bucket, cloud = real
    seen = bucket.facts()
    asks: list[Callable[[], object]] = [
        bucket.facts,
        lambda: bucket.set_cors([RULE], seen=seen),
        lambda: list(bucket.objects()),
    ]
    with cloud.refusing(re.escape(bucket.name), status):
        for ask in asks:
            with pytest.raises(error) as told:
                ask()
            assert (told.value.code, told.value.subject) == (code, bucket.name)
            assert told.value.__cause__ is not None
            said = [told.value.message, told.value.hint, told.value.unchanged]
            assert not [part for part in said if "googleapi" in part or "http" in part]


def test_reading_without_the_right_to_is_no_change_of_the_object(
    real: tuple[GoogleBucket, Front],
) -> None:
    """Who may list need not be one who may read."""
    bucket, cloud = real
    listed = list(bucket.objects())
    with cloud.refusing("alt=media", 403), pytest.raises(DeniedError) as told:
        list(bucket.beginnings(listed, 10))
    assert ("it takes", "storage.objects.get") in told.value.where


def test_a_passing_failure_is_waited_for(real: tuple[GoogleBucket, Front]) -> None:
    """Once busy is no reason to stop."""
    name, cloud = real[0].name, real[1]
    pattern = re.escape(name)
    cloud.refusals[pattern] = 503
    Timer(0.2, cloud.refusals.pop, [pattern]).start()
    # Google's library waits by chance: up to a second, then up to two.
    assert GoogleBucket(name, patience_s=30).facts().name == name


def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address, or no network."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError) as told:
        GoogleBucket("pictures", patience_s=0.5).facts()
    assert told.value.code == "bucket-unreachable"


@pytest.mark.parametrize("stated", [None, "{}", "no JSON", '{"type": "service_account"}'])
def test_without_credentials_it_is_said_what_to_type(
    stated: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """None at all, and a file that is none."""
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    if stated is not None:
        (tmp_path / "key.json").write_text(stated)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(DeniedError) as told:
        GoogleBucket("pictures").facts()
    assert told.value.code == "bucket-credentials"
    assert "gcloud auth application-default login" in told.value.hint


def test_what_google_says_of_an_object_is_understood(real: tuple[GoogleBucket, Front]) -> None:
    """A composed one has no md5; holds and retention keep one; a packed one is served unpacked."""
    bucket, cloud = real
    cloud.facts[bucket.name, "a"] = {
        "md5Hash": None,
        "contentEncoding": "gzip",
        "temporaryHold": True,
        "retentionExpirationTime": "2030-01-02T03:04:05.000Z",
    }
    found = bucket.find("a")
    assert found is not None
    assert (found.md5, found.is_encoded, found.is_held) == (None, True, True)
    assert found.kept_until == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_what_google_says_of_a_bucket_is_understood(real: tuple[GoogleBucket, Front]) -> None:
    """Every setting that ops looks at."""
    bucket, cloud = real
    cloud.amend(
        bucket.name,
        {
            "location": "EUR4",
            "locationType": "dual-region",
            "storageClass": "NEARLINE",
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "softDeletePolicy": {"retentionDurationSeconds": "604800"},
            "retentionPolicy": {"retentionPeriod": "86400"},
            "lifecycle": {
                "rule": [{"action": {"type": "Delete"}, "condition": {"age": 30, "isLive": True}}]
            },
        },
    )
    facts = bucket.facts()
    assert (facts.location, facts.location_kind) == ("EUR4", "dual-region")
    assert facts.storage_class == "NEARLINE"
    assert facts.is_versioned
    assert facts.has_uniform_access
    assert facts.prevents_public_access
    assert (facts.soft_delete_s, facts.retention_s) == (604_800, 86_400)
    [rule] = facts.lifecycle
    assert (rule.action, rule.conditions) == ("Delete", {"age": 30, "isLive": True})
