"""Reading regions: the classes they name, and what the editor adds by itself."""

from dataclasses import replace

import pytest
from hypothesis import given

from ops.core.canonical import content
from ops.core.records import Annotation, Json
from ops.core.regions import label_paths, labels, said
from tests import strategies
from tests.controls import CASES, Case, Result

_EXPECTED = {
    "choices-single": ["Cat"],
    "choices-multiple": ["Dog & fox", "Cat"],
    "rectangle": ["Cat", "Dog & fox"],
    "rectangle-and-labels": ["Cat"],
    "polygon": ["Cat"],
    "keypoint": ["Cat"],
    "ellipse": ["Dog & fox"],
    "brush": ["Cat", "Cat"],
    "taxonomy": ["Animal/Cat", "Plant"],
    "per-region": ["Cat", "Cat", "Cat"],
    "relations": ["Cat", "Dog & fox", "Cat"],
    "text": ["PER", "ORG"],
    "audio": ["Speech", "Speech"],
    "video": ["Car", "Run"],
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_labels_of_each_control(case: Case) -> None:
    """Each label once a region; typed texts, numbers and choices of a side are none."""
    found = [label for region in case.first for label in labels(region)]
    assert found == _EXPECTED.get(case.name, [])


@pytest.mark.parametrize(
    "region",
    [
        {},
        {"type": "choices"},
        {"type": "choices", "value": None},
        {"type": "choices", "value": {"choices": "Cat"}},
        {"type": None, "value": {"None": ["Cat"]}},
        {"type": "relation", "labels": ["on"]},
        {"type": "rectangle", "value": {"labels": ["Cat"]}},
        {"type": "rectanglelabels", "value": {"labels": ["Cat"], "choices": ["Cat"]}},
    ],
)
def test_what_names_no_class(region: dict[str, Json]) -> None:
    """Copies of another entry's labels are not counted again."""
    assert label_paths(region) == ()


def _annotation(result: Result) -> Annotation:
    return Annotation(
        unique_id="u",
        annotator="ada@example.com",
        round="cheese",
        created_at="2026-11-21T14:02:00.000000Z",
        updated_at="2026-11-21T14:02:00.000000Z",
        ontology_digest="0" * 64,
        result=tuple(result),
    )


def _saved(result: Result) -> Result:
    """What the editor of 1.23.2 makes of a box with a per-region choice that nobody changed."""
    box, choice, *others = result
    assert isinstance(box["value"], dict)
    assert isinstance(choice["value"], dict)
    copied: dict[str, Json] = {**box["value"], "choices": choice["value"]["choices"]}
    noted: Result = [{**box, "value": copied}, choice, *others]
    return [{**region, "origin": "manual"} for region in noted]


def test_what_the_editor_adds_is_not_said() -> None:
    """A copied choice and a note of origin leave the content as it was; another choice does not."""
    before = next(case.first for case in CASES if case.name == "per-region")
    saved = _saved(before)
    assert saved != before
    assert content(_annotation(saved)) == content(_annotation(before))
    box, *others = saved
    assert isinstance(box["value"], dict)
    other: Result = [{**box, "value": {**box["value"], "choices": ["Dog & fox"]}}, *others]
    assert content(_annotation(other)) != content(_annotation(before))


@given(strategies.annotations())
def test_what_is_said_is_said_again(annotation: Annotation) -> None:
    """Leaving out is repeatable, changes no count and touches no label."""
    once = said(annotation.result)
    assert said(once) == once
    assert len(once) == len(annotation.result)
    assert [labels(region) for region in once] == [labels(region) for region in annotation.result]
    assert content(replace(annotation, result=tuple(once))) == content(annotation)
