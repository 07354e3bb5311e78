"""The verbs of the embedded servers: up, down, status, logs, reset.

Owns the order of things and the lock. What a server needs it leaves to lakefs.py and
label_studio.py, what a process is to processes.py.
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ops.errors import NotFoundError, UnavailableError
from ops.local import label_studio, lakefs
from ops.local.home import Home, Service, locked
from ops.local.lakefs_binary import find_binary
from ops.local.loopback import free_port, is_free
from ops.local.processes import is_alive, read_record, start, stop
from ops.local.state import (
    Connection,
    State,
    as_connection,
    load,
    new_credentials,
    save,
)
from ops.ports import Reporter

_POLL_S = 0.1
_READY_TIMEOUT_S = {Service.LAKEFS: 120.0, Service.LABEL_STUDIO: 600.0}
_GRACE_S = 20.0
_LOG_LIMIT_BYTES = 10 * 2**20
_TOLD_LINES = 8


class Condition(StrEnum):
    """How a server is."""

    RUNNING = "running"
    UNRESPONSIVE = "unresponsive"
    DIED = "died"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server. `url` is its last known address, None before its first start."""

    service: Service
    condition: Condition
    url: str | None
    pid: int | None
    version: str | None
    log: Path


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


def up(
    root: Path,
    reporter: Reporter,
    *,
    lakefs_binary: Path | None = None,
    shared: Path | None = None,
) -> Status:
    """Start whichever of the servers does not serve, and wait until both do. Repeatable.

    Args:
        root: the home, usually `.ops/`.
        reporter: where progress is told.
        lakefs_binary: the lakeFS program to run, instead of looking for one.
        shared: where binaries and templates are kept, if not in the home.

    Raises:
        ConfigurationError: a program is missing or of the wrong version, or the disk refuses.
        InvalidDataError: the state file cannot be understood.
        UnavailableError: a server ended while starting, or is not ready in time.
    """
    home = Home.at(root, shared=shared)
    with locked(home.lock_file):
        label_studio.check_installed()
        state = _choose_ports(home, load(home), reporter)
        changed = _start_lakefs(home, state, reporter, explicit=lakefs_binary)
        changed = _start_label_studio(home, state, reporter) or changed
        state = _wait_ready(home, state, reporter)
    status = inspect(home, changed=changed)
    for server in status.servers:
        reporter.note(f"{server.service.display_name} {server.version}: {server.url}")
    return status


def _choose_ports(home: Home, remembered: State | None, reporter: Reporter) -> State:
    """Keep the remembered ports where they are ours or free, choose others where not."""
    state = remembered or State(ports={}, credentials=new_credentials())
    for service in Service:
        old = state.ports.get(service)
        if old is not None and (_is_ours(home, service) or is_free(old)):
            continue
        state = state.with_port(service, free_port())
        if old is not None:
            reporter.note(
                f"{service.display_name}: port {old} is taken by another program;"
                f" it moves to {state.ports[service]}"
            )
            if service is Service.LAKEFS:
                # Label Studio is told lakeFS's address when it starts.
                _stop(home, Service.LABEL_STUDIO)
    save(home, state)
    return state


def _is_ours(home: Home, service: Service) -> bool:
    process = read_record(home.process_file(service))
    return process is not None and is_alive(process)


def _start_lakefs(home: Home, state: State, reporter: Reporter, *, explicit: Path | None) -> bool:
    if _is_ours(home, Service.LAKEFS):
        return False
    binary = find_binary(home, reporter, explicit=explicit)
    config = lakefs.write_config(home, state)
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    environment["HOME"] = str(home.data(Service.LAKEFS))
    _launch(home, Service.LAKEFS, lakefs.command(binary, config), environment)
    return True


def _start_label_studio(home: Home, state: State, reporter: Reporter) -> bool:
    if _is_ours(home, Service.LABEL_STUDIO):
        return False
    label_studio.prepare_database(home, reporter)
    environment = label_studio.environment(home, state)
    _launch(home, Service.LABEL_STUDIO, label_studio.command(state), environment)
    return True


def _launch(home: Home, service: Service, command: list[str], environment: dict[str, str]) -> None:
    log = home.log_file(service)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".previous.log"))
    start(
        command,
        record=home.process_file(service),
        log=log,
        directory=home.data(service),
        environment=environment,
    )


