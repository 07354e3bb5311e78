"""`ops config use`: from a stack's outputs to the settings, and back."""

import json
import shutil
import stat
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.local import Connection
from ops.local.loopback import Client
from ops.stack.file import StackFile, read, write
from ops.stack.token import is_good
from tests.cli.calls import Said, check_envelope
from tests.cli.conftest import Call
from tests.stack.conftest import secret_key_of
from tests.stack.ports import ports
from tests.stack.recorded import (
    HUSH,
    KUBECONFIG,
    OUTPUTS,
    PUBLIC,
    before_path,
    checkout,
    failing,
    outputs_of,
    printing,
)

__all__ = ["ports"]

USE = ("config", "use", "--stack", "dev")


def use(call: Call, tmp_path: Path, outputs: Mapping[str, object], *more: str) -> Said:
    """Take the settings of a stack with these outputs."""
    checkout(tmp_path)
    return call(*USE, *more, "--json", PATH=before_path(printing(tmp_path, outputs)))


def settings(call: Call, *arguments: str, **variables: str) -> dict[str, dict[str, Any]]:
    """What `ops config show` says, by name."""
    said = call("config", "show", "--json", *arguments, **variables)
    return {one["name"]: one for one in said.document["data"]["settings"]}


def test_a_stacks_outputs_become_settings(call: Call, tmp_path: Path) -> None:
    """Private from the first moment, named as their source, no secret shown."""
    said = use(call, tmp_path, OUTPUTS)
    document = check_envelope(said, ["config", "use"])
    assert document["data"]["already_done"] is False
    path = tmp_path / "secrets" / "ops.toml"
    assert document["data"]["file"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().startswith("# Made by `ops config use --stack dev`")
    shown = settings(call)
    assert {shown[name]["source"] for name in ("lakefs.url", "label_studio.token")} == {
        "stack dev (secrets/ops.toml)"
    }
    assert shown["lakefs.url"]["value"] == "http://127.0.0.1:18000"
    assert shown["label_studio.url"]["value"] == "http://127.0.0.1:18080"
    assert shown["storage_namespace"]["value"] == "gs://cheese-123-dev-data/lakefs/dataset"
    found = read(tmp_path)
    assert found is not None
    assert is_good(found.settings["label_studio.token"], str(OUTPUTS["labelStudioSecretKey"]),
                   now=datetime.now(UTC))  # fmt: skip
    assert found.facts["kubeconfig"] == KUBECONFIG
    everything = said.stdout + json.dumps(shown)
    assert not [hush for hush in HUSH if hush in everything]
    # What could make any token, or log in, is not kept.
    assert str(OUTPUTS["labelStudioSecretKey"]) not in path.read_text()
    assert str(OUTPUTS["labelStudioPassword"]) not in path.read_text()


def test_pulumi_is_asked_for_that_stack_and_never_to_wait(call: Call, tmp_path: Path) -> None:
    """A name that begins with a dash is no option of its."""
    checkout(tmp_path)
    place = printing(tmp_path, OUTPUTS)
    call("config", "use", "--stack=--cwd=/", "--json", PATH=before_path(place))
    called = (place / "called").read_text().splitlines()
    assert called[:2] == ["stack", "output"]
    assert {"--json", "--show-secrets", "--non-interactive", "--stack=--cwd=/"} <= {*called}


def test_used_twice_it_is_so_already(call: Call, tmp_path: Path) -> None:
    """The same bytes: the token is kept as long as it is good."""
    use(call, tmp_path, OUTPUTS)
    before = (tmp_path / "secrets" / "ops.toml").read_bytes()
    document = check_envelope(use(call, tmp_path, OUTPUTS), ["config", "use"])
    assert document["data"]["already_done"] is True
    assert (tmp_path / "secrets" / "ops.toml").read_bytes() == before
    plain = call(*USE, PATH=before_path(tmp_path / "bin"))
    assert "ops uses stack dev already" in plain.stdout
    assert "next: ops open --forward" in plain.stdout


def test_another_key_of_the_stacks_makes_another_token(call: Call, tmp_path: Path) -> None:
    """After it was rotated."""
    use(call, tmp_path, OUTPUTS)
    first = read(tmp_path)
    use(call, tmp_path, {**OUTPUTS, "labelStudioSecretKey": "another" * 8})
    second = read(tmp_path)
    assert first is not None
    assert second is not None
    assert first.settings["label_studio.token"] != second.settings["label_studio.token"]


def test_back_to_the_local_servers(call: Call, tmp_path: Path) -> None:
    """Twice; nothing of the stack is left."""
    use(call, tmp_path, OUTPUTS)
    (tmp_path / "secrets" / "kubeconfig.yaml").write_text(KUBECONFIG)
    (tmp_path / "secrets" / "README.md").write_text("kept")
    first = call("config", "use", "--local", "--json").document["data"]
    second = call("config", "use", "--local", "--json").document["data"]
    assert (first["already_done"], second["already_done"]) == (False, True)
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["README.md"]
    assert settings(call)["lakefs.url"]["source"] == "nowhere"


def test_a_dry_run_writes_nothing(call: Call, tmp_path: Path) -> None:
    """In either direction."""
    document = check_envelope(use(call, tmp_path, OUTPUTS, "--dry-run"), ["config", "use"])
    assert document["status"] == "planned"
    assert not (tmp_path / "secrets").exists()
    use(call, tmp_path, OUTPUTS)
    assert use(call, tmp_path, OUTPUTS, "--dry-run").document["status"] == "ok"
    there = call("config", "use", "--local", "--dry-run", "--json").document
    assert there["status"] == "planned"
    assert (tmp_path / "secrets" / "ops.toml").exists()


def test_public_addresses_give_way_to_forwarded_ones(call: Call, tmp_path: Path) -> None:
    """Where it is asked for: programs cannot pass Identity-Aware Proxy."""
    said = use(call, tmp_path, PUBLIC, "--forward").document
    assert said["data"]["urls"]["lakefs"] == "http://127.0.0.1:18000"


def test_flags_variables_and_the_file_win_and_that_is_told(call: Call, tmp_path: Path) -> None:
    """The stack's credentials do not go to the other address."""
    checkout(tmp_path)
    (tmp_path / "ops.toml").write_text("repository = 'cheese'\n")
    path = before_path(printing(tmp_path, OUTPUTS))
    elsewhere = "https://lake.example.org"
    said = call(*USE, "--json", PATH=path, OPS_LAKEFS_URL=elsewhere).document
    told = {w["subject"] for w in said["warnings"] if w["code"] == "overruled"}
    assert "lakefs.url" in told
    shown = settings(call, OPS_LAKEFS_URL=elsewhere)
    assert shown["lakefs.url"]["source"] == "OPS_LAKEFS_URL"
    for name in ("lakefs.access_key_id", "lakefs.secret_access_key", "storage_namespace"):
        assert shown[name]["value"] is None, name
    assert shown["label_studio.token"]["source"] == "stack dev (secrets/ops.toml)"
    assert settings(call)["storage_namespace"]["value"] == "gs://cheese-123-dev-data/lakefs/cheese"
    flagged = settings(call, "--repository", "wine")
    assert flagged["storage_namespace"]["value"] == "gs://cheese-123-dev-data/lakefs/wine"


def test_the_checkout_may_be_elsewhere(call: Call, tmp_path: Path) -> None:
    """`--infra` names it."""
    place = before_path(printing(tmp_path, OUTPUTS))
    missing = call(*USE, "--json", PATH=place).document
    assert (missing["exit_code"], missing["errors"][0]["code"]) == (3, "no-infra")
    assert "--infra" in missing["errors"][0]["hint"]
    there = checkout(tmp_path / "there") / "docs"
    there.mkdir()
    assert call(*USE, "--infra", str(there), "--json", PATH=place).exit_code == 0


def test_without_pulumi_it_says_so(call: Call, tmp_path: Path) -> None:
    """And where it is to be had."""
    checkout(tmp_path)
    said = call(*USE, "--json", PATH=str(tmp_path)).document
    assert (said["exit_code"], said["errors"][0]["code"]) == (8, "no-pulumi")


@pytest.mark.parametrize(
    ("said", "exit_code", "code", "next_"),
    [
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            6, "pulumi-login", "pulumi login",
        ),
        ("error: no stack named 'dev' found", 3, "no-stack", "pulumi stack init dev"),
        (
            "error: unable to open bucket gs://state: googleapi: Error 403",
            6, "pulumi-state", "gcloud auth application-default login",
        ),
        (
            'error: constructing secrets manager of type "passphrase": constructing secrets '
            "manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
            6, "stack-passphrase", "PULUMI_CONFIG_PASSPHRASE",
        ),
        (
            "error: failed to decrypt: rpc error: code = PermissionDenied desc = cloudkms",
            6, "stack-secrets", "CryptoKey Decrypter",
        ),
        (
            "error: a stack name may only contain alphanumeric, hyphens, underscores, or periods",
            2, "stack-name", "pulumi stack ls",
        ),
        ("panic: runtime error", 7, "pulumi-failed", "pulumi stack output --stack dev"),
    ],
)  # fmt: skip
def test_what_pulumi_refuses_is_said_with_its_remedy(
    call: Call, tmp_path: Path, *, said: str, exit_code: int, code: str, next_: str
) -> None:
    """In words of ours; nothing is written."""
    checkout(tmp_path)
    answer = call(*USE, "--json", PATH=before_path(failing(tmp_path, said)))
    document = check_envelope(answer, ["config", "use"])
    [error] = document["errors"]
    assert (document["exit_code"], error["code"]) == (exit_code, code)
    assert next_ in error["hint"]
    assert error["unchanged"] == "the settings are as they were"
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize(
    ("outputs", "code", "said"),
    [
        ({}, "stack-empty", "no outputs"),
        ({**OUTPUTS, "schema": "labeling-ops.stack/2"}, "stack-schema", "labeling-ops.stack/2"),
        ({"bucket": "x"}, "stack-schema", "None"),
        ({k: v for k, v in OUTPUTS.items() if k != "namespace"}, "stack-outputs", "namespace"),
        ({**OUTPUTS, "lakefsAccessKeyId": ""}, "stack-outputs", "lakefsAccessKeyId"),
        ({**OUTPUTS, "bucket": 7}, "stack-outputs", "bucket"),
        ({**OUTPUTS, "lakefsUrl": None}, "stack-outputs", "lakefsUrl"),
        ({**OUTPUTS, "kubeconfig": []}, "stack-outputs", "kubeconfig"),
    ],
)
def test_outputs_that_are_not_the_contracts_are_refused(
    call: Call, tmp_path: Path, *, outputs: Mapping[str, object], code: str, said: str
) -> None:
    """An update that stopped half-way, or another version of infra."""
    [error] = use(call, tmp_path, outputs).document["errors"]
    assert error["code"] == code
    assert said in error["message"]
    assert "pulumi up --stack dev" in error["hint"]
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("printed", ["", "no JSON", "[1]"])
def test_output_that_is_none_is_refused(call: Call, tmp_path: Path, printed: str) -> None:
    """A wrapper on PATH that prints something else."""
    checkout(tmp_path)
    place = printing(tmp_path, {})
    script = place / "pulumi"
    script.write_text(script.read_text().rpartition("print(")[0] + f"print({printed!r})\n")
    [error] = call(*USE, "--json", PATH=before_path(place)).document["errors"]
    assert error["code"] == "pulumi-failed"


