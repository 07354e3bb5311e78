"""Two sides of a task edited apart: few ids, few labels, so that both often touch the same.

What people and programs do to a record: draw, move, relabel, answer, relate, skip, save without a
change, import anew. Positions lie on a grid of tens; float noise is a billionth.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from ops.core.canonical import normalise_record
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey

Region: TypeAlias = dict[str, Json]
Sides: TypeAlias = tuple[Record | None, Record | None, Record | None]

NOISE = 1e-9
_KEY = TaskKey("cheese/1.jpg")
_PEOPLE = ("ada@example.com", "bob@example.com")
_IDENTITIES = ("u", "v", "w")
_REGIONS = ("a", "b", "c")
_LABELS = ("brie", "gouda")
_GRID = (0, 10, 20)


def _entry(name: str, kind: str, control: str, value: Region) -> Region:
    return {"id": name, "type": kind, "from_name": control, "to_name": "image", "value": value}


def box(name: str, label: str = "brie", x: float = 0) -> Region:
    """A rectangle."""
    place: Region = {"x": x, "y": 5, "width": 3, "height": 2.5, "rotation": 0}
    return _entry(name, "rectanglelabels", "label", {**place, "rectanglelabels": [label]})


def question(region: Region, answer: str) -> Region:
    """The answer to a question about a region: where it is comes along."""
    value = cast("Region", region["value"])
    place = {name: one for name, one in value.items() if name not in {"rectanglelabels", "choices"}}
    return _entry(str(region["id"]), "choices", "kind", {**place, "choices": [answer]})


def scene(answer: str, name: str = "p") -> Region:
    """An answer about the whole task."""
    return _entry(name, "choices", "scene", {"choices": [answer]})


def relation(start: str, end: str, label: str = "on") -> Region:
    """A relation."""
    return {"type": "relation", "from_id": start, "to_id": end, "labels": [label]}


def annotation(unique_id: str, *result: Region) -> Annotation:
    """An annotation by ada, of round cheese."""
    return Annotation(
        unique_id=unique_id,
        annotator=_PEOPLE[0],
        round="cheese",
        created_at="2026-11-21T14:02:00.000000Z",
        updated_at="2026-11-21T14:02:00.000000Z",
        ontology_digest="0" * 64,
        result=tuple(result),
    )


def record(*annotations: Annotation) -> Record:
    """A task with these annotations, in canonical form."""
    media = Media(path=f"images/{_KEY}", checksum="c0", size_bytes=1)
    return normalise_record(Record(task=Task(key=_KEY, media=media), annotations=annotations))


@dataclass
class _Draft:
    """A record being edited by dice."""

    dice: random.Random
    task: Task
    annotations: dict[str, Annotation]
    quarantined: bool = False
    is_gone: bool = False
    entries: list[Region] = field(default_factory=list[Region])

    def one(self) -> str | None:
        return self.dice.choice(sorted(self.annotations)) if self.annotations else None

    def region(self) -> str:
        return self.dice.choice(_REGIONS)


def _of(draft: _Draft, name: str) -> list[Region]:
    return [entry for entry in draft.entries if entry.get("id") == name]


def _values(draft: _Draft, name: str) -> list[Region]:
    return [cast("Region", entry["value"]) for entry in _of(draft, name)]


def _move(draft: _Draft) -> None:
    x = draft.dice.choice(_GRID)
    for value in _values(draft, draft.region()):
        value["x"] = x


def _shake(draft: _Draft) -> None:
    noise = draft.dice.choice((NOISE, -NOISE))
    for value in _values(draft, draft.region()):
        value["x"] = cast("float", value["x"]) + noise


def _relabel(draft: _Draft) -> None:
    for value in _values(draft, draft.region()):
        if "rectanglelabels" in value:
            value["rectanglelabels"] = [draft.dice.choice(_LABELS)]


def _draw(draft: _Draft) -> None:
    name = draft.region()
    if not _of(draft, name):
        draft.entries.append(box(name, draft.dice.choice(_LABELS), draft.dice.choice(_GRID)))


def _erase(draft: _Draft) -> None:
    name = draft.region()
    is_tidy = draft.dice.random() < 0.8
    draft.entries = [
        entry
        for entry in draft.entries
        if entry.get("id") != name
        and not (is_tidy and name in (entry.get("from_id"), entry.get("to_id")))
    ]


def _ask(draft: _Draft) -> None:
    name = draft.region()
    drawn = [one for one in _of(draft, name) if one["from_name"] == "label"]
    draft.entries = [
        one for one in draft.entries if one.get("id") != name or one["from_name"] != "kind"
    ]
    for value in _values(draft, name):
        # The editor's copy of the old answer goes with it.
        value.pop("choices", None)
    if drawn and draft.dice.random() < 0.8:
        draft.entries.append(question(drawn[0], draft.dice.choice(_LABELS)))


def _describe(draft: _Draft) -> None:
    draft.entries = [one for one in draft.entries if one.get("from_name") != "scene"]
    if draft.dice.random() < 0.8:
        draft.entries.append(scene(draft.dice.choice(_LABELS), draft.dice.choice("pq")))


def _relate(draft: _Draft) -> None:
    start, end = draft.region(), draft.region()
    draft.entries = [
        one for one in draft.entries if (one.get("from_id"), one.get("to_id")) != (start, end)
    ]
    if _of(draft, start) and _of(draft, end) and draft.dice.random() < 0.8:
        draft.entries.append(relation(start, end, draft.dice.choice(("on", "under"))))


def _save(draft: _Draft) -> None:
    """Label Studio's editor saves: a note of origin, and copies of a region's answers."""
    for name in _REGIONS:
        entries = _of(draft, name)
        answers = [cast("Region", one["value"]) for one in entries if one["type"] == "choices"]
        for entry in entries:
            entry["origin"] = "manual"
            if answers and entry["type"] != "choices":
                cast("Region", entry["value"])["choices"] = answers[0]["choices"]


_IN_RESULT: tuple[Callable[[_Draft], None], ...] = (
    *(_move, _move, _relabel, _draw, _draw, _erase, _ask, _ask),
    *(_describe, _relate, _relate, _save, _shake),
)


def _edit_result(draft: _Draft) -> None:
    unique_id = draft.one()
    if unique_id is None:
        return
    known = draft.annotations[unique_id]
    draft.entries = [
        {**entry, **({"value": {**value}} if isinstance(value := entry.get("value"), dict) else {})}
        for entry in known.result
    ]
    draft.dice.choice(_IN_RESULT)(draft)
    draft.annotations[unique_id] = replace(known, result=tuple(draft.entries))
    if draft.dice.random() < 0.8:
        _stamp(draft, unique_id)


def _stamp(draft: _Draft, unique_id: str) -> None:
    draft.annotations[unique_id] = replace(
        draft.annotations[unique_id],
        round=draft.dice.choice(("cheese-2", "cheese-3")),
        updated_at=f"2026-11-2{draft.dice.randrange(10)}T14:02:00.000000Z",
        updated_by=draft.dice.choice((None, *_PEOPLE)),
        lead_time_s=draft.dice.choice((None, 1.5, 2.0)),
        ontology_digest=draft.dice.choice("01") * 64,
    )


def _edit_fields(draft: _Draft) -> None:
    unique_id = draft.one()
    if unique_id is None:
        return
    known, dice = draft.annotations[unique_id], draft.dice
    draft.annotations[unique_id] = dice.choice(
        (
            replace(known, skipped=not known.skipped),
            replace(known, ground_truth=not known.ground_truth),
            replace(known, annotator=dice.choice(_PEOPLE)),
            replace(known, created_at=f"2026-11-0{dice.randrange(1, 4)}T14:02:00.000000Z"),
            replace(known, prediction=dice.choice((None, {}, {"model_version": "m"}))),
            replace(known, origins={draft.region(): dice.choice([*Origin])}),
        )
    )


def _add(draft: _Draft) -> None:
    unique_id = draft.dice.choice(_IDENTITIES)
    if unique_id not in draft.annotations:
        result = [box(name, draft.dice.choice(_LABELS)) for name in draft.dice.sample(_REGIONS, 2)]
        draft.annotations[unique_id] = annotation(unique_id, *result)


def _remove(draft: _Draft) -> None:
    draft.annotations.pop(draft.one() or "", None)


def _edit_task(draft: _Draft) -> None:
    task, dice = draft.task, draft.dice
    media, data = task.media, task.data
    draft.task = dice.choice(
        (
            replace(task, media=replace(media, checksum=dice.choice(("c0", "c1", "c2")))),
            replace(task, media=replace(media, width=dice.choice((None, 640, 800)))),
            replace(task, data={**data, "f": dice.choice((1, True, "one"))}),
            replace(task, data={**data, "g": dice.choice((1, True, "one"))}),
            replace(task, data={name: one for name, one in data.items() if name == "f"}),
        )
    )


def _hold(draft: _Draft) -> None:
    draft.quarantined = not draft.quarantined


def _drop(draft: _Draft) -> None:
    draft.is_gone = draft.dice.random() < 0.5


_EDITS: tuple[Callable[[_Draft], None], ...] = (
    *(_edit_result,) * 24,
    *(_edit_fields,) * 3,
    *(_edit_task,) * 3,
    *(_add, _add, _remove, _hold, _drop),
)


def _edited(start: Record | None, dice: random.Random, count: int) -> Record | None:
    known = start or record()
    annotations = {one.unique_id: one for one in known.annotations}
    draft = _Draft(dice, known.task, annotations, quarantined=known.quarantined)
    for _ in range(count):
        dice.choice(_EDITS)(draft)
    if draft.is_gone or (start is None and not count):
        return None
    return normalise_record(
        Record(
            task=draft.task,
            annotations=tuple(draft.annotations.values()),
            quarantined=draft.quarantined,
        )
    )


def sides(dice: random.Random) -> Sides:
    """Base, ours and theirs; None where there is no record."""
    one, *others = (annotation(unique_id, box("a"), box("b")) for unique_id in "uv")
    base = record(*(one, *others) if dice.random() < 0.3 else (one,))
    start = _edited(base, dice, dice.randrange(6)) if dice.random() < 0.92 else None
    ours, theirs = (_edited(start, dice, dice.choice((0, 1, 2, 3, 4, 6))) for _ in range(2))
    return start, ours, theirs
