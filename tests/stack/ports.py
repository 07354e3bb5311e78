"""The two fixed ports of forwarded servers, for one test session of this machine at a time."""

import fcntl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.local.loopback import is_free
from ops.stack.use import FORWARDED_PORTS


@contextmanager
def fixed_ports() -> Generator[None]:
    """Wait for them, and keep them for the block; skips where somebody forwards a real stack."""
    with (Path(tempfile.gettempdir()) / "labeling-ops-forwarded-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(map(is_free, FORWARDED_PORTS.values())):
            pytest.skip("PORT 18080 OR 18000 IS TAKEN: a stack is forwarded on this machine")
        yield


@pytest.fixture(scope="module", autouse=True)
def ports() -> Generator[None]:
    """Nobody else forwards meanwhile, for each module that has this among its names."""
    with fixed_ports():
        yield
