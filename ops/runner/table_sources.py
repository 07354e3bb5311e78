"""What the tables beside the labels are made of: listings, documents and Parquet files of a commit.

Owns their columns, so that an empty one looks as a full one does. Reads nothing itself: tables.py
brings the objects.
"""

import json
from collections.abc import Iterable, Mapping

from ops.arrow import arrow_table, open_dataset
from ops.core.names import RUN_PREFIX, media_key
from ops.core.runs import decode_run
from ops.parquet import Column
from ops.ports import StoredObject

IMAGE_KINDS = {
    "key": Column.TEXT,
    "checksum": Column.TEXT,
    "sha256": Column.TEXT,
    "width": Column.WHOLE,
    "height": Column.WHOLE,
    "size_bytes": Column.WHOLE,
}
"""What a listing says of each image."""

PREDICTION_KINDS = {
    "key": Column.TEXT,
    "model": Column.TEXT,
    "version": Column.TEXT,
    "score": Column.NUMBER,
    "label": Column.TEXT,
    "labels": Column.TEXTS,
    "result": Column.TEXT,
}
SPLIT_KINDS = {
    "split": Column.TEXT,
    "part": Column.TEXT,
    "key": Column.TEXT,
    "group": Column.TEXT,
}
RUN_KINDS = {
    "run": Column.TEXT,
    "commit": Column.TEXT,
    "version": Column.WHOLE,
    "model": Column.TEXT,
    "metrics": Column.TEXT,
    "params": Column.TEXT,
    "url": Column.TEXT,
    "model_digest": Column.TEXT,
    "made_by": Column.TEXT,
    "made_at": Column.TEXT,
}


def image_table(listed: Iterable[StoredObject]) -> object:
    """A listing of images with their metadata, as an Arrow table."""
    columns: dict[str, list[object]] = {name: [] for name in IMAGE_KINDS}
    for one in listed:
        columns["key"].append(media_key(one.path))
        columns["checksum"].append(one.checksum)
        columns["size_bytes"].append(one.size_bytes)
        columns["sha256"].append(one.metadata.get("sha256"))
        columns["width"].append(_pixels(one.metadata.get("width")))
        columns["height"].append(_pixels(one.metadata.get("height")))
    return arrow_table(columns, IMAGE_KINDS)


def files_table(files: Mapping[str, bytes], kinds: Mapping[str, Column]) -> object:
    """Parquet files of one schema as one table; an empty one where there is no file.

    Raises:
        InvalidDataError: one of them is no Parquet file.
    """
    if files:
        return open_dataset(files)
    return arrow_table({name: [] for name in kinds}, kinds)


def runs_table(files: Mapping[str, bytes]) -> object:
    """Training runs; what has no fixed form is JSON, read in SQL as metrics->>'$.map'.

    Raises:
        InvalidDataError: one of them is no record of a run.
    """
    columns: dict[str, list[object]] = {name: [] for name in RUN_KINDS}
    for path, data in files.items():
        run = decode_run(data, path.removeprefix(RUN_PREFIX).removesuffix(".json"))
        row = {
            "run": run.id,
            "commit": run.commit,
            "version": run.version,
            "model": run.training.model,
            "metrics": json.dumps(dict(run.training.metrics), ensure_ascii=False),
            "params": json.dumps(dict(run.training.params), ensure_ascii=False),
            "url": run.training.url,
            "model_digest": run.training.model_digest,
            "made_by": run.made_by,
            "made_at": run.made_at,
        }
        for name, value in row.items():
            columns[name].append(value)
    return arrow_table(columns, RUN_KINDS)


def _pixels(stated: str | None) -> int | None:
    """A number of pixels; what cannot be one is left out, and refused where it is put to use."""
    is_one = stated and stated.isascii() and stated.isdigit() and len(stated) <= _MOST_DIGITS
    return int(stated) if stated and is_one else None


_MOST_DIGITS = 9
