"""Which regions of an annotation are a model's, told by what the model had said."""

from collections.abc import Mapping

from ops.core.predictions import Prediction
from ops.core.records import Json, Origin, TaskKey
from ops.core.region_origins import Shown, told_origins
from tests.core.said_by_models import OF, region

SINCE = "2026-11-22T01:00:00.000000Z"
LATER = "2026-11-22T02:00:00.000000Z"


def shown(*result: Mapping[str, Json], name: str = str(OF), since: str = SINCE) -> Shown:
    prediction = Prediction(key=TaskKey("a.png"), score=0.5, result=result)
    return Shown(model_version=name, since=since, prediction=prediction)


def drawn(name: str, label: str = "brie", **more: Json) -> dict[str, Json]:
    return {**region(label, **more), "id": name}


def test_regions_are_a_models_or_a_persons() -> None:
    """Same id and same: accepted; same id, moved or renamed: changed; drawn: nobody's but ours."""
    said = shown(drawn("p1"), drawn("p2", x=50), drawn("p3", x=60))
    ours = [
        {**drawn("p1"), "original_width": 200, "score": 0.25},
        drawn("p2", x=51),
        drawn("p3", "gouda", x=60),
        drawn("own", x=5),
        {"type": "relation", "from_id": "p1", "to_id": "p2"},
    ]
    told = told_origins(ours, [said], saved_at=LATER)
    assert told.origins == {
        "p1": Origin.ACCEPTED,
        "p2": Origin.CHANGED,
        "p3": Origin.CHANGED,
    }
    assert told.shown is said
    assert said.as_json() == {"model_version": "cheese-net@3", "score": 0.5}


def test_a_copy_under_another_id_is_accepted() -> None:
    """Programs may give regions new ids."""
    told = told_origins([drawn("new")], [shown(drawn("p1"))], saved_at=LATER)
    assert told.origins == {"new": Origin.ACCEPTED}


def test_what_was_saved_before_cannot_come_from_it() -> None:
    """A model that learned from these very labels says the same."""
    said = shown(drawn("p1"), since=LATER)
    told = told_origins([drawn("p1")], [said], saved_at=SINCE)
    assert (told.origins, told.shown) == ({}, None)


def test_of_two_models_the_first_that_fits_counts() -> None:
    one, two = shown(drawn("p1"), name="a@1"), shown(drawn("q1", x=70), name="b@1")
    told = told_origins([drawn("q1", x=70), drawn("p1")], [one, two], saved_at=LATER)
    assert told.origins == {"q1": Origin.ACCEPTED, "p1": Origin.ACCEPTED}
    assert told.shown is one
    assert told_origins([drawn("x", x=1)], [one, two], saved_at=LATER).shown is None
