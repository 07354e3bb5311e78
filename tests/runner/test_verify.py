"""An audit names every defect that is planted, and nothing where there is none."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO

import pytest

from ops.core.audit import Check, Finding
from ops.core.canonical import decode_record, encode_record
from ops.core.names import (
    ACTION_PATH,
    ANNOTATIONS_PARQUET,
    CARD_JSON_PATH,
    GATES_PATH,
    LABEL_CONFIG_PATH,
    TASKS_PARQUET,
    media_path,
    record_path,
)
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import InvalidDataError, NotFoundError, RefusedError
from ops.parquet import write_snapshot
from ops.runner.dataset import list_versions
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.verify import refuse_faults, unaccounted_commits, verify_dataset
from tests.fakes.lake import FakeLake
from tests.runner.raw import change_main, head, repository, rewrite
from tests.runner.world import World

FIRST, SECOND = (record_path(TaskKey(f"p00{number}.png")) for number in (0, 1))


@pytest.fixture
def world() -> World:
    """Two versions by two rounds over five of six pictures."""
    world = World()
    start_round(world.context, "cheese", Selection(limit=3))
    for number in range(3):
        world.label(f"p00{number}.png", "brie")
    finish_round(world.context, "cheese")
    start_round(world.context, "ham", Selection(limit=2))
    world.label("p003.png", "gouda")
    world.label("p004.png")
    finish_round(world.context, "ham")
    return world


def found(world: World, *, closely: bool = False) -> list[tuple[Check, str, str]]:
    """What an audit finds: check, code, subject."""
    findings = verify_dataset(world.context, every_version=closely, deep=closely).findings
    return [(one.check, one.code, one.subject) for one in findings]


def faults(world: World, check: Check) -> list[Finding]:
    """What one check finds."""
    return [one for one in verify_dataset(world.context).findings if one.check is check]


def test_a_dataset_made_by_ops_is_what_it_says(world: World) -> None:
    """Whatever is looked at, and however closely."""
    assert found(world) == []
    assert found(world, closely=True) == []
    verified = verify_dataset(world.context, "v1")
    assert verified.findings == []
    assert [name for name, _ in verified.lines()] == [check.value for check in Check]
    assert dict(verified.lines())["records"] == "passed (3 records)"
    refuse_faults(verified)


def test_a_new_repository_is_clean() -> None:
    """Without version, round or record."""
    assert found(World()) == []


def test_records_are_read_one_by_one_where_bytes_are_not_at_hand(world: World) -> None:
    """The snapshot spares reads; deep, nothing does."""
    reads: list[str] = []
    world.lake.before = reads.append
    verify_dataset(world.context)
    quick = reads.count("read_many")
    reads.clear()
    verify_dataset(world.context, deep=True)
    assert (quick, reads.count("read_many")) == (0, 1)


@pytest.mark.parametrize(
    ("way", "message", "metadata"),
    [
        ("a merge", "Merge 'x' into 'main'", {}),
        ("a merge", "Finish", {"ops.kind": "finish", "ops.expected_head": "0" * 64}),
        ("a squashed merge", "Merge 'x'", {".lakefs.merge.strategy": "default"}),
        ("an import", "Import objects", {".lakefs.merge.strategy": "source-wins"}),
        ("a revert", "Revert " + "a" * 64, {}),
        ("a cherry-pick", "x", {"ops.kind": "finish", "cherry-pick-origin": "a"}),
        ("a direct commit", "x", {"ops.kind": "finish"}),
    ],
)
def test_what_came_around_ops_is_named(
    world: World, way: str, message: str, metadata: Mapping[str, str]
) -> None:
    """Commit, person, time, way, what it changed, and what to do."""
    base = head(world)
    commit = change_main(
        world,
        {FIRST: None, GATES_PATH: b"# none", LABEL_CONFIG_PATH: b"<View/>"},
        message=message,
        metadata=metadata,
        is_merge=way == "a merge",
    )
    [finding] = faults(world, Check.HISTORY)
    assert (finding.code, finding.commit) == ("around-ops", commit)
    assert finding.message.startswith(way + " by ops at 2026-01-01 00:00 UTC came around ops")
    assert finding.message.endswith("changed 1 record (+0 -1 ~0), 1 ontology, 1 gate file")
    assert "ops doctor --fix" in finding.remedy
    assert "ops dataset revert --to v2" in finding.remedy
    assert [one.id for one in unaccounted_commits(world.context, base, commit)] == [commit]
    assert unaccounted_commits(world.context, commit, commit) == []
    assert not [
        one
        for one in verify_dataset(world.context, since=commit).findings
        if one.check is Check.HISTORY
    ]


@pytest.mark.parametrize(
    ("kind", "path", "area"),
    [
        ("data-add", FIRST, "records"),
        ("finish", GATES_PATH, "gate files"),
        ("finish", LABEL_CONFIG_PATH, "ontology"),
        ("gates", media_path(TaskKey("p000.png")), "images"),
        ("revert", FIRST, "records"),
        ("data-add", "README.md", "snapshot and card"),
    ],
)
def test_a_commit_that_did_more_than_its_kind_does(
    world: World, kind: str, path: str, area: str
) -> None:
    """Metadata can be made up; the areas it touched cannot. Records need a version, too."""
    change_main(world, {path: b"other"}, metadata={"ops.kind": kind}, is_merge=True)
    [finding] = faults(world, Check.HISTORY)
    assert finding.code == "beyond-its-kind"
    assert f"changed {area}" in finding.message


def test_tags_that_moved_or_are_gone(world: World) -> None:
    """And a tag of a version that main has not."""
    tags = repository(world).tags
    first = tags["v1"]
    tags["v9"] = tags["v1"] = tags.pop("v2")
    assert found(world) == [
        (Check.VERSIONS, "tag-moved", "v1"),
        (Check.VERSIONS, "tag-missing", "v2"),
        (Check.VERSIONS, "tag-without-version", "v9"),
    ]
    assert next(one.commit for one in faults(world, Check.VERSIONS)) == first


def test_a_number_that_is_left_out(world: World) -> None:
    """Numbers are gapless, and the card tells of the same ones."""
    rewrite(world, metadata={"ops.version": "3"})
    codes = {code for _, code, _ in found(world)}
    assert {"version-number", "card-history", "card-wrong", "round-without-version"} <= codes


def test_a_version_that_hides_its_head(world: World) -> None:
    """It was not published by ops."""
    node = repository(world).nodes[head(world)]
    said = {name: value for name, value in node.commit.metadata.items() if "expected" not in name}
    commit = replace(node.commit, metadata=said)
    repository(world).nodes[head(world)] = replace(node, commit=commit)
    assert found(world) == [(Check.VERSIONS, "head-not-stated", "v2")]


@pytest.mark.parametrize("state", ["snapshot_digest", "tasks", "labeled", "empty"])
def test_metadata_that_is_not_the_records(world: World, state: str) -> None:
    """Digest and counts, one by one."""
    rewrite(world, metadata={f"ops.{state}": "7"})
    assert (Check.SNAPSHOT, "metadata-wrong", f"ops.{state}") in found(world)


@pytest.mark.parametrize(
    "field",
    [
        *("version", "images", "tasks", "annotations", "regions", "labels", "annotators"),
        *("ontology_digest", "snapshot_digest", "listing_digest"),
    ],
)
def test_a_card_that_is_not_the_records(world: World, field: str) -> None:
    """Each figure of it."""
    card = json.loads(world.lake.read("main", CARD_JSON_PATH) or b"")
    rewrite(world, {CARD_JSON_PATH: json.dumps({**card, field: 7}).encode()})
    assert found(world) == [(Check.SNAPSHOT, "card-wrong", f"card.json#{field}")]


def test_a_card_that_is_gone_or_no_card(world: World) -> None:
    """Both are said, and nothing breaks."""
    rewrite(world, {CARD_JSON_PATH: None})
    assert (Check.SNAPSHOT, "card-gone", CARD_JSON_PATH) in found(world)
    rewrite(world, {CARD_JSON_PATH: b"{"})
    assert (Check.SNAPSHOT, "card-invalid", CARD_JSON_PATH) in found(world)


def test_a_card_that_rewrites_history(world: World) -> None:
    """Who made which version with which counts is what the commits say."""
    card = json.loads(world.lake.read("main", CARD_JSON_PATH) or b"")
    card["history"][0]["actor"] = "rita@example.org"
    rewrite(world, {CARD_JSON_PATH: json.dumps(card).encode()})
    [finding] = faults(world, Check.VERSIONS)
    assert finding.code == "card-history"
    assert "v1 actor rita@example.org, its commit lena@example.org" in finding.message


def _without_first(world: World) -> dict[str, bytes | None]:
    kept = [(path, data) for path, data in sorted(world.records().items()) if path != FIRST]
    tasks, annotations = BytesIO(), BytesIO()
    write_snapshot(kept, tasks=tasks, annotations=annotations)
    return {TASKS_PARQUET: tasks.getvalue(), ANNOTATIONS_PARQUET: annotations.getvalue()}


@pytest.mark.parametrize("path", [TASKS_PARQUET, ANNOTATIONS_PARQUET])
@pytest.mark.parametrize("defect", ["a row less", "no parquet", "gone"])
def test_a_packed_file_that_is_not_the_records(world: World, path: str, defect: str) -> None:
    """What trainers read is held against the records row by row."""
    files = {
        "a row less": {path: _without_first(world)[path]},
        "no parquet": {path: b"PAR1"},
        "gone": {path: None},
    }
    rewrite(world, files[defect])
    assert found(world) == [(Check.SNAPSHOT, "snapshot-wrong", path)]
    [finding] = faults(world, Check.SNAPSHOT)
    assert ("p000.png" in finding.message) == (defect == "a row less")


def test_a_snapshot_that_lies_about_a_record(world: World) -> None:
    """Bytes of another md5 than the listed are no record's bytes."""
    record = decode_record(world.records()[FIRST])
    lie = encode_record(replace(record, annotations=()))
    tasks = BytesIO()
    records = sorted({**world.records(), FIRST: lie}.items())
    write_snapshot(records, tasks=tasks, annotations=BytesIO())
    rewrite(world, {TASKS_PARQUET: tasks.getvalue()})
    assert found(world) == [(Check.SNAPSHOT, "snapshot-wrong", TASKS_PARQUET)]


