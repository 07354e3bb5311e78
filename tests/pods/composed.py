"""Services of compose.yaml as processes of this machine, as tests/pods/pod.py does for pods.

Owns reading a service: its command behind compose/with-secrets, its environment, the files mounted
into it. The same is replaced as there: mount paths, programs of the images, addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.pods.pod import Container, replaced
from tests.tree import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the services find.

    Attributes:
        root: where volumes are made.
        secrets: the directory of secret files.
        elsewhere: what is found where here: texts by the texts they stand for.
    """

    root: Path
    secrets: Path
    elsewhere: Mapping[str, str]


def service(machine: Machine, name: str) -> Container:
    """A service, as a process of this machine starts it. Makes its volumes; repeatable."""
    said = SERVICES[name]
    elsewhere = {**_mounts(machine, said), **machine.elsewhere}
    command = [*said["entrypoint"], *said.get("command", [])]
    environment: Mapping[str, str] = said["environment"]
    return Container(
        name=name,
        command=[replaced(part, elsewhere) for part in command],
        environment={one: replaced(value, elsewhere) for one, value in environment.items()},
        probes={},
        secrets=[],
    )


def _mounts(machine: Machine, said: Mapping[str, Any]) -> Mapping[str, str]:
    """Where each path of the container is here; files as they are but for such paths."""
    found = {f"/run/secrets/{one}": str(machine.secrets / one) for one in said["secrets"]}
    files: dict[str, Path] = {}
    for volume in said.get("volumes", []):
        source, target = volume.split(":")[:2]
        if source.startswith("./") and (ROOT / source).is_file():
            files[target] = ROOT / source
        else:
            found[target] = _place(machine, source.removeprefix("./"))
    for target in said.get("tmpfs", []):
        found[target.split(":")[0]] = _place(machine, target.split(":")[0].strip("/"))
    found |= {target: str(machine.root / Path(target).name) for target in files}
    for target, source in files.items():
        text = replaced(source.read_text("utf-8"), {**found, **machine.elsewhere})
        Path(found[target]).write_text(text)
    return found


def _place(machine: Machine, name: str) -> str:
    if (ROOT / name).is_dir():
        return str(ROOT / name)
    place = machine.root / name.replace("/", "-")
    place.mkdir(exist_ok=True)
    return str(place)
