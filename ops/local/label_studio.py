"""The embedded Label Studio: its environment, its empty database and how it is known to be ready.

Owns what the server's process sees and the personal access token. Does not start the process.
"""

import importlib.metadata
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import cast

from ops.errors import ConfigurationError, UnavailableError
from ops.local.home import CannotWriteError, Home, Service, locked, make_private
from ops.local.loopback import HOST, Client
from ops.local.state import State
from ops.ports import Reporter

VERSION = "1.23.2"
_DATABASE = "label_studio.sqlite3"
_INSTALL_HINT = f"pip install 'label-studio=={VERSION}' beside ops, or: uv sync --all-extras"
# Label Studio reads any setting also by its bare name (HOST, PORT, DEBUG, USERNAME, CI …), so it
# gets no variable of the person's environment but these.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
_OK = 200
_CONFLICT = 409
_MIGRATION_TIMEOUT_S = 900
# `project-7-at-2026-01-31-23-59-0a1b2c3d.json`, and the same with `-info`: what 1.23 writes of each
# answer to `GET /api/projects/7/export` and never reads again (DataExport.save_export_files). The
# snapshots people ask for by a button are in another folder.
_EXPORT_COPY = re.compile(r"project-\d+-at-\d{4}(-\d\d){4}-[0-9a-f]{8}(-info)?\.json")


def check_installed() -> None:
    """Make sure that Label Studio of the right version is beside ops. No import of it.

    Raises:
        ConfigurationError: it is missing or of another version.
    """
    try:
        found = importlib.metadata.version("label-studio")
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            "label-studio-missing",
            "Label Studio is not installed in the environment of ops",
            where=(("environment", sys.prefix),),
            unchanged="nothing was started",
            hint=_INSTALL_HINT,
        ) from error
    if found != VERSION:
        raise ConfigurationError(
            "label-studio-version",
            f"Label Studio {found} is installed; ops works with {VERSION}",
            where=(("environment", sys.prefix),),
            unchanged="nothing was started",
            hint=_INSTALL_HINT,
        )


def _program() -> list[str]:
    # By module: the script beside the interpreter may be missing or belong to another one.
    return [sys.executable, "-P", "-c", "from label_studio.server import main; main()"]


def command(state: State) -> list[str]:
    """The program and arguments that serve."""
    return [
        *_program(),
        "start",
        "--no-browser",
        # All that --debug does in 1.23.2: a busy port is an error instead of a silent port+1.
        "--debug",
        "--internal-host",
        HOST,
        "--port",
        str(state.ports[Service.LABEL_STUDIO]),
    ]


def _base_environment(directory: Path) -> dict[str, str]:
    private_home = make_private(directory / "home")
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "ops.local.label_studio_settings",
        "HOME": str(private_home),
        "LABEL_STUDIO_BASE_DATA_DIR": str(make_private(directory / "data")),
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(make_private(directory / "tmp")),
        "XDG_CACHE_HOME": str(private_home / ".cache"),
        "XDG_CONFIG_HOME": str(private_home / ".config"),
        "XDG_DATA_HOME": str(private_home / ".local" / "share"),
    }


def environment(home: Home, state: State) -> dict[str, str]:
    """Everything the server's process sees: private directories, no telemetry, no sign-up.

    Raises:
        ConfigurationError: its directories cannot be made.
    """
    credentials = state.credentials
    return {
        **_base_environment(home.data(Service.LABEL_STUDIO)),
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "false",
        "LABEL_STUDIO_PASSWORD": credentials.label_studio_password,
        # The operator's endpoint is trusted, so the guard against requests to private addresses
        # can stay on although lakeFS is on the loopback.
        "LABEL_STUDIO_S3_ENDPOINT": state.url(Service.LAKEFS),
        "LABEL_STUDIO_USERNAME": credentials.label_studio_email,
        "SECRET_KEY": credentials.label_studio_secret_key,
    }


def needs_migrations(home: Home) -> bool:
    """Say whether `prepare_database` would have to run Label Studio's migrations."""
    return not _database(home).exists() and not _template(home).exists()


def _database(home: Home) -> Path:
    return home.data(Service.LABEL_STUDIO) / "data" / _DATABASE


def _template(home: Home) -> Path:
    return home.cache / f"label-studio-{VERSION}.sqlite3"


