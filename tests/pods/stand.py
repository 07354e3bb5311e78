"""The pods of the manifests on this machine, with a PostgreSQL and a bucket of their own.

Owns which addresses and programs stand for those of the cluster, and the order of things: set-up
before the server, as a pod has it.
"""

import asyncio
import base64
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import infra.database
from infra import configuration, manifests
from ops.local import Connection
from ops.local.home import Service
from ops.local.label_studio import obtain_token
from ops.local.loopback import HOST, Answer, Client, free_port
from ops.local.state import State, new_credentials
from tests.gcs.emulator import Emulator
from tests.pods.pod import Container, Surroundings, containers
from tests.pods.postgres import Postgres, programs_of_postgres
from tests.pods.process import Finished, Server, run, tail
from tests.wanted import lakefs_program

BUCKET = "acme-labels-data"
MEDIA_BUCKET = "acme-labels-media"
BUCKETS = (BUCKET, MEDIA_BUCKET)
EMAIL = "lena@example.org"
_OK = 200
_PODS = {Service.LAKEFS: "lakefs", Service.LABEL_STUDIO: "label-studio"}


@dataclass(slots=True, kw_only=True)
class Secrets:
    """What the Secrets hold; any may be changed, and the next start of a pod sees it."""

    lakefs_password: str = "lakefs-database-password"  # noqa: S105 - of a server of this test
    label_studio_password: str = "label-studio-database-password"  # noqa: S105
    lakefs_encryption_key: str = "an-encryption-key-of-some-length"
    lakefs_signing_key: str = "a-signing-key-of-some-length"
    access_key_id: str = "AKIAPODSPODSPODSPODS"
    secret_access_key: str = "the-first-secret-access-key"  # noqa: S105
    secret_key: str = "django's secret key, which is to be fifty characters long"  # noqa: S105
    first_password: str = "the first user's password"  # noqa: S105

    def every(self) -> Mapping[str, str]:
        """What may stand in no log, by name."""
        return {name: value for name, value in asdict(self).items() if name != "access_key_id"}


