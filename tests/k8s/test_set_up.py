"""Label Studio's set-up for two pods at once, on a real PostgreSQL.

In place of Label Studio, which takes a minute to migrate, is a script.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.manifests import K8S
from tests.pods.conftest import postgres
from tests.pods.postgres import Postgres
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

_WAITING = """
    select count(*) from pg_stat_activity
    where query like '%%advisory_lock%%' and pid not in (pg_backend_pid(), %s)
"""
_LOCK = 1_819_044_978


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL of this module's own."""
    with postgres() as server:
        yield server


def _connected(database: Postgres) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=database.port,
        dbname="postgres",
        user="postgres",
        password=database.password,
        autocommit=True,
    )


def _pod(database: Postgres, programs: Path, code: int) -> subprocess.Popen[bytes]:
    """A pod's set-up, whose `label-studio` notes its arguments and ends with a code."""
    programs.mkdir(exist_ok=True)
    program = programs / "label-studio"
    program.write_text(f'#!/bin/sh\necho "$@" >> {programs / "said"}\nexit {code}\n')
    program.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, K8S / "base" / "label-studio" / "set_up.py"],
        env={
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "POSTGRE_HOST": "127.0.0.1",
            "POSTGRE_PORT": str(database.port),
            "POSTGRE_NAME": "postgres",
            "POSTGRE_USER": "postgres",
            "POSTGRE_PASSWORD": database.password,
        },
    )


def test_who_waits_holds_up_no_migration(database: Postgres, tmp_path: Path) -> None:
    """Label Studio makes indexes concurrently, which waits for every older snapshot."""
    with _connected(database) as first, _connected(database) as migrating:
        first.execute("select pg_advisory_lock(%s)", (_LOCK,))
        second = _pod(database, tmp_path / "programs", 0)
        holder = (first.info.backend_pid,)
        wait_for(lambda: migrating.execute(_WAITING, holder).fetchone() == (1,), "the second waits")
        migrating.execute("create table if not exists task (id int)")
        migrating.execute("set statement_timeout = '10s'")
        migrating.execute("create index concurrently on task (id)")
        assert second.poll() is None
        assert not (tmp_path / "programs" / "said").exists()
    assert second.wait(timeout=30) == 0
    assert (tmp_path / "programs" / "said").read_text() == "init --quiet\n"


def test_a_set_up_that_fails_fails_the_pod(database: Postgres, tmp_path: Path) -> None:
    assert _pod(database, tmp_path / "programs", 3).wait(timeout=30) == 3
    with _connected(database) as other:
        assert other.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() == (True,)
