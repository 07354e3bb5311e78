"""A round's manifest.

Owns `rounds/<round>.json`. Does not know the servers, which tasks a selection takes (selection.py),
the task list (task_list.py), nor the sync index (index.py).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from ops.core.amendments import Amendment, decode_amendment
from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.lines import choice, maybe, stored, texts
from ops.core.names import manifest_path
from ops.core.records import CommitId, Counts, Json, TaskKey, TaskState
from ops.core.selection import Selection, decode_selection
from ops.core.settle import Policy

SCHEMA = "ops.round/1"


class RoundState(StrEnum):
    """Where a round is."""

    STARTING = "starting"
    OPEN = "open"
    FINISHED = "finished"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What of main a round has taken in since its base.

    Attributes:
        main: the commit of main; a record on the round's branch is the merge of the base's, the
            round's own and this commit's.
        on_conflict: whose answer counts where both sides changed the same.
        merged_count: tasks changed on both sides and merged without a conflict.
        settled: tasks the sides disagreed on, settled as `on_conflict` says.
    """

    main: CommitId
    on_conflict: Policy
    merged_count: int = 0
    settled: tuple[TaskKey, ...] = ()


class HoldReason(StrEnum):
    """Why a task is quarantined: its answers are kept, and none of them counts as a label."""

    CONFLICT = "conflict"
    """Two sides changed the same thing, and nobody has decided."""
    PICTURE = "picture-changed"
    """Its picture is another one on main by now, or gone."""
    GATE = "gate"
    """A gate refused it."""
    UNDECIDED = "undecided"
    """It was quarantined before this round, and nobody has changed its answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A task a finish quarantined, why, and in a gate's words where one refused it."""

    key: TaskKey
    reason: HoldReason
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a round is, from its reservation to its end.

    Attributes:
        id: 32 hexadecimal digits, new for each start: the marker in the Label Studio project.
        base: the commit of main it started from; annotators see this commit's pictures.
        actor: who started it.
        created_at, ended_at: UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
        task_count, tasks_digest: how many tasks, and the SHA-256 of the task list's bytes.
        ontology_digest: of the label config, which is frozen for the round.
        project: Label Studio's project id, None until there is one.
        version: the number of the version its finish made.
        counts: its tasks by state when it ended; annotators: who answered, by e-mail.
        taken_in: what of main the branch has taken in; None while it stands on its base.
        held: the tasks its finish quarantined, by key.
        rework: the round its finish opened with these.
        predictions: what was put before annotators with the tasks, as `model@version`, in the order
            they came; Label Studio shows the last.
        import_digest: of `rounds/<round>.import.jsonl`, where the round reviews what was imported.
        amendments: what was added to its tasks and dropped from them since it opened, in order.
    """

    id: str
    name: str
    base: CommitId
    actor: str
    created_at: str
    selection: Selection
    task_count: int
    tasks_digest: str
    ontology_digest: str
    state: RoundState = RoundState.STARTING
    project: int | None = None
    ended_at: str | None = None
    ended_by: str | None = None
    version: int | None = None
    counts: Counts | None = None
    annotators: tuple[str, ...] = ()
    taken_in: TakenIn | None = None
    held: tuple[Held, ...] = ()
    rework: str | None = None
    predictions: tuple[str, ...] = ()
    import_digest: str | None = None
    amendments: tuple[Amendment, ...] = ()

    @property
    def stands_on(self) -> CommitId:
        """The commit of main its branch was last brought up to."""
        return self.taken_in.main if self.taken_in else self.base

    @property
    def marker(self) -> str:
        """What the Label Studio project's description must hold to be this round's."""
        return f"ops:round/{self.id}"


def project_title(manifest: Manifest) -> str:
    """What the round's Label Studio project is called; how it ended is part of it."""
    # Label Studio refuses titles of less than three characters.
    name = manifest.name if len(manifest.name) > 2 else f"round {manifest.name}"  # noqa: PLR2004
    match manifest.state:
        case RoundState.FINISHED:
            return f"{name} (finished, v{manifest.version})"
        case RoundState.ABORTED:
            return f"{name} (aborted)"
        case RoundState.STARTING | RoundState.OPEN:
            return name


