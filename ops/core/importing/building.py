"""Annotations of what a label file says, under a label config.

Owns the regions, how pixels become percent, what lies beyond a picture's edge, and an annotation's
identity (docs/adr/0026-import-of-labels.md). Which control says a shape is controls.py's business;
who calls has matched the pictures and knows their sizes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NoReturn
from uuid import NAMESPACE_URL, uuid5

from ops.core.canonical import normalise, region_ids
from ops.core.importing.neutral import Answer, Mark, Remark, Shape, Unit, around
from ops.core.importing.rle import brush
from ops.core.ontology import Control, Ontology
from ops.core.pixels import percent_of, pixels_of
from ops.core.records import Annotation, Json, Origin, TaskKey
from ops.core.regions import is_relation, value_of
from ops.errors import InvalidDataError

SLACK_PIXELS = 1.0
"""How far beyond a picture's edge a tool's rounding may lie: such boxes are kept as they are."""

_NOISE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Where an import comes from: what its annotations' identities are made of.

    Attributes:
        format: as the command names it.
        source: the name of the file or folder.
        annotator: who made annotations whose file does not say.
        round: the round that brings them.
        now: their time where the file states none, canonical form.
    """

    format: str
    source: str
    annotator: str
    round: str
    now: str


@dataclass(kw_only=True)
class Builder:
    """Makes annotations one by one; what was odd is collected.

    Attributes:
        origins: where they come from.
        ontology: the label config they must fit.
        controls: which control says each shape (choose_controls).
        clip: cut marks at the picture's edge.
        losses, notes: what was lost or kept though odd.
        outside: places of marks beyond the edge of their picture.
    """

    origins: Origins
    ontology: Ontology
    controls: Mapping[Shape, Control]
    clip: bool = False
    losses: list[Remark] = field(default_factory=list[Remark])
    notes: list[Remark] = field(default_factory=list[Remark])
    outside: list[str] = field(default_factory=list[str])
    _counted: dict[tuple[TaskKey, str], int] = field(default_factory=dict[tuple[TaskKey, str], int])

    def build(self, answer: Answer, key: TaskKey, size: tuple[int, int]) -> Annotation:
        """The annotation of an answer about a picture of this size, as it is shown.

        Raises:
            InvalidDataError: a number in it is none.
        """
        annotator = answer.annotator or self.origins.annotator
        unique_id = answer.unique_id or self._identity(key, annotator)
        if answer.result is not None:
            result = _with_ids(answer.result, unique_id)
            _check_numbers(result, answer.place)
        else:
            result = [
                self._region(mark, answer, size, f"{unique_id}/{number}")
                for number, mark in self._kept(answer, size)
            ]
        created_at = answer.created_at or self.origins.now
        return normalise(
            Annotation(
                unique_id=unique_id,
                annotator=annotator,
                updated_by=answer.updated_by if answer.updated_by != annotator else None,
                round=self.origins.round,
                created_at=created_at,
                updated_at=answer.updated_at or created_at,
                lead_time_s=answer.lead_time_s,
                skipped=answer.skipped,
                ground_truth=answer.ground_truth,
                ontology_digest=self.ontology.digest,
                origins=_origins(result),
                prediction=answer.prediction,
                result=tuple(result),
            )
        )

    def _identity(self, key: TaskKey, annotator: str) -> str:
        """The same for the same annotator's n-th answer about a picture in the same source."""
        number = self._counted.get((key, annotator), 0)
        self._counted[key, annotator] = number + 1
        parts = ["ops", "import", self.origins.format, self.origins.source, key, annotator]
        return str(uuid5(NAMESPACE_URL, "\n".join([*parts, str(number)])))

    def _kept(self, answer: Answer, size: tuple[int, int]) -> Iterator[tuple[int, Mark]]:
        """The marks with their numbers in percent; those beyond the edge are told, or cut."""
        for number, mark in enumerate(answer.marks):
            place = f"{answer.place}: {mark.place}"
            if mark.numbers and any(_beyond(mark, answer.unit, size)):
                if not self.clip:
                    self.outside.append(place)
                    continue
                self.losses.append(Remark(what="parts beyond a picture's edge, cut", place=place))
                mark = _clipped(mark, answer.unit, size)  # noqa: PLW2901
            if mark.shape is Shape.BOX and not mark.numbers[2] * mark.numbers[3]:
                self.notes.append(Remark(what="boxes without area", place=place))
            yield number, mark

    def _region(
        self, mark: Mark, answer: Answer, size: tuple[int, int], name: str
    ) -> dict[str, Json]:
        control = self.controls[mark.shape]
        percent = [_percent(n, side, answer.unit) for n, side in _sided(mark, size)]
        kind = control.type.lower()
        region: dict[str, Json] = {
            "id": _short(name),
            "from_name": control.name,
            "to_name": control.to_names[0],
            "type": kind,
            "value": {**_value(mark, percent), kind: [mark.label]},
        }
        if mark.shape is not Shape.CLASS:
            region |= {
                "original_width": size[0],
                "original_height": size[1],
                "image_rotation": 0,
            }
        if mark.meta:
            region["meta"] = dict(mark.meta)
        return region