class Stand:
    """PostgreSQL, the emulator, lakeFS and Label Studio as their pods have them.

    Attributes:
        postgres: the server both have their databases on.
        secrets: what a pod that starts now finds in the Secrets.
        databases: which database a server that starts now serves.
    """

    def __init__(self, root: Path, postgres: Postgres, emulator: Emulator) -> None:
        """Nothing is started yet."""
        self.secrets = Secrets()
        self.databases = {Service.LAKEFS: "lakefs", Service.LABEL_STUDIO: "label_studio"}
        self._root = root
        self.postgres = postgres
        self._emulator = emulator
        self._program = lakefs_program()
        self._ports = {Service.LAKEFS: free_port()}
        self._ports[Service.LABEL_STUDIO] = free_port(besides=self._ports.values())
        self._servers: dict[Service, Server] = {}
        self._token = ""

    def url(self, service: Service) -> str:
        """A server's address."""
        return f"http://{HOST}:{self._ports[service]}"

    def client(self, service: Service) -> Client:
        """A client of a server."""
        return Client(self.url(service), timeout_s=60)

    # The pods.

    def pod(self, kind: str, name: str) -> Mapping[str, Container]:
        """The containers of a pod, by name, as a start now would have them."""
        return containers(self._around(), kind, name)

    def set_up(self, service: Service) -> Finished:
        """Run the container before the server to its end, whatever that is."""
        return self.run(self.pod("Deployment", _PODS[service])["set-up"])

    def run(self, container: Container, *, said: bytes = b"") -> Finished:
        """Run a container's command to its end."""
        return run(container.command, environment=self.seen(container), said=said)

    def script(self, name: str, *arguments: str) -> Finished:
        """Run a script of the dev overlay's PostgreSQL where its dumps are made."""
        container = self.pod("CronJob", "postgres-back-up")["back-up"]
        scripts = Path(container.command[-1]).parent
        environment = {**container.environment, **self.postgres.environment}
        command = ["sh", str(scripts / name), *arguments]
        return self.run(replace(container, command=command, environment=environment))

    @property
    def dumps(self) -> Path:
        """Where back-up.sh puts its dumps, a directory for each database."""
        return Path(self.pod("CronJob", "postgres-back-up")["back-up"].environment["BACKUPS"])

    def start(self, service: Service) -> None:
        """Set a server up and start it, as its pod does, until its readiness probe passes."""
        done = self.set_up(service)
        assert done.code == 0, done.said
        self.serve(service)

    def serve(self, service: Service) -> None:
        """Start a server that is set up, until its readiness probe passes."""
        name = _PODS[service]
        container = self.pod("Deployment", name)[name]
        self._servers[service] = server = Server(
            name=name,
            command=container.command,
            environment=self.seen(container),
            directory=self._root,
        )
        probe = container.probes["readinessProbe"]
        server.start(lambda: self.client(service).get(probe).status == _OK)

    def stop(self, service: Service) -> None:
        """Stop a server. Repeatable."""
        if service in self._servers:
            self._servers.pop(service).stop()

    def runs(self, service: Service) -> bool:
        """Whether a server's process is the one that was started."""
        return self._servers[service].runs()

    def probes(self, service: Service) -> Mapping[str, int]:
        """What each probe of a server is answered now, as an HTTP status."""
        name = _PODS[service]
        asked = self.pod("Deployment", name)[name].probes
        return {probe: self.client(service).get(path).status for probe, path in asked.items()}

    def log(self, service: Service) -> Path:
        """What a server prints."""
        return self._root / f"{_PODS[service]}.log"

    def basic(self) -> Mapping[str, str]:
        """The header of the administrator the Secret names."""
        pair = f"{self.secrets.access_key_id}:{self.secrets.secret_access_key}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def lakefs(self, path: str) -> Answer:
        """Ask lakeFS's API as that administrator."""
        return self.client(Service.LAKEFS).get(path, headers=self.basic())

    def can_log_in(self) -> bool:
        """Whether Label Studio's first user gets in with the Secret's password, by the form."""
        client = self.client(Service.LABEL_STUDIO)
        client.get("/user/login/")
        csrf = next(one.value for one in client.cookies if one.name == "csrftoken")
        fields = {"email": EMAIL, "password": self.secrets.first_password}
        client.post_form("/user/login/", {"csrfmiddlewaretoken": csrf or "", **fields})
        return client.get("/api/current-user/whoami").status == _OK

    def bucket_names(self, bucket: str) -> Sequence[str]:
        """The names of a bucket's objects."""
        listed = Client(self._emulator.url).get(f"/storage/v1/b/{bucket}/o").json()
        assert isinstance(listed, dict)
        items = cast("dict[str, list[dict[str, str]]]", listed).get("items", [])
        return [item["name"] for item in items]

    def asks_database(self) -> Finished:
        """A query with lakeFS's connection string as the Secret has it."""
        uri = self._around().secrets["lakefs"]["database-connection-string"]
        return run([programs_of_postgres() / "psql", uri, "--command", "select 1"])

    def sql(self, statement: str, service: Service) -> str:
        """Rows of a statement in a server's database, as PostgreSQL's superuser."""
        return self.postgres.sql(statement, database=self.databases[service])

    def tails(self) -> Mapping[str, str]:
        """The last words of every server."""
        logs = {path.stem: tail(path) for path in self._root.glob("*.log")}
        return {**logs, "postgres": tail(self.postgres.log())}

    def connection(self) -> Connection:
        """How to reach both servers; makes a token where the last one is no good any more."""
        if not self._is_good(self._token):
            credentials = replace(
                new_credentials(),
                label_studio_email=EMAIL,
                label_studio_password=self.secrets.first_password,
            )
            self._token = obtain_token(State(ports=self._ports, credentials=credentials))
        return Connection(
            lakefs_url=self.url(Service.LAKEFS),
            lakefs_access_key_id=self.secrets.access_key_id,
            lakefs_secret_access_key=self.secrets.secret_access_key,
            label_studio_url=self.url(Service.LABEL_STUDIO),
            label_studio_token=self._token,
            label_studio_email=EMAIL,
            label_studio_password=self.secrets.first_password,
        )

    def _is_good(self, token: str) -> bool:
        asked = {"refresh": token}
        found = self.client(Service.LABEL_STUDIO).post_json("/api/token/refresh/", asked)
        return found.status == _OK

    # What they find.

    def seen(self, container: Container) -> Mapping[str, str]:
        """All a container's process sees."""
        programs = [Path(sys.executable).parent, programs_of_postgres(), self._program.parent]
        path = os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)])
        return {**container.environment, "PATH": path}

    def _around(self) -> Surroundings:
        secrets, postgres = self.secrets, self.postgres
        lakefs_uri = postgres.uri(self.databases[Service.LAKEFS], "lakefs", secrets.lakefs_password)
        return Surroundings(
            manifests=manifests.load("dev"),
            config_maps={
                "lakefs": {"lakefs.yaml": lakefs_configuration()},
                "label-studio": self._label_studio_configuration(),
            },
            secrets={
                "lakefs": {
                    "database-connection-string": lakefs_uri,
                    "auth-encrypt-secret-key": secrets.lakefs_encryption_key,
                    "signing-secret-key": secrets.lakefs_signing_key,
                    "access-key-id": secrets.access_key_id,
                    "secret-access-key": secrets.secret_access_key,
                },
                "label-studio": {
                    "secret-key": secrets.secret_key,
                    "database-password": secrets.label_studio_password,
                    "username": EMAIL,
                    "password": secrets.first_password,
                },
                "postgres": {
                    "password": postgres.password,
                    "lakefs-password": secrets.lakefs_password,
                    "label-studio-password": secrets.label_studio_password,
                },
            },
            elsewhere=self._elsewhere(),
            added={
                **self._emulator.environment,
                "LAKEFS_BLOCKSTORE_GS_DISABLE_PRE_SIGNED": "true",
            },
            root=self._root,
        )

    def _elsewhere(self) -> Mapping[str, str]:
        lakefs, label_studio = (
            f"{HOST}:{self._ports[one]}" for one in (Service.LAKEFS, Service.LABEL_STUDIO)
        )
        package = find_spec("label_studio")
        assert package is not None
        assert package.origin is not None
        return {
            "0.0.0.0:8000": lakefs,
            "0.0.0.0:8080": label_studio,
            configuration.LAKEFS_ADDRESS.removeprefix("http://"): lakefs,
            "/app/lakefs": str(self._program),
            "/label-studio/label_studio": str(Path(package.origin).parent),
        }

    def _label_studio_configuration(self) -> Mapping[str, str]:
        server = configuration.DatabaseServer(
            host=HOST, encryption=infra.database.Encryption.REQUIRED
        )
        made = configuration.label_studio_environment(
            server, project="acme-labels", media_bucket=MEDIA_BUCKET, domain=""
        )
        texts = {name: value for name, value in made.items() if isinstance(value, str)}
        assert texts.keys() == made.keys(), "a value only the engine knows"
        return {
            **texts,
            "POSTGRE_PORT": str(self.postgres.port),
            "POSTGRE_NAME": self.databases[Service.LABEL_STUDIO],
        }


def lakefs_configuration() -> str:
    """lakefs.yaml, as infra/ makes it for two pods."""

    async def known() -> str:
        return await configuration.lakefs_yaml(f"gs://{BUCKET}/lakefs", replicas=2).future() or ""

    return asyncio.run(known())


def make_databases(stand: Stand) -> None:
    """Make both roles and databases, as the image of the dev overlay's PostgreSQL does."""
    done = stand.script("make-databases.sh")
    assert done.code == 0, done.said
