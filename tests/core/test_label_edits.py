"""Edits of a label config's text: what changes, and that nothing else does."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.label_edits import Path, add_label, replace_labels
from ops.core.ontology import parse_ontology

_PAGE = """<?xml version="1.0" encoding="utf-8"?>
<View>
  <!-- the cheese, <Label value="Brie"/> and all -->
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image">
    <Label value="Brie" background="#ff0000" hotkey="b"/>  <!-- soft -->
    <Label
        hotkey='g' value='Gouda &amp; co' />
    <Label value="Feta"></Label>
  </RectangleLabels>
  <View visibleWhen="region-selected" whenTagName="label" whenLabelValue="Brie,Feta">
    <Choices name="kind" toName="image"><Choice value="Brie"/><Choice value="x"/></Choices>
  </View>
</View>
"""


def _edit(sources: Sequence[str], targets: Sequence[str], text: str = _PAGE) -> str:
    return replace_labels(
        text,
        "label",
        sources=[(one,) for one in sources],
        targets=[(one,) for one in targets],
    )


def _changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = before.splitlines(), after.splitlines()
    return [one for one in old if one not in new], [one for one in new if one not in old]


def test_a_rename_changes_the_value_and_the_conditions_on_it() -> None:
    """Colour, key, comments and the other control's label of that name stay."""
    gone, come = _changed(_PAGE, _edit(["Brie"], ["Camembert"]))
    assert gone == [
        '    <Label value="Brie" background="#ff0000" hotkey="b"/>  <!-- soft -->',
        '  <View visibleWhen="region-selected" whenTagName="label" whenLabelValue="Brie,Feta">',
    ]
    assert come == [one.replace("Brie", "Camembert") for one in gone]


def test_a_value_keeps_its_quotes_and_is_escaped() -> None:
    """Both kinds of quotes in the name, in either kind of quotes."""
    name = "\"a\" & 'b' <c>"
    after = _edit(["Gouda & co"], [name])
    assert (
        "    <Label\n        hotkey='g' value='\"a\" &amp; &apos;b&apos; &lt;c&gt;' />\n" in after
    )
    assert "value=\"&quot;a&quot; &amp; 'b' &lt;c&gt;\"" in _edit(["Feta"], [name])


def test_labels_that_go_take_their_lines_along() -> None:
    """Tags that span lines or have an end go whole; what is beside one on its line stays."""
    after = _edit(["Gouda & co", "Feta"], [])
    start, end = _PAGE.index("    <Label\n"), _PAGE.index("  </RectangleLabels>")
    assert after == (_PAGE[:start] + _PAGE[end:]).replace("Brie,Feta", "Brie")
    assert "    " + "  <!-- soft -->\n" in _edit(["Brie"], [])


def test_a_merge_into_a_new_label_takes_the_first_tag() -> None:
    """Its place and colour; the others go."""
    after = _edit(["Brie", "Feta"], ["Soft"])
    assert '    <Label value="Soft" background="#ff0000" hotkey="b"/>  <!-- soft -->\n' in after
    assert 'whenLabelValue="Soft"' in after
    assert [one.value for one in parse_ontology(after).controls[0].labels] == ["Soft", "Gouda & co"]


def test_a_merge_into_one_that_is_there_removes_the_others() -> None:
    """And leaves that one as it is."""
    assert _edit(["Brie", "Feta"], ["Feta"]) == _edit(["Brie"], ["Feta"])
    gone, come = _changed(_PAGE, _edit(["Brie"], ["Feta"]))
    assert come == ["      <!-- soft -->", gone[1].replace("Brie,Feta", "Feta")]


def test_what_a_split_makes_stands_behind_the_first() -> None:
    """Each on a line of its own, laid out alike, without the first one's colour and key."""
    after = _edit(["Feta"], ["Feta", "Sheep", "Goat"])
    assert (
        '    <Label value="Feta"></Label>\n    <Label value="Sheep"/>\n    <Label value="Goat"/>\n'
        in after
    )
    after = _edit(["Brie"], ["B", "3"])
    assert '<!-- soft -->\n    <Label value="3" hotkey="3"/>\n    <Label\n' in after
    assert 'whenLabelValue="B,3,Feta"' in after


def test_what_comes_is_not_taken_away_with_what_goes() -> None:
    """Where both are at one place."""
    after = _edit(["Gouda & co", "Feta"], ["x", "y"])
    assert "value='x' />\n    <Label value=\"y\"/>\n  </RectangleLabels>" in after


def test_a_label_tag_has_no_conditions() -> None:
    """What looks like one goes or stays with it."""
    page = _PAGE.replace('<Label value="Feta"', '<Label value="Feta" whenLabelValue="Brie"')
    assert 'value="Feta"' not in _edit(["Brie", "Feta"], ["Soft"], page)
    assert '<Label value="Feta" whenLabelValue="Brie">' in _edit(["Brie"], ["Soft"], page)


