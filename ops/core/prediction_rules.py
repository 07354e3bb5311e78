"""Which task a statement is about, and whether an ontology lets a model say it.

Owns the matching of names and keys, boxes as Label Studio's regions, and what is wrong with a
prediction. What Label Studio 1.23 finds wrong it leaves out without a word, so all of it is found
here. Reads no file (prediction_formats.py) and no repository.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from ops.core.names import MEDIA_PREFIX
from ops.core.ontology import Control, Ontology
from ops.core.pixels import to_percent
from ops.core.prediction_formats import Box, Stated, Unit
from ops.core.predictions import ModelVersion, Prediction, canonical_result
from ops.core.records import Json, TaskKey
from ops.core.region_rules import ROUNDING, is_score, region_problem
from ops.core.regions import is_relation

Size = tuple[int, int]
_WHOLE = 100


class MatchOn(StrEnum):
    """What of a picture's name must be a task's key."""

    PATH = "path"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How names become keys.

    Attributes:
        strip_prefix: taken off each name first.
        on: the whole path, or the last part alone.
    """

    strip_prefix: str = ""
    on: MatchOn = MatchOn.PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a statement cannot be taken.

    Attributes:
        place: where it stands in the file.
        name: the picture it names; empty where it names none.
        is_unknown_task: there is no such task.
    """

    place: str
    name: str
    reason: str
    is_unknown_task: bool = False

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name and self.name != self.place else ""
        return f"{self.place}{named}: {self.reason}"


class Matcher:
    """Finds the task a name means."""

    def __init__(self, keys: Iterable[TaskKey], matching: Matching) -> None:
        """Index the keys, with and without their endings."""
        self._matching = matching
        self._whole: dict[str, list[TaskKey]] = {}
        self._stems: dict[str, list[TaskKey]] = {}
        for key in keys:
            said = PurePosixPath(key).name if matching.on is MatchOn.NAME else key
            self._whole.setdefault(said, []).append(key)
            self._stems.setdefault(str(PurePosixPath(said).with_suffix("")), []).append(key)

    def find(self, name: str, *, is_stem: bool) -> Sequence[TaskKey]:
        """The keys a name may mean; a good one means just one."""
        said = name.removeprefix("./")
        if "://" in said:
            # Label Studio's tasks: s3://repository/commit/images/key.
            said = said.partition("://")[2].partition(f"/{MEDIA_PREFIX}")[2] or said
        said = said.removeprefix(self._matching.strip_prefix)
        if self._matching.on is MatchOn.NAME:
            said = PurePosixPath(said).name
        known = self._stems if is_stem else self._whole
        return known.get(said) or known.get(said.removeprefix(MEDIA_PREFIX), ())


def judge(
    stated: Iterable[Stated],
    *,
    of: ModelVersion,
    sizes: Mapping[TaskKey, Size | None],
    ontology: Ontology,
    matching: Matching,
) -> Iterator[Prediction | Problem]:
    """Each statement as the prediction of a task, or what is wrong with it.

    Args:
        stated: what a file says.
        of: the model's version that says it.
        sizes: the pixels of each task's picture, None where unknown.
        ontology: what may be said.
        matching: how the file's names become keys.
    """
    matcher = Matcher(sizes, matching)
    taken: dict[TaskKey, str] = {}
    for one in stated:
        found = _judged(one, matcher, sizes, of=of, ontology=ontology)
        if isinstance(found, Problem):
            yield found
        elif found.key in taken:
            reason = f"is about task {found.key}, which {taken[found.key]} is about already"
            yield Problem(place=one.place, name=one.name, reason=reason)
        else:
            taken[found.key] = one.place
            yield found


def _judged(
    one: Stated,
    matcher: Matcher,
    sizes: Mapping[TaskKey, Size | None],
    *,
    of: ModelVersion,
    ontology: Ontology,
) -> Prediction | Problem:
    keys = matcher.find(one.name, is_stem=one.is_stem)
    reason = one.problem or _name_problem(keys)
    if reason is None and one.score is not None and not is_score(one.score):
        reason = f"has the score {one.score}, not one from 0 to 1"
    if reason is not None:
        is_unknown = not keys and not one.problem
        return Problem(place=one.place, name=one.name, reason=reason, is_unknown_task=is_unknown)
    [key] = keys
    size = sizes[key] or one.size
    result = _result(one, ontology, size)
    if isinstance(result, str):
        return Problem(place=one.place, name=one.name, reason=result)
    score = one.score if isinstance(one.score, int | float) else None
    return Prediction(
        key=key,
        score=None if score is None else float(score),
        result=canonical_result(key, of, result, size=size),
    )


def _name_problem(keys: Sequence[TaskKey]) -> str | None:
    if not keys:
        return "there is no such task"
    if len(keys) > 1:
        return f"may be any of {len(keys)} tasks: {', '.join(sorted(keys)[:3])}"
    return None


def _result(
    one: Stated, ontology: Ontology, size: Size | None
) -> Sequence[Mapping[str, Json]] | str:
    """What is said as Label Studio's regions, or what is wrong with one of them."""
    result: list[Mapping[str, Json]] = []
    for said in [*(one.result or ()), *one.boxes]:
        entry = _region(said, ontology, size) if isinstance(said, Box) else said
        if isinstance(entry, str) and isinstance(said, Box):
            return entry
        if problem := region_problem(entry, ontology):
            return problem
        result += [entry] if isinstance(entry, dict) else []
    if twice := _twice(result):
        return f"has two regions of the id {twice!r}"
    return result


