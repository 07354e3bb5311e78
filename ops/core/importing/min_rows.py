"""Rows of annotations: Label Studio's CSV and JSON-MIN.

A row is one annotation; the columns named like the label config's controls hold what was said. Both
forms leave region ids, skips and ground truth out, which is named as lost.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from ops.core.documents import Fields, Source, parse
from ops.core.exports import KEY_FIELD, UNKNOWN_USER
from ops.core.importing.neutral import (
    Answer,
    Reading,
    Reference,
    Remark,
    label_file,
    number,
    text_of,
)
from ops.core.ontology import Control, Ontology
from ops.core.records import Json

ANNOTATION = "annotation_id"
"""The column that tells such a table from any other."""

Row = tuple[str, Mapping[str, Json]]
"""A row's place and its cells by column."""

_OF_ANNOTATION = frozenset(
    {ANNOTATION, "annotator", "created_at", "updated_at", "lead_time", "id", KEY_FIELD}
)
_LOST = "region ids, skips and ground truth: this form leaves them out"


def read_json_min(name: str, data: bytes, ontology: Ontology | None) -> Reading:
    """What a JSON-MIN export says: an array of rows, as in Label Studio's CSV.

    Raises:
        InvalidDataError: no JSON, no array of rows, or a full export.
    """
    source = label_file(name)
    text_of(data, source)
    document = parse(data.removeprefix(b"\xef\xbb\xbf"), source)
    if not isinstance(document, list):
        source.refuse("", "must be an array, a row an annotation")
    rows = [(f"[{i}]", Fields.of(row, f"[{i}]", source).values) for i, row in enumerate(document)]
    for place, row in rows:
        if ANNOTATION not in row:
            is_full = "annotations" in row and "data" in row
            hint = ": this is a full export: ops import labelstudio" if is_full else ""
            source.refuse(place, f"has no {ANNOTATION}{hint}")
    return read_rows(rows, name, source, ontology=ontology)


def read_rows(
    rows: Sequence[Row], name: str, source: Source, *, ontology: Ontology | None
) -> Reading:
    """Rows of Label Studio's CSV or JSON-MIN: an annotation each.

    Raises:
        InvalidDataError: there is no label config, or a cell that no control of it can have said.
    """
    if ontology is None:
        source.refuse("", "needs a label config, whose controls are its columns: ops init first")
    answers = [_row_answer(Fields(row, place, source), name, ontology) for place, row in rows]
    losses = [Remark(what=_LOST, place=f"{name}, {place}") for place, _ in rows]
    return Reading(answers=tuple(answers), losses=tuple(losses))


def _row_answer(fields: Fields, name: str, ontology: Ontology) -> Answer:
    row, place, source = fields.values, fields.path, fields.source
    regions: list[Mapping[str, Json]] = []
    data: dict[str, Json] = {}
    for column, value in row.items():
        control = ontology.control(column)
        if control is not None:
            regions += _regions(control, _opened(value), place, source)
        elif (
            column not in _OF_ANNOTATION
            and column != ontology.media_field
            and value not in ("", None)
        ):
            data[column] = value
    key = row.get(KEY_FIELD)
    picture = str(key) if key else fields.text(ontology.media_field)
    return Answer(
        picture=Reference(name=picture),
        place=f"{name}, {place}",
        result=tuple(regions),
        annotator=_annotator(row.get("annotator")),
        created_at=fields.moment("created_at") if row.get("created_at") else None,
        updated_at=fields.moment("updated_at") if row.get("updated_at") else None,
        lead_time_s=number(str(row["lead_time"]), place, source) if row.get("lead_time") else None,
        data=data,
    )


def _annotator(value: Json) -> str:
    if value in (None, ""):
        return UNKNOWN_USER
    return str(value) if "@" in str(value) else f"{UNKNOWN_USER}-{value}"


def _opened(value: Json) -> Json:
    """A cell as JSON where it holds some, as Label Studio's CSV writes regions."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return cast("Json", json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def _regions(
    control: Control, value: Json, place: str, source: Source
) -> Iterator[Mapping[str, Json]]:
    kind = control.type.lower()
    if value in ("", None, []):
        return
    if kind in _PLAIN_VALUES:
        stated = value.get(kind, value) if isinstance(value, dict) else value
        items: list[Json] = stated if isinstance(stated, list) else [stated]
        whole: Json = items if kind in _AS_LIST else items[0]
        yield _entry(control, {_PLAIN_VALUES[kind]: whole})
        return
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        source.refuse(f"{place}.{control.name}", f"holds no regions of a {control.type}")
    for one in value:
        if isinstance(one, dict):
            own = {n: v for n, v in one.items() if n not in {"original_width", "original_height"}}
            sides = {n: v for n, v in one.items() if n in {"original_width", "original_height"}}
            if kind not in own:
                source.refuse(f"{place}.{control.name}", f"holds a region without its {kind}")
            yield {**_entry(control, own), **sides, "image_rotation": 0}


_PLAIN_VALUES = {"choices": "choices", "textarea": "text", "rating": "rating", "number": "number"}
_AS_LIST = frozenset({"choices", "textarea"})


def _entry(control: Control, value: dict[str, Json]) -> dict[str, Json]:
    return {
        "from_name": control.name,
        "to_name": control.to_names[0],
        "type": control.type.lower(),
        "value": value,
    }
