"""What label configs mean, what changes the meaning, and what is refused."""

import random
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.ontology import Label, Unknown, parse_ontology
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.errors import InvalidDataError
from tests.controls import CASES, Case

_TIME = "2026-11-21T14:02:00.000000Z"


def _said(*regions: dict[str, Json], unique_id: str = "u") -> Annotation:
    return Annotation(
        unique_id=unique_id,
        annotator="ada@example.com",
        round="cheese",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest="0" * 64,
        result=regions,
    )


def _config(*tags: str) -> str:
    return "<View>" + "".join(tags) + "</View>"


_IMAGE = '<Image name="image" value="$image"/>'
_CHOICES = (
    '<Choices name="kind" toName="image" choice="single" required="true">'
    '<Choice value="Cat"/><Choice value="Dog"/></Choices>'
)
_BASE = _config(_IMAGE, _CHOICES)


def _change(old: str, new: str) -> str:
    assert old in _BASE
    return _BASE.replace(old, new)


def test_an_ontology_is_read() -> None:
    """Controls, objects, labels and the data they need."""
    ontology = parse_ontology(_BASE)
    [control] = ontology.controls
    assert (control.name, control.type, control.to_names) == ("kind", "Choices", ("image",))
    assert (control.choice, control.required, control.per_region) == ("single", True, False)
    assert control.labels == (
        Label(value="Cat", alias=None, path=("Cat",)),
        Label(value="Dog", alias=None, path=("Dog",)),
    )
    assert not control.dynamic
    [shown] = ontology.objects
    assert (shown.name, shown.type, shown.fields) == ("image", "Image", ("image",))
    assert (ontology.media_field, ontology.fields) == ("image", ("image",))


def test_a_taxonomy_has_paths() -> None:
    """Nested choices are named by the way to them, an alias in place of its value."""
    tree = (
        '<Choice value="Animal"><Choice value="Dog" alias="dog"><Choice value="Pug"/></Choice>'
        '</Choice><Choice value="Plant"/>'
    )
    config = _config(_IMAGE, f'<Taxonomy name="tree" toName="image">{tree}</Taxonomy>')
    [control] = parse_ontology(config).controls
    assert [label.path for label in control.labels] == [
        ("Animal",),
        ("Animal", "dog"),
        ("Animal", "dog", "Pug"),
        ("Plant",),
    ]


@pytest.mark.parametrize(
    ("tags", "media", "fields"),
    [
        (['<Text name="t" value="$title"/>', _IMAGE], "image", ("title", "image")),
        (['<Text name="t" value="fixed"/>', _IMAGE], "image", ("image",)),
        (['<Header value="$title"/>', _IMAGE], "image", ("title", "image")),
        (['<Text name="t" value="Say $a of $b"/>', _IMAGE], "image", ("a", "b", "image")),
        (['<Audio name="image" value="$sound"/>'], "sound", ("sound",)),
        (['<Video name="image" value="$film"/>', '<Text name="t" value="$x"/>'], "film", None),
        (['<Image name="image" valueList="$pages"/>'], "pages", ("pages",)),
        (['<Table name="image" value="$facts"/>'], "facts", ("facts",)),
        (
            [
                '<Repeater on="$pages" indexFlag="{{i}}">'
                '<Image name="image" value="$pages[{{i}}].url"/></Repeater>'
            ],
            "pages",
            ("pages",),
        ),
    ],
)
def test_the_media_field(tags: list[str], media: str, fields: tuple[str, ...] | None) -> None:
    """The picture first, then sound and film; text only where there is nothing else."""
    ontology = parse_ontology(_config(*tags, _CHOICES))
    assert ontology.media_field == media
    if fields is not None:
        assert ontology.fields == fields


@pytest.mark.parametrize(
    "same",
    [
        _BASE.replace("><", ">\n\t <"),
        _BASE.replace("<View>", '<?xml version="1.0"?>\n<!-- {"data": 1} --><View>'),
        _BASE.replace('name="kind" toName="image"', "toName='image'   name='kind'"),
        _change('<Choice value="Cat"/>', '<Choice value="Cat" background="red" hotkey="1"/>'),
        _change('value="$image"', 'value="$image" zoom="true" maxWidth="80%"'),
        _change("<View>", '<View><Style>.x {}</Style><Header value="Look!"/>'),
        _change(
            '<Choice value="Cat"/><Choice value="Dog"/>',
            '<Choice value="Dog"/><Choice value="Cat"/>',
        ),
        _change('choice="single"', 'choice="single" showInline="true"'),
        _config(_CHOICES, _IMAGE),
        _config("<View>", _IMAGE, "</View>", _CHOICES),
        _change("<Choices", "<choices").replace("</Choices", "</choices"),
    ],
)
def test_looks_do_not_change_the_digest(same: str) -> None:
    """Whitespace, comments, order, colours, headings."""
    assert parse_ontology(same).digest == parse_ontology(_BASE).digest


