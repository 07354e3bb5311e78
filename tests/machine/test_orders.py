"""Three rounds that overlap on tasks, finished in all six orders: the same labels."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ops.core.settle import Policy
from ops.local import Connection
from ops.runner.revert import revert_to
from tests.laws import note
from tests.machine.orders import (
    KEYS,
    ORDERS,
    REGIONS,
    ROUNDS,
    Plan,
    Plans,
    Sheets,
    finish_all,
    lay_out,
    open_rounds,
    say,
    told,
)
from tests.machine.reading import Box, Said
from tests.machine.stage import fake_stage, real_stage

_Seen = TypeVar("_Seen")

OWN = st.sampled_from(["none", "box", "empty", "skip"])
ACTS = st.sampled_from(["none", "move", "relabel", "remove"])
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def agreeing(draw: st.DrawFn) -> Plans:
    """Nobody contradicts anybody: each round has a region of its own to change, and draws more."""
    return {
        (number, key): Plan(
            regions={number: draw(ACTS)}, drawn=draw(st.integers(0, 2)), own=draw(OWN)
        )
        for number in ROUNDS
        for key in KEYS
    }


@st.composite
def contradicting(draw: st.DrawFn, regions: int) -> Plans:
    """Each round says what it likes of the same answer."""
    verdict = st.sampled_from(["none", "none", "none", "skip", "delete"])
    return {
        (number, key): Plan(
            regions={place: draw(ACTS) for place in range(regions)},
            drawn=draw(st.integers(0, 1)) if regions > 1 else 0,
            verdict=draw(verdict),
            own=draw(OWN),
        )
        for number in ROUNDS
        for key in KEYS
    }


def in_every_order(
    plans: Plans,
    see: Callable[[Sheets], _Seen],
    *,
    policy: Policy | None = None,
    regions: int = REGIONS,
) -> None:
    """Tell it six times; what is seen of main must be the same."""
    seen: dict[tuple[int, ...], _Seen] = {}
    for order in ORDERS:
        with tempfile.TemporaryDirectory() as folder:
            stage = fake_stage(Path(folder))
            lay_out(stage, regions)
            seen[order] = see(told(stage, plans, order, policy))
    first = seen[ORDERS[0]]
    for order, found in seen.items():
        assert found == first, f"{order}: {found}\n{ORDERS[0]}: {first}"


def as_bytes(sheets: Sheets) -> Mapping[str, bytes]:
    """Records to the byte: provenance and all."""
    return {key: sheet.data for key, sheet in sheets.items()}


def as_answers(sheets: Sheets) -> Mapping[str, frozenset[Said]]:
    """Who said what of each task, under whatever identity."""
    return {key: frozenset(sheet.answers.values()) for key, sheet in sheets.items()}


def as_drawn(sheets: Sheets) -> Mapping[str, tuple[str, frozenset[Box]]]:
    """How each task stands, and all that was drawn in the three rounds, in whichever answer."""
    first = {(f"r{place}", "brie", float(place)) for place in range(REGIONS)}
    return {
        key: (
            sheet.state,
            frozenset(box for one in sheet.answers.values() for box in one.boxes) - first,
        )
        for key, sheet in sheets.items()
    }


@EXAMPLES
@given(agreeing())
def test_rounds_that_agree(plans: Plans) -> None:
    """To the byte: of what two sides changed, the provenance is the later side's, not the last's.

    So there is no provenance that names the order, and the whole record is compared.
    """
    in_every_order(plans, as_bytes)
    note("three rounds, six orders", "12 x 6 in memory, nobody contradicts: the same to the byte")


@EXAMPLES
@given(contradicting(1))
def test_rounds_that_contradict_in_whole_answers(plans: Plans) -> None:
    """With both kept, the same answers.

    Which of them keeps the identity is the last round's: there it is that Label Studio knows it.
    """
    in_every_order(plans, as_answers, policy=Policy.BOTH, regions=1)
    note("three rounds, six orders", "12 x 6 in memory, with both kept: the same answers")


@EXAMPLES
@given(contradicting(2))
def test_rounds_that_contradict_in_regions(plans: Plans) -> None:
    """With both kept, all that was drawn, and the same states.

    Two answers in conflict are kept each as its side had it, with what it had taken in by then: a
    region that a third round moved without contradiction is moved in the one or in the other, and
    where it was before in the other or in none.
    """
    in_every_order(plans, as_drawn, policy=Policy.BOTH, regions=2)
    note("three rounds, six orders", "12 x 6 in memory, with both kept: all that was drawn")


FIXED: Plans = {
    (0, KEYS[0]): Plan(regions={0: "move"}, drawn=1),
    (1, KEYS[0]): Plan(regions={1: "relabel"}, own="box"),
    (2, KEYS[0]): Plan(regions={2: "remove"}, drawn=1, own="skip"),
    (0, KEYS[1]): Plan(regions={0: "move", 1: "move"}),
    (1, KEYS[1]): Plan(regions={0: "relabel"}, own="empty"),
    (2, KEYS[1]): Plan(verdict="delete", own="box"),
}
"""On the first task nobody contradicts, on the second everybody does."""


@pytest.mark.servers
def test_on_the_real_servers(servers: Connection, tmp_path: Path) -> None:
    """In one repository, that goes back to version 1 after each order."""
    stage = real_stage(servers, tmp_path)
    lay_out(stage)
    agreed: set[frozenset[Said]] = set()
    boxes: set[tuple[str, frozenset[Box]]] = set()
    for number, order in enumerate(ORDERS):
        names = open_rounds(stage, f"o{number}-")
        say(stage, names, FIXED)
        sheets = finish_all(stage, names, order, Policy.BOTH)
        agreed.add(as_answers(sheets)[KEYS[0]])
        boxes.add(as_drawn(sheets)[KEYS[1]])
        revert_to(stage.base, "v1")
    assert len(agreed) == 1
    ((said,),) = [agreed]
    assert {len(one.boxes) for one in said} == {4, 1, 0}, "all three rounds are in it"
    assert len(boxes) == 1
    note("three rounds, six orders", "6 on the real servers: the same answers, all that was drawn")
