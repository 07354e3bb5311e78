"""How the quickstart ends: what there is now, where, and what to type next.

Owns the two results of `ops quickstart`, for people and for programs. Asks no server anything.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ops.cli.output import Result, Table, Warn
from ops.cli.servers import Ready
from ops.core.records import Json

if TYPE_CHECKING:
    from ops.core.rounds import Manifest
    from ops.quickstart.own import OwnRound
    from ops.quickstart.story import Told


def planned_result(ready: Ready, left: Sequence[str]) -> Result:
    """What a dry run says: the servers' steps, and those that are left after them."""
    steps: list[Json] = [*ready.steps, *left]
    body: list[str | Table] = (
        ["would:", *(f"  {step}" for step in steps)] if steps else ["nothing to do"]
    )
    if not ready.is_running:
        body.append("the servers do not run; whatever of this is there already will be left alone")
    return Result(
        data={"steps": steps, "already_done": not steps},
        body=body,
        status="planned" if steps else "ok",
    )


def own_result(ready: Ready, found: "OwnRound", name: str) -> Result:
    """The end of a first round over the person's own pictures: it is open."""
    project = found.manifest.project if found.manifest else None
    ignored = [
        Warn(code="ignored", message=f"{file.name} {file.reason}", subject=file.name)
        for file in found.ignored
    ]
    return Result(
        data={
            **found.as_json(),
            "repository": ready.repository,
            "round": name,
            "url": ready.session.project_url(project),
            "servers": _servers(ready),
        },
        body=_own_body(ready, found, name),
        warnings=[*ready.remarks, *ignored],
    )


def _own_body(ready: Ready, found: "OwnRound", name: str) -> list[str | Table]:
    session, manifest = ready.session, found.manifest
    assert manifest is not None, "only a dry run has none"  # noqa: S101
    option = ready.option
    if manifest.version is not None:
        return [
            f"round {name} is finished already: v{manifest.version}",
            *_commands(
                (f"ops dataset show v{manifest.version}{option}", "its card"),
                (f"ops round start second{option}", "label what is new"),
            ),
        ]
    already = "" if found.steps else " already"
    late = len(found.added) if f"start round {name}" not in found.steps else 0
    return [
        f"round {name} is open{already}: {_pictures(manifest.task_count)} to label",
        *([f"{_pictures(late)} came after it was started, for a next round"] if late else []),
        "",
        f"label here    {session.project_url(manifest.project)}",
        *_log_in(ready),
        "",
        *_commands(
            (f"ops round sync {name}{option}", "commit what was labeled; as often as you like"),
            (f"ops round status {name}{option}", "how far it is"),
            (f"ops round finish {name}{option}", "check it all and make it version v1"),
        ),
    ]


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def story_result(ready: Ready, told: "Told", log: Result) -> Result:
    """The end of the story; `log` is what `ops dataset log` says."""
    return Result(
        data={
            "repository": ready.repository,
            "steps": [*ready.steps, *(step.text for step in told.steps)],
            "already_done": not told.steps,
            "rounds": [_round(ready, one) for one in (told.first, told.second) if one],
            **log.data,
            "diff": told.diff.as_json() if told.diff else None,
            "reads": _reads(told),
            "servers": _servers(ready),
        },
        body=_story_body(ready, told, log.body),
        warnings=[*ready.remarks, *log.warnings],
    )


def _round(ready: Ready, manifest: "Manifest") -> dict[str, Json]:
    return {
        "round": manifest.name,
        "state": manifest.state.value,
        "version": manifest.version,
        "project": manifest.project,
        "url": ready.session.project_url(manifest.project),
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


def _servers(ready: Ready) -> dict[str, Json]:
    find = ready.session.settings.find
    return {
        "lakefs": find("lakefs.url"),
        "label_studio": find("label_studio.url"),
        "label_studio_email": ready.email,
    }


def _story_body(ready: Ready, told: "Told", log: Sequence[str | Table]) -> list[str | Table]:
    there = "is there already" if not told.steps else "is there"
    body: list[str | Table] = ["", f"the dataset {ready.repository} {there}", "", *log]
    if told.diff is not None:
        body += ["", "what the second round changed", *(f"  {line}" for line in told.diff.lines())]
    body += ["", f"read over S3, with boto3 and with pyarrow: {told.reads[-1].uri}"]
    body += [_reads_table(told), "", *_places(ready, told), *_log_in(ready), ""]
    return [*body, *_commands(*_next_commands(ready, told))]


def _reads_table(told: "Told") -> Table:
    first = told.reads[0]
    return Table(
        columns=("version", "rows", "labels", f"differing from {first.tag}"),
        rows=[
            (read.tag, len(read.rows), len(read.labels), read.differing_count(first))
            for read in told.reads
        ],
    )


def _places(ready: Ready, told: "Told") -> list[str]:
    rounds = [one for one in (told.first, told.second) if one is not None]
    places = [(f"round {one.name}", ready.session.project_url(one.project)) for one in rounds]
    places.append(("lakeFS", _lakefs_page(ready, [read.tag for read in told.reads])))
    return [f"{name:<14}{place}" for name, place in places]


def _next_commands(ready: Ready, told: "Told") -> list[tuple[str, str]]:
    option, newest = ready.option, told.reads[-1].tag
    commands = [
        (f"ops dataset show {newest}{option}", "the dataset card"),
        (f"ops dataset uri {newest}{option}", "code that reads it: pandas, PyTorch, DuckDB …"),
    ]
    counts = told.first.counts if told.first else None
    if counts is not None and counts.unfinished:
        left = f"label the {counts.unfinished} digits nobody got to yourself"
        commands.insert(0, (f"ops round start third{option}", left))
    if ready.is_local:
        commands.append(("ops local down", "stop the servers; everything is kept"))
    return commands


def _lakefs_page(ready: Ready, tags: Sequence[str]) -> str:
    """Where lakeFS shows the dataset, or compares its versions; its address if it has no pages."""
    server = ready.session.settings.need("lakefs.url").rstrip("/")
    if not ready.lakefs_has_pages:
        return server
    page = f"{server}/repositories/{ready.repository}"
    if len(tags) < 2:  # noqa: PLR2004 - a comparison takes two
        return page
    return f"{page}/compare?ref={tags[0]}&compare={tags[-1]}"


def _log_in(ready: Ready) -> list[str]:
    email = ready.email
    if email is None:
        return []
    return [f"log in as     {email}; password and keys: ops local status --credentials"]


def _commands(*commands: tuple[str, str]) -> list[str]:
    """What to type next, and what for."""
    width = max(len(command) for command, _ in commands)
    return ["next", *(f"  {command:<{width}}   {purpose}" for command, purpose in commands)]
