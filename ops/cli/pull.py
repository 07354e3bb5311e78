"""`ops dataset pull`."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.dataset import Ref, app
from ops.cli.output import Result, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.exporting.words import Format, MediaMode, Policy
from ops.core.pulls import FILE_NAME, Choice
from ops.core.records import Json
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.runner.context import Context
    from ops.runner.pull import Order, Pulled

_MOST_JOBS = 256
_SHOWN = 10


class Media(StrEnum):
    """How a pulled file is made."""

    COPY = "copy"
    LINK = "link"


@verb(app, "dataset", "pull")
def pull(
    session: Session,
    ref: Ref = "main",
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to; made where it is not there.")
    ],
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, max=_MOST_JOBS, help="Requests under way at once."),
    ] = 32,
    labeled_only: Annotated[
        bool,
        typer.Option(
            "--labeled-only", help="Only tasks with an answer: labeled, or empty on purpose."
        ),
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Only tasks an SQL expression takes."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME[:PART]", help="Only tasks of a split, or of one part of it."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Then export it, too, into a folder of DIR."),
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(help="With --format: whose answer counts where a task has several."),
    ] = None,
    media: Annotated[
        Media,
        typer.Option(help="With link files share their bytes with the cache, and are read-only."),
    ] = Media.COPY,
    delete_extra: Annotated[
        bool,
        typer.Option(
            "--delete-extra", help="Remove files in the pulled folders that are no part of it."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Bring a version's pictures and label files into a directory, each checked.

    DIR/images/ holds the pictures under their keys, DIR/snapshot/ the labels as Parquet, and
    DIR/pull.json says what lies there. Every file is held against its digest. Run again after it
    was stopped, it reads only what is missing; what was read once is kept in a cache and costs no
    request, in whatever directory or version. Pulling another version into the same directory
    changes just what differs; files no pull wrote are named and left alone.

    Raises:
        UsageError: --policy without --format.
    """
    from ops.runner.pull import Order
    from ops.runner.pull import pull as carry_out

    if policy is not None and form is None:
        raise UsageError(
            "options-exclude",
            "--policy is for --format: a pull itself holds every answer",
            unchanged="nothing was read or written",
            hint="ops dataset pull --out DIR --format coco --policy latest",
        )
    order = Order(
        choice=Choice.of(labeled_only=labeled_only, where=where, split=split),
        jobs=jobs,
        link=media is Media.LINK,
        delete_extra=delete_extra,
        dry_run=dry_run,
    )
    place = session.directory / out.expanduser()
    context = session.lake_context()
    pulled = carry_out(context, ref, out=place, order=order)
    result = _result(pulled, ref=ref, place=place, dry_run=dry_run)
    if form is None:
        return result
    beside = place / f"export-{form.value}"
    if not dry_run:
        _export(context, pulled, out=beside, wanted=_Wanted(form=form, policy=policy, order=order))
    done = f"{'would export' if dry_run else 'exported'} it as {form.value} into {beside}"
    data = {**result.data, "export": str(beside)}
    return replace(result, data=data, body=[*result.body, done])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """An export beside a pull."""

    form: Format
    policy: Policy | None
    order: "Order"


def _export(context: "Context", pulled: "Pulled", *, out: Path, wanted: _Wanted) -> None:
    """Export what was pulled; its pictures come from the cache."""
    from ops.runner.export import Order, export_dataset

    order = Order(
        format=wanted.form,
        media=_MEDIA.get(wanted.form, MediaMode.URI),
        policy=wanted.policy,
        choice=wanted.order.choice,
        jobs=wanted.order.jobs,
    )
    export_dataset(context, pulled.commit, out=out, order=order)


_MEDIA = {
    **dict.fromkeys((Format.COCO, Format.YOLO, Format.VOC), MediaMode.LINK),
    Format.HF: MediaMode.COPY,
}
"""How an export has its pictures, where its format has any."""


def _result(pulled: "Pulled", *, ref: str, place: Path, dry_run: bool) -> Result:
    sources = {source.value: count for source, count in pulled.sources.items()}
    is_new = dry_run and (sources["there"] < pulled.file_count or bool(pulled.removed))
    data: dict[str, Json] = {
        "repository": pulled.repository,
        "ref": ref,
        "commit": pulled.commit,
        "directory": str(place),
        "manifest": str(place / FILE_NAME),
        "files": pulled.file_count,
        "images": pulled.media_count,
        "size_bytes": pulled.size_bytes,
        "sources": {**sources},
        "read_bytes": pulled.read_bytes,
        "replaced": list(pulled.replaced),
        "removed": list(pulled.removed),
        "extra": list(pulled.extra),
        "checked_by": {measure.value: count for measure, count in pulled.measures.items()},
    }
    return Result(
        data=data,
        body=_body(pulled, ref=ref, place=place, done="would pull" if dry_run else "pulled"),
        status="planned" if is_new else "ok",
        warnings=_warnings(pulled),
    )


def _body(pulled: "Pulled", *, ref: str, place: Path, done: str) -> list[str]:
    there, cached, read = pulled.sources.values()
    lines = [
        f"{done} {pulled.media_count} images and {pulled.file_count - pulled.media_count} label "
        f"files of {ref} ({pulled.commit[:12]}) into {place}",
        f"{there} were there, {cached} from the cache, {read} from lakeFS "
        f"({_megabytes(pulled.read_bytes)})",
    ]
    by_size = sum(count for measure, count in pulled.measures.items() if measure.value == "size")
    if by_size:
        lines.append(f"{by_size} checked by their size alone: lakeFS knows no digest of them")
    for verb_, paths in (("replaced", pulled.replaced), ("removed", pulled.removed)):
        lines += [f"{verb_} {len(paths)} files of an earlier pull"] if paths else []
    return lines


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _warnings(pulled: "Pulled") -> list[Warn]:
    shown = ", ".join(pulled.extra[:_SHOWN]) + (", …" if len(pulled.extra) > _SHOWN else "")
    warnings: list[Warn] = []
    if pulled.extra:
        message = f"{len(pulled.extra)} files there are no part of it and were left: {shown}"
        warnings.append(Warn(code="extra-files", message=message, subject=pulled.extra[0]))
    if pulled.cache_problem is not None:
        message = f"nothing was kept in the cache: {pulled.cache_problem}"
        warnings.append(Warn(code="no-cache", message=message, subject=pulled.cache_problem))
    return warnings
