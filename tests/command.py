"""Runs `ops` as a person does: a process of its own, its exit code, its two streams."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ops.local import Connection

_TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def data(self) -> dict[str, Any]:
        """The result's data."""
        return self.document["data"]


class Ops:
    """The command `ops` in a directory and environment of its own, on a repository of its own."""

    def __init__(
        self, directory: Path, servers: Connection, actor: str = "lena@example.org"
    ) -> None:
        self.directory = directory
        self.repository = f"test-{uuid4().hex[:12]}"
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OPS_")},
            "OPS_REPOSITORY": self.repository,
            "OPS_ACTOR": actor,
            "OPS_CACHE_DIR": "cache",
            "OPS_LAKEFS_URL": servers.lakefs_url,
            "OPS_LAKEFS_ACCESS_KEY_ID": servers.lakefs_access_key_id,
            "OPS_LAKEFS_SECRET_ACCESS_KEY": servers.lakefs_secret_access_key,
            "OPS_LABEL_STUDIO_URL": servers.label_studio_url,
            "OPS_LABEL_STUDIO_TOKEN": servers.label_studio_token,
        }

    def run(self, *arguments: str, expect: int = 0) -> Answer:
        """Run a command with `--json` and hold its exit code against what is expected."""
        answer = self.say(*arguments, "--json")
        assert answer.exit_code == expect, answer.stdout + answer.stderr
        return answer

    def say(self, *arguments: str) -> Answer:
        """Run a command as it is."""
        done = subprocess.run(
            [sys.executable, "-m", "ops", *arguments],
            cwd=self.directory,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return Answer(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)
