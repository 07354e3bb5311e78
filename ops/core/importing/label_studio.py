"""Label Studio's JSON export: tasks with their annotations, taken as they are.

Regions are kept verbatim, and with them identity, annotator, times, skips and ground truth. What a
record does not hold (predictions, drafts, comments, the task's meta) is named as lost.
"""

from collections.abc import Iterator, Mapping

from ops.core.documents import Fields, parse
from ops.core.exports import KEY_FIELD, UNKNOWN_USER
from ops.core.importing.neutral import Answer, Reading, Reference, Remark, label_file, text_of
from ops.core.records import Json

_LOST_OF_TASK = ("predictions", "drafts", "comments", "meta")
_HAS_KEY = "annotation_id"


def read_label_studio(name: str, data: bytes, *, media_field: str) -> Reading:
    """What a JSON export says.

    Args:
        name: the file's, for errors.
        data: its bytes: an array of tasks, or one task.
        media_field: the field of a task's data that names its picture.

    Raises:
        InvalidDataError: no JSON, no tasks, or an annotation that is none.
    """
    source = label_file(name)
    text_of(data, source)
    document = parse(data.removeprefix(b"\xef\xbb\xbf"), source)
    tasks = document if isinstance(document, list) else [document]
    answers: list[Answer] = []
    unanswered: list[Reference] = []
    losses: list[Remark] = []
    identities: set[str] = set()
    for index, task in enumerate(tasks):
        fields = Fields.of(task, f"[{index}]", source)
        _refuse_min(fields)
        picture = _picture(fields, media_field)
        annotations = fields.items("annotations") if fields.has("annotations") else []
        losses += _losses(fields, name)
        if not annotations:
            unanswered.append(picture)
        for one in annotations:
            answer = _answer(one, fields, picture, media_field)
            if answer.unique_id in identities:
                one.refuse("unique_id", f"is {answer.unique_id!r}, which is there already")
            identities |= {answer.unique_id} if answer.unique_id else set()
            answers.append(answer)
            losses += _losses_of_answer(one, answer, name)
    return Reading(answers=tuple(answers), unanswered=tuple(unanswered), losses=tuple(losses))


def _refuse_min(fields: Fields) -> None:
    if "data" not in fields.values and _HAS_KEY in fields.values:
        fields.refuse(
            "data", "is missing: this is JSON-MIN, which is imported by ops import json-min"
        )


def _picture(fields: Fields, media_field: str) -> Reference:
    data = fields.fields("data")
    if isinstance(key := data.values.get(KEY_FIELD), str) and key:
        return Reference(name=key)
    return Reference(name=data.text(media_field))


def _answer(one: Fields, task: Fields, picture: Reference, media_field: str) -> Answer:
    editor = _person(one, "updated_by")
    # The API stores null where somebody submits without a result; none at all says nothing.
    regions = one.items("result") if one.any("result") is not None else []
    data: dict[str, Json] = {
        name: value
        for name, value in task.fields("data").values.items()
        if name not in {media_field, KEY_FIELD}
    }
    return Answer(
        picture=picture,
        place=one.path,
        result=tuple(_region(region) for region in regions),
        unique_id=one.text("unique_id") if one.has("unique_id") else None,
        annotator=_person(one, "completed_by") or UNKNOWN_USER,
        updated_by=None if _is_nobody(editor) else editor,
        created_at=one.moment("created_at") if one.has("created_at") else None,
        updated_at=one.moment("updated_at") if one.has("updated_at") else None,
        lead_time_s=one.number("lead_time") if one.has("lead_time") else None,
        skipped=one.has("was_cancelled") and one.boolean("was_cancelled"),
        ground_truth=one.has("ground_truth") and one.boolean("ground_truth"),
        prediction=_prediction(one, regions),
        data=data,
    )


def _region(region: Fields) -> Mapping[str, Json]:
    """A region as it is, if it says what it is of; a relation has ends instead."""
    if region.values.get("type") != "relation":
        for name in ("id", "from_name", "to_name", "type"):
            region.text(name)
        region.fields("value")
    return region.values


def _person(one: Fields, name: str) -> str | None:
    """Who it was by e-mail; where the file has a number alone, that number."""
    value = one.values.get(name)
    match value:
        case None:
            return None
        case str():
            return value or None
        case dict():
            return one.fields(name).text("email")
        case _:
            return f"{UNKNOWN_USER}-{one.integer(name)}"


def _is_nobody(person: str | None) -> bool:
    return person is None or person.startswith(UNKNOWN_USER)


def _prediction(one: Fields, regions: list[Fields]) -> dict[str, Json] | None:
    """The prediction an annotation started from, as exports.py reads it."""
    uses = any(
        region.values.get("origin") in {"prediction", "prediction-changed"} for region in regions
    )
    if not uses and not one.has("parent_prediction"):
        return None
    stated = one.values.get("prediction")
    known = stated if isinstance(stated, dict) else {}
    return {name: known[name] for name in ("model_version", "score") if known.get(name) is not None}


def _losses(task: Fields, file: str) -> Iterator[Remark]:
    for name in _LOST_OF_TASK:
        stated = task.values.get(name)
        for _ in stated if isinstance(stated, list) else [None] if stated else []:
            hint = " (ops predict add takes them)" if name == "predictions" else ""
            yield Remark(what=f"{name} of tasks{hint}", place=f"{file}: {task.path}")


def _losses_of_answer(one: Fields, answer: Answer, file: str) -> Iterator[Remark]:
    if _is_nobody(answer.annotator):
        yield Remark(what="annotators' e-mails: the file has none", place=f"{file}: {one.path}")
    for name in ("draft", "comments"):
        if one.values.get(name):
            yield Remark(what=f"{name} of annotations", place=f"{file}: {one.path}")
