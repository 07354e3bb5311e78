"""Which fault is mended first, and in which order repairs are made."""

from itertools import permutations

import pytest

from ops.core.health import (
    Diagnosis,
    Repair,
    RepairKind,
    Verdict,
    failed,
    healthy,
    plan_repairs,
    skipped,
    suspect,
    worst,
)
from ops.errors import (
    ConfigurationError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    UnavailableError,
)


def fault(kind: type[OpsError], code: str = "x") -> Diagnosis:
    """A failed check."""
    return failed("check", kind(code, "it is so", unchanged="nothing", hint="do that"))


def test_settings_come_before_access_and_access_before_what_runs() -> None:
    """Whatever the order they were found in."""
    gravest_first = [
        ConfigurationError, DeniedError, UnavailableError, NotFoundError, InvalidDataError,
    ]  # fmt: skip
    for kinds in permutations(gravest_first, 3):
        found = worst(fault(kind) for kind in kinds)
        assert isinstance(found, min(kinds, key=gravest_first.index))


def test_of_one_class_the_first_that_was_found() -> None:
    """The others may follow from it."""
    found = worst([fault(ConfigurationError, "a"), fault(ConfigurationError, "b")])
    assert found is not None
    assert found.code == "a"


def test_what_is_no_fault_has_no_worst() -> None:
    """Warnings and what was not looked at fail nothing."""
    assert worst([healthy("a", "x"), suspect("b", "x", remedy="y"), skipped("c", "x")]) is None


def test_a_fault_says_what_its_error_says() -> None:
    """For people and for programs."""
    diagnosis = fault(DeniedError)
    assert diagnosis.verdict is Verdict.FAIL
    assert diagnosis.as_json() == {
        "check": "check", "verdict": "fail", "message": "it is so", "remedy": "do that",
        "code": "x", "repairs": [],
    }  # fmt: skip


@pytest.mark.parametrize("kinds", list(permutations(RepairKind, 3)))
def test_repairs_are_planned_in_the_order_they_need_each_other(kinds: list[RepairKind]) -> None:
    """Once each."""
    repairs = [Repair(kind=kind, subject="main", text=kind.value) for kind in kinds]
    looked = [suspect("a", "x", remedy="y", repairs=(one, repairs[0])) for one in repairs]
    order = list(RepairKind)
    assert [one.kind for one in plan_repairs(looked)] == sorted(kinds, key=order.index)