@pytest.mark.parametrize(
    "other",
    [
        _change('value="Cat"', 'value="cat"'),
        _change('<Choice value="Cat"/>', ""),
        _change('<Choice value="Cat"/>', '<Choice value="Cat"/><Choice value="Fox"/>'),
        _change('<Choice value="Cat"/>', '<Choice value="Cat" alias="c"/>'),
        _change('choice="single"', 'choice="multiple"'),
        _change('required="true"', ""),
        _change('required="true"', 'required="true" perRegion="true"'),
        _change('required="true"', 'required="true" somethingNew="1"'),
        _BASE.replace('name="kind"', 'name="sort"'),
        _BASE.replace('name="image"', 'name="picture"').replace(
            'toName="image"', 'toName="picture"'
        ),
        _change('value="$image"', 'value="$photo"'),
        _BASE.replace("Choices", "Labels").replace("<Choice ", "<Label "),
        _BASE.replace("<Choices", '<View visibleWhen="region-selected"><Choices').replace(
            "</Choices>", "</Choices></View>"
        ),
        _config(_IMAGE, _CHOICES, '<Rating name="r" toName="image"/>'),
        _config(_IMAGE, _CHOICES, '<Text name="t" value="$t"/>'),
        _config(_IMAGE, _CHOICES, '<Relations><Relation value="on"/></Relations>'),
    ],
)
def test_meaning_changes_the_digest(other: str) -> None:
    """Labels, controls, what must and may be said, where."""
    assert parse_ontology(other).digest != parse_ontology(_BASE).digest


def test_left_and_right_count() -> None:
    """`selected: left` means the first object of a Pairwise."""
    two = '<Image name="a" value="$a"/><Image name="b" value="$b"/>'
    one, other = (
        parse_ontology(_config(two, f'<Pairwise name="p" toName="{names}"/>'))
        for names in ("a,b", "b,a")
    )
    assert one.digest != other.digest
    assert one.controls[0].to_names == ("a", "b")


_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)


