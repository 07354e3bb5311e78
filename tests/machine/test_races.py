"""Two verbs at the same time, at every point: one is first, the other replays or says what to do.

Nothing happens to a server between two requests of one verb but what the other does there. So the
other's whole run before each request of the first, and after its last, is every way they can meet
in which one of them is not interrupted.
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from ops.core.settle import Policy
from ops.errors import OpsError
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.finish import finish_round
from ops.runner.rebase import rebase_round
from ops.runner.revert import revert_to
from tests.laws import note
from tests.machine.laws import Laws
from tests.machine.orders import (
    KEYS,
    Plan,
    Plans,
    lay_out,
    open_rounds,
    project_of,
    say,
    tasks_of,
)
from tests.machine.reading import Library, read_desk
from tests.machine.stage import PEOPLE, Stage, fake_stage

Verb: TypeAlias = Callable[[Context], object]

AGREED: Plans = {
    (0, KEYS[0]): Plan(regions={0: "move"}, drawn=1),
    (1, KEYS[0]): Plan(regions={1: "relabel"}, own="box"),
    (1, KEYS[1]): Plan(regions={2: "remove"}, own="skip"),
}
CONTRADICTED: Plans = {**AGREED, (1, KEYS[0]): Plan(regions={0: "relabel"})}


def finish(name: str, policy: Policy | None = None) -> Verb:
    """Finish a round."""
    return lambda context: finish_round(context, name, on_conflict=policy)


def rebase(name: str) -> Verb:
    """Take main into a round."""
    return lambda context: rebase_round(context, name)


def picture(stage: Stage, name: str) -> Verb:
    """Put a picture on main."""
    path = stage.picture(name, 77)
    return lambda context: add_media(context, [path], replace=True)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Two verbs that meet.

    Attributes:
        first, rival: made on a stage with rounds r0, r1 and r2; the rival runs in the first's
            middle.
        is_contradicted: what r0 says, r1 contradicts.
        said: what either may say instead of doing its work, where it is overtaken.
        versions: how many there are in the end.
    """

    first: Callable[[Stage], Verb]
    rival: Callable[[Stage], Verb]
    is_contradicted: bool = False
    said: frozenset[str] = frozenset()
    versions: int = 3


RACES = {
    "finish, finish": Race(first=lambda _: finish("r0"), rival=lambda _: finish("r1")),
    "finish, finish of the same round": Race(
        first=lambda _: finish("r0"),
        rival=lambda _: finish("r0"),
        said=frozenset({"branch-moved", "round-finished"}),
        versions=2,
    ),
    "finish, finish that contradicts": Race(
        first=lambda _: finish("r0"),
        rival=lambda _: finish("r1"),
        is_contradicted=True,
        said=frozenset({"tasks-changed-on-both-sides"}),
    ),
    "finish, rebase of another round": Race(
        first=lambda _: finish("r0"), rival=lambda _: rebase("r1")
    ),
    "finish, rebase of the same round": Race(
        first=lambda _: finish("r0"),
        rival=lambda _: rebase("r0"),
        said=frozenset({"branch-moved", "round-finished"}),
    ),
    "rebase, finish of another round": Race(
        first=lambda _: rebase("r0"), rival=lambda _: finish("r1")
    ),
    "rebase, finish of the same round": Race(
        first=lambda _: rebase("r0"),
        rival=lambda _: finish("r0"),
        said=frozenset({"branch-moved", "round-finished"}),
    ),
    "finish, data add": Race(
        first=lambda _: finish("r0"), rival=lambda stage: picture(stage, "p009.png"), versions=2
    ),
    "finish, data add --replace": Race(
        first=lambda _: finish("r0"), rival=lambda stage: picture(stage, KEYS[0]), versions=2
    ),
    "finish, revert": Race(
        first=lambda _: finish("r0"), rival=lambda _: lambda context: revert_to(context, "v1")
    ),
    "revert, finish": Race(
        first=lambda _: lambda context: revert_to(context, "v1"), rival=lambda _: finish("r0")
    ),
}
"""By what meets; before the reverts' races a version 2 is made by r2, to go back from."""


