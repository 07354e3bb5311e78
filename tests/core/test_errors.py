"""What an error is to programs: its parts, whole, in tracebacks and across processes."""

import pickle
import traceback

import pytest

from ops.errors import OpsError, PartialError


@pytest.fixture
def error() -> OpsError:
    return PartialError(
        "not-whole",
        "3 files are not there",
        subject="a.png",
        where=(("missing", "a.png"),),
        unchanged="the others are whole",
        hint="ops dataset pull v1 --out data",
        details={"missing": ["a.png"]},
    )


def test_a_traceback_says_what_to_do(error: OpsError) -> None:
    """Python's own users see no error page of the command line."""
    assert str(error) == "3 files are not there"
    lines = traceback.format_exception_only(error)
    assert lines[-1] == "next: ops dataset pull v1 --out data\n"


def test_it_crosses_to_another_process_with_its_parts(error: OpsError) -> None:
    """Raised by a trainer's worker, caught by the trainer."""
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(there) is PartialError
    assert vars(there) == vars(error)
    assert str(there) == str(error)
