"""What ops keeps beside the records, spoilt: manifests, task lists, indexes, cards, snapshots."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ops.core.names import (
    CARD_JSON_PATH,
    MAIN,
    TASKS_PARQUET,
    index_path,
    manifest_path,
    tasks_path,
)
from ops.core.selection import Selection
from ops.core.task_list import tasks_digest
from ops.errors import RefusedError
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.bad_input.scene import BRANCH, Act, Case, Document, Edit, Scene, drop, edited, put

Spoil = Callable[[bytes], bytes]
MANIFEST, LIST, INDEX = manifest_path("two"), tasks_path("two"), index_path("two")


def sync(scene: Scene) -> object:
    """Read the round's documents."""
    return sync_round(scene.context, "two")


def finish(scene: Scene) -> object:
    """Read what a version is made of."""
    return finish_round(scene.context, "two")


def begin(scene: Scene) -> object:
    """Read what a selection is made of."""
    return start_round(scene.context, "three", Selection(labeled_too=True))


def begin_again(scene: Scene) -> object:
    """Read whether the name was used."""
    return start_round(scene.context, "one", Selection())


def at(ref: str, path: str, spoil: Spoil) -> Callable[[Scene], None]:
    """Spoil an object where it lies."""
    return lambda scene: scene.put(ref, path, spoil(scene.read(ref, path)))


def _manifest_edits() -> Iterator[tuple[str, str, Edit, str]]:
    yield "array", "an array", lambda d: [d], "the document"
    yield "future", "a schema of the future", put("schema", to="ops.round/2"), "schema"
    yield "other-round", "another round's manifest", put("name", to="one"), "name"
    yield "unknown-field", "a field nobody knows", put("owner", to="lena"), "owner"
    yield "no-id", "no marker to find the project by", drop("id"), "id"
    yield "id-empty", "an empty marker", put("id", to=""), "id"
    yield "no-base", "no base", drop("base"), "base"
    yield "base-number", "a number for a commit", put("base", to=7), "base"
    yield "base-branch", "a branch for a commit", put("base", to="main"), "base"
    yield "base-short", "a commit's first digits", put("base", to="ac1bd8357d9e"), "base"
    yield "id-short", "half a marker", put("id", to="0" * 16), "id"
    yield "taken-in-branch", "a branch for what was taken in", _taken("main"), "taken_in.main"
    yield "time-wrong", "a time in words", put("created_at", to="today"), "created_at"
    yield "no-selection", "no selection", drop("selection"), "selection"
    yield "selection-field", "an unknown wish", put("selection", "query", to="*"), "selection.query"
    yield "edit-text", "a text for a bit", put("selection", "edit", to="yes"), "selection.edit"
    yield "keys-number", "a number for a key", put("selection", "keys", to=[7]), "selection.keys"
    yield (
        "limit-negative",
        "a limit below zero",
        put("selection", "limit", to=-1),
        "selection.limit",
    )
    yield "seed-half", "half a seed", put("selection", "seed", to=0.5), "selection.seed"
    yield "no-count", "no count of tasks", drop("tasks", "count"), "tasks.count"
    yield "count-text", "a text for a count", put("tasks", "count", to="3"), "tasks.count"
    yield "no-digest", "no digest of the list", drop("tasks", "digest"), "tasks.digest"
    yield "state-unknown", "a state there is not", put("state", to="paused"), "state"
    yield "project-text", "a text for a project", put("project", to="2"), "project"
    yield "project-negative", "a project below zero", put("project", to=-2), "project"
    yield "law", "counts that do not add up", put("counts", to=_counts(labeled=1)), "counts"
    yield (
        "law-total",
        "a total that is not the sum",
        put("counts", to=_counts(labeled=3, tasks=4)),
        "counts",
    )
    yield "law-missing", "a state left out", _without_skipped, "counts.skipped"
    yield (
        "law-negative",
        "a state below zero",
        put("counts", to=_counts(labeled=4, empty=-1)),
        "counts",
    )
    yield (
        "annotators-text",
        "one annotator, no list",
        put("annotators", to="ann@example.org"),
        "annotators",
    )
    yield "annotators-null", "null for an annotator", put("annotators", to=[None]), "annotators"
    yield (
        "held-reason",
        "a reason there is not",
        put("held", to=[{"key": "p000.png", "reason": "mood"}]),
        "held[0].reason",
    )
    yield (
        "policy-unknown",
        "a policy there is not",
        put("taken_in", to={"main": "a" * 64, "on_conflict": "dice", "merged": 0, "settled": []}),
        "taken_in.on_conflict",
    )


