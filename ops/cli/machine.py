"""What `ops doctor` looks at on this machine: packages, settings, the local stack, the token.

Asks no server of the settings anything; the local stack's own are asked for their versions.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata

from ops.cli.live import stack_in_use
from ops.cli.session import Session
from ops.core.health import Diagnosis, failed, healthy, skipped, suspect
from ops.errors import ConfigurationError, OpsError
from ops.local.home import Home
from ops.settings import HOME_NAME

LAKE_SETTINGS = ("lakefs.url", "lakefs.access_key_id", "lakefs.secret_access_key", "actor")
STUDIO_SETTINGS = ("label_studio.url", "label_studio.token")

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:==(?P<pin>[\w.]+))?[^;]*(?P<extra>;.*extra.*)?")
_SOON = timedelta(days=14)
_UP = "ops local up"


def examine_machine(session: Session) -> Iterator[Diagnosis]:
    """Look at this machine. No request but to the local stack, where there is one."""
    yield _packages()
    yield _settings(session)
    yield _local_stack(session)
    yield _token(session)


def has_settings(session: Session, *names: str) -> bool:
    """Say whether all of these are set; not so where the settings cannot be read."""
    try:
        return all(session.settings.find(name) is not None for name in names)
    except OpsError:
        return False


def _packages() -> Diagnosis:
    """What ops needs of Python is installed, in the version it is pinned to."""
    wrong: list[str] = []
    count = 0
    for line in metadata.requires("labeling-ops") or []:
        found = _REQUIREMENT.match(line)
        if found is None or found["extra"]:
            continue
        count += 1
        try:
            there = metadata.version(found["name"])
        except metadata.PackageNotFoundError:
            wrong.append(f"{found['name']} is missing")
            continue
        if found["pin"] not in {None, there}:
            wrong.append(f"{found['name']} is {there}, not {found['pin']}")
    if not wrong:
        version = metadata.version("labeling-ops")
        return healthy("packages", f"ops {version} with the {count} packages it needs")
    error = ConfigurationError(
        "packages",
        f"{len(wrong)} of the packages ops needs are not right: {wrong[0]}",
        unchanged="nothing was changed",
        hint="install ops again, with what it depends on",
    )
    return failed("packages", error)


def _settings(session: Session) -> Diagnosis:
    """Everything that both servers take is set; where from, secrets masked by not being shown."""
    try:
        settings = session.settings
        for name in (*LAKE_SETTINGS, "repository", *STUDIO_SETTINGS):
            settings.need(name)
    except OpsError as error:
        return failed("settings", error)
    sources: dict[str, list[str]] = {}
    for setting in settings.all():
        if setting.value is not None:
            sources.setdefault(setting.source, []).append(setting.name)
    said = "; ".join(f"{', '.join(names)} from {source}" for source, names in sources.items())
    return healthy("settings", said)


def _local_stack(session: Session) -> Diagnosis:
    """The embedded servers run, or are not what the settings name."""
    from ops.local.status import Condition, inspect

    home = Home.at(session.directory / HOME_NAME)
    if not home.local.exists():
        return skipped("local-stack", "there is none here")
    try:
        found = inspect(home)
    except OpsError as error:
        return failed("local-stack", error)
    said = ", ".join(
        f"{server.service.display_name} {server.condition.value}" for server in found.servers
    )
    conditions = {server.condition for server in found.servers}
    if conditions == {Condition.RUNNING}:
        return healthy("local-stack", said)
    if conditions == {Condition.STOPPED} and has_settings(session, "lakefs.url"):
        return healthy("local-stack", f"{said}; the settings name other servers")
    return suspect("local-stack", said, remedy=_UP)


def _token(session: Session) -> Diagnosis:
    """The Label Studio token is of the kind that lasts."""
    from ops.studio.failures import TokenKind, read_token

    if not has_settings(session, "label_studio.token"):
        return skipped("token", "none is set")
    token = read_token(session.settings.find("label_studio.token") or "")
    if token.kind is not TokenKind.PERSONAL:
        return suspect(
            "token",
            f"it is no personal access token, but one like a {token.kind.value}",
            remedy="make one in Label Studio under Account & Settings, Personal Access Token,\n"
            "and set OPS_LABEL_STUDIO_TOKEN to it",
        )
    if token.expires_at is not None:
        ends = datetime.fromtimestamp(token.expires_at, UTC)
        if ends - session.now() < _SOON:
            return suspect("token", f"it ends on {ends:%Y-%m-%d}", remedy=_renewal(session))
        return healthy("token", f"a personal access token, until {ends:%Y-%m-%d}")
    return healthy("token", "a personal access token")


def _renewal(session: Session) -> str:
    found = stack_in_use(session)
    if found and found.settings.get("label_studio.token") == session.settings.find(
        "label_studio.token"
    ):
        return f"ops config use --stack {found.name}"
    return "make a new one in Label Studio under Account & Settings"
