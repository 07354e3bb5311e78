"""The services of compose.yaml run: in their order, with secrets out of files, on a PostgreSQL."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.loopback import HOST, Client, free_port
from tests.pods.composed import Machine, service
from tests.pods.pod import Container
from tests.pods.postgres import Postgres, programs_of_postgres
from tests.pods.process import Finished, Server, run, serving
from tests.tree import ROOT
from tests.wanted import lakefs_program

pytestmark = pytest.mark.servers


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Secrets made by compose/make-secrets, and a PostgreSQL whose superuser has them."""
    secrets = tmp_path / "secrets"
    subprocess.run(["sh", ROOT / "compose" / "make-secrets", secrets], check=True)
    password = (secrets / "postgres-password").read_text()
    postgres = Postgres(password=password, encryption="disable")
    try:
        postgres.create()
        yield Machine(
            root=tmp_path,
            secrets=with_address(secrets, postgres),
            elsewhere={
                "0.0.0.0:8000": f"{HOST}:{free_port()}",
                "/app/lakefs": str(lakefs_program()),
            },
        )
    finally:
        postgres.remove()


def with_address(secrets: Path, postgres: Postgres) -> Path:
    """Secrets with this PostgreSQL's address among them; its databases as compose makes them."""
    file = secrets / "lakefs-database-connection-string"
    there = file.read_text()
    assert "@postgres:5432/" in there
    file.chmod(0o644)
    file.write_text(there.replace("@postgres:5432/", f"@{HOST}:{postgres.port}/"))
    files = {
        "LAKEFS_PASSWORD_FROM_FILE": str(secrets / "lakefs-database-password"),
        "LABEL_STUDIO_PASSWORD_FROM_FILE": str(secrets / "label-studio-database-password"),
    }
    script = ROOT / "k8s" / "components" / "postgres" / "make-databases.sh"
    path = f"{programs_of_postgres()}:/usr/bin:/bin"
    made = run(
        ["sh", ROOT / "compose" / "with-secrets", "sh", script],
        environment={**postgres.environment, **files, "PATH": path},
    )
    assert made.code == 0, made.said
    return secrets


def ended(container: Container) -> Finished:
    """What a service came to that runs to its end."""
    return run(container.command, environment=container.environment)


def test_lakefs_of_compose(machine: Machine) -> None:
    """Set up before its port is there; the administrator is the one of the files."""
    done = ended(service(machine, "lakefs-set-up"))
    assert (done.code, done.said.strip()) == (0, "lakeFS is set up; its administrator is ops")
    again = ended(service(machine, "lakefs-set-up"))
    assert (again.code, again.said.strip()) == (0, "lakeFS was set up before")

    container = service(machine, "lakefs")
    client = Client(f"http://{machine.elsewhere['0.0.0.0:8000']}")
    server = Server(
        name="lakefs",
        command=container.command,
        environment=container.environment,
        directory=machine.root,
    )
    with serving(server, lambda: client.get("/api/v1/setup_lakefs").status == 200):
        claim = {"username": "mallory", "key": {"access_key_id": "A", "secret_access_key": "B"}}
        assert client.post_json("/api/v1/setup_lakefs", claim).status == 409
        keys = [
            (machine.secrets / name).read_text()
            for name in ("lakefs-access-key-id", "lakefs-secret-access-key")
        ]
        login = {"access_key_id": keys[0], "secret_access_key": keys[1]}
        assert client.post_json("/api/v1/auth/login", login).status == 200
        assert (
            client.post_json("/api/v1/auth/login", {**login, "secret_access_key": "x"}).status
            == 401
        )
        said = server.log.read_text()
    secrets = [path.read_text() for path in machine.secrets.iterdir()]
    assert [secret for secret in secrets if secret in said and secret != keys[0]] == []
