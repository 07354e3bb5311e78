"""`ops config`: which settings are in force, where each came from, and whose servers they name."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.errors import ConfigurationError, DeniedError, OpsError, UsageError
from ops.settings import SPECS

if TYPE_CHECKING:
    from ops.stack.file import StackFile
    from ops.stack.outputs import Outputs
    from ops.stack.use import Wish

app = typer.Typer(help="Settings.", no_args_is_help=True)

_TIMEOUT_S = 10


@verb(app, "config", "show")
def show(session: Session) -> Result:
    """Show every setting, where its value came from and how to set it; secrets are masked."""
    settings = session.settings.all()
    specs = {spec.name: spec for spec in SPECS}
    return Result(
        data={
            "settings": [
                {
                    "name": s.name,
                    "value": s.shown if s.value is not None else None,
                    "source": s.source,
                    "is_secret": s.is_secret,
                    "variables": list(specs[s.name].variables),
                    "help": specs[s.name].help,
                }
                for s in settings
            ]
        },
        body=[
            Table(
                columns=("setting", "value", "source", "variable"),
                rows=[(s.name, s.shown, s.source, specs[s.name].variables[0]) for s in settings],
            )
        ],
    )


@verb(app, "config", "use", takes_repository=False)
def use(
    session: Session,
    *,
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="NAME", help="The servers of this Pulumi stack."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="The local servers again; forget the stack.")
    ] = False,
    infra: Annotated[
        Path | None,
        typer.Option("--infra", help="The checkout that holds Pulumi.yaml, if it is not this one."),
    ] = None,
    forward: Annotated[
        bool,
        typer.Option(
            "--forward",
            help="Reach them through `ops open --forward` though they have public addresses, as "
            "while the certificate is being made.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
) -> Result:
    """Take addresses and credentials from a Pulumi stack, or go back to the local servers.

    Reads `pulumi stack output` and keeps what ops needs of it in secrets/ops.toml, which is for
    its owner alone and never in git. Flags, variables and ops.toml still win over it. Run it again
    after `pulumi up`, and where Label Studio's token was revoked or has a month left.
    """
    if (stack is None) is not local or (local and (infra is not None or forward)):
        return _refuse_options(stack, local=local)
    if stack is None:
        return _use_local(session, dry_run=dry_run)
    from ops.stack.outputs import read
    from ops.stack.pulumi import stack_output
    from ops.stack.use import Wish

    session.reporter.note(f"read the outputs of stack {stack}")
    outputs = read(stack_output(infra or session.directory, stack), stack)
    return _use_stack(session, Wish(stack=stack, is_forwarded=forward), outputs, dry_run=dry_run)


def _refuse_options(stack: str | None, *, local: bool) -> Result:
    """Never gives a result.

    Raises:
        UsageError: always.
    """
    is_missing = stack is None and not local
    raise UsageError(
        "missing-value" if is_missing else "options-exclude",
        "give --stack NAME or --local"
        if is_missing
        else "--local goes with --dry-run only, --infra and --forward with --stack",
        unchanged="nothing was read or written",
        hint="ops config use --help",
    )


def _use_local(session: Session, *, dry_run: bool) -> Result:
    from ops.stack.file import path_in, remove

    path = path_in(session.directory)
    is_there = path.exists()
    if dry_run and is_there:
        return _planned([f"remove {path}"])
    remove(session.directory)
    heading = "ops uses the local servers now" if is_there else "ops uses the local servers already"
    return Result(
        data={"stack": None, "file": str(path), "already_done": not is_there},
        body=[heading, "start them with: ops local up"],
    )


def _use_stack(session: Session, wish: "Wish", outputs: "Outputs", *, dry_run: bool) -> Result:
    from ops.stack.file import path_in, write
    from ops.stack.use import remember

    path = path_in(session.directory)
    known = _known(session.directory)
    found = remember(wish, outputs, known, now=session.now(), token_id=uuid4().hex)
    # What is forwarded now may be another stack's server: its credentials are none of that one's.
    is_reachable = not found.is_forwarded or (
        known is not None and known.name == found.name and _is_forwarded_now(found)
    )
    warnings: list[Warn] = []
    if is_reachable:
        found, warnings = _tried(session, found, outputs)
    if dry_run:
        steps = [f"write {path}: {found.source}"] if found != known else []
        return _planned(steps)
    is_new = write(session.directory, found)
    urls = {name: found.settings[f"{name}.url"] for name in ("label_studio", "lakefs")}
    then = "ops open --forward" if found.is_forwarded else "ops doctor"
    return Result(
        data={
            "stack": found.name,
            "file": str(path),
            "already_done": not is_new,
            "is_forwarded": found.is_forwarded,
            "urls": dict(urls),
        },
        body=[
            f"ops uses stack {found.name} {'now' if is_new else 'already'}: {path}",
            *(f"{name.replace('_', ' '):<12} {url}" for name, url in urls.items()),
            f"next: {then}",
        ],
        warnings=[*warnings, *_overruled(session, found)],
    )


def _known(directory: Path) -> "StackFile | None":
    """What is remembered; None where it is not to be used, and is to be written anew."""
    from ops.stack.file import path_in, read, refuse_tracked

    try:
        return read(directory)
    except ConfigurationError:
        # Whatever is wrong with the file, a new one puts right; but not that git has it.
        refuse_tracked(path_in(directory))
        return None


def _tried(
    session: Session, found: "StackFile", outputs: "Outputs"
) -> tuple["StackFile", list[Warn]]:
    """The same with a token that Label Studio accepts, as far as it can be asked now.

    Raises:
        DeniedError: it accepts none that is made with the stack's key.
    """
    from ops.stack.use import with_new_token

    try:
        return found, _account_warnings(found)
    except DeniedError:
        found = with_new_token(found, outputs, now=session.now(), token_id=uuid4().hex)
    except OpsError as error:
        return found, [Warn(code="token-untried", message=_untried(error), subject="label_studio")]
    try:
        return found, _account_warnings(found)
    except DeniedError as error:
        raise DeniedError(
            "stack-token",
            f"Label Studio accepts no token made with the key of stack {found.name}",
            subject=found.settings["label_studio.url"],
            unchanged="the settings are as they were",
            hint="its pods may run with an older key, or another server answers there: "
            f"pulumi up --stack {found.name}\n"
            "then: kubectl --namespace labeling-ops rollout restart deployment/label-studio",
        ) from error


def _untried(error: OpsError) -> str:
    return f"the token could not be tried: {error.message}; next: ops doctor"


def _is_forwarded_now(found: "StackFile") -> bool:
    from urllib.parse import urlsplit

    from ops.local.loopback import is_free

    port = urlsplit(found.settings["label_studio.url"]).port
    return port is not None and not is_free(port)


def _account_warnings(found: "StackFile") -> list[Warn]:
    """Ask Label Studio who the token's account is; warn where it is not the stack's.

    Raises:
        OpsError: as the adapter's: it does not answer, does not accept the token.
    """
    from ops.stack.token import ADMINISTRATOR
    from ops.studio import LabelStudio

    studio = LabelStudio(
        found.settings["label_studio.url"],
        found.settings["label_studio.token"],
        timeout_s=_TIMEOUT_S,
        patience_s=1,
    )
    try:
        email = studio.members().get(ADMINISTRATOR)
    finally:
        studio.close()
    wanted = found.facts["label_studio_email"]
    if email is None or email.casefold() == wanted.casefold():
        return []
    return [
        Warn(
            code="other-account",
            message=f"Label Studio's first user is {email}, not {wanted}: ops acts as {email}",
            subject="label_studio",
        )
    ]


def _overruled(session: Session, found: "StackFile") -> list[Warn]:
    """What another source still says otherwise."""
    return [
        Warn(
            code="overruled",
            message=f"{setting.name} still comes from {setting.source}, which wins over the stack",
            subject=setting.name,
        )
        for setting in replace(session).settings.all()
        if setting.name in found.settings and setting.source != found.source
    ]


def _planned(steps: list[str]) -> Result:
    return Result(
        data={"steps": [*steps], "already_done": not steps},
        body=["would:", *(f"  {step}" for step in steps)] if steps else ["nothing to do"],
        status="planned" if steps else "ok",
    )
