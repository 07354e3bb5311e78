"""What an audit looks for in main's history: how each commit came there, and what its kind may do.

Owns the findings, which ways round ops there are, and how they are told apart. Asks no server
anything: it judges what commits say and which objects they changed (ops/runner/verify.py gathers
that). What lies at a commit is audit_state.py's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from ops.core.names import (
    ACTIONS_PREFIX,
    CARD_JSON_PATH,
    CARD_PATH,
    GATES_PREFIX,
    MEDIA_PREFIX,
    METADATA_PREFIX,
    PREDICTION_PREFIX,
    PROFILE_PREFIX,
    QUERY_PREFIX,
    RECORD_PREFIX,
    RUN_PREFIX,
    SPLIT_PREFIX,
    tag_version,
    version_tag,
)
from ops.core.records import CommitId, Json

KIND = "ops.kind"
VERSION = "ops.version"
EXPECTED_HEAD = "ops.expected_head"
ONTOLOGY_PREFIX = "ontology/"
SNAPSHOT_PREFIX = "snapshot/"

_STRATEGY = ".lakefs.merge.strategy"
_CHERRY_PICK = "cherry-pick-origin"
_REVERTED = re.compile(r"Revert [0-9a-f]{64}")
_IMPORTED = "Import objects"


class Check(StrEnum):
    """The checks of an audit, in their order."""

    HISTORY = "history"
    VERSIONS = "versions"
    SNAPSHOT = "snapshot"
    ROUNDS = "rounds"
    RECORDS = "records"
    IMAGES = "images"
    GATES = "gates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        code: kebab-case, for programs.
        message: what is wrong, in one line.
        subject: the path, tag, task key, round or commit it is about.
        commit: the commit it was found at, where it is about one.
        remedy: what to type, or where to look.
        is_info: to know, and no fault: it does not fail an audit.
    """

    check: Check
    code: str
    message: str
    subject: str
    remedy: str
    commit: CommitId | None = None
    is_info: bool = False

    def as_json(self) -> dict[str, Json]:
        """The finding for programs."""
        return {
            "check": self.check.value,
            "code": self.code,
            "message": self.message,
            "subject": self.subject,
            "commit": self.commit,
            "remedy": self.remedy,
            "is_info": self.is_info,
        }


class CommitFacts(Protocol):
    """What the audit reads of a commit; ops.ports.Commit has it."""

    @property
    def id(self) -> CommitId:
        """Its id."""
        ...

    @property
    def parents(self) -> tuple[CommitId, ...]:
        """The commits it follows; of a merge, the destination's first."""
        ...

    @property
    def message(self) -> str:
        """What it says to people."""
        ...

    @property
    def committer(self) -> str:
        """Whose credentials made it."""
        ...

    @property
    def created_at(self) -> int:
        """When, as the committer states it: seconds since the epoch."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What it says to programs."""
        ...


class Way(StrEnum):
    """How a commit came onto main's first-parent line."""

    CREATION = "the repository's creation"
    OPS = "ops"
    MERGE = "a merge"
    SQUASH = "a squashed merge"
    CHERRY_PICK = "a cherry-pick"
    REVERT = "a revert"
    IMPORT = "an import"
    DIRECT = "a direct commit"


class Area(StrEnum):
    """The parts of a repository that only some kinds of commits may change."""

    RECORDS = "records"
    SNAPSHOT = "snapshot and card"
    IMAGES = "images"
    ONTOLOGY = "ontology"
    GATES = "gate files"
    METADATA = "joined tables"
    PREDICTIONS = "predictions"
    PROFILE = "image profiles"
    SPLITS = "splits"
    QUERIES = "saved queries"
    RUNS = "training runs"


