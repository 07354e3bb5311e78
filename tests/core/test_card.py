"""The card: its figures are a recount of the records, and no name can break its Markdown."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ops.core.canonical import encode_record
from ops.core.card import (
    Card,
    LabelCount,
    VersionLine,
    decode_history,
    encode_card,
    render_card,
)
from ops.core.records import Counts, Record, TaskState
from ops.core.regions import is_relation, labels
from ops.core.snapshot import Figures, Tally, task_columns
from ops.errors import InvalidDataError
from tests.strategies import emails, moments, records

# What XML can hold, and what a Label Studio user can be called.
printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=12)
nasty = st.text("|<>&*_`[]()!\\~#$\"'-: \nab1é", min_size=1, max_size=12)
names = (printable | nasty).filter(lambda text: text.split() != [])
counts = st.builds(Counts, **{state.value: st.integers(0, 99) for state in TaskState})
histories = st.lists(
    st.builds(
        VersionLine,
        version=st.integers(1, 999),
        cause=names,
        actor=names,
        made_at=moments,
        counts=counts,
        remark=st.just("") | names,
    ),
    max_size=3,
    unique_by=lambda line: line.version,
).map(lambda lines: sorted(lines, key=lambda line: line.version))
cards = st.builds(
    Card,
    version=st.integers(1, 999),
    repository=st.just("cheese-pictures"),
    image_count=st.integers(0, 999),
    counts=counts,
    annotation_count=st.integers(0, 999),
    region_count=st.integers(0, 999),
    labels=st.dictionaries(
        names, st.builds(LabelCount, regions=st.integers(0, 99), tasks=st.integers(0, 99))
    ),
    annotators=st.dictionaries(names, st.integers(0, 99)),
    ontology_digest=st.just("0" * 64),
    digest=st.just("1" * 64),
    history=histories,
)


def _tables(markdown: str) -> list[list[list[str]]]:
    """The tables of a document as cells of text; anything but text in a cell fails the test.

    markdown-it reads CommonMark with GitHub's tables and strikes, as the lakeFS UI does.
    """
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tables: list[list[list[str]]] = []
    for token, content in _with_next(parser.parse(markdown)):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in {"th_open", "td_open"}:
            tables[-1][-1].append(_plain(content))
    return tables


def _with_next(tokens: Sequence[Token]) -> list[tuple[Token, Token]]:
    return list(zip(tokens, [*tokens[1:], tokens[-1]], strict=True))


def _plain(inline: Token) -> str:
    children = inline.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, inline.content
    return "".join(child.content for child in children)


def _shown(name: str) -> str:
    return " ".join(name.split())


@given(cards)
def test_no_name_breaks_the_markdown(card: Card) -> None:
    """Every name is found again in its own cell, as text; no table has a row too many."""
    tables = _tables(render_card(card))
    by_heading = {table[0][0]: table[1:] for table in tables}
    assert by_heading["state"] == [
        [state.value, str(card.counts.as_mapping()[state.value])] for state in TaskState
    ]
    assert by_heading.get("label", []) == [
        [_shown(name), str(count.regions), str(count.tasks)]
        for name, count in sorted(card.labels.items())
    ]
    assert by_heading.get("annotator", []) == [
        [_shown(name), str(count)] for name, count in sorted(card.annotators.items())
    ]
    assert by_heading.get("version", []) == [
        [f"v{line.version}", _shown(line.cause), _shown(line.actor),
         line.made_at[:16].replace("T", " "), str(line.counts.tasks),
         *(str(line.counts.as_mapping()[state.value]) for state in TaskState),
         _shown(line.remark)]
        for line in reversed(card.history)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "<b>",
        "<!--",
        "<script>alert(1)</script>",
        "`code`",
        "**bold**",
        "*it*",
        "_it_",
        "__bold__",
        "~~gone~~",
        "[x](http://a)",
        "![x](http://a/track.png)",
        "&lt;b&gt;",
        "&#124;",
        "a\\|b",
        "\\",
        "two\nlines",
        "two\r\n| rows | 1 |",
        "line\u2028separator",
        "white_cell",
        "--- | ---",
        "# heading",
    ],
)
def test_names_that_look_like_markup_stay_names(name: str) -> None:
    """One label, in one cell of one row."""
    card = _card(labels={name: LabelCount(regions=2, tasks=1)})
    table = next(table for table in _tables(render_card(card)) if table[0][0] == "label")
    assert table[1:] == [[_shown(name), "2", "1"]]


def test_a_usual_label_is_written_as_it_is() -> None:
    """Nothing is escaped that needs not be: the file is read raw, too."""
    card = _card(labels={"white_blood cell (WBC), 5%": LabelCount(regions=1, tasks=1)})
    assert "| white_blood cell (WBC), 5% | 1 | 1 |" in render_card(card)


def _card(
    figures: Figures | None = None,
    *,
    labels: Mapping[str, LabelCount] | None = None,
    history: Sequence[VersionLine] = (),
) -> Card:
    return Card(
        version=7,
        repository="cheese-pictures",
        image_count=10,
        counts=figures.counts if figures else Counts(labeled=4),
        annotation_count=figures.annotation_count if figures else 4,
        region_count=figures.region_count if figures else 4,
        labels=figures.labels if figures else labels or {},
        annotators=figures.annotators if figures else {},
        ontology_digest="0" * 64,
        digest=figures.digest if figures else "1" * 64,
        listing_digest="2" * 64,
        history=history,
    )


@settings(max_examples=60)
@given(st.lists(records(), max_size=3, unique_by=lambda record: record.task.key))
@example([])
def test_the_figures_are_a_recount_of_the_records(found: list[Record]) -> None:
    """Counted again from the records alone, in the JSON and in the Markdown."""
    tally = Tally()
    for record in found:
        data = encode_record(record)
        tally.add(record, task_columns(record, data))
    card = _card(tally.figures())
    document = json.loads(encode_card(card))
    answers = [
        (record, region)
        for record in found
        for one in record.annotations
        if not one.skipped
        for region in one.result
        if not is_relation(region)
    ]
    said = [(record.task.key, label) for record, region in answers for label in labels(region)]
    assert document["annotations"] == sum(len(record.annotations) for record in found)
    assert document["regions"] == len(answers)
    assert document["tasks"]["tasks"] == len(found)
    for state in TaskState:
        assert document["tasks"][state.value] == [r.state for r in found].count(state)
    assert document["labels"] == {
        label: {
            "regions": sum(1 for _, one in said if one == label),
            "tasks": len({key for key, one in said if one == label}),
        }
        for label in {label for _, label in said}
    }
    assert document["annotators"] == Counter(
        one.annotator for record in found for one in record.annotations
    )
    states = next(table for table in _tables(render_card(card)) if table[0][0] == "state")
    assert sum(int(count) for _, count in states[1:]) == len(found)


@given(histories)
def test_the_history_round_trips(history: list[VersionLine]) -> None:
    """A version's card is where the next version finds what came before it."""
    assert decode_history(encode_card(_card(history=history))) == tuple(history)


