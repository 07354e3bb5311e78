"""`ops import`: labels that people have already, as a round to be reviewed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.round_text import DryRun, count_line, counts_json, few
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.importing.formats import LabelFormat
from ops.core.records import Json

if TYPE_CHECKING:
    from ops.core.importing.neutral import Remark
    from ops.runner.import_labels import Imported


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "import")(import_)


def import_(
    session: Session,
    format_: Annotated[LabelFormat, typer.Argument(metavar="FORMAT", help="What the files are.")],
    path: Annotated[Path, typer.Argument(help="The label file, or the folder of label files.")],
    *,
    round_name: Annotated[
        str, typer.Option("--round", metavar="NAME", help="The round that reviews them.")
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Their pictures; what main lacks is added."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before the keys of added pictures, such as site-a/.")
    ] = "",
    annotator: Annotated[
        str | None,
        typer.Option(metavar="E-MAIL", help="Who made them, where the files do not say."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the files are called, instead of their own name."),
    ] = None,
    control: Annotated[
        str | None, typer.Option(metavar="NAME", help="The control, where several may be meant.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YOLO: the file that names the classes."),
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column of the pictures.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the column of the classes.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="CSV: its encoding, where not UTF-8.")
    ] = None,
    empty: Annotated[
        bool,
        typer.Option("--empty", help="COCO, CSV: pictures without a label have nothing on them."),
    ] = False,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Take the boxes around outlines; lose the outlines.")
    ] = False,
    clip: Annotated[
        bool, typer.Option("--clip", help="Cut what lies beyond a picture at its edge.")
    ] = False,
    trust_file_size: Annotated[
        bool,
        typer.Option(
            "--trust-file-size", help="Where sizes differ, take parts of the size the file states."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Changed answers replace those imported before.")
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Leave out answers about pictures that are nowhere."),
    ] = False,
    dry_run: DryRun = False,
) -> Result:
    """Import labels as a round: looked at and changed by people, then finished like any other.

    FORMAT is coco, yolo, voc, csv, json-min, labelstudio or folders (a folder a class). Files that
    DVC or git-lfs keep are held to their digests first. With --dry-run: what would come, and what
    would be lost.
    """
    from ops.core.importing.rows import Columns
    from ops.label_files import Given
    from ops.runner.import_labels import import_labels
    from ops.runner.import_reading import Asked

    asked = Asked(
        given=Given(
            format=format_,
            path=path,
            names=names,
            columns=Columns(picture=image_column, label=label_column),
            encoding=encoding,
            empty=empty,
        ),
        round=round_name,
        images=images,
        prefix=prefix,
        annotator=annotator,
        source=source,
        control=control,
        boxes=boxes,
        clip=clip,
        trust_file_size=trust_file_size,
        replace=replace,
        allow_missing=allow_missing,
    )
    found = import_labels(session.context(), asked, dry_run=dry_run)
    return _result(session, found, dry_run=dry_run)


def _result(session: Session, found: "Imported", *, dry_run: bool) -> Result:
    started = found.started
    manifest = started.manifest if started else None
    project = manifest.project if manifest else None
    url = session.project_url(project) if project else None
    steps = started.steps if started else ()
    is_done = not (steps or (found.added and found.added.added))
    return Result(
        data={
            "round": found.round,
            "pictures": {
                "named": found.pictures,
                "imported": counts_json(found.counts),
                "there": list(found.there),
                "unanswered": list(found.unanswered),
                "nowhere": dict(found.unmatched),
                "unspoken": found.unspoken,
                "added": list(found.added.added) if found.added else [],
            },
            "annotations": found.annotation_count,
            "regions": found.region_count,
            "lost": _remarks_json(_grouped(found.losses)),
            "kept": _remarks_json(_grouped(found.notes)),
            "checked": {"dvc": found.working_copy.dvc_count, "lfs": found.working_copy.lfs_count},
            "project": project,
            "url": url,
            "steps": [step.as_json() for step in steps],
            "already_done": is_done,
        },
        body=_body(found, None if dry_run else url, dry_run=dry_run),
        status="planned" if dry_run and not is_done else "ok",
        warnings=_warnings(found, as_json=session.as_json),
    )


def _body(found: "Imported", url: str | None, *, dry_run: bool) -> Sequence[str | Table]:
    lines: list[str | Table] = [_heading(found, dry_run=dry_run), _count_law(found)]
    if found.counts.tasks:
        lines.append(f"imported: {count_line(found.counts)}")
        lines.append(f"{found.annotation_count} annotations with {found.region_count} regions")
    if found.working_copy.dvc_count or found.working_copy.lfs_count:
        copy = found.working_copy
        lines.append(f"digests held: {copy.dvc_count} files of DVC, {copy.lfs_count} of git-lfs")
    if found.unspoken:
        lines.append(f"{found.unspoken} pictures are there that no label file names: left alone")
    for title, remarks in (("lost:", found.losses), ("kept, though odd:", found.notes)):
        rows = [(len(at), what, few(at[:_SHOWN])) for what, at in _grouped(remarks).items()]
        table = Table(columns=("count", "what", "where, for example"), rows=rows)
        lines += [title, table] if rows else []
    lines += [f"  {step.text}" for step in (found.started.steps if found.started else ())]
    if url:
        lines += [f"  look at them here: {url}", f"  then: ops round finish {found.round}"]
    return lines


_SHOWN = 3


def _heading(found: "Imported", *, dry_run: bool) -> str:
    if found.started is None:
        return "imported before: nothing to do" if found.there else "there is nothing to import"
    if not found.started.steps:
        return f"round {found.round} is open already: nothing to do"
    return "would import:" if dry_run else f"round {found.round} is open:"


def _count_law(found: "Imported") -> str:
    """What became of every picture the files name."""
    parts = {
        "imported": found.counts.tasks,
        "there already": len(found.there),
        "without an answer": len(found.unanswered),
        "nowhere": len(found.unmatched),
    }
    said = " + ".join(f"{count} {name}" for name, count in parts.items())
    return f"{found.pictures} pictures named = {said}"


def _grouped(remarks: "Sequence[Remark]") -> Mapping[str, Sequence[str]]:
    """The places of each kind of remark."""
    places: dict[str, list[str]] = {}
    for remark in remarks:
        places.setdefault(remark.what, []).append(remark.place)
    return places


def _remarks_json(grouped: Mapping[str, Sequence[str]]) -> list[Json]:
    return [
        {"what": what, "count": len(places), "examples": [*places[:_EXAMPLES]]}
        for what, places in grouped.items()
    ]


_EXAMPLES = 10


def _warnings(found: "Imported", *, as_json: bool) -> Sequence[Warn]:
    lost = _grouped(found.losses if as_json else ())
    warnings = [
        Warn(code="lost", message=f"{len(places)} lost: {what}", subject=places[0])
        for what, places in lost.items()
    ]
    if found.unmatched:
        names = few([f"{name} ({said})" for name, said in found.unmatched.items()])
        count = len(found.unmatched)
        message = f"{count} pictures are nowhere; what is said of them is left out: {names}"
        warnings.append(Warn(code="other-pictures", message=message))
    return warnings
