"""Fixtures that tests/conftest.py gives to every room: Google Cloud Storage, without Google."""

import os
from collections.abc import Generator
from typing import Any

import pytest

from tests.gcs.emulator import emulator
from tests.gcs.front import Front, front


@pytest.fixture(scope="session")
def cloud() -> Generator[Front]:
    """The real fake-gcs-server behind its door, once a session."""
    with emulator() as server, front(server) as door:
        yield door


@pytest.fixture
def cloud_here(cloud: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """The same, with this process's Google libraries sent to it."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return cloud


def client() -> Any:  # noqa: ANN401 - the library is not typed
    """Google's own client, to put into buckets what ops only reads."""
    assert os.environ.get("STORAGE_EMULATOR_HOST", "").startswith("http://127.0.0.1:")
    from google.cloud import storage

    return storage.Client(project="tests")
