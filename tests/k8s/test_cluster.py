"""The manifests on a real API server: applied as its users do, admitted, rolled out."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.manifests import K8S
from tests.k8s.cluster import Cluster, kubectl
from tests.k8s.reading import NAMESPACE, SUPPLIED
from tests.waiting import wait_for

pytestmark = pytest.mark.cluster

_ROOT = K8S.parent
_IN = f"--namespace={NAMESPACE}"
_DEPLOYMENTS = ("deployment/lakefs", "deployment/label-studio")


@pytest.fixture(scope="module", params=["dev", "prod"])
def overlay(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """An overlay, applied as k8s/README.md says, and gone afterwards."""
    _follow_the_readme(cluster, "dev" if request.param == "dev" else None)
    if request.param != "dev":
        _apply(cluster, request.param)
    yield request.param
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout=120s")


def _follow_the_readme(cluster: Cluster, overlay: str | None) -> None:
    said = (K8S / "README.md").read_text("utf-8")
    [example] = re.findall(r"^```sh\n(.*?)^```", said, re.MULTILINE | re.DOTALL)
    if overlay is None:
        example = example.partition("kubectl apply -k")[0]
    environment = {
        "PATH": f"{Path(kubectl()).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(cluster.home),
        "KUBECONFIG": str(cluster.kubeconfig),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def _apply(cluster: Cluster, overlay: str) -> list[str]:
    """Apply an overlay, with no warning of any kind, and give what was done with each object."""
    folder = str(K8S / "overlays" / overlay)
    done = cluster.kubectl("apply", "-k", folder, "--validate=strict")
    assert done.stderr == ""
    return [line.rsplit(" ", 1)[1] for line in done.stdout.splitlines()]


def test_everything_rolls_out(cluster: Cluster, overlay: str) -> None:
    serving = [*_DEPLOYMENTS, *(["statefulset/postgres"] if overlay == "dev" else [])]
    for one in serving:
        cluster.kubectl("rollout", "status", one, _IN, "--timeout=90s")
    for name in ("lakefs", "label-studio"):
        pods = _pods(cluster, name)
        assert len(pods) == (1 if overlay == "dev" else 2)
        assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods)
        _wait_for_endpoints(cluster, name, len(pods))


def _wait_for_endpoints(cluster: Cluster, name: str, count: int) -> None:
    """Another controller makes them than the one that says a rollout is over."""
    wait_for(lambda: _served(cluster, name) == count, f"endpoints of {name}", timeout_s=60)


def _served(cluster: Cluster, name: str) -> int:
    """How many of a Service's endpoints are ready."""
    slices = cluster.objects("endpointslices", _IN, f"--selector=kubernetes.io/service-name={name}")
    endpoints = [one for found in slices for one in found["endpoints"] or ()]
    return sum(one["conditions"]["ready"] for one in endpoints)


def _pods(cluster: Cluster, name: str) -> list[dict[str, dict[str, object]]]:
    listed = cluster.objects("pods", _IN, f"--selector=app.kubernetes.io/name={name}")
    return [
        dict(pod)
        for pod in listed
        if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
    ]


def test_applying_again_changes_nothing(cluster: Cluster, overlay: str) -> None:
    for one in _DEPLOYMENTS:
        cluster.kubectl("rollout", "status", one, _IN, "--timeout=90s")
    before = _versions(cluster)
    # kubectl calls an object configured where the server has left out an empty value, too: what
    # counts is what the server has.
    assert set(_apply(cluster, overlay)) <= {"unchanged", "configured"}
    assert _versions(cluster) == before
    assert cluster.kubectl("diff", "-k", str(K8S / "overlays" / overlay)).stdout == ""


def _versions(cluster: Cluster) -> dict[str, str]:
    kinds = (
        "configmaps,cronjobs,deployments,networkpolicies,persistentvolumeclaims,"
        "poddisruptionbudgets,pods,secrets,serviceaccounts,services,statefulsets"
    )
    return {
        f"{one['kind']} {one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in cluster.objects(kinds, _IN)
    }


def test_no_pod_had_to_be_given_what_it_did_not_ask_for(cluster: Cluster, overlay: str) -> None:
    assert overlay
    for name in ("lakefs", "label-studio"):
        for pod in _pods(cluster, name):
            mounted = str(pod["spec"]["volumes"])
            assert "kube-api-access" not in mounted
            assert pod["status"]["qosClass"] in {"Burstable", "Guaranteed"}


def test_a_drain_takes_one_pod_at_a_time(cluster: Cluster, overlay: str) -> None:
    for one in (*_DEPLOYMENTS,):
        cluster.kubectl("rollout", "status", one, _IN, "--timeout=90s")
        name = one.partition("/")[2]
        [budget] = cluster.objects("poddisruptionbudget", name, _IN)
        assert budget["status"]["expectedPods"] == (1 if overlay == "dev" else 2)
        assert budget["status"]["disruptionsAllowed"] == 1


@pytest.mark.parametrize("overlay", ["dev"], indirect=True)
def test_a_dump_made_by_hand_is_admitted_and_ends(cluster: Cluster, overlay: str) -> None:
    assert overlay == "dev"
    made = cluster.kubectl("create", "job", "--from=cronjob/postgres-back-up", "now", _IN)
    assert made.stderr == ""
    cluster.kubectl("wait", "--for=condition=Complete", "job/now", _IN, "--timeout=60s")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('{"spec":{"containers":[{"name":"x","image":"x:1"}]}}', "runAsNonRoot"),
        ('{"spec":{"hostNetwork":true,"containers":[{"name":"x","image":"x:1"}]}}', "hostNetwork"),
    ],
)
def test_a_pod_that_is_not_restricted_is_refused(
    cluster: Cluster, overlay: str, change: str, named: str
) -> None:
    assert overlay
    arguments = ("run", "x", "--image=x:1", _IN, f"--overrides={change}")
    refused = cluster.kubectl(*arguments, check=False)
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr
    assert named in refused.stderr


def test_a_field_the_api_does_not_know_is_refused(cluster: Cluster, overlay: str) -> None:
    manifest = (K8S / "base" / "lakefs" / "service.yaml").read_text()
    wrong = manifest.replace("type: ClusterIP", "type: ClusterIP\n  sesionAffinity: None")
    arguments = ("apply", "--filename=-", _IN, "--validate=strict", "--dry-run=server")
    assert cluster.kubectl(*arguments, said=manifest).returncode == 0
    refused = cluster.kubectl(*arguments, said=wrong, check=False)
    assert 'unknown field "spec.sesionAffinity"' in refused.stderr
    assert overlay


@pytest.mark.parametrize("overlay", ["dev"], indirect=True)
def test_the_example_supplies_all_that_is_named_and_nothing_else(
    cluster: Cluster, overlay: str
) -> None:
    assert overlay == "dev"
    for (kind, name), keys in SUPPLIED.items():
        [supplied] = cluster.objects(kind.lower(), name, _IN)
        assert keys <= set(supplied["data"])
        if kind == "Secret":
            assert keys == set(supplied["data"])
    [lakefs] = cluster.objects("secret", "lakefs", _IN, "--output=json")
    assert lakefs["data"]["access-key-id"]
