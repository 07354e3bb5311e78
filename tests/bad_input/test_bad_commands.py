"""Commands put wrongly: the right exit code, an error that names the place, no file changed."""

import os
from pathlib import Path

import pytest

from ops.cli.app import words
from ops.cli.main import main
from tests.bad_input.commands import CommandCase, cases
from tests.cli.calls import FOREIGN, Said, check_envelope

CASES = tuple(cases())
NOBODY = {
    "OPS_LAKEFS_URL": "http://127.0.0.1:9",
    "OPS_LAKEFS_ACCESS_KEY_ID": "key",
    "OPS_LAKEFS_SECRET_ACCESS_KEY": "secret",
    "OPS_LABEL_STUDIO_URL": "http://127.0.0.1:9",
    "OPS_LABEL_STUDIO_TOKEN": "token",
}
"""Servers that are not there: who asks them ends with another exit code."""


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_bad_command_is_refused_and_changes_nothing(
    case: CommandCase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before any server is asked."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    settings = NOBODY if case.arguments[0] != "config" else {}
    for name, value in {**settings, **case.variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    for name, data in case.files.items():
        if data is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(data)
    before = tree(tmp_path)
    exit_code = main([*case.arguments, "--json"])
    stdout, stderr = capsys.readouterr()
    said = Said(exit_code=exit_code, stdout=stdout, stderr=stderr)
    document = check_envelope(said, words(case.arguments))
    [error] = document["errors"]
    assert (error["code"], exit_code) == (case.code, case.exit_code), error["message"]
    told = "\n".join([error["message"], str(error["subject"]), str(error["where"])])
    assert case.place in told
    assert "hunter2" not in told + str(error["hint"])
    assert tree(tmp_path) == before


def tree(directory: Path) -> dict[str, bytes | None]:
    """Everything in a directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }
