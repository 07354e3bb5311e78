"""From Label Studio's export form to records, and from records to what Label Studio imports.

Owns how an annotation is recognised again (docs/adr/0004-annotation-identity.md) and how Label
Studio's fields are read. Does not talk to Label Studio, does not decide which tasks are in a round,
and never takes drafts or predictions for labels: predictions tell where a label came from.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.core.canonical import (
    content,
    normalise,
    normalise_record,
    region_ids,
)
from ops.core.documents import Fields, Source
from ops.core.encoding import encode
from ops.core.records import Annotation, Json, Origin, Record, Task, TaskKey
from ops.core.region_origins import Shown, told_origins
from ops.core.regions import said

KEY_FIELD = "key"
"""The field of a Label Studio task's data that holds the task key."""

UNKNOWN_USER = "unknown-user"
"""Annotator where Label Studio names nobody; with `-17` after it, a user id nobody has now."""

# The editor's third word is "manual": a region without origin is a person's anyway.
_ORIGINS = {
    "prediction": Origin.ACCEPTED,
    "prediction-changed": Origin.CHANGED,
}
_HINT = "look at the task in Label Studio; if it is what it should be, this is a bug of ops"


def identity_number(unique_id: str) -> int:
    """The number an annotation travels under, 48 bits of sha256: Label Studio keeps no text.

    It is sent as the `id` of an imported annotation, which Label Studio 1.23 gives back as
    `import_id`; 48 bits fit a JSON number everywhere. Two annotations of one task share it once in
    2^48 pairs.
    """
    return int.from_bytes(hashlib.sha256(unique_id.encode()).digest()[:6])


def document_key(document: Mapping[str, Json]) -> TaskKey | None:
    """The task key an exported task states, or None where it is not a task of ours."""
    data = document.get("data")
    key = data.get(KEY_FIELD) if isinstance(data, dict) else None
    return TaskKey(key) if isinstance(key, str) and key else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFacts:
    """What is the same for all tasks of a round.

    Attributes:
        round: its name; new and changed annotations carry it.
        ontology_digest: the ontology its annotators work under.
        members: e-mail by user id, of everyone on the Label Studio server.
    """

    round: str
    ontology_digest: str
    members: Mapping[int, str]


def build_record(
    task: Task,
    documents: Sequence[Mapping[str, Json]],
    facts: RoundFacts,
    *,
    carried: Mapping[str, Annotation],
    kept: Iterable[Annotation] = (),
    shown: Sequence[Shown] = (),
) -> Record:
    """The record that says what Label Studio holds for a task; the same arguments, the same record.

    Args:
        task: the task, as the round selected it.
        documents: the task in Label Studio's export form. Usually one; where a key was imported
            twice, or remove-duplicates moved annotations while they were read, several: each
            annotation is taken once. None at all: the task is not in Label Studio, nobody can have
            changed anything, and `carried` stays as it is.
        facts: the round's name, ontology and people.
        carried: annotations that were put into the project by this round or by a restore, by
            `unique_id`, as they were then (not as last synced). Unchanged, they stay verbatim;
            changed, they keep `unique_id`, annotator and `created_at`; missing, they were deleted
            by somebody.
        kept: annotations of earlier rounds that were not put into the project.
        shown: predictions that were before its annotators: they tell where regions came from that
            do not say so themselves.

    Raises:
        InvalidDataError: an export document is malformed or of another task; the field is named.
    """
    if not documents:
        return _record(task, carried.values(), kept)
    numbers = {identity_number(unique_id): unique_id for unique_id in carried}
    copies: dict[str, list[Annotation]] = {unique_id: [] for unique_id in carried}
    found: list[Annotation] = []
    for fields in _exported(task.key, documents):
        one = _read(fields, facts)
        origin = _carried_id(fields, numbers, carried)
        if origin is not None:
            copies[origin].append(_told(one, shown))
        elif fields.has("import_id"):
            found.append(_attributed(_imported(one)))
        else:
            found.append(_attributed(_told(one, shown)))
    for unique_id, ours in copies.items():
        found.extend(_settle(carried[unique_id], ours))
    known = carried.keys()
    return _record(task, found, (one for one in kept if one.unique_id not in known))