def project_description(manifest: Manifest, repository: str) -> str:
    """What the project says of itself to people, with the marker `ops` finds it by."""
    return (
        f"Labeling round {manifest.name} of repository {repository}. "
        f"Run by ops, which finds this project by the next line; leave it as it is.\n"
        f"{manifest.marker}"
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest's bytes, canonical."""
    amendments: list[Json] = [one.as_mapping() for one in manifest.amendments]
    return encode(
        {
            "schema": SCHEMA,
            "id": manifest.id,
            "name": manifest.name,
            "base": manifest.base,
            "actor": manifest.actor,
            "created_at": manifest.created_at,
            "selection": manifest.selection.as_mapping(),
            "tasks": {"count": manifest.task_count, "digest": manifest.tasks_digest},
            "ontology_digest": manifest.ontology_digest,
            "state": manifest.state.value,
            "project": manifest.project,
            "ended_at": manifest.ended_at,
            "ended_by": manifest.ended_by,
            "version": manifest.version,
            "counts": dict(manifest.counts.as_mapping()) if manifest.counts else None,
            "annotators": list(manifest.annotators),
            "taken_in": _taken_in_mapping(manifest.taken_in),
            "held": [
                {"key": one.key, "reason": one.reason.value, "detail": one.detail}
                for one in manifest.held
            ],
            "rework": manifest.rework,
            "predictions": list(manifest.predictions),
            "import_digest": manifest.import_digest,
            # A round that nobody amended has the bytes it always had.
            **({"amendments": amendments} if amendments else {}),
        }
    )


def _taken_in_mapping(taken_in: TakenIn | None) -> dict[str, Json] | None:
    if taken_in is None:
        return None
    return {
        "main": taken_in.main,
        "on_conflict": taken_in.on_conflict.value,
        "merged": taken_in.merged_count,
        "settled": list(taken_in.settled),
    }


def decode_manifest(data: bytes, name: str) -> Manifest:
    """A manifest from its bytes.

    Raises:
        InvalidDataError: it is not a manifest of this schema, or another round's, or its counts
            break the count law.
    """
    source = stored(manifest_path(name), "manifest-invalid")
    fields = Fields.of(parse(data, source), "", source)
    for field_name, wanted in (("schema", SCHEMA), ("name", name)):
        if (found := fields.text(field_name)) != wanted:
            fields.refuse(field_name, f"is {found!r}, not {wanted!r}")
    fields.only(_FIELDS)
    tasks = fields.fields("tasks")
    tasks.only(_TASKS_FIELDS)
    return Manifest(
        id=_digits(fields, "id", 32),
        name=name,
        base=CommitId(_digits(fields, "base", 64)),
        actor=fields.text("actor"),
        created_at=fields.timestamp("created_at"),
        selection=decode_selection(fields.fields("selection")),
        task_count=tasks.integer("count"),
        tasks_digest=tasks.text("digest"),
        ontology_digest=fields.text("ontology_digest"),
        state=choice(fields, "state", RoundState),
        project=maybe(fields, "project", fields.integer),
        ended_at=maybe(fields, "ended_at", fields.timestamp),
        ended_by=maybe(fields, "ended_by", fields.text),
        version=maybe(fields, "version", fields.integer),
        counts=_counts(maybe(fields, "counts", fields.fields), tasks.integer("count")),
        annotators=tuple(texts(fields, "annotators", "e-mail")),
        taken_in=_taken_in(maybe(fields, "taken_in", fields.fields)),
        held=tuple(_held(one) for one in fields.items("held")),
        rework=maybe(fields, "rework", fields.text),
        predictions=maybe(fields, "predictions", partial(_names, fields)) or (),
        import_digest=maybe(fields, "import_digest", fields.text),
        amendments=tuple(map(decode_amendment, maybe(fields, "amendments", fields.items) or ())),
    )


_FIELDS = frozenset({
    "schema", "id", "name", "base", "actor", "created_at", "selection", "tasks", "ontology_digest",
    "state", "project", "ended_at", "ended_by", "version", "counts", "annotators", "taken_in",
    "held", "rework", "predictions", "import_digest", "amendments",
})  # fmt: skip
_TASKS_FIELDS = frozenset({"count", "digest"})
_COUNTS_FIELDS = frozenset(Counts().as_mapping())
_TAKEN_IN_FIELDS = frozenset({"main", "on_conflict", "merged", "settled"})
_HELD_FIELDS = frozenset({"key", "reason", "detail"})


def _taken_in(fields: Fields | None) -> TakenIn | None:
    if fields is None:
        return None
    fields.only(_TAKEN_IN_FIELDS)
    return TakenIn(
        main=CommitId(_digits(fields, "main", 64)),
        on_conflict=choice(fields, "on_conflict", Policy),
        merged_count=fields.integer("merged"),
        settled=tuple(map(TaskKey, texts(fields, "settled", "task key"))),
    )


def _names(fields: Fields, name: str) -> tuple[str, ...]:
    return tuple(texts(fields, name, "name"))


def _digits(fields: Fields, name: str, count: int) -> str:
    """So many hexadecimal digits: a branch's name in their place would be another commit each day.

    Raises:
        InvalidDataError: it is something else.
    """
    value = fields.text(name)
    if len(value) != count or not set(value) <= set("0123456789abcdef"):
        fields.refuse(name, f"must be {count} hexadecimal digits, not {value!r}")
    return value


def _held(fields: Fields) -> Held:
    fields.only(_HELD_FIELDS)
    return Held(
        key=TaskKey(fields.text("key")),
        reason=choice(fields, "reason", HoldReason),
        detail=maybe(fields, "detail", fields.text),
    )


def _counts(fields: Fields | None, task_count: int) -> Counts | None:
    if fields is None:
        return None
    fields.only(_COUNTS_FIELDS)
    counts = Counts(**{state.value: fields.integer(state.value) for state in TaskState})
    for name, total in (("tasks", fields.integer("tasks")), ("states", counts.tasks)):
        if total != task_count:
            fields.refuse(name, f"add up to {total}, the round has {task_count} tasks")
    return counts