def meet(race: Race, at: int | None) -> tuple[int, str]:
    """Let them meet before a request of the first; the requests it made, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        stage = fake_stage(Path(folder))
        lay_out(stage)
        laws = Laws(stage=stage)
        laws.versions[1] = laws.head
        names = open_rounds(stage, "r")
        plans = CONTRADICTED if race.is_contradicted else AGREED
        say(stage, names, {**plans, (2, KEYS[1]): Plan(drawn=1)})
        desk = read_desk(stage.studio, [project_of(stage, name) for name in names])
        if race.versions > 2:
            finish_round(stage.base, "r2")
            laws.hold([desk], is_quiet=True)
        first, rival = race.first(stage), race.rival(stage)
        count = 0

        def event(what: str) -> None:
            nonlocal count
            count += what == "before"
            if what == "before" and count == at:
                _try(race, rival, stage.context("rival@example.org"))
                laws.hold([desk], is_quiet=False)

        said = _try(race, first, stage.context("first@example.org", event))
        laws.hold([desk], is_quiet=False)
        if at is None or count < at:
            _try(race, rival, stage.context("rival@example.org"))
        _bring_to_an_end(stage)
        laws.hold([desk], is_quiet=True)
        assert set(laws.finished) == {"r0", "r1", "r2"}
    return count, said


def _try(race: Race, verb: Verb, context: Context) -> str:
    """What a verb says of itself: that it is done, or why not and what to do."""
    try:
        verb(context)
    except OpsError as error:
        refusal = error
    else:
        return "done"
    assert refusal.code in race.said, f"{refusal.code}: {refusal.message}"
    assert refusal.hint, "it does not say what to do"
    return refusal.code


def _bring_to_an_end(stage: Stage) -> None:
    """What a person does who is told to: the same again, saying whose answer counts."""
    for name in ("r0", "r1", "r2"):
        finish_round(stage.base, name, on_conflict=Policy.BOTH, allow_unlabeled=True)
        assert finish_round(stage.base, name).already_done


@pytest.mark.parametrize("name", RACES)
def test_at_every_point(name: str) -> None:
    race = RACES[name]
    requests, _ = meet(race, None)
    outcomes = Counter(meet(race, at)[1] for at in range(1, requests + 1))
    assert outcomes["done"], "it never gets through"
    told = ", ".join(f"{count} {said}" for said, count in outcomes.most_common())
    note("two at the same time", f"{name}: {requests + 1} points; {told}")


def answer_during_finish(at: int) -> tuple[int, bool]:
    """Ben answers before a request of a finish; the requests it made, and whether it is on main."""
    with tempfile.TemporaryDirectory() as folder:
        stage = fake_stage(Path(folder))
        lay_out(stage)
        name, *_ = open_rounds(stage, "r")
        task, count = tasks_of(stage, name)[KEYS[0]], 0

        def event(what: str) -> None:
            nonlocal count
            count += what == "before"
            if what == "before" and count == at:
                stage.pass_time()
                stage.people.annotate(task, [], annotator=stage.members[1])

        done = finish_round(stage.context("first@example.org", event), name)
        sheets = Library(lake=stage.lake).sheets(str(done.commit))
        people = {said.annotator for said in sheets[KEYS[0]].answers.values()}
        is_there = PEOPLE[1] in people
        assert is_there or count < at or done.late == (KEYS[0],), "lost, and nobody is told"
        return count, is_there


def test_an_answer_during_a_finish() -> None:
    """Label Studio takes answers until the end: each is in the version, or named as late."""
    requests, _ = answer_during_finish(10**6)
    found = [answer_during_finish(at)[1] for at in range(1, requests + 1)]
    assert found[0], "what is there before it begins is in it"
    assert not found[-1]
    text = f"an answer in a finish: {len(found)} points; {sum(found)} in the version, others named"
    note("two at the same time", text)
