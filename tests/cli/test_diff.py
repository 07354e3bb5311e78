"""How a label diff reads: text, Markdown, JSON.

`OPS_WRITE_GOLDEN=1` writes the golden files anew.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from ops.cli.diff import BY_DEFAULT, Part, View
from ops.cli.markdown import paragraph
from ops.cli.markdown import table as markdown_table
from ops.cli.output import Result, Table, envelope, print_result
from ops.cli.session import Session
from ops.core.canonical import normalise_record
from ops.core.diff import LabelDiff, diff_records
from ops.core.records import Annotation, CommitId, Json, Record, TaskKey
from ops.errors import UsageError
from ops.runner.diff import RefDiff
from tests.cli.calls import check_envelope
from tests.cli.conftest import Call
from tests.core.merge_edits import annotation, box, record, scene

GOLDEN = Path(__file__).parent / "golden"
EVERYTHING = ",".join(Part)
BEN = "ben_b@example.org"


def task(key: str, *annotations: Annotation, quarantined: bool = False) -> Record:
    """A task of that key."""
    found = record(*annotations)
    named = replace(found.task, key=TaskKey(key))
    return replace(normalise_record(found), task=named, quarantined=quarantined)


def by_ben(found: Annotation) -> Annotation:
    """The annotation as ben changed it."""
    return replace(found, updated_by=BEN)


def pairs() -> Iterator[tuple[Record | None, Record | None]]:
    """A week's changes: relabelled, moved, drawn, removed, skipped, held back, odd names."""
    one = annotation("u", box("a"), box("b", "gouda"))
    yield (
        task("a/1.png", one),
        task("a/1.png", by_ben(annotation("u", box("a", "gouda"), box("b", "gouda", 1)))),
    )
    yield (
        task("a/2|x.png", annotation("u", box("a"))),
        task("a/2|x.png", by_ben(annotation("u", box("a", "<b>|*blue*"), box("c", x=50)))),
    )
    yield None, task("b/new.png", annotation("u"), replace(annotation("v"), annotator=BEN))
    yield task("b/gone.png", annotation("u", box("a"), box("b"))), None
    yield (
        task("c/1.png", annotation("u", box("a", "gouda"))),
        task("c/1.png", replace(annotation("u", box("a", "gouda")), skipped=True)),
    )
    yield (
        task("c/2.png", annotation("u", scene("brie", "p"))),
        task("c/2.png", by_ben(annotation("u", scene("gouda", "q"))), quarantined=True),
    )
    saved = replace(annotation("u", box("a")), updated_at="2026-11-22T08:00:00.000000Z")
    yield task("c/3.png", annotation("u", box("a"))), task("c/3.png", saved)


def found(labels: LabelDiff, name: str | None = None) -> RefDiff:
    """A diff as the runner gives it."""
    return RefDiff(
        left="v1",
        right="round-cheese" if name else "v2",
        commits=(CommitId("1" * 64), CommitId("2" * 64)),
        labels=labels,
        url="http://lake.invalid/repositories/dataset/compare?ref=v1&compare=v2",
        round=name,
    )


def shown(result: Result) -> str:
    """What a person sees who reads it from a pipe."""
    stdout, stderr = StringIO(), StringIO()
    print_result(result, stdout, stderr)
    assert stderr.getvalue() == ""
    return stdout.getvalue()


def view(by: str = BY_DEFAULT, *, as_markdown: bool = False) -> View:
    """What the options make."""
    return View.asked(Session(), by, as_markdown=as_markdown)


def hold(text: str, name: str) -> None:
    """Hold a text against its golden file."""
    if os.environ.get("OPS_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")


def test_the_text_is_the_golden_one() -> None:
    """Every table, for somebody tired."""
    hold(shown(view(EVERYTHING).result(found(diff_records(pairs())))), "diff.txt")