def _record(task: Task, annotations: Iterable[Annotation], kept: Iterable[Annotation]) -> Record:
    by_id = {one.unique_id: one for one in kept}
    by_id.update({one.unique_id: one for one in annotations})
    return normalise_record(Record(task=task, annotations=tuple(by_id.values())))


def _exported(key: TaskKey, documents: Sequence[Mapping[str, Json]]) -> list[Fields]:
    """The annotations of all documents, each once: where one was read twice, as it was last."""
    source = Source(code="export-invalid", noun="Label Studio's export", hint=_HINT, subject=key)
    newest: dict[str, Fields] = {}
    for document in documents:
        fields = Fields(document, "", source)
        stated = document_key(document)
        if stated != key:
            fields.refuse(f"data.{KEY_FIELD}", f"is {stated!r}, the task is {key!r}")
        ids: set[str] = set()
        for one in fields.items("annotations"):
            unique_id = one.text("unique_id")
            if unique_id in ids:
                one.refuse("unique_id", f"is {unique_id!r}, which is there already")
            ids.add(unique_id)
            known = newest.get(unique_id)
            if known is None or known.moment("updated_at") < one.moment("updated_at"):
                newest[unique_id] = one
    return sorted(
        newest.values(), key=lambda one: (one.moment("created_at"), one.text("unique_id"))
    )


def _carried_id(
    fields: Fields, numbers: Mapping[int, str], carried: Mapping[str, Annotation]
) -> str | None:
    """Which carried annotation an exported one is, or None."""
    unique_id = fields.text("unique_id")
    if unique_id in carried:
        return unique_id
    return numbers.get(fields.integer("import_id")) if fields.has("import_id") else None


def _settle(before: Annotation, copies: Sequence[Annotation]) -> list[Annotation]:
    """What became of a carried annotation.

    One import makes one copy. Where a crash made two, an untouched copy is no second answer; two
    copies edited differently are two answers, and the older one keeps the identity.
    """
    if not copies:
        return []
    edits: dict[bytes, Annotation] = {}
    for copy in copies:
        edits.setdefault(content(copy), copy)
    edits.pop(content(before), None)
    if not edits:
        return [before]
    eldest, *others = edits.values()
    return [_attributed(one) for one in (_continued(before, eldest), *others)]


def _attributed(one: Annotation) -> Annotation:
    """The annotation, without who changed it last where that is who made it."""
    return replace(one, updated_by=None) if one.updated_by == one.annotator else one


def _continued(before: Annotation, copy: Annotation) -> Annotation:
    untouched = _by_region(before).items() & _by_region(copy).items()
    origins = {region: copy.origins.get(region, Origin.HUMAN) for region in region_ids(copy.result)}
    predicted = {region for region, origin in before.origins.items() if origin in _PREDICTED}
    origins.update(dict.fromkeys(predicted & origins.keys(), Origin.CHANGED))
    origins.update({region: before.origins.get(region, Origin.HUMAN) for region, _ in untouched})
    return replace(
        copy,
        unique_id=before.unique_id,
        annotator=before.annotator,
        created_at=before.created_at,
        origins=origins,
        prediction=copy.prediction or before.prediction,
    )


_PREDICTED = frozenset({Origin.ACCEPTED, Origin.CHANGED})
"""Whoever changes such a region has changed what a model said, whether or not it says so."""


def _by_region(annotation: Annotation) -> dict[str, bytes]:
    """What is said of each region, by its id."""
    entries: dict[str, list[bytes]] = {}
    for region in said(annotation.result):
        if isinstance(name := region.get("id"), str):
            entries.setdefault(name, []).append(encode(region))
    return {name: b"".join(sorted(found)) for name, found in entries.items()}


def _told(one: Annotation, shown: Sequence[Shown]) -> Annotation:
    """The annotation, its regions a model's where they say what it had said.

    The editor notes in each region where it came from, and is believed; Label Studio's API notes
    nothing.
    """
    stated = _stating(one)
    silent = [region for region in one.result if str(region.get("id")) not in stated]
    told = told_origins(silent, shown, saved_at=one.updated_at) if shown else None
    if told is None or told.shown is None:
        return one
    return replace(
        one,
        origins={**one.origins, **told.origins},
        prediction=one.prediction or told.shown.as_json(),
    )


