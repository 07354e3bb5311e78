"""Tasks that came in twice go once, if nobody has answered the copy."""

from collections.abc import Mapping

from ops.core.records import Json
from ops.core.selection import Selection
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from tests.runner.world import World, region

EDIT = Selection(labeled_too=True, edit=True)


def import_again(world: World) -> list[int]:
    """What a network does that delivers the import of a round of corrections twice."""
    project = max(world.studio.projects)
    tasks = [row.id for row in world.studio.task_rows(project)]
    items: list[Mapping[str, Json]] = []
    for document in world.studio.export(project, tasks):
        annotations = document["annotations"]
        assert isinstance(annotations, list)
        given: list[Json] = [
            {"id": one["import_id"], "result": one["result"], "ground_truth": one["ground_truth"]}
            for one in annotations
            if isinstance(one, dict)
        ]
        items.append({"data": document["data"], "annotations": given})
    return list(world.studio.import_tasks(project, items))


def corrections() -> World:
    """A world with a round of corrections of two labeled tasks, imported twice."""
    world = World()
    start_round(world.context, "first", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p000.png", "gouda", by=world.ben)
    world.label("p001.png", "brie")
    finish_round(world.context, "first")
    start_round(world.context, "again", EDIT)
    return world


def keys(world: World) -> list[str]:
    rows = world.studio.task_rows(max(world.studio.projects))
    return sorted(str(row.key) for row in rows)


def test_copies_nobody_touched_go() -> None:
    world = corrections()
    import_again(world)
    assert keys(world) == ["p000.png", "p000.png", "p001.png", "p001.png"]
    start_round(world.context, "again", EDIT)
    assert keys(world) == ["p000.png", "p001.png"]


def test_a_copy_somebody_answered_stays() -> None:
    world = corrections()
    copies = import_again(world)
    world.studio.annotate(copies[1], [region("gouda")], annotator=world.ben)
    start_round(world.context, "again", EDIT)
    assert keys(world) == ["p000.png", "p001.png", "p001.png"]


def test_a_copy_somebody_changed_stays() -> None:
    world = corrections()
    copies = import_again(world)
    project = max(world.studio.projects)
    [document] = world.studio.export(project, copies[1:])
    annotations = document["annotations"]
    assert isinstance(annotations, list)
    assert isinstance(annotations[0], dict)
    changed = annotations[0]["id"]
    assert isinstance(changed, int)
    world.studio.update_annotation(changed, [region("gouda", 5)])
    start_round(world.context, "again", EDIT)
    assert keys(world) == ["p000.png", "p001.png", "p001.png"]
