"""Which objects of a bucket may become pictures where they lie."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.buckets import BucketFacts, LifecycleRule, parse_address
from ops.core.records import Json, TaskKey
from ops.core.sources import BucketObject, Candidate, Why, is_hidden, key_of, refusals, told
from ops.errors import UsageError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MD5 = "0123456789abcdef0123456789abcdef"
BARE = BucketFacts(
    name="pictures",
    location="EU",
    location_kind="multi-region",
    storage_class="STANDARD",
    is_versioned=False,
    has_uniform_access=True,
    prevents_public_access=True,
    soft_delete_s=604_800,
    retention_s=None,
    lifecycle=(),
    cors=(),
    created_at="",
    revision=1,
)
OBJECT = BucketObject(
    name="shots/a.png", size_bytes=9, md5=MD5, generation=1, content_type="image/png"
)


def rule(action: str = "Delete", **conditions: Json) -> LifecycleRule:
    """A lifecycle rule as Google states it."""
    return LifecycleRule.of({"action": {"type": action}, "condition": conditions})


def whys(found: BucketObject, facts: BucketFacts, *digests: str) -> set[Why]:
    """Why an object is refused."""
    candidate = Candidate(key=TaskKey(found.name), object=found)
    return {one.why for one in refusals(candidate, facts, now=NOW, digests=digests)}


@pytest.mark.parametrize(
    ("found", "facts", "expected"),
    [
        (OBJECT, BARE, {Why.MUTABLE}),
        (OBJECT, replace(BARE, is_versioned=True), set[Why]()),
        (replace(OBJECT, name=f"shots/{MD5}.png"), BARE, set[Why]()),
        (replace(OBJECT, name=f"{MD5.upper()}/a.png"), BARE, set[Why]()),
        (replace(OBJECT, name=f"shots/{MD5[:-1]}.png"), BARE, {Why.MUTABLE}),
        (replace(OBJECT, is_held=True), BARE, set[Why]()),
        (replace(OBJECT, kept_until=NOW + timedelta(days=366)), BARE, set[Why]()),
        (replace(OBJECT, kept_until=NOW + timedelta(days=364)), BARE, {Why.MUTABLE}),
        (replace(OBJECT, kept_until=NOW - timedelta(days=1)), BARE, {Why.MUTABLE}),
        (replace(OBJECT, md5=None), replace(BARE, is_versioned=True), {Why.NO_CHECKSUM}),
        (replace(OBJECT, md5=None), BARE, {Why.NO_CHECKSUM, Why.MUTABLE}),
        (replace(OBJECT, is_encoded=True, is_held=True), BARE, {Why.ENCODED}),
        (replace(OBJECT, name="a?.png", is_held=True), BARE, {Why.NAME}),
    ],
)
def test_an_object_is_taken_if_nothing_can_change_it_unnoticed(
    found: BucketObject, facts: BucketFacts, expected: set[Why]
) -> None:
    """Each way of being fixed, and each of not being."""
    assert whys(found, facts) == expected


def test_a_digest_that_was_read_counts_as_a_name_too() -> None:
    """A name of another digest is just a name."""
    found = replace(OBJECT, name="ab" * 32)
    assert whys(found, BARE, "ab" * 32) == set()
    assert whys(found, BARE, "cd" * 32) == {Why.MUTABLE}


@pytest.mark.parametrize(
    ("lifecycle", "is_doomed"),
    [
        (rule(age=30), True),
        (rule(age=30, isLive=True), True),
        (rule(age=30, matchesPrefix=["shots/"]), True),
        (rule(age=30, matchesPrefix=["other/"]), False),
        (rule(age=30, matchesSuffix=[".png"]), True),
        (rule(age=30, matchesSuffix=[".jpg"]), False),
        (rule(age=30, matchesPrefix=["shots/"], matchesSuffix=[".jpg"]), False),
        (rule(age=30, isLive=False), False),
        (rule(numNewerVersions=2), False),
        (rule(daysSinceNoncurrentTime=7), False),
        (rule("SetStorageClass", age=30), False),
        (rule("AbortIncompleteMultipartUpload", age=1), False),
    ],
)
def test_an_object_a_rule_will_delete_is_doomed_in_any_bucket(
    lifecycle: LifecycleRule, *, is_doomed: bool
) -> None:
    """But one that is held, which no rule deletes."""
    facts = replace(BARE, is_versioned=True, lifecycle=(lifecycle,))
    assert whys(OBJECT, facts) == ({Why.DOOMED} if is_doomed else set())
    assert whys(replace(OBJECT, is_held=True), facts) == set()


@given(st.text(min_size=1), st.text(), st.text(), st.text())
def test_a_key_is_the_name_below_the_folder(
    name: str, folder: str, prefix: str, other: str
) -> None:
    """Names that differ give keys that do."""
    assert key_of(folder + name, folder, prefix) == prefix + name
    assert (key_of(folder + other, folder, prefix) == prefix + name) is (other == name)


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("a/b.png", False),
        ("a/", True),
        (".a", True),
        ("a/.b/c.png", True),
        ("a.b", False),
    ],
)
def test_marks_of_folders_and_hidden_files_are_passed_over(key: str, *, hidden: bool) -> None:
    """As on a disk."""
    assert is_hidden(key) is hidden


def test_of_many_refusals_people_read_the_first_few() -> None:
    """By why, with how many more."""
    found = [
        one
        for number in range(12)
        for one in refusals(
            Candidate(key=TaskKey("k"), object=replace(OBJECT, name=f"n{number:02}")), BARE, now=NOW
        )
    ]
    [(why, text)] = told(found)
    assert why == "mutable"
    assert text.splitlines()[0].startswith("n00 can be overwritten")
    assert text.splitlines()[-1] == "… and 2 more: --json"
    assert len(text.splitlines()) == 11


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", fullmatch=True),
    st.text(max_size=20),
)
def test_an_address_is_written_and_read_again(bucket: str, name: str) -> None:
    """Letter by letter."""
    address = parse_address(f"gs://{bucket}/{name}")
    assert (address.bucket, address.name) == (bucket, name)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "gs://", "gs:///x", "gs://ab", "gs://Upper/x", "s3://pictures", "pictures/x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With what one looks like."""
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert "gs://BUCKET" in refused.value.hint