def prepare_database(home: Home, reporter: Reporter) -> None:
    """Give the server a migrated empty database unless it has one. Repeatable.

    The first time for a version of Label Studio its 396 migrations run, half a minute or more; the
    result is kept in the cache and copied from then on.

    Raises:
        ConfigurationError: the migrations fail, or there is no room.
    """
    database, template = _database(home), _template(home)
    if database.exists():
        return
    with locked(home.cache / "template.lock"):
        if not template.exists():
            reporter.note("Label Studio: making its empty database: about a minute, once")
            with reporter.phase("Label Studio: running its migrations"):
                _make_template(home, template)
    make_private(database.parent)
    _copy_database(template, database)


def _make_template(home: Home, template: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.cache, prefix="label-studio-") as scratch:
        directory = Path(scratch)
        done = subprocess.run(
            [*_program(), "version"],
            env={**_base_environment(directory), "SECRET_KEY": "only for the empty database"},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_MIGRATION_TIMEOUT_S,
        )
        database = directory / "data" / _DATABASE
        if done.returncode != 0 or not database.exists():
            raise ConfigurationError(
                "label-studio-database",
                "Label Studio could not make its database",
                where=tuple(("said", line) for line in done.stderr.splitlines()[-5:]),
                unchanged="nothing was started",
                hint="mend what it said, then: ops local up",
            )
        _copy_database(database, template)


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database that may have a write-ahead log; the target is there whole or not at all.

    Raises:
        CannotWriteError: there is no room, or no right.
    """
    temporary = target.with_name(f".{target.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(temporary)) as new:
            old.backup(new)
        temporary.chmod(0o600)
        temporary.replace(target)
    except (OSError, sqlite3.Error) as error:
        temporary.unlink(missing_ok=True)
        raise CannotWriteError(target, str(error)) from error


def remove_export_copies(home: Home, *, older_than_s: float = 0) -> None:
    """Remove the copies the server keeps of exports: each sync's, for good. Repeatable.

    Beside a running server, let `older_than_s` be longer than any export takes: it reads the copy
    once, while it answers.

    Raises:
        CannotWriteError: one is not ours to remove.
    """
    directory = home.data(Service.LABEL_STUDIO) / "data" / "export"
    newest = time.time() - older_than_s
    try:
        for path in directory.glob("project-*.json"):
            if _EXPORT_COPY.fullmatch(path.name) and path.stat().st_mtime <= newest:
                path.unlink()
    except OSError as error:
        raise CannotWriteError(directory, str(error.strerror)) from error


def is_up(state: State, *, timeout_s: float = 10) -> bool:
    """Say whether the server answers at all. One request, which does not touch its database."""
    client = Client(state.url(Service.LABEL_STUDIO), timeout_s=timeout_s)
    return client.get("/health").status == _OK


def ready_version(state: State, *, timeout_s: float = 10) -> str | None:
    """The server's version once it accepts our token; None until then. Two requests."""
    client = Client(state.url(Service.LABEL_STUDIO), timeout_s=timeout_s)
    token = state.credentials.label_studio_token
    access = client.post_json("/api/token/refresh/", {"refresh": token}).text_at("access")
    if access is None:
        return None
    headers = {"Authorization": f"Bearer {access}"}
    return client.get("/api/version", headers=headers).text_at("release")


def obtain_token(state: State) -> str:
    """A personal access token of the administrator, through a log-in as the browser does it.

    An account has one at a time: one that nobody knows any more is revoked. Four to six requests.

    Raises:
        UnavailableError: the server does not answer as it should.
    """
    client = Client(state.url(Service.LABEL_STUDIO), timeout_s=30)
    client.get("/user/login/")
    csrf = next((cookie.value for cookie in client.cookies if cookie.name == "csrftoken"), None)
    client.post_form(
        "/user/login/",
        {
            "csrfmiddlewaretoken": csrf or "",
            "email": state.credentials.label_studio_email,
            "password": state.credentials.label_studio_password,
        },
    )
    created = client.post_json("/api/token/", {})
    if created.status == _CONFLICT:
        known = cast("list[dict[str, str]]", client.get("/api/token/").json() or [])
        for lost in known:
            client.post_json("/api/token/blacklist/", {"refresh": lost["token"]})
        created = client.post_json("/api/token/", {})
    token = created.text_at("token")
    if token is None:
        raise UnavailableError(
            "no-token-made",
            f"Label Studio gave no personal access token (HTTP {created.status})",
            where=(("server", state.url(Service.LABEL_STUDIO)),),
            unchanged="the servers run, their data is untouched",
            hint="ops local logs label-studio; then: ops local down && ops local up",
        )
    return token
