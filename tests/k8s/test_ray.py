"""Ray's manifests: valid, closed, and of the versions that ops is locked to."""

import copy
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra import ray
from infra.manifests import K8S, load
from tests.k8s import lives, network, pods
from tests.k8s.cluster import kubectl
from tests.k8s.reading import Invariant, of, quantity
from tests.tree import ROOT
from tools.ray_requirements import text

OVERLAYS = ("dev", "prod")
EVERYWHERE: tuple[Invariant, ...] = (
    pods.pods_are_by_themselves,
    pods.containers_are_restricted,
    pods.images_are_pinned,
    pods.settings_are_closed,
    lives.a_drain_takes_one_at_a_time,
    lives.labels_say_whose_it_is,
    lives.namespace_is_restricted,
    network.everything_is_denied,
)
"""Invariants of tests/k8s that know no server by name."""
TALK = {
    *((one, way, other, 1024) for one in ("ray-head", "ray-worker") for way in ("from", "to")
      for other in ("ray-head", "ray-worker")),
    *((one, "to", "0.0.0.0/0", 443) for one in ("ray-head", "ray-worker")),
    ("ray-worker", "to", "lakefs", "http"),
    ("lakefs", "from", "ray-worker", "http"),
}  # fmt: skip
"""Who talks to whom because of Ray: everything else stays as it was."""

Objects = Mapping[tuple[str, str], Mapping[str, Any]]


def by_name(overlay: str) -> Objects:
    """The objects of an overlay."""
    return {(one["kind"], one["metadata"]["name"]): one for one in load(overlay)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_infra_reads_what_kubectl_reads_and_all_of_it_is_valid(overlay: str) -> None:
    folder = K8S / "overlays" / f"{overlay}-ray"
    said = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, check=True)
    known = {(one["kind"], one["metadata"]["name"]): one for one in _yaml(said.stdout)}
    found = by_name(f"{overlay}-ray")
    assert found == known
    for one in found.values():
        kubernetes_validate.validate(dict(one), "1.36", strict=True)


def _yaml(text: bytes) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_without_ray_nothing_is_different(overlay: str) -> None:
    """It is added, and changes none of what is there."""
    plain, more = by_name(overlay), by_name(f"{overlay}-ray")
    assert {name: more[name] for name in plain} == plain
    assert {name for _, name in more.keys() - plain.keys()} == {
        *("ray", "ray-head", "ray-worker", "ray-packages", "ray-to-lakefs", "lakefs-from-ray"),
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("invariant", EVERYWHERE)
def test_what_holds_of_every_object_holds_of_ray(invariant: Invariant, overlay: str) -> None:
    assert list(invariant(load(f"{overlay}-ray"))) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_ray_talks_to_ray(overlay: str) -> None:
    """Its own pods among themselves, workers to lakeFS, and packages from outside at the start."""
    plain, more = ({*network.allowed(load(one))} for one in (overlay, f"{overlay}-ray"))
    assert {(who, way, other, port) for who, way, other, port, _ in more - plain} == TALK
    assert plain <= more


def test_versions_are_those_of_the_lock() -> None:
    """Ray takes no other, and Pillow of another version may see other pixels."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    (version,) = (each["version"] for each in lock["package"] if each["name"] == "ray")
    images = {
        container["image"]
        for name in (ray.HEAD, ray.WORKER)
        for kind in ("initContainers", "containers")
        for container in spec_of(by_name("dev-ray"), name)[kind]
    }
    assert images == {f"rayproject/ray:{version}-py311"}
    requirements = (K8S / "components" / "ray" / "requirements.txt").read_text("utf-8")
    assert requirements == text(), "python -m tools.ray_requirements > this file"


def spec_of(objects: Objects, name: str) -> dict[str, Any]:
    """The pods of a Deployment."""
    return objects["Deployment", name]["spec"]["template"]["spec"]


def problems(objects: Objects) -> list[str]:
    """What is wrong with Ray's pods, in words."""
    found = [
        f"{name} {one}" for name in (ray.HEAD, ray.WORKER) for one in _wrong(spec_of(objects, name))
    ]
    command = spec_of(objects, ray.HEAD)["containers"][0]["command"]
    if not {"--include-dashboard=false", "--num-cpus=0"} <= {*command}:
        found.append("the head works, or has a dashboard")
    service = objects["Service", ray.HEAD]["spec"]
    address = f"--address={ray.HEAD}:{service['ports'][0]['port']}"
    if address not in spec_of(objects, ray.WORKER)["containers"][0]["command"]:
        found.append("workers look for their head where it is not")
    if service["type"] != "ClusterIP":
        found.append("the head has an address outside")
    return found


def _wrong(spec: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one Deployment's pods."""
    nobody = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    if not spec["securityContext"].items() >= nobody.items():
        yield "is somebody"
    if spec["serviceAccountName"] != "ray" or spec["automountServiceAccountToken"]:
        yield "has a token of the cluster"
    (packages,) = spec["initContainers"]
    if not {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= {*packages["command"]}:
        yield "installs what nobody pinned"
    (container,) = spec["containers"]
    said = {one["name"]: one for one in container["env"]}
    if said["RAY_AUTH_MODE"]["value"] != "token":
        yield "asks for no token"
    token = {"secretKeyRef": {"name": "ray", "key": "token"}}
    if said["RAY_AUTH_TOKEN"].get("valueFrom") != token:
        yield "has no token"
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "true"}
    if {key: said[key]["value"] for key in quiet} != quiet:
        yield "calls home"
    yield from _memory(spec, container)


def _memory(spec: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """The object store fits into its volume, and the volume into what the pod may take."""
    (store,) = (
        int(word.partition("=")[2])
        for word in container["command"]
        if word.startswith("--object-store-memory=")
    )
    volumes = {each["name"]: each for each in spec["volumes"]}
    shared = quantity(volumes["shared-memory"]["emptyDir"]["sizeLimit"])
    fits = store <= shared < quantity(container["resources"]["limits"]["memory"])
    return [] if fits else ["its object store does not fit"]


def test_ray_s_pods_are_as_they_are_to_be() -> None:
    for overlay in OVERLAYS:
        assert problems(by_name(f"{overlay}-ray")) == []
    assert of(load("dev-ray"), "Service")[ray.HEAD]["spec"]["ports"][1]["port"] == int(
        ray.ADDRESS.rpartition(":")[2]
    )


BREAKS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "is somebody": lambda spec: spec["securityContext"].update(runAsUser=0),
    "has a token of the cluster": lambda spec: spec.update(automountServiceAccountToken=True),
    "installs what nobody pinned": lambda spec: spec["initContainers"][0]["command"].remove(
        "--require-hashes"
    ),
    "asks for no token": lambda spec: spec["containers"][0]["env"][2].update(value="disabled"),
    "has no token": lambda spec: spec["containers"][0]["env"][3].pop("valueFrom"),
    "calls home": lambda spec: spec["containers"][0]["env"][4].update(value="1"),
    "does not fit": lambda spec: spec["volumes"][-1]["emptyDir"].update(sizeLimit="64Mi"),
    "the head works": lambda spec: spec["containers"][0]["command"].remove("--num-cpus=0"),
}  # fmt: skip
"""What is done to the head's pods, by what must be noticed."""


@pytest.mark.parametrize("noticed", BREAKS)
def test_every_broken_line_is_noticed(noticed: str) -> None:
    objects = {name: copy.deepcopy(dict(one)) for name, one in by_name("dev-ray").items()}
    BREAKS[noticed](spec_of(objects, ray.HEAD))
    assert [one for one in problems(objects) if noticed in one]
