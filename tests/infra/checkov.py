"""checkov in an environment of its own, and what it finds.

Owns running it without the network. Skips loudly where the environment was not made; CI makes it.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_PROGRAM = ROOT / ".ops" / "checkov" / "bin" / "checkov"
_SET_UP = ROOT / "tools" / "checkov" / "set-up"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """A rule that a resource breaks.

    Attributes:
        check: the rule's id, as `CKV_K8S_43`.
        resource: as checkov names it.
        rule: what the rule asks for.
    """

    check: str
    resource: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one run found.

    Attributes:
        passed_count: rules kept, counted by resource.
    """

    failed: tuple[Finding, ...]
    passed_count: int

    def beyond(self, accepted: Mapping[str, str]) -> tuple[Finding, ...]:
        """Those nobody has accepted."""
        return tuple(each for each in self.failed if each.check not in accepted)


def check(file: Path, framework: str) -> Findings:
    """Check one file: `kubernetes` manifests or a `terraform_plan`. Four seconds of CPU."""
    arguments = ["-f", str(file), "--framework", framework, "--output", "json", "--compact"]
    done = subprocess.run(
        # Without --skip-download it asks its maker's server for more rules.
        [_program(), *arguments, "--quiet", "--skip-download"],
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    document: Mapping[str, Any] = json.loads(done.stdout)
    assert "results" in document, f"checkov read nothing in {file.name}: {done.stdout}"
    failed = [
        Finding(check=each["check_id"], resource=each["resource"], rule=each["check_name"])
        for each in document["results"]["failed_checks"]
    ]
    assert not document["summary"]["parsing_errors"]
    return Findings(failed=tuple(sorted(failed)), passed_count=document["summary"]["passed"])


def _program() -> Path:
    if os.environ.get("CI"):
        subprocess.run([_SET_UP], check=True)
    if not _PROGRAM.exists():
        pytest.skip(f"NO CHECKOV: make it by {_SET_UP.relative_to(ROOT)}")
    return _PROGRAM
