"""Where the regions of an annotation came from, told by what a model had said.

Owns the comparison of regions with the predictions that were before annotators. Label Studio's
editor notes in each region whether it came from a prediction; what is submitted by its API says
nothing, and there the regions themselves tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.core.encoding import encode
from ops.core.predictions import Prediction
from ops.core.records import Json, Origin
from ops.core.regions import is_relation, said

# Neither is something a person says: what the editor writes down beside it, or the model did.
_BESIDE = frozenset({
    "id", "origin", "score", "original_width", "original_height", "image_rotation", "hidden",
    "readonly", "locked", "parentID",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A prediction that was before a task's annotators.

    Attributes:
        model_version: `model@version`.
        since: when it was stored; what was last saved before cannot come from it.
    """

    model_version: str
    since: str
    prediction: Prediction

    def as_json(self) -> dict[str, Json]:
        """What a record says of the prediction an annotation started from."""
        score = self.prediction.shown_score
        named: dict[str, Json] = {"model_version": self.model_version}
        return named if score is None else {**named, "score": score}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the comparison tells: the regions that are a model's, and the model they are of."""

    origins: Mapping[str, Origin]
    shown: Shown | None


def told_origins(
    result: Sequence[Mapping[str, Json]], shown: Sequence[Shown], *, saved_at: str
) -> Told:
    """Which regions are copies of predicted ones, and which are such, changed.

    A region of a predicted one's id is accepted where it says the same, and changed where not; one
    of another id is accepted where it says just what a predicted one does. All others are a
    person's, and not named here. Where several models' predictions fit, the first does.

    Args:
        result: the annotation's.
        shown: the predictions that were there.
        saved_at: when the annotation was last saved.
    """
    ours = _by_id(result)
    origins: dict[str, Origin] = {}
    first: Shown | None = None
    for one in shown:
        if one.since > saved_at:
            continue
        predicted = _by_id(one.prediction.result)
        contents = set(predicted.values())
        for name, content in ours.items():
            if name in origins or (name not in predicted and content not in contents):
                continue
            origins[name] = Origin.ACCEPTED if content in contents else Origin.CHANGED
            first = first or one
    return Told(origins=origins, shown=first)


def _by_id(result: Iterable[Mapping[str, Json]]) -> dict[str, bytes]:
    """What is said of each region, by its id; relations are no regions."""
    entries: dict[str, list[bytes]] = {}
    for region in said(result):
        name = region.get("id")
        if isinstance(name, str) and not is_relation(region):
            stated = {field: value for field, value in region.items() if field not in _BESIDE}
            entries.setdefault(name, []).append(encode(stated))
    return {name: b"".join(sorted(found)) for name, found in entries.items()}
