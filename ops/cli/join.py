"""`ops data join`: tables beside the images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ops.cli.data import app
from ops.cli.output import Result, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.joining import Alike, MatchOn, Rule, differences
from ops.core.records import Json
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.runner.join import Joined


@verb(app, "data", "join")
def join(
    session: Session,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A .csv or .parquet: a row an image.")
    ] = None,
    *,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that names the images.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Name the table; else the file's name.")
    ] = None,
    strip_prefix: Annotated[
        str, typer.Option(metavar="PREFIX", help="Take this off the beginning of each key.")
    ] = "",
    add_prefix: Annotated[
        str, typer.Option(metavar="PREFIX", help="Put this before each key, after that.")
    ] = "",
    match_on: Annotated[
        MatchOn, typer.Option(help="Compare whole paths, or the file's name alone.")
    ] = MatchOn.PATH,
    alike: Annotated[
        list[Alike] | None,
        typer.Option(
            help="Pass over a difference: upper and lower case, how accents are written, percent"
            " encoding, backslashes. May be repeated."
        ),
    ] = None,
    require_all: Annotated[
        bool,
        typer.Option(
            "--require-all", help="Refuse unless every row has its image and every image its row."
        ),
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="How a CSV is written, if not in UTF-8.")
    ] = None,
    delimiter: Annotated[
        str, typer.Option(metavar="CHARACTER", help="What stands between a CSV's cells.")
    ] = ",",
    drop: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Take a joined table off main instead.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Join a table to the images of main: kept there, versioned, and asked in SQL as meta_TABLE.

    The match is strict: a key is an image's path below images/, to the letter. What does not match
    is said both ways; if nothing does, nothing is joined, and the options that would match are
    named. Joining a table of the same name again replaces it; older versions keep the older one.
    """
    if drop is not None:
        if file is not None or key is not None:
            _refuse("options-exclude", "--drop takes a table away and joins nothing: no FILE")
        return _dropped(session, drop, dry_run=dry_run)
    if file is None or key is None:
        _refuse("missing-value", "FILE is missing" if file is None else "--key is missing")
    from ops.runner.join import Source, join_table

    rule = Rule(
        on=match_on,
        strip_prefix=strip_prefix,
        add_prefix=add_prefix,
        alike=tuple(one for one in Alike if one in (alike or ())),
    )
    done = join_table(
        session.context(),
        Source(path=file, key=key, encoding=encoding, delimiter=delimiter),
        rule,
        name=name,
        needs_all=require_all,
        dry_run=dry_run,
    )
    return _result(done, dry_run=dry_run)


def _refuse(code: str, message: str) -> NoReturn:
    raise UsageError(
        code,
        message,
        unchanged="nothing was read or written",
        hint="ops data join FILE.csv --key COLUMN, or: ops data join --drop TABLE",
    )


def _result(done: "Joined", *, dry_run: bool) -> Result:
    facts, match = done.facts, done.facts.match
    images = len(match.rows) + len(match.unmatched_images)
    rows = len(match.rows) + len(match.unmatched_rows)
    verb_ = "would join" if dry_run else "joined"
    if not done.is_new:
        verb_ = "nothing to do: main has just this,"
    body = [
        f"{verb_} {facts.file} as meta_{facts.name}"
        + (", in place of the one before" if done.replaces and done.is_new else ""),
        f"rows    {len(match.rows)} of {rows} matched",
        f"images  {len(match.rows)} of {images} have a row",
    ]
    data: dict[str, Json] = {
        **facts.as_mapping(),
        "images": images,
        "is_new": done.is_new,
        "replaces": done.replaces,
        "commit": done.commit,
    }
    for what, said in differences(match):
        body += [f"{what} that did not match:", *(f"  {line}" for line in said.splitlines())]
    warnings: list[Warn] = []
    if match.unmatched_rows:
        message = f"{len(match.unmatched_rows)} of {rows} rows name no image and were left out"
        message += f": {match.unmatched_rows[0]}"
        warnings = [Warn(code="rows-unmatched", message=message, subject=facts.file)]
    is_planned = dry_run and done.is_new
    return Result(data=data, body=body, status="planned" if is_planned else "ok", warnings=warnings)


def _dropped(session: Session, name: str, *, dry_run: bool) -> Result:
    from ops.runner.join import drop_table

    commit = drop_table(session.context(), name, dry_run=dry_run)
    return Result(
        data={"name": name, "dropped": not dry_run, "commit": commit},
        body=[f"{'would take' if dry_run else 'took'} table {name} off main"],
        status="planned" if dry_run else "ok",
    )
