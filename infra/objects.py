"""Kubernetes objects as plain data: what one is, what its pods read, how it is changed.

Pure: no resource is declared here (infra/workloads.py does). Nothing is changed in place.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

Object = Mapping[str, Any]


def kind_of(body: Object) -> str:
    """API version and kind, as `apps/v1 Deployment`."""
    return f"{body['apiVersion']} {body['kind']}"


def name_of(body: Object) -> tuple[str, str]:
    """Kind and name, which say which object of a namespace it is."""
    return body["kind"], body["metadata"]["name"]


def merged(base: Object, change: Object) -> Object:
    """`base` with `change` laid over it, mapping by mapping; a list is replaced as a whole."""
    return {**base, **{key: _laid_over(base.get(key), value) for key, value in change.items()}}


def _laid_over(base: object, change: object) -> object:
    if isinstance(base, Mapping) and isinstance(change, Mapping):
        return merged(cast("Object", base), cast("Object", change))
    return change


def with_variable(job: Object, name: str, value: str) -> Object:
    """A CronJob whose containers have another value of an environment variable they all have.

    Raises:
        KeyError: one of them has no such variable, so that it would be said to nobody.
    """
    path = ("spec", "jobTemplate", "spec", "template", "spec")
    pods = job
    for field in path:
        pods = pods[field]
    change: Object = {"containers": [_varied(each, name, value) for each in pods["containers"]]}
    for field in reversed(path):
        change = {field: change}
    return merged(job, change)


def _varied(container: Object, name: str, value: str) -> Object:
    variables = container.get("env", [])
    if name not in {each["name"] for each in variables}:
        raise KeyError(name)
    changed = [{**each, "value": value} if each["name"] == name else each for each in variables]
    return {**container, "env": changed}


def sources_of(body: Object) -> frozenset[tuple[str, str]]:
    """Kind and name of each ConfigMap and Secret without which a workload's pods do not start.

    Looks at the pod template of a Deployment or StatefulSet, and of a CronJob's job.
    """
    spec = body["spec"]
    template = (
        spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    )
    return frozenset(_sources(template["spec"]))


_REFERENCES = {
    # Where a name is, in each way a pod can read a ConfigMap or Secret.
    "configMap": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
}


def _sources(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _sources(each)
    elif isinstance(value, Mapping):
        for key, part in cast("Object", value).items():
            if key in _REFERENCES:
                yield from _referred(key, part)
            yield from _sources(part)


def _referred(key: str, reference: object) -> Iterator[tuple[str, str]]:
    if not isinstance(reference, Mapping):
        return
    fields = cast("Object", reference)
    kind, where = _REFERENCES[key]
    # Inside a projected volume a Secret goes by `name`, too.
    named = fields.get(where) or fields.get("name")
    if named and not fields.get("optional"):
        yield kind, str(named)
