"""How commits are told apart, and what each kind may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from ops.core.audit import (
    EXPECTED_HEAD,
    KINDS,
    Area,
    Extent,
    Way,
    area_of,
    around_ops,
    beyond_its_kind,
    came_around,
    forbidden_areas,
    is_version,
    way_of,
)
from ops.core.audit_versions import tag_finding, version_findings
from ops.core.names import LABEL_CONFIG_PATH
from ops.core.records import CommitId
from ops.runner.snapshot import GENERATED

ONE, TWO, THREE = (CommitId(digit * 64) for digit in "123")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What a commit says."""

    id: CommitId = THREE
    parents: tuple[CommitId, ...] = (ONE, TWO)
    message: str = "x"
    committer: str = "admin"
    created_at: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [{}, {EXPECTED_HEAD: ONE}])
def test_what_ops_makes_is_a_merge_of_a_kind_for_the_head_it_follows(
    kind: str, head: Mapping[str, str]
) -> None:
    """Whatever the message says."""
    commit = Commit(metadata={"ops.kind": kind, **head}, message="Revert " + "a" * 64)
    assert way_of(commit) is Way.OPS
    assert not came_around(commit)


@pytest.mark.parametrize(
    ("commit", "way"),
    [
        (Commit(parents=()), Way.CREATION),
        (Commit(), Way.MERGE),
        (Commit(metadata={"ops.kind": "surprise"}), Way.MERGE),
        (Commit(metadata={"ops.kind": "finish", EXPECTED_HEAD: TWO}), Way.MERGE),
        (Commit(parents=(ONE,), metadata={"ops.kind": "finish"}), Way.DIRECT),
        (Commit(parents=(ONE,), message="Revert " + "a" * 63), Way.DIRECT),
        (Commit(parents=(ONE,), message="Revert " + "a" * 64), Way.REVERT),
        (
            Commit(metadata={"ops.kind": "finish", "cherry-pick-origin": TWO}),
            Way.CHERRY_PICK,
        ),
        (Commit(parents=(ONE,), metadata={".lakefs.merge.strategy": "source-wins"}), Way.IMPORT),
        (Commit(parents=(ONE,), metadata={".lakefs.merge.strategy": "default"}), Way.SQUASH),
    ],
)
def test_other_ways_are_told_apart(commit: Commit, way: Way) -> None:
    """As lakeFS 1.84 leaves them; a kind alone proves nothing."""
    assert way_of(commit) is way
    assert came_around(commit) is (way is not Way.CREATION)
    assert not is_version(replace(commit, metadata={**commit.metadata, "ops.version": "1"}))


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("annotations/a.json", Area.RECORDS),
        ("images/a.png", Area.IMAGES),
        ("ontology/label_config.xml", Area.ONTOLOGY),
        ("_gates/gate.lua", Area.GATES),
        ("_lakefs_actions/ops.yaml", Area.GATES),
        ("snapshot/tasks.parquet", Area.SNAPSHOT),
        ("card.json", Area.SNAPSHOT),
        ("rounds/cheese.json", None),
        ("annotations.json", None),
    ],
)
def test_every_path_has_one_area_or_none(path: str, area: Area | None) -> None:
    """What no area holds, any kind may change."""
    assert area_of(path) is area


def test_an_extent_counts_and_says_what_was_changed() -> None:
    """Records by what became of them, the rest by area."""
    extent = Extent.of(
        [
            ("annotations/a.json", "added"),
            ("annotations/b.json", "removed"),
            ("annotations/c.json", "changed"),
            ("annotations/d.json", "changed"),
            ("images/a.png", "added"),
            ("_gates/gate.lua", "removed"),
            ("card.json", "changed"),
            ("odd.txt", "added"),
        ]
    )
    assert extent.in_words == (
        "4 records (+1 -1 ~2), 1 snapshot and card, 1 image, 1 gate file, 1 other"
    )
    assert Extent.of([]).in_words == "nothing"


@pytest.mark.parametrize(
    ("path", "version", "remedy"),
    [
        ("_gates/gate.lua", 3, "ops doctor --fix"),
        ("annotations/a.json", 3, "ops dataset revert --to v3"),
        ("annotations/a.json", None, "ops dataset revert --to 333333333333~1"),
        ("ontology/label_config.xml", 3, "ops ontology show"),
        ("images/a.png", 3, "ops data list"),
        ("odd.txt", 3, "--since 333333333333"),
    ],
)
def test_the_remedy_is_for_what_was_changed(path: str, version: int | None, remedy: str) -> None:
    """And for nothing else."""
    finding = around_ops(Commit(), Extent.of([(path, "added")]), version_before=version)
    assert remedy in finding.remedy
    assert finding.commit == THREE
    others = {"doctor --fix", "revert --to", "ontology show", "data list"} - {
        one
        for one in ("doctor --fix", "revert --to", "ontology show", "data list")
        if one in remedy
    }
    assert not [one for one in others if one in finding.remedy]


@pytest.mark.parametrize(
    ("changes", "is_info"),
    [
        ([("images/a.png", "added")], True),
        ([("images/a.png", "added"), ("images/b.png", "changed")], False),
        ([("images/a.png", "removed")], False),
        ([("images/a.png", "added"), ("odd.txt", "added")], False),
        ([], False),
    ],
)
def test_pictures_that_only_came_are_no_fault(
    changes: list[tuple[str, str]], is_info: bool
) -> None:
    """An import in place passes no gate, and falsifies no label."""
    finding = around_ops(Commit(), Extent.of(changes), version_before=None)
    assert finding.is_info is is_info


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_its_areas_and_no_other(kind: str) -> None:
    """Records, snapshot and card only as a version."""
    of_a_version = {Area.RECORDS, Area.SNAPSHOT}
    version = Commit(metadata={"ops.kind": kind, "ops.version": "1"})
    assert set(forbidden_areas(version)) == set(Area) - KINDS[kind]
    assert set(forbidden_areas(Commit(metadata={"ops.kind": kind}))) == (
        set(Area) - KINDS[kind] | of_a_version
    )
    assert [one.commit for one in beyond_its_kind(version, [Area.GATES])] == [THREE]


def test_the_layouts_areas_hold_every_path_ops_writes() -> None:
    """But for those that any version brings."""
    assert {area_of(path) for path in (*GENERATED, LABEL_CONFIG_PATH)} == {
        Area.SNAPSHOT,
        Area.ONTOLOGY,
    }


def _version(number: int, name: str) -> Commit:
    metadata = {"ops.kind": "finish", "ops.version": str(number), EXPECTED_HEAD: ONE}
    return Commit(id=CommitId(name * 64), metadata=metadata)


def test_numbers_are_gapless_and_tags_name_their_commits() -> None:
    """What is not looked at is passed over."""
    line = [Commit(id=ONE, parents=()), _version(1, "a"), _version(3, "b"), _version(3, "c")]
    tags = {"v1": line[1].id, "v3": line[3].id, "v4": ONE, "other": TWO}
    every = frozenset(commit.id for commit in line)
    found = list(version_findings(line, tags, audited=every))
    assert [(one.code, one.subject) for one in found] == [
        ("version-number", "v3"),
        ("tag-moved", "v3"),
        ("version-number", "v3"),
        ("tag-without-version", "v4"),
    ]
    assert [one.code for one in version_findings(line, tags, audited=frozenset({line[2].id}))] == [
        "version-number",
        "tag-moved",
    ]
    assert tag_finding(line[1], tags) is None
    missing = tag_finding(line[1], {})
    assert missing is not None
    assert missing.code == "tag-missing"
