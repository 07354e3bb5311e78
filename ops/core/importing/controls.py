"""Which control of a label config says what a label file holds.

Owns the choice by shape, and the refusal where no control fits. Makes no annotation (building.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from ops.core.importing.neutral import Answer, Mark, Remark, Shape, around
from ops.core.importing.rle import box_of
from ops.core.ontology import Control, Ontology
from ops.core.records import Annotation
from ops.core.regions import is_relation
from ops.errors import RefusedError, UsageError

CONTROLS: Mapping[Shape, str] = {
    Shape.BOX: "RectangleLabels",
    Shape.POLYGON: "PolygonLabels",
    Shape.MASK: "BrushLabels",
    Shape.CLASS: "Choices",
}
"""The tag that says each shape."""

KINDS: Mapping[Shape, str] = {
    Shape.BOX: "boxes",
    Shape.POLYGON: "polygons",
    Shape.MASK: "brush",
    Shape.CLASS: "choices",
}
"""What `ops init --kind` calls it."""


def as_boxes(answers: Iterable[Answer], losses: list[Remark]) -> Iterator[Answer]:
    """The answers with a box around each outline and mask; each outline that goes is told."""
    for answer in answers:
        marks: list[Mark] = []
        for mark in answer.marks:
            box = _box_around(mark)
            if box is None:
                marks.append(mark)
                continue
            place = f"{answer.place}: {mark.place}"
            losses.append(Remark(what="outlines: the boxes around them are taken", place=place))
            marks.append(
                Mark(
                    label=mark.label,
                    shape=Shape.BOX,
                    place=mark.place,
                    numbers=box,
                    meta=mark.meta,
                )
            )
        yield replace(answer, marks=tuple(marks))


def _box_around(mark: Mark) -> tuple[float, float, float, float] | None:
    if mark.shape is Shape.POLYGON:
        return around(mark.numbers)
    if mark.shape is Shape.MASK and mark.mask is not None:
        return mark.box or box_of(mark.mask)
    return None


def choose_controls(
    answers: Sequence[Answer], ontology: Ontology, *, name: str | None
) -> Mapping[Shape, Control]:
    """The control that says each shape the answers hold.

    Args:
        answers: what is to be said.
        ontology: the label config.
        name: the control to take, where somebody says so.

    Raises:
        RefusedError: no control, or not the one named, can hold a shape.
        UsageError: several could.
    """
    labels: dict[Shape, set[str]] = {}
    for answer in answers:
        for mark in answer.marks:
            labels.setdefault(mark.shape, set()).add(mark.label)
    return {shape: _control(shape, said, ontology, name) for shape, said in labels.items()}


def _control(shape: Shape, labels: set[str], ontology: Ontology, name: str | None) -> Control:
    tag = CONTROLS[shape].lower()
    holding = [one for one in ontology.controls if one.type.lower() == tag and not one.per_region]
    fitting = [one for one in holding if name in (None, one.name)]
    if not fitting:
        _refuse_shape(shape, ontology, name)
    offering = [one for one in fitting if labels <= {label.path[-1] for label in one.labels}]
    best = offering if len(fitting) > 1 and offering else fitting
    if len(best) > 1:
        names = ", ".join(one.name for one in best)
        raise UsageError(
            "which-control",
            f"more than one control can hold {shape.value}: {names}",
            unchanged="nothing was written",
            hint=f"name one: --control {best[0].name}",
        )
    return best[0]


def _refuse_shape(shape: Shape, ontology: Ontology, name: str | None) -> NoReturn:
    there = ", ".join(f"{one.name} ({one.type})" for one in ontology.controls)
    subject = f"the control {name!r}" if name else "main's label config"
    hints = [
        f"a label config with <{CONTROLS[shape]} …> holds them (ops init --kind {KINDS[shape]})"
    ]
    if shape in {Shape.POLYGON, Shape.MASK}:
        hints.append("or take the box around each, and lose the outline: --boxes")
    raise RefusedError(
        "shape-unfit",
        f"the labels are {shape.value}, and {subject} cannot hold {shape.value}",
        where=(("controls", there),),
        unchanged="nothing was written",
        hint="\n".join(hints),
    )


def check_types(annotations: Iterable[Annotation], ontology: Ontology) -> None:
    """See that verbatim regions are of the types their controls say.

    Raises:
        RefusedError: one is of another.
    """
    for annotation in annotations:
        for region in annotation.result:
            control = ontology.control(str(region.get("from_name")))
            said = str(region.get("type"))
            if is_relation(region) or control is None or _may_say(control, said):
                continue
            raise RefusedError(
                "shape-unfit",
                f"a region is of type {said}, and the control {control.name!r} is a {control.type}",
                subject=annotation.unique_id,
                unchanged="nothing was written",
                hint="see what main's label config holds: ops ontology show",
            )


def _may_say(control: Control, said: str) -> bool:
    # A <Labels> tag beside <Rectangle> says `labels` for the shape's own type.
    return control.type.lower() == said or not control.type.lower().endswith("labels")