def test_lines_end_as_they_did() -> None:
    """With carriage returns where the others have them."""
    page = _PAGE.replace("\n", "\r\n")
    assert _edit(["Brie"], ["B", "C"], page) == _edit(["Brie"], ["B", "C"]).replace("\n", "\r\n")
    assert _edit(["Feta"], [], page) == _edit(["Feta"], []).replace("\n", "\r\n")


def test_a_condition_is_left_with_what_it_said_rather_than_with_nothing() -> None:
    """An empty one would be met always."""
    page = _PAGE.replace("Brie,Feta", "Feta")
    assert 'whenLabelValue="Feta"' in _edit(["Feta"], [], page)


def test_a_condition_on_another_control_stays() -> None:
    """Even on a label of that name."""
    page = _PAGE.replace('whenTagName="label"', 'whenTagName="kind"')
    assert 'whenLabelValue="Brie,Feta"' in _edit(["Brie"], ["B"], page)


def test_a_label_with_a_comma_is_one_label() -> None:
    """As Label Studio reads it."""
    page = _PAGE.replace('value="Feta"', 'value="Brie,Feta"')
    assert 'whenLabelValue="Soft"' in _edit(["Brie,Feta"], ["Soft"], page)


def test_an_alias_is_what_is_renamed_and_goes_with_a_merge() -> None:
    """People go on seeing the value of a label that is only said otherwise."""
    page = _PAGE.replace('value="Feta"', 'value="Feta" alias="f"')
    assert '<Label value="Feta" alias="cheese-7">' in _edit(["f"], ["cheese-7"], page)
    assert '<Label value="Soft">' in _edit(["f", "Brie"], ["Soft"], page)


def _flat(*tags: str, text: str = "") -> str:
    return f'<View><Image name="i" value="$i"/>{text}{"".join(tags)}</View>'


_TREE = _flat(
    '<Taxonomy name="label" toName="i"><Choice value="A">\n  <Choice value="a"/>\n</Choice>'
    '<Choice value="B"/></Taxonomy>'
)


@pytest.mark.parametrize(
    ("page", "path", "part"),
    [
        (_PAGE, ("Blue",), '<Label value="Feta"></Label>\n    <Label value="Blue"/>\n  </Rect'),
        (_PAGE, ("7",), '    <Label value="7" hotkey="7"/>\n'),
        (_TREE, ("A", "b"), '  <Choice value="a"/>\n  <Choice value="b"/>\n</Choice>'),
        (_TREE, ("B", "b"), '<Choice value="B"><Choice value="b"/></Choice></Taxonomy>'),
        (_TREE, ("C",), '<Choice value="B"/><Choice value="C"/></Taxonomy>'),
        (
            _flat('<Choices name="label" toName="i"><choice value="A" /></Choices>'),
            ("B",),
            '<choice value="A" /><choice value="B"/></Choices>',
        ),
    ],
)
def test_a_label_is_added_behind_its_siblings(page: str, path: Path, part: str) -> None:
    """Spelled and laid out as they are; below one that had none, its tag gets an end."""
    after = add_label(page, "label", path)
    assert part in after
    assert {one.path for one in parse_ontology(after).controls[0].labels} == {
        *(one.path for one in parse_ontology(page).controls[0].labels),
        path,
    }


_names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6)
_noise = st.sampled_from(
    ["", " ", "\n", "\r\n  ", "\t", "<!-- </Label> -->", "é", "\n<Style>.a{}</Style>\n"]
)
_looks = st.sampled_from(["", ' hotkey="x"', "\n background='#fff>'", ' html="&lt;b/&gt;"'])


@st.composite
def _pages(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A label config in any layout, and the labels of its control."""
    labels = draw(st.lists(_names, min_size=2, max_size=5, unique=True))
    tags: list[str] = []
    for label in labels:
        before, behind = draw(_looks), draw(_looks) if draw(st.booleans()) else ""
        behind = "" if "hotkey" in before or before == behind else behind
        behind = behind if "background" not in before or "background" not in behind else ""
        end = draw(st.sampled_from(["/>", " />", "></Label>", "><!-- x --></Label>"]))
        tags.append(draw(_noise) + f"<Label{before} value={quoteattr(label)}{behind}{end}")
    inner = "".join(tags) + draw(_noise)
    return _flat(f'<Labels name="label" toName="i">{inner}</Labels>', text=draw(_noise)), labels


@given(_pages(), st.data())
def test_in_any_layout_the_labels_are_those_asked_for(
    page: tuple[str, list[str]], data: st.DataObject
) -> None:
    """And renaming back gives the text to the byte."""
    text, labels = page
    sources = data.draw(st.lists(st.sampled_from(labels), min_size=1, unique=True))
    targets = data.draw(st.lists(st.sampled_from(labels) | _names, max_size=3, unique=True))
    after = _edit(sources, targets, text)
    kept = {one for one in labels if one not in sources or one in targets}
    if after_labels := kept | {*targets}:
        [control] = parse_ontology(after).controls
        said = [one.value for one in control.labels]
        assert (set(said), len(said)) == (after_labels, len(after_labels))
    if len(sources) == len(targets) == 1 and targets[0] not in labels:
        assert _edit(targets, sources, after) == text
