"""What a tag of a label config is: control, object or decoration.

Owns Label Studio's rules for it. Does not know what a whole label config means (ontology.py).
"""

import re
from collections.abc import Iterator

from ops.core.markup import Element

LABEL_TAGS = frozenset({"label", "choice"})
# Tags that only make sense with `name` and `toName`; those that end in `labels` belong to them too.
_CONTROL_TAGS = frozenset(
    {
        *("choices", "taxonomy", "textarea", "rating", "number", "datetime", "pairwise", "ranker"),
        *("rectangle", "polygon", "keypoint", "ellipse", "brush", "bitmask", "vector"),
        *("videorectangle", "magicwand"),
    }
)
# Filter narrows a list of labels on the screen.
_NO_CONTROLS = frozenset({"filter"})
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)", re.ASCII)


def tag_of(element: Element) -> str:
    """The tag in lower case: Label Studio does not tell `<Choices>` from `<choices>`."""
    return element.tag.lower()


def attribute(element: Element, name: str) -> str:
    """An attribute without white space around it; empty where it is not there."""
    return element.attributes.get(name, "").strip()


def is_control(element: Element) -> bool:
    """Say whether annotators answer with this tag, or would if it had a name and an object."""
    if tag_of(element) in _NO_CONTROLS:
        return False
    named = bool(attribute(element, "name") and attribute(element, "toName"))
    return named or tag_of(element) in _CONTROL_TAGS or tag_of(element).endswith("labels")


def is_object(element: Element) -> bool:
    """Say whether the tag shows something that controls can speak of."""
    shows = attribute(element, "value") or attribute(element, "valueList")
    return bool(attribute(element, "name") and shows and not is_control(element))


def variables(element: Element) -> Iterator[str]:
    """The fields of a task's data that the tag reads, without `$`."""
    for name in ("value", "valueList", "on"):
        yield from _VARIABLE.findall(attribute(element, name))


def to_names(element: Element) -> tuple[str, ...]:
    """The objects a control speaks of; of a Pairwise left and right, so their order counts."""
    return tuple(name.strip() for name in attribute(element, "toName").split(",") if name.strip())
