"""The real Pulumi engine on the real program, with stand-in providers and state in a folder.

Owns a project: a copy of what `pulumi up` reads, so that stack files, the program and the state can
be changed by a test. Uses the CLI as a person does; the engine is the one on PATH or is built.
"""

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.built import built
from tests.infra import language_host
from tests.infra.providers import Journal, Objects, serving

ROOT = Path(__file__).parents[2]
_READ_BY_PULUMI = ("infra", "k8s", "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml")
_PACKAGES = ("gcp", "kubernetes", "random")
_PASSPHRASE = "correct horse battery staple"  # noqa: S105  of a state that lives one test
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One `pulumi` command that has ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All it said."""
        return self.stdout + self.stderr

    def document(self) -> Any:  # noqa: ANN401 - decoded JSON
        """Its JSON document on stdout."""
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A copy of the project with a state of its own.

    Attributes:
        folder: the copy: Pulumi.yaml, stack files, infra/, k8s/.
        state: the folder of the state.
        journal: what the engine asked of the providers.
    """

    folder: Path
    state: Path
    journal: Journal
    environment: Mapping[str, str]

    def pulumi(self, *arguments: str, code: int | None = 0) -> Ran:
        """Run `pulumi ARGUMENTS` in the copy; the test fails unless it ends with `code`."""
        done = subprocess.run(
            [_pulumi(), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=dict(self.environment),
            text=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        ran = Ran(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)
        assert code is None or done.returncode == code, f"pulumi {arguments}: {ran.said}"
        return ran

    def changes(self, *arguments: str) -> Mapping[str, int]:
        """How many resources a `preview` would create, update, replace, delete or leave."""
        return self.pulumi("preview", "--json", *arguments).document()["changeSummary"]

    def exported(self) -> Mapping[str, Any]:
        """The state as `pulumi stack export` gives it: secrets encrypted."""
        return self.pulumi("stack", "export").document()["deployment"]

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set configuration values as a person would, in the copy's stack file."""
        plain = [part for pair in settings.items() for part in ("--plaintext", "=".join(pair))]
        self.pulumi("config", "set-all", *plain)


@contextlib.contextmanager
def project(
    folder: Path, *, stack: str, objects: Objects | None = None, resident: bool = True
) -> Generator[Project]:
    """A copy of the project in an empty `folder`, its stack made and selected.

    Unless `resident`, each command starts a language host of its own, as a person's does.
    """
    copy, state, home = (folder / part for part in ("project", "state", "home"))
    for made in (copy, state, home):
        made.mkdir()
    for name in _READ_BY_PULUMI:
        _copy(ROOT / name, copy / name)
    versions = {name: metadata.version(f"pulumi-{name}") for name in _PACKAGES}
    with serving(versions, objects) as (providers, journal):
        opened = Project(
            folder=copy,
            state=state,
            journal=journal,
            environment={
                **_environment(home, state, providers),
                **({"PULUMI_DEBUG_LANGUAGES": f"python:{_resident_host()}"} if resident else {}),
            },
        )
        opened.pulumi("stack", "init", stack)
        yield opened


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copyfile(source, target)


def _environment(home: Path, state: Path, providers: str) -> Mapping[str, str]:
    return {
        "HOME": str(home),
        "PATH": f"{_language_host(home)}:{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
        "PULUMI_DEBUG_PROVIDERS": providers,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Else the engine looks for its plugins on the internet.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _language_host(home: Path) -> Path:
    """A folder with the language host under the name the engine looks for."""
    folder = home / "bin"
    folder.mkdir()
    program = folder / "pulumi-language-python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{language_host.__file__}" "$@"\n')
    program.chmod(0o755)
    return folder


@cache
def _resident_host() -> int:
    """The port of a language host that serves the whole session; it ends when this process does."""
    host = subprocess.Popen(
        [sys.executable, language_host.__file__, language_host.RESIDENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"},
        text=True,
    )
    atexit.register(host.communicate)
    assert host.stdout is not None
    return int(host.stdout.readline())


def _pulumi() -> str:
    return shutil.which("pulumi") or str(built("pulumi"))


def urns(deployment: Mapping[str, Any]) -> Sequence[str]:
    """The URNs in an exported state."""
    return [resource["urn"] for resource in deployment.get("resources", [])]