def _region(box: Box, ontology: Ontology, size: Size | None) -> dict[str, Json] | str:
    """A box as a region, or why it can be none."""
    found = _box_control(ontology, str(box.label))
    if isinstance(found, str):
        return found
    control, label = found
    if box.unit is Unit.PIXELS and size is None:
        return "is in pixels, and nobody knows the picture's size"
    match box.unit:
        case Unit.PERCENT:
            sides = box.sides
        case Unit.PIXELS:
            sides = to_percent(box.sides, *(size or (1, 1)))
        case Unit.FRACTION:
            x, y, width, height = (side * _WHOLE for side in box.sides)
            sides = (x, y, width, height)
    x, y, width, height = _within(sides)
    region: dict[str, Json] = {
        "type": control.type.lower(),
        "from_name": control.name,
        "to_name": control.to_names[0],
        "value": {
            "x": x, "y": y, "width": width, "height": height, "rotation": 0,
            control.type.lower(): [label],
        },
    }  # fmt: skip
    return region if box.score is None else {**region, "score": box.score}


def _within(sides: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The box, cut where rounding lets it reach over the picture's edges."""
    x, y, width, height = sides
    left, width = _cut(x, width)
    top, height = _cut(y, height)
    return left, top, width, height


def _cut(start: float, length: float) -> tuple[float, float]:
    if -ROUNDING <= start < 0:
        start, length = 0.0, length + start
    over = start + length - _WHOLE
    return start, length - over if 0 < over <= ROUNDING else length


def _box_control(ontology: Ontology, label: str) -> tuple[Control, str] | str:
    """The control that gives this label to boxes and what results say for it, or why not."""
    controls = [one for one in ontology.controls if one.type.lower() == "rectanglelabels"]
    for control in controls:
        for one in control.labels:
            if label in {one.value, one.alias}:
                return control, one.path[-1]
        if control.dynamic:
            return control, label
    if not controls:
        return "is a box, and the label config has no RectangleLabels"
    offered = sorted({one.value for control in controls for one in control.labels})
    return f"says {label!r}, which no box may be called; there are: {', '.join(offered)}"


def _twice(result: Sequence[Mapping[str, Json]]) -> str | None:
    """An id that two entries of one control have."""
    seen: set[tuple[str, str]] = set()
    for region in result:
        name = region.get("id")
        if isinstance(name, str) and not is_relation(region):
            place = (name, str(region.get("from_name")))
            if place in seen:
                return name
            seen.add(place)
    return None
