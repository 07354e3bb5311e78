"""`ops dataset export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.dataset import Ref, app
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.exporting.words import Format, MediaMode, Policy
from ops.core.pulls import Choice

if TYPE_CHECKING:
    from ops.runner.export import Exported

_MOST_JOBS = 256
_SHOWN = 10


@verb(app, "dataset", "export")
def export(
    session: Session,
    ref: Ref = "main",
    *,
    form: Annotated[
        Format,
        typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(Format)}."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to; replaced in one step.")
    ],
    media: Annotated[
        MediaMode,
        typer.Option(help="How the files say where pictures are; copy and link bring them."),
    ] = MediaMode.URI,
    policy: Annotated[
        Policy | None,
        typer.Option(help="Whose answer counts where a task has several; none by default."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME[:PART]", help="In the parts of a split, or one part of it."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Only tasks an SQL expression takes."),
    ] = None,
    allow_loss: Annotated[
        bool,
        typer.Option("--allow-loss", help="Leave out what the format cannot hold."),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, max=_MOST_JOBS, help="Pictures under way at once."),
    ] = 32,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Write a version as files for a trainer: COCO, YOLO, VOC, CSV, Hugging Face and others.

    The same commit gives the same bytes. A class has the id it was given once, in every version.
    DIR/states.csv tells each task's state, DIR/export.json what the export is. Where a task has
    several answers a --policy must say which counts; what the format cannot hold is named and
    refused.
    """
    from ops.runner.export import Order, export_dataset

    found = export_dataset(
        session.context(),
        ref,
        out=out,
        order=Order(
            format=form,
            media=media,
            policy=policy,
            choice=Choice.of(labeled_only=False, where=where, split=split),
            allow_loss=allow_loss,
            jobs=jobs,
        ),
        dry_run=dry_run,
    )
    return Result(
        data=found.as_json(),
        body=_body(found, dry_run=dry_run),
        status="planned" if dry_run else "ok",
        warnings=list(_warnings(found)),
    )


def _body(found: "Exported", *, dry_run: bool) -> list[str | Table]:
    facts, counted = found.facts, found.facts.counted
    exported = counted.exported
    done = "would export" if dry_run else "exported"
    what = f"{done} {exported['labeled']} labeled and {exported['empty']} empty tasks"
    where = f"of {facts.ref} ({facts.plan.commit[:12]}) as {facts.format.value}"
    rows = [(state, count) for state, count in counted.counts.as_mapping().items()]
    body: list[str | Table] = [f"{what} {where}", "", Table(columns=("tasks", "count"), rows=rows)]
    if counted.unexported:
        rows = sorted(counted.unexported.items())
        body += ["", Table(columns=("answered, and not exported", "tasks"), rows=rows)]
    if not dry_run:
        size = f"{found.file_count} files, {found.size_bytes} bytes"
        body += ["", f"{found.out}: {size}"]
    return body


def _warnings(found: "Exported") -> list[Warn]:
    counted, losses = found.facts.counted, found.facts.losses
    said = [Warn(code="lost", message=f"lost: {n} {what}") for what, n in _sorted(losses.counts)]
    said += [Warn(code="rewritten", message=f"{n} {what}") for what, n in _sorted(losses.rewritten)]
    later = found.facts.plan.classes.listed[found.facts.plan.frozen_count :]
    if later:
        names = ", ".join(one.name for one in later[:_SHOWN])
        message = f"{len(later)} classes get their ids for good with the next version: {names}"
        said.append(Warn(code="ids-not-frozen", message=message))
    if counted.outvoted:
        message = f"{counted.outvoted} regions and answers were outvoted"
        said.append(Warn(code="outvoted", message=f"{message}, {counted.ties} of them by a tie"))
    if counted.turned_count:
        said.append(
            Warn(
                code="turned-pictures",
                message=f"{counted.turned_count} pictures are stored turned (EXIF): their regions "
                "are where people saw them, so a reader must turn the pictures upright",
            )
        )
    for code, what, keys in (
        ("picture-gone", "pictures are gone", found.facts.gone),
        ("picture-replaced", "pictures are not those people labeled", found.facts.replaced),
    ):
        if keys:
            names = ", ".join(keys[:_SHOWN]) + (" …" if len(keys) > _SHOWN else "")
            said.append(Warn(code=code, message=f"{len(keys)} {what}: {names}", subject=keys[0]))
    return said


def _sorted(counts: "dict[str, int]") -> list[tuple[str, int]]:
    return sorted(counts.items())
