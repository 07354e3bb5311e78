"""Which control and which label somebody means by a name, and what a new one is called.

Owns the names people type: a label as results say it, the steps of a path joined by `/`. Does not
know what becomes of labels (migration.py).
"""

from collections.abc import Sequence
from typing import NoReturn

from ops.core.label_config import check_labels
from ops.core.label_edits import Path
from ops.core.ontology import Control, Label, Ontology
from ops.core.regions import PATH_SEPARATOR
from ops.errors import NotFoundError, RefusedError, UsageError

_NESTED = frozenset({"taxonomy"})
# Shapes without labels of their own, whose regions say those of the object's other controls.
_BORROWING = frozenset({"videorectangle"})


def spelled(path: Path) -> str:
    """A label as people name it."""
    return PATH_SEPARATOR.join(path)


def paths(label: Label) -> tuple[Path, ...]:
    """Every path results may say a label by: its alias, or what annotators see."""
    seen = (*label.path[:-1], label.value) if label.value else label.path
    return tuple(dict.fromkeys((label.path, seen)))


def find_control(ontology: Ontology, labels: Sequence[str], name: str | None) -> Control:
    """The control that is meant: the one named, else the only one that offers all of the labels.

    Raises:
        NotFoundError: there is no such control, or none offers one of the labels.
        UsageError: several controls may be meant, or no control offers all of the labels.
        RefusedError: it has no labels of its own, or they come from the tasks' data.
    """
    if name is not None:
        return _checked(_named(ontology, name))
    offering = [one for one in ontology.controls if one.labels]
    if not offering:
        return _checked(ontology.controls[0])
    fitting = [one for one in offering if all(_has(one, label) for label in labels)]
    if not fitting:
        _refuse_missing(ontology, labels)
    if len(fitting) > 1:
        names = ", ".join(one.name for one in fitting)
        refuse_use(f"more than one control may be meant: {names}", "name one with --control")
    return _checked(fitting[0])


def _named(ontology: Ontology, name: str) -> Control:
    control = next((one for one in ontology.controls if one.name == name), None)
    if control is None:
        _no_such("control", name, ", ".join(one.name for one in ontology.controls))
    return control


def _refuse_missing(ontology: Ontology, labels: Sequence[str]) -> NoReturn:
    for label in labels:
        if label in ontology.relations:
            refuse("relation-name", f"{label!r} names a relation, which is no label")
        if not any(_has(one, label) for one in ontology.controls):
            known = {spelled(one.path) for control in ontology.controls for one in control.labels}
            _no_such("label", label, ", ".join(sorted(known)))
    refuse_use("no control offers all of these labels", "change one control's at a time")


def _checked(control: Control) -> Control:
    """The control, if its labels are the label config's to change.

    Raises:
        RefusedError: it has none, or they come from the tasks' data.
    """
    if control.dynamic:
        source = "the tasks' data or another server"
        refuse("dynamic-labels", f"the labels of {control.name!r} come from {source}")
    if not control.labels:
        refuse("no-labels", f"{control.name!r} is a {control.type}, which offers no labels")
    return control


def find_label(control: Control, name: str) -> Label:
    """The label of a control that has this name.

    Raises:
        NotFoundError: it offers none; where it is shown so and said otherwise, that is told.
    """
    found = next((label for label in control.labels if spelled(label.path) == name), None)
    if found is None:
        shown = [spelled(label.path) for label in control.labels if label.value == name]
        known = shown or [spelled(label.path) for label in control.labels]
        _no_such("label", name, ", ".join(known))
    return found


def check_apart(ontology: Ontology, control: Control, label: Label) -> None:
    """Refuse a label where a result that says it may mean another one.

    Raises:
        RefusedError: it is there twice, is what annotators see of another one, or a shape that
            borrows labels may have it from another control.
    """
    others = [one for one in control.labels if one is not label]
    if borrowers(ontology, control):
        others += [
            one
            for other in ontology.controls
            if other is not control and set(other.to_names) & set(control.to_names)
            for one in other.labels
            if other.type.lower().endswith("labels")
        ]
    if any({*paths(label)} & {*paths(one)} for one in others):
        refuse("ambiguous-label", f"{spelled(label.path)!r} may mean two labels")


def borrowers(ontology: Ontology, control: Control) -> tuple[Control, ...]:
    """The shapes whose regions say a control's labels, having none of their own."""
    return tuple(
        one
        for one in ontology.controls
        if set(one.to_names) & set(control.to_names)
        and not (one.labels or one.dynamic)
        and one.type.lower() in _BORROWING
    )


def target_path(control: Control, name: str, beside: Path) -> Path:
    """The label of that name, or a new one beside another.

    Raises:
        UsageError, RefusedError: as new_path.
    """
    for label in control.labels:
        if spelled(label.path) == name or label.path == (*beside[:-1], name):
            return label.path
    return new_path(control, name, beside[:-1])


def find_parent(control: Control, name: str) -> Path:
    """The label that a name with a path in it is below; empty for a name without."""
    above = [one.path for one in control.labels if _is_below(name, one.path)]
    return max(above, key=len) if _is_nested(control) and above else ()


def new_path(control: Control, name: str, parent: Path) -> Path:
    """The path of a new label; its name may be given with the path to it, or without.

    Raises:
        UsageError: no label can have the name, or the path is another one.
        RefusedError: annotators see another label by it.
    """
    step = name
    if _is_nested(control):
        step = name[len(spelled(parent)) + 1 :] if _is_below(name, parent) else name
        if PATH_SEPARATOR in step:
            refuse_use(f"{name!r} would be in another place", "name it without the path to it")
    check_labels([step])
    path = (*parent, step)
    if any(path in paths(label) for label in control.labels):
        refuse("label-exists", f"{name!r} is what annotators see of another label")
    return path


def _has(control: Control, name: str) -> bool:
    return any(name in {spelled(label.path), label.value} for label in control.labels)


def _is_below(name: str, parent: Path) -> bool:
    return bool(parent) and name.startswith(spelled(parent) + PATH_SEPARATOR)


def _is_nested(control: Control) -> bool:
    return control.type.lower() in _NESTED or any(len(one.path) > 1 for one in control.labels)


_UNCHANGED = "nothing was written"
_HINTS = {
    "relation-name": "relations keep their names; labels are changed",
    "dynamic-labels": "change them where they come from",
    "no-labels": "see which controls offer labels: ops ontology show",
    "ambiguous-label": "name the control with --control; one label twice in a control is to be\n"
    "told apart in the label config first",
    "label-exists": "take another name; to make one label of two: ops ontology merge",
    "last-label": "offer another label first: ops ontology add",
    "labels-below": "change those first, from the innermost outwards",
}


def _no_such(noun: str, name: str, known: str) -> NoReturn:
    raise NotFoundError(
        f"no-such-{noun}",
        f"the ontology has no {noun} {name!r}",
        subject=name,
        where=(("known", known),),
        unchanged=_UNCHANGED,
        hint="see what there is: ops ontology show",
    )


def refuse_use(problem: str, hint: str) -> NoReturn:
    """Refuse how it was put.

    Raises:
        UsageError: always.
    """
    raise UsageError("labels", problem, unchanged=_UNCHANGED, hint=hint)


def refuse(code: str, problem: str) -> NoReturn:
    """Refuse what the ontology does not allow.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(code, problem, unchanged=_UNCHANGED, hint=_HINTS[code])
