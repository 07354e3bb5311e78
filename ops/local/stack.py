"""The verbs that change the embedded servers: up, down, reset; and `status`.

Owns the order of things and the lock. What a server needs it leaves to lakefs.py and
label_studio.py, what a process is to processes.py, how they are to status.py.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.errors import UnavailableError
from ops.local import label_studio, lakefs
from ops.local.home import CannotWriteError, Home, Service, locked, make_home
from ops.local.lakefs_binary import find_binary, present_binary
from ops.local.loopback import free_port, is_free
from ops.local.processes import read_record, start, stop
from ops.local.state import State, load, new_credentials, save
from ops.local.status import Status, inspect, last_lines, running_process
from ops.ports import Reporter

_POLL_S = 0.1
# Label Studio migrates its database when a newer one finds an older one's.
_READY_TIMEOUT_S = {Service.LAKEFS: 60.0, Service.LABEL_STUDIO: 300.0}
_GRACE_S = 20.0
_LOG_LIMIT_BYTES = 10 * 2**20
_LONGEST_EXPORT_S = 3600.0
_TOLD_LINES = 8


def up(
    root: Path,
    reporter: Reporter,
    *,
    lakefs_binary: Path | None = None,
    shared: Path | None = None,
) -> Status:
    """Start whichever of the servers does not serve, and wait until both do. Repeatable.

    Label Studio's copies of old exports are removed here and in `down`.

    Args:
        root: the home, usually `.ops/`.
        reporter: where progress is told.
        lakefs_binary: the lakeFS program to run, instead of looking for one.
        shared: where binaries and templates are kept, if not in the home.

    Raises:
        ConfigurationError: a program is missing or of the wrong version, or the disk refuses.
        InvalidDataError: the state file is not usable, or a download is not what it should be.
        UnavailableError: a server ended while starting, or is not ready in time.
    """
    home = Home.at(root, shared=shared)
    make_home(home)
    with locked(home.lock_file):
        label_studio.check_installed()
        state = _choose_ports(home, load(home), reporter)
        missing = stopped_servers(root)
        if Service.LAKEFS in missing:
            _start_lakefs(home, state, find_binary(home, reporter, explicit=lakefs_binary))
        runs = Service.LABEL_STUDIO not in missing
        label_studio.remove_export_copies(home, older_than_s=_LONGEST_EXPORT_S if runs else 0)
        if Service.LABEL_STUDIO in missing:
            label_studio.prepare_database(home, reporter)
            _start_label_studio(home, state)
        _wait_ready(home, state, reporter)
    return inspect(home, changed=bool(missing))


def plan_up(
    root: Path,
    reporter: Reporter,
    *,
    lakefs_binary: Path | None = None,
    shared: Path | None = None,
) -> tuple[str, ...]:
    """What `up` would do, a step each; nothing where both servers run. No request.

    Raises:
        ConfigurationError: `lakefs_binary` is not usable.
    """
    home, missing, steps = Home.at(root, shared=shared), stopped_servers(root), list[str]()
    if Service.LAKEFS in missing and not present_binary(home, reporter, explicit=lakefs_binary):
        steps.append(f"get lakeFS {lakefs.VERSION}: download its release, or build it")
    if Service.LABEL_STUDIO in missing and label_studio.needs_migrations(home):
        steps.append("make Label Studio's empty database")
    return (*steps, *(f"start {service.display_name}" for service in missing))


def plan_down(root: Path) -> tuple[str, ...]:
    """What `down` would do, a step each; nothing where no server runs. No request."""
    return tuple(f"stop {service.display_name}" for service in started_servers(root))


def plan_reset(root: Path) -> tuple[str, ...]:
    """What `reset` would do, a step each; nothing where there is nothing. No request."""
    place = Home.at(root).local
    return (*plan_down(root), *([f"remove {place}"] if place.exists() else []))


def stopped_servers(root: Path) -> tuple[Service, ...]:
    """The servers `up` would start. No request."""
    home = Home.at(root)
    return tuple(service for service in Service if running_process(home, service) is None)


def started_servers(root: Path) -> tuple[Service, ...]:
    """The servers `down` would stop. No request."""
    stopped = stopped_servers(root)
    return tuple(service for service in reversed(Service) if service not in stopped)


def _choose_ports(home: Home, remembered: State | None, reporter: Reporter) -> State:
    """Keep the remembered ports where they are ours or free, choose others where not."""
    state = remembered or State(ports={}, credentials=new_credentials())
    for service in Service:
        old = state.ports.get(service)
        if old is not None and (running_process(home, service) or is_free(old)):
            continue
        state = state.with_port(service, free_port(besides=state.ports.values()))
        if old is not None:
            _tell_moved(service, old, state.ports[service], reporter)
        if service is Service.LAKEFS:
            # Label Studio is told lakeFS's address when it starts.
            _stop(home, Service.LABEL_STUDIO)
    save(home, state)
    return state


def _tell_moved(service: Service, old: int, new: int, reporter: Reporter) -> None:
    reporter.note(
        f"{service.display_name}: port {old} is taken by another program; it moves to {new}"
    )


def _start_lakefs(home: Home, state: State, binary: Path) -> None:
    config = lakefs.write_config(home, state)
    # No LAKEFS_… of the person's: they would override the configuration.
    passed_on = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    environment = {**passed_on, "HOME": str(home.data(Service.LAKEFS))}
    _launch(home, Service.LAKEFS, lakefs.command(binary, config), environment)


def _start_label_studio(home: Home, state: State) -> None:
    environment = label_studio.environment(home, state)
    _launch(home, Service.LABEL_STUDIO, label_studio.command(state), environment)


def _launch(
    home: Home, service: Service, command: list[str], environment: Mapping[str, str]
) -> None:
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


def _wait_ready(home: Home, state: State, reporter: Reporter) -> None:
    with reporter.phase("lakeFS: starting"):
        _wait(home, Service.LAKEFS, lambda: lakefs.ready_version(state) is not None)
    with reporter.phase("Label Studio: starting"):
        _wait(home, Service.LABEL_STUDIO, lambda: label_studio.is_up(state))
        if label_studio.ready_version(state) is None:
            save(home, state.with_token(label_studio.obtain_token(state)))


def _wait(home: Home, service: Service, is_ready: Callable[[], bool]) -> None:
    timeout_s = _READY_TIMEOUT_S[service]
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if running_process(home, service) is None:
            raise _failed(home, service, "ended while it was starting")
        if time.monotonic() > deadline:
            raise _failed(home, service, f"is not ready after {timeout_s:.0f} s")
        time.sleep(_POLL_S)


def _failed(home: Home, service: Service, what: str) -> UnavailableError:
    path = home.log_file(service)
    said = last_lines(path, _TOLD_LINES)
    return UnavailableError(
        f"{service.value}-start",
        f"{service.display_name} {what}",
        subject=service.value,
        where=(("log", str(path)), ("said", "\n".join(said))),
        unchanged="its data is as it was",
        hint=f"mend what it says (more of it: ops local logs {service.value}), then: ops local up",
    )


def down(root: Path, reporter: Reporter) -> Status:
    """Stop what `up` started, and nothing else; the data stays. Repeatable.

    Raises:
        ConfigurationError: the home cannot be written.
        InvalidDataError: the state file is not usable; the servers were stopped all the same.
        UnavailableError: a process does not end.
    """
    home = Home.at(root)
    if not home.root.exists():
        return inspect(home)
    with locked(home.lock_file):
        changed = _stop_all(home, reporter)
        label_studio.remove_export_copies(home)
    return inspect(home, changed=changed)


def _stop_all(home: Home, reporter: Reporter) -> bool:
    started = started_servers(home.root)
    for service in started:
        with reporter.phase(f"{service.display_name}: stopping"):
            _stop(home, service)
    for service in Service:
        home.process_file(service).unlink(missing_ok=True)
    return bool(started)


def _stop(home: Home, service: Service) -> None:
    record = home.process_file(service)
    process = read_record(record)
    if process is not None:
        stop(process, grace_s=_GRACE_S)
    record.unlink(missing_ok=True)


def reset(root: Path, reporter: Reporter) -> Status:
    """Stop the servers and remove all their data, ports and credentials. Repeatable.

    Binaries and templates stay.

    Raises:
        CannotWriteError: the home cannot be written.
        UnavailableError: a process does not end.
    """
    home = Home.at(root)
    if not home.root.exists():
        return inspect(home)
    with locked(home.lock_file):
        changed = _stop_all(home, reporter) or home.local.exists()
        try:
            if home.local.exists():
                with reporter.phase("removing the servers' data"):
                    shutil.rmtree(home.local)
        except OSError as error:
            raise CannotWriteError(home.local, str(error.strerror)) from error
    return inspect(home, changed=changed)


def status(root: Path) -> Status:
    """How the servers are. Up to five requests, none where nothing runs.

    Raises:
        InvalidDataError: the state file is not usable.
    """
    return inspect(Home.at(root))