def _wait_ready(home: Home, state: State, reporter: Reporter) -> State:
    with reporter.phase("lakeFS: starting"):
        _wait(home, Service.LAKEFS, lambda: lakefs.ready_version(state) is not None)
    with reporter.phase("Label Studio: starting"):
        _wait(home, Service.LABEL_STUDIO, lambda: label_studio.is_up(state))
        if label_studio.ready_version(state) is None:
            state = state.with_token(label_studio.obtain_token(state))
            save(home, state)
        final = state
        _wait(home, Service.LABEL_STUDIO, lambda: label_studio.ready_version(final) is not None)
    return state


def _wait(home: Home, service: Service, is_ready: Callable[[], bool]) -> None:
    timeout_s = _READY_TIMEOUT_S[service]
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if not _is_ours(home, service):
            raise _failed(home, service, "ended while it was starting")
        if time.monotonic() > deadline:
            raise _failed(home, service, f"is not ready after {timeout_s:.0f} s")
        time.sleep(_POLL_S)


def _failed(home: Home, service: Service, what: str) -> UnavailableError:
    path = home.log_file(service)
    return UnavailableError(
        f"{service.value}-start",
        f"{service.display_name} {what}",
        subject=service.value,
        where=(
            ("log", str(path)),
            *(("said", line) for line in _tail(path, _TOLD_LINES)),
        ),
        unchanged="its data is as it was",
        hint=f"ops local logs {service.value}; mend what it says, then: ops local up",
    )


def down(root: Path, reporter: Reporter) -> Status:
    """Stop what `up` started, and nothing else; the data stays. Repeatable.

    Raises:
        ConfigurationError: the home cannot be written.
    """
    home = Home.at(root)
    with locked(home.lock_file):
        changed = False
        for service in reversed(Service):
            if _is_ours(home, service):
                with reporter.phase(f"{service.display_name}: stopping"):
                    _stop(home, service)
                changed = True
            home.process_file(service).unlink(missing_ok=True)
    return inspect(home, changed=changed)


def _stop(home: Home, service: Service) -> None:
    path = home.process_file(service)
    process = read_record(path)
    if process is not None:
        stop(process, grace_s=_GRACE_S)
    path.unlink(missing_ok=True)


def reset(root: Path, reporter: Reporter) -> Status:
    """Stop the servers and remove all their data, ports and credentials. Repeatable.

    Binaries and templates stay.

    Raises:
        ConfigurationError: the home cannot be written.
    """
    stopped = down(root, reporter)
    home = Home.at(root)
    with locked(home.lock_file):
        existed = home.local.exists()
        if existed:
            with reporter.phase("removing the servers' data"):
                shutil.rmtree(home.local)
    return inspect(home, changed=existed or stopped.changed)


def status(root: Path) -> Status:
    """How the servers are. Up to five requests, none where nothing runs.

    Raises:
        InvalidDataError: the state file cannot be understood.
    """
    return inspect(Home.at(root), changed=False)


def inspect(home: Home, *, changed: bool) -> Status:
    """How the servers of a home are; `changed` is passed on into the result."""
    state = load(home)
    servers = tuple(_server_status(home, state, service) for service in Service)
    running = all(server.condition is Condition.RUNNING for server in servers)
    return Status(
        home=home.root,
        servers=servers,
        changed=changed,
        connection=as_connection(state) if state is not None and running else None,
    )


def _server_status(home: Home, state: State | None, service: Service) -> ServerStatus:
    process = read_record(home.process_file(service))
    condition, version = Condition.STOPPED, None
    if process is not None and state is not None:
        module = lakefs if service is Service.LAKEFS else label_studio
        version = module.ready_version(state, timeout_s=5) if is_alive(process) else None
        condition = Condition.RUNNING if version is not None else Condition.UNRESPONSIVE
        if not is_alive(process):
            condition = Condition.DIED
    return ServerStatus(
        service=service,
        condition=condition,
        url=state.url(service) if state is not None and service in state.ports else None,
        pid=process.pid if process is not None and condition is not Condition.DIED else None,
        version=version,
        log=home.log_file(service),
    )


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
    return _tail(path, lines)


def _tail(path: Path, lines: int) -> tuple[str, ...]:
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", errors="replace") as file:
        return tuple(line.rstrip("\n") for line in deque(file, maxlen=lines))
