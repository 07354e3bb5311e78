"""A change: what a branch made by ops does to the records of main, and what it leaves on main.

Owns `changes/<name>.json` and the shapes between a rule and what applies it. A rule is pure: the
same commit of main gives the same effect, so a change is made anew on a main that has moved. Does
not know any rule (undo.py, migration.py), and does not read or write (runner/changes.py).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from ops.core.conflicts import Merged
from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.lines import choice, maybe, stored
from ops.core.names import LONGEST_CHANGE_NAME, change_path, check_change_name
from ops.core.records import CommitId, Record, TaskKey
from ops.core.settle import Policy

SCHEMA = "ops.change/1"

_FIELDS = frozenset(
    {
        *("schema", "id", "name", "kind", "title", "arguments", "on_conflict", "state"),
        *("base", "actor", "created_at", "counts", "digest", "version", "merged_by", "merged_at"),
    }
)


class DatasetChangeKind(StrEnum):
    """What a change is for; also the `ops.kind` of its merge commit."""

    REVERT = "revert"
    ONTOLOGY = "ontology"


class DatasetChangeState(StrEnum):
    """Where a change is: on a branch of its own, or on main."""

    PROPOSED = "proposed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a rule makes of one task.

    Attributes:
        key: which.
        before: the record on main; None where there is none.
        after: what it is to be; its record None where the task goes away, its conflicts what the
            rule cannot decide: `ours` is main's side, `theirs` the change's.
        is_damaged: main holds something at the record's place that is no record.
    """

    key: TaskKey
    before: Record | None
    after: Merged
    is_damaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a rule makes of one commit of main.

    Attributes:
        edits: a task at most once; taken up once, so it may be lazy. One that changes nothing does
            no harm.
        label_config: the new label config; None where it stays.
    """

    edits: Iterable[Edit]
    label_config: bytes | None = None


Rule: TypeAlias = Callable[[CommitId], Effect]
"""What a change makes of a commit of main. It reads that commit, and older ones; nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """What somebody asked for: all that is needed to make the change again, on any main.

    Attributes:
        name: names branch and file.
        kind: what it is for.
        title: one line for people; the card's history says it.
        arguments: the rule's. Refs are pinned to commits. The merge commit's metadata has them as
            `ops.<kind>_<name>`; of a revert as `ops.reverted_<name>`.
        policy: what becomes of what the rule cannot decide.
    """

    name: str
    kind: DatasetChangeKind
    title: str
    arguments: Mapping[str, str]
    policy: Policy = Policy.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCounts:
    """What a change does, in tasks.

    Attributes:
        changed: records added, removed or changed.
        removed: those of them that go away.
        reopened: tasks left without a label, which the next round takes.
        settled: tasks where the policy decided.
    """

    changed: int = 0
    removed: int = 0
    reopened: int = 0
    settled: int = 0

    def as_mapping(self) -> dict[str, int]:
        """The counts by name."""
        return {
            "changed": self.changed,
            "removed": self.removed,
            "reopened": self.reopened,
            "settled": self.settled,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChange:
    """A change as `changes/<name>.json` holds it.

    Attributes:
        id: told apart from another change of the same name that was discarded.
        base: the commit of main it was made from.
        counts, digest: what it does to that commit; see effect_digest.
        version, merged_by, merged_at: once it is merged.
    """

    id: str
    request: ChangeRequest
    base: CommitId
    actor: str
    created_at: str
    counts: ChangeCounts
    digest: str
    version: int | None = None
    merged_by: str | None = None
    merged_at: str | None = None

    @property
    def name(self) -> str:
        """The change's name."""
        return self.request.name

    @property
    def state(self) -> DatasetChangeState:
        """Proposed until it has a version."""
        merged = self.version is not None
        return DatasetChangeState.MERGED if merged else DatasetChangeState.PROPOSED


def change_name(*parts: str) -> str:
    """A change's default name, from what it does: `revert-annotator-ann-example-org-since-v7`.

    One that would be too long ends in a digest. Two requests may get one name; which of them a
    branch holds, its file says.

    Raises:
        UsageError: nothing in the parts can be part of a name.
    """
    text = "-".join(parts)
    name = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")
    if len(name) > LONGEST_CHANGE_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_CHANGE_NAME - 9].rstrip('-_')}-{digest}"
    return check_change_name(name)


def numbered(request: ChangeRequest, number: int) -> ChangeRequest:
    """The request under a further name, where the first is taken: `revert-to-v1-2`."""
    suffix = f"-{number}"
    name = request.name[: LONGEST_CHANGE_NAME - len(suffix)] + suffix
    return replace(request, name=name)


def effect_digest(written: Mapping[str, str], removed: Iterable[str]) -> str:
    """One digest of everything a change does to a commit, in 64 hexadecimal digits.

    Args:
        written: checksums of the objects it writes, by path.
        removed: paths of those it removes.
    """
    lines = {**written, **dict.fromkeys(removed, "-")}
    text = "".join(f"{path}\0{checksum}\n" for path, checksum in sorted(lines.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def encode_change(change: DatasetChange) -> bytes:
    """`changes/<name>.json`, canonical."""
    request = change.request
    return encode(
        {
            "schema": SCHEMA,
            "id": change.id,
            "name": request.name,
            "kind": request.kind.value,
            "title": request.title,
            "arguments": dict(request.arguments),
            "on_conflict": request.policy.value,
            "state": change.state.value,
            "base": change.base,
            "actor": change.actor,
            "created_at": change.created_at,
            "counts": dict(change.counts.as_mapping()),
            "digest": change.digest,
            "version": change.version,
            "merged_by": change.merged_by,
            "merged_at": change.merged_at,
        }
    )


def decode_change(data: bytes, name: str) -> DatasetChange:
    """A change from its bytes.

    Raises:
        InvalidDataError: it is no change of this schema, another change's, or its state and version
            disagree.
    """
    source = stored(change_path(name), "change-invalid")
    fields = Fields.of(parse(data, source), "", source)
    for field_name, wanted in (("schema", SCHEMA), ("name", name)):
        if (found := fields.text(field_name)) != wanted:
            fields.refuse(field_name, f"is {found!r}, not {wanted!r}")
    fields.only(_FIELDS)
    change = DatasetChange(
        id=fields.text("id"),
        request=_request(fields, name),
        base=CommitId(fields.text("base")),
        actor=fields.text("actor"),
        created_at=fields.timestamp("created_at"),
        counts=_counts(fields.fields("counts")),
        digest=fields.text("digest"),
        version=maybe(fields, "version", fields.integer),
        merged_by=maybe(fields, "merged_by", fields.text),
        merged_at=maybe(fields, "merged_at", fields.timestamp),
    )
    if (said := choice(fields, "state", DatasetChangeState)) is not change.state:
        fields.refuse("state", f"says {said.value!r}, the version says {change.state.value!r}")
    return change


def _request(fields: Fields, name: str) -> ChangeRequest:
    arguments = fields.fields("arguments")
    return ChangeRequest(
        name=name,
        kind=choice(fields, "kind", DatasetChangeKind),
        title=fields.text("title"),
        arguments={argument: arguments.text(argument) for argument in arguments.values},
        policy=choice(fields, "on_conflict", Policy),
    )


def _counts(fields: Fields) -> ChangeCounts:
    names = ChangeCounts().as_mapping()
    fields.only(frozenset(names))
    return ChangeCounts(**{name: fields.integer(name) for name in names})