Plant = bytes | Mapping[str, str] | None
"""Other bytes, what is put in the place of what, or nothing at all."""


def planted(data: bytes, plant: Plant) -> bytes | None:
    """The bytes with the defect."""
    if not isinstance(plant, Mapping):
        return plant
    for old, new in plant.items():
        assert old.encode() in data
        data = data.replace(old.encode(), new.encode())
    return data


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (b"{}", "record-invalid"),
        ({'  "task"': '"task"'}, "not-canonical"),
        ({'"brie"': '"amanita"'}, "unknown-label"),
        ({"p000.png": "gone.png"}, "record-invalid"),
    ],
)
def test_a_record_that_is_not_as_ops_writes_it(world: World, plant: Plant, code: str) -> None:
    """It is named, and what was packed of it differs."""
    change_main(world, {FIRST: planted(world.records()[FIRST], plant)})
    assert (Check.RECORDS, code, "p000.png") in found(world)
    assert {Check.HISTORY, Check.SNAPSHOT} <= {check for check, _, _ in found(world)}


def test_an_annotation_in_two_records(world: World) -> None:
    """Nothing is counted twice unseen."""
    one, two = (decode_record(world.records()[path]) for path in (FIRST, SECOND))
    doubled = replace(two, annotations=(*two.annotations, *one.annotations))
    change_main(world, {SECOND: encode_record(doubled)})
    assert (Check.RECORDS, "annotation-twice", "p001.png") in found(world)


