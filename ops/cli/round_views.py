"""`ops round status`, `diff`, `list`, `show` and `open`: rounds, without changing anything."""

from typing import Annotated

import typer

from ops.cli.diff import BY_DEFAULT, AsMarkdown, By, View
from ops.cli.output import Result, Table
from ops.cli.round import app
from ops.cli.round_text import Name, count_line, counts_json, minute
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.core.rounds import Manifest, RoundState


@verb(app, "round", "status")
def status(session: Session, name: Name) -> Result:
    """Show how far a round is: by task state, by annotator, and what is not synced yet."""
    from ops.runner.ontology_news import ontology_moved
    from ops.runner.status import round_status

    context = session.context()
    found = round_status(context, name)
    manifest = found.manifest
    is_open = manifest.state is RoundState.OPEN
    moved = ontology_moved(context, manifest) if is_open else None
    body: list[str | Table] = [
        f"round {name}: {manifest.state.value}, started by {manifest.actor} at "
        f"{minute(manifest.created_at)} UTC from {manifest.base[:12]}",
        count_line(found.counts),
    ]
    if found.annotators:
        rows = list(found.annotators.items())
        body.append(Table(columns=("annotator", "tasks"), rows=rows))
    if is_open:
        synced = f"{minute(found.synced_at)} UTC" if found.synced_at else "never"
        body.append(f"last sync that changed something: {synced}")
        if found.unsynced_count:
            body.append(f"Label Studio holds {found.unsynced_count:+d} annotations since then")
            body.append(f"  take them in: ops round sync {name}")
        if found.main_moved:
            body.append("main has moved since this round last met it; finish takes that in")
            body.append(f"  or take it in now: ops round rebase {name}")
        if moved:
            body.append(moved.in_words)
    return Result(
        data={
            "round": name,
            "state": manifest.state.value,
            "counts": counts_json(found.counts),
            "annotators": dict(found.annotators),
            "synced_at": found.synced_at,
            "unsynced_annotations": found.unsynced_count,
            "main_moved": found.main_moved,
            "ontology_moved": moved.as_json() if moved else None,
            "project": manifest.project,
            "url": session.project_url(manifest.project),
        },
        body=body,
    )


@verb(app, "round", "diff")
def diff(
    session: Session, name: Name, *, by: By = BY_DEFAULT, as_markdown: AsMarkdown = False
) -> Result:
    """Show what the round's branch changes: by class, person and task."""
    view = View.asked(session, by, as_markdown=as_markdown)
    from ops.runner.diff import round_diff

    return view.result(round_diff(session.context(), name))


@verb(app, "round", "list")
def list_(session: Session) -> Result:
    """List every round: open, finished and aborted."""
    from ops.runner.status import list_rounds

    manifests = list(list_rounds(session.context()))
    rows = [
        (m.name, m.state.value, m.task_count, f"v{m.version}" if m.version else "", m.actor,
         minute(m.created_at))
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
        "amendments": "\n".join(one.in_words for one in manifest.amendments) or None,
        "annotators": ", ".join(manifest.annotators) or None,
        "counts": count_line(manifest.counts) if manifest.counts else None,
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
        "counts": counts_json(manifest.counts) if manifest.counts else None,
        "annotators": list(manifest.annotators),
        "taken_in": manifest.taken_in.main if manifest.taken_in else None,
        "held": [one.key for one in manifest.held],
        "rework": manifest.rework,
        "amendments": [one.as_mapping() for one in manifest.amendments],
    }
