"""`ops quickstart`: from nothing to a versioned dataset, on this machine.

Owns which servers it takes, and how the end of the story reads. The story itself is
ops/quickstart's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli import dataset
from ops.cli.init import read_label_config
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.label_config import LabelKind
from ops.core.records import Json
from ops.errors import NotFoundError, UsageError
from ops.local.home import Home
from ops.quickstart import FEWEST_DIGITS, MOST_DIGITS

if TYPE_CHECKING:
    from ops.core.rounds import Manifest
    from ops.ports import Annotators
    from ops.quickstart.own import OwnRound
    from ops.quickstart.story import Told

_REPOSITORY = "quickstart"
_LOCAL = frozenset({"nowhere", "the local stack"})
_URLS = ("lakefs.url", "label_studio.url")
_ROUND = "first"


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "quickstart")(quickstart)


def quickstart(
    session: Session,
    *,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Your own pictures; nobody's answers are made up then."),
    ] = None,
    label_config: Annotated[
        Path | None, typer.Option(help="With --images: a Label Studio label config (XML).")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="With --images: what they may be, with commas.")
    ] = None,
    kind: Annotated[
        LabelKind, typer.Option(help="What --labels are put on pictures as.")
    ] = LabelKind.CHOICES,
    count: Annotated[
        int, typer.Option(min=FEWEST_DIGITS, max=MOST_DIGITS, help="How many hand-written digits.")
    ] = 200,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Result:
    """See the whole thing once: servers, pictures, two people's labels, two versions, an S3 read.

    Takes hand-written digits, labeled by two made-up people through Label Studio's own API, unless
    --images names a folder of yours. Starts the local servers unless the settings name others. Safe
    to run again.

    Raises:
        UsageError: --labels or --label-config without --images.
    """
    config = read_label_config(label_config, labels, kind)
    if images is not None:
        _check_folder(session, images, has_labels=config is not None)
        ready = _with_servers(session, yes=yes, dry_run=dry_run)
        return _own_round(ready, images, config, dry_run=dry_run)
    if config is not None:
        raise UsageError(
            "labels-without-images",
            "the digits have their labels; --labels and --label-config go with --images",
            unchanged="nothing was started or written",
            hint="ops quickstart, or: ops quickstart --images DIR --labels cat,dog",
        )
    from ops.quickstart.pictures import need_modules

    need_modules()
    if _source(session, "repository") == "default":
        session = replace(session, flags={**session.flags, "repository": _REPOSITORY})
    ready = _with_servers(session, yes=yes, dry_run=dry_run)
    return _digits(ready, count=count, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """The servers to work with.

    Attributes:
        session: with their addresses among its settings; or not, with a dry run that would start
            them.
        steps: what was done to have them, or would be.
        is_local: they are the local stack's.
        remarks: what the person should know of them.
    """

    session: Session
    steps: tuple[str, ...] = ()
    is_local: bool = False
    remarks: tuple[Warn, ...] = ()

    @property
    def is_running(self) -> bool:
        return all(self.session.settings.find(name) for name in _URLS)


def _with_servers(session: Session, *, yes: bool, dry_run: bool) -> _Ready:
    """Start the local servers, unless the settings name others; ask before those are used."""
    settings = session.settings
    if not {_source(session, name) for name in _URLS} <= _LOCAL:
        if not dry_run:
            session.confirm(f"Put sample data on {settings.need(_URLS[0])}?", yes=yes)
        return _Ready(session=session)
    from ops.local import stack

    steps = tuple(f"start {s.display_name}" for s in stack.stopped_servers(settings.home))
    if dry_run:
        return _Ready(session=session, steps=steps, is_local=True)
    if steps:
        session.reporter.note("start the servers")
    binary = settings.find("lakefs.binary")
    found = stack.up(
        settings.home, session.reporter, lakefs_binary=Path(binary) if binary else None
    )
    # Not the same session: its settings were read before the servers had addresses.
    return _Ready(
        session=replace(session),
        steps=steps,
        is_local=True,
        remarks=tuple(
            Warn(code=f"{s.service.value}-remark", message=s.remark, subject=s.service.value)
            for s in found.servers
            if s.remark
        ),
    )


def _source(session: Session, name: str) -> str:
    return next(setting.source for setting in session.settings.all() if setting.name == name)


def _namespace(session: Session) -> str:
    return session.settings.find("storage_namespace") or f"local://{_repository(session)}"


def _repository(session: Session) -> str:
    return session.settings.need("repository")


def _option(session: Session) -> str:
    """What follow-up commands need to find the repository."""
    is_flag = _source(session, "repository").startswith("--")
    return f" -r {_repository(session)}" if is_flag else ""


def _check_folder(session: Session, folder: Path, *, has_labels: bool) -> None:
    """Refuse what can be refused before servers are started.

    Raises:
        NotFoundError: there is no such folder.
        UsageError: nothing says what may be said of the pictures.
    """
    if not folder.is_dir():
        raise NotFoundError(
            "no-such-path",
            f"there is no folder {folder}",
            subject=str(folder),
            unchanged="nothing was started or written",
            hint="check the path",
        )
    is_fresh = (
        _source(session, _URLS[0]) == "nowhere" and not Home.at(_home(session)).local.exists()
    )
    if is_fresh and not has_labels:
        raise UsageError(
            "no-ontology",
            "nothing says what may be said of these pictures",
            unchanged="nothing was started or written",
            hint=f"ops quickstart --images {folder} --labels cat,dog\n"
            f"or boxes: ops quickstart --images {folder} --labels cat,dog --kind boxes",
        )


def _home(session: Session) -> Path:
    return session.settings.home


def _own_round(ready: _Ready, folder: Path, config: str | None, *, dry_run: bool) -> Result:
    from ops.quickstart.own import OwnRound, open_own_round, unseen_steps

    session = ready.session
    if ready.is_running:
        found = open_own_round(
            session.context(),
            _ROUND,
            folder,
            label_config=config,
            namespace=_namespace(session),
            dry_run=dry_run,
        )
    else:
        found = OwnRound(steps=unseen_steps(_repository(session), _ROUND, folder), manifest=None)
    steps = (*ready.steps, *found.steps)
    if dry_run:
        return _planned(steps)
    warnings = [
        *ready.remarks,
        *(
            Warn(code="ignored", message=f"{file.name} {file.reason}", subject=file.name)
            for file in found.ignored
        ),
    ]
    return Result(
        data={
            **found.as_json(),
            "repository": _repository(session),
            "round": _ROUND,
            "url": session.project_url(found.manifest.project if found.manifest else None),
            "servers": _servers(ready),
        },
        body=_own_body(ready, found),
        warnings=warnings,
    )


def _own_body(ready: _Ready, found: "OwnRound") -> list[str | Table]:
    session, manifest = ready.session, found.manifest
    assert manifest is not None, "only a dry run has none"  # noqa: S101
    option = _option(session)
    if manifest.version is not None:
        return [
            f"round {_ROUND} is finished already: v{manifest.version}",
            *_commands(
                (f"ops dataset show v{manifest.version}{option}", "its card"),
                (f"ops round start second{option}", "label what is new"),
            ),
        ]
    already = "" if found.steps else " already"
    return [
        f"round {_ROUND} is open{already}: {manifest.task_count} pictures to label",
        "",
        f"label here    {session.project_url(manifest.project)}",
        *_log_in(ready),
        "",
        *_commands(
            (f"ops round sync {_ROUND}{option}", "commit what was labeled; as often as you like"),
            (f"ops round status {_ROUND}{option}", "how far it is"),
            (f"ops round finish {_ROUND}{option}", "check it all and make it version v1"),
        ),
    ]


def _digits(ready: _Ready, *, count: int, dry_run: bool) -> Result:
    from ops.quickstart.story import Seen, plan_story, tell_story

    session = ready.session
    if not ready.is_running:
        steps = plan_story(Seen(), repository=_repository(session), count=count)
        return _planned((*ready.steps, *(step.text for step in steps)))
    context = session.context()
    told = tell_story(
        context,
        _people(session),
        namespace=_namespace(session),
        count=count,
        dry_run=dry_run,
    )
    if dry_run:
        return _planned((*ready.steps, *(step.text for step in told.steps)))
    log = dataset.log(session)
    return Result(
        data={
            "repository": _repository(session),
            "steps": [*ready.steps, *(step.text for step in told.steps)],
            "already_done": not told.steps,
            "rounds": [_round(session, one) for one in (told.first, told.second) if one],
            **log.data,
            "diff": told.diff.as_json() if told.diff else None,
            "reads": _reads(told),
            "servers": _servers(ready),
        },
        body=_digits_body(ready, told, log.body),
        warnings=ready.remarks,
    )


def _people(session: Session) -> "Annotators":
    from ops.studio import LabelStudio, StudioAnnotators

    need = session.settings.need
    return StudioAnnotators(LabelStudio(need("label_studio.url"), need("label_studio.token")))


def _planned(steps: Sequence[str]) -> Result:
    return Result(
        data={"steps": list(steps), "already_done": not steps},
        body=["would:", *(f"  {step}" for step in steps)] if steps else ["nothing to do"],
        status="planned" if steps else "ok",
    )


def _round(session: Session, manifest: "Manifest") -> dict[str, Json]:
    return {
        "round": manifest.name,
        "state": manifest.state.value,
        "version": manifest.version,
        "project": manifest.project,
        "url": session.project_url(manifest.project),
        "counts": dict(manifest.counts.as_mapping()) if manifest.counts else None,
        "annotators": list(manifest.annotators),
    }


def _reads(told: "Told") -> list[Json]:
    return [
        {
            "version": read.tag,
            "uri": read.uri,
            "size_bytes": read.size_bytes,
            "rows": len(read.rows),
            "labels": dict(read.labels),
            "labels_differing": read.differing_count(told.reads[0]),
        }
        for read in told.reads
    ]


def _servers(ready: _Ready) -> dict[str, Json]:
    find = ready.session.settings.find
    return {
        "lakefs": find("lakefs.url"),
        "label_studio": find("label_studio.url"),
        "label_studio_email": _email(ready),
    }


def _email(ready: _Ready) -> str | None:
    from ops.local import connection

    found = connection(_home(ready.session)) if ready.is_local else None
    return found.label_studio_email if found else None


def _digits_body(ready: _Ready, told: "Told", log: Sequence[str | Table]) -> list[str | Table]:
    session, first = ready.session, told.first
    assert first is not None, "the story ends with a round"  # noqa: S101
    repository, option = _repository(session), _option(session)
    there = "is there already" if not told.steps else "is there"
    body: list[str | Table] = ["", f"the dataset {repository} {there}", "", *log]
    if told.diff is not None:
        body += ["", "what the second round changed", *(f"  {line}" for line in told.diff.lines())]
    body += ["", f"read over S3, with boto3 and with pyarrow: {told.reads[-1].uri}"]
    body.append(
        Table(
            columns=("version", "rows", "labels", f"differing from {told.reads[0].tag}"),
            rows=[
                (read.tag, len(read.rows), len(read.labels), read.differing_count(told.reads[0]))
                for read in told.reads
            ],
        )
    )
    rounds = [one for one in (told.first, told.second) if one is not None]
    places = [(f"round {one.name}", session.project_url(one.project)) for one in rounds]
    places.append(("lakeFS", _lakefs_page(session, [read.tag for read in told.reads])))
    body += ["", *(f"{name:<14}{place}" for name, place in places), *_log_in(ready)]
    newest = told.reads[-1].tag
    next_ = [
        (f"ops dataset show {newest}{option}", "the dataset card"),
        (f"ops dataset uri {newest}{option}", "code that reads it: pandas, PyTorch, DuckDB …"),
    ]
    if first.counts is not None and first.counts.unfinished:
        left = f"label the {first.counts.unfinished} digits nobody got to yourself"
        next_.insert(0, (f"ops round start third{option}", left))
    if ready.is_local:
        next_.append(("ops local down", "stop the servers; everything is kept"))
    return [*body, "", *_commands(*next_)]


def _lakefs_page(session: Session, tags: Sequence[str]) -> str:
    page = f"{session.settings.need('lakefs.url').rstrip('/')}/repositories/{_repository(session)}"
    if len(tags) < 2:  # noqa: PLR2004 - a comparison takes two
        return page
    return f"{page}/compare?ref={tags[0]}&compare={tags[-1]}"


def _log_in(ready: _Ready) -> list[str]:
    email = _email(ready)
    if email is None:
        return []
    return [f"log in as     {email}; password and keys: ops local status --credentials"]


def _commands(*commands: tuple[str, str]) -> list[str]:
    """What to type next, and what for."""
    width = max(len(command) for command, _ in commands)
    return ["next", *(f"  {command:<{width}}   {purpose}" for command, purpose in commands)]
