"""No credential can get into git by accident, and secrets/README.md says what there is."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.tree import ROOT, modules

README = (ROOT / "secrets" / "README.md").read_text("utf-8")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git here."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_git_has_the_page_alone() -> None:
    assert git("ls-files", "secrets").stdout.split() == ["secrets/README.md"]
    assert git("log", "--all", "--format=%H", "--", "secrets/*", ":!secrets/README.md").stdout == ""


@pytest.mark.parametrize(
    "name",
    ["ops.toml", "compose/lakefs-secret-access-key", "key.json", ".env", ".gitignore", "a/b/c"],
)
def test_git_passes_over_everything_else(name: str) -> None:
    """Whatever it is called, and if somebody adds everything."""
    assert git("check-ignore", "--quiet", f"secrets/{name}").returncode == 0


def test_the_page_is_not_passed_over() -> None:
    assert git("check-ignore", "--quiet", "secrets/README.md").returncode == 1


def test_a_new_checkout_passes_over_them_too(tmp_path: Path) -> None:
    """By the rules that are in git, and no others of this machine."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text("utf-8"))
    for name in ("README.md", "ops.toml", "compose/lakefs-secret-access-key"):
        path = tmp_path / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    subprocess.run(["git", "add", "--all"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "secrets"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert listed.stdout.split() == ["secrets/README.md"]


def test_it_is_no_package() -> None:
    """With an __init__.py it would be imported where the standard library's is meant."""
    assert not (ROOT / "secrets" / "__init__.py").exists()
    assert modules("secrets/") == []


def test_every_renewed_secret_is_one_there_is() -> None:
    """A name that is not in infra/credentials.py, or compose.yaml, would renew nothing."""
    google, compose = README.split("## On Google Cloud")[1].split("## With compose.yaml")
    made = set(re.findall(r'"([a-z-]+)", \d+\)', (ROOT / "infra" / "credentials.py").read_text()))
    renewed = set(re.findall(r"renew ([a-z][a-z-]+)", google))
    assert renewed
    assert renewed <= made
    assert made - renewed == set()

    files = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["secrets"]
    lines = re.findall(r"renew ((?:[a-z][a-z-]+ ?)+)", compose)
    named = {name for line in lines for name in line.split()}
    # Never renewed: the id stays, and PostgreSQL's administrator is let in from inside alone.
    assert set(files) - named == {"lakefs-access-key-id", "postgres-password"}
    assert named <= set(files)


def test_every_output_is_one_there_is() -> None:
    """`output NAME` reads a stack's output."""
    outputs = (ROOT / "infra" / "outputs.py").read_text("utf-8")
    for name in set(re.findall(r"\(?output ([a-z][A-Za-z]+)", README)):
        snake = re.sub(r"([A-Z])", lambda found: f"_{found.group().lower()}", name)
        assert f"    {snake}: " in outputs, name
