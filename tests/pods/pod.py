"""Containers of the manifests as processes of this machine: their command, environment and files.

Owns reading a container out of a manifest and what it finds in its ConfigMaps and Secrets. What a
process of this machine cannot have as a container has it is replaced, text for text, and is all
that differs:

| in the container | here | why |
|---|---|---|
| a mount path, `/etc/lakefs` | a directory of the test | no mount namespace |
| a program of the image, `/app/lakefs` | the same version's, on this machine | no image |
| a listening address, `0.0.0.0:8000` | a free port of the loopback | others run here, too |
| a Service's address, `lakefs:8000` | that port | no cluster DNS |
| Workload Identity | STORAGE_EMULATOR_HOST | no Google Cloud: fake-gcs-server |
| presigned URLs | none, if asked for | the emulator has no key to sign with |

Does not start anything.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the pods find around them.

    Attributes:
        manifests: all objects of the overlay.
        config_maps: by name, besides those among the manifests: their data.
        secrets: by name, their data.
        elsewhere: what is found where here: texts by the texts they stand for.
        added: environment that every container gets.
        root: where volumes are made.
    """

    manifests: Sequence[Manifest]
    config_maps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]]
    elsewhere: Mapping[str, str]
    added: Mapping[str, str]
    root: Path

    def config_map(self, name: str) -> Mapping[str, str]:
        """The data of a ConfigMap."""
        if name in self.config_maps:
            return self.config_maps[name]
        return self.manifest("ConfigMap", name)["data"]

    def manifest(self, kind: str, name: str) -> Manifest:
        """The one object of this kind and name."""
        [found] = [
            one for one in self.manifests if one["kind"] == kind and one["metadata"]["name"] == name
        ]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container, as a process of this machine starts it.

    Attributes:
        probes: the path each HTTP probe asks for, by the probe's name.
        secrets: the values it got from Secrets, which nothing may print.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    probes: Mapping[str, str]
    secrets: Sequence[str] = field(repr=False)


def containers(around: Surroundings, kind: str, name: str) -> Mapping[str, Container]:
    """All containers of a workload by their names, those of its beginning among them.

    Makes the files of its ConfigMaps and an empty directory for any other volume. Repeatable: a
    directory that is there stays as it is.
    """
    workload = around.manifest(kind, name)["spec"]
    if kind == "CronJob":
        workload = workload["jobTemplate"]["spec"]
    spec: Manifest = workload["template"]["spec"]
    places = _volumes(around, name, spec)
    both: Sequence[Manifest] = [*spec.get("initContainers", []), *spec["containers"]]
    return {one["name"]: _container(around, one, places) for one in both}


def _volumes(around: Surroundings, pod: str, spec: Manifest) -> Mapping[str, Path]:
    """A directory for each volume, with its files where it is a ConfigMap."""
    places: dict[str, Path] = {}
    mounted = _mounted(spec)
    for volume in spec["volumes"]:
        places[volume["name"]] = place = around.root / pod / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
    elsewhere = _elsewhere(around, mounted, places)
    for volume in spec["volumes"]:
        if "configMap" in volume:
            for key, text in around.config_map(volume["configMap"]["name"]).items():
                (places[volume["name"]] / key).write_text(replaced(text, elsewhere))
    return places


def _mounted(spec: Manifest) -> Mapping[str, str]:
    """Volume names by mount path, over all containers of a pod."""
    both: Sequence[Manifest] = [*spec.get("initContainers", []), *spec["containers"]]
    return {
        mount["mountPath"]: mount["name"] for one in both for mount in one.get("volumeMounts", [])
    }


def _elsewhere(
    around: Surroundings, mounted: Mapping[str, str], places: Mapping[str, Path]
) -> Mapping[str, str]:
    own = {path: str(places[volume]) for path, volume in mounted.items()}
    return {**own, **around.elsewhere}


def _container(around: Surroundings, one: Manifest, places: Mapping[str, Path]) -> Container:
    mounted = {mount["mountPath"]: mount["name"] for mount in one.get("volumeMounts", [])}
    elsewhere = _elsewhere(around, mounted, places)
    given, secrets = _environment(around, one)
    return Container(
        name=one["name"],
        command=[replaced(part, elsewhere) for part in [*one["command"], *one.get("args", [])]],
        environment={
            **{name: replaced(value, elsewhere) for name, value in given.items()},
            **secrets,
            **around.added,
        },
        probes={
            probe: one[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe")
            if "httpGet" in one.get(probe, {})
        },
        secrets=[value for value in secrets.values() if "@" not in value],
    )


def _environment(
    around: Surroundings, one: Manifest
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What is said openly, and what comes from Secrets."""
    given: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for source in one.get("envFrom", []):
        given |= around.config_map(source["configMapRef"]["name"])
    for variable in one.get("env", []):
        if "value" in variable:
            given[variable["name"]] = variable["value"]
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            secrets[variable["name"]] = around.secrets[reference["name"]][reference["key"]]
    return given, secrets


def replaced(text: str, elsewhere: Mapping[str, str]) -> str:
    """Every text that stands for another one replaced, the longest first, none twice."""
    longest_first = sorted(elsewhere, key=len, reverse=True)
    pattern = "|".join(re.escape(one) for one in longest_first)
    # `/cache` is neither in `/scratch/.cache` nor in `/cached`.
    whole = re.compile(rf"(?<![\w.])(?:{pattern})(?![\w.-])")
    return whole.sub(lambda found: elsewhere[found.group()], text)