def _stating(one: Annotation) -> frozenset[str]:
    """The ids of regions that say where they came from."""
    return frozenset(str(region.get("id")) for region in one.result if "origin" in region)


def _imported(one: Annotation) -> Annotation:
    """The annotation, its regions imported unless they say where they came from."""
    stated = _stating(one)
    imported = dict.fromkeys(region_ids(one.result) - stated, Origin.IMPORTED)
    return replace(one, origins={**one.origins, **imported})


def _read(fields: Fields, facts: RoundFacts) -> Annotation:
    """An exported annotation as if it were new."""
    # The API stores null where somebody submits without a result; none at all says nothing.
    regions = fields.items("result") if fields.any("result") is not None else []
    origins = dict(pair for region in regions for pair in _stated_origin(region.values))
    return normalise(
        Annotation(
            unique_id=fields.text("unique_id"),
            annotator=_user(fields, "completed_by", facts.members),
            updated_by=(
                _user(fields, "updated_by", facts.members) if fields.has("updated_by") else None
            ),
            round=facts.round,
            created_at=fields.moment("created_at"),
            updated_at=fields.moment("updated_at"),
            lead_time_s=fields.number("lead_time") if fields.has("lead_time") else None,
            skipped=fields.boolean("was_cancelled"),
            ground_truth=fields.boolean("ground_truth"),
            ontology_digest=facts.ontology_digest,
            origins=origins,
            prediction=_prediction(fields, origins.values()),
            result=tuple(region.values for region in regions),
        )
    )


def _stated_origin(region: Mapping[str, Json]) -> Iterator[tuple[str, Origin]]:
    name, origin = region.get("id"), region.get("origin")
    if isinstance(name, str) and isinstance(origin, str) and origin in _ORIGINS:
        yield name, _ORIGINS[origin]


def _user(fields: Fields, name: str, members: Mapping[int, str]) -> str:
    """A user's e-mail; Label Studio gives the id, or an object with the e-mail, or null."""
    value = fields.any(name)
    if value is None:
        return UNKNOWN_USER
    if isinstance(value, dict):
        return fields.fields(name).text("email")
    number = fields.integer(name)
    return members.get(number, f"{UNKNOWN_USER}-{number}")


def _prediction(fields: Fields, origins: Iterable[Origin]) -> dict[str, Json] | None:
    """Model version and score of the prediction an annotation started from.

    Label Studio's `prediction` is the one that was there when the annotation was submitted, used or
    not: it counts only where the annotation has a parent prediction, or a region that comes from
    one.
    """
    if not fields.has("parent_prediction") and not any(origins):
        return None
    if not fields.has("prediction"):
        return {}
    prediction = fields.mapping("prediction")
    known = {name: prediction.get(name) for name in ("model_version", "score")}
    return {name: value for name, value in known.items() if value is not None}


def to_import(
    record: Record, *, data: Mapping[str, Json], members: Mapping[int, str]
) -> dict[str, Json]:
    """A task with its annotations as one item of an import; build_record recognises them again.

    Args:
        record: the task and what people said.
        data: what annotators see, beside the task's own data: the media object's address by the
            label config's variable.
        members: e-mail by user id; Label Studio refuses an annotator it does not know, so the
            annotations of others go in without one (and belong to the importing account there).
    """
    emails = frozenset(members.values())
    return {
        "data": {**record.task.data, **data, KEY_FIELD: record.task.key},
        "annotations": [_import_item(one, emails) for one in record.annotations],
    }


def _import_item(annotation: Annotation, emails: frozenset[str]) -> dict[str, Json]:
    item: dict[str, Json] = {
        "id": identity_number(annotation.unique_id),
        "result": [dict(region) for region in annotation.result],
        "was_cancelled": annotation.skipped,
        # Label Studio takes an imported annotation without this for ground truth.
        "ground_truth": annotation.ground_truth,
        "lead_time": annotation.lead_time_s,
    }
    if annotation.annotator in emails:
        item["completed_by"] = {"email": annotation.annotator}
    return item
