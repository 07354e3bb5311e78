"""`ops round`: rounds, from start to finish or abort."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Counts, Json, TaskKey
from ops.core.rounds import Manifest, RoundState, Selection
from ops.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ops.runner.sync import Synced

app = typer.Typer(help="Labeling rounds: one branch and one project each.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The round's name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SHOWN = 10


@verb(app, "round", "start")
def start(
    session: Session,
    name: Name,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many tasks.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many tasks by chance.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same sample, on any machine.")] = 0,
    take_all: Annotated[bool, typer.Option("--all", help="Labeled tasks too.")] = False,
    edit: Annotated[
        bool, typer.Option("--edit", help="Labeled tasks, their labels there to be changed.")
    ] = False,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="KEY", help="This task, labeled or not; may be repeated."),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option("--tasks", metavar="FILE", help="The tasks a file names, a key a line."),
    ] = None,
    dry_run: DryRun = False,
) -> Result:
    """Put images before annotators: a branch, a Label Studio project, its tasks.

    Takes every image nobody has labeled, unless asked otherwise. Run again, it goes on where it
    stopped, or says that the round is open.
    """
    from ops.runner.start import start_round

    selection = Selection(
        labeled_too=take_all or edit,
        limit=limit,
        sample=sample,
        seed=seed,
        edit=edit,
        keys=_named(task or (), tasks),
    )
    found = start_round(session.context(), name, selection, dry_run=dry_run)
    manifest = found.manifest
    project = manifest.project if manifest else None
    heading = _heading(found.steps, done=f"round {name} is open", dry_run=dry_run)
    lines = [heading, *(f"  {step.text}" for step in found.steps)]
    if not dry_run:
        lines += [f"  label here: {session.project_url(project)}", f"  then: ops round sync {name}"]
    return Result(
        data={
            "round": name,
            "base": found.base,
            "tasks": len(found.keys),
            "project": project,
            "url": session.project_url(project) if project else None,
            "steps": [step.as_json() for step in found.steps],
            "already_done": not found.steps,
        },
        body=lines,
        status="planned" if dry_run and found.steps else "ok",
    )


def _named(keys: Sequence[str], listing: Path | None) -> tuple[TaskKey, ...] | None:
    """The tasks named one by one, sorted, each once; None where none is."""
    if not keys and listing is None:
        return None
    listed = _lines(listing) if listing else []
    return tuple(sorted({TaskKey(key) for key in [*keys, *listed]}))


def _lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises:
        NotFoundError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            "no-task-file",
            f"{path} cannot be read as UTF-8 text",
            subject=str(path),
            unchanged="nothing was written",
            hint="check the path; the file holds a task key a line, as ops data list shows them",
        ) from error
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def _heading(steps: Sequence[object], *, done: str, dry_run: bool) -> str:
    if not steps:
        return f"{done} already: nothing to do"
    return "would:" if dry_run else f"{done}:"


@verb(app, "round", "sync")
def sync(
    session: Session,
    name: Name,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Sync again and again.")] = False,
    every: Annotated[int, typer.Option(min=1, help="Seconds between syncs with --watch.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="Read every task again.")] = False,
    dry_run: DryRun = False,
) -> Result:
    """Commit what annotators submitted to the round's branch.

    Reads only what changed; with nothing changed nothing is written.

    Raises:
        UsageError: --watch with --json.
    """
    from ops.runner.sync import sync_round

    if watch and session.as_json:
        raise UsageError(
            "watch-json",
            "--watch has no end and --json is one document",
            unchanged="nothing was read or written",
            hint=f"ops round sync {name} --watch, or: ops round sync {name} --json",
        )
    context = session.context()
    while True:
        found = sync_round(context, name, full=full, dry_run=dry_run)
        if not watch:
            return _sync_result(found, dry_run=dry_run)
        sys.stderr.write(f"{context.timestamp()[11:19]} UTC  {_sync_line(found)}\n")
        time.sleep(every)


def _sync_result(found: "Synced", *, dry_run: bool) -> Result:
    return Result(
        data={
            "round": found.round.name,
            "changed": list(found.changed),
            "fetched": found.fetched_count,
            "commit": found.commit,
            "counts": _counts(found.counts),
            "vanished": list(found.vanished),
            "foreign": list(found.foreign),
            "repeated": list(found.repeated),
            "scanned": found.scanned,
        },
        body=[_sync_line(found, dry_run=dry_run), _count_line(found.counts)],
        status="planned" if dry_run and found.changed else "ok",
        warnings=_sync_warnings(found),
    )


def _sync_line(found: "Synced", *, dry_run: bool = False) -> str:
    if not found.changed:
        return f"round {found.round.name}: nothing changed"
    where = "not written: --dry-run" if dry_run else f"commit {(found.commit or '')[:12]}"
    return f"round {found.round.name}: {len(found.changed)} tasks changed ({where})"


def _sync_warnings(found: "Synced") -> Sequence[Warn]:
    name, warnings = found.round.name, list[Warn]()
    if found.vanished:
        warnings.append(
            Warn(
                code="tasks-vanished",
                message=f"{len(found.vanished)} tasks were deleted in Label Studio and count as "
                f"unfinished: {_few(found.vanished)}; what was synced before is in the branch's "
                f"history; to import them again: ops round start {name}",
                subject=name,
            )
        )
    if found.foreign:
        warnings.append(
            Warn(
                code="foreign-tasks",
                message=f"{len(found.foreign)} tasks of the project are not this round's and are "
                f"not read: Label Studio ids {_few([str(task) for task in found.foreign])}",
                subject=name,
            )
        )
    if found.repeated:
        warnings.append(
            Warn(
                code="tasks-repeated",
                message=f"{len(found.repeated)} tasks are more than once in Label Studio; their "
                f"annotations are united: {_few(found.repeated)}",
                subject=name,
            )
        )
    return warnings


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@verb(app, "round", "status")
def status(session: Session, name: Name) -> Result:
    """Show how far a round is: by task state, by annotator, and what is not synced yet."""
    from ops.runner.status import round_status

    found = round_status(session.context(), name)
    manifest = found.manifest
    body: list[str | Table] = [
        f"round {name}: {manifest.state.value}, started by {manifest.actor} at "
        f"{_minute(manifest.created_at)} UTC from {manifest.base[:12]}",
        _count_line(found.counts),
    ]
    if found.annotators:
        rows = list(found.annotators.items())
        body.append(Table(columns=("annotator", "tasks"), rows=rows))
    if manifest.state is RoundState.OPEN:
        synced = f"{_minute(found.synced_at)} UTC" if found.synced_at else "never"
        body.append(f"last sync that changed something: {synced}")
        if found.unsynced_count:
            body.append(f"Label Studio holds {found.unsynced_count:+d} annotations since then")
            body.append(f"  take them in: ops round sync {name}")
        if found.main_moved:
            body.append("main has moved since this round started; finish takes that in")
    return Result(
        data={
            "round": name,
            "state": manifest.state.value,
            "counts": _counts(found.counts),
            "annotators": dict(found.annotators),
            "synced_at": found.synced_at,
            "unsynced_annotations": found.unsynced_count,
            "main_moved": found.main_moved,
            "project": manifest.project,
            "url": session.project_url(manifest.project),
        },
        body=body,
    )


@verb(app, "round", "diff")
def diff(session: Session, name: Name) -> Result:
    """Show what the round's branch changes, by task and by label."""
    from ops.runner.diff import round_diff

    found = round_diff(session.context(), name)
    return Result(data=found.as_json(), body=[*found.lines(), found.url])


