"""The life of a stack on the real Pulumi engine, as a person types it.

What the engine proves and the mocks do not: the configuration schema, unknown values, encrypted
state, that a second update finds nothing to do, protection, and the order of a teardown. The
providers are stand-ins: what Google says to the inputs is not proven here.
"""

import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml

from tests.infra.answers import PROJECT, REGION, Wire
from tests.infra.engine import ROOT, Project, project, urns
from tests.infra.invariants.program import HOLDING_DATA
from tests.infra.invariants.secrecy import SECRET_OUTPUTS
from tests.laws import note

pytestmark = pytest.mark.engine

BY_HAND = {"gcp:project": PROJECT, "gcp:region": REGION, "adminEmail": "admin@example.org"}
"""What each stack's file says is yours to add."""
_TEARDOWN = ROOT / "docs" / "google-cloud" / "teardown.md"
_CLUSTER = "gcp:container/cluster:Cluster"
_NETWORK = "gcp:compute/network:Network"


@pytest.fixture(params=["dev", "prod"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Project]:
    """A new stack with its committed file and what a person adds to it."""
    with project(tmp_path, stack=request.param) as opened:
        opened.configure(BY_HAND)
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Generator[Project]:
    """A new stack without any file."""
    with project(tmp_path, stack="trial") as opened:
        yield opened


def test_life_of_a_stack(stack: Project) -> None:
    foreseen = stack.changes()
    assert foreseen.keys() == {"create"}
    assert not stack.journal.of("create"), "a preview makes nothing"

    stack.pulumi("up", "--yes", "--skip-preview")
    made = [urn for urn in urns(stack.exported()) if "::pulumi:providers:gcp::default" not in urn]
    made = [urn for urn in made if "::default_" not in urn]
    assert len(made) == foreseen["create"]
    assert not stack.journal.of("update")

    stack.journal.clear()
    stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    stack.pulumi("preview", "--expect-no-changes")
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert not stack.journal.calls

    _assert_no_secret_in_state(stack)
    _tear_down(stack)
    assert not urns(stack.exported())
    note("pulumi engine", f"preview, up, up, refresh, destroy of {len(made)} resources")


def _assert_no_secret_in_state(stack: Project) -> None:
    shown = stack.pulumi("stack", "output", "--json", "--show-secrets").document()
    masked = stack.pulumi("stack", "output", "--json").document()
    assert {key for key in masked if masked[key] != shown[key]} == SECRET_OUTPUTS

    decrypted = stack.pulumi("stack", "export", "--show-secrets").document()
    # Label Studio's user name is kept with its password, and is no secret itself.
    secrets = {text for text in _decrypted(decrypted) if len(text) >= 12} - {*BY_HAND.values()}
    assert len(secrets) >= len(SECRET_OUTPUTS)
    files = [path for path in stack.state.rglob("*") if path.is_file()]
    kept = {path: path.read_text(errors="ignore") for path in files}
    assert sum(map(len, kept.values())) > 100_000, "the state is where it is looked for"
    for path, text in kept.items():
        seen = [secret[:4] for secret in secrets if secret in text]
        assert not seen, f"{path.name} shows secrets that begin with {seen}"


def _decrypted(value: Wire) -> Iterator[str]:
    """Every text within the secrets of a decrypted state."""
    if isinstance(value, dict):
        table = cast("dict[str, Wire]", value)
        if "plaintext" in table:
            yield from _texts(json.loads(table["plaintext"]))
        for part in table.values():
            yield from _decrypted(part)
    elif isinstance(value, list):
        for part in cast("list[Wire]", value):
            yield from _decrypted(part)


def _texts(value: Wire) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in cast("dict[str, Wire]", value).values():
            yield from _texts(part)


def _tear_down(stack: Project) -> None:
    """The documented two steps, as documented; and what the tool says to whoever skips one."""
    documented = re.findall(r"^pulumi (.*?)\s*(?:#.*)?$", _TEARDOWN.read_text(), re.MULTILINE)
    assert documented == ["config set protect false", "up", "destroy"]
    is_protected = any(each.get("protect") for each in stack.exported()["resources"])
    if is_protected:
        _assert_destroy_is_refused(stack)
    stack.pulumi("config", "set", "protect", "false")
    _update_unprotected(stack, is_protected=is_protected)
    assert not any(each.get("protect") for each in stack.exported()["resources"])

    stack.journal.clear()
    stack.pulumi("destroy", "--yes", "--skip-preview")
    gone = [call.type for call in stack.journal.of("delete")]
    assert _CLUSTER in gone
    assert set(HOLDING_DATA) & set(gone), "nothing that costs is left"
    assert gone.index(_CLUSTER) < gone.index(_NETWORK)
    assert not [each for each in gone if each == "kubernetes:apps/v1:Deployment"]


def _assert_destroy_is_refused(stack: Project) -> None:
    """Of a protected stack nothing goes; and without the preview, nothing that holds data."""
    refused = stack.pulumi("destroy", "--yes", code=None)
    assert refused.returncode != 0
    assert "because it is protected" in refused.said
    assert not stack.journal.of("delete")

    # The engine finds out as it goes, once it was told not to look first (3.256).
    refused = stack.pulumi("destroy", "--yes", "--skip-preview", code=None)
    assert refused.returncode != 0
    gone = {call.type for call in stack.journal.of("delete")}
    assert not gone & {*HOLDING_DATA, _CLUSTER, "kubernetes:core/v1:Namespace"}
    stack.journal.clear()
    stack.pulumi("up", "--yes", "--skip-preview")
    assert not {call.type for call in stack.journal.of("create")} & {*HOLDING_DATA}
    stack.journal.clear()


def _update_unprotected(stack: Project, *, is_protected: bool) -> None:
    done = stack.pulumi("up", "--yes", "--skip-preview", code=None)
    if is_protected:
        assert done.returncode != 0
        assert "unprotected-production" in done.said
        assert "accept" in done.said
        stack.pulumi("config", "set", "--path", "accept[0]", "unprotected-production")
        done = stack.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.said
    assert not stack.journal.of("delete")


_DECLARED = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
_WRONG = {"boolean": "perhaps", "integer": "two", "array": "one"}


def test_the_engine_refuses_a_value_of_another_type(empty: Project) -> None:
    """By the schema in Pulumi.yaml, before a line of the program has run."""
    empty.configure(BY_HAND)
    file = empty.folder / "Pulumi.trial.yaml"
    whole = file.read_text()
    refused: list[str] = []
    for key, rule in _DECLARED.items():
        if rule["type"] not in _WRONG:
            continue
        file.write_text(whole + f"  labeling-ops:{key}: {_WRONG[rule['type']]}\n")
        said = empty.pulumi("preview", code=None)
        assert said.returncode != 0, key
        assert f"'{key}' must be of type '{rule['type']}" in said.said
        refused.append(key)
    assert len(refused) > 5
    note("pulumi engine", f"{len(refused)} settings refused by the schema of Pulumi.yaml")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_missing_setting_is_named(empty: Project, missing: str) -> None:
    empty.configure({key: value for key, value in BY_HAND.items() if key != missing})
    said = empty.pulumi("preview", code=None)
    assert said.returncode != 0
    assert missing in said.said
    assert "Traceback" not in said.said


def test_a_refusal_has_reason_and_remedy_and_no_trace(empty: Project) -> None:
    empty.configure({**BY_HAND, "database": "in-cluster", "softDeleteDays": "400"})
    said = empty.pulumi("preview", code=None)
    assert said.returncode != 0
    assert "[out-of-range]" in said.said
    assert "next  pulumi config set softDeleteDays 90" in said.said
    assert "[in-cluster-high-availability]" in said.said, "every problem at once"
    assert "Traceback" not in said.said


def test_a_misspelled_setting_is_refused(empty: Project) -> None:
    empty.configure({**BY_HAND, "softDeletDays": "30"})
    said = empty.pulumi("preview", code=None)
    assert said.returncode != 0
    assert "did you mean softDeleteDays?" in said.said


def test_the_program_runs_as_a_person_starts_it(tmp_path: Path) -> None:
    """From the copy, and not from the checkout the tests run in; by a language host of its own."""
    with project(tmp_path, stack="dev", resident=False) as opened:
        opened.configure(BY_HAND)
        assert opened.changes().keys() == {"create"}
        (opened.folder / "infra" / "naming.py").write_text("raise RuntimeError('this very file')\n")
        said = opened.pulumi("preview", code=None)
    assert said.returncode != 0
    assert "this very file" in said.said
