"""How the embedded servers are, for people and programs.

Owns what is looked at to say so. Changes nothing and takes no lock.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ops.errors import NotFoundError
from ops.local import label_studio, lakefs
from ops.local.home import Home, Service
from ops.local.processes import Process, is_alive, read_record
from ops.local.state import Connection, State, as_connection, load

_TIMEOUT_S = 5


class Condition(StrEnum):
    """How a server is."""

    RUNNING = "running"
    UNRESPONSIVE = "unresponsive"
    DIED = "died"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server.

    Attributes:
        url: its last known address, None before its first start.
        pid: its process, None where none lives.
        version: what it says itself, None unless it is running.
        log: the file with everything it printed.
        remark: what a person should know of it, or None.
    """

    service: Service
    condition: Condition
    url: str | None
    pid: int | None
    version: str | None
    log: Path
    remark: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Both servers, lakeFS first. `changed` says whether the verb did anything."""

    home: Path
    servers: tuple[ServerStatus, ...]
    changed: bool
    connection: Connection | None

    @property
    def is_running(self) -> bool:
        """Whether both servers serve."""
        return all(server.condition is Condition.RUNNING for server in self.servers)


def running_process(home: Home, service: Service) -> Process | None:
    """The living process that was started for a server, or None."""
    process = read_record(home.process_file(service))
    return process if process is not None and is_alive(process) else None


def inspect(home: Home, *, changed: bool = False) -> Status:
    """How the servers of a home are; `changed` is passed on into the result.

    Up to five requests, none where nothing runs.

    Raises:
        StateFileError: the state file is not usable.
    """
    state = load(home)
    servers = tuple(_inspect_one(home, state, service) for service in Service)
    is_running = all(server.condition is Condition.RUNNING for server in servers)
    return Status(
        home=home.root,
        servers=servers,
        changed=changed,
        connection=as_connection(state) if state is not None and is_running else None,
    )


def _inspect_one(home: Home, state: State | None, service: Service) -> ServerStatus:
    process = running_process(home, service)
    url = state.url(service) if state is not None and service in state.ports else None
    version = None
    if state is not None and process is not None and url is not None:
        server = lakefs if service is Service.LAKEFS else label_studio
        version = server.ready_version(state, timeout_s=_TIMEOUT_S)
    return ServerStatus(
        service=service,
        condition=_condition(home, service, version),
        url=url,
        pid=process.pid if process is not None else None,
        version=version,
        log=home.log_file(service),
        remark=_remark(state, service) if state is not None and version is not None else None,
    )


def _condition(home: Home, service: Service, version: str | None) -> Condition:
    # Asked again: a server may have ended while it was being asked for its version.
    if running_process(home, service) is None:
        return Condition.DIED if home.process_file(service).exists() else Condition.STOPPED
    return Condition.UNRESPONSIVE if version is None else Condition.RUNNING


def _remark(state: State, service: Service) -> str | None:
    if service is Service.LAKEFS and not lakefs.has_pages(state, timeout_s=_TIMEOUT_S):
        return "built from its module, without web pages: API and S3 only"
    return None


def last_lines(path: Path, count: int) -> tuple[str, ...]:
    """The last lines of a log, oldest first; none where there is no such file."""
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", errors="replace") as file:
        return tuple(line.rstrip("\n") for line in deque(file, maxlen=count))


def logs(root: Path, service: Service, *, lines: int = 50) -> tuple[str, ...]:
    """The last lines a server printed, oldest first.

    Raises:
        NotFoundError: it has never been started here.
    """
    path = Home.at(root).log_file(service)
    if not path.exists():
        raise NotFoundError(
            "no-log",
            f"{service.display_name} has not been started here",
            subject=str(path),
            unchanged="nothing was changed",
            hint="ops local up",
        )
    return last_lines(path, lines)
