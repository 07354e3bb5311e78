"""What Label Studio could answer to an export, and what must not become a record."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

from ops.runner.sync import sync_round
from tests.bad_input.scene import (
    KEY,
    Case,
    Document,
    Edit,
    LyingStudio,
    Scene,
    drop,
    put,
)

FIRST = ("annotations", 0)
REGION = (*FIRST, "result", 0)


def sync(scene: Scene) -> object:
    """Read everything from Label Studio again."""
    return sync_round(scene.context, "two", full=True)


def case(name: str, wrong: str, edit: Edit, place: str, *, code: str = "export-invalid") -> Case:
    """An export in which the document of one task is spoilt."""

    def lie(document: Document) -> Document:
        return edit(document) if document["data"]["key"] == KEY else document

    def listen(scene: Scene) -> None:
        scene.context = replace(scene.context, studio=LyingStudio(scene.world.studio, lie))

    return Case(id=f"export-{name}", wrong=wrong, spoil=listen, act=sync, code=code, place=place)


def _twice(document: Document) -> Document:
    """The same identity with another answer."""
    second = deepcopy(document["annotations"][0])
    second["result"] = second["result"][:1]
    document["annotations"].append(second)
    return document


def _deep(_: Document) -> Document:
    value: Document = "brie"
    for _ in range(100):
        value = [value]
    return value


def _edits() -> Iterator[tuple[str, str, Edit, str]]:
    yield "no-annotations", "no annotations", drop("annotations"), "annotations"
    yield "annotations-null", "null for annotations", put("annotations", to=None), "annotations"
    yield "annotations-count", "a count for annotations", put("annotations", to=1), "annotations"
    yield (
        "annotations-object",
        "one annotation, no list",
        lambda d: put("annotations", to=d["annotations"][0])(d),
        "annotations",
    )
    yield (
        "annotation-id",
        "ids instead of annotations",
        put("annotations", to=[17]),
        "annotations[0]",
    )
    yield "annotation-null", "null among annotations", put(*FIRST, to=None), "annotations[0]"
    yield "id-missing", "an older server's export", drop(*FIRST, "unique_id"), "unique_id"
    yield "id-null", "no identity", put(*FIRST, "unique_id", to=None), "unique_id"
    yield "id-empty", "an empty identity", put(*FIRST, "unique_id", to=""), "unique_id"
    yield "id-number", "a number for an identity", put(*FIRST, "unique_id", to=3), "unique_id"
    yield "id-twice", "one identity, two answers", _twice, "annotations[1].unique_id"
    yield "cancelled-missing", "skipped or not?", drop(*FIRST, "was_cancelled"), "was_cancelled"
    yield (
        "cancelled-null",
        "null for skipped",
        put(*FIRST, "was_cancelled", to=None),
        "was_cancelled",
    )
    yield (
        "cancelled-text",
        "a text for skipped",
        put(*FIRST, "was_cancelled", to="false"),
        "was_cancelled",
    )
    yield "cancelled-number", "1 for skipped", put(*FIRST, "was_cancelled", to=1), "was_cancelled"
    yield "truth-missing", "reference or not?", drop(*FIRST, "ground_truth"), "ground_truth"
    yield "truth-null", "null for the mark", put(*FIRST, "ground_truth", to=None), "ground_truth"
    yield "person-missing", "nobody said it", drop(*FIRST, "completed_by"), "completed_by"
    yield (
        "person-text",
        "a name for a person",
        put(*FIRST, "completed_by", to="ann"),
        "completed_by",
    )
    yield "person-list", "two people", put(*FIRST, "completed_by", to=[2, 3]), "completed_by"
    yield (
        "person-half",
        "half a number for a person",
        put(*FIRST, "completed_by", to=2.5),
        "completed_by",
    )
    yield "person-negative", "a negative person", put(*FIRST, "completed_by", to=-1), "completed_by"
    yield (
        "person-no-mail",
        "a person without an address",
        put(*FIRST, "completed_by", to={"id": 2}),
        "completed_by.email",
    )
    yield (
        "person-mail-null",
        "a person whose address is null",
        put(*FIRST, "completed_by", to={"email": None}),
        "completed_by.email",
    )
    yield "editor-text", "a name for an editor", put(*FIRST, "updated_by", to="ben"), "updated_by"
    yield "made-missing", "no time", drop(*FIRST, "created_at"), "created_at"
    yield "made-null", "null for a time", put(*FIRST, "created_at", to=None), "created_at"
    yield (
        "made-naive",
        "a time without an offset",
        put(*FIRST, "created_at", to="2026-11-21T14:02:00"),
        "created_at",
    )
    yield "made-words", "words for a time", put(*FIRST, "created_at", to="yesterday"), "created_at"
    yield (
        "changed-number",
        "seconds for a time",
        put(*FIRST, "updated_at", to=1767225600),
        "updated_at",
    )
    yield (
        "changed-far",
        "a time before all calendars",
        put(*FIRST, "updated_at", to="0001-01-01T00:00:00+23:59"),
        "updated_at",
    )
    yield "lead-text", "a text for seconds", put(*FIRST, "lead_time", to="2.5"), "lead_time"
    yield "lead-true", "true for seconds", put(*FIRST, "lead_time", to=True), "lead_time"
    yield (
        "import-text",
        "a text for the import's number",
        put(*FIRST, "import_id", to="x"),
        "import_id",
    )
    yield (
        "import-negative",
        "a negative number of import",
        put(*FIRST, "import_id", to=-5),
        "import_id",
    )
    yield "result-missing", "no result", drop(*FIRST, "result"), "result"
    yield (
        "result-text",
        "JSON in a text, as a CSV export has it",
        put(*FIRST, "result", to="[]"),
        "result",
    )
    yield (
        "result-object",
        "one region, no list",
        lambda d: put(*FIRST, "result", to=d["annotations"][0]["result"][0])(d),
        "result",
    )
    yield "result-numbers", "numbers for regions", put(*FIRST, "result", to=[1, 2]), "result[0]"
    yield "result-nested", "a list in the list", put(*FIRST, "result", to=[["brie"]]), "result[0]"
    yield "prediction-number", "a number for a used prediction", _prediction, "prediction"
    yield "key-missing", "somebody's own task", drop("data", "key"), "data.key"
    yield "key-number", "a number for a key", put("data", "key", to=1), "data.key"
    yield "data-missing", "a task without data", drop("data"), "data.key"
    yield "task-other", "a task nobody asked for", put("id", to=9999), "id"
    yield "task-missing", "a task without a number", drop("id"), "id"
    yield "key-other", "another task of the round", put("data", "key", to="p001.png"), "data.key"


def _prediction(document: Document) -> Document:
    put(*FIRST, "parent_prediction", to=4)(document)
    return put(*FIRST, "prediction", to=4)(document)


def _values() -> Iterator[tuple[str, str, Edit, str]]:
    """What no record can keep."""
    value = (*REGION, "value")
    yield "nan", "NaN for a coordinate", put(*value, "x", to=float("nan")), "value.x"
    yield "infinity", "an infinity for a coordinate", put(*value, "x", to=float("inf")), "value.x"
    yield (
        "surrogate",
        "half a character in a text",
        put(*value, "text", to=["\ud83d"]),
        "value.text[0]",
    )
    yield "surrogate-name", "half a character in a name", put(*value, "\udc00", to=1), "value"
    yield "deep", "a hundred lists in each other", put(*value, "rle", to=_deep(None)), "value.rle"
    yield "lead-nan", "NaN seconds for an edit", _slow, "lead_time"


def _slow(document: Document) -> Document:
    put(*REGION, "value", "x", to=1)(document)
    return put(*FIRST, "lead_time", to=float("nan"))(document)


def cases() -> Iterator[Case]:
    """Every bad export."""
    for name, wrong, edit, place in _edits():
        yield case(
            name, wrong, edit, place, code="task-moved" if place == "data.key" else "export-invalid"
        )
    for name, wrong, edit, place in _values():
        yield case(name, wrong, edit, place, code="not-canonical")
