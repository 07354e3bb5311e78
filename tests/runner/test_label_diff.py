"""The label diff of two refs: what is read, from where, and that it is right whatever is there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any, cast

import pyarrow.parquet
import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.churn import Churn
from ops.core.diff import LabelDiff, diff_records
from ops.core.names import (
    MAIN,
    RECORD_PREFIX,
    TASKS_PARQUET,
    record_key,
    record_path,
    round_branch,
)
from ops.core.records import Record, TaskKey
from ops.core.selection import Selection
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import ChangeKind, Upload
from ops.runner.context import main_head
from ops.runner.diff import FEW, WORTH_A_READ_BYTES, label_diff, ref_diff, round_diff
from ops.runner.finish import finish_round
from ops.runner.snapshot import Cause, pack_version
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.core.merge_edits import annotation, box, record
from tests.fakes.lake import FakeLake, FakeLakeServer
from tests.runner.world import World

MANY = FEW + 20


class CountingLake(FakeLake):
    """A lake that counts the objects read of it."""

    def __init__(self, repository: str, server: FakeLakeServer) -> None:
        super().__init__(repository, server)
        self.read_count = 0

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, counted."""
        for path, data in super().read_many(ref, paths):
            self.read_count += 1
            yield path, data


class Library:
    """A repository of many records and their snapshots, as versions have them."""

    def __init__(self) -> None:
        world = World(image_count=1)
        self.lake = CountingLake("dataset", world.lake_server)
        self.context = replace(world.context, lake=self.lake)

    def put(self, branch: str, records: Mapping[str, Record | None], *, packed: bool) -> str:
        """Commit records on a new branch of main, with a snapshot or without; its name."""
        lake, main = self.lake, main_head(self.lake)
        lake.create_branch(branch, MAIN)
        written = {record_path(TaskKey(key)): one for key, one in records.items()}
        uploads = [Upload(path=p, data=encode_record(one)) for p, one in written.items() if one]
        lake.write_many(branch, uploads)
        lake.delete_many(branch, [path for path, one in written.items() if one is None])
        head = lake.commit(branch, "records", {})
        assert head is not None
        if packed:
            kinds = {
                record_key(path): ChangeKind.CHANGED if one else ChangeKind.REMOVED
                for path, one in written.items()
            }
            cause = Cause(version=1, reason="test", made_at=self.context.timestamp(), history=())
            made = pack_version(self.context, cause, main=main, changes_at=head, changed=kinds)
            lake.write_many(branch, made.uploads)
            lake.commit(branch, "snapshot", {})
        self.lake.read_count = 0
        return branch

    def merge(self, branch: str) -> str:
        """Take a branch to main, and give main's head."""
        commit = self.lake.merge(branch, MAIN, "merge", {})
        assert commit is not None
        return commit

    def replace_snapshot(self, branch: str, data: bytes) -> None:
        """Commit another snapshot on a branch."""
        self.lake.write_many(branch, [Upload(path=TASKS_PARQUET, data=data)])
        self.lake.commit(branch, "another snapshot", {})
        self.lake.read_count = 0

    def slow_diff(self, left: str, right: str) -> LabelDiff:
        """The diff of every record of both refs, each read as it is."""
        sides: list[dict[str, Record]] = []
        for ref in (left, right):
            paths = [found.path for found in self.lake.list_objects(ref, RECORD_PREFIX)]
            read = self.lake.read_many(ref, paths)
            sides.append({path: decode_record(data) for path, data in read})
        self.lake.read_count = 0
        lefts, rights = sides
        return diff_records((lefts.get(path), rights.get(path)) for path in {*lefts, *rights})


def task(key: str, label: str = "brie", x: float = 0) -> Record:
    """A record with one box."""
    found = record(annotation(f"u {key}", box("a", label, x)))
    source = encode_record(found).decode().replace("cheese/1.jpg", key)
    return decode_record(source.encode())


def names(count: int) -> list[str]:
    """Keys of so many tasks."""
    return [f"p{number:04}.png" for number in range(count)]


