"""Migrates Label Studio's database and makes its first user, one pod at a time.

Runs in Label Studio's image before the server starts, with the server's environment. Safe to
repeat: a database that is up to date and a user that is there are left as they are, so a changed
password in the Secret changes nobody's password.

`label-studio init` does both, but two of it at once would make two organizations: whoever holds
PostgreSQL's advisory lock goes first, and a lock dies with the connection that holds it.
"""

import os
import subprocess
import sys
import time

import psycopg

_LOCK = 1_819_044_978
"""Any number nobody else locks in this database; Label Studio's own migrations lock 1000."""
_PATIENCE_S = 120.0
_PAUSE_S = 2.0


def _connected() -> psycopg.Connection:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return psycopg.connect(
                host=os.environ["POSTGRE_HOST"],
                port=os.environ["POSTGRE_PORT"],
                dbname=os.environ["POSTGRE_NAME"],
                user=os.environ["POSTGRE_USER"],
                password=os.environ["POSTGRE_PASSWORD"],
                # The server may take long to migrate: nothing between may drop an idle connection.
                keepalives_idle=30,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise
            sys.stderr.write(f"waiting for PostgreSQL: {error}\n")
            time.sleep(_PAUSE_S)


def _wait_for_lock(connection: psycopg.Connection) -> None:
    # Asked for again and again: a query that waits keeps a snapshot, and the other's migrations
    # make indexes concurrently, which waits until no older snapshot is left. Both would wait for
    # ever. The kubelet ends this with the pod.
    while True:
        answer = connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if answer == (True,):
            return
        time.sleep(_PAUSE_S)


def main() -> int:
    """Give the exit code of `label-studio init`, run alone."""
    with _connected() as connection:
        _wait_for_lock(connection)
        command = ["label-studio", "init", "--quiet"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
