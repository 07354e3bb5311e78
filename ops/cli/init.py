"""`ops init`: a repository ready for its first round."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.output import Result
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.label_config import LabelKind, write_label_config
from ops.errors import NotFoundError, UsageError


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "init")(init)


def init(
    session: Session,
    *,
    label_config: Annotated[
        Path | None, typer.Option(help="A Label Studio label config (XML).")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels, with commas, for a simple label config.")
    ] = None,
    kind: Annotated[
        LabelKind, typer.Option(help="What --labels are put on pictures as.")
    ] = LabelKind.CHOICES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Set up the repository: ontology, gates, protected main. Safe to repeat.

    A repository set up by an older ops gets what it lacks.
    """
    from ops.runner.init import init_repository

    context = session.context()
    repository = session.settings.need("repository")
    namespace = session.settings.find("storage_namespace") or f"local://{repository}"
    found = init_repository(
        context,
        label_config=read_label_config(label_config, labels, kind),
        namespace=namespace,
        dry_run=dry_run,
    )
    if found.steps:
        heading = f"would set up repository {repository}:" if dry_run else f"set up {repository}:"
        body = [heading, *(f"  {step}" for step in found.steps)]
    else:
        body = [f"repository {repository} is set up already: nothing to do"]
    if found.labels:
        body.append(f"labels: {', '.join(found.labels)}")
    return Result(
        data={
            "repository": repository,
            "steps": list(found.steps),
            "ontology_digest": found.ontology_digest,
            "labels": list(found.labels),
            "already_done": not found.steps,
        },
        body=body,
        status="planned" if dry_run and found.steps else "ok",
    )


def read_label_config(path: Path | None, labels: str | None, kind: LabelKind) -> str | None:
    """The label config two options ask for, or None where neither is given.

    Raises:
        UsageError: both are given, or the labels are none.
        NotFoundError: the file cannot be read.
    """
    if path is not None and labels is not None:
        raise UsageError(
            "two-ontologies",
            "--label-config and --labels both say what the ontology is",
            unchanged="nothing was written",
            hint="give one of them",
        )
    if labels is not None:
        names = [name.strip() for name in labels.split(",") if name.strip()]
        return write_label_config(names, kind)
    if path is None:
        return None
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            "no-label-config",
            f"{path} cannot be read as UTF-8 text",
            subject=str(path),
            unchanged="nothing was written",
            hint="check the path",
        ) from error
