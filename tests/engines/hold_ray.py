"""Enters a local Ray engine, says so, and stays until its standard input ends."""

import sys

from ops.engines.ray import ObjectAccess, RayEngine

if __name__ == "__main__":
    nowhere = ObjectAccess(
        url="http://127.0.0.1:9",
        repository="dataset",
        access_key_id="key",
        secret_access_key="secret",  # noqa: S106 - nobody's
    )
    with RayEngine(nowhere, processors=1):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