AREAS: Mapping[Area, tuple[str, ...]] = {
    Area.RECORDS: (RECORD_PREFIX,),
    Area.SNAPSHOT: (SNAPSHOT_PREFIX, CARD_PATH, CARD_JSON_PATH),
    Area.IMAGES: (MEDIA_PREFIX,),
    Area.ONTOLOGY: (ONTOLOGY_PREFIX,),
    Area.GATES: (GATES_PREFIX, ACTIONS_PREFIX),
    Area.METADATA: (METADATA_PREFIX,),
    Area.PREDICTIONS: (PREDICTION_PREFIX,),
    Area.PROFILE: (PROFILE_PREFIX,),
    Area.SPLITS: (SPLIT_PREFIX,),
    Area.QUERIES: (QUERY_PREFIX,),
    Area.RUNS: (RUN_PREFIX,),
}
"""What each area holds, by the beginnings of paths."""

_OF_A_VERSION = frozenset({Area.RECORDS, Area.SNAPSHOT})

KINDS: Mapping[str, frozenset[Area]] = {
    "init": frozenset({Area.ONTOLOGY, Area.GATES}),
    "data-add": frozenset({Area.IMAGES}),
    "data-import": frozenset({Area.IMAGES}),
    "finish": _OF_A_VERSION,
    "revert": _OF_A_VERSION | {Area.ONTOLOGY},
    "ontology": _OF_A_VERSION | {Area.ONTOLOGY},
    "gates": frozenset({Area.GATES}),
    "repair": frozenset({Area.GATES}),
    "data-join": frozenset({Area.METADATA}),
    "predict": frozenset({Area.PREDICTIONS}),
    "profile": frozenset({Area.PROFILE}),
    "split": frozenset({Area.SPLITS}),
    "query": frozenset({Area.QUERIES}),
    "run": frozenset({Area.RUNS}),
}
"""Every kind of commit that ops makes on main, with what it may change."""

GATE_KINDS = frozenset(kind for kind, areas in KINDS.items() if Area.GATES in areas)


def way_of(commit: CommitFacts) -> Way:
    """How a commit came onto main, as far as it can be told from the commit (lakeFS 1.84).

    What ops makes is a merge of two parents that states a kind and, where it states the head of
    main it was made for, follows that head. A cherry-pick keeps the metadata of what it picks, so a
    kind alone proves nothing.
    """
    if not commit.parents:
        return Way.CREATION
    if _CHERRY_PICK in commit.metadata:
        return Way.CHERRY_PICK
    if len(commit.parents) > 1:
        expected = commit.metadata.get(EXPECTED_HEAD, commit.parents[0])
        is_own = commit.metadata.get(KIND) in KINDS and expected == commit.parents[0]
        return Way.OPS if is_own else Way.MERGE
    if strategy := commit.metadata.get(_STRATEGY):
        # An import is a merge of what it brings, whatever main has; a squash need not be.
        is_import = strategy == "source-wins" or commit.message == _IMPORTED
        return Way.IMPORT if is_import else Way.SQUASH
    return Way.REVERT if _REVERTED.fullmatch(commit.message) else Way.DIRECT


