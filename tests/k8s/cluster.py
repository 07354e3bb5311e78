"""A real Kubernetes cluster but for its containers: API server, controllers, scheduler, two nodes.

Owns its start, in a home of its own and on free loopback ports, and its end. kwok plays the nodes:
a pod is bound, "runs" and is Ready, and a claim gets a volume, without any container. So what the
API server, its admission and the controllers say is real; what an image does is not to be seen
here.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops.local.loopback import HOST, free_port
from tests.built import built
from tests.wanted import missing

_TOOLS = Path(__file__).parents[2] / "tools"
_READY_TIMEOUT_S = 120.0
_PAUSE_S = 0.1
_OLDEST_KUBECTL = (1, 30)
_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat/node-heartbeat.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
    "pod/fast/pod-ready.yaml",
    "volume/fast/pv-bind.yaml",
    "volume/fast/pv-delete.yaml",
    "volume/fast/pvc-delete.yaml",
    "volume/fast/pvc-provision.yaml",
)
_ZONES = ("a", "b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running cluster, and its administrator.

    Attributes:
        url: of the API server.
        token: the administrator's bearer token.
        kubeconfig: a file with both, and with the authority that signed the server's certificate.
        authority: that authority's certificate.
        home: where the logs are.
        behind: by a pod's port, the port of this machine that a port-forward to it ends at.
    """

    url: str
    token: str
    kubeconfig: Path
    authority: Path
    home: Path
    behind: Mapping[int, int] = field(default_factory=dict[int, int])

    def kubectl(
        self, *arguments: str, said: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; `said` is its input.

        Raises:
            AssertionError: it failed, and `check` is set; with what it said.
        """
        done = subprocess.run(
            [kubectl(), *arguments],
            input=said,
            env={**_bare_environment(self.home), "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done

    def objects(self, *arguments: str) -> Sequence[Mapping[str, Any]]:
        """What `kubectl get` with these arguments lists."""
        found = json.loads(self.kubectl("get", *arguments, "--output=json").stdout)
        return cast("list[Mapping[str, Any]]", found.get("items", [found]))

    def logs(self, *, lines: int = 15) -> str:
        """The last lines every program of the cluster wrote."""
        return "\n".join(
            f"--- {path.name}\n{_last_lines(path, lines)}"
            for path in sorted(self.home.glob("*.log"))
        )


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of the session's own.

    Skips where its programs are not to be had, and fails there under CI.
    """
    with started() as running:
        yield running


@contextmanager
def started(behind: Mapping[int, int] | None = None) -> Generator[Cluster]:
    """Start a cluster and stop it again. Some seconds, once its programs are built.

    Args:
        behind: where a port-forward to a pod's port ends: a port of this machine.
    """
    etcd = shutil.which("etcd")
    if etcd is None:
        missing("NO CLUSTER: no etcd on PATH (Debian: etcd-server)")
    home = Path(tempfile.mkdtemp(prefix="labeling-ops-cluster-"))
    try:
        with ExitStack() as running:
            yield _start(home, etcd, running, behind or {})
    finally:
        shutil.rmtree(home)


@cache
def kubectl() -> str:
    """A kubectl that is recent enough: the one on PATH, or one built for us."""
    found = shutil.which("kubectl")
    if found is not None:
        said = subprocess.run(
            [found, "version", "--client", "--output=json"],
            capture_output=True,
            check=False,
        )
        if said.returncode == 0:
            version = json.loads(said.stdout)["clientVersion"]
            if (int(version["major"]), int(version["minor"].rstrip("+"))) >= _OLDEST_KUBECTL:
                return found
    return str(built("kubectl"))


def _start(home: Path, etcd: str, running: ExitStack, behind: Mapping[int, int]) -> Cluster:
    ports: list[int] = []
    for _ in range(4):
        ports.append(free_port(besides=ports))
    etcd_url, peer_url = (f"http://{HOST}:{port}" for port in ports[:2])
    the_cluster = replace(_prepared(home, f"https://{HOST}:{ports[2]}"), behind=behind)
    programs = _Programs(home, running)
    programs.start(
        etcd,
        f"--data-dir={home / 'etcd'}",
        "--unsafe-no-fsync=true",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--logger=zap",
    )
    programs.start(built("kube-apiserver"), *_api_server_arguments(home, etcd_url, ports[2]))
    programs.wait(lambda: _is_ready(the_cluster), "the API server is ready")
    for name in ("kube-controller-manager", "kube-scheduler"):
        programs.start(built(name), *_controller_arguments(name, the_cluster))
    programs.start(
        built("kwok"),
        f"--kubeconfig={the_cluster.kubeconfig}",
        f"--config={_stages(home, behind)}",
        "--manage-all-nodes",
        f"--server-address={HOST}:{ports[3]}",
        # As a kubelet: who asks the API server for a port-forward is handed on to there.
        *(f"--node-ip={HOST}", f"--node-port={ports[3]}"),
        f"--tls-cert-file={the_cluster.authority}",
        f"--tls-private-key-file={the_cluster.authority.with_suffix('.key')}",
    )
    the_cluster.kubectl("apply", "--filename=-", said=yaml.safe_dump_all(_fixtures()))
    programs.wait(lambda: _nodes_are_ready(the_cluster), "both nodes are ready")
    return the_cluster


class _Programs:
    """Programs that run until the stack they are on is left."""

    def __init__(self, home: Path, running: ExitStack) -> None:
        self._home = home
        self._running = running
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: str | Path, *arguments: str) -> None:
        name = Path(program).name
        log = self._running.enter_context((self._home / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_bare_environment(self._home),
            cwd=self._home,
        )
        self._processes[name] = process
        self._running.callback(_stop, process)

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        Raises:
            AssertionError: it does not come true, or a program ended; with the logs.
        """
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not is_so():
            ended = [name for name, one in self._processes.items() if one.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = [f"--- {path}\n{_last_lines(path, 15)}" for path in self._home.glob("*.log")]
                raise AssertionError(f"not so: {what}; ended: {ended}\n" + "\n".join(logs))
            time.sleep(_PAUSE_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bare_environment(home: Path) -> Mapping[str, str]:
    # No configuration, cache or proxy of the person's.
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}


def _last_lines(path: Path, lines: int) -> str:
    return "\n".join(path.read_text("utf-8", errors="replace").splitlines()[-lines:])


def _prepared(home: Path, url: str) -> Cluster:
    """A home with the files the programs read."""
    token = secrets.token_urlsafe(24)
    (home / "tokens.csv").write_text(f'{token},administrator,administrator,"system:masters"\n')
    key = ["openssl", "genrsa", "-out", home / "service-account.key", "2048"]
    subprocess.run(key, check=True, capture_output=True)
    authority = home / "certificates" / "apiserver.crt"
    kubeconfig = home / "kubeconfig"
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    server = {"server": url, "certificate-authority": str(authority)}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": server}],
                "users": [{"name": "test", "user": {"token": token}}],
                "contexts": [context],
                "current-context": "test",
            }
        )
    )
    return Cluster(url=url, token=token, kubeconfig=kubeconfig, authority=authority, home=home)


def _api_server_arguments(home: Path, etcd_url: str, port: int) -> Sequence[str]:
    return (
        f"--etcd-servers={etcd_url}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={port}",
        f"--cert-dir={home / 'certificates'}",
        f"--service-account-key-file={home / 'service-account.key'}",
        f"--service-account-signing-key-file={home / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={home / 'tokens.csv'}",
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        # Debian's etcd 3.4 cannot say how far a watch has come. With what rests on that, lists are
        # as old as the last event, and controllers are told of a change minutes later.
        "--feature-gates=WatchList=false,ListFromCacheSnapshot=false"
        ",SizeBasedListCostEstimate=false,DetectCacheInconsistency=false",
    )


def _controller_arguments(name: str, running: Cluster) -> Sequence[str]:
    arguments = [f"--kubeconfig={running.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
    if name == "kube-controller-manager":
        arguments += [
            f"--service-account-private-key-file={running.home / 'service-account.key'}",
            f"--root-ca-file={running.authority}",
        ]
    return arguments


def _is_ready(running: Cluster) -> bool:
    if not running.authority.exists():
        return False
    return running.kubectl("get", "--raw=/readyz", check=False).returncode == 0


def _nodes_are_ready(running: Cluster) -> bool:
    nodes = running.objects("nodes")
    ready = [
        condition["status"]
        for node in nodes
        for condition in node.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready"
    ]
    accounts = running.kubectl("get", "serviceaccount", "default", check=False)
    return ready == ["True"] * len(_ZONES) and accounts.returncode == 0


def _stages(home: Path, behind: Mapping[int, int]) -> Path:
    """Give kwok's own description of how nodes, pods and volumes live, out of its module."""
    said = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"],
        cwd=_TOOLS / "kwok",
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(said.stdout.strip()) / "kustomize" / "stage"
    path = home / "stages.yaml"
    documents = [(folder / name).read_text() for name in _STAGES]
    path.write_text("\n---\n".join([*documents, yaml.safe_dump(_port_forward(behind))]))
    return path


def _port_forward(behind: Mapping[int, int]) -> Mapping[str, Any]:
    """Where kwok lets port-forwards to any pod end."""
    forwards = [
        {"ports": [port], "target": {"address": HOST, "port": there}}
        for port, there in behind.items()
    ]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterPortForward",
        "metadata": {"name": "behind"},
        "spec": {"forwards": forwards},
    }


def _fixtures() -> Sequence[Mapping[str, Any]]:
    """Two nodes in two zones, and the storage class kwok makes volumes of."""
    volumes = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "kwok-volume",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kwok.x-k8s.io/volume",
    }
    return [volumes, *(_node(zone) for zone in _ZONES)]


def _node(zone: str) -> Mapping[str, Any]:
    name = f"node-{zone}"
    resources = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": "test",
        "topology.kubernetes.io/zone": f"test-{zone}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": resources, "capacity": resources},
    }
