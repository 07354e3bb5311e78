"""`ops predict`: what models say, kept apart from what people say."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.round_text import DryRun, Name, minute
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.names import check_round_name
from ops.core.prediction_formats import PredictionFormat
from ops.core.prediction_rules import Matching, MatchOn, Problem
from ops.core.predictions import PredictionFacts, check_model_version
from ops.core.records import Json

if TYPE_CHECKING:
    from ops.runner.attach import Pushed
    from ops.runner.predictions import Added

app = typer.Typer(help="Predictions of models, never counted as labels.", no_args_is_help=True)


@verb(app, "predict", "add")
def add(
    session: Session,
    file: Annotated[Path, typer.Argument(help="What the model wrote; for YOLO a folder.")],
    *,
    model: Annotated[str, typer.Option(help="The model's name.")] = "",
    version: Annotated[str, typer.Option(help="Which version of it said this.")] = "",
    format_: Annotated[
        PredictionFormat, typer.Option("--format", help="How the file is written.")
    ] = PredictionFormat.AUTO,
    coco: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The COCO document COCO results' ids are of."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YOLO's classes: data.yaml, or a text with one a line."),
    ] = None,
    strip_prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Taken off the file's names of pictures.")
    ] = "",
    match_on: Annotated[
        MatchOn, typer.Option(help="Match whole paths with task keys, or their last part.")
    ] = MatchOn.PATH,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Take what can be taken, and name the rest.")
    ] = False,
    round_: Annotated[
        str | None,
        typer.Option("--round", metavar="ROUND", help="Put it before an open round's annotators."),
    ] = None,
    dry_run: DryRun = False,
) -> Result:
    """Keep what a version of a model says of images.

    Takes JSON lines ({"key", "score", "result"}, or "boxes" of label, x, y, width, height, score in
    percent of the picture, or in another "unit": pixels, fraction), COCO results, a folder of YOLO
    texts and Label Studio's tasks. Everything is checked against main's images and label config
    first. Predictions are no labels. What is kept of a version never changes.

    Raises:
        UsageError: --model or --version is missing.
    """
    from ops.runner.attach import push_predictions
    from ops.runner.context import load_round
    from ops.runner.prediction_files import open_predictions
    from ops.runner.predictions import add_predictions

    of = check_model_version(model, version)
    context = session.context()
    if round_:
        # Before anything is kept for it.
        load_round(context, check_round_name(round_))
    opened = open_predictions(file, format_=format_, coco=coco, names=names)
    matching = Matching(strip_prefix=strip_prefix, on=match_on)
    found = add_predictions(
        context, opened, of, matching=matching, skip_unknown=skip_unknown, dry_run=dry_run
    )
    lines = [_added_line(found, dry_run=dry_run)]
    pushed = None
    if round_ and dry_run and not found.already_done:
        lines.append(f"would put them before the annotators of round {round_}")
    elif round_:
        pushed = push_predictions(context, round_, str(of), dry_run=dry_run)
        lines.append(_pushed_line(pushed, dry_run=dry_run))
    is_planned = not found.already_done or (pushed is not None and not pushed.already_done)
    return Result(
        data={
            "model": of.model,
            "version": of.version,
            "tasks": found.facts.rows,
            "digest": found.facts.digest,
            "left_out": [_problem_json(one) for one in found.problems],
            "commit": found.commit,
            "already_done": found.already_done,
            "round": _pushed_json(pushed) if pushed else None,
        },
        body=lines,
        status="planned" if dry_run and is_planned else "ok",
        warnings=_left_out(found),
    )


def _problem_json(problem: Problem) -> Json:
    return {"place": problem.place, "name": problem.name, "reason": problem.reason}


def _added_line(found: "Added", *, dry_run: bool) -> str:
    of, rows = found.facts.of, found.facts.rows
    if found.already_done:
        return f"predictions of {of} for {rows} tasks are there already: nothing to do"
    return f"{'would keep' if dry_run else 'kept'} predictions of {of} for {rows} tasks"


def _left_out(found: "Added") -> Sequence[Warn]:
    """What of the file was not taken, the first few by name."""
    shown = [
        Warn(code="prediction-left-out", message=str(one), subject=one.name or one.place)
        for one in found.problems[:_SHOWN]
    ]
    if len(found.problems) > _SHOWN:
        text = f"{len(found.problems)} predictions were left out in all: --json names them"
        shown.append(Warn(code="predictions-left-out", message=text))
    return shown


_SHOWN = 10


@verb(app, "predict", "push")
def push(
    session: Session,
    name: Name,
    *,
    predictions: Annotated[
        str, typer.Argument(metavar="MODEL@VERSION", help="Which kept predictions.")
    ],
    dry_run: DryRun = False,
) -> Result:
    """Put kept predictions before the annotators of a round that is open.

    Each task gets one, once, whatever is interrupted and run again. Label Studio shows annotators
    the predictions of one model version: the one pushed last.
    """
    from ops.runner.attach import push_predictions

    found = push_predictions(session.context(), name, predictions, dry_run=dry_run)
    return Result(
        data=_pushed_json(found),
        body=[_pushed_line(found, dry_run=dry_run)],
        status="planned" if dry_run and not found.already_done else "ok",
    )


def _pushed_json(found: "Pushed") -> dict[str, Json]:
    return {
        "round": found.round,
        "predictions": found.model_version,
        "project": found.project,
        "attached": found.count,
        "tasks": found.of_tasks,
        "already_done": found.already_done,
    }


def _pushed_line(found: "Pushed", *, dry_run: bool) -> str:
    of = f"{found.model_version} in round {found.round}"
    if found.already_done:
        return f"predictions of {of} are there already: nothing to do"
    done = "would attach" if dry_run else "attached"
    return f"{done} {found.count} predictions of {of} ({found.of_tasks} tasks have one)"


@verb(app, "predict", "list")
def list_(
    session: Session,
    *,
    ref: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
) -> Result:
    """List the models whose predictions are kept, by version."""
    from ops.runner.dataset import resolve
    from ops.runner.predictions import list_predictions

    context = session.context()
    found = list(list_predictions(context, resolve(context, ref)))
    rows = [
        (str(one.of), one.rows, one.left_out, minute(one.made_at), one.made_by, one.file)
        for one in found
    ]
    columns = ("predictions", "tasks", "left out", "kept at", "by", "from")
    return Result(
        data={"predictions": [_facts_json(one) for one in found]},
        body=[Table(columns=columns, rows=rows), f"{len(found)} model versions"],
    )


def _facts_json(facts: PredictionFacts) -> Json:
    return {
        "model": facts.of.model,
        "version": facts.of.version,
        "tasks": facts.rows,
        "left_out": facts.left_out,
        "digest": facts.digest,
        "file": facts.file,
        "sha256": facts.sha256,
        "made_by": facts.made_by,
        "made_at": facts.made_at,
    }
