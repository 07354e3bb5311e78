"""The label diff counted another way: flat rows of text, compared pair by pair.

It knows the rules from their wording only: which fields say where and which what, and that the
editor's notes and copies say nothing. Where it needs an iou it asks for it: geometry has an oracle
of its own.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from ops.core.geometry import iou
from ops.core.records import Annotation, Json, Record

Pair: TypeAlias = tuple[Record | None, Record | None]
Document: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

TOLERANCE = 1e-6
KINDS = ("added", "removed", "changed")
ANSWERS = ("choices", "taxonomy", "rating", "number", "datetime", "textarea", "pairwise", "ranker")
PLACES = {"x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points"}


class Row(NamedTuple):
    """One entry of a result: the thing it is about, which control says it, and what."""

    thing: str
    control: str
    said: str

    @property
    def entry(self) -> Document:
        """What it says."""
        return json.loads(self.said)


class Difference(NamedTuple):
    """A region that is not the same on both sides."""

    task: str
    annotation: str
    thing: str
    before: Document | None
    after: Document | None


def rows(annotation: Annotation | None) -> list[Row]:
    """Everything an annotation says, relations too."""
    result: list[Document] = [dict(entry) for entry in annotation.result] if annotation else []
    ids = [str(entry.get("id")) for entry in result]
    found: list[Row] = []
    for entry in result:
        said = {name: value for name, value in entry.items() if name != "origin"}
        control = " ".join(str(entry.get(name)) for name in ("from_name", "to_name", "type"))
        if entry["type"] == "relation":
            thing = f"relation {entry['from_id']} {entry['to_id']}"
        elif entry["type"] in ANSWERS and len(entry["value"]) == 1 and ids.count(entry["id"]) == 1:
            thing = "answer"
            said.pop("id")
        else:
            thing = f"region {entry['id']}"
            said["value"] = without_copies(entry, [o for o in result if o.get("id") == entry["id"]])
        found.append(Row(thing, control, json.dumps(said)))
    return found


def without_copies(entry: Document, siblings: list[Document]) -> Document:
    """The value of an entry without what it repeats of its siblings' answers."""
    return {
        name: value
        for name, value in entry["value"].items()
        if name == entry["type"]
        or not any(o["type"] == name and o["value"].get(name) == value for o in siblings)
    }


def leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every scalar of a document and where it is, empty arrays and objects too."""
    if isinstance(value, list):
        value = {f"[{index}]": one for index, one in enumerate(value)} or None
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for name, one in value.items():
        yield from leaves(one, (*path, name))


def near(one: Json, two: Json) -> bool:
    """The same, but for a millionth of a percent where it says where."""
    lefts, rights = dict(leaves(one)), dict(leaves(two))
    return lefts.keys() == rights.keys() and all(
        near_leaf(lefts[path], rights[path], is_place=bool(PLACES & {*path})) for path in lefts
    )


def near_leaf(one: Json, two: Json, *, is_place: bool) -> bool:
    """The same, of scalars."""
    numbers = [value for value in (one, two) if type(value) in (int, float)]
    if is_place and len(numbers) == 2 and all(-1e9 <= float(str(n)) <= 1e9 for n in numbers):
        return abs(float(str(one)) - float(str(two))) <= TOLERANCE
    return type(one) is type(two) and one == two


def unlike(lefts: list[Row], rights: list[Row]) -> list[tuple[Row | None, Row | None]]:
    """Rows without an equal on the other side, in pairs where both have some of one control."""
    for row in list(lefts):
        if row in rights:
            lefts.remove(row)
            rights.remove(row)
    found: list[tuple[Row | None, Row | None]] = []
    # Of several the smaller text first, as Python writes it.
    rights.sort(key=in_order)
    for row in sorted(lefts, key=in_order):
        other = next((one for one in rights if one[:2] == row[:2]), None)
        if other is not None:
            rights.remove(other)
        if other is None or not near(row.entry, other.entry):
            found.append((row, other))
    return found + [(None, row) for row in rights]


def in_order(row: Row) -> tuple[str, str, str]:
    """The order in which rows are matched."""
    return row.thing, row.control, repr(row.entry)


def is_same(old: Annotation, new: Annotation) -> bool:
    """Whether nothing was changed in an annotation."""
    flags = (old.skipped, old.ground_truth) == (new.skipped, new.ground_truth)
    return flags and not unlike(rows(old), rows(new))


def changed_annotations(
    pairs: Sequence[Pair],
) -> Iterator[tuple[str, str, Annotation | None, Annotation | None]]:
    """Task, identity and both sides of each annotation that is not the same."""
    for pair in pairs:
        sides = [{one.unique_id: one for one in side.annotations} if side else {} for side in pair]
        for unique_id in {*sides[0], *sides[1]}:
            old, new = (side.get(unique_id) for side in sides)
            if old is None or new is None or not is_same(old, new):
                yield key_of(pair), unique_id, old, new


def key_of(pair: Pair) -> str:
    """The task of a pair."""
    known = pair[1] or pair[0]
    assert known is not None
    return known.task.key


def differences(pairs: Sequence[Pair]) -> list[Difference]:
    """Every region that is not the same; skipped annotations have none."""
    return [
        Difference(task, name, known.thing, b.entry if b else None, a.entry if a else None)
        for task, name, old, new in changed_annotations(pairs)
        for b, a in unlike(
            rows(old if old and not old.skipped else None),
            rows(new if new and not new.skipped else None),
        )
        if (known := b or a) and not known.thing.startswith("relation")
    ]


def classes(entry: Document | None) -> set[str]:
    """The classes an entry names."""
    kind = str(entry["type"]) if entry else ""
    if not entry or not (kind.endswith("labels") or kind in {"choices", "taxonomy"}):
        return set()
    said = entry["value"].get(kind, [])
    return {one if isinstance(one, str) else "/".join(one) for one in said}


def place(entry: Document) -> Document:
    """Where an entry is."""
    return {n: v for n, v in entry["value"].items() if n not in (entry["type"], "labels", "text")}


def kind_of(before: object, after: object) -> str:
    """What happened."""
    return "added" if before is None else "removed" if after is None else "changed"


def tally(kinds: Sequence[str]) -> Document:
    """How many of each kind."""
    return {kind: kinds.count(kind) for kind in KINDS}


def doer(old: Annotation | None, new: Annotation | None) -> str:
    """Who changed it, else whose it is."""
    known = new or old
    assert known is not None
    return (known.updated_by or known.annotator) if old and new else known.annotator


def oracle(pairs: Sequence[Pair]) -> Document:
    """The diff's document, but for `by_task`; `geometry` is the shares themselves, sorted."""
    tasks = [(key_of((b, a)), kind_of(b, a)) for b, a in pairs if b != a]
    annotations = [
        (task, name, kind_of(old, new), doer(old, new))
        for task, name, old, new in changed_annotations(pairs)
    ]
    people = {(task, name): person for task, name, _, person in annotations}
    regions = differences(pairs)
    kinds = [(kind_of(o.before, o.after), people[o.task, o.annotation]) for o in regions]
    return {
        "tasks": {kind: sorted(key for key, what in tasks if what == kind) for kind in KINDS},
        "annotations": tally([kind for _, _, kind, _ in annotations]),
        "regions": tally([kind for kind, _ in kinds]),
        "states": state_rows(pairs),
        "labels": label_rows(regions),
        "transitions": transition_rows(regions),
        "geometry": shares(regions),
        "annotators": [
            {
                "annotator": person,
                "tasks": len({task for task, _, _, by in annotations if by == person}),
                "annotations": tally([kind for _, _, kind, by in annotations if by == person]),
                "regions": tally([kind for kind, by in kinds if by == person]),
            }
            for person in sorted({*people.values()})
        ],
    }


def state_rows(pairs: Sequence[Pair]) -> list[Document]:
    """Which states tasks went from and to, in any order."""
    moves = [tuple(side.state.value if side else None for side in pair) for pair in pairs]
    return [
        {"from": move[0], "to": move[1], "tasks": moves.count(move)}
        for move in {*moves}
        if move[0] != move[1]
    ]


def label_rows(regions: Sequence[Difference]) -> list[Document]:
    """By class, what happened to the regions that name it."""
    found: list[Document] = []
    known = {name for one in regions for name in classes(one.before) | classes(one.after)}
    for label in sorted(known):
        named = [(label in classes(one.before), label in classes(one.after)) for one in regions]
        counts = {
            "added": named.count((False, True)),
            "removed": named.count((True, False)),
            "changed": named.count((True, True)),
        }
        found.append({"label": label, **counts})
    return found


def transition_rows(regions: Sequence[Difference]) -> list[Document]:
    """One class where one other was."""
    moves: list[tuple[str, str]] = []
    for one in regions:
        lost = classes(one.before) - classes(one.after)
        won = classes(one.after) - classes(one.before)
        moves += [(a, b) for a in lost for b in won if len(lost) == len(won) == 1]
    return [{"from": a, "to": b, "regions": moves.count((a, b))} for a, b in sorted({*moves})]


def shares(regions: Sequence[Difference]) -> list[float | None]:
    """The iou of each region that is elsewhere, None where it has none; sorted."""
    found: dict[tuple[str, str, str], list[float | None]] = {}
    for one in regions:
        if one.thing == "answer" or not one.before or not one.after:
            continue
        if not near(place(one.before), place(one.after)):
            found.setdefault(one[:3], []).append(iou(one.before, one.after))
    firsts = [
        next((share for share in measured if share is not None), None)
        for measured in found.values()
    ]
    return sorted(firsts, key=lambda share: -1 if share is None else share)
