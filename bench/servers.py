"""The servers that benchmarks run on: their own, below `.ops/bench`, for as long as one runs."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ops.cli.progress import LineReporter
from ops.local import Connection, stack

HOME = Path(".ops/bench")


@contextmanager
def servers() -> Generator[Connection]:
    """Start them, and stop them in the end. `OPS_LAKEFS_BINARY` names another lakeFS program."""
    binary = os.environ.get("OPS_LAKEFS_BINARY")
    reporter = LineReporter(sys.stderr)
    status = stack.up(
        HOME, reporter, lakefs_binary=Path(binary) if binary else None, shared=Path(".ops")
    )
    assert status.connection is not None
    try:
        yield status.connection
    finally:
        stack.down(HOME, reporter)
