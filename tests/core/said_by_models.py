"""What the tests of predictions have in common: tasks, an ontology, and a model's statements."""

import json
from collections.abc import Mapping, Sequence

from ops.core.label_config import LabelKind, write_label_config
from ops.core.ontology import parse_ontology
from ops.core.prediction_formats import Stated
from ops.core.prediction_rules import Matching, Problem, judge
from ops.core.predictions import ModelVersion, Prediction
from ops.core.records import Json, TaskKey

OF = ModelVersion(model="cheese-net", version="3")
ONTOLOGY = parse_ontology(write_label_config(["brie", "gouda"], LabelKind.BOXES))
KEYS = {TaskKey("a.png"): (200, 100), TaskKey("deep/b.png"): None, TaskKey("c.jpg"): (50, 50)}
NAMES = ("brie", "gouda")


def by_number(number: int) -> str | None:
    """The name of a class by its number."""
    return NAMES[number] if 0 <= number < len(NAMES) else None


def lines(*said: Mapping[str, Json]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in said)


def box(label: str = "brie", **more: Json) -> dict[str, Json]:
    """A box in a line of a model's."""
    return {"label": label, "x": 10, "y": 20, "width": 30, "height": 40, **more}


def region(label: str = "brie", **more: Json) -> dict[str, Json]:
    """A region as Label Studio has it, with its value's fields changed by `more`."""
    value: dict[str, Json] = {"x": 10, "y": 20, "width": 30, "height": 40, **more}
    return {
        "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "value": {**value, "rectanglelabels": [label]},
    }  # fmt: skip


def judged(
    stated: Sequence[Stated], matching: Matching | None = None
) -> list[Prediction | Problem]:
    """What a file's statements are found to be."""
    found = judge(stated, of=OF, sizes=KEYS, ontology=ONTOLOGY, matching=matching or Matching())
    return list(found)


def taken(stated: Sequence[Stated], matching: Matching | None = None) -> list[Prediction]:
    """The predictions, where nothing is wrong."""
    found = judged(stated, matching)
    wrong = [str(one) for one in found if isinstance(one, Problem)]
    assert not wrong
    return [one for one in found if isinstance(one, Prediction)]


def sides(prediction: Prediction) -> list[tuple[float, ...]]:
    """Each region's place, in percent."""
    found: list[tuple[float, ...]] = []
    for one in prediction.result:
        value = one["value"]
        assert isinstance(value, dict)
        numbers = [value[name] for name in ("x", "y", "width", "height")]
        found.append(tuple(float(n) for n in numbers if isinstance(n, int | float)))
    return found
