"""Waiting for what becomes so by itself, as long as it may take and no longer."""

import time
from collections.abc import Callable

_PAUSE_S = 0.1


def wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float = 180) -> None:
    """Look again until something is so.

    Raises:
        AssertionError: it is not so in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(_PAUSE_S)
