"""What a result says, told apart from what the editor adds when it saves."""

from itertools import permutations

from ops.core.records import Json
from ops.core.regions import said


def entry(kind: str, control: str, value: dict[str, Json]) -> dict[str, Json]:
    box: dict[str, Json] = {"x": 1, "y": 2, "width": 3, "height": 4}
    return {"id": "r1", "type": kind, "from_name": control, "to_name": "image",
            "value": {**box, **value}}  # fmt: skip


def test_copies_of_two_questions_of_one_type_are_left_out() -> None:
    """Whichever of the two the editor copied into the box, in whatever order they come."""
    colour = entry("choices", "colour", {"choices": ["red"]})
    shape = entry("choices", "shape", {"choices": ["round"]})
    plain = entry("rectanglelabels", "label", {"rectanglelabels": ["brie"]})
    for copied in (["red"], ["round"]):
        value: dict[str, Json] = {"rectanglelabels": ["brie"], "choices": [*copied]}
        saved = entry("rectanglelabels", "label", value)
        for order in permutations([saved, colour, shape]):
            assert plain in said(order)
            assert colour in said(order)
            assert shape in said(order)


def test_an_answer_no_entry_states_stays() -> None:
    value: dict[str, Json] = {"rectanglelabels": ["brie"], "choices": ["blue"]}
    box = entry("rectanglelabels", "label", value)
    assert said([box, entry("choices", "colour", {"choices": ["red"]})])[0] == box