def test_a_picture_that_is_gone_or_another(world: World) -> None:
    """A picture that is gone is a fault; one that changed since is to know."""
    one, two = (media_path(TaskKey(f"p00{number}.png")) for number in (0, 1))
    change_main(
        world, {one: None, two: b"another"}, metadata={"ops.kind": "data-add"}, is_merge=True
    )
    verified = verify_dataset(world.context)
    assert [(one.code, one.is_info) for one in verified.findings] == [
        ("image-gone", False),
        ("image-stale", True),
    ]
    assert verified.fault_count == 1


def test_stale_pictures_alone_fail_nothing(world: World) -> None:
    """They are told all the same."""
    path = media_path(TaskKey("p001.png"))
    change_main(world, {path: b"another"}, metadata={"ops.kind": "data-add"}, is_merge=True)
    verified = verify_dataset(world.context)
    assert [finding.code for finding in verified.findings] == ["image-stale"]
    refuse_faults(verified)


def test_records_that_no_version_holds() -> None:
    """Put there around ops before the first finish."""
    world = World()
    change_main(world, {FIRST: b"{}"})
    codes = [code for _, code, _ in found(world)]
    assert codes == ["around-ops", "record-invalid"]
    start_round(world.context, "cheese", Selection(limit=1))
    world.label("p000.png", "brie")
    other = World()
    start_round(other.context, "cheese", Selection(limit=1))
    other.label("p000.png", "brie")
    finish_round(other.context, "cheese")
    change_main(world, {FIRST: other.records()[FIRST]})
    assert "records-without-version" in [code for _, code, _ in found(world)]


@pytest.mark.parametrize(
    ("path", "plant", "code"),
    [
        ("rounds/ham.tasks.jsonl", {"p004": "p005"}, "task-list"),
        ("rounds/ham.tasks.jsonl", b"{", "manifest-invalid"),
        ("rounds/ham.tasks.jsonl", None, "task-list"),
        ("rounds/ham.json", b"{", "manifest-invalid"),
        ("rounds/ham.json", {'"finished"': '"open"'}, "round-not-finished"),
        ("rounds/ham.json", {'"version": 2': '"version": 1'}, "round-without-version"),
        ("rounds/ham.json", {'"empty": 1': '"empty": 2'}, "manifest-invalid"),
        (
            "rounds/ham.json",
            {'"empty": 1': '"empty": 0', '"skipped": 0': '"skipped": 1'},
            "round-counts",
        ),
    ],
)
def test_a_round_whose_documents_are_not_as_they_were(
    world: World, path: str, plant: Plant, code: str
) -> None:
    """Task list, manifest, counts, version."""
    rewrite(world, {path: planted(world.lake.read("main", path) or b"", plant)})
    assert code in [found_code for check, found_code, _ in found(world) if check is Check.ROUNDS]


