"""Records that are none: what a hand, a program or a broken disk leaves in `annotations/`."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ops.core.names import MAIN
from ops.core.selection import Selection
from ops.runner.diff import label_diff
from ops.runner.finish import finish_round
from ops.runner.history import task_history
from ops.runner.rebase import rebase_round
from ops.runner.start import start_round
from tests.bad_input.scene import (
    KEY,
    RECORD,
    Act,
    Case,
    Edit,
    Scene,
    drop,
    edited,
    put,
)

Spoil = Callable[[bytes], bytes]
FIRST = ("annotations", 0)
REGION = (*FIRST, "result", 0)


def edit_again(scene: Scene) -> object:
    """Start a round that puts the record before annotators."""
    selection = Selection(keys=(KEY,), edit=True, labeled_too=True)
    return start_round(scene.context, "three", selection)


def case(name: str, wrong: str, spoil: Spoil, place: str) -> Case:
    """A record that is spoilt on main and read by a start."""

    def at_main(scene: Scene) -> None:
        scene.put(MAIN, RECORD, spoil(scene.read(MAIN, RECORD)))

    return Case(
        id=f"record-{name}",
        wrong=wrong,
        spoil=at_main,
        act=edit_again,
        code="record-invalid",
        place=place,
    )


def _bytes() -> Iterator[Case]:
    yield case("empty", "an empty object", lambda _: b"", "line 1")
    yield case("truncated", "the first half", lambda d: d[: len(d) // 2], "line")
    yield case("no-end", "the last brace is lost", lambda d: d.rstrip()[:-1], "line")
    yield case("bom", "a byte order mark", lambda d: b"\xef\xbb\xbf" + d, "line 1, column 1")
    yield case("utf-16", "saved as UTF-16", lambda d: d.decode().encode("utf-16"), "byte 0")
    yield case(
        "latin-1", "a byte of another encoding", lambda d: d.replace(b"ann@", b"\xe4nn@"), "byte"
    )
    yield case("nul", "a disk's zeros", lambda d: b"\0" * len(d), "line 1")
    yield case("twice", "two records in one object", lambda d: d + d, "line")
    yield case("html", "a proxy's error page", lambda _: b"<html><body>502</body></html>", "line 1")
    yield case("conflict-marks", "a merge's marks", lambda d: b"<<<<<<< ours\n" + d, "line 1")
    yield case("trailing-comma", "a hand's comma", lambda d: d.rstrip()[:-1] + b",}", "line")
    yield case("comment", "a hand's comment", lambda d: b"// mine\n" + d, "line 1")
    yield case(
        "twice-field",
        "a field named twice",
        lambda d: d.replace(b'"skipped": false', b'"skipped": false, "skipped": true', 1),
        "skipped",
    )
    yield case("nan", "NaN for a coordinate", _number(b"NaN"), "NaN")
    yield case("infinity", "an infinity for a coordinate", _number(b"-Infinity"), "-Infinity")
    yield case("overflow", "a coordinate beyond all floats", _number(b"1e999"), "1e999")
    yield case("digits", "a number of 5 000 digits", _number(b"9" * 5000), "digits")
    yield case("deep", "100 000 brackets", _number(b"[" * 100_000 + b"]" * 100_000), "nested")
    yield case(
        "surrogate",
        "half a character",
        edited(put(*REGION, "value", "rectanglelabels", to=["\ud83d"])),
        "byte",
    )
    yield case(
        "escaped-surrogate",
        "half a character, escaped",
        lambda d: d.replace(b'"brie"', b'"\\ud83d"'),
        "surrogate",
    )


def _number(text: bytes) -> Spoil:
    return lambda data: data.replace(b'"y": 20.5', b'"y": ' + text, 1)


def _edits() -> Iterator[tuple[str, str, Edit, str]]:
    yield "array", "an array of records", lambda d: [d], "the document"
    yield "null", "null", lambda _: None, "the document"
    yield "no-schema", "no schema", drop("schema"), "schema"
    yield "future", "a schema of the future", put("schema", to="ops.record/2"), "schema"
    yield "other-schema", "another document's schema", put("schema", to="ops.round/1"), "schema"
    yield "schema-number", "a number for a schema", put("schema", to=1), "schema"
    yield "unknown-field", "a field nobody knows", put("labels", to=[]), "labels"
    yield "no-task", "no task", drop("task"), "task"
    yield "task-text", "a text for the task", put("task", to="p000.png"), "task"
    yield "no-annotations", "no annotations", drop("annotations"), "annotations"
    yield (
        "annotations-object",
        "annotations by number",
        put("annotations", to={"0": {}}),
        "annotations",
    )
    yield "annotation-null", "null among the annotations", put(*FIRST, to=None), "annotations[0]"
    yield "state-wrong", "a state the annotations deny", put("state", to="empty"), "state"
    yield "state-unknown", "a state there is not", put("state", to="done"), "state"
    yield "quarantined-text", "a text for a bit", put("quarantined", to="no"), "quarantined"
    yield "quarantined-null", "null for a bit", put("quarantined", to=None), "quarantined"
    yield "key-other", "another task's record", put("task", "key", to="p001.png"), "task.media.path"
    yield "key-and-path", "moved by hand", _moved, "task.key"
    yield (
        "path-outside",
        "a picture elsewhere",
        put("task", "media", "path", to="../p000.png"),
        "path",
    )
    yield "no-checksum", "no checksum", drop("task", "media", "checksum"), "task.media.checksum"
    yield "checksum-empty", "an empty checksum", put("task", "media", "checksum", to=""), "checksum"
    yield (
        "size-negative",
        "a picture of -1 bytes",
        put("task", "media", "size_bytes", to=-1),
        "size_bytes",
    )
    yield "size-half", "half a byte", put("task", "media", "size_bytes", to=1.5), "size_bytes"
    yield "size-true", "true for a size", put("task", "media", "size_bytes", to=True), "size_bytes"
    yield (
        "size-huge",
        "a picture beyond all disks",
        put("task", "media", "size_bytes", to=2**70),
        "size_bytes",
    )
    yield "width-text", "a text for a width", put("task", "media", "width", to="160"), "width"
    yield "width-null", "null for a width", put("task", "media", "width", to=None), "width"
    yield "media-field", "an unknown fact of the picture", put("task", "media", "dpi", to=1), "dpi"
    yield "data-array", "an array for the task's data", put("task", "data", to=[]), "task.data"
    yield "task-field", "an unknown field of the task", put("task", "id", to=7), "task.id"
    yield (
        "id-twice",
        "one annotation twice",
        lambda d: put("annotations", to=d["annotations"] * 2)(d),
        "annotations[1].unique_id",
    )
    yield "id-missing", "an annotation without identity", drop(*FIRST, "unique_id"), "unique_id"
    yield "id-empty", "an empty identity", put(*FIRST, "unique_id", to=""), "unique_id"
    yield (
        "id-number",
        "Label Studio's number for an identity",
        put(*FIRST, "unique_id", to=7),
        "unique_id",
    )
    yield "annotator-null", "nobody", put(*FIRST, "annotator", to=None), "annotator"
    yield (
        "annotator-number",
        "Label Studio's number for a person",
        put(*FIRST, "annotator", to=2),
        "annotator",
    )
    yield "round-missing", "no round", drop(*FIRST, "round"), "round"
    yield (
        "time-local",
        "a time without its offset",
        put(*FIRST, "created_at", to="2026-11-21 14:02"),
        "created_at",
    )
    yield (
        "time-impossible",
        "the 30th of February",
        put(*FIRST, "updated_at", to="2026-02-30T14:02:00.000000Z"),
        "updated_at",
    )
    yield (
        "time-number",
        "seconds for a time",
        put(*FIRST, "updated_at", to=1767225600),
        "updated_at",
    )
    yield "lead-text", "a text for seconds", put(*FIRST, "lead_time_s", to="2.5"), "lead_time_s"
    yield (
        "skipped-missing",
        "nobody knows whether it is skipped",
        drop(*FIRST, "skipped"),
        "skipped",
    )
    yield "skipped-number", "0 for false", put(*FIRST, "skipped", to=0), "skipped"
    yield "truth-text", "a text for a mark", put(*FIRST, "ground_truth", to="yes"), "ground_truth"
    yield "drafts", "a draft among the fields", put(*FIRST, "drafts", to=[]), "drafts"
    yield "result-missing", "no result", drop(*FIRST, "result"), "result"
    yield "result-null", "null for a result", put(*FIRST, "result", to=None), "result"
    yield (
        "result-object",
        "one region instead of a list",
        put(*FIRST, "result", to={"id": "r0"}),
        "result",
    )
    yield "region-text", "a text among the regions", put(*REGION, to="brie"), "result[0]"
    yield "region-null", "null among the regions", put(*REGION, to=None), "result[0]"
    yield (
        "origin-unknown",
        "an origin there is not",
        put(*FIRST, "origins", to={"r0": "dream"}),
        "origins.r0",
    )
    yield (
        "origin-nowhere",
        "an origin of no region",
        put(*FIRST, "origins", to={"r9": "imported"}),
        "origins.r9",
    )
    yield "origins-array", "origins in a list", put(*FIRST, "origins", to=["imported"]), "origins"
    yield (
        "prediction-text",
        "a text for a prediction",
        put(*FIRST, "prediction", to="yolo"),
        "prediction",
    )
    yield "digest-missing", "no ontology", drop(*FIRST, "ontology_digest"), "ontology_digest"


def _moved(document: dict[str, dict[str, object]]) -> object:
    put("task", "key", to="p001.png")(document)
    return put("task", "media", "path", to="images/p001.png")(document)


def _verbs() -> Iterator[Case]:
    """Whoever reads a record refuses it, and not the start alone."""
    acts: tuple[tuple[str, Act], ...] = (
        ("finish", lambda scene: finish_round(scene.context, "two")),
        ("rebase", lambda scene: rebase_round(scene.context, "two")),
        ("blame", lambda scene: task_history(scene.context, KEY)),
        ("diff", lambda scene: label_diff(scene.context, "v1", MAIN)),
    )
    spoils: tuple[tuple[str, str, Spoil], ...] = (
        ("half", "the first half", lambda d: d[: len(d) // 2]),
        ("later", "a schema of the future", edited(put("schema", to="ops.record/2"))),
        ("state", "a state the annotations deny", edited(put("state", to="empty"))),
    )
    for verb, act in acts:
        for name, wrong, spoil in spoils:
            one = case(f"{name}-{verb}", wrong, spoil, KEY)
            yield replace(one, act=act)


def cases() -> Iterator[Case]:
    """Every bad record."""
    yield from _bytes()
    yield from _verbs()
    for name, wrong, edit, place in _edits():
        yield case(name, wrong, edited(edit), place)
