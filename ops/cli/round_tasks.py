"""`ops round add` and `drop`: tasks of an open round."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Warn
from ops.cli.round import app
from ops.cli.round_text import DryRun, Name, choice_json, choice_lines, choice_warnings, few
from ops.cli.selection_options import SelectionOptions, with_selection
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.core.records import Json
    from ops.runner.round_tasks import Amended


@verb(app, "round", "add")
@with_selection("edit")
def add(
    session: Session,
    name: Name,
    *,
    asked: SelectionOptions,
    again: Annotated[
        bool, typer.Option("--again", help="Add by the same words once more.")
    ] = False,
    dry_run: DryRun = False,
) -> Result:
    """Put more images before an open round's annotators.

    Chooses among the images of the round's base that are not in it. Run again by the same words, it
    goes on where it stopped, or says that they are there.
    """
    selection = asked.selection()
    from ops.runner.round_tasks import add_tasks

    found = add_tasks(session.context(), name, selection, again=again, dry_run=dry_run)
    lines = [_heading(found, dry_run=dry_run)]
    lines += choice_lines(found.choice) if found.choice else []
    return Result(
        data={**_json(found), "choice": choice_json(found.choice) if found.choice else None},
        body=lines,
        status="planned" if dry_run and found.keys else "ok",
        warnings=choice_warnings(found.choice, name),
    )


@verb(app, "round", "drop")
@with_selection("edit", "take_all", "unlabeled", "text", "embeddings")
def drop(
    session: Session,
    name: Name,
    *,
    asked: SelectionOptions,
    discard_answers: Annotated[
        bool,
        typer.Option("--discard-answers", help="Drop tasks that somebody has answered, too."),
    ] = False,
    dry_run: DryRun = False,
) -> Result:
    """Take tasks out of an open round, and away from its annotators.

    Chooses among the round's tasks, by what the round's base says of them. Tasks that somebody has
    answered stay, and are named, unless told otherwise; what was synced of the answers stays in the
    history of the round's branch.

    Raises:
        UsageError: nothing says which.
    """
    if asked == SelectionOptions():
        raise UsageError(
            "missing-value",
            "nothing says which tasks are to be dropped",
            subject=name,
            unchanged="nothing was read or written",
            hint=f"name them: ops round drop {name} --task KEY\n"
            "or --tasks FILE, or --where SQL: ops round drop --help",
        )
    selection = asked.selection()
    from ops.runner.round_tasks import drop_tasks

    found = drop_tasks(
        session.context(), name, selection, discard_answers=discard_answers, dry_run=dry_run
    )
    lines = [_heading(found, dry_run=dry_run)]
    lines += [f"  {few(found.keys)}"] if found.keys else []
    if found.answered:
        lines.append(f"  answered, and not in the round any more: {few(found.answered)}")
    return Result(
        data=_json(found),
        body=lines,
        status="planned" if dry_run and found.keys else "ok",
        warnings=_discarded(found),
    )


def _heading(found: "Amended", *, dry_run: bool) -> str:
    name, done = found.round, found.kind.value
    if found.already_done:
        return f"round {name}: {done} already, nothing to do"
    if not found.keys:
        return f"round {name}: went on where it was interrupted"
    if dry_run:
        return f"round {name}: would have {len(found.keys)} tasks {done}, {found.task_count} then"
    return f"round {name}: {len(found.keys)} tasks {done}, {found.task_count} now"


def _json(found: "Amended") -> "dict[str, Json]":
    return {
        "round": found.round,
        "kind": found.kind.value,
        "keys": list(found.keys),
        "tasks": found.task_count,
        "answered": list(found.answered),
        "amendment": found.amendment.as_mapping() if found.amendment else None,
        "already_done": found.already_done,
    }


def _discarded(found: "Amended") -> list[Warn]:
    if not found.answered or found.amendment is None:
        return []
    return [
        Warn(
            code="answers-discarded",
            message=f"the answers of {len(found.answered)} tasks are not in the round any more; "
            f"its branch had them at {found.amendment.onto[:12]}: {few(found.answered)}",
            subject=found.round,
        )
    ]
