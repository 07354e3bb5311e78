"""Every line of the manifests is held: break it, and an invariant or the API's schema says so.

What no invariant holds is named here, with why that is right.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes_validate
import pytest

from infra.manifests import load
from tests.k8s.invariants import problems

_Path = tuple[str | int, ...]
_Mutant = tuple[str, Mapping[str, Any]]

_NOT_HELD: Mapping[str, str] = {
    r"changed NetworkPolicy \S+ metadata\.name": "its name leads nowhere",
    r"\w+ PersistentVolumeClaim \S+ metadata\.labels\.app\S+/name": "nothing selects it",
    r"\w+ Deployment \S+ spec\.replicas": "an overlay's: held by test_manifests",
    r"\w+ \w+ \S+ spec\.(\w+HistoryLimit|progressDeadlineSeconds)": "how much is remembered",
    r"changed .*\.(failureThreshold|periodSeconds|sleep\.seconds)": "how long, not whether",
    r"changed .*\.(maxSurge|terminationGracePeriodSeconds)": "how much, not whether",
    r"changed CronJob .*\.(backoffLimit|startingDeadlineSeconds)": "how much, not whether",
    r"\w+ Deployment .*\.env\.\d+(\.name|\.value)?": (
        "no secret, no telemetry, no way in: what a program needs is held by tests/pods, which"
        " starts it with this environment"
    ),
    r"changed Deployment .*\.volumeMounts\.\d+\.mountPath": "held by tests/pods, as above",
    r"removed Deployment lakefs .*initContainers\.0\.volumeMounts\.0": (
        "set-up.sh's configuration: held by tests/pods, as above"
    ),
}


def _paths(node: object, prefix: _Path = ()) -> Iterator[_Path]:
    """Where everything in an object is, the object itself left out."""
    items: list[tuple[str | int, object]] = []
    if isinstance(node, dict):
        items = list(node.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(node, list):
        items = list(enumerate(node))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for key, value in items:
        yield (*prefix, key)
        yield from _paths(value, (*prefix, key))


def _changed(value: object) -> object:
    """Another value of the same type; None for what only holds others."""
    match value:
        case bool():
            return not value
        case int():
            return value * 1000 + 7
        case str():
            return f"{value}x"
        case _:
            return None


def _mutants(one: Mapping[str, Any]) -> Iterator[_Mutant]:
    """An object with one thing removed, or changed, each with what was done."""
    name = f"{one['kind']} {one['metadata']['name']}"
    for path in _paths(one):
        where = ".".join(map(str, path))
        for what in ("removed", "changed"):
            mutant = copy.deepcopy(dict(one))
            parent: Any = mutant
            for key in path[:-1]:
                parent = parent[key]
            if what == "removed":
                del parent[path[-1]]
            elif (value := _changed(parent[path[-1]])) is not None:
                parent[path[-1]] = value
            else:
                continue
            yield f"{what} {name} {where}", mutant


def _is_valid(one: Mapping[str, Any]) -> bool:
    try:
        kubernetes_validate.validate(dict(one), "1.36", strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError, KeyError):
        return False
    return True


def _survivors(overlay: str) -> list[str]:
    objects = load(overlay)
    return [
        said
        for index, one in enumerate(objects)
        # What is in a ConfigMap made of files are programs: tests/pods runs them.
        if one["kind"] != "ConfigMap"
        for said, mutant in _mutants(one)
        if not problems([*objects[:index], mutant, *objects[index + 1 :]]) and _is_valid(mutant)
    ]


def test_every_line_is_held_or_named_here() -> None:
    survivors = {*_survivors("dev"), *_survivors("prod")}
    not_held = {one for one in survivors if not any(re.fullmatch(name, one) for name in _NOT_HELD)}
    assert not_held == set()
    stale = {name for name in _NOT_HELD if not any(re.fullmatch(name, one) for one in survivors)}
    assert stale == set()


_EVERYBODY: Mapping[str, Any] = {
    "podSelector": {},
    "policyTypes": ["Ingress"],
    "ingress": [{"ports": []}],
}
_PRIVATE_TOO: Mapping[str, Any] = {
    "podSelector": {},
    "policyTypes": ["Egress"],
    "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}],
}


@pytest.mark.parametrize(
    ("kind", "spec", "named"),
    [
        ("Secret", None, "written here"),
        ("Job", None, "a Job"),
        ("Ingress", None, "a Ingress"),
        ("NetworkPolicy", _EVERYBODY, "with everybody"),
        ("NetworkPolicy", _PRIVATE_TOO, "private addresses"),
    ],
)
def test_what_must_not_be_there_is_found(kind: str, spec: object, named: str) -> None:
    metadata = {"name": "x", "namespace": "labeling-ops"}
    found = problems([*load("dev"), {"kind": kind, "metadata": metadata, "spec": spec}])
    assert any(named in one for one in found)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("image",), "treeverse/lakefs:latest", "image treeverse/lakefs:latest"),
        (("image",), "treeverse/lakefs", "image treeverse/lakefs"),
        (("image",), "treeverse/lakefs:1.83.0", "1.83.0"),
        (("securityContext", "capabilities", "add"), ["NET_RAW"], "security context"),
        (("env", 3, "value"), "AKIAIOSFOLQUICKSTART", "a public key"),
        (("resources", "limits", "memory"), "256Mi", "memory"),
    ],
)
def test_a_line_too_many_or_a_wrong_one_is_found(path: _Path, value: object, named: str) -> None:
    objects = load("dev")
    [lakefs] = [
        one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Deployment", "lakefs")
    ]
    parent: Any = lakefs["spec"]["template"]["spec"]["containers"][0]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    assert any(named in one for one in problems(objects))
