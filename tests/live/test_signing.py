"""Signed addresses: lakeFS over a store that it can sign for, and over ones that it cannot.

The store is another lakeFS, by its S3 gateway: what is signed is checked by a real server.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from ops.core.health import Diagnosis, Verdict
from ops.lake import LakeFS
from ops.lake.probing import ProbedLakeFS
from ops.live.signing import examine_signing
from ops.local import Connection
from ops.local.home import Home
from ops.local.lakefs_binary import find_binary
from ops.local.loopback import HOST, Client, free_port
from ops.ports import Upload
from tests.gcs.emulator import emulator
from tests.narration import Narration
from tests.pods.process import Server
from tests.real import SHARED, explicit_binary

KEY = ("AKIASIGNING", "hush-signing")
_OK = 200


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where a lakeFS keeps its objects: its configuration, and what it needs around it."""

    blockstore: str
    namespace: str
    environment: dict[str, str]


@contextmanager
def lakefs(root: Path, store: Store) -> Generator[ProbedLakeFS]:
    """A lakeFS of a test's own on a store, with a repository that holds an object."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    config = root / "lakefs.yaml"
    config.write_text(
        f"listen_address: {HOST}:{port}\n"
        f"database: {{type: local, local: {{path: {root}/kv}}}}\n"
        "auth: {encrypt: {secret_key: a-key-of-some-length}}\n"
        f"blockstore: {store.blockstore}\n"
        f"committed: {{local_cache: {{dir: {root}/cache, size_bytes: 20000000}}}}\n"
        "stats: {enabled: false}\nemail_subscription: {enabled: false}\n"
        "security: {check_latest_version: false, audit_check_url: ''}\n"
        f"installation: {{user_name: ops, access_key_id: {KEY[0]}, secret_access_key: {KEY[1]}}}\n"
    )
    program = find_binary(Home.at(SHARED), Narration(), explicit=explicit_binary())
    server = Server(
        name="lakefs",
        command=[str(program), "--config", str(config), "run"],
        environment={"HOME": str(root), **store.environment},
        directory=root,
    )
    try:
        server.start(lambda: Client(url, timeout_s=2).get("/_health").status == _OK)
        lake = ProbedLakeFS(url, *KEY, "cheese", tries=1)
        assert lake.create_repository(store.namespace)
        lake.create_branch("work", "main")
        lake.write_many("work", [Upload(path="images/a.png", data=b"abc")])
        lake.commit("work", "A", {})
        lake.merge("work", "main", "A", {})
        yield lake
    finally:
        server.stop()


@pytest.fixture
def gateway(servers: Connection) -> Store:
    """The session's lakeFS as an S3 store: a branch of a repository of its own."""
    below = f"store-{uuid4().hex[:12]}"
    keys = (servers.lakefs_access_key_id, servers.lakefs_secret_access_key)
    lake = LakeFS(servers.lakefs_url, *keys, below)
    assert lake.create_repository(f"local://{below}")
    credentials = f"{{access_key_id: {keys[0]}, secret_access_key: {keys[1]}}}"
    return Store(
        blockstore=f"{{type: s3, signing: {{secret_key: x}}, s3: {{force_path_style: true, "
        f"endpoint: '{servers.lakefs_url}', discover_bucket_region: false, region: us-east-1, "
        f"credentials: {credentials}}}}}",
        namespace=f"s3://{below}/main/lakefs",
        environment={},
    )


@pytest.fixture
def google() -> Iterator[Store]:
    """The emulator: nobody can sign for it, as where an account may not sign for itself."""
    with emulator() as cloud:
        made = Client(cloud.url).post_json("/storage/v1/b?project=x", {"name": "signing-data"})
        assert made.status == _OK
        yield Store(
            blockstore="{type: gs, signing: {secret_key: x}}",
            namespace="gs://signing-data/lakefs",
            environment=cloud.environment,
        )


def look(lake: ProbedLakeFS) -> Diagnosis:
    """How the check comes out."""
    return examine_signing(lake, "main")


@pytest.mark.servers
def test_what_is_signed_is_honoured(gateway: Store, tmp_path: Path) -> None:
    """The address opens the object without any credentials."""
    with lakefs(tmp_path, gateway) as lake:
        found = look(lake)
    assert (found.verdict, found.message) == (
        Verdict.OK,
        "lakeFS signs addresses, and its store honours them",
    )


@pytest.mark.servers
def test_what_the_store_refuses_is_told(
    gateway: Store, tmp_path: Path, servers: Connection
) -> None:
    """The store lost the object; what opens it is in no message."""
    with lakefs(tmp_path, gateway) as lake:
        below = LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            gateway.namespace.split("/")[2],
        )
        below.delete_many("main", [one.path for one in below.list_objects("main", "lakefs/data/")])
        found = look(lake)
    assert found.error is not None
    assert (found.error.exit_code, found.error.code) == (6, "signed-refused")
    assert "404" in found.message
    assert "Signature" not in str(found)


@pytest.mark.servers
def test_an_account_that_may_not_sign_is_told(google: Store, tmp_path: Path) -> None:
    """LakeFS says that it can, and then cannot."""
    with lakefs(tmp_path, google) as lake:
        found = look(lake)
    assert found.error is not None
    assert (found.error.exit_code, found.error.code) == (8, "cannot-sign")
    assert "roles/iam.serviceAccountTokenCreator" in found.remedy


@pytest.mark.servers
def test_a_store_that_signs_nothing_is_passed_over(servers: Connection) -> None:
    """The local servers': bytes go through lakeFS."""
    lake = ProbedLakeFS(
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        "any-repository",
    )
    assert look(lake).verdict is Verdict.SKIPPED


def test_a_lake_that_does_not_answer_is_told() -> None:
    """Between two looks."""
    found = look(ProbedLakeFS("http://127.0.0.1:9", *KEY, "cheese", tries=1))
    assert found.verdict is Verdict.FAIL
    assert found.error is not None
    assert found.error.code == "lakefs-unreachable"