def _value(mark: Mark, percent: Sequence[float]) -> dict[str, Json]:
    match mark.shape:
        case Shape.BOX:
            x, y, width, height = percent
            return {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        case Shape.POLYGON:
            points: list[Json] = [[x, y] for x, y in zip(percent[0::2], percent[1::2], strict=True)]
            return {"points": points, "closed": True}
        case Shape.MASK:
            assert mark.mask is not None, "readers give one"  # noqa: S101
            return {"format": "rle", "rle": [*brush(mark.mask)]}
        case Shape.CLASS:
            return {}


def _sided(mark: Mark, size: tuple[int, int]) -> Iterator[tuple[float, int]]:
    """Each number with the side of the picture it goes along: x, y, x, y and so on."""
    for place, number in enumerate(mark.numbers):
        yield number, size[place % 2]


def _percent(number: float, side: int, unit: Unit) -> float:
    return percent_of(number, side) if unit is Unit.PIXELS else number


def _ends(mark: Mark) -> tuple[float, float, float, float]:
    x, y, width, height = mark.numbers if mark.shape is Shape.BOX else around(mark.numbers)
    return x, y, x + width, y + height


def _beyond(mark: Mark, unit: Unit, size: tuple[int, int]) -> Iterator[bool]:
    """Whether each end lies beyond the picture's edge by more than a tool's rounding."""
    for place, end in enumerate(_ends(mark)):
        side = size[place % 2]
        pixels = end if unit is Unit.PIXELS else pixels_of(end, side)
        yield pixels < -SLACK_PIXELS - _NOISE or pixels > side + SLACK_PIXELS + _NOISE


def _clipped(mark: Mark, unit: Unit, size: tuple[int, int]) -> Mark:
    most = size if unit is Unit.PIXELS else (100, 100)

    def held(place: int, number: float) -> float:
        return min(max(number, 0.0), float(most[place % 2]))

    if mark.shape is Shape.BOX:
        left, top, right, bottom = (held(p, end) for p, end in enumerate(_ends(mark)))
        numbers = (left, top, right - left, bottom - top)
    else:
        numbers = tuple(held(place, number) for place, number in enumerate(mark.numbers))
    return Mark(
        label=mark.label, shape=mark.shape, place=mark.place, numbers=numbers, meta=mark.meta
    )


def _short(name: str) -> str:
    """A region's id: the same for the same region of the same annotation."""
    return uuid5(NAMESPACE_URL, name).hex[:10]


def _with_ids(result: Sequence[Mapping[str, Json]], unique_id: str) -> list[Mapping[str, Json]]:
    """The regions as they are; one without an id, as the smaller exports have them, gets one."""
    return [
        one if is_relation(one) or "id" in one else {**one, "id": _short(f"{unique_id}/{number}")}
        for number, one in enumerate(result)
    ]


def _origins(result: Iterable[Mapping[str, Json]]) -> Mapping[str, Origin]:
    """Imported, but for regions that say where they came from."""
    regions = list(result)
    stated = {str(one.get("id")): one["origin"] for one in regions if "origin" in one}
    known = {"prediction": Origin.ACCEPTED, "prediction-changed": Origin.CHANGED}
    origins = dict.fromkeys(region_ids(regions) - stated.keys(), Origin.IMPORTED)
    return {**origins, **{name: known[str(o)] for name, o in stated.items() if str(o) in known}}


def _check_numbers(result: Sequence[Mapping[str, Json]], place: str) -> None:
    for one in result:
        for name, value in value_of(one).items():
            if isinstance(value, float) and not isfinite(value):
                _refuse_number(f"{name} of a region is no finite number", place)
            if name in {"width", "height"} and isinstance(value, int | float) and value < 0:
                _refuse_number(f"{name} of a region is negative", place)


def _refuse_number(problem: str, place: str) -> NoReturn:
    raise InvalidDataError(
        "label-file",
        f"{place}: {problem}",
        where=(("place", place),),
        unchanged="nothing was written",
        hint="correct the file at that place, then run the same command again",
    )
