"""Label configs for a list of names: any name, each kind, read back as meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.label_config import LabelKind, write_label_config
from ops.core.ontology import parse_ontology
from ops.errors import UsageError

_TAGS = {
    LabelKind.CHOICES: "Choices",
    LabelKind.BOXES: "RectangleLabels",
    LabelKind.POLYGONS: "PolygonLabels",
    LabelKind.KEYPOINTS: "KeyPointLabels",
    LabelKind.BRUSH: "BrushLabels",
}
_labels = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=10)


@given(st.lists(_labels, min_size=1, max_size=6, unique=True), st.sampled_from(LabelKind))
def test_the_ontology_is_what_was_asked_for(labels: list[str], kind: LabelKind) -> None:
    """One control of that kind, the labels in their order, on one picture."""
    ontology = parse_ontology(write_label_config(labels, kind))
    [control] = ontology.controls
    assert control.type == _TAGS[kind]
    assert [label.path for label in control.labels] == [(label,) for label in labels]
    assert control.choice == ("single" if kind is LabelKind.CHOICES else None)
    assert ontology.media_field == "image"


def test_the_xml_is_laid_out_to_be_read() -> None:
    """People will edit it."""
    assert write_label_config(["cat", 'a "b" & <c>'], LabelKind.BOXES) == (
        "<View>\n"
        '  <Image name="image" value="$image" zoom="true"/>\n'
        '  <RectangleLabels name="label" toName="image">\n'
        '    <Label value="cat"/>\n'
        "    <Label value='a \"b\" &amp; &lt;c&gt;'/>\n"
        "  </RectangleLabels>\n"
        "</View>\n"
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "there is no label"),
        (["cat", ""], "'' is no label"),
        ([" cat"], "' cat' is no label"),
        (["cat\n"], "is no label"),
        (["c\nat"], "is no label"),
        (["\ud800"], "is no label"),
        (["cat", "dog", "cat"], "the label 'cat' is there twice"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: list[str], message: str) -> None:
    """Nothing is trimmed or dropped in silence."""
    with pytest.raises(UsageError) as caught:
        write_label_config(labels, LabelKind.CHOICES)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_digit_is_its_own_key() -> None:
    """Label Studio counts the keys by place: 3 would label the third class, which is 2."""
    written = write_label_config(["0", "1", "ten"], LabelKind.CHOICES)
    assert '<Choice value="0" hotkey="0"/>' in written
    assert '<Choice value="ten"/>' in written
    keyless = written.replace(' hotkey="0"', "").replace(' hotkey="1"', "")
    assert parse_ontology(written).digest == parse_ontology(keyless).digest