@pytest.fixture
def library() -> Library:
    """Main holds many records, packed."""
    library = Library()
    library.merge(library.put("one", {key: task(key) for key in names(MANY + 10)}, packed=True))
    return library


def edited() -> dict[str, Record | None]:
    """Many of main's records edited, some gone and some new."""
    found: dict[str, Record | None] = {key: task(key, "gouda", 10) for key in names(MANY)}
    return {**found, "p0000.png": None, "p0001.png": None, "new.png": task("new.png")}


def test_two_versions_are_compared_by_their_snapshots(library: Library) -> None:
    """No record is read by itself, and every figure is as if each had been."""
    first = main_head(library.lake)
    second = library.merge(library.put("two", edited(), packed=True))
    diff = label_diff(library.context, first, second)
    assert library.lake.read_count == 0
    assert diff == library.slow_diff(first, second)
    assert diff.regions == Churn(added=1, removed=2, changed=MANY - 2)
    assert diff.transitions == {("brie", "gouda"): MANY - 2}
    assert diff.geometry.count == MANY - 2


def test_a_branch_whose_snapshot_is_its_bases_is_read_itself(library: Library) -> None:
    """As a round's: what changed on it lies in no snapshot."""
    branch = library.put("round", edited(), packed=False)
    diff = label_diff(library.context, MAIN, branch)
    # Its own side only; main's comes from the snapshot both have.
    assert library.lake.read_count == MANY - 2 + 1
    assert diff == library.slow_diff(MAIN, branch)
    back = label_diff(library.context, branch, MAIN)
    assert back == library.slow_diff(branch, MAIN)


def test_few_changes_are_read_one_by_one(library: Library) -> None:
    """Neither side is listed and no snapshot fetched."""
    branch = library.put("two", dict(list(edited().items())[:5]), packed=True)
    asked: list[str] = []
    library.lake.before = asked.append
    diff = label_diff(library.context, MAIN, branch)
    assert {"list_objects", "read"}.isdisjoint(asked)
    assert asked.count("diff") == 1
    assert library.lake.read_count == 5 + 3
    assert diff == library.slow_diff(MAIN, branch)


def test_a_snapshot_too_large_for_the_changes_is_left_alone(library: Library) -> None:
    """Reading it would take longer than reading the records."""
    branch = library.put("two", edited(), packed=True)
    right = library.slow_diff(MAIN, branch)
    size = (2 * MANY + 10) * WORTH_A_READ_BYTES
    library.replace_snapshot(branch, b"\0" * size)
    asked: list[str] = []
    library.lake.before = asked.append
    assert label_diff(library.context, MAIN, branch) == right
    assert asked.count("read") == 1
    assert library.lake.read_count == MANY - 2 + 1


def test_a_record_a_snapshot_lies_about_is_read_itself(library: Library) -> None:
    """Rows that name the right checksum over other bytes, or another record's."""
    branch = library.put("two", edited(), packed=True)
    right = library.slow_diff(MAIN, branch)
    rows = rows_of(library, branch)
    other = encode_record(task("p0002.png", "feta")).decode()
    for row in rows:
        if row["key"] == "p0002.png":
            row["record"] = other
        if row["key"] == "p0003.png":
            row["key"] = "p0004.png"
    library.replace_snapshot(branch, packed(library, branch, rows))
    assert label_diff(library.context, MAIN, branch) == right
    assert library.lake.read_count == 2


def rows_of(library: Library, ref: str) -> list[dict[str, Any]]:
    """The rows of a snapshot."""
    data = library.lake.read(ref, TASKS_PARQUET)
    assert data is not None
    return cast("Any", pyarrow.parquet).read_table(BytesIO(data)).to_pylist()


