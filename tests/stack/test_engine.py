"""`ops config use` with the real Pulumi and a state in a folder, whose outputs were imported."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.stack.file import read
from tests.built import built
from tests.cli.calls import check_envelope
from tests.cli.conftest import Call
from tests.stack.ports import ports
from tests.stack.recorded import HUSH, OUTPUTS, checkout

__all__ = ["ports"]

pytestmark = pytest.mark.engine

_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""How a deployment says that a value is to be kept encrypted."""
_SECRETS = {"lakefsSecretAccessKey", "labelStudioPassword", "labelStudioSecretKey", "kubeconfig"}
_ROOT = "urn:pulumi:dev::labeling-ops::pulumi:pulumi:Stack::labeling-ops-dev"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A checkout, and a state that stack dev is in.

    Attributes:
        directory: the checkout.
        variables: what whoever runs Pulumi has in the environment.
    """

    directory: Path
    variables: Mapping[str, str]

    def pulumi(self, *arguments: str) -> str:
        """Run `pulumi`, as the person who brought the stack up."""
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.directory,
            env={**os.environ, **self.variables},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def bring_up(self, outputs: Mapping[str, object]) -> None:
        """Let the stack have these outputs."""
        encoded = {
            name: {**_SECRET, "plaintext": json.dumps(value)} if name in _SECRETS else value
            for name, value in outputs.items()
        }
        deployment = json.loads(self.pulumi("stack", "export", "--stack=dev"))
        deployment["deployment"]["resources"] = [
            {"urn": _ROOT, "type": "pulumi:pulumi:Stack", "custom": False, "outputs": encoded}
        ]
        path = self.directory / "deployment.json"
        path.write_text(json.dumps(deployment))
        self.pulumi("stack", "import", "--stack=dev", "--force", f"--file={path}")
        path.unlink()


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    """A stack that was made, and never brought up."""
    on_path = shutil.which("pulumi")
    program = Path(on_path) if on_path else built("pulumi")
    for name in ("state", "home"):
        (tmp_path / name).mkdir()
    backend = Backend(
        directory=checkout(tmp_path),
        variables={
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        },
    )
    backend.pulumi("stack", "init", "dev")
    return backend


def test_what_the_engine_keeps_encrypted_becomes_settings(
    backend: Backend, call: Call, tmp_path: Path
) -> None:
    """In plain text in the private file, and nowhere else."""
    backend.bring_up(OUTPUTS)
    said = call("config", "use", "--stack", "dev", "--json", **backend.variables)
    document = check_envelope(said, ["config", "use"])
    assert (document["exit_code"], document["data"]["already_done"]) == (0, False)
    found = read(tmp_path)
    assert found is not None
    assert found.settings["lakefs.secret_access_key"] == OUTPUTS["lakefsSecretAccessKey"]
    assert found.facts["kubeconfig"] == OUTPUTS["kubeconfig"]
    state = "".join(p.read_text() for p in (tmp_path / "state").rglob("*") if p.is_file())
    assert "lakefsSecretAccessKey" in state
    assert not [hush for hush in HUSH if hush in state + said.stdout]
    again = call("config", "use", "--stack", "dev", "--json", **backend.variables).document
    assert again["status"] == "ok", again
    assert again["data"]["already_done"] is True


Spoil = Callable[[Backend], Mapping[str, str]]


def other_passphrase(_: Backend) -> Mapping[str, str]:
    return {"PULUMI_CONFIG_PASSPHRASE": "wrong"}


def no_passphrase(_: Backend) -> Mapping[str, str]:
    return {"PULUMI_CONFIG_PASSPHRASE": ""}


def no_login(_: Backend) -> Mapping[str, str]:
    return {"PULUMI_BACKEND_URL": ""}


def no_state(backend: Backend) -> Mapping[str, str]:
    shutil.rmtree(backend.directory / "state")
    return {}


def no_stack(backend: Backend) -> Mapping[str, str]:
    backend.pulumi("stack", "rm", "dev", "--yes", "--force")
    return {}


def half_way(backend: Backend) -> Mapping[str, str]:
    backend.bring_up({name: OUTPUTS[name] for name in ("schema", "project")})
    return {}


def never(backend: Backend) -> Mapping[str, str]:
    backend.bring_up({})
    return {}


@pytest.mark.parametrize(
    ("spoil", "exit_code", "code"),
    [
        (other_passphrase, 6, "stack-passphrase"),
        (no_passphrase, 6, "stack-passphrase"),
        (no_login, 6, "pulumi-login"),
        (no_state, 6, "pulumi-state"),
        (no_stack, 3, "no-stack"),
        (half_way, 8, "stack-outputs"),
        (never, 8, "stack-empty"),
    ],
)
def test_what_the_engine_refuses_has_a_remedy(
    backend: Backend, call: Call, *, spoil: Spoil, exit_code: int, code: str
) -> None:
    """Each by the engine's own words."""
    backend.bring_up(OUTPUTS)
    variables = {**backend.variables, **spoil(backend)}
    said = call("config", "use", "--stack", "dev", "--json", **variables)
    [error] = check_envelope(said, ["config", "use"])["errors"]
    assert (said.exit_code, error["code"]) == (exit_code, code)
    assert read(backend.directory) is None


def test_a_name_no_stack_can_have_is_refused(backend: Backend, call: Call) -> None:
    """By the engine: it knows what names there are."""
    said = call("config", "use", "--stack", "d ev", "--json", **backend.variables)
    assert (said.exit_code, said.document["errors"][0]["code"]) == (2, "stack-name")
