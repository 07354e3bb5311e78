"""The label config for a list of class names and one way of marking them.

Owns the XML of `--labels a,b,c --kind boxes`. Whoever needs more writes Label Studio's XML: what it
means is ontology.py's business.
"""

from collections.abc import Sequence
from enum import StrEnum
from string import digits

from ops.errors import UsageError


class LabelKind(StrEnum):
    """How a class is given to a picture."""

    CHOICES = "choices"
    BOXES = "boxes"
    POLYGONS = "polygons"
    KEYPOINTS = "keypoints"
    BRUSH = "brush"


_TAGS = {
    LabelKind.BOXES: "RectangleLabels",
    LabelKind.POLYGONS: "PolygonLabels",
    LabelKind.KEYPOINTS: "KeyPointLabels",
    LabelKind.BRUSH: "BrushLabels",
}
_IMAGE = '  <Image name="image" value="$image" zoom="true"/>'


def write_label_config(labels: Sequence[str], kind: LabelKind) -> str:
    """The label config that offers these classes, in their order; parse_ontology reads it.

    Raises:
        UsageError: no label, one that is empty or has spaces around it, or one twice.
    """
    check_labels(labels)
    if kind is LabelKind.CHOICES:
        opening = '<Choices name="label" toName="image" choice="single" showInline="true">'
        return _page("Choices", opening, [offer("Choice", one) for one in labels])
    tag = _TAGS[kind]
    return _page(
        tag,
        f'<{tag} name="label" toName="image">',
        [offer("Label", one) for one in labels],
    )


def offer(tag: str, label: str) -> str:
    """One class; a digit gets its own key, where Label Studio would give the first one the 1."""
    key = f' hotkey="{label}"' if len(label) == 1 and label in digits else ""
    # It brings urllib.request along, and `ops --help` imports this module for its enum.
    from xml.sax.saxutils import quoteattr

    return f"<{tag} value={quoteattr(label)}{key}/>"


def _page(tag: str, opening: str, offers: Sequence[str]) -> str:
    lines = ["<View>", _IMAGE, f"  {opening}", *(f"    {offer}" for offer in offers)]
    return "\n".join([*lines, f"  </{tag}>", "</View>", ""])


def check_labels(labels: Sequence[str]) -> None:
    """Refuse names that people could not tell apart, or that an XML attribute would not keep.

    Raises:
        UsageError: no label, one that is empty or has spaces around it, or one twice.
    """
    if not labels:
        _refuse("there is no label")
    for label in labels:
        if not label.strip() or label != label.strip() or not label.isprintable():
            _refuse(f"{label!r} is no label")
        if labels.count(label) > 1:
            _refuse(f"the label {label!r} is there twice")


def _refuse(problem: str) -> None:
    raise UsageError(
        "labels",
        problem,
        unchanged="nothing was read or written",
        hint="name each class once: --labels cat,dog",
    )
