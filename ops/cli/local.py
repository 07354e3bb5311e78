"""`ops local`: the embedded servers."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.errors import UnavailableError
from ops.local.home import Home, Service
from ops.settings import HOME_NAME

if TYPE_CHECKING:
    from ops.local.status import ServerStatus, Status

app = typer.Typer(
    help="Label Studio and lakeFS as background processes of this machine.", no_args_is_help=True
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]


@verb(app, "local", "up", takes_repository=False)
def up(session: Session, *, dry_run: DryRun = False) -> Result:
    """Start the servers, or whichever of them does not run, and wait until they are ready.

    The first time takes a minute for Label Studio's database, and some minutes more where lakeFS
    has to be built. Data, ports and credentials are kept below .ops/ and survive restarts.
    """
    from ops.local import stack

    root = _root(session)
    named = session.settings.find("lakefs.binary")
    binary = Path(named) if named else None
    if dry_run:
        return _planned(stack.plan_up(root, session.reporter, lakefs_binary=binary))
    found = stack.up(root, session.reporter, lakefs_binary=binary)
    heading = "the servers run" if found.changed else "the servers run already: nothing to do"
    return _status_result(found, heading, after=["log-in for both: ops local status --credentials"])


@verb(app, "local", "down", takes_repository=False)
def down(session: Session, *, dry_run: DryRun = False) -> Result:
    """Stop the servers `ops local up` started, and nothing else; their data stay."""
    from ops.local import stack

    root = _root(session)
    if dry_run:
        return _planned(stack.plan_down(root))
    found = stack.down(root, session.reporter)
    heading = "the servers are down" if found.changed else "the servers are down already"
    return _status_result(found, heading)


@verb(app, "local", "status", takes_repository=False)
def status(
    session: Session,
    *,
    credentials: Annotated[
        bool, typer.Option("--credentials", help="Show passwords and keys, too.")
    ] = False,
) -> Result:
    """Say whether the servers run, where, and in which version."""
    from ops.local import stack

    found = stack.status(_root(session))
    secrets = _credentials(found) if credentials else {}
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in secrets.items()]
    return _status_result(found, after=lines, extra={"credentials": secrets} if credentials else {})


@verb(app, "local", "env", takes_repository=False)
def env(session: Session) -> Result:
    """Print the servers' addresses and credentials as variables: eval "$(ops local env)".

    They are the variables that lakectl, Label Studio's tools and the snippets of
    `ops dataset uri` read. Secrets are among them: meant for a shell, not for a screen.

    Raises:
        UnavailableError: the servers do not run.
    """
    from ops.local import connection

    found = connection(_root(session))
    if found is None:
        raise UnavailableError(
            "servers-down",
            "the local servers do not run",
            unchanged="nothing was changed",
            hint="ops local up",
        )
    variables: dict[str, Json] = {
        "LAKECTL_SERVER_ENDPOINT_URL": found.lakefs_url,
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": found.lakefs_access_key_id,
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": found.lakefs_secret_access_key,
        "LABEL_STUDIO_URL": found.label_studio_url,
        "LABEL_STUDIO_API_KEY": found.label_studio_token,
    }
    return Result(
        data=variables,
        body=[f"export {name}={quote(str(value))}" for name, value in variables.items()],
    )


@verb(app, "local", "logs", takes_repository=False)
def logs(
    session: Session,
    server: Annotated[
        Service | None, typer.Argument(help="One of the two; both unless given.")
    ] = None,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="The last so many.")] = 50,
) -> Result:
    """Show the last lines the servers printed."""
    from ops.local.status import logs as read_logs

    root = _root(session)
    wanted = (server,) if server else tuple(Service)
    said = {service: read_logs(root, service, lines=lines) for service in wanted}
    paths = {service: Home.at(root).log_file(service) for service in wanted}
    body: list[str] = []
    for service in wanted:
        body += [f"{service.display_name}: {paths[service]}", *said[service]]
    return Result(
        data={
            "logs": [
                {"server": s.value, "path": str(paths[s]), "lines": list(said[s])} for s in wanted
            ]
        },
        body=body,
    )


@verb(app, "local", "reset", takes_repository=False)
def reset(
    session: Session,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> Result:
    """Stop the servers and remove all they hold: every repository, project and annotation.

    Programs that were downloaded or built are kept.
    """
    from ops.local import stack

    root = _root(session)
    steps = stack.plan_reset(root)
    if dry_run or not steps:
        return _planned(steps)
    session.confirm(f"Remove every label and picture below {root}?", yes=yes)
    found = stack.reset(root, session.reporter)
    return _status_result(found, "the servers and their data are gone")


def _root(session: Session) -> Path:
    # Not from the settings: those ask the state file, which a reset must be able to do without.
    return session.directory / HOME_NAME


def _planned(steps: Sequence[str]) -> Result:
    return Result(
        data={"steps": list(steps), "already_done": not steps},
        body=["would:", *(f"  {step}" for step in steps)] if steps else ["nothing to do"],
        status="planned" if steps else "ok",
    )


def _status_result(
    found: "Status",
    heading: str | None = None,
    *,
    after: Sequence[str] = (),
    extra: dict[str, Json] | None = None,
) -> Result:
    rows = [
        (s.service.display_name, s.condition.value, s.url or "-", s.version or "-", s.pid or "-")
        for s in found.servers
    ]
    table = Table(columns=("server", "state", "address", "version", "process"), rows=rows)
    return Result(
        data={
            "home": str(found.home),
            "servers": [_server(server) for server in found.servers],
            "already_done": not found.changed,
            **(extra or {}),
        },
        body=[*([heading] if heading else []), table, *after],
        warnings=[
            Warn(code=f"{s.service.value}-remark", message=s.remark, subject=s.service.value)
            for s in found.servers
            if s.remark
        ],
    )


def _server(server: "ServerStatus") -> dict[str, Json]:
    return {
        "server": server.service.value,
        "state": server.condition.value,
        "url": server.url,
        "pid": server.pid,
        "version": server.version,
        "log": str(server.log),
        "remark": server.remark,
    }


def _credentials(found: "Status") -> dict[str, Json]:
    connection = found.connection
    if connection is None:
        return {}
    return {
        "label_studio_email": connection.label_studio_email,
        "label_studio_password": connection.label_studio_password,
        "lakefs_access_key_id": connection.lakefs_access_key_id,
        "lakefs_secret_access_key": connection.lakefs_secret_access_key,
    }