def packed(library: Library, ref: str, rows: list[dict[str, Any]]) -> bytes:
    """Rows as a snapshot of the same columns."""
    data, sink = library.lake.read(ref, TASKS_PARQUET), BytesIO()
    assert data is not None
    parquet = cast("Any", pyarrow.parquet)
    schema = parquet.read_table(BytesIO(data)).schema
    parquet.write_table(cast("Any", pyarrow).Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


@pytest.mark.parametrize("damage", [b"no parquet", b""])
def test_a_damaged_snapshot_costs_time_and_nothing_else(library: Library, damage: bytes) -> None:
    """Every record it held is read by itself."""
    branch = library.put("two", edited(), packed=True)
    library.replace_snapshot(branch, damage)
    assert label_diff(library.context, MAIN, branch) == library.slow_diff(MAIN, branch)


def test_refs_without_a_snapshot_are_compared(library: Library) -> None:
    """Such as the repository's first commit."""
    *_, first = library.lake.log(MAIN)
    diff = label_diff(library.context, first.id, MAIN)
    assert diff.annotations == Churn(added=MANY + 10)
    assert library.lake.read_count == 0
    assert label_diff(library.context, MAIN, first.id).annotations == Churn(removed=MANY + 10)


def test_what_is_staged_is_no_part_of_it(library: Library) -> None:
    """A ref is what was committed there, few or many."""
    branch = library.put("two", edited(), packed=True)
    before = label_diff(library.context, MAIN, branch)
    staged = [task(key, "feta", 20) for key in names(MANY)]
    uploads = [Upload(path=record_path(o.task.key), data=encode_record(o)) for o in staged]
    library.lake.write_many(branch, uploads)
    assert label_diff(library.context, MAIN, branch) == before


def test_an_object_that_is_no_record_is_an_error(library: Library) -> None:
    """It names the task."""
    branch = library.put("two", edited(), packed=True)
    path = record_path(TaskKey("p0007.png"))
    library.lake.write_many(branch, [Upload(path=path, data=b"{}")])
    library.lake.commit(branch, "damage", {})
    with pytest.raises(InvalidDataError) as caught:
        label_diff(library.context, MAIN, branch)
    assert caught.value.subject == "p0007.png"


@pytest.mark.parametrize("refs", [("nope", MAIN), (MAIN, "nope"), ("nope", "nope")])
def test_a_ref_that_is_not_there_is_named(library: Library, refs: tuple[str, str]) -> None:
    """Whichever of the two."""
    with pytest.raises(NotFoundError) as caught:
        ref_diff(library.context, *refs)
    assert (caught.value.code, caught.value.subject) == ("no-such-ref", "nope")


def test_a_ref_diff_says_what_was_compared(library: Library) -> None:
    """The refs as given, their commits, and where the lakeFS UI compares them."""
    found = ref_diff(library.context, "main~1", MAIN)
    assert (found.left, found.right) == ("main~1", MAIN)
    assert found.commits == (library.lake.find_commit("main~1"), main_head(library.lake))
    assert found.url.endswith("/repositories/dataset/compare?ref=main~1&compare=main")
    same = ref_diff(library.context, MAIN, MAIN)
    assert same.labels == LabelDiff()


def test_a_round_is_compared_with_where_it_started() -> None:
    """Not with main, which has moved on meanwhile."""
    world = World()
    start_round(world.context, "first", Selection(limit=3))
    for key in ("p000.png", "p001.png", "p002.png"):
        world.label(key, "brie")
    start_round(world.context, "second", Selection(labeled_too=True, keys=(TaskKey("p004.png"),)))
    world.label("p004.png", "gouda", "gouda", by=world.ben)
    sync_round(world.context, "second")
    finish_round(world.context, "first")
    found = round_diff(world.context, "second")
    assert found.labels.added == ("p004.png",)
    assert found.labels.regions == Churn(added=2)
    assert list(found.labels.annotators) == ["ben@example.org"]
    assert found.url.endswith(f"compare?ref=main&compare={round_branch('second')}")
    assert (found.round, found.right) == ("second", round_branch("second"))
    over = round_diff(world.context, "first")
    assert (over.round, over.left, over.right) == ("first", "v1~1", "v1")
    assert over.labels.added == ("p000.png", "p001.png", "p002.png")
    with pytest.raises(NotFoundError) as caught:
        round_diff(world.context, "third")
    assert caught.value.code == "no-such-round"
