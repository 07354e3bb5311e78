"""Calls `ops` in this process, or as a process of its own, with none of the person's settings."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOREIGN = ("OPS_", "RAY_", "LAKECTL_", "LABEL_STUDIO_", "NO_COLOR", "FORCE_COLOR", "COLUMNS",
           "PYTHONDONTWRITEBYTECODE")  # fmt: skip
"""Beginnings of variables that would change what a command does or prints."""

COMMAND = [sys.executable, "-m", "ops"]

ENVELOPE = {"schema", "command", "status", "exit_code", "data", "warnings", "errors"}
ERROR = {"code", "message", "subject", "where", "unchanged", "hint"}
WARNING = {"code", "message", "subject"}
TELLS_MORE = {
    ("doctor",),
    ("dataset", "verify"),
    ("data", "import"),
    ("predict", "add"),
    ("dataset", "split"),
    ("dataset", "export"),
    ("dataset", "pull"),
    *(("round", verb) for verb in ("rebase", "finish")),
    *(("dataset", verb) for verb in ("revert", "merge")),
    *(("ontology", verb) for verb in ("rename", "merge", "split", "remove")),
}
"""Commands that may refuse with what they found: findings, conflicts, uses of a label, objects."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one call left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would change a command, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, **more}


def run(*arguments: str, directory: Path, env: Mapping[str, str] | None = None) -> Said:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Said(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def check_envelope(said: Said, command: Sequence[str]) -> dict[str, Any]:
    """Hold a call with `--json` against the contract, and give its document."""
    document = said.document
    assert said.stderr == "", "narration with --json"
    assert set(document) == ENVELOPE
    assert document["schema"] == "ops.result/1"
    assert document["command"] == [*command]
    assert document["exit_code"] == said.exit_code
    assert all(set(warning) == WARNING for warning in document["warnings"])
    if said.exit_code:
        assert document["status"] == ("partial" if said.exit_code == 10 else "error")
        assert document["data"] == {} or tuple(command) in TELLS_MORE
        [error] = document["errors"]
        check_error(error)
    else:
        assert document["status"] in {"ok", "planned"}
        assert document["errors"] == []
        assert document["data"] != {}
    return document


def check_error(error: Mapping[str, Any]) -> None:
    """Hold an error of an envelope against the contract: every part is there and says something."""
    assert set(error) == ERROR
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error["code"])
    for part in ("message", "unchanged", "hint"):
        assert error[part].strip() == error[part] != ""
    assert "\n" not in error["message"]
    assert not error["message"].endswith(".")
    # The text of a library is recognised by its names.
    assert not re.search(r"Traceback|urllib3|httpx|pydantic|HTTPConnection|Errno", str(error))
