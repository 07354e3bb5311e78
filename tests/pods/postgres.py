"""A real PostgreSQL of a test's own: TLS only and passwords only, as Cloud SQL is.

Owns finding the programs, the cluster's directory and its end. PostgreSQL refuses to run as root,
so as root everything is run as the user `postgres`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ops.local.loopback import HOST, free_port
from tests.pods.process import Finished, run
from tests.wanted import missing

_PROGRAMS = ("initdb", "pg_ctl", "psql", "pg_dump", "pg_restore")
_DEBIAN = Path("/usr/lib/postgresql")
_SUPERUSER = "postgres"


def programs_of_postgres() -> Path:
    """The directory of PostgreSQL's programs.

    Skips where there is none, and fails there under CI.
    """
    places = [*sorted(_DEBIAN.glob("*/bin"), key=_major, reverse=True)]
    on_path = shutil.which("initdb")
    places += [Path(on_path).parent] if on_path else []
    whole = (place for place in places if all((place / name).exists() for name in _PROGRAMS))
    if (found := next(whole, None)) is None:
        missing("NO POSTGRESQL: install Debian's postgresql, or have initdb and pg_ctl on PATH")
    return found


def _major(place: Path) -> int:
    name = place.parent.name
    return int(name) if name.isdigit() else 0


def _as_its_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={_SUPERUSER}", f"--regid={_SUPERUSER}", "--clear-groups"]


@dataclass(slots=True, kw_only=True)
class Postgres:
    """One server with any number of databases.

    Attributes:
        password: the superuser's.
        port: on the loopback.
        root: its directory; everything of it is there.
        encryption: what clients ask for, in libpq's words; `require` is all that is let in, or
            `disable`.
    """

    password: str = "super-secret"  # noqa: S105 - of a server that lives for a test
    port: int = field(default_factory=free_port)
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pods-postgres-")))
    encryption: str = "require"
    _bin: Path = field(default_factory=programs_of_postgres)

    def create(self) -> None:
        """Make the cluster and start it. Seconds."""
        self.root.chmod(0o755)
        (self.root / "password").write_text(self.password)
        self._make_certificate()
        if os.geteuid() == 0:
            for path in (self.root, *self.root.iterdir()):
                shutil.chown(path, _SUPERUSER, _SUPERUSER)
        self._do(
            "initdb", "--pgdata", self._data, "--username", _SUPERUSER, "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--auth", "scram-sha-256", "--pwfile", self.root / "password",
            "--no-sync",
        )  # fmt: skip
        kind = "hostnossl" if self.encryption == "disable" else "hostssl"
        self.write("pg_hba.conf", f"{kind} all all {HOST}/32 scram-sha-256\n")
        self.write(
            "postgresql.auto.conf",
            f"listen_addresses = '{HOST}'\nport = {self.port}\nunix_socket_directories = ''\n"
            f"ssl = on\nssl_cert_file = '{self.root}/cert'\nssl_key_file = '{self.root}/key'\n"
            "fsync = off\nmax_connections = 200\n",
        )
        self.start()

    @property
    def _data(self) -> Path:
        return self.root / "data"

    def write(self, name: str, text: str) -> None:
        """Write a file of the cluster's directory as it is to be owned."""
        path = self._data / name
        path.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(path, _SUPERUSER, _SUPERUSER)

    def _make_certificate(self) -> None:
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]
        command += ["-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
        command += ["-keyout", str(self.root / "key"), "-out", str(self.root / "cert")]
        subprocess.run(command, check=True, capture_output=True)
        (self.root / "key").chmod(0o600)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        log = self._data / "log"
        self._do("pg_ctl", "--pgdata", self._data, "--log", log, "--wait", "start")

    def stop(self) -> None:
        """Stop it as a crash does: every connection is cut. Repeatable."""
        if (self._data / "postmaster.pid").exists():
            self._do("pg_ctl", "--pgdata", self._data, "--mode", "immediate", "--wait", "stop")

    def remove(self) -> None:
        """Stop it and remove all it had."""
        self.stop()
        shutil.rmtree(self.root)

    def log(self) -> Path:
        """What it prints."""
        return self._data / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """What PostgreSQL's clients need to be its superuser."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGPASSWORD": self.password,
            "PGSSLMODE": self.encryption,
        }

    def uri(self, database: str, user: str, password: str) -> str:
        """The address of a database, as the Secret of lakeFS has it."""
        account = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgres://{account}@{HOST}:{self.port}/{database}?sslmode={self.encryption}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement as superuser and give its rows, columns parted by `|`."""
        return self.client("psql", "--tuples-only", "--no-align", "--command", statement,
                           database=database).said.strip()  # fmt: skip

    def client(
        self,
        program: str,
        *arguments: str | Path,
        database: str,
        user: str = _SUPERUSER,
        password: str | None = None,
    ) -> Finished:
        """Run one of PostgreSQL's clients on a database; it must succeed."""
        address = self.uri(database, user, password or self.password)
        done = run([self._bin / program, *arguments, "--dbname", address])
        assert done.code == 0, done.said
        return done

    def _do(self, program: str, *arguments: str | Path) -> None:
        done = run([*_as_its_user(), self._bin / program, *arguments])
        log = self.log()
        said = log.read_text()[-2000:] if log.exists() else ""
        assert done.code == 0, f"{done.said}\n{said}"
