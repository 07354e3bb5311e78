"""The real lakeFS with its objects in a bucket, instead of on the disk."""

import os
import shlex
from pathlib import Path

import pytest

from ops.errors import ConfigurationError
from ops.local.home import Home
from ops.local.lakefs_binary import find_binary
from tests.gcs.front import Front
from tests.narration import Narration
from tests.real import SHARED, explicit_binary


def lakefs_in(cloud: Front, directory: Path) -> Path:
    """A program that runs lakeFS as it is told, but storing in buckets of `cloud`.

    lakeFS takes what its environment says before what its configuration does. Presigned addresses
    are off: the emulator cannot sign (seen in 1.84). Skips where there is no lakeFS, and fails
    there under CI.
    """
    variables = {
        **cloud.environment,
        "LAKEFS_BLOCKSTORE_TYPE": "gs",
        "LAKEFS_BLOCKSTORE_GS_DISABLE_PRE_SIGNED": "true",
    }
    try:
        binary = find_binary(Home.at(SHARED), Narration(), explicit=explicit_binary())
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NO REAL SERVERS: {error.message}; {error.hint}")
    program = directory / "lakefs"
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    program.write_text(f'#!/bin/sh\nexec env {settings} {shlex.quote(str(binary))} "$@"\n')
    program.chmod(0o755)
    return program
