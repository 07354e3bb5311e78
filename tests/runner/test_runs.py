"""Training runs on main: recorded once, found again, never a part of the labels."""

from pathlib import Path

import pytest

from ops.core.names import MAIN, run_path
from ops.core.runs import Training
from ops.core.selection import Selection
from ops.errors import ConflictError, NotFoundError
from ops.runner.dataset import list_versions, resolve
from ops.runner.finish import finish_round
from ops.runner.runs import list_runs, model_digest, record_run, runs_of_model
from ops.runner.start import start_round
from tests.runner.world import World

FIRST = Training(model="cheese", metrics={"f1": 0.8})
SECOND = Training(model="cheese", metrics={"f1": 0.9})


@pytest.fixture
def world() -> World:
    """Two versions."""
    world = World(2)
    for number, name in enumerate(("first", "second")):
        start_round(world.context, name, Selection(limit=1))
        world.label(f"p00{number}.png", "brie")
        finish_round(world.context, name)
    return world


def test_a_learning_curve_over_versions(world: World) -> None:
    """Whatever order they were recorded in."""
    record_run(world.context, "v2", SECOND)
    record_run(world.context, "v1", FIRST)
    runs = list_runs(world.context)
    assert [(run.version, run.training.metrics["f1"]) for run in runs] == [(1, 0.8), (2, 0.9)]
    assert [run.commit for run in runs] == [resolve(world.context, ref) for ref in ("v1", "v2")]
    assert list_runs(world.context, "v2") == [runs[1]]
    assert runs[0].made_by == world.context.actor


def test_a_record_makes_no_version_and_changes_no_label(world: World) -> None:
    records = world.records()
    before = [version.number for version in list_versions(world.context)]
    record_run(world.context, "v1", FIRST)
    assert world.records() == records
    assert [version.number for version in list_versions(world.context)] == before


def test_the_same_run_is_recorded_once(world: World) -> None:
    first = record_run(world.context, "v1", FIRST)
    head = resolve(world.context, MAIN)
    again = record_run(world.another("ben@example.org"), "v1", FIRST)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.run == first.run
    assert resolve(world.context, MAIN) == head


def test_an_id_belongs_to_one_run(world: World) -> None:
    record_run(world.context, "v1", FIRST, run_id="nightly-17")
    assert world.lake.read(MAIN, run_path("nightly-17")) is not None
    with pytest.raises(ConflictError):
        record_run(world.context, "v1", SECOND, run_id="nightly-17")
    with pytest.raises(ConflictError):
        record_run(world.context, "v2", FIRST, run_id="nightly-17")
    assert len(list_runs(world.context)) == 1


def test_a_dry_run_records_nothing(world: World) -> None:
    head = resolve(world.context, MAIN)
    planned = record_run(world.context, "v1", FIRST, dry_run=True)
    assert resolve(world.context, MAIN) == head
    assert record_run(world.context, "v1", FIRST).run == planned.run


def test_a_commit_that_is_no_version_can_be_trained_on(world: World) -> None:
    """As main has it between versions."""
    world.add_images(["new.png"])
    recorded = record_run(world.context, MAIN, FIRST)
    assert recorded.run.version is None
    assert list_runs(world.context, MAIN) == []
    assert list_runs(world.context, recorded.run.commit) == [recorded.run]


def test_an_unknown_commit_cannot(world: World) -> None:
    with pytest.raises(NotFoundError) as caught:
        record_run(world.context, "v9", FIRST)
    assert caught.value.code == "no-such-ref"


def test_a_model_leads_back_to_its_data(world: World, tmp_path: Path) -> None:
    """By its file alone, whatever it is called by now."""
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    training = Training(model="cheese", model_digest=model_digest(model))
    recorded = record_run(world.context, "v1", training)
    record_run(world.context, "v2", SECOND)
    moved = model.rename(tmp_path / "renamed.bin")
    assert runs_of_model(world.context, moved) == [recorded.run]
    moved.write_bytes(b"other weights")
    assert runs_of_model(world.context, moved) == []
    with pytest.raises(NotFoundError) as caught:
        runs_of_model(world.context, model)
    assert caught.value.code == "no-model-file"
