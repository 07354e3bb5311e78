"""What a model says of tasks: what may be said, how it is kept, and what became of it.

Owns the rules for predictions and the columns they are kept in. Reads no file that a model wrote
(prediction_formats.py) and no repository. A prediction is no label: nothing here makes one count.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from ops.core.documents import Fields, parse
from ops.core.encoding import canonical_object, encode
from ops.core.lines import stored
from ops.core.names import check_table_name, facts_path, prediction_path
from ops.core.records import Json, TaskKey
from ops.core.regions import is_relation, labels
from ops.errors import UsageError

SCHEMA = "ops.predictions/1"
COLUMNS = ("key", "model", "version", "score", "label", "labels", "result")
"""The columns of `predictions/<model>/<version>.parquet`, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model."""

    model: str
    version: str

    def __str__(self) -> str:
        """`model@version`, as Label Studio and manifests name it."""
        return f"{self.model}@{self.version}"

    @property
    def path(self) -> str:
        """Where its predictions lie."""
        return prediction_path(self.model, self.version)


def check_model_version(model: str, version: str) -> ModelVersion:
    """A model's version by its two names.

    Raises:
        UsageError: one of them is empty, or can be no name.
    """
    for said, option in ((model, "--model"), (version, "--version")):
        if not said:
            raise UsageError(
                "no-model-version",
                f"predictions need {option}",
                unchanged="nothing was read or written",
                hint="name model and version: --model cheese-net --version 3\n"
                "a version never changes: whoever sees a label later can tell which model "
                "proposed it",
            )
    return ModelVersion(
        model=check_table_name(model, noun="model"),
        version=check_table_name(version, noun="version"),
    )


def parse_model_version(name: str) -> ModelVersion:
    """The inverse of `str(ModelVersion)`.

    Raises:
        UsageError: it is no model's name with its version.
    """
    model, _, version = name.rpartition("@")
    if not model or not version:
        raise UsageError(
            "prediction-name",
            f"{name!r} names no predictions",
            subject=name,
            unchanged="nothing was read or written",
            hint="name model and version: cheese-net@3; see which there are: ops predict list",
        )
    return check_model_version(model, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one model version says of one task.

    Attributes:
        score: from 0 to 1, or None where the model states none for the task.
        result: Label Studio's regions, canonical; none: the model found nothing.
    """

    key: TaskKey
    score: float | None
    result: tuple[Mapping[str, Json], ...]

    @property
    def shown_score(self) -> float | None:
        """The score; without one the lowest of its regions; None without any."""
        if self.score is not None:
            return self.score
        scores = [score for region in self.result if (score := _score(region)) is not None]
        return min(scores, default=None)


def _score(region: Mapping[str, Json]) -> float | None:
    score = region.get("score")
    if not isinstance(score, int | float) or isinstance(score, bool) or not isfinite(score):
        return None
    return float(score)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFacts:
    """What `predictions/<model>/<version>.json` says of the table beside it.

    Attributes:
        file, sha256: the file it was made of: its name and its digest.
        rows: tasks with a prediction.
        digest: of what is predicted, whatever wrote the table: predictions_digest.
        left_out: what of the file was not taken, since somebody asked for the rest.
    """

    of: ModelVersion
    file: str
    sha256: str
    rows: int
    digest: str
    left_out: int
    made_by: str
    made_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """The predictions of one version of a model, by task."""

    of: ModelVersion
    made_at: str
    by_key: Mapping[TaskKey, Prediction] = field(default_factory=dict[TaskKey, Prediction])