def test_no_card_has_no_history() -> None:
    """Before the first version."""
    assert decode_history(None) == ()


@given(emails, moments)
def test_the_newest_version_comes_first_for_people(actor: str, made_at: str) -> None:
    """And last in the JSON, which grows at its end."""
    history = [
        VersionLine(version=n, cause="cheese", actor=actor, made_at=made_at, counts=Counts())
        for n in (1, 2)
    ]
    card = _card(history=history)
    rows = next(t for t in _tables(render_card(card)) if t[0][0] == "version")[1:]
    assert [row[0] for row in rows] == ["v2", "v1"]
    assert [line["version"] for line in json.loads(encode_card(card))["history"]] == [1, 2]


LINE = {
    "version": 1,
    "cause": "cheese",
    "actor": "ann",
    "made_at": "2026-11-21T14:02:00.000000Z",
    "counts": Counts(labeled=1).as_mapping(),
}
MALFORMED_CARDS = {
    "no JSON": b"# cheese",
    "a list": b"[]",
    "no schema": b'{"history": []}',
    "another schema": b'{"schema": "ops.card/2", "history": []}',
    "no history": b'{"schema": "ops.card/1"}',
    "history is an object": b'{"schema": "ops.card/1", "history": {}}',
    **{
        case: json.dumps({"schema": "ops.card/1", "history": [{**LINE, **change}]}).encode()
        for case, change in {
            "version is a text": {"version": "1"},
            "version below zero": {"version": -1},
            "made by nobody": {"actor": ""},
            "no cause": {"cause": None},
            "made sometime": {"made_at": "later"},
            "counts are a number": {"counts": 1},
            "a state is not counted": {"counts": {"labeled": 1}},
        }.items()
    },
}


@pytest.mark.parametrize("case", MALFORMED_CARDS)
def test_a_malformed_card_is_refused(case: str) -> None:
    """Nobody's version number is guessed."""
    with pytest.raises(InvalidDataError) as caught:
        decode_history(MALFORMED_CARDS[case])
    assert (caught.value.code, caught.value.subject) == ("card-invalid", "card.json")
