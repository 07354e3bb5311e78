"""`ops ontology`: what may be said, and changing it together with what was said."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.changes import proposal_result
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.names import version_tag
from ops.core.records import Json
from ops.errors import RefusedError
from ops.given import read_given

if TYPE_CHECKING:
    from ops.core.migration import MigrationRequest
    from ops.core.ontology import Control
    from ops.runner.ontology_news import OntologyMoved

app = typer.Typer(help="What may be said: labels, added and changed.", no_args_is_help=True)

Label = Annotated[
    str, typer.Argument(help="A label as results say it; one below others by its path: animal/cat.")
]
Labels = Annotated[list[str], typer.Argument(help="Labels as results say them.")]
ControlName = Annotated[
    str | None,
    typer.Option("--control", metavar="NAME", help="The control, where several may be meant."),
]
ChangeName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name the change for review.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]


class Regions(StrEnum):
    """What becomes of regions that say a label that is removed."""

    REFUSE = "refuse"
    DROP = "drop"


@verb(app, "ontology", "show")
def show(
    session: Session,
    *,
    ref: Annotated[
        str, typer.Option("--ref", help="A branch, tag, commit id, or expression like main~1.")
    ] = "main",
    xml: Annotated[bool, typer.Option("--xml", help="Print the label config.")] = False,
) -> Result:
    """Show what may be said: controls and their labels."""
    from ops.runner.context import read_ontology
    from ops.runner.dataset import resolve

    context = session.context()
    text, ontology = read_ontology(context.lake, resolve(context, ref))
    rows = [
        (one.name, one.type, ", ".join(one.to_names), ", ".join(_spelled(one)) or "–")
        for one in ontology.controls
    ]
    controls: list[Json] = [
        {
            "name": one.name,
            "type": one.type,
            "objects": list(one.to_names),
            "labels": list(_spelled(one)),
            "dynamic": one.dynamic,
        }
        for one in ontology.controls
    ]
    return Result(
        data={
            "ref": ref,
            "digest": ontology.digest,
            "controls": controls,
            "relations": list(ontology.relations),
            "label_config": text,
        },
        body=[text.rstrip()]
        if xml
        else [
            Table(columns=("control", "type", "of", "labels"), rows=rows),
            "",
            f"digest {ontology.digest}",
        ],
    )


def _spelled(control: "Control") -> Sequence[str]:
    from ops.core.label_names import spelled

    return [spelled(label.path) for label in control.labels]


@verb(app, "ontology", "add")
def add(
    session: Session, labels: Labels, *, control: ControlName = None, dry_run: DryRun = False
) -> Result:
    """Offer more labels, on main at once: no record changes.

    Open rounds go on with the labels they were started with.
    """
    from ops.runner.ontology import add_labels
    from ops.runner.ontology_news import open_rounds

    context = session.context()
    found = add_labels(context, labels, control=control, dry_run=dry_run)
    told = list(open_rounds(context, found.label_config)) if found.labels else []
    names = ", ".join(found.labels)
    if found.labels:
        body = [f"{'would add' if dry_run else 'added'} {names}"]
    else:
        body = ["main's ontology offers that already: nothing to do"]
    return Result(
        data={
            "labels": list(found.labels),
            "commit": found.commit,
            "rounds": [one.as_json() for one in told],
            "already_done": not found.labels,
        },
        body=body,
        status="planned" if dry_run and found.labels else "ok",
        warnings=_told(told),
    )


@verb(app, "ontology", "rename")
def rename(
    session: Session,
    label: Label,
    new: Annotated[str, typer.Argument(help="Its new name.")],
    *,
    control: ControlName = None,
    name: ChangeName = None,
    dry_run: DryRun = False,
) -> Result:
    """Give a label another name, in the label config and in every record, on a branch for review.

    What is below the label keeps its place. Older versions stay as they are.
    """
    from ops.core.migration import MigrationRequest, Operation

    asked = MigrationRequest(
        operation=Operation.RENAME, sources=(label,), targets=(new,), control=control
    )
    return _propose(session, asked, name, dry_run=dry_run)


@verb(app, "ontology", "merge")
def merge(
    session: Session,
    labels: Labels,
    *,
    into: Annotated[
        str,
        typer.Option("--into", metavar="LABEL", help="What they become: new, or there already."),
    ],
    control: ControlName = None,
    name: ChangeName = None,
    dry_run: DryRun = False,
) -> Result:
    """Make one label of several, on a branch for review; a region that said two says it once."""
    from ops.core.migration import MigrationRequest, Operation

    asked = MigrationRequest(
        operation=Operation.MERGE, sources=(*labels,), targets=(into,), control=control
    )
    return _propose(session, asked, name, dry_run=dry_run)


@verb(app, "ontology", "split")
def split(
    session: Session,
    label: Label,
    into: Annotated[list[str], typer.Argument(help="What it becomes; it may be one of them.")],
    *,
    by: Annotated[
        Path | None,
        typer.Option("--by", metavar="FILE", help="The table that decides region by region."),
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option("--rest", metavar="LABEL", help="What regions become that no line decides."),
    ] = None,
    list_to: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Write the table to fill in, and stop."),
    ] = None,
    control: ControlName = None,
    name: ChangeName = None,
    dry_run: DryRun = False,
) -> Result:
    """Make several labels of one, as a table decides region by region, on a branch for review.

    The table has a line a region: key, unique_id, region_id, label; --list writes it without
    labels. In rounds that are open, --rest is what the label becomes where no line decides.
    """
    from ops.core.decisions import read_decisions
    from ops.core.migration import MigrationRequest, Operation

    asked = MigrationRequest(
        operation=Operation.SPLIT,
        sources=(label,),
        targets=(*into,),
        control=control,
        decisions=read_decisions(_table(by), str(by)) if by else {},
        rest=rest,
        decided_by=session.settings.need("actor"),
    )
    if list_to is not None:
        return _list(session, asked, list_to)
    return _propose(session, asked, name, dry_run=dry_run)


@verb(app, "ontology", "remove")
def remove(
    session: Session,
    label: Label,
    *,
    regions: Annotated[
        Regions, typer.Option("--regions", help="What becomes of regions that say it.")
    ] = Regions.REFUSE,
    control: ControlName = None,
    name: ChangeName = None,
    dry_run: DryRun = False,
) -> Result:
    """Offer a label no more, on a branch for review; refused while a record says it.

    With --regions drop these regions go too. An annotation that says nothing else goes with them:
    its task is unfinished then, for nobody said that it is empty.
    """
    from ops.core.migration import MigrationRequest, Operation

    asked = MigrationRequest(
        operation=Operation.REMOVE,
        sources=(label,),
        control=control,
        drops=regions is Regions.DROP,
    )
    return _propose(session, asked, name, dry_run=dry_run)


def _propose(
    session: Session, asked: "MigrationRequest", name: str | None, *, dry_run: bool
) -> Result:
    from ops.runner.ontology import Done, propose_migration
    from ops.runner.ontology_news import rounds_left_behind

    context = session.context()
    found = propose_migration(context, asked, name=name, dry_run=dry_run)
    if isinstance(found, Done):
        tag = version_tag(found.version)
        return Result(
            data={
                "name": found.name,
                "version": found.version,
                "commit": found.commit,
                "already_done": True,
            },
            body=[f"change {found.name} is {tag} already: nothing to do"],
        )
    told = rounds_left_behind(context, found.change)
    result = proposal_result(session, found, dry_run=dry_run)
    return Result(
        data={**result.data, "rounds": [one.as_json() for one in told]},
        body=result.body,
        status=result.status,
        warnings=[*result.warnings, *_told(told)],
    )


def _told(rounds: Sequence["OntologyMoved"]) -> list[Warn]:
    return [
        Warn(code="round-left-behind", message=one.in_words, subject=one.round) for one in rounds
    ]


def _list(session: Session, asked: "MigrationRequest", path: Path) -> Result:
    """Write the regions that are to be decided.

    Raises:
        RefusedError: the file is there, or cannot be written.
    """
    from ops.core.decisions import write_decisions
    from ops.runner.ontology import list_uses

    # What no line decides matters to a migration, not to the list of its regions.
    found = list_uses(session.context(), replace(asked, rest=asked.rest or asked.targets[0]))
    text = write_decisions({use.place: asked.decisions.get(use.place, "") for use in found})
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise RefusedError(
            "table-not-written",
            f"{path} cannot be written: {error.strerror}",
            subject=str(path),
            unchanged="nothing was written",
            hint="name a file that is not there, in a folder that is",
        ) from error
    return Result(
        data={"file": str(path), "regions": len(found)},
        body=[
            f"wrote {len(found)} regions to {path}",
            "fill in the last column, then run the command again with --by instead of --list",
        ],
    )


def _table(path: Path) -> bytes:
    return read_given(
        path,
        code="no-such-file",
        hint="write the table to fill in: ops ontology split LABEL INTO… --list FILE",
    )
