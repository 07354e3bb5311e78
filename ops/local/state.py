"""What the embedded servers' home remembers: ports and credentials.

Owns the state file and `connection`, which every command may ask: it reads three small files, makes
no request and imports nothing heavy. Does not start or judge servers.
"""

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

from ops.errors import InvalidDataError
from ops.local.home import Home, Service, make_private, write_private
from ops.local.processes import is_alive, read_record

LABEL_STUDIO_EMAIL = "ops@localhost.local"
_SCHEMA = "ops.local/1"
# lakeFS 1.84 answers every S3 request 400 MissingFields when this has more than 20 characters.
_ACCESS_KEY_ID_LENGTH = 20


class StateFileError(InvalidDataError):
    """The state file, which holds the keys to the data, is not usable."""

    def __init__(self, path: Path, what: str = "cannot be understood") -> None:
        """Say which, and in what way."""
        super().__init__(
            "local-state",
            f"{path} {what}",
            subject=str(path),
            unchanged="no server was started or stopped, no data was touched",
            hint="put the file back from a backup, or give up the data: ops local reset",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the running embedded servers. Secrets stay out of its repr."""

    lakefs_url: str
    lakefs_access_key_id: str
    lakefs_secret_access_key: str = field(repr=False)
    label_studio_url: str
    label_studio_token: str = field(repr=False)
    label_studio_email: str
    label_studio_password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything secret, made once and kept as long as the data.

    `label_studio_token` is the personal access token, empty until Label Studio has given one.
    """

    lakefs_access_key_id: str
    lakefs_secret_access_key: str
    lakefs_auth_key: str
    lakefs_signing_key: str
    label_studio_email: str
    label_studio_password: str
    label_studio_secret_key: str
    label_studio_token: str = ""

    def __repr__(self) -> str:
        """Nothing of what it holds."""
        return "Credentials(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered between runs. `ports` holds the last port of each server."""

    ports: Mapping[Service, int]
    credentials: Credentials

    def with_port(self, service: Service, port: int) -> "State":
        """The same with another port."""
        return replace(self, ports={**self.ports, service: port})

    def with_token(self, token: str) -> "State":
        """The same with another personal access token."""
        return replace(self, credentials=replace(self.credentials, label_studio_token=token))

    def url(self, service: Service) -> str:
        """A server's address, without a slash at the end."""
        return f"http://127.0.0.1:{self.ports[service]}"


def new_credentials() -> Credentials:
    """Fresh random credentials."""
    alphabet = string.ascii_uppercase + string.digits
    tail = "".join(secrets.choice(alphabet) for _ in range(_ACCESS_KEY_ID_LENGTH - 4))
    return Credentials(
        lakefs_access_key_id=f"AKIA{tail}",
        lakefs_secret_access_key=secrets.token_urlsafe(30),
        lakefs_auth_key=secrets.token_urlsafe(32),
        lakefs_signing_key=secrets.token_urlsafe(32),
        label_studio_email=LABEL_STUDIO_EMAIL,
        label_studio_password=secrets.token_urlsafe(15),
        label_studio_secret_key=secrets.token_urlsafe(48),
    )


def load(home: Home) -> State | None:
    """What the home remembers; None where it remembers nothing.

    Raises:
        StateFileError: the file cannot be understood, or is gone while the data are there.
    """
    try:
        text = home.state_file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if any(home.data(service).exists() for service in Service):
            # Data without the keys that open them: fresh keys would lock them away for good.
            raise StateFileError(home.state_file, "is missing beside its data") from error
        return None
    except OSError as error:
        raise StateFileError(home.state_file) from error
    try:
        document = json.loads(text)
        if document["schema"] != _SCHEMA:
            raise StateFileError(home.state_file)
        ports = cast("dict[str, object]", document["ports"])
        return State(
            ports={Service(name): _port(port) for name, port in ports.items()},
            credentials=Credentials(**document["credentials"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateFileError(home.state_file) from error


def _port(value: object) -> int:
    if not isinstance(value, int) or not 0 < value <= 65535:  # noqa: PLR2004 - what a port can be
        raise ValueError(value)
    return value


def save(home: Home, state: State) -> None:
    """Remember it, mode 0600, at once or not at all.

    Raises:
        CannotWriteError: the home cannot be written.
    """
    make_private(home.local)
    document = {
        "schema": _SCHEMA,
        "ports": {service.value: port for service, port in state.ports.items()},
        "credentials": asdict(state.credentials),
    }
    write_private(home.state_file, json.dumps(document, indent=2, sort_keys=True) + "\n")


def connection(root: Path) -> Connection | None:
    """How to reach the embedded servers of the home at `root`; None unless both processes live.

    Three small files are read; no request is made.

    Raises:
        StateFileError: the state file is not usable.
    """
    home = Home.at(root)
    state = load(home)
    if state is None or not state.credentials.label_studio_token:
        return None
    for service in Service:
        process = read_record(home.process_file(service))
        if service not in state.ports or process is None or not is_alive(process):
            return None
    return as_connection(state)


def as_connection(state: State) -> Connection:
    """The part of the state that clients need."""
    credentials = state.credentials
    return Connection(
        lakefs_url=state.url(Service.LAKEFS),
        lakefs_access_key_id=credentials.lakefs_access_key_id,
        lakefs_secret_access_key=credentials.lakefs_secret_access_key,
        label_studio_url=state.url(Service.LABEL_STUDIO),
        label_studio_token=credentials.label_studio_token,
        label_studio_email=credentials.label_studio_email,
        label_studio_password=credentials.label_studio_password,
    )
