"""`ops dataset runs`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.dataset import app
from ops.cli.output import Result, Table
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.names import version_tag
from ops.core.records import Json
from ops.core.runs import Run, Training, metric_names
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.runner.context import Context


@verb(app, "dataset", "runs")
def runs(
    session: Session,
    ref: Annotated[
        str | None,
        typer.Argument(help="Only runs on this branch's, tag's or expression's commit."),
    ] = None,
    *,
    model_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Only the runs that made this model; with --record, its file."
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", metavar="MODEL", help="Record a run on REF instead."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="With --record: how well it did; repeatable."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="With --record: a parameter; repeatable."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="With --record: where more of the run is to be seen.")
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--id", help="With --record: the run's name, instead of one from what is said."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --record: say what would be done; do nothing.")
    ] = False,
) -> Result:
    """List which training run used which version, and how well it did.

    Each run names the commit it was trained on. A trainer in Python records one with
    Dataset.record_run; any other with --record, once a run: the same run again changes nothing.

    Raises:
        UsageError: an option for recording without --record, or --record without a ref.
    """
    from ops.runner.runs import list_runs, runs_of_model

    given = {"--metric": metric, "--param": param, "--url": url, "--id": run_id}
    for_recording = [name for name, value in given.items() if value]
    if record is not None:
        training = Training(
            model=record,
            metrics={name: _number(name, text) for name, text in _pairs("--metric", metric)},
            params={name: _json(text) for name, text in _pairs("--param", param)},
            url=url,
        )
        return _recorded(
            session.lake_context(),
            _needed(ref),
            training,
            model_file,
            run_id=run_id,
            dry_run=dry_run,
        )
    if for_recording or dry_run:
        raise UsageError(
            "options-exclude",
            f"{', '.join(for_recording) or '--dry-run'} is for recording a run",
            unchanged="nothing was read or written",
            hint="ops dataset runs REF --record MODEL --metric NAME=NUMBER",
        )
    context = session.lake_context()
    found = list_runs(context, ref)
    if model_file is not None:
        made = {run.id for run in runs_of_model(context, model_file)}
        found = [run for run in found if run.id in made]
    return _listed(found)


def _needed(ref: str | None) -> str:
    if ref is None:
        raise UsageError(
            "missing-value",
            "REF is missing: what the model was trained on",
            unchanged="nothing was read or written",
            hint="ops dataset runs v7 --record MODEL, or the commit that pull.json names",
        )
    return ref


def _recorded(
    context: "Context",
    ref: str,
    training: Training,
    model_file: Path | None,
    *,
    run_id: str | None,
    dry_run: bool,
) -> Result:
    from dataclasses import replace

    from ops.runner.runs import model_digest, record_run

    if model_file is not None:
        training = replace(training, model_digest=model_digest(model_file))
    done = record_run(context, ref, training, run_id=run_id, dry_run=dry_run)
    said = "would record" if dry_run else "recorded"
    line = f"{said} run {done.run.id} on {_on(done.run)}"
    return Result(
        data={"recorded": done.is_new and not dry_run, "run": _entry(done.run)},
        body=[line if done.is_new else f"nothing to do: run {done.run.id} is recorded"],
        status="planned" if dry_run and done.is_new else "ok",
    )


def _listed(runs: Sequence[Run]) -> Result:
    names = metric_names(runs)
    rows = [
        (
            _on(run),
            run.training.model,
            *(_shown(run.training.metrics, name) for name in names),
            run.made_by,
            run.made_at[:16].replace("T", " "),
            run.id,
        )
        for run in runs
    ]
    columns = ("trained on", "model", *names, "who", "when (UTC)", "run")
    return Result(
        data={"runs": [_entry(run) for run in runs]},
        body=[Table(columns=columns, rows=rows)]
        if rows
        else ["no runs yet: record one with Dataset.record_run, or --record"],
    )


def _on(run: Run) -> str:
    return run.commit[:12] if run.version is None else version_tag(run.version)


def _shown(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:g}" if name in metrics else "–"


def _entry(run: Run) -> dict[str, Json]:
    return {
        "id": run.id,
        "commit": run.commit,
        "version": run.version,
        "model": run.training.model,
        "metrics": dict(run.training.metrics),
        "params": dict(run.training.params),
        "url": run.training.url,
        "model_digest": run.training.model_digest,
        "made_by": run.made_by,
        "made_at": run.made_at,
    }


def _pairs(option: str, texts: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = [(name, text) for name, _, text in (one.partition("=") for one in texts or ())]
    for one, (name, _) in zip(texts or (), pairs, strict=True):
        if not name or "=" not in one:
            _refuse_pair(option, one, "NAME=VALUE")
        if [other for other, _ in pairs].count(name) > 1:
            _refuse_pair(option, one, "each NAME once")
    return pairs


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return _refuse_pair("--metric", f"{name}={text}", "NAME=NUMBER")


def _json(text: str) -> Json:
    """A parameter: JSON where it is some, else the text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refuse_pair(option: str, given: str, form: str) -> float:
    raise UsageError(
        "wrong-value",
        f"{option} takes {form}, not {given!r}",
        subject=given,
        unchanged="nothing was read or written",
        hint=f"write it as {option} {form}",
    )
