"""The real lakeFS with its objects in a bucket, instead of on the disk."""

import shlex
from pathlib import Path

from tests.gcs.front import Front
from tests.wanted import lakefs_program


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
    binary = lakefs_program()
    program = directory / "lakefs"
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    program.write_text(f'#!/bin/sh\nexec env {settings} {shlex.quote(str(binary))} "$@"\n')
    program.chmod(0o755)
    return program
