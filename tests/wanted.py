"""Programs that tests want and a machine may not have: a loud skip, and a failure under CI."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from ops.errors import ConfigurationError
from ops.local.home import Home
from ops.local.lakefs_binary import find_binary
from tests.narration import Narration
from tests.real import SHARED, explicit_binary


def missing(message: str) -> NoReturn:
    """Skip the test that asks, loudly.

    Raises:
        AssertionError: this is CI, which has everything.
    """
    if os.environ.get("CI"):
        raise AssertionError(message)
    pytest.skip(message)


def lakefs_program() -> Path:
    """The lakeFS program. Skips where it is not to be had, and fails there under CI."""
    try:
        return find_binary(Home.at(SHARED), Narration(), explicit=explicit_binary())
    except ConfigurationError as error:
        missing(f"NO LAKEFS: {error.message}; {error.hint}")


def check_uwsgi() -> None:
    """Make sure of uWSGI. Skips where it is not installed, and fails there under CI."""
    if find_spec("pyuwsgi") is None:
        missing("NO UWSGI: pip install pyuwsgi beside pytest")
