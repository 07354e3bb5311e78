"""`ops data`: media in."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.buckets import parse_address
from ops.core.records import TaskState

app = typer.Typer(help="Media in the repository.", no_args_is_help=True)
_SHOWN = 20


@verb(app, "data", "add")
def add(
    session: Session,
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    *,
    prefix: Annotated[str, typer.Option(help="Put before each key, such as site-a/.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace images whose bytes differ.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Upload images to main. A folder's images are named by their path below it."""
    from ops.runner.data import add_media

    found = add_media(session.context(), paths, prefix=prefix, replace=replace, dry_run=dry_run)
    done = "would add" if dry_run else "added"
    counts = f"{len(found.added)} images, {len(found.unchanged)} there already"
    counts += f", {len(found.replaced)} replaced" if found.replaced else ""
    lines = [f"{done} {counts}"]
    if found.ignored:
        lines.append(f"ignored {len(found.ignored)} files:")
        lines += [f"  {file.name} {file.reason}" for file in found.ignored]
    warnings = [
        Warn(code="ignored", message=f"{file.name} {file.reason}", subject=file.name)
        for file in found.ignored
    ]
    return Result(
        data={
            "added": list(found.added),
            "replaced": list(found.replaced),
            "unchanged": list(found.unchanged),
            "ignored": [{"name": file.name, "reason": file.reason} for file in found.ignored],
            "commit": found.commit,
        },
        body=lines,
        status="planned" if dry_run and (found.added or found.replaced) else "ok",
        warnings=warnings if session.as_json else (),
    )


@verb(app, "data", "import")
def import_(
    session: Session,
    source: Annotated[
        str, typer.Argument(help="As gs://BUCKET/FOLDER/: taken with everything below it.")
    ],
    *,
    to: Annotated[str, typer.Option("--to", help="Put before each key, such as site-a/.")] = "",
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Read every picture whole: finds damaged ones, records its SHA-256."
        ),
    ] = False,
    accept_mutable: Annotated[
        bool,
        typer.Option(
            "--accept-mutable",
            help="Take objects that could be overwritten or deleted: you see to it that none is.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Take images of a bucket into main where they lie, without copying them.

    Every version that holds such an image reads it from there: an object that is overwritten or
    deleted is lost to all of them. So an object is taken if its name holds its md5, if a hold or a
    retention of a year keeps it, or if the bucket keeps old generations; the import is refused as a
    whole, with every reason, where one is not. Images that are there are left alone.
    """
    from ops.runner.imports import import_media

    address = parse_address(source)
    found = import_media(
        session.context(),
        address,
        prefix=to,
        accept_mutable=accept_mutable,
        whole=whole,
        dry_run=dry_run,
    )
    done = "would import" if dry_run else "imported"
    lines = [f"{done} {len(found.added)} images, {len(found.unchanged)} there already"]
    if not found.added:
        lines = [f"nothing new: {len(found.unchanged)} images there already"]
    if found.unhashed:
        lines.append(f"{len(found.unhashed)} of them by their md5 alone: SHA-256 takes --whole")
    if found.accepted:
        lines.append(f"{len(found.accepted)} of them rest on your word that they stay")
    if found.ignored:
        lines.append(f"ignored {len(found.ignored)} objects:")
        lines += [f"  {one.name} {one.reason}" for one in found.ignored]
    warnings = [
        Warn(code="ignored", message=f"{one.name} {one.reason}", subject=one.name)
        for one in found.ignored
    ]
    return Result(
        data={
            "source": found.source,
            "added": list(found.added),
            "unchanged": list(found.unchanged),
            "unhashed": list(found.unhashed),
            "accepted": [
                {"name": one.source.object.name, "why": one.why.value, "reason": one.reason}
                for one in found.accepted
            ],
            "ignored": [{"name": one.name, "reason": one.reason} for one in found.ignored],
            "commit": found.commit,
        },
        body=lines,
        status="planned" if dry_run and found.added else "ok",
        warnings=warnings if session.as_json else (),
    )


@verb(app, "data", "list")
def list_(
    session: Session,
    *,
    ref: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
    state: Annotated[TaskState | None, typer.Option(help="Only tasks in this state.")] = None,
) -> Result:
    """List images with their size and their task's state."""
    from ops.runner.data import list_media
    from ops.runner.dataset import resolve

    context = session.context()
    found = [
        item
        for item in list_media(context, resolve(context, ref))
        if state is None or (item.state or TaskState.UNFINISHED) is state
    ]
    rows = [
        (
            item.key,
            f"{item.object.metadata.get('width', '?')}×{item.object.metadata.get('height', '?')}",
            item.object.size_bytes,
            item.state.value if item.state else "–",
        )
        for item in found
    ]
    return Result(
        data={
            "images": [
                {
                    "key": item.key,
                    "size_bytes": item.object.size_bytes,
                    "checksum": item.object.checksum,
                    "sha256": item.object.metadata.get("sha256"),
                    "state": item.state.value if item.state else None,
                }
                for item in found
            ]
        },
        body=[
            Table(columns=("image", "pixels", "bytes", "state"), rows=rows),
            f"{len(found)} images",
        ],
    )
