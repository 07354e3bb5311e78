"""The manifests as objects: read as kubectl reads them, valid, and with every invariant."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra.manifests import K8S, ManifestError, load
from tests.k8s.cluster import kubectl
from tests.k8s.invariants import problems
from tests.k8s.reading import containers, quantity

OVERLAYS = ("dev", "prod")
_KUBERNETES = "1.36"


def _by_name(objects: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    named = {f"{one['kind']} {one['metadata']['name']}": one for one in objects}
    assert len(named) == len(objects)
    return named


def _kustomized(folder: Path) -> Sequence[Mapping[str, Any]]:
    said = subprocess.run(
        [kubectl(), "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    return list(yaml.safe_load_all(said.stdout))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_infra_reads_what_kubectl_reads(overlay: str) -> None:
    assert _by_name(load(overlay)) == _by_name(_kustomized(K8S / "overlays" / overlay))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid_to_the_letter(overlay: str) -> None:
    for one in load(overlay):
        kubernetes_validate.validate(dict(one), _KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_invariant_is_broken(overlay: str) -> None:
    assert problems(load(overlay)) == []


def test_the_namespace_comes_first_and_objects_are_new_at_every_call() -> None:
    first, second = load("dev"), load("dev")
    assert first[0]["kind"] == "Namespace"
    assert first == second
    assert not any(one is other for one, other in zip(first, second, strict=True))


def test_prod_is_dev_with_more_of_everything_and_no_database() -> None:
    dev, prod = (_by_name(load(overlay)) for overlay in OVERLAYS)
    gone = {name for name in dev if name not in prod}
    assert {name.split()[1] for name in gone} == {
        "postgres",
        "postgres-back-up",
        "postgres-backups",
        "postgres-from-its-clients",
        "postgres-scripts",
        "to-postgres",
    }
    assert {name for name in prod if name not in dev} == {"NetworkPolicy database"}
    changed = {name for name in prod if name in dev and prod[name] != dev[name]}
    assert changed == {"Deployment lakefs", "Deployment label-studio"}
    for name in changed:
        small, large = dev[name]["spec"], prod[name]["spec"]
        assert (small["replicas"], large["replicas"]) == (1, 2)
        apart = large["template"]["spec"]["topologySpreadConstraints"][-1]
        assert apart["topologyKey"] == "kubernetes.io/hostname"
        assert (apart["whenUnsatisfiable"], apart["minDomains"]) == ("DoNotSchedule", 2)
        asked, more = (
            quantity(spec["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"])
            for spec in (small, large)
        )
        assert more > asked


def test_a_digest_beside_the_version_pins_the_bytes(tmp_path: Path) -> None:
    digest = f"sha256:{'5' * 64}"
    root = _copied(tmp_path)
    _edit(root / "base", lambda said: said["images"][0].update(digest=digest))
    pinned = _by_name(load("dev", root=root))
    assert pinned == _by_name(_kustomized(root / "overlays" / "dev"))
    images = {one["image"] for _, one in containers(list(pinned.values()))}
    assert f"treeverse/lakefs:1.84.0@{digest}" in images


def _copied(folder: Path) -> Path:
    return Path(shutil.copytree(K8S, folder / "k8s"))


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "kustomization.yaml"
    said: dict[str, Any] = yaml.safe_load(path.read_text())
    change(said)
    path.write_text(yaml.safe_dump(said))


def _lengthen(said: dict[str, Any], key: str, value: object) -> None:
    said.setdefault(key, []).append(value)


_REFUSED: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a key of kustomize's": (lambda said: said.update(namePrefix="x-"), "namePrefix"),
    "labels that select": (
        lambda said: said["labels"][0].update(includeSelectors=True),
        "includeSelectors",
    ),
    "another image": (lambda said: said["images"][0].update(newName="x"), "newName"),
    "a hash in names": (lambda said: said.pop("generatorOptions"), "disableNameSuffixHash"),
    "literals": (
        lambda said: said["configMapGenerator"][0].update(literals=["a=b"]),
        "literals",
    ),
    "a file that is not there": (
        lambda said: _lengthen(said, "resources", "nothing.yaml"),
        "nothing.yaml",
    ),
    "a folder that is no kustomization": (
        lambda said: _lengthen(said, "resources", "lakefs"),
        "no such kustomization",
    ),
    "a patch in place": (
        lambda said: _lengthen(said, "patches", {"patch": "x", "target": {"kind": "Service"}}),
        "patch",
    ),
    "a patch by label": (
        lambda said: _lengthen(said, "patches", {"path": "x", "target": {"labelSelector": "a=b"}}),
        "labelSelector",
    ),
    "a patch by pattern": (
        lambda said: _lengthen(said, "patches", {"path": "x", "target": {"name": "lake.*"}}),
        "pattern",
    ),
    "another namespace": (lambda said: said.update(namespace="other"), "namespace other"),
}


@pytest.mark.parametrize("what", _REFUSED)
def test_what_is_not_read_is_refused(what: str, tmp_path: Path) -> None:
    change, named = _REFUSED[what]
    root = _copied(tmp_path)
    _edit(root / "base", change)
    with pytest.raises(ManifestError, match=named):
        load("dev", root=root)


def test_a_patch_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    root = _copied(tmp_path)
    operation = {"op": "replace", "path": "/spec/nothing/here", "value": 1}
    (root / "overlays" / "prod" / "spread.yaml").write_text(json.dumps([operation]))
    with pytest.raises(ManifestError, match=r"spread\.yaml: does not fit Deployment lakefs"):
        load("prod", root=root)
    (root / "overlays" / "prod" / "spread.yaml").write_text("kind: Deployment\n")
    with pytest.raises(ManifestError, match="not a list"):
        load("prod", root=root)


def test_an_unknown_kind_or_overlay_is_refused(tmp_path: Path) -> None:
    root = _copied(tmp_path)
    with pytest.raises(ManifestError, match="no such kustomization"):
        load("staging", root=root)
    with (root / "base" / "namespace.yaml").open("a") as more:
        more.write("---\nkind: DaemonSet\nmetadata: {name: x}\n")
    with pytest.raises(ManifestError, match="DaemonSet"):
        load("dev", root=root)
