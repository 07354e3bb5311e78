"""`ops open --forward` by the real kubectl, through a real API server, to the real servers.

Only the kubelet is played: by kwok, whose port-forwards end at the session's servers.
"""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from ops.local import Connection
from tests.k8s.cluster import Cluster, kubectl, started
from tests.stack.ports import ports
from tests.stack.running import READY, forwarding, read_until, remember, servers_answer

__all__ = ["ports"]

pytestmark = [pytest.mark.cluster, pytest.mark.servers]

NAMESPACE = "labeling-ops"
PORTS = {"label-studio": 8080, "lakefs": 8000}
_DEADLINE_S = 60


@pytest.fixture(scope="module")
def cluster(servers: Connection) -> Iterator[Cluster]:
    """A cluster with both Services and their pods."""
    urls = {8000: servers.lakefs_url, 8080: servers.label_studio_url}
    behind = {port: urlsplit(url).port or 0 for port, url in urls.items()}
    with started(behind) as running:
        objects = [_namespace(), *(made for name in PORTS for made in _server(name))]
        running.kubectl("apply", "--filename=-", said=yaml.safe_dump_all(objects))
        wait_for_pods(running)
        yield running


def wait_for_pods(running: Cluster) -> None:
    """Wait until both run."""
    for name in PORTS:
        where = ("--namespace", NAMESPACE, f"--timeout={_DEADLINE_S}s")
        running.kubectl("rollout", "status", f"deployment/{name}", *where)


def _namespace() -> Mapping[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _server(name: str) -> Iterator[Mapping[str, Any]]:
    """A Deployment and a Service, as k8s/ names them."""
    about = {"name": name, "namespace": NAMESPACE}
    labels = {"app.kubernetes.io/name": name}
    ports = [{"name": "http", "containerPort": PORTS[name]}]
    container = {"name": name, "image": "example.invalid/never-pulled", "ports": ports}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {
            "selector": labels,
            "ports": [{"name": "http", "port": PORTS[name], "targetPort": "http"}],
        },
    }


def known(cluster: Cluster) -> object:
    """The stack's kubeconfig."""
    return yaml.safe_load(cluster.kubeconfig.read_text())


def on_path() -> str:
    """PATH with that kubectl first."""
    return f"{Path(kubectl()).parent}{os.pathsep}{os.environ['PATH']}"


def test_both_servers_are_reached_and_left(cluster: Cluster, tmp_path: Path) -> None:
    """Through Services, by the kubeconfig of the stack."""
    remember(tmp_path, known(cluster))
    with forwarding(tmp_path, path=on_path()) as running:
        read_until(running, READY)
        assert servers_answer()
        running.send_signal(signal.SIGINT)
        stdout, _ = running.communicate(timeout=_DEADLINE_S)
    assert (running.returncode, stdout) == (0, "nothing is forwarded any more\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [("token", "must be logged in"), ("namespace", "not found"), ("server", "refused")],
)
def test_what_the_cluster_refuses_is_passed_on(
    cluster: Cluster, tmp_path: Path, *, spoil: str, said: str
) -> None:
    """In kubectl's one line, with what to look at."""
    config: Any = known(cluster)
    if spoil == "token":
        config["users"][0]["user"]["token"] = "another"  # noqa: S105 - no password
    if spoil == "server":
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    remember(tmp_path, config, namespace="elsewhere" if spoil == "namespace" else NAMESPACE)
    with forwarding(tmp_path, "--json", path=on_path()) as running:
        stdout, _ = running.communicate(timeout=_DEADLINE_S)
    [error] = json.loads(stdout)["errors"]
    assert (running.returncode, error["code"]) == (7, "forward-failed")
    assert said in error["where"]["kubectl says"]