@given(st.lists(_names, min_size=1, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_any_label_is_read_back_and_order_is_no_meaning(
    labels: list[str], dice: random.Random
) -> None:
    """Whatever people call their classes."""

    def config(ordered: list[str]) -> str:
        offers = "".join(f"<Label value={quoteattr(label)}/>" for label in ordered)
        tag = f'<RectangleLabels name="label" toName="image">{offers}</RectangleLabels>'
        return _config(_IMAGE, tag)

    ontology = parse_ontology(config(labels))
    assert [label.value for label in ontology.controls[0].labels] == labels
    shuffled = dice.sample(labels, len(labels))
    assert parse_ontology(config(shuffled)).digest == ontology.digest
    assert parse_ontology(config([*labels, "one more"])).digest != ontology.digest


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_control_is_known(case: Case) -> None:
    """Nothing of what the cases say is unknown; under another config, all controls are."""
    said = _said(*case.first, *case.second)
    assert parse_ontology(case.label_config).unknown_labels(said) == ()
    other = parse_ontology(_config(_IMAGE, '<Rating name="other" toName="image"/>'))
    controls = {str(one["from_name"]) for one in said.result if "from_name" in one}
    assert {one.control for one in other.unknown_labels(said) if one.label is None} == controls


_ONTOLOGY = parse_ontology(
    _config(
        _IMAGE,
        '<Video name="video" value="$video"/>',
        _CHOICES,
        '<RectangleLabels name="box" toName="image">'
        '<Label value="Cat" alias="c"/></RectangleLabels>',
        '<Taxonomy name="tree" toName="image">'
        '<Choice value="A"><Choice value="B" alias="b"/></Choice></Taxonomy>',
        '<Labels name="loose" toName="image" value="$classes"><Label value="X"/></Labels>',
        '<TextArea name="note" toName="image"/>',
        '<Labels name="actors" toName="video"><Label value="Car"/></Labels>',
        '<VideoRectangle name="track" toName="video"/>',
        '<Labels name="row_{{idx}}" toName="image"><Label value="R"/></Labels>',
        '<Rating name="cell_{{idx}}_a" toName="image"/>',
        '<Relations><Relation value="on"/></Relations>',
    )
)


@pytest.mark.parametrize(
    ("name", "kind", "value", "unknown"),
    [
        ("kind", "choices", {"choices": ["Cat"]}, None),
        ("kind", "choices", {"choices": ["Cat", "Amanita"]}, "Amanita"),
        ("box", "rectanglelabels", {"rectanglelabels": ["c"]}, None),
        ("box", "rectanglelabels", {"rectanglelabels": ["Cat"]}, None),
        ("box", "rectanglelabels", {"rectanglelabels": ["Dog"]}, "Dog"),
        ("tree", "taxonomy", {"taxonomy": [["A"], ["A", "b"], ["A", "B"]]}, None),
        ("tree", "taxonomy", {"taxonomy": [["B"]]}, "B"),
        ("tree", "taxonomy", {"taxonomy": [["A", "C"]]}, "A/C"),
        ("loose", "labels", {"labels": ["anything"]}, None),
        ("note", "textarea", {"text": ["Amanita"]}, None),
        ("track", "videorectangle", {"labels": ["Car"]}, None),
        ("track", "videorectangle", {"labels": ["Bus"]}, "Bus"),
        ("row_0", "labels", {"labels": ["R"]}, None),
        ("row_17", "labels", {"labels": ["S"]}, "S"),
    ],
)
def test_unknown_labels(name: str, kind: str, value: dict[str, Json], unknown: str | None) -> None:
    """Neither an alias, a typed text nor a dynamic label is unknown; a stranger is."""
    region: dict[str, Json] = {"id": "a", "type": kind, "from_name": name, "value": value}
    expected = () if unknown is None else (Unknown(control=name, label=unknown),)
    assert _ONTOLOGY.unknown_labels(_said(region)) == expected


def test_unknown_labels_of_a_record_are_listed_once_and_sorted() -> None:
    """Over all its annotations, controls and relations among them."""
    key = TaskKey("a.jpg")
    task = Task(key=key, media=Media(path=f"images/{key}", checksum="c", size_bytes=1))
    strange: dict[str, Json] = {"id": "a", "type": "rating", "from_name": "stars", "value": {}}
    wrong: dict[str, Json] = {"id": "b", "type": "choices", "from_name": "kind"}
    wrong["value"] = {"choices": ["Fox", "Elk", "Fox"]}
    joined: dict[str, Json] = {"type": "relation", "from_id": "a", "labels": ["on", "under"]}
    annotations = (_said(strange, wrong, unique_id="1"), _said(joined, wrong, unique_id="2"))
    assert _ONTOLOGY.unknown_labels(Record(task=task, annotations=annotations)) == (
        Unknown(control="kind", label="Elk"),
        Unknown(control="kind", label="Fox"),
        Unknown(control="relation", label="under"),
        Unknown(control="stars", label=None),
    )


def test_a_row_name_matches_only_rows() -> None:
    """`row_{{idx}}` is not `arrow_1x`, and a name without braces only itself."""
    assert _ONTOLOGY.control("row_3") is not None
    assert _ONTOLOGY.control("arrow_3") is None
    assert _ONTOLOGY.control("row_") is None
    assert _ONTOLOGY.control("cell_3_a") is not None
    assert _ONTOLOGY.control("cell_3_ab") is None
    assert _ONTOLOGY.control("kind2") is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "no element found, line 1, column 1"),
        ("plain", "syntax error, line 1, column 1"),
        ("<View>", "no element found, line 1, column 7"),
        ("<View>\n  <Image></View>", "mismatched tag, line 2, column 12"),
        ("<View/><View/>", "junk after document element, line 1, column 8"),
        ('<View a="1" a="2"/>', "duplicate attribute, line 1"),
        ("<View>&nbsp;</View>", "undefined entity, line 1, column 7"),
        ('<View a="\ud800"/>', "lone surrogate"),
        ("<View>\x00</View>", "line 1"),
        (f"<!DOCTYPE View>{_BASE}", "a document type (<!DOCTYPE)"),
        (f'<!DOCTYPE View [<!ENTITY a "b">]>{_BASE}', "a document type (<!DOCTYPE)"),
        (f'<!DOCTYPE View SYSTEM "file:///etc/passwd">{_BASE}', "a document type (<!DOCTYPE)"),
        ("<View>" * 5000, "more than 100 tags deep, line 1, column 601"),
        ("<View/>", "has no control"),
        (_config(_IMAGE), "has no control"),
        (_config(_IMAGE, '<Filter name="f" toName="image"/>'), "has no control"),
        (_config('<Rating name="r" toName="r"/>'), "has no object"),
        (_config(_IMAGE, "<Choices/>"), "<Choices> has no name, line 1"),
        (_config(_IMAGE, "\n", '<Rating name="r"/>'), "<Rating> has no toName, line 2"),
        (_config(_IMAGE, '<BrushLabels toName="image"/>'), "<BrushLabels> has no name"),
        (_config(_IMAGE, '<Rating name="r" toName="pic"/>'), "speaks of 'pic', which no tag is"),
        (_config(_IMAGE, '<Pairwise name="r" toName="image,b"/>'), "speaks of 'b', which no tag"),
        (_config(_IMAGE, _CHOICES, "\n", _CHOICES), "has the name 'kind' twice (first on line 1)"),
        (_config(_IMAGE, '<Rating name="image" toName="image"/>'), "has the name 'image' twice"),
        (
            _config('<Image name="image" value="cat.jpg"/>', _CHOICES),
            "has no object with a variable",
        ),
    ],
)
def test_what_no_round_could_use_is_refused(config: str, message: str) -> None:
    """With the reason, the place and the remedy."""
    with pytest.raises(InvalidDataError) as caught:
        parse_ontology(config)
    error = caught.value
    assert message in error.message
    assert "line" in dict(error.where)["place"]
    assert error.code == "label-config"
    assert error.hint


def test_an_ontology_is_a_value() -> None:
    """Equal configs are equal ontologies."""
    assert parse_ontology(_BASE) == parse_ontology(_BASE)
