"""The manifests of k8s/ as plain objects, read as `kubectl kustomize` reads them.

Owns a small part of kustomize, so that `pulumi up` needs no program beside it and an object can be
changed before it is declared: `resources`, `components`, `patches` (JSON 6902, in a file, with a
target), `namespace`, `labels`, `replicas`, `images` and `configMapGenerator` (files, no hash in the
name). Whatever else a kustomization says is refused, never passed over. That both readings are the
same is held by tests/k8s/test_manifests.py.

Does not know a cluster, and writes nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jsonpatch
import yaml

K8S = Path(__file__).parents[1] / "k8s"

_Object = dict[str, Any]
_FILE = "kustomization.yaml"

_ROOT_SCOPED = frozenset({"Namespace"})
_POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
_WITHOUT_PODS = frozenset(
    {
        "ConfigMap",
        "Namespace",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
)


class ManifestError(ValueError):
    """A kustomization says what this reader does not do, or names what is not there."""

    def __init__(self, where: Path, what: str) -> None:
        super().__init__(f"{where}: {what}")


def load(overlay: str, *, root: Path = K8S) -> Sequence[Mapping[str, Any]]:
    """Give every object of an overlay, in the order of its files, the Namespace first.

    Reads files alone. The objects are new at every call: a caller may change them.

    Args:
        overlay: `dev` or `prod`, or another folder of k8s/overlays.
        root: the folder k8s/.

    Raises:
        ManifestError: there is no such overlay, or one of its kustomizations says something this
            reader does not know, or a patch does not fit.
    """
    return _kustomized(root / "overlays" / overlay, [])


def _kustomized(folder: Path, objects: list[_Object]) -> list[_Object]:
    """Add to `objects` what a folder has, and change all of them as it says.

    Raises:
        ManifestError: as `load`.
    """
    path = folder / _FILE
    if not path.is_file():
        raise ManifestError(path, "there is no such kustomization")
    said: Mapping[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    unknown = set(said) - {"apiVersion", "kind", *_GENERATORS, *(name for name, _ in _CHANGES)}
    if unknown:
        raise ManifestError(path, f"not read here: {', '.join(sorted(unknown))}")
    found = list(objects)
    for resource in said.get("resources", []):
        found += _resource(folder / resource)
    for component in said.get("components", []):
        found = _kustomized(folder / component, found)
    found += _config_maps(path, said)
    for name, change in _CHANGES:
        for found_object in found if name in said else ():
            change(path, said[name], found_object)
    return found


def _resource(path: Path) -> list[_Object]:
    if path.is_dir():
        return _kustomized(path, [])
    if not path.is_file():
        raise ManifestError(path, "there is no such file")
    found: list[_Object] = [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]
    for each in found:
        if each["kind"] not in _WITHOUT_PODS | set(_POD_TEMPLATES):
            raise ManifestError(path, f"a kind not known here: {each['kind']}")
    return found


def _config_maps(path: Path, said: Mapping[str, Any]) -> Iterable[_Object]:
    if said.get("configMapGenerator") and said.get("generatorOptions") != {
        "disableNameSuffixHash": True
    }:
        raise ManifestError(path, "generatorOptions must be disableNameSuffixHash: true, alone")
    for generator in said.get("configMapGenerator", []):
        _only(path, generator, {"name", "files"})
        files = [path.parent / name for name in generator["files"]]
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": generator["name"]},
            "data": {file.name: file.read_text("utf-8") for file in files},
        }


def _only(path: Path, said: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(said) - known
    if unknown:
        raise ManifestError(path, f"not read here: {', '.join(sorted(unknown))} in {dict(said)}")


def _patch(path: Path, patches: Sequence[Mapping[str, Any]], target: _Object) -> None:
    for patch in patches:
        _only(path, patch, {"path", "target"})
        _only(path, patch["target"], {"kind", "name"})
        if not all(re.fullmatch(r"[A-Za-z0-9-]+", value) for value in patch["target"].values()):
            raise ManifestError(path, f"a pattern for a target: {dict(patch['target'])}")
        if _is_meant(patch["target"], target):
            _apply(path.parent / patch["path"], target)


def _apply(file: Path, target: _Object) -> None:
    said: object = yaml.safe_load(file.read_text("utf-8"))
    if not isinstance(said, list):
        raise ManifestError(file, "not a list of JSON 6902 operations")
    operations = cast("list[_Object]", said)
    try:
        changed: _Object = jsonpatch.apply_patch(target, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise ManifestError(file, f"does not fit {_name(target)}: {error}") from error
    target.clear()
    target.update(changed)


def _is_meant(said: Mapping[str, str], target: _Object) -> bool:
    names = {"kind": target["kind"], "name": target["metadata"]["name"]}
    return all(names[key] == value for key, value in said.items())


def _name(target: _Object) -> str:
    return f"{target['kind']} {target['metadata']['name']}"


def _namespace(path: Path, namespace: str, target: _Object) -> None:
    if target["kind"] not in _ROOT_SCOPED:
        target["metadata"]["namespace"] = namespace
    elif target["metadata"]["name"] != namespace:
        raise ManifestError(path, f"namespace {namespace} beside {_name(target)}")


def _labels(path: Path, labels: Sequence[Mapping[str, Any]], target: _Object) -> None:
    for each in labels:
        _only(path, each, {"pairs", "includeTemplates"})
        labelled = [target]
        if each.get("includeTemplates"):
            labelled += _templates(target)
        for one in labelled:
            one.setdefault("metadata", {}).setdefault("labels", {}).update(each["pairs"])


def _templates(target: _Object) -> list[_Object]:
    """Everything in an object that other objects are made of, in its own words."""
    if target["kind"] not in _POD_TEMPLATES:
        return []
    spec = target["spec"]
    jobs = [spec["jobTemplate"]] if "jobTemplate" in spec else []
    return [*jobs, _pod_template(target), *spec.get("volumeClaimTemplates", [])]


def _pod_template(target: _Object) -> _Object:
    found = target
    for key in _POD_TEMPLATES[target["kind"]]:
        found = found[key]
    return found


def _replicas(path: Path, replicas: Sequence[Mapping[str, Any]], target: _Object) -> None:
    for each in replicas:
        _only(path, each, {"name", "count"})
        if target["kind"] in {"Deployment", "StatefulSet"} and (
            target["metadata"]["name"] == each["name"]
        ):
            target["spec"]["replicas"] = each["count"]


def _images(path: Path, images: Sequence[Mapping[str, Any]], target: _Object) -> None:
    if target["kind"] not in _POD_TEMPLATES:
        return
    pod = _pod_template(target)["spec"]
    containers = [*pod.get("initContainers", []), *pod["containers"]]
    for image in images:
        _only(path, image, {"name", "newTag", "digest"})
        tag = f":{image['newTag']}" if "newTag" in image else ""
        digest = f"@{image['digest']}" if "digest" in image else ""
        for container in containers:
            if re.split(r"[:@]", container["image"])[0] == image["name"]:
                container["image"] = f"{image['name']}{tag}{digest}"


_GENERATORS = frozenset({"resources", "components", "configMapGenerator", "generatorOptions"})
_CHANGES: Sequence[tuple[str, Callable[[Path, Any, _Object], None]]] = (
    # In kustomize's own order, whatever the order in the file.
    ("patches", _patch),
    ("namespace", _namespace),
    ("labels", _labels),
    ("replicas", _replicas),
    ("images", _images),
)
