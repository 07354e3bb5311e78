"""A stack of an earlier release is brought to today's program without losing what it holds.

From the state each release left, on the real Pulumi engine: nothing that holds data is replaced or
deleted. And the test itself notices when that would happen.
"""

import shutil
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.infra.engine import ROOT, Project, Ran, project, urns
from tests.infra.invariants.program import HOLDING_DATA
from tests.infra.providers import type_of
from tests.infra.states import BY_HAND, FOLDER, STACK, restore
from tests.laws import note

pytestmark = pytest.mark.engine

RELEASES = sorted(FOLDER.glob("*.json"))
KEPT = {*HOLDING_DATA, "gcp:container/cluster:Cluster", "kubernetes:core/v1:Namespace"}
_HARMLESS = {"create", "read", "refresh", "same", "update"}
_GROUND = Path("infra") / "ground.py"
_STORAGE = """            encryption_key=key,
        ),
        apis,
    )
    lakefs_roles"""


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.stem)
def restored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Project]:
    """The state of a release; a preview does not change it."""
    with project(tmp_path_factory.mktemp("upgrade"), stack=STACK) as opened:
        opened.configure(BY_HAND)
        restore(request.param, opened)
        yield opened


@pytest.fixture
def upgraded(restored: Project) -> Project:
    """Today's program on the state of a release."""
    shutil.rmtree(restored.folder / "infra")
    shutil.copytree(
        ROOT / "infra", restored.folder / "infra", ignore=shutil.ignore_patterns("__pycache__")
    )
    return restored


def test_a_release_is_stored() -> None:
    assert RELEASES


def test_an_upgrade_keeps_what_holds_data(upgraded: Project) -> None:
    previewed = upgraded.pulumi("preview", "--json", code=None)
    assert previewed.returncode == 0, previewed.said
    assert not _lost(previewed)
    kept = [urn for urn in urns(upgraded.exported()) if type_of(urn) in KEPT]
    assert len(kept) > 10, "the state holds what is to be kept"
    note("pulumi engine", f"{len(kept)} resources that hold data kept by an upgrade")


def test_a_rename_without_an_alias_is_noticed(upgraded: Project) -> None:
    _rename(upgraded)
    previewed = upgraded.pulumi("preview", "--json", code=None)
    assert previewed.returncode != 0, "the engine keeps what is protected"
    assert "gcp:storage/bucket:Bucket" in _lost(previewed).values()


def test_a_rename_with_an_alias_moves_nothing(upgraded: Project) -> None:
    _rename(upgraded, alias="storage")
    previewed = upgraded.pulumi("preview", "--json", code=None)
    assert previewed.returncode == 0, previewed.said
    assert not _lost(previewed)
    assert not [urn for urn, operation in _steps(previewed).items() if operation == "create"]


@pytest.mark.parametrize(
    ("file", "changes", "lost"),
    [
        ("naming.py", ('self._bucket("data")', 'self._bucket("store")'), "Bucket"),
        ("credentials.py", ('"lakefs-encryption-key", 64', '"lakefs-encryption-key", 65'), "word"),
    ],
)
def test_a_replacement_is_noticed(
    upgraded: Project, file: str, changes: tuple[str, str], lost: str
) -> None:
    """A bucket of another name is an empty one; a new key cannot read what the old one wrote."""
    changed = upgraded.folder / "infra" / file
    text = changed.read_text()
    assert text.count(changes[0]) == 1
    changed.write_text(text.replace(*changes))
    previewed = upgraded.pulumi("preview", "--json", code=None)
    assert any(kind.endswith(lost) for kind in _lost(previewed).values())


def _rename(upgraded: Project, *, alias: str = "") -> None:
    """Give the component of the buckets another logical name."""
    program = upgraded.folder / _GROUND
    text = program.read_text()
    named = '        "storage",\n        storage.DataBucketsArgs('
    assert text.count(named) == 1
    assert text.count(_STORAGE) == 1
    text = text.replace(named, named.replace('"storage"', '"buckets"', 1))
    if alias:
        options = f'pulumi.ResourceOptions(aliases=[pulumi.Alias(name="{alias}")])'
        merged = f"pulumi.ResourceOptions.merge(apis, {options})"
        text = text.replace(_STORAGE, _STORAGE.replace("        apis,\n", f"        {merged},\n"))
    program.write_text(text)


def _steps(previewed: Ran) -> Mapping[str, str]:
    """What a preview would do, by URN; of several steps the most dangerous."""
    steps: dict[str, str] = {}
    for step in previewed.document()["steps"]:
        if step["op"] not in _HARMLESS or step["urn"] not in steps:
            steps[step["urn"]] = step["op"]
    return steps


def _lost(previewed: Ran) -> Mapping[str, str]:
    """Types of what holds data and would be replaced or deleted, by URN."""
    return {
        urn: type_of(urn)
        for urn, operation in _steps(previewed).items()
        if type_of(urn) in KEPT and operation not in _HARMLESS
    }
