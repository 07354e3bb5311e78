"""A scripted server, and a client of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from ops.studio import LabelStudio
from tests.studio.scripted import LEGACY, Connect, Script, serve


@pytest.fixture
def script() -> Iterator[Script]:
    """A server that answers as told."""
    with serve() as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make impatient clients, and close them."""
    with ExitStack() as clients:

        def make(
            url: str, token: str = LEGACY, on_request: Callable[[str, str], None] | None = None
        ) -> LabelStudio:
            client = LabelStudio(url, token, timeout_s=0.3, patience_s=0.05, on_request=on_request)
            return clients.enter_context(closing(client))

        yield make


@pytest.fixture
def studio(script: Script, connect: Connect) -> LabelStudio:
    """A client of it, with a legacy token."""
    return connect(script.url)