def test_a_kubeconfig_may_be_an_object(call: Call, tmp_path: Path) -> None:
    """Which kubectl reads as well."""
    use(call, tmp_path, {**OUTPUTS, "kubeconfig": {"kind": "Config"}})
    found = read(tmp_path)
    assert found is not None
    assert json.loads(found.facts["kubeconfig"]) == {"kind": "Config"}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_others_may_read_is_refused_until_it_is_made_anew(
    call: Call, tmp_path: Path, mode: int
) -> None:
    """By every command; `config use` puts it right."""
    use(call, tmp_path, OUTPUTS)
    path = tmp_path / "secrets" / "ops.toml"
    path.chmod(mode)
    said = call("config", "show", "--json").document
    assert (said["exit_code"], said["errors"][0]["code"]) == (8, "stack-file-open")
    assert f"chmod 600 {path}" in said["errors"][0]["hint"]
    assert use(call, tmp_path, OUTPUTS).document["data"]["already_done"] is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert call("config", "show").exit_code == 0


def git(directory: Path, *arguments: str) -> str:
    """Run git, with none of the person's settings."""
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=directory, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="NO GIT")
def test_a_file_git_has_is_refused(call: Call, tmp_path: Path) -> None:
    """Read or written: what is committed is not secret any more."""
    git(tmp_path, "init", "--quiet")
    use(call, tmp_path, OUTPUTS)
    path = tmp_path / "secrets" / "ops.toml"
    git(tmp_path, "add", "--force", str(path))
    for document in (
        call("config", "show", "--json").document,
        use(call, tmp_path, PUBLIC).document,
    ):
        assert (document["exit_code"], document["errors"][0]["code"]) == (8, "stack-file-tracked")
        assert "git rm --cached" in document["errors"][0]["hint"]
    assert call("config", "use", "--local").exit_code == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="NO GIT")
