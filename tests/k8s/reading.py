"""Finding one's way in manifests: what the invariants read them by."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]
Objects = Sequence[Object]
Invariant = Callable[[Objects], Iterator[str]]

NAMESPACE = "labeling-ops"
SUPPLIED: Mapping[tuple[str, str], frozenset[str]] = {
    ("ConfigMap", "label-studio"): frozenset(),
    ("ConfigMap", "lakefs"): frozenset({"lakefs.yaml"}),
    ("Secret", "label-studio"): frozenset(
        {"secret-key", "database-password", "username", "password"}
    ),
    ("Secret", "lakefs"): frozenset(
        {
            "access-key-id",
            "auth-encrypt-secret-key",
            "database-connection-string",
            "secret-access-key",
            "signing-secret-key",
        }
    ),
    ("Secret", "postgres"): frozenset({"password", "lakefs-password", "label-studio-password"}),
}
"""What a cluster supplies: the keys of each Secret and ConfigMap the manifests do not make."""

_UNITS = {"Ki": 2**10, "Mi": 2**20, "MiB": 2**20, "Gi": 2**30, "GiB": 2**30, "m": 1e-3, "": 1}


def of(objects: Objects, kind: str) -> Mapping[str, Object]:
    """All objects of a kind, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def label(one: Object) -> str:
    """The name of the program an object belongs to."""
    return str(one.get("metadata", {}).get("labels", {}).get("app.kubernetes.io/name", ""))


def pod_templates(objects: Objects) -> Mapping[str, Object]:
    """The pod template of everything that makes pods, by kind and name."""
    found: dict[str, Object] = {}
    for one in objects:
        where = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] in {"Deployment", "StatefulSet"}:
            found[where] = one["spec"]["template"]
        elif one["kind"] == "CronJob":
            found[where] = one["spec"]["jobTemplate"]["spec"]["template"]
    return found


def containers(objects: Objects) -> Iterator[tuple[str, Object]]:
    """All containers, init containers too, with where they are."""
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{where}, container {container['name']}", container


def servers(objects: Objects) -> Iterator[tuple[str, Object]]:
    """The containers that serve."""
    for where, template in pod_templates(objects).items():
        if not where.startswith("CronJob"):
            for container in template["spec"]["containers"]:
                yield f"{where}, container {container['name']}", container


def environment(container: Object) -> Mapping[str, Object]:
    """The variables of a container, by name."""
    return {one["name"]: one for one in container.get("env", [])}


def quantity(said: object) -> float:
    """A number of Kubernetes' or Go's, in bytes or processors."""
    matched = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(said))
    return float(matched[1]) * _UNITS[matched[2]] if matched else float("nan")
