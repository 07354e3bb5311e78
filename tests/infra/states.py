"""Stored states: what a release of infra/ left behind, for the next ones to start from.

Owns tests/infra/states/: a state per release, of stack prod, made by stand-in providers; nothing in
it is anybody's secret. When a release is made: `python -m tests.infra.states 0.2`.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.infra.answers import PROJECT, REGION
from tests.infra.engine import Project, project

FOLDER = Path(__file__).parent / "states"
STACK = "prod"
BY_HAND = {"gcp:project": PROJECT, "gcp:region": REGION, "adminEmail": "admin@example.org"}
"""What each stack's file says is yours to add."""


def write(release: str, folder: Path) -> Path:
    """Bring a stack up with today's program, and keep its state as that of a release."""
    with project(folder, stack=STACK) as made:
        made.configure(BY_HAND)
        made.pulumi("up", "--yes", "--skip-preview")
        state = made.pulumi("stack", "export").document()
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{release}.json"
    target.write_text(json.dumps(_without_moments(state), indent=1, sort_keys=True) + "\n")
    return target


def restore(release: Path, opened: Project) -> None:
    """Give a new stack the state of a release."""
    opened.pulumi("stack", "import", "--file", str(release))


def _without_moments(state: dict[str, Any]) -> dict[str, Any]:
    """The state without what differs from one making to the next."""
    state["deployment"]["manifest"]["time"] = "2026-01-01T00:00:00Z"
    for resource in state["deployment"]["resources"]:
        for key in ("created", "modified", "sourcePosition", "stackTrace"):
            resource.pop(key, None)
    return state


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(sys.argv[1], Path(scratch))
