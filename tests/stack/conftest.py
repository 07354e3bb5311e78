"""What tests of stacks share: the key of the session's Label Studio, and a command line."""

from pathlib import Path

from ops.local import Connection
from ops.local.home import Home
from ops.local.state import load
from tests.cli.conftest import call
from tests.conftest import stack_home

__all__ = ["call"]


def secret_key_of(servers: Connection) -> str:
    """What the session's Label Studio signs with."""
    state = load(Home.at(Path(stack_home())))
    assert state is not None
    assert state.credentials.label_studio_token == servers.label_studio_token
    return state.credentials.label_studio_secret_key
