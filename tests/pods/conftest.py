"""The pods once a session, and their logs at a failure."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.local.home import Service
from ops.local.loopback import Client
from tests.gcs.emulator import Emulator, emulator
from tests.pods.postgres import Postgres
from tests.pods.stand import BUCKETS, Stand, make_databases
from tests.wanted import check_uwsgi

_stands: list[Stand] = []


@pytest.fixture(scope="session")
def bucket() -> Iterator[Emulator]:
    """The emulator with the stack's buckets."""
    with emulator() as running:
        for name in BUCKETS:
            made = Client(running.url).post_json(
                "/storage/v1/b?project=acme-labels", {"name": name}
            )
            assert made.status == 200
        yield running


@contextmanager
def postgres() -> Generator[Postgres]:
    """A PostgreSQL for the length of a block."""
    server = Postgres()
    try:
        server.create()
        yield server
    finally:
        server.remove()


@contextmanager
def empty_stand(bucket: Emulator) -> Generator[Stand]:
    """Pods of a test's own on an empty PostgreSQL, none of them started."""
    with postgres() as server, tempfile.TemporaryDirectory(prefix="pods-") as root:
        stand = Stand(Path(root), server, bucket)
        _stands.append(stand)
        try:
            make_databases(stand)
            yield stand
        finally:
            for service in Service:
                stand.stop(service)
            _stands.remove(stand)


@pytest.fixture
def own(bucket: Emulator) -> Iterator[Stand]:
    """Pods of a test's own, as `empty_stand`."""
    with empty_stand(bucket) as stand:
        yield stand


@pytest.fixture(scope="session")
def stand(bucket: Emulator) -> Iterator[Stand]:
    """Both pods, serving. A test may restart them and change their secrets, if they serve again."""
    check_uwsgi()
    with empty_stand(bucket) as stand:
        for service in Service:
            stand.start(service)
        yield stand


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the last words of every server to a failure."""
    report = yield
    if report.failed:
        for stand in _stands:
            for name, words in stand.tails().items():
                report.sections.append((f"last lines of {name}", words))
    return report
