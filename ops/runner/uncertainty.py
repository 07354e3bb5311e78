"""How unsure a model was of each task: what its stored predictions say.

Owns the measure, 1 - score. A prediction without a score has the lowest of its regions; without any
it is not known. Writes no prediction: that is ops/runner/predict.py.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import cast

from ops.core.names import check_table_name, prediction_path
from ops.core.records import CommitId, Json, TaskKey
from ops.errors import NotFoundError, UsageError
from ops.runner.context import Context


def uncertainties(context: Context, commit: CommitId, name: str) -> Mapping[TaskKey, float | None]:
    """The uncertainty of each task a model has a prediction of; None where none is stated.

    One request.

    Args:
        context: the servers.
        commit: where the predictions lie.
        name: `model@version`.

    Raises:
        UsageError: the name is not a model's with its version.
        NotFoundError: there are no such predictions at the commit.
        InvalidDataError: they cannot be read.
    """
    from ops.parquet import read_rows

    model, _, version = name.rpartition("@")
    if not model:
        raise UsageError(
            "prediction-name",
            f"{name!r} names no predictions",
            subject=name,
            unchanged="nothing was read or written",
            hint="name model and version: --uncertain cheese-net@3",
        )
    model, version = check_table_name(model, noun="model"), check_table_name(version, noun="model")
    path = prediction_path(model, version)
    data = context.lake.read(commit, path)
    if data is None:
        raise NotFoundError(
            "no-such-predictions",
            f"there are no predictions of {name}",
            subject=name,
            where=(("path", path), ("at", commit[:12])),
            unchanged="nothing was written",
            hint=f"store them: ops predict add FILE --model {model} --version {version}",
        )
    rows = read_rows(data, ["key", "score", "result"], path=path)
    return {TaskKey(str(row["key"])): _uncertainty(row) for row in rows}


def _uncertainty(row: Mapping[str, Json]) -> float | None:
    score = _score(row["score"])
    if score is None and isinstance(row["result"], str):
        regions = cast("Json", json.loads(row["result"]))
        stated = [
            _score(region.get("score"))
            for region in (regions if isinstance(regions, list) else [])
            if isinstance(region, dict)
        ]
        score = min((one for one in stated if one is not None), default=None)
    return None if score is None else 1 - score


def _score(value: Json) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if isfinite(value) else None
