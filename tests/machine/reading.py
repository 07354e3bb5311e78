"""What a play reads by itself: records, manifests and Label Studio's answers, as plain JSON.

Shares no code with ops: only the documented forms (docs/reference/layout.md, docs/adr/0004).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ops.errors import NotFoundError
from ops.ports import Lake, Studio

STATES = ("labeled", "empty", "skipped", "unfinished", "quarantined")

Box: TypeAlias = tuple[str, str, float]
"""A region: its id, its label, where it begins. No two draws begin at the same place."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one answer says, and whose it is."""

    annotator: str
    skipped: bool
    boxes: frozenset[Box]


Answers: TypeAlias = Mapping[str, Said]
"""A task's answers by identity."""

Document: TypeAlias = dict[str, Any]
"""A JSON object."""

Desk: TypeAlias = Mapping[int, Mapping[str, Sequence[Mapping[str, Any]]]]
"""What Label Studio holds: annotations as exported, by project and task key."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One record."""

    data: bytes = field(repr=False)
    state: str
    quarantined: bool
    checksum: str
    answers: Answers

    @property
    def own_state(self) -> str:
        """The state by the answers."""
        return "quarantined" if self.quarantined else state_of(self.answers.values())


def state_of(answers: Iterable[Said]) -> str:
    """Labeled, else empty, skipped or unfinished."""
    every = list(answers)
    given = [one for one in every if not one.skipped]
    if any(one.boxes for one in given):
        return "labeled"
    if given:
        return "empty"
    return "skipped" if every else "unfinished"


def tally(states: Iterable[str]) -> dict[str, int]:
    """Tasks by state, and all of them."""
    found = Counter(states)
    return {**{state: found[state] for state in STATES}, "tasks": found.total()}


def boxes_of(result: Iterable[Mapping[str, Any]]) -> frozenset[Box]:
    """The regions of a result."""
    return frozenset(
        (one["id"], one["value"]["rectanglelabels"][0], float(one["value"]["x"])) for one in result
    )


def read_sheet(data: bytes) -> Sheet:
    """A record from its bytes."""
    document = json.loads(data)
    answers = {
        one["unique_id"]: Said(
            annotator=one["annotator"],
            skipped=one.get("skipped", False),
            boxes=boxes_of(one.get("result", [])),
        )
        for one in document["annotations"]
    }
    assert len(answers) == len(document["annotations"]), "an identity twice in one record"
    return Sheet(
        data=data,
        state=document["state"],
        quarantined=document.get("quarantined", False),
        checksum=document["task"]["media"]["checksum"],
        answers=answers,
    )


def number_of(identity: str) -> int:
    """The number an answer travels under (ADR 4)."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6])


def read_desk(studio: Studio, projects: Iterable[int]) -> Desk:
    """What Label Studio holds of these projects; those that are gone are left out."""
    desk: dict[int, dict[str, list[Mapping[str, Any]]]] = {}
    for project in projects:
        try:
            rows = [row.id for row in studio.task_rows(project)]
        except NotFoundError:
            continue
        found = desk.setdefault(project, {})
        for document in studio.export(project, rows) if rows else ():
            data: Any = document["data"]
            annotations: Any = document["annotations"]
            found.setdefault(data["key"], []).extend(annotations)
    return desk


def read_answers(
    annotations: Iterable[Mapping[str, Any]], put_there: Answers, members: Mapping[int, str]
) -> Answers:
    """A task's answers as Label Studio holds them; `put_there` were imported at the start."""
    numbers = {number_of(identity): identity for identity in put_there}
    copies: dict[str, list[Said]] = {}
    for one in annotations:
        known = numbers.get(one["import_id"]) if one["import_id"] is not None else None
        said = Said(
            annotator=put_there[known].annotator if known else members[one["completed_by"]],
            skipped=one["was_cancelled"],
            boxes=boxes_of(one["result"]),
        )
        copies.setdefault(known or one["unique_id"], []).append(said)
    for identity, found in copies.items():
        # Of two copies of what was imported, an untouched one is no answer.
        touched = [one for one in found if one != put_there.get(identity)]
        copies[identity] = touched or found
        assert len(copies[identity]) == 1, f"{identity} answered twice"
    return {identity: found[0] for identity, found in copies.items()}


@dataclass(kw_only=True)
class Library:
    """Records and documents at commits; bytes are read once a checksum."""

    lake: Lake
    _sheets: dict[str, Mapping[str, Sheet]] = field(default_factory=dict[str, Mapping[str, Sheet]])
    _known: dict[tuple[str, str], Sheet] = field(default_factory=dict[tuple[str, str], Sheet])

    def sheets(self, commit: str) -> Mapping[str, Sheet]:
        """Every record at a commit, by task key."""
        if commit not in self._sheets:
            listed = {one.path: one.checksum for one in self.lake.list_objects(commit, _RECORDS)}
            new = [path for path, checksum in listed.items() if (path, checksum) not in self._known]
            for path, data in self.lake.read_many(commit, new):
                self._known[path, listed[path]] = read_sheet(data)
            self._sheets[commit] = {
                path.removeprefix(_RECORDS).removesuffix(".json"): self._known[path, checksum]
                for path, checksum in listed.items()
            }
        return self._sheets[commit]

    def document(self, ref: str, path: str) -> Document:
        """A JSON document; an empty one where there is none."""
        data = self.lake.read(ref, path)
        return {} if data is None else json.loads(data)

    def manifest(self, ref: str, name: str) -> Document:
        """A round's manifest; an empty one where there is none."""
        return self.document(ref, f"rounds/{name}.json")

    def tasks(self, ref: str, name: str) -> Mapping[str, bool]:
        """A round's tasks; whether their answers were put before the annotators."""
        data = self.lake.read(ref, f"rounds/{name}.tasks.jsonl")
        assert data is not None
        lines = [json.loads(line) for line in data.splitlines()]
        return {line["key"]: line["carried"] for line in lines}

    def pictures(self, ref: str) -> Mapping[str, str]:
        """Every picture's checksum, by task key."""
        listed = self.lake.list_objects(ref, "images/")
        return {one.path.removeprefix("images/"): one.checksum for one in listed}


_RECORDS = "annotations/"
