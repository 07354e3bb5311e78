"""Three rounds over the same tasks: what each of them says, and what all of them leave.

Owns the telling. Two tasks have an answer of Ann's with three regions; each of three rounds is
given them to change. What is said is a plan, so that it can be told again in another order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, TypeAlias

from ops.core.records import Json, TaskKey
from ops.core.selection import Selection
from ops.core.settle import Policy
from ops.runner.data import add_media
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from tests.machine.reading import Library, Sheet, read_desk
from tests.machine.stage import Stage
from tests.runner.world import region

REGIONS = 3
ROUNDS = range(3)
ORDERS = tuple(permutations(ROUNDS))
KEYS = ("p000.png", "p001.png")
FIRST = "first"

Sheets: TypeAlias = Mapping[str, Sheet]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one round says of one task.

    Attributes:
        regions: by number, what becomes of Ann's regions: `move`, `relabel` or `remove`.
        drawn: how many regions are drawn into her answer.
        verdict: `skip` or `delete` for her answer as a whole.
        own: what somebody else submits: `box`, `empty` or `skip`.
    """

    regions: Mapping[int, str] = field(default_factory=dict[int, str])
    drawn: int = 0
    verdict: str = "none"
    own: str = "none"


Plans: TypeAlias = Mapping[tuple[int, str], Plan]
"""By round and task key."""


def box(number: int, *, place: float, label: str = "brie") -> dict[str, Json]:
    """A region named by its number."""
    made = region(label)
    value: Any = made["value"]
    return {**made, "id": f"r{number}", "value": {**value, "x": place}}


def lay_out(stage: Stage, regions: int = REGIONS) -> None:
    """Pictures on main, and version 1 with Ann's answers."""
    add_media(stage.base, [stage.picture(key, number) for number, key in enumerate(KEYS)])
    start_round(stage.base, FIRST, Selection())
    for task in tasks_of(stage, FIRST).values():
        stage.pass_time()
        drawn = [box(number, place=number) for number in range(regions)]
        stage.people.annotate(task, drawn, annotator=stage.members[0])
    finish_round(stage.base, FIRST)


def project_of(stage: Stage, name: str) -> int:
    """A round's project."""
    return Library(lake=stage.lake).manifest(f"round-{name}", name)["project"]


def tasks_of(stage: Stage, name: str) -> Mapping[str, int]:
    """Label Studio's tasks of a round, by key."""
    rows = stage.studio.task_rows(project_of(stage, name))
    return {str(row.key): row.id for row in rows}


def open_rounds(stage: Stage, prefix: str) -> Sequence[str]:
    """Three rounds to change both tasks."""
    names = [f"{prefix}{number}" for number in ROUNDS]
    keys = tuple(map(TaskKey, KEYS))
    for name in names:
        start_round(stage.base, name, Selection(labeled_too=True, edit=True, keys=keys))
    return names


def say(stage: Stage, names: Sequence[str], plans: Plans) -> None:
    """Have each round say what is planned."""
    for number, name in enumerate(names):
        project = project_of(stage, name)
        desk, tasks = read_desk(stage.studio, [project])[project], tasks_of(stage, name)
        for key in KEYS:
            stage.pass_time()
            plan = plans.get((number, key), Plan())
            _change(stage, desk[key][0], number, plan)
            if plan.own != "none":
                drawn = [box(90 + number, place=80 + number)] if plan.own == "box" else []
                stage.people.annotate(
                    tasks[key],
                    drawn,
                    annotator=stage.members[number],
                    skipped=plan.own == "skip",
                )


def _change(stage: Stage, one: Mapping[str, Any], number: int, plan: Plan) -> None:
    if plan.verdict == "delete":
        stage.people.delete_annotation(one["id"])
        return
    result = [
        changed
        for place, entry in enumerate(one["result"])
        if (changed := _region(entry, number, plan.regions.get(place)))
    ]
    result += [
        box(10 * (number + 1) + place, place=10 * (number + 1) + place)
        for place in range(plan.drawn)
    ]
    if plan != Plan(own=plan.own):
        is_skip = plan.verdict == "skip"
        stage.people.update_annotation(one["id"], result, skipped=is_skip)


def _region(entry: Mapping[str, Any], number: int, act: str | None) -> Mapping[str, Any] | None:
    value = entry["value"]
    if act == "move":
        return {**entry, "value": {**value, "x": 50 + number + value["x"] * 5}}
    if act == "relabel":
        return {**entry, "value": {**value, "rectanglelabels": ["gouda"]}}
    return None if act == "remove" else entry


def finish_all(
    stage: Stage, names: Sequence[str], order: Sequence[int], policy: Policy | None = None
) -> Sheets:
    """Finish the rounds in an order, and give what is on main then."""
    for number in order:
        done = finish_round(stage.base, names[number], allow_unlabeled=True, on_conflict=policy)
        assert not done.late, "nobody answers any more"
    library = Library(lake=stage.lake)
    return library.sheets(str(stage.lake.find_commit("main")))


def told(stage: Stage, plans: Plans, order: Sequence[int], policy: Policy | None = None) -> Sheets:
    """The whole story on a stage with version 1."""
    names = open_rounds(stage, "r")
    say(stage, names, plans)
    return finish_all(stage, names, order, policy)
