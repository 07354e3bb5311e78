"""`ops dataset log` and `blame`: what the versions did, to the dataset and to one task."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from ops.cli.dataset import app
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.history import Change, Revision, TaskChange, Verb, blame, task_log
from ops.core.names import MAIN
from ops.core.records import CommitId, Json, TaskKey, TaskState
from ops.core.regions import labels, value_of
from ops.errors import UsageError

_KEY = "A task's key: its image's path below images/."
_REF = "Up to this branch, tag, commit id, or expression like main~1."


@verb(app, "dataset", "log")
def log(
    session: Session,
    task: Annotated[str | None, typer.Argument(help=f"{_KEY} Without one, all versions.")] = None,
    *,
    ref: Annotated[str | None, typer.Option("--ref", metavar="REF", help=_REF)] = None,
) -> Result:
    """List the versions: what made them, who, when, how many of what.

    With a task: every commit that changed its labels, and what it added, changed and removed. With
    --ref round-NAME, what an open round holds of it comes first.

    Raises:
        UsageError: --ref without a task.
    """
    if task is not None:
        return _task_log(session, TaskKey(task), ref or MAIN)
    if ref is not None:
        raise UsageError(
            "ref-without-task",
            "--ref is for the log of one task",
            subject=ref,
            unchanged="nothing was read",
            hint=f"ops dataset log TASK --ref {ref}",
        )
    return _versions(session)


def _versions(session: Session) -> Result:
    from ops.runner.dataset import list_versions

    versions = list(list_versions(session.context()))
    rows = [
        (
            f"v{v.number}",
            v.facts.get("round") or v.facts.get("kind", ""),
            v.facts.get("actor", ""),
            _moment(v.commit.created_at),
            *(int(v.facts.get(state, 0)) for state in _STATES),
            v.commit.id[:12],
        )
        for v in versions
    ]
    columns = ("version", "made by", "who", "when (UTC)", *_STATES, "commit")
    entries: list[Json] = [
        {
            "version": v.number,
            "commit": v.commit.id,
            "tagged": v.has_tag,
            "created_at": v.commit.created_at,
            "facts": dict(v.facts),
        }
        for v in versions
    ]
    return Result(
        data={"versions": entries},
        body=[Table(columns=columns, rows=rows)]
        if rows
        else ["no versions yet: a round makes one when it is finished"],
        warnings=[
            Warn(
                code="tag-moved",
                message=f"tag v{v.number} does not name commit {v.commit.id[:12]}",
                subject=f"v{v.number}",
            )
            for v in versions
            if not v.has_tag
        ],
    )


_STATES = ("tasks", "labeled", "empty", "skipped", "unfinished", "quarantined")


def _moment(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _task_log(session: Session, task: TaskKey, ref: str) -> Result:
    from ops.runner.history import task_history

    found = task_history(session.context(), task, ref)
    entries = list(task_log(found.revisions))[::-1]
    rows = [
        (
            _place(entry.revision),
            _cause(entry.revision),
            ", ".join(_people(entry)),
            _minute(entry.revision.made_at),
            *(entry.count(one) for one in Verb),
            _states(entry),
        )
        for entry in entries
    ]
    columns = ("version", "made by", "who", "when (UTC)", "+", "~", "-", "state")
    return Result(
        data={
            "task": task,
            "ref": ref,
            "commit": found.commit,
            "commits": [_entry_json(entry) for entry in entries],
        },
        body=[Table(columns=columns, rows=rows)],
        warnings=_warnings(found.unreadable),
    )


@verb(app, "dataset", "blame")
def show_blame(
    session: Session,
    task: Annotated[str, typer.Argument(help=_KEY)],
    *,
    ref: Annotated[str, typer.Option("--ref", metavar="REF", help=_REF)] = MAIN,
    removed: Annotated[
        bool, typer.Option("--removed", help="What is not there any more, and who removed it.")
    ] = False,
) -> Result:
    """Say of each region of a task who changed it last, in which round and version.

    With --ref round-NAME: of what an open round holds of it, too.
    """
    from ops.runner.history import task_history

    found = task_history(session.context(), TaskKey(task), ref)
    told = blame(task_log(found.revisions))
    last = found.revisions[-1].record
    state = last.state.value if last else "no record"
    shown = told.removed if removed else told.present
    rows = [_row(change) for change in shown if removed or _is_telling(change, told.present)]
    columns = ("annotation", "of", "region", "says", "by", "round", "version", "when (UTC)")
    nothing = "nothing was removed" if removed else f"nothing is said of {task} at {ref}"
    return Result(
        data={
            "task": task,
            "ref": ref,
            "commit": found.commit,
            "state": last.state.value if last else None,
            "regions": [_change_json(change) for change in told.present],
            "removed": [_change_json(change) for change in told.removed],
        },
        body=[f"{task} at {ref}: {state}", Table(columns=columns, rows=rows) if rows else nothing],
        warnings=_warnings(found.unreadable),
    )


def _warnings(unreadable: Iterable[tuple[CommitId, str]]) -> list[Warn]:
    return [
        Warn(
            code="record-unreadable", message=f"passed over at {commit[:12]}: {why}", subject=commit
        )
        for commit, why in unreadable
    ]


def _is_telling(change: Change, present: Iterable[Change]) -> bool:
    """Whether people want to read it: that an annotation has regions, they see by the regions."""
    others = (one.place for one in present if one.place.annotation == change.place.annotation)
    is_marked = isinstance(change.says, dict) and any(change.says.values())
    return not change.place.is_whole or is_marked or all(place.is_whole for place in others)


def _row(change: Change) -> tuple[str, ...]:
    return (
        change.place.annotation[:8],
        change.annotator,
        change.place.region or change.place.control,
        _in_words(change.says),
        change.person or "",
        change.round or _cause(change.revision),
        _place(change.revision),
        _minute(change.at),
    )


def _place(revision: Revision) -> str:
    if revision.version is not None:
        return f"v{revision.version}"
    return revision.commit[:12] if revision.is_on_main else "not on main"


def _cause(revision: Revision) -> str:
    return revision.round or revision.kind or "around ops"


def _people(entry: TaskChange) -> list[str]:
    return sorted({change.person for change in entry.changes if change.person})


def _states(entry: TaskChange) -> str:
    before, after = _state(entry.before), _state(entry.after)
    return after if before == after else f"{before} → {after}"


def _state(state: TaskState | None) -> str:
    return state.value if state else "no record"


def _minute(timestamp: str) -> str:
    return timestamp[:16].replace("T", " ")


def _in_words(says: Json) -> str:
    """What is said, on one line."""
    if isinstance(says, dict):
        marks = [name.replace("_", " ") for name, value in says.items() if value]
        return ", ".join(marks) or "answered"
    entries = [one for one in says if isinstance(one, dict)] if isinstance(says, list) else []
    return "; ".join(_entry_in_words(entry) for entry in entries)


def _entry_in_words(entry: Mapping[str, Json]) -> str:
    value = value_of(entry)
    kind = str(entry.get("type"))
    named = list(labels(entry)) or _texts(entry.get("labels")) or _texts(value.get(kind))
    return " ".join(part for part in (", ".join(named) or kind, _shape(value)) if part)


def _texts(value: Json) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if isinstance(one, str | int | float)]


def _shape(value: Mapping[str, Json]) -> str:
    """Where a region is: percent of the picture, one digit."""
    if isinstance(points := value.get("points"), list):
        return f"({len(points)} points)"
    names = ("x", "y", "width", "height")
    numbers = [one for name in names if isinstance(one := value.get(name), int | float)]
    return f"({', '.join(f'{number:.1f}' for number in numbers)})" if numbers else ""


def _entry_json(entry: TaskChange) -> Json:
    return {
        **_revision_json(entry.revision),
        "actor": entry.revision.actor,
        "made_at": entry.revision.made_at,
        "people": list[Json](_people(entry)),
        "state": {
            "from": entry.before.value if entry.before else None,
            "to": entry.after.value if entry.after else None,
        },
        "regions": {one.value: entry.count(one) for one in Verb},
        "changes": [_change_json(change) for change in entry.changes],
    }


def _revision_json(revision: Revision) -> dict[str, Json]:
    return {
        "commit": revision.commit,
        "version": revision.version,
        "on_main": revision.is_on_main,
        "kind": revision.kind,
        "round": revision.round,
    }


def _change_json(change: Change) -> Json:
    return {
        **_revision_json(change.revision),
        "round": change.round,
        "annotation": change.place.annotation,
        "annotator": change.annotator,
        "region": change.place.region or None,
        "control": change.place.control or None,
        "change": change.verb.value,
        "says": change.says,
        "person": change.person,
        "at": change.at,
    }
