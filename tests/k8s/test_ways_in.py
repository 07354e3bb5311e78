"""What infra/ adds to the manifests for people and jobs outside, on a real API server."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import yaml

from infra.manifests import K8S
from tests.infra.test_exposure import MEMBERS, exposure, training
from tests.k8s.cluster import Cluster
from tests.k8s.gateway import install_gateway_api
from tests.k8s.reading import NAMESPACE

pytestmark = pytest.mark.cluster

_KUBERNETES = "kubernetes:"
_GOOGLES = "networking.gke.io/"
"""Definitions that Google publishes nowhere: see tests/infra for what is asserted of them."""


def _declared() -> Sequence[Mapping[str, Any]]:
    recorded = (exposure(members=MEMBERS), training())
    return [
        each.inputs
        for one in recorded
        for each in one.resources
        if each.type.startswith(_KUBERNETES) and "apiVersion" in each.inputs
    ]


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster that knows the Gateway API and has the namespace."""
    install_gateway_api(cluster)
    cluster.kubectl("apply", f"--filename={K8S / 'base' / 'namespace.yaml'}")
    yield cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout=120s")


def _applied(cluster: Cluster, objects: Sequence[Mapping[str, Any]]) -> str:
    text = yaml.safe_dump_all(objects)
    done = cluster.kubectl(
        "apply", "--server-side", "--filename=-", "--validate=strict", said=text, check=False
    )
    return done.stderr


def test_ways_in_are_what_the_api_takes_to_the_letter(served: Cluster) -> None:
    objects = [one for one in _declared() if not one["apiVersion"].startswith(_GOOGLES)]
    kinds = {one["kind"] for one in objects}
    assert {"Gateway", "HTTPRoute", "NetworkPolicy", "Service"} <= kinds
    assert _applied(served, objects) == ""
    [internal] = served.objects("service", "lakefs-internal", f"--namespace={NAMESPACE}")
    assert internal["spec"]["type"] == "LoadBalancer"


def test_a_route_the_api_does_not_take_is_noticed(served: Cluster) -> None:
    [route] = [one for one in _declared() if one["metadata"]["name"] == "to-https"]
    unknown, wrong = copy.deepcopy(dict(route)), copy.deepcopy(dict(route))
    unknown["spec"]["hostname"] = "labeling.example.org"
    wrong["spec"]["rules"][0]["matches"] = [{"path": {"type": "Prefix", "value": "/"}}]
    assert ".spec.hostname: field not declared in schema" in _applied(served, [unknown])
    assert 'Unsupported value: "Prefix"' in _applied(served, [wrong])
