"""The real servers, once a session.

Each session has a stack of its own in a home of its own, started and stopped by `ops.local`.
Binaries and the empty Label Studio database are shared through the checkout's `.ops/`.
`OPS_LAKEFS_BINARY` names a lakeFS program to use instead.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from ops.errors import ConfigurationError, OpsError
from ops.local import stack
from ops.local.home import Home, Service
from ops.local.processes import Process, is_alive, read_record, start_mark, write_record
from ops.local.state import Connection
from ops.local.status import last_lines
from tests.gcs.fixtures import cloud, cloud_here
from tests.gcs.front import Front
from tests.gcs.lakefs import lakefs_in
from tests.laws import summary_lines, take_notes
from tests.narration import Narration
from tests.real import SHARED, explicit_binary

__all__ = ["cloud", "cloud_here"]
# pytest finds these here for every room.

_STACKS = SHARED / "test-stacks"
_CLOUD = "-cloud"
_OWNER = "owner.json"
_LOG_LINES = 40
_LINE_LENGTH = 300


def pytest_configure() -> None:
    """Listen to Ctrl-C, and have children do so: what a shell starts with `&` does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Connection]:
    """The real lakeFS and Label Studio.

    Skips where a server's program is not to be had, and fails there under CI.
    """
    with _stack(stack_home(), explicit_binary()) as connection:
        yield connection


@pytest.fixture(scope="session")
def cloud_servers(cloud: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The real servers once more, lakeFS storing in buckets of the real fake-gcs-server.

    Skips and fails as `servers` does.
    """
    program = lakefs_in(cloud, tmp_path_factory.mktemp("lakefs"))
    with _stack(stack_home(_CLOUD), program) as connection:
        yield connection


@contextlib.contextmanager
def _stack(root: Path, binary: Path | None) -> Generator[Connection]:
    _own(root)
    try:
        try:
            connection = stack.up(root, Narration(), lakefs_binary=binary, shared=SHARED).connection
        except ConfigurationError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"NO REAL SERVERS: {error.message}; {error.hint}")
        assert connection is not None
        yield connection
    finally:
        stack.down(root, Narration())
        shutil.rmtree(root)


def _own(root: Path) -> None:
    """Make a home that notes its owner, after sweeping the homes of sessions that were killed."""
    homes = [path for path in _STACKS.glob("*") if path.name.removesuffix(_CLOUD).isdigit()]
    for abandoned in homes:
        owner = read_record(abandoned / _OWNER)
        if owner is None or not is_alive(owner):
            # Another session may be sweeping, too: what it took away is gone for us as well.
            with contextlib.suppress(OpsError):
                stack.down(abandoned, Narration())
            shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = root.with_name(f"{root.name}.new")
    unfinished.mkdir(parents=True)
    mark = start_mark(os.getpid())
    assert mark is not None
    write_record(unfinished / _OWNER, Process(pid=os.getpid(), started=mark))
    unfinished.rename(root)


def stack_home(kind: str = "") -> Path:
    """Where this session's servers have their data."""
    return _STACKS / f"{os.getpid()}{kind}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take what a test says of laws; attach the servers' last words to a failure."""
    report = yield
    if report.when == "call" and report.passed:
        report.user_properties.extend(take_notes())
    fixtures: list[str] = getattr(item, "fixturenames", [])
    kinds = {"servers": "", "cloud_servers": _CLOUD}
    for home in (Home.at(stack_home(kinds[name])) for name in fixtures if name in kinds):
        for service in Service if report.failed else ():
            if home.log_file(service).exists():
                lines = last_lines(home.log_file(service), _LOG_LINES)
                said = "\n".join(line[:_LINE_LENGTH] for line in lines)
                report.sections.append((f"last lines of {service.display_name}", said))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried of each law."""
    reports: list[pytest.TestReport] = terminalreporter.stats.get("passed", [])
    lines = summary_lines(pair for report in reports for pair in report.user_properties)
    if lines:
        terminalreporter.section("laws")
        terminalreporter.line("\n".join(lines))
