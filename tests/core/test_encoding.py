"""JSON in one byte form: its laws over any value, and its details."""

import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.encoding import MAX_DEPTH, canonical_object, encode
from ops.core.records import Json
from ops.errors import InvalidDataError
from tests import strategies


@given(strategies.values)
def test_encoding_keeps_the_value(value: Json) -> None:
    """What is read back is equal to what was written, whatever it was."""
    assert json.loads(encode(value)) == value


@given(strategies.values)
def test_encoding_is_a_fixed_point(value: Json) -> None:
    """Canonical bytes, read and written again, are the same bytes."""
    data = encode(value)
    assert encode(json.loads(data)) == data


@given(strategies.objects, st.randoms(use_true_random=False))
def test_bytes_ignore_the_order_of_fields(value: dict[str, Json], dice: random.Random) -> None:
    """Fields in another order are the same document."""
    names = list(value)
    dice.shuffle(names)
    assert encode({name: value[name] for name in names}) == encode(value)


@given(strategies.objects)
def test_a_canonical_object_is_equal_and_encodes_alike(value: dict[str, Json]) -> None:
    """Bringing a value into form changes neither what it equals nor its bytes."""
    form = canonical_object(value)
    assert form == value
    assert encode(form) == encode(value)
    assert list(form) == sorted(value)


def test_the_form_of_a_document() -> None:
    """Fields sorted and one a line; arrays without objects on one line."""
    value: Json = {
        "z": None,
        "é": [True, [1.0, [-0.0, 2.5]], "ß"],
        "points": [[1.5, 2.0], [3, 4]],
        "empty": [{}, []],
        "mixed": [1, {"b": "", "a": 1e22}],
    }
    assert encode(value).decode() == (
        "{\n"
        '  "empty": [\n'
        "    {},\n"
        "    []\n"
        "  ],\n"
        '  "mixed": [\n'
        "    1,\n"
        "    {\n"
        '      "a": 10000000000000000000000,\n'
        '      "b": ""\n'
        "    }\n"
        "  ],\n"
        '  "points": [[1.5, 2], [3, 4]],\n'
        '  "z": null,\n'
        '  "é": [true, [1, [0, 2.5]], "ß"]\n'
        "}\n"
    )


def test_a_brush_is_one_line() -> None:
    """50 000 run lengths add no line."""
    lengths: list[Json] = [length % 256 for length in range(50_000)]
    assert encode({"rle": lengths}).count(b"\n") == encode({"rle": []}).count(b"\n")


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (10.0, "10"),
        (-0.0, "0"),
        (1e-7, "1e-07"),
        (33.333333333333336, "33.333333333333336"),
        (1e16, "10000000000000000"),
        (True, "true"),
        (2**64 + 1, "18446744073709551617"),
    ],
)
def test_numbers_have_one_form(number: float, form: str) -> None:
    """Equal numbers are equal bytes."""
    assert encode(number) == f"{form}\n".encode()


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, float("nan")]}, "a[1]"),
        ({"a": {"b": float("inf")}}, "a.b"),
        (float("-inf"), "the document"),
        ({"text": "\ud800"}, "text"),
        ({"\udfff": 1}, "the name of a field"),
        ([{"a": [[["\ud800"]]]}], "[0].a[0][0][0]"),
    ],
)
def test_what_no_document_can_hold_is_refused_by_place(value: Json, place: str) -> None:
    """The error says where it is."""
    with pytest.raises(InvalidDataError) as caught:
        encode(value)
    assert place in caught.value.message


def _in_list(inner: Json) -> Json:
    return [inner]


def _in_object(inner: Json) -> Json:
    return {"a": inner}


@pytest.mark.parametrize("wrap", [_in_list, _in_object])
def test_depth_has_a_limit(wrap: Callable[[Json], Json]) -> None:
    """64 levels are written, 65 refused: no crash, whatever people send."""
    value: Json = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    encode(value)
    with pytest.raises(InvalidDataError, match="levels deep"):
        encode(wrap(value))
