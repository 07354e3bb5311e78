"""compose.yaml: what it says, what compose makes of it, and that it is the manifests' own pods."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import manifests
from tests.built import built
from tests.tree import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
PODS = {
    "lakefs": ("Deployment", "lakefs", "lakefs"),
    "lakefs-set-up": ("Deployment", "lakefs", "set-up"),
    "label-studio": ("Deployment", "label-studio", "label-studio"),
    "label-studio-set-up": ("Deployment", "label-studio", "set-up"),
    "postgres": ("StatefulSet", "postgres", "postgres"),
}
"""Workload and container of k8s/ that each service is; `volumes` is none."""

OTHERWISE = {
    # Where the kernel takes memory away; compose sets no limit.
    "GOMEMLIMIT",
    # A volume of compose keeps the cache; compose/lakefs.yaml says where.
    "LAKEFS_COMMITTED_LOCAL_CACHE_DIR",
    "LAKEFS_COMMITTED_LOCAL_CACHE_SIZE_BYTES",
}
"""Variables of the pods that compose does without."""


def container(service: str) -> Mapping[str, Any]:
    """The container a service is."""
    kind, name, wanted = PODS[service]
    [workload] = [
        one
        for one in manifests.load("dev")
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
    ]
    spec = workload["spec"]["template"]["spec"]
    [found] = [
        one
        for one in [*spec.get("initContainers", []), *spec["containers"]]
        if one["name"] == wanted
    ]
    return {**found, "user": spec["securityContext"]}


def test_every_service_is_a_container_of_the_manifests() -> None:
    assert SERVICES.keys() - PODS.keys() == {"volumes"}


@pytest.mark.parametrize("service", PODS)
def test_image_user_and_environment_are_the_pods(service: str) -> None:
    """The same program, as the same user, told the same: only addresses and secrets differ."""
    said, pod = SERVICES[service], container(service)
    assert said["image"] == pod["image"]
    user = pod["user"]
    assert said["user"] == f"{user['runAsUser']}:{user['runAsGroup']}"
    environment: Mapping[str, str] = said["environment"]
    fixed = {one["name"]: one["value"] for one in pod["env"] if "value" in one}
    assert {name: environment.get(name) for name in fixed.keys() - OTHERWISE} == {
        name: value for name, value in fixed.items() if name not in OTHERWISE
    }
    secret = {one["name"] for one in pod["env"] if "valueFrom" in one} - {"LABEL_STUDIO_USERNAME"}
    assert {name for name in environment if name.endswith("_FROM_FILE")} == {
        f"{name}_FROM_FILE" for name in secret
    }
    [mounted] = [set(said["secrets"])]
    files = {value for name, value in environment.items() if name.endswith("_FROM_FILE")}
    assert {f"/run/secrets/{name}" for name in mounted} >= files


@pytest.mark.parametrize("service", PODS)
def test_the_command_is_the_pods(service: str) -> None:
    """Behind compose/with-secrets, which every service begins with."""
    said, pod = SERVICES[service], container(service)
    begin = ["sh", "/opt/with-secrets"]
    command: Sequence[str] = [*said["entrypoint"], *said.get("command", [])]
    assert command[:2] == begin
    if service == "postgres":
        # The image's own entrypoint, as where a pod says arguments alone.
        assert command[2:] == ["docker-entrypoint.sh", *pod["args"]]
    else:
        assert command[2:] == pod["command"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_held(service: str) -> None:
    said = SERVICES[service]
    assert said["read_only"]
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    root = said["user"] == "0:0"
    assert root == (service == "volumes")
    assert said.get("cap_add", []) == (["CHOWN"] if root else [])
    assert not root or said["network_mode"] == "none"
    for port in said.get("ports", []):
        assert str(port).startswith("127.0.0.1:")


@pytest.mark.parametrize("server", ["lakefs", "label-studio"])
def test_a_port_opens_after_set_up(server: str) -> None:
    """The server alone is published, and starts when its set-up has ended well."""
    before = SERVICES[server]["depends_on"][f"{server}-set-up"]
    assert before == {"condition": "service_completed_successfully"}
    assert "ports" in SERVICES[server]
    assert "ports" not in SERVICES[f"{server}-set-up"]
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES[server]["healthcheck"]["test"][0] == "CMD"


def test_no_secret_is_in_the_file() -> None:
    """Each is a file below secrets/, which git passes over, and is made by compose/make-secrets."""
    files = {name: said["file"] for name, said in COMPOSE["secrets"].items()}
    assert files == {name: f"./secrets/compose/{name}" for name in files}
    named = {name for said in SERVICES.values() for name in said.get("secrets", [])}
    assert named == files.keys()


def test_what_is_mounted_is_there() -> None:
    """Docker would make an empty directory of a path that is not."""
    paths = {
        Path(volume.split(":")[0])
        for said in SERVICES.values()
        for volume in said.get("volumes", [])
        if volume.startswith("./")
    }
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_make_secrets_makes_every_secret_once(tmp_path: Path) -> None:
    directory = tmp_path / "compose"
    command = ["sh", ROOT / "compose" / "make-secrets", directory]
    subprocess.run(command, check=True)
    made = {path.name: path.read_text() for path in directory.iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert len(set(made.values())) == len(made)
    assert len(made["lakefs-access-key-id"]) == 20
    assert made["lakefs-database-password"] in made["lakefs-database-connection-string"]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o444}

    (directory / "lakefs-secret-access-key").unlink()
    subprocess.run(command, check=True)
    again = {path.name: path.read_text() for path in directory.iterdir()}
    changed = {name for name in made if made[name] != again[name]}
    assert changed == {"lakefs-secret-access-key"}


def test_make_secrets_at_once(tmp_path: Path) -> None:
    """What one has made the other keeps, and nothing unfinished is left."""
    command = ["sh", ROOT / "compose" / "make-secrets", tmp_path]
    makers = [subprocess.Popen(command) for _ in range(4)]
    assert [maker.wait() for maker in makers] == [0, 0, 0, 0]
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert made["lakefs-database-password"] in made["lakefs-database-connection-string"]


def test_secrets_reach_a_program_alone(tmp_path: Path) -> None:
    """A secret of any characters becomes the variable; where it came from is taken out."""
    (tmp_path / "one").write_text("a b'c\"d$e`f\\g*\n")
    done = subprocess.run(
        ["sh", ROOT / "compose" / "with-secrets", "env"],
        env={"PATH": os.environ["PATH"], "KEPT": "x", "ONE_FROM_FILE": str(tmp_path / "one")},
        check=True,
        capture_output=True,
        text=True,
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert seen["ONE"] == "a b'c\"d$e`f\\g*"
    assert seen["KEPT"] == "x"
    assert "ONE_FROM_FILE" not in seen


def test_a_missing_secret_stops_the_program(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", ROOT / "compose" / "with-secrets", "echo", "started"],
        env={"PATH": os.environ["PATH"], "ONE_FROM_FILE": str(tmp_path / "none")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "started" not in done.stdout
    assert "none" in done.stderr


def test_the_reference_reader_takes_it() -> None:
    """The parser and schema inside `docker compose`, built from its module."""
    taken = yaml.safe_load(said_by([built("compose-spec"), "compose.yaml"]))
    assert taken["services"].keys() == SERVICES.keys()


def test_docker_compose_takes_it() -> None:
    """`docker compose config`, where there is a client; the test above needs none."""
    command = client()
    if command is None:
        pytest.skip("NO DOCKER COMPOSE: install Debian's docker-compose, or the compose plugin")
    taken = yaml.safe_load(said_by([*command, "--file", "compose.yaml", "config"]))
    assert taken["services"].keys() == SERVICES.keys()


def client() -> Sequence[str] | None:
    """The command of a compose client, or None."""
    for command in (["docker", "compose"], ["docker-compose"]):
        found = shutil.which(command[0])
        if (
            found
            and not subprocess.run(
                [*command, "version"], capture_output=True, check=False
            ).returncode
        ):
            return command
    return None


def said_by(command: Sequence[str | Path]) -> str:
    """What a program says on standard output; it must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