def prediction_rows(of: ModelVersion, said: Iterable[Prediction]) -> Iterator[dict[str, Json]]:
    """The rows of the table, by key."""
    for one in sorted(said, key=lambda one: one.key):
        named = [label for region in one.result for label in labels(region)]
        yield {
            "key": one.key,
            "model": of.model,
            "version": of.version,
            "score": one.score,
            "label": named[0] if named else None,
            "labels": [*sorted(set(named))],
            "result": _compact([dict(region) for region in one.result]),
        }


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def prediction_of(row: Mapping[str, Json], path: str) -> Prediction:
    """The inverse of one of prediction_rows.

    Raises:
        InvalidDataError: it is none.
    """
    source = stored(path, "predictions-invalid")
    fields = Fields.of({"row": dict(row)}, "", source).fields("row")
    said = parse(fields.text("result").encode(), source)
    entries = Fields.of({"result": said}, fields.text("key"), source).items("result")
    return Prediction(
        key=TaskKey(fields.text("key")),
        score=fields.number("score") if fields.has("score") else None,
        result=tuple(entry.values for entry in entries),
    )


def predictions_digest(said: Iterable[Prediction]) -> str:
    """The digest of predictions, whatever their order: equal ones say the same of the same tasks.

    sha256, in hexadecimal, over a line a task, by key: key, score and result as compact JSON.
    """
    digest = hashlib.sha256()
    for one in sorted(said, key=lambda one: one.key):
        listed: list[Json] = [one.key, one.score, [dict(region) for region in one.result]]
        digest.update(_compact(listed).encode() + b"\n")
    return digest.hexdigest()


def encode_facts(facts: PredictionFacts) -> bytes:
    """The side document's bytes, canonical."""
    return encode(
        {
            "schema": SCHEMA,
            "model": facts.of.model,
            "version": facts.of.version,
            "file": facts.file,
            "sha256": facts.sha256,
            "rows": facts.rows,
            "digest": facts.digest,
            "left_out": facts.left_out,
            "made_by": facts.made_by,
            "made_at": facts.made_at,
        }
    )


def decode_facts(data: bytes, of: ModelVersion) -> PredictionFacts:
    """The inverse of encode_facts.

    Raises:
        InvalidDataError: it is no such document, or another model's.
    """
    source = stored(facts_path(of.path), "predictions-invalid")
    fields = Fields.of(parse(data, source), "", source)
    for name, wanted in (("schema", SCHEMA), ("model", of.model), ("version", of.version)):
        if (found := fields.text(name)) != wanted:
            fields.refuse(name, f"is {found!r}, not {wanted!r}")
    return PredictionFacts(
        of=of,
        file=fields.text("file"),
        sha256=fields.text("sha256"),
        rows=fields.integer("rows"),
        digest=fields.text("digest"),
        left_out=fields.integer("left_out"),
        made_by=fields.text("made_by"),
        made_at=fields.timestamp("made_at"),
    )


def canonical_result(
    key: TaskKey,
    of: ModelVersion,
    result: Sequence[Mapping[str, Json]],
    *,
    size: tuple[int, int] | None,
) -> tuple[Mapping[str, Json], ...]:
    """A result as it is kept: what Label Studio's editor would add is there already.

    Each region has an id (its own, or one made of model, task and place: no two models' are the
    same) and the picture's size where it is known; a box without rotation has 0. So a region that
    somebody accepts unchanged says just what is kept here.
    """
    found: list[Mapping[str, Json]] = []
    for number, region in enumerate(result):
        whole = dict(region)
        if not is_relation(region):
            name = f"{of}\n{key}\n{number}".encode()
            whole.setdefault("id", hashlib.sha256(name).hexdigest()[:10])
            whole = _with_size(whole, size)
        found.append(canonical_object(whole))
    return tuple(found)


def _with_size(region: dict[str, Json], size: tuple[int, int] | None) -> dict[str, Json]:
    value = region.get("value")
    if not isinstance(value, dict) or not _PLACES & value.keys():
        return region
    if size is not None:
        region = {
            "original_width": size[0], "original_height": size[1], "image_rotation": 0, **region
        }  # fmt: skip
    return {**region, "value": {"rotation": 0, **value}} if _SIDES & value.keys() else region


_PLACES = frozenset({"x", "points"})
_SIDES = frozenset({"height", "radiusX"})
"""What a box or an ellipse has, which may be turned, and a point has not."""