@pytest.mark.parametrize("rule", ["", "secrets/*\n!secrets/README.md\n"])
def test_git_add_passes_the_file_over(call: Call, tmp_path: Path, rule: str) -> None:
    """By the repository's own rule, or by one that is put there."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(rule)
    use(call, tmp_path, OUTPUTS)
    git(tmp_path, "add", ".")
    assert "secrets/" not in git(tmp_path, "ls-files")
    assert (tmp_path / "secrets" / ".gitignore").exists() is not bool(rule)


@pytest.mark.parametrize("text", ["", "schema = 1\n", "not TOML", "schema = 'ops.stack-file/1'\n"])
def test_a_file_ops_did_not_write_is_refused(call: Call, tmp_path: Path, text: str) -> None:
    """And `--local` takes it away all the same."""
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "secrets" / "ops.toml"
    path.write_text(text)
    path.chmod(0o600)
    said = call("config", "show", "--json").document
    assert (said["exit_code"], said["errors"][0]["code"]) == (8, "stack-file")
    assert call("config", "use", "--local").exit_code == 0
    assert call("config", "show").exit_code == 0


def test_any_text_survives_the_file(tmp_path: Path) -> None:
    """Quotes, line ends, characters TOML takes by escape alone."""
    odd = {
        f"n{i}": text for i, text in enumerate(['"', "\\", "a\nb", "\x7f", "\x01", "é😀", "'''"])
    }
    kept = StackFile(name='d"ev', settings=odd, facts={"a.b c": "x"})
    write(tmp_path, kept)
    assert read(tmp_path) == kept


@pytest.mark.servers
def test_the_settings_of_a_stack_work_on_its_servers(
    call: Call, tmp_path: Path, servers: Connection
) -> None:
    """The token is tried at once, and made anew where it was revoked."""
    outputs = outputs_of(servers, secret_key_of(servers))
    said = use(call, tmp_path, outputs).document
    assert (said["exit_code"], said["warnings"]) == (0, [])
    shown = call("round", "list", "--json").document
    assert shown["errors"][0]["code"] == "no-repository"
    found = read(tmp_path)
    assert found is not None
    revoke(servers, found.settings["label_studio.token"])
    again = use(call, tmp_path, outputs).document
    assert again["data"]["already_done"] is False
    assert use(call, tmp_path, outputs).document["data"]["already_done"] is True


def revoke(servers: Connection, token: str) -> None:
    """Revoke a token, as its account does on its page."""
    client = Client(servers.label_studio_url)
    access = client.post_json("/api/token/refresh/", {"refresh": token}).text_at("access")
    headers = {"Authorization": f"Bearer {access}"}
    answer = client.post_json("/api/token/blacklist/", {"refresh": token}, headers=headers)
    assert answer.status == 204


@pytest.mark.servers
def test_a_key_that_is_not_the_servers_is_told(
    call: Call, tmp_path: Path, servers: Connection
) -> None:
    """Pods that run with an older one; nothing is written."""
    said = use(call, tmp_path, outputs_of(servers, "older" * 10)).document
    assert (said["exit_code"], said["errors"][0]["code"]) == (6, "stack-token")
    assert "rollout restart" in said["errors"][0]["hint"]
    assert not (tmp_path / "secrets").exists()


@pytest.mark.servers
def test_an_account_that_is_another_is_told(
    call: Call, tmp_path: Path, servers: Connection
) -> None:
    """Commits name the actor, but projects show whose they are."""
    outputs = {**outputs_of(servers, secret_key_of(servers)), "labelStudioEmail": "x@example.org"}
    said = use(call, tmp_path, outputs).document
    assert [warning["code"] for warning in said["warnings"]] == ["other-account"]


def test_a_server_that_does_not_answer_keeps_nobody_from_it(call: Call, tmp_path: Path) -> None:
    """Its pods may be starting: the token is tried by the next doctor."""
    nowhere = {**PUBLIC, "labelStudioUrl": "http://127.0.0.1:9"}
    said = use(call, tmp_path, nowhere).document
    assert said["exit_code"] == 0
    assert [warning["code"] for warning in said["warnings"]] == ["token-untried"]
