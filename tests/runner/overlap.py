"""Rounds over the same tasks: who answers what in which of them."""

from collections.abc import Callable, Mapping, Sequence

from ops.core.canonical import decode_record
from ops.core.names import record_path, round_branch
from ops.core.records import Json, Record, TaskKey
from ops.core.selection import Selection
from ops.runner.context import branch_manifest
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from tests.runner.world import World, region

EDIT = Selection(labeled_too=True, edit=True)


def labeled(image_count: int = 3) -> World:
    """A dataset whose every task has one box, made by Ann in the round `first`: v1."""
    world = World(image_count)
    start_round(world.context, "first", Selection())
    for number in range(image_count):
        world.label(f"p{number:03}.png", "brie")
    finish_round(world.context, "first")
    return world


def project_of(world: World, name: str) -> int:
    """The Label Studio project of a round."""
    manifest = branch_manifest(world.lake, name)
    assert manifest is not None
    assert manifest.project is not None
    return manifest.project


def answers_in(world: World, name: str, key: str) -> Sequence[Mapping[str, Json]]:
    """What Label Studio holds for a task of a round, oldest first."""
    project = project_of(world, name)
    (document,) = world.studio.export(project, [world.task(key, project)])
    found = document["annotations"]
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, dict)]


def edit(world: World, name: str, key: str, *labels: str, number: int = 0, moved: int = 0) -> None:
    """Change one answer that was put before the annotators of a round: its boxes, by label."""
    annotation = answers_in(world, name, key)[number]["id"]
    assert isinstance(annotation, int)
    world.clock.advance(1)
    boxes = [shifted(region(label, place), moved) for place, label in enumerate(labels)]
    world.studio.update_annotation(annotation, boxes)


def remove(world: World, name: str, key: str, number: int = 0) -> None:
    """Delete one answer of a task of a round."""
    annotation = answers_in(world, name, key)[number]["id"]
    assert isinstance(annotation, int)
    world.clock.advance(1)
    world.studio.delete_annotation(annotation)


def add(world: World, name: str, key: str, label: str, *, by: int) -> None:
    """Submit a new answer in a round."""
    world.clock.advance(1)
    task = world.task(key, project_of(world, name))
    world.studio.annotate(task, [region(label)], annotator=by)


def shifted(box: dict[str, Json], by: int) -> dict[str, Json]:
    """The box, so many percent to the right."""
    value = box["value"]
    assert isinstance(value, dict)
    x = value["x"]
    assert isinstance(x, int | float)
    return {**box, "value": {**value, "x": x + by}}


def record(world: World, key: str, ref: str = "main") -> Record:
    """A task's record at a ref."""
    data = world.lake.read(ref, record_path(TaskKey(key)))
    assert data is not None
    return decode_record(data)


def boxes(found: Record) -> list[tuple[str, str, float]]:
    """Every box a record states: who made the answer, its label, where it begins."""
    return sorted(
        (one.annotator.partition("@")[0], label, value["x"])
        for one in found.annotations
        for entry in one.result
        if isinstance(value := entry["value"], dict) and isinstance(value["x"], int | float)
        for label in _texts(value["rectanglelabels"])
    )


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def branch(name: str) -> str:
    """A round's branch."""
    return round_branch(name)


Act = Callable[[World], None]
