"""The invariants hold for what the program declares, whatever is configured."""

import pytest

from tests.infra.invariants.every import INVARIANTS
from tests.infra.recording import record
from tests.infra.scenarios import SCENARIOS, declared, recorded
from tests.laws import note


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", INVARIANTS)
def test_invariant_holds(name: str, scenario: str) -> None:
    assert list(INVARIANTS[name](recorded(scenario))) == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_preview_of_an_empty_project_shows_everything_there_will_be(scenario: str) -> None:
    """Nothing is declared inside an `apply`, nor depends on a value only the cloud knows."""
    foreseen = {each.urn for each in declared(scenario, preview=True).resources}
    made = {each.urn for each in recorded(scenario).resources}
    assert foreseen == made
    note("infra", f"{len(INVARIANTS)} invariants over {len(SCENARIOS)} settings")


def test_the_program_declares_the_same_twice() -> None:
    assert declared("public") == recorded("public")


def test_logical_names_do_not_hold_the_stack_s() -> None:
    """A second stack is the same program: names that differ could not be compared or moved."""
    one, two = (
        {(each.type, each.name) for each in record(stack_name=stack).resources}
        for stack in ("one", "two")
    )
    assert one == two
