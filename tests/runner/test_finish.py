"""What a finish merges, and what it refuses to."""

from dataclasses import replace

import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.names import record_path
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import ConflictError, RefusedError
from ops.ports import Upload
from ops.runner.abort import abort_round
from ops.runner.dataset import list_versions
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.world import World, region


@pytest.fixture
def world() -> World:
    world = World()
    start_round(world.context, "cheese", Selection(limit=3))
    for number in range(3):
        world.label(f"p00{number}.png", "brie")
    return world


def test_dry_run_is_the_run(world: World) -> None:
    planned = finish_round(world.context, "cheese", dry_run=True)
    assert world.records() == {}
    done = finish_round(world.context, "cheese")
    assert planned.packed is not None
    assert done.packed is not None
    assert planned.packed.card == done.packed.card
    assert planned.packed.uploads == done.packed.uploads
    assert planned.packed.checksums == done.packed.checksums
    assert (planned.changed, planned.counts) == (done.changed, done.counts)


def test_annotators_are_told_that_it_is_over(world: World) -> None:
    """What they would submit from now on is read by nobody."""
    finish_round(world.context, "cheese")
    assert world.studio.projects[1].title == "cheese (finished, v1)"
    start_round(world.context, "ham", Selection(labeled_too=True))
    abort_round(world.context, "ham")
    assert world.studio.projects[2].title == "ham (aborted)"


def test_unfinished_tasks_are_listed(world: World) -> None:
    start_round(world.context, "more", Selection())
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "more")
    assert caught.value.code == "unlabeled-tasks"
    assert "p003.png" in dict(caught.value.where)["tasks"]
    assert world.records() == {}


def test_rounds_on_their_own_tasks_add_up() -> None:
    world = World()
    start_round(world.context, "one", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p001.png", "brie")
    other = Selection(keys=tuple(TaskKey(key) for key in ("p004.png", "p005.png")))
    start_round(world.context, "two", other)
    world.label("p004.png", "gouda")
    world.label("p005.png", "gouda")
    finish_round(world.context, "one")
    done = finish_round(world.context, "two")
    assert done.version == 2
    assert len(world.records()) == 4
    assert done.packed is not None
    assert done.packed.card.counts.labeled == 4
    assert [version.number for version in list_versions(world.context)] == [2, 1]


def test_two_finishes_at_once_make_two_whole_versions() -> None:
    """The other finish comes in just before our merge: ours starts over from the new main."""
    world = World()
    start_round(world.context, "one", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p001.png", "brie")
    other = Selection(keys=tuple(TaskKey(key) for key in ("p004.png", "p005.png")))
    start_round(world.context, "two", other)
    world.label("p004.png", "gouda")
    world.label("p005.png", "gouda")
    rival = world.another("rita@example.org")
    armed = True

    def overtake(name: str) -> None:
        nonlocal armed
        if name == "merge" and armed:
            armed = False
            finish_round(rival, "two")

    world.lake.before = overtake
    done = finish_round(world.context, "one")
    assert not armed
    assert done.version == 2
    assert len(world.records()) == 4
    assert dict(world.lake.tags()).keys() == {"v1", "v2"}
    assert done.packed is not None
    assert done.packed.card.counts.labeled == 4


def test_changes_that_are_no_rounds_are_refused(world: World) -> None:
    sync_round(world.context, "cheese")
    path = record_path(TaskKey("p005.png"))
    world.lake.write_many("round-cheese", [Upload(path=path, data=b"{}")])
    world.lake.delete_many("round-cheese", ["ontology/label_config.xml"])
    world.lake.commit("round-cheese", "by hand", {})
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "cheese")
    assert caught.value.code == "foreign-changes"
    assert dict(caught.value.where)["paths"].splitlines() == [path, "ontology/label_config.xml"]
    assert world.records() == {}


def test_label_the_ontology_lacks_is_refused(world: World) -> None:
    world.studio.annotate(world.task("p000.png"), [region("amanita")], annotator=world.ben)
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "cheese")
    assert caught.value.code == "unknown-labels"
    assert "amanita" in dict(caught.value.where)["tasks"]


def test_change_during_the_finish_is_not_merged_unseen(world: World) -> None:
    """Somebody commits to the branch between the packing and the finish commit."""
    sync_round(world.context, "cheese")
    path = record_path(TaskKey("p000.png"))
    data = world.lake.read("round-cheese", path)
    assert data is not None
    skewed = replace(decode_record(data), annotations=())
    rival = world.another("rita@example.org").lake

    def meddle(name: str) -> None:
        if name == "delete_many":
            rival.write_many("round-cheese", [Upload(path=path, data=encode_record(skewed))])
            rival.commit("round-cheese", "meddle", {})

    world.lake.before = meddle
    with pytest.raises(ConflictError) as caught:
        finish_round(world.context, "cheese")
    assert caught.value.code == "branch-moved"
    assert world.records() == {}
    world.lake.before = lambda _: None
    assert finish_round(world.context, "cheese").version == 1
    assert len(world.records()) == 3