def came_around(commit: CommitFacts) -> bool:
    """Say whether a commit on main's first-parent line was made by something else than ops."""
    return way_of(commit) not in {Way.CREATION, Way.OPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a commit changed, counted: records, images, and everything by area.

    Attributes:
        added, removed, changed: records.
        areas: objects by area.
        other_count: objects of no area: rounds, changes, and what is no part of a dataset.
        only_adds_images: pictures came, and nothing else happened: they falsify no label.
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    areas: Mapping[Area, int]
    other_count: int = 0
    only_adds_images: bool = False

    @classmethod
    def of(cls, changes: Iterable[tuple[str, str]]) -> "Extent":
        """Count `(path, kind)` pairs, kind being `added`, `removed` or `changed`; one pass."""
        areas = dict.fromkeys(Area, 0)
        records = {"added": 0, "removed": 0, "changed": 0}
        other_count = 0
        kinds: set[tuple[Area | None, str]] = set()
        for path, kind in changes:
            area = area_of(path)
            kinds.add((area, kind))
            if area is None:
                other_count += 1
                continue
            areas[area] += 1
            if area is Area.RECORDS:
                records[kind] += 1
        only_adds_images = kinds == {(Area.IMAGES, "added")}
        return cls(
            **records, areas=areas, other_count=other_count, only_adds_images=only_adds_images
        )

    @property
    def in_words(self) -> str:
        """As `3 records (+1 -1 ~1), 2 gate files`; `nothing` where it changed nothing."""
        parts: list[str] = []
        for area, count in self.areas.items():
            if count:
                parts.append(_counted(count, area.value))
            if count and area is Area.RECORDS:
                parts[-1] += f" (+{self.added} -{self.removed} ~{self.changed})"
        if self.other_count:
            parts.append(_counted(self.other_count, "others"))
        return ", ".join(parts) or "nothing"


def _counted(count: int, nouns: str) -> str:
    return f"{count} {nouns.removesuffix('s') if count == 1 else nouns}"


def area_of(path: str) -> Area | None:
    """The area a path lies in, or None."""
    return next((area for area, starts in AREAS.items() if path.startswith(starts)), None)


def around_ops(commit: CommitFacts, extent: Extent, *, version_before: int | None) -> Finding:
    """The finding that names a commit that came onto main around ops.

    One that only added pictures, as an import in place does, is no fault.

    Args:
        commit: the commit.
        extent: what it changed.
        version_before: the newest version before it, or None.
    """
    when = datetime.fromtimestamp(commit.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Finding(
        check=Check.HISTORY,
        code="around-ops",
        message=f"{way_of(commit).value} by {commit.committer or 'nobody named'} at {when} came "
        f"around ops; it changed {extent.in_words}",
        subject=commit.id,
        commit=commit.id,
        remedy=_remedy(commit, extent, version_before),
        is_info=extent.only_adds_images,
    )


def _remedy(commit: CommitFacts, extent: Extent, version_before: int | None) -> str:
    areas, name = extent.areas, commit.id[:12]
    ways: list[str] = []
    if areas[Area.GATES]:
        ways.append("put the gate back: ops doctor --fix")
    if areas[Area.RECORDS] and version_before is not None:
        ways.append(f"take its records back: ops dataset revert --to {version_tag(version_before)}")
    elif areas[Area.RECORDS]:
        ways.append(f"take its records back: ops dataset revert --to {name}~1")
    if areas[Area.ONTOLOGY]:
        ways.append("look at the ontology it left: ops ontology show")
    if areas[Area.IMAGES]:
        ways.append("see whether its pictures are right: ops data list")
    ways.append(f"it stays in history; look at what came after: ops dataset verify --since {name}")
    return "\n".join(ways)


def forbidden_areas(commit: CommitFacts) -> Sequence[Area]:
    """The areas a commit of ops may not have changed: by its kind, and where it is no version."""
    may = KINDS.get(commit.metadata.get(KIND, ""), frozenset[Area]())
    if VERSION not in commit.metadata:
        may -= _OF_A_VERSION
    return [area for area in Area if area not in may]


def beyond_its_kind(commit: CommitFacts, touched: Iterable[Area]) -> Iterable[Finding]:
    """Findings for the forbidden areas that a commit of ops changed."""
    kind, name = commit.metadata.get(KIND, ""), commit.id[:12]
    for area in touched:
        yield Finding(
            check=Check.HISTORY,
            code="beyond-its-kind",
            message=f"a commit of kind {kind!r} changed {area.value}, which that kind does not",
            subject=commit.id,
            commit=commit.id,
            remedy="put the gate back: ops doctor --fix"
            if area is Area.GATES
            else f"see what it did: ops dataset diff {name}~1 {name}, or in the lakeFS UI",
        )


def is_version(commit: CommitFacts) -> bool:
    """Say whether a commit of main is a version, made by ops."""
    return version_number(commit) is not None and way_of(commit) is Way.OPS


def version_number(commit: CommitFacts) -> int | None:
    """The number of the version a commit of ops made, or None."""
    return tag_version("v" + commit.metadata.get(VERSION, ""))