def test_an_answer_that_never_reached_its_version(world: World) -> None:
    """The manifest counts a task as answered; its record is not there."""
    gone = record_path(TaskKey("p003.png"))
    rewrite(world, {gone: None})
    [finding] = faults(world, Check.ROUNDS)
    assert finding.code == "answers-lost"
    assert "2 tasks were answered, 1 have a record" in finding.message


def test_the_gate(world: World) -> None:
    """Files that nobody changed by ops, and a main that anybody writes to."""
    repository(world).protected.clear()
    extra = "_lakefs_actions/more.yaml"
    change_main(world, {GATES_PATH: b"# none", ACTION_PATH: None, extra: b"name: more"})
    wrong = {(code, subject) for check, code, subject in found(world) if check is Check.GATES}
    assert wrong == {
        ("gate-changed", extra),
        ("gate-changed", ACTION_PATH),
        ("gate-changed", GATES_PATH),
        ("main-unprotected", "main"),
    }


def test_after_a_point_only_what_came_later_counts(world: World) -> None:
    """What is past and known is not told for ever; what lies at the ref is."""
    change_main(world, {"odd.txt": b"x"})
    first = repository(world).tags.pop("v1")
    assert len(found(world)) == 2
    assert verify_dataset(world.context, since="main").findings == []
    assert [one.code for one in verify_dataset(world.context, since=first).findings] == [
        "around-ops"
    ]


class LossyLake(FakeLake):
    """A lakeFS whose bucket has lost the bytes of one object."""

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, but for one."""
        for path, data in super().read_many(ref, paths):
            if path == SECOND:
                raise NotFoundError("object-data-gone", "gone", unchanged="nothing", hint="none")
            yield path, data


def test_bytes_that_the_bucket_has_lost(world: World) -> None:
    """One record is gone from where it is listed; the snapshot has its bytes, unless it is deep."""
    lossy = replace(world.context, lake=LossyLake("dataset", world.lake_server))
    assert verify_dataset(lossy).findings == []
    findings = verify_dataset(lossy, deep=True).findings
    assert (findings[-1].code, findings[-1].subject) == ("bytes-gone", "p001.png")
    assert [one.subject for one in findings if one.check is Check.RECORDS] == ["p001.png"]


def test_an_ontology_that_is_gone_is_a_fault(world: World) -> None:
    """Whether its labels are known cannot be told then."""
    change_main(world, {LABEL_CONFIG_PATH: None})
    assert (Check.RECORDS, "ontology-gone", LABEL_CONFIG_PATH) in found(world)


def test_every_fault_is_in_one_error(world: World) -> None:
    """For people a sample with what to type; for programs all of it."""
    for number in range(12):
        change_main(world, {f"odd{number}.txt": b"x"})
    with pytest.raises(InvalidDataError) as caught:
        refuse_faults(verify_dataset(world.context))
    error = caught.value
    assert (error.code, error.message) == ("audit-failed", "the audit of main found 12 faults")
    where = dict(error.where)
    assert where["history"] == "12 findings (17 commits)"
    assert where["versions"] == "passed (2 versions)"
    assert where["faults"].splitlines()[-1] == "… and 2 more: --json"
    assert len(where["faults"].splitlines()) == 11
    document = json.loads(json.dumps(error.details))
    assert len(document["findings"]) == 12


def test_a_ref_that_is_none_of_main(world: World) -> None:
    """A branch of a round is no state of the dataset."""
    start_round(world.context, "open", Selection())
    with pytest.raises(RefusedError, match="own line"):
        verify_dataset(world.context, "round-open")
    with pytest.raises(NotFoundError, match="no branch, tag or commit"):
        verify_dataset(world.context, "v7")


def test_an_audit_changes_nothing(world: World) -> None:
    """It only asks."""
    before = [version.commit.id for version in list_versions(world.context)]
    asked: set[str] = set()
    world.lake.before = asked.add
    verify_dataset(world.context, every_version=True, deep=True)
    assert asked <= {
        *("log", "find_commit", "tags", "diff", "read", "read_many", "list_objects"),
        *("checksums_at", "is_protected"),
    }
    assert [version.commit.id for version in list_versions(world.context)] == before
