"""What is wrong with a region, by the label config it must fit.

Owns what a region has to be before it is given to Label Studio: 1.23 leaves out predictions it
finds wrong without a word. Does not know where the region comes from.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from ops.core.ontology import Control, Ontology
from ops.core.records import Annotation, Json
from ops.core.regions import is_relation, labels, value_of

ROUNDING = 0.01
"""Percent of the picture that rounded numbers may reach over its edge."""
_WHOLE = 100


def is_score(said: Json) -> bool:
    """Say whether it is a score: a number from 0 to 1."""
    return isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said <= 1


def region_problem(region: Json, ontology: Ontology) -> str | None:
    """What is wrong with one entry of a result, or None."""
    if not isinstance(region, dict):
        return "has a region that is no object"
    problems = _relation_problems if is_relation(region) else _problems
    return next(problems(region, ontology), None)


def _relation_problems(region: Mapping[str, Json], ontology: Ontology) -> Iterator[str]:
    yield from _unknown(region, ontology)


def _problems(region: Mapping[str, Json], ontology: Ontology) -> Iterator[str]:
    """Everything, the first first: what comes later may rest on it."""
    if not _is_finite(dict(region)):
        yield "holds a number that is not finite"
    for name in _REQUIRED:
        if name not in region:
            yield f"has a region without {name}"
    name = str(region["from_name"])
    control = ontology.control(name)
    if control is None:
        yield f"names the control {name!r}, which the label config lacks"
        return
    yield from _control_problems(region, control)
    yield from _unknown(region, ontology)
    if "score" in region and not is_score(region["score"]):
        yield f"has a region with the score {region['score']}, not one from 0 to 1"
    yield from _geometry_problems(value_of(region))


_REQUIRED = ("from_name", "to_name", "type", "value")


def _control_problems(region: Mapping[str, Json], control: Control) -> Iterator[str]:
    name, to_name, kind = (str(region[field]) for field in ("from_name", "to_name", "type"))
    if to_name not in control.to_names:
        yield f"says {name!r} of {to_name!r}; it speaks of {', '.join(control.to_names)}"
    tag = control.type.lower()
    if kind.lower() != tag and tag != _ANY_SHAPE:
        yield f"has a region of type {kind!r} for {name!r}, which makes {tag!r}"
    if tag.endswith(_ANY_SHAPE) and not labels(region):
        yield "has a region without a label"


_ANY_SHAPE = "labels"


def _unknown(region: Mapping[str, Json], ontology: Ontology) -> Iterator[str]:
    said = Annotation(
        unique_id="", annotator="", round="", created_at="", updated_at="", ontology_digest="",
        result=(region,),
    )  # fmt: skip
    for unknown in ontology.unknown_labels(said):
        yield f"says {unknown}, which the label config lacks"


def _geometry_problems(value: Mapping[str, Json]) -> Iterator[str]:
    """What is wrong with where a region is, in percent of the picture."""
    for name in ("x", "y", "width", "height"):
        if name in value and not _is_percent(value[name]):
            yield f"has a region outside the picture: {name} is {value[name]}, in percent"
    points = value.get("points")
    for corner in points if isinstance(points, list) else []:
        if isinstance(corner, list) and not all(map(_is_percent, corner)):
            yield f"has a region outside the picture: it has a point at {corner}, in percent"
    x, y, width, height = (_number(value.get(name)) for name in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None:
        return
    if not width or not height:
        yield "has a region without an area"
    if not value.get("rotation") and max(x + width, y + height) > _WHOLE + ROUNDING:
        yield f"has a region outside the picture: it ends at {x + width}, {y + height} percent"


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _is_percent(side: Json) -> bool:
    return isinstance(side, int | float) and not isinstance(side, bool) and 0 <= side <= _WHOLE


def _is_finite(value: Json) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or isfinite(value)