def test_the_markdown_is_the_golden_one() -> None:
    """Every table, for a pull request; names mark nothing up and break no table."""
    result = view(EVERYTHING, as_markdown=True).result(found(diff_records(pairs()), "cheese"))
    hold(shown(result), "diff.md")


def test_the_json_is_the_golden_one() -> None:
    """Everything, whatever is asked to be shown."""
    result = view("class").result(found(diff_records(pairs())))
    hold(envelope(["dataset", "diff"], result), "diff.json")
    assert (
        view(EVERYTHING, as_markdown=True).result(found(diff_records(pairs()))).data == result.data
    )


@pytest.mark.parametrize("as_markdown", [False, True])
def test_only_what_is_asked_for_is_shown(as_markdown: bool) -> None:
    """The totals always are."""
    heads = {Part.CLASS: "regions added", Part.ANNOTATOR: "annotator", Part.TASK: "lowest IoU"}
    for part, head in heads.items():
        text = shown(view(part, as_markdown=as_markdown).result(found(diff_records(pairs()))))
        assert head in text
        assert not [other for other in heads.values() if other != head and other in text]
        assert "annotations" in text
    assert view(" task , class ").parts == {Part.TASK, Part.CLASS}


def test_where_nothing_differs_it_says_so() -> None:
    """In each form, with the address all the same."""
    for as_markdown in (False, True):
        text = shown(view(as_markdown=as_markdown).result(found(LabelDiff())))
        assert "no label differs" in text
        assert "http://lake.invalid/" in text


def test_where_only_the_records_differ_it_says_so() -> None:
    """An annotation was saved again, and says what it said."""
    saved = replace(annotation("u", box("a")), updated_at="2026-11-22T08:00:00.000000Z")
    before, after = task("c/3.png", annotation("u", box("a"))), task("c/3.png", saved)
    text = shown(view().result(found(diff_records([(before, after)]))))
    assert "no annotation says anything else" in text
    assert "classes" not in text


@pytest.mark.parametrize("command", [("dataset", "diff", "v1"), ("round", "diff", "cheese")])
def test_an_unknown_part_is_wrong_usage(command: tuple[str, ...], call: Call) -> None:
    """It names those there are, and asks no server."""
    said = call(*command, "--by", "class,colour")
    assert said.exit_code == 2
    assert "error[unknown-by]: --by does not know colour" in said.stderr
    assert "class, annotator, task" in said.stderr
    document = check_envelope(call(*command, "--by", "", "--json"), command[:2])
    assert document["errors"][0]["where"] == {"known": "class, annotator, task"}


def test_two_forms_at_once_are_wrong_usage(call: Call) -> None:
    """JSON is one document."""
    document = check_envelope(
        call("dataset", "diff", "v1", "--markdown", "--json"), ["dataset", "diff"]
    )
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, "two-forms")
    with pytest.raises(UsageError):
        View.asked(Session(as_json=True), BY_DEFAULT, as_markdown=True)


def test_markdown_shows_names_as_they_are() -> None:
    """Every mark is escaped, and a line break ends no row."""
    assert paragraph("a|b`c*_[]<>~#\\") == r"a\|b\`c\*\_\[\]\<\>\~\#\\"
    assert paragraph("one\r\n two") == "one two"
    rows: list[tuple[str | int, ...]] = [("a|b", 3), ("c\nd", 4)]
    assert markdown_table(Table(columns=("name", "count"), rows=rows)).splitlines() == [
        "| name | count |",
        "| --- | ---: |",
        r"| a\|b | 3 |",
        "| c d | 4 |",
    ]


def test_the_json_has_every_figure_once() -> None:
    """Totals are the sums of what is listed."""
    data: dict[str, Json] = json.loads(envelope([], view().result(found(diff_records(pairs())))))[
        "data"
    ]
    tasks, by_task = data["tasks"], data["by_task"]
    assert isinstance(tasks, dict)
    assert isinstance(by_task, list)
    listed = sum(len(keys) for keys in tasks.values() if isinstance(keys, list))
    assert listed == len(by_task) == 7