@verb(app, "round", "finish")
def finish(
    session: Session,
    name: Name,
    *,
    allow_unlabeled: Annotated[
        bool, typer.Option("--allow-unlabeled", help="Merge though tasks are unfinished.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Read everything once more, check it, merge to main as one tagged version."""
    from ops.runner.finish import finish_round

    if not dry_run:
        session.confirm(f"Merge round {name} to main as a new version?", yes=yes)
    found = finish_round(session.context(), name, allow_unlabeled=allow_unlabeled, dry_run=dry_run)
    card = found.packed.card if found.packed else None
    tag = f"v{found.version}"
    if found.already_done:
        body = [f"round {name} is finished already: {tag} is commit {(found.commit or '')[:12]}"]
    else:
        done = "would merge" if dry_run else "merged"
        body = [
            f"{done} round {name} to main as {tag}: {len(found.changed)} records changed",
            _count_line(found.counts),
            f"dataset: {_count_line(card.counts)}" if card else "",
        ]
        body += [] if dry_run else [f"commit {found.commit}", f"read it: ops dataset uri {tag}"]
    return Result(
        data={
            "round": name,
            "version": found.version,
            "tag": tag,
            "commit": found.commit,
            "already_done": found.already_done,
            "counts": _counts(found.counts),
            "changed": list(found.changed),
            "dataset_counts": _counts(card.counts) if card else None,
            "snapshot_digest": card.digest if card else None,
        },
        body=body,
        status="planned" if dry_run and not found.already_done else "ok",
        warnings=_sync_warnings(found.synced) if found.synced else (),
    )


@verb(app, "round", "abort")
def abort(
    session: Session,
    name: Name,
    *,
    remove_branch: Annotated[
        bool, typer.Option("--remove-branch", help="Delete the branch with what was synced.")
    ] = False,
    remove_project: Annotated[
        bool, typer.Option("--remove-project", help="Delete the Label Studio project.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """End a round; nothing of it reaches main. Keeps branch and project unless told otherwise."""
    from ops.runner.abort import abort_round

    context = session.context()
    plan = abort_round(
        context,
        name,
        remove_branch=remove_branch,
        remove_project=remove_project,
        dry_run=True,
    )
    if not dry_run and not plan.already_done:
        lost = (
            f" {len(plan.labeled)} tasks with annotations will not reach main."
            if plan.labeled
            else ""
        )
        session.confirm(f"Abort round {name}?{lost}", yes=yes)
        abort_round(context, name, remove_branch=remove_branch, remove_project=remove_project)
    lines = [_abort_heading(name, dry_run=dry_run, already_done=plan.already_done)]
    lines.append(_count_line(plan.counts))
    lines += [f"  not on main: {_few(plan.labeled)}"] if plan.labeled else []
    lines.append(f"  branch round-{name}: {'removed' if remove_branch else 'kept'}")
    removed = "removed" if plan.removed_project else "kept"
    lines.append(f"  project {plan.manifest.project}: {removed}")
    return Result(
        data={
            "round": name,
            "counts": _counts(plan.counts),
            "labeled": list(plan.labeled),
            "removed_branch": plan.removed_branch,
            "removed_project": plan.removed_project,
            "already_done": plan.already_done,
        },
        body=lines,
        status="planned" if dry_run and not plan.already_done else "ok",
    )


def _abort_heading(name: str, *, dry_run: bool, already_done: bool) -> str:
    if already_done:
        return f"round {name} is aborted already"
    return f"would abort round {name}:" if dry_run else f"aborted round {name}:"


@verb(app, "round", "list")
def list_(session: Session) -> Result:
    """List every round: open, finished and aborted."""
    from ops.runner.status import list_rounds

    manifests = list(list_rounds(session.context()))
    rows = [
        (m.name, m.state.value, m.task_count, f"v{m.version}" if m.version else "", m.actor,
         _minute(m.created_at))
        for m in manifests
    ]  # fmt: skip
    columns = ("round", "state", "tasks", "version", "started by", "at (UTC)")
    body = [Table(columns=columns, rows=rows)] if rows else ["no rounds yet: ops round start NAME"]
    return Result(data={"rounds": [_manifest(m) for m in manifests]}, body=body)


@verb(app, "round", "show")
def show(session: Session, name: Name) -> Result:
    """Show a round's manifest: what was asked for, by whom, and how it ended."""
    from ops.runner.status import find_manifest

    manifest = find_manifest(session.context(), name)
    said = {
        **{name: str(value) for name, value in _manifest(manifest).items() if value is not None},
        "selection": manifest.selection.in_words,
        "annotators": ", ".join(manifest.annotators) or None,
        "counts": _count_line(manifest.counts) if manifest.counts else None,
    }
    rows = [(name.replace("_", " "), value) for name, value in said.items() if value is not None]
    return Result(
        data=_manifest(manifest),
        body=[Table(columns=("field", "value"), rows=rows)],
    )


@verb(app, "round", "open")
def open_(
    session: Session,
    name: Name,
    *,
    browser: Annotated[bool, typer.Option("--browser", help="Open the pages.")] = False,
) -> Result:
    """Print where to label the round and where to review it."""
    from ops.runner.status import find_manifest

    manifest = find_manifest(session.context(), name)
    pages = {
        "label": session.project_url(manifest.project),
        "review": session.compare_url(f"round-{name}"),
    }
    if browser:
        import webbrowser

        for page in pages.values():
            webbrowser.open(page)
    return Result(data=dict(pages), body=[f"{what:<7} {page}" for what, page in pages.items()])


def _manifest(manifest: Manifest) -> dict[str, Json]:
    return {
        "round": manifest.name,
        "state": manifest.state.value,
        "base": manifest.base,
        "started_by": manifest.actor,
        "started_at": manifest.created_at,
        "selection": manifest.selection.as_mapping(),
        "tasks": manifest.task_count,
        "tasks_digest": manifest.tasks_digest,
        "ontology_digest": manifest.ontology_digest,
        "project": manifest.project,
        "version": manifest.version,
        "ended_by": manifest.ended_by,
        "ended_at": manifest.ended_at,
        "counts": _counts(manifest.counts) if manifest.counts else None,
        "annotators": list(manifest.annotators),
    }


def _counts(counts: Counts) -> dict[str, Json]:
    return dict(counts.as_mapping())


def _count_line(counts: Counts) -> str:
    """The count law in one line: tasks = labeled + empty + skipped + unfinished + quarantined."""
    states: Mapping[str, int] = counts.as_mapping()
    parts = [f"{count} {state}" for state, count in states.items() if state != "tasks"]
    return f"{counts.tasks} tasks = " + " + ".join(parts)


def _minute(time_: str | None) -> str:
    return (time_ or "")[:16].replace("T", " ")
