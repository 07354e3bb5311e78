"""A command line of one's own: an empty directory, and none of the person's settings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.cli.main import main
from tests.cli.calls import FOREIGN, Said

Call = Callable[..., Said]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls a command in this process, in an empty directory."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **variables: str) -> Said:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            capsys.readouterr()
            exit_code = main(arguments)
        stdout, stderr = capsys.readouterr()
        return Said(exit_code=exit_code, stdout=stdout, stderr=stderr)

    return run
