"""Resources that moved in the program are the ones they were."""

from collections.abc import Generator
from pathlib import Path

import pulumi
import pulumi_gcp as gcp
import pytest

from infra.moved import FORMER, recognizing
from tests.infra.answers import PROJECT, REGION
from tests.infra.engine import Project, project
from tests.infra.recording import record_component

BUCKET = "gcp:storage/bucket:Bucket"


def test_a_moved_resource_says_where_it_was_and_no_other_does() -> None:
    table = {f"{BUCKET}::data": (f"{BUCKET}::pictures", f"labeling-ops:infra:Old${BUCKET}::data")}

    def declare() -> None:
        pulumi.runtime.register_stack_transformation(recognizing(table))
        for name in ("data", "media"):
            gcp.storage.Bucket(name, gcp.storage.BucketArgs(location="EU"))

    recorded = record_component(declare)
    start = "urn:pulumi:dev::labeling-ops::"
    assert [each["urn"] for each in recorded.one(BUCKET, "data").aliases] == [
        f"{start}{BUCKET}::pictures",
        f"{start}labeling-ops:infra:Old${BUCKET}::data",
    ]
    assert recorded.one(BUCKET, "media").aliases == ()


def test_a_moved_resource_keeps_its_other_options() -> None:
    def declare() -> None:
        pulumi.runtime.register_stack_transformation(recognizing({f"{BUCKET}::data": ("x::y",)}))
        options = pulumi.ResourceOptions(protect=True)
        gcp.storage.Bucket("data", gcp.storage.BucketArgs(location="EU"), options)

    bucket = record_component(declare).one(BUCKET)
    assert bucket.protect
    assert bucket.aliases


def test_rows_are_written_as_pulumi_shows_urns() -> None:
    for today, endings in FORMER.items():
        assert len(today.split("::")) == 2, today
        assert all(len(each.split("::")) == 2 for each in endings)


@pytest.fixture
def standing(tmp_path: Path) -> Generator[Project]:
    """A production stack that is up."""
    with project(tmp_path, stack="prod") as opened:
        hand = {"gcp:project": PROJECT, "gcp:region": REGION, "adminEmail": "ann@example.org"}
        opened.configure(hand)
        opened.pulumi("up", "--yes", "--skip-preview")
        opened.journal.clear()
        yield opened


@pytest.mark.engine
def test_a_bucket_that_moves_with_a_row_is_the_same_and_without_is_refused(
    standing: Project,
) -> None:
    storage = standing.folder / "infra" / "storage.py"
    before = storage.read_text()
    storage.write_text(before.replace('f"{name}-data"', 'f"{name}-pictures"'))
    assert storage.read_text() != before
    refused = standing.pulumi("up", "--yes", code=None)
    assert refused.returncode != 0
    assert "protect" in refused.said
    assert not standing.journal.of("delete")
    assert not standing.journal.of("create")

    moved = standing.folder / "infra" / "moved.py"
    place = "labeling-ops:infra:DataBuckets$gcp:storage/bucket:Bucket::storage-data"
    row = f'FORMER: Former = {{"{BUCKET}::storage-pictures": ("{place}",)}}'
    table = moved.read_text().replace("FORMER: Former = {}", row)
    assert row in table
    moved.write_text(table)
    standing.pulumi("up", "--yes", "--skip-preview")
    assert not [*standing.journal.of("delete"), *standing.journal.of("create")]
    assert f"{BUCKET}::storage-pictures" in str(standing.exported())