def _taken(main: str) -> Edit:
    return put("taken_in", to={"main": main, "on_conflict": "fail", "merged": 0, "settled": []})


def _counts(**counts: int) -> Document:
    zero = dict.fromkeys(("labeled", "empty", "skipped", "unfinished", "quarantined"), 0)
    return {**zero, "tasks": 3, **counts}


def _without_skipped(document: Document) -> Document:
    counts = _counts(labeled=3)
    del counts["skipped"]
    return put("counts", to=counts)(document)


def _manifests() -> Iterator[Case]:
    def case(name: str, wrong: str, spoil: Spoil, place: str) -> Case:
        return Case(
            id=f"manifest-{name}",
            wrong=wrong,
            spoil=at(BRANCH, MANIFEST, spoil),
            act=sync,
            code="manifest-invalid",
            place=place,
        )

    for name, wrong, edit, place in _manifest_edits():
        yield case(name, wrong, edited(edit), place)
    yield case("empty", "nothing", lambda _: b"", MANIFEST)
    yield case("half", "the first half", lambda d: d[: len(d) // 2], "line")
    yield case("bom", "a byte order mark", lambda d: b"\xef\xbb\xbf" + d, "line 1")
    yield case("yaml", "another format", lambda _: b"name: two\nstate: open\n", "line 1")
    yield case(
        "twice",
        "a state named twice",
        lambda d: d.replace(b'"state"', b'"state": "aborted", "state"'),
        "state",
    )
    on_main: tuple[tuple[str, str, Spoil], ...] = (
        ("main-empty", "nothing", lambda _: b""),
        ("main-other", "another round's manifest", edited(put("name", to="two"))),
        ("main-law", "counts that do not add up", edited(put("counts", "labeled", to=7))),
    )
    for name, wrong, spoil in on_main:
        yield Case(
            id=f"manifest-{name}",
            wrong=f"{wrong}, on main",
            spoil=at(MAIN, manifest_path("one"), spoil),
            act=begin_again,
            code="manifest-invalid",
            place=manifest_path("one"),
        )
    projects: tuple[tuple[str, str, Act], ...] = (
        ("sync", "a full sync", lambda scene: sync_round(scene.context, "two", full=True)),
        ("finish", "a finish", finish),
    )
    for name, wrong, act in projects:
        yield Case(
            id=f"manifest-other-project-{name}",
            wrong=f"another round's project, met by {wrong}",
            spoil=at(BRANCH, MANIFEST, edited(put("project", to=1))),
            act=act,
            code="other-project",
            place="project 1",
            error=RefusedError,
        )
    yield Case(
        id="manifest-count",
        wrong="another number of tasks than the list has",
        spoil=at(BRANCH, MANIFEST, edited(put("tasks", "count", to=4))),
        act=sync,
        code="task-list",
        place=LIST,
    )
    yield Case(
        id="manifest-digest",
        wrong="the digest of another list",
        spoil=at(BRANCH, MANIFEST, edited(put("tasks", "digest", to="sha256:" + "0" * 64))),
        act=sync,
        code="task-list",
        place=LIST,
    )


def _line(number: int, edit: Edit) -> Spoil:
    """An edit of one line of JSON lines."""

    def spoil(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        lines[number] = edited(edit)(lines[number]) + b"\n"
        return b"".join(lines)

    return spoil


def _swap(data: bytes) -> bytes:
    first, second, *rest = data.splitlines(keepends=True)
    return b"".join([second, first, *rest])


def _double(data: bytes) -> bytes:
    first, *rest = data.splitlines(keepends=True)
    return b"".join([first, first, *rest[:-1]])


def _lists() -> Iterator[Case]:
    """Task lists: changed behind the manifest's back, and with a manifest that agrees."""
    changed: tuple[tuple[str, str, Spoil], ...] = (
        ("half", "the first half", lambda d: d[: len(d) // 2]),
        ("short", "the last line is lost", lambda d: b"".join(d.splitlines(keepends=True)[:-1])),
        ("crlf", "another system's line ends", lambda d: d.replace(b"\n", b"\r\n")),
        (
            "other",
            "another picture's size",
            lambda d: d.replace(b'"size_bytes":16', b'"size_bytes":17', 1),
        ),
    )
    for name, wrong, spoil in changed:
        place = at(BRANCH, LIST, spoil)
        yield Case(
            id=f"tasks-{name}", wrong=wrong, spoil=place, act=sync, code="task-list", place=LIST
        )

    def agreed(spoil: Spoil) -> Callable[[Scene], None]:
        def both(scene: Scene) -> None:
            data = spoil(scene.read(BRANCH, LIST))
            scene.put(BRANCH, LIST, data)
            digest = edited(put("tasks", "digest", to=tasks_digest(data)))
            scene.put(BRANCH, MANIFEST, digest(scene.read(BRANCH, MANIFEST)))

        return both

    agreeing: tuple[tuple[str, str, Spoil, str], ...] = (
        ("no-json", "a line that is no JSON", lambda d: b"p000.png\n" + d, "line 1"),
        ("blank", "a blank line", lambda d: d.replace(b"\n", b"\n\n", 1), "line 2"),
        ("array", "a list for a task", _line(1, lambda d: [d["key"]]), "line 2"),
        ("no-key", "a task without a key", _line(1, drop("key")), "line 2.key"),
        ("path", "a picture elsewhere", _line(1, put("path", to="images/p000.png")), "line 2.path"),
        ("unsorted", "tasks in another order", _swap, "line 2.key"),
        ("double", "a task twice", _double, "line 2.key"),
        (
            "no-checksum",
            "a picture nobody can check",
            _line(0, drop("checksum")),
            "line 1.checksum",
        ),
        ("size", "a text for a size", _line(0, put("size_bytes", to="16")), "line 1.size_bytes"),
        ("record", "a text for a bit", _line(2, put("has_record", to="yes")), "line 3.has_record"),
        ("field", "a field nobody knows", _line(2, put("note", to="x")), "line 3.note"),
        ("data", "a text for data", _line(2, put("data", to="x")), "line 3.data"),
    )
    for name, wrong, spoil, place in agreeing:
        yield Case(
            id=f"tasks-{name}",
            wrong=wrong,
            spoil=agreed(spoil),
            act=sync,
            code="task-list-invalid",
            place=place,
        )


def _indexes() -> Iterator[Case]:
    rows: tuple[tuple[str, str, Spoil, str], ...] = (
        ("empty", "nothing", lambda _: b"", "heading"),
        ("no-heading", "the heading is lost", lambda d: d.split(b"\n", 1)[1], "line 1"),
        (
            "future",
            "a schema of the future",
            _line(0, put("schema", to="ops.index/2")),
            "line 1.schema",
        ),
        ("heading-field", "an unknown field", _line(0, put("cursor", to=1)), "line 1.cursor"),
        ("synced", "a time in words", _line(0, put("synced_at", to="now")), "line 1.synced_at"),
        ("half", "the first half", lambda d: d[: len(d) // 2], "line"),
        ("short-row", "a row of four", _line(1, lambda d: d[:-1]), "line 2"),
        ("long-row", "a row of six", _line(1, lambda d: [*d, 0]), "line 2"),
        ("task-text", "a text for a task", _line(1, put(0, to="4")), "line 2.task"),
        ("task-negative", "a task below zero", _line(1, put(0, to=-4)), "line 2.task"),
        ("task-twice", "a task twice", _line(2, put(0, to=4)), "line 3"),
        ("key-number", "a number for a key", _line(1, put(1, to=7)), "line 2.key"),
        (
            "time",
            "a time without an offset",
            _line(1, put(2, to="2026-11-21")),
            "line 2.updated_at",
        ),
        ("count", "half an annotation", _line(1, put(3, to=0.5)), "line 2.annotation_count"),
        ("count-negative", "a count below zero", _line(3, put(4, to=-1)), "line 4.skipped_count"),
        ("state", "a state there is not", _line(4, put("state", to="busy")), "line 5.state"),
        (
            "standing-twice",
            "a task's standing twice",
            _line(5, put("key", to="p000.png")),
            "line 6",
        ),
        ("standing-field", "an unknown field", _line(4, put("note", to=1)), "line 5.note"),
        (
            "annotators",
            "a text for a list",
            _line(4, put("annotators", to="ann")),
            "line 5.annotators",
        ),
        ("number-row", "a number for a row", _line(4, lambda _: 7), "line 5"),
        (
            "standing-lost",
            "its end is lost",
            lambda d: b"".join(d.splitlines(keepends=True)[:-1]),
            "p002.png",
        ),
    )
    for name, wrong, spoil, place in rows:
        yield Case(
            id=f"index-{name}",
            wrong=wrong,
            spoil=at(BRANCH, INDEX, spoil),
            act=sync,
            code="index-invalid",
            place=place,
        )


def _cards() -> Iterator[Case]:
    first = ("history", 0)
    edits: tuple[tuple[str, str, Edit, str], ...] = (
        ("array", "an array", lambda d: [d], "the document"),
        ("future", "a schema of the future", put("schema", to="ops.card/2"), "schema"),
        ("no-history", "no history", drop("history"), "history"),
        ("history-null", "null for a history", put("history", to=None), "history"),
        ("line-text", "a text for a version", put(*first, to="v1"), "history[0]"),
        (
            "version-text",
            "a text for a number",
            put(*first, "version", to="1"),
            "history[0].version",
        ),
        ("version-zero", "version 0", put(*first, "version", to=0), "history[0].version"),
        (
            "version-huge",
            "a version no tag can name",
            put(*first, "version", to=10**9),
            "history[0].version",
        ),
        (
            "version-twice",
            "one version twice",
            lambda d: put("history", to=d["history"] * 2)(d),
            "history[1].version",
        ),
        ("no-actor", "nobody made it", drop(*first, "actor"), "history[0].actor"),
        ("time", "a time in words", put(*first, "made_at", to="today"), "history[0].made_at"),
        (
            "no-state",
            "a state left out",
            drop(*first, "counts", "empty"),
            "history[0].counts.empty",
        ),
        (
            "negative",
            "a state below zero",
            put(*first, "counts", "empty", to=-1),
            "history[0].counts.empty",
        ),
        (
            "law",
            "a total that is not the sum",
            put(*first, "counts", "tasks", to=7),
            "history[0].counts",
        ),
    )
    for name, wrong, edit, place in edits:
        yield _card(name, wrong, edited(edit), place)
    yield _card("empty", "nothing", lambda _: b"", CARD_JSON_PATH)
    yield _card("markdown", "the card for people", lambda _: b"# dataset v1\n", "line 1")


def _card(name: str, wrong: str, spoil: Spoil, place: str) -> Case:
    return Case(
        id=f"card-{name}",
        wrong=wrong,
        spoil=at(MAIN, CARD_JSON_PATH, spoil),
        act=finish,
        code="card-invalid",
        place=place,
    )


def _column(name: str, values: Sequence[object] | None, *, kind: str | None = None) -> Spoil:
    """The snapshot with another column, or without one."""
    # pyarrow ships partial types.
    arrow: Any = pa
    parquet: Any = pq

    def spoil(data: bytes) -> bytes:
        table = parquet.read_table(BytesIO(data))
        index = table.schema.get_field_index(name)
        table = table.remove_column(index)
        if values is not None:
            table = table.append_column(name, arrow.array(values, type=kind))
        sink = BytesIO()
        parquet.write_table(table, sink)
        return sink.getvalue()

    return spoil


def _snapshots() -> Iterator[Case]:
    files: tuple[tuple[str, str, Spoil, Act], ...] = (
        ("empty", "nothing", lambda _: b"", begin),
        ("half", "the first half", lambda d: d[: len(d) // 2], begin),
        ("tail", "its end is overwritten", lambda d: d[:-4] + b"XXXX", begin),
        ("middle", "a block of zeros", lambda d: d[:100] + b"\0" * 400 + d[500:], begin),
        ("csv", "another format", lambda _: b"key,state\np000.png,labeled\n", begin),
        ("no-state", "a column is missing", _column("state", None), begin),
        (
            "state-unknown",
            "a state there is not",
            _column("state", ["labeled", "empty", "done"]),
            begin,
        ),
        ("state-null", "no state", _column("state", ["labeled", None, "empty"]), begin),
        ("state-number", "numbers for states", _column("state", [1, 2, 3]), begin),
        ("no-record", "a column is missing", _column("record", None), finish),
        ("record-null", "no record", _column("record", [None] * 3, kind="string"), finish),
        ("record-number", "numbers for records", _column("record", [1, 2, 3]), finish),
        ("key-null", "no key", _column("key", [None] * 3, kind="string"), finish),
    )
    for name, wrong, spoil, act in files:
        yield Case(
            id=f"snapshot-{name}",
            wrong=wrong,
            spoil=at(MAIN, TASKS_PARQUET, spoil),
            act=act,
            code="snapshot-invalid",
            place=TASKS_PARQUET,
        )


def cases() -> Iterator[Case]:
    """Every bad document."""
    yield from _manifests()
    yield from _lists()
    yield from _indexes()
    yield from _cards()
    yield from _snapshots()
