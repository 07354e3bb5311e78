"""A second, slower merge: try every candidate, keep the one that breaks no law.

Reads records as JSON and shares nothing with ops but a type. It knows the world of merge_edits.py
only: its controls, its grid (so that rounding takes float noise away), and the copies its editor
makes.

An annotation is taken apart into slots, `(what it is about, control)`. A candidate gives each slot
the value of base, ours or theirs. The laws:

- what a side changed is as that side has it; what no side changed is as base has it;
- who adds or removes the annotation, skips it or marks it, has the last word on all of it, and the
  other side said the same or nothing;
- a region is as a side has it; or of both, in one place; a side that removed it has the last word
  if the other left it alone;
- a relation leads to regions that are there, unless a side that has it had none to lead to.

No candidate left: a conflict.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from ops.core.records import Json

Document: TypeAlias = Mapping[str, Json]
About: TypeAlias = tuple[str, ...]
Slot: TypeAlias = tuple[About, str]
Slots: TypeAlias = dict[Slot, str]

_FACTS = ("sha256", "width", "height")
_ANSWER = "scene"
_SPOKEN = frozenset({"choices", "rectanglelabels"})


@dataclass(frozen=True)
class Meaning:
    """What an annotation says: of itself as a whole, and slot by slot, as JSON."""

    whole: str
    slots: Slots

    def about(self, what: About) -> Slots:
        """The slots of one region, relation or answer."""
        return {slot: value for slot, value in self.slots.items() if slot[0] == what}

    @property
    def abouts(self) -> AbstractSet[About]:
        """What it says something of."""
        return {about for about, _ in self.slots}


@dataclass
class Expected:
    """What a merge must come to.

    Attributes:
        is_gone: no record is left.
        meanings: what the annotations say that are left and not in conflict, by unique_id.
        conflicts: `record`, `media`, `data`, and unique_ids.
        disputes: by unique_id, the regions in conflict; none where all of the annotation is.
        task: what else the record says and no side disputes.
    """

    is_gone: bool = False
    meanings: dict[str, Meaning] = field(default_factory=dict[str, Meaning])
    conflicts: set[str] = field(default_factory=set[str])
    disputes: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    task: dict[str, Json] = field(default_factory=dict[str, Json])


def meanings(data: bytes | None) -> dict[str, Meaning]:
    """What each annotation of a record says, by unique_id."""
    found = cast("list[Document]", _read(data).get("annotations", []))
    return {str(one["unique_id"]): _meaning(one) for one in found}


def _read(data: bytes | None) -> Document:
    return json.loads(data) if data else {}


def _meaning(annotation: Document) -> Meaning:
    slots: Slots = {}
    for entry in cast("list[Document]", annotation["result"]):
        about, control = _about(entry), str(entry.get("from_name"))
        plain = {name: one for name, one in entry.items() if name != "origin"}
        if about == ("answer", _ANSWER):
            del plain["id"]
        if entry["type"] != "choices" and isinstance(value := entry.get("value"), dict):
            plain["value"] = {name: one for name, one in value.items() if name != "choices"}
        assert (about, control) not in slots, "this world has no twins"
        slots[about, control] = _json(_rounded(plain))
    return Meaning(whole=_json([annotation["skipped"], annotation["ground_truth"]]), slots=slots)


def _about(entry: Document) -> About:
    if entry["type"] == "relation":
        return ("relation", str(entry["from_id"]), str(entry["to_id"]))
    return ("answer", _ANSWER) if entry["from_name"] == _ANSWER else ("region", str(entry["id"]))


def _rounded(value: Json) -> Json:
    if isinstance(value, float):
        near = round(value, 6)
        return int(near) if near.is_integer() else near
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def _json(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def expect(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> Expected:
    """What merging three records must come to, each as its canonical bytes."""
    if ours is None or theirs is None:
        return _expect_of_one(base, ours or theirs)
    expected = Expected()
    sides = (meanings(base), meanings(ours), meanings(theirs))
    for unique_id in set[str]().union(*sides):
        triple = (sides[0].get(unique_id), sides[1].get(unique_id), sides[2].get(unique_id))
        candidates = list(_candidates(*triple))
        assert len(candidates) <= 1, "what is left is one candidate"
        if not candidates:
            expected.conflicts.add(unique_id)
            expected.disputes[unique_id] = _disputes(*triple)
        elif candidates[0] is not None:
            expected.meanings[unique_id] = candidates[0]
    _expect_task(expected, _read(base), _read(ours), _read(theirs))
    return expected


def _expect_of_one(base: bytes | None, left: bytes | None) -> Expected:
    """One side has no record."""
    if left is None or (base and _says(base) == _says(left)):
        return Expected(is_gone=True)
    if base:
        return Expected(conflicts={"record"})
    return Expected(meanings=meanings(left), task=_facts(_read(left)))


def _says(data: bytes) -> tuple[dict[str, Meaning], Json]:
    facts = _facts(_read(data))
    return meanings(data), {name: one for name, one in facts.items() if name not in _FACTS}


def _candidates(
    base: Meaning | None, ours: Meaning | None, theirs: Meaning | None
) -> Iterator[Meaning | None]:
    """What may become of an annotation by the laws; None: it is gone."""
    for candidate in _conceivable(base, ours, theirs):
        if not all(_has_last_word(candidate, side, base) for side in (ours, theirs)):
            continue
        if candidate and base and ours and theirs:
            if _is_lawful(candidate, base, (ours, theirs)):
                yield candidate
        else:
            yield candidate


def _is_lawful(candidate: Meaning, base: Meaning, sides: tuple[Meaning, Meaning]) -> bool:
    wholes = {side.whole for side in sides} - {base.whole} or {base.whole}
    if wholes != {base.whole} and not all(side in (base, candidate) for side in sides):
        return False
    abouts = {about for one in (candidate, base, *sides) for about in one.abouts}
    return (
        {candidate.whole} == wholes
        and all(_is_sound(about, candidate, base, sides) for about in abouts)
        and not _torn([candidate], sides)
    )


def _conceivable(*sides: Meaning | None) -> Iterator[Meaning | None]:
    known = [side for side in sides if side is not None]
    if len(known) < len(sides):
        yield None
    slots = sorted({slot for side in known for slot in side.slots})
    options = [sorted({side.slots.get(slot, "") for side in known}) for slot in slots]
    for whole in sorted({side.whole for side in known}):
        for values in itertools.product(*options):
            chosen = {slot: value for slot, value in zip(slots, values, strict=True) if value}
            yield Meaning(whole=whole, slots=chosen)


def _has_last_word(candidate: Meaning | None, side: Meaning | None, base: Meaning | None) -> bool:
    """Who adds, removes, skips or marks an annotation says all of it; others say nothing."""
    if side == base:
        return True
    if candidate is None or side is None or base is None or side.whole != base.whole:
        return candidate == side
    return True


def _is_sound(
    about: About, candidate: Meaning, base: Meaning, sides: tuple[Meaning, Meaning]
) -> bool:
    """The laws of one region, relation or answer."""
    stated, known = candidate.about(about), base.about(about)
    for slot in {slot for one in (base, *sides) for slot in one.slots if slot[0] == about}:
        changed = [
            side.slots.get(slot) for side in sides if side.slots.get(slot) != known.get(slot)
        ]
        if any(stated.get(slot) != value for value in changed or [known.get(slot)]):
            return False
    of_sides = [side.about(about) for side in sides]
    if known and {} in of_sides:
        return not stated and all(one in ({}, known) for one in of_sides)
    return stated in of_sides or (bool(stated) and {} not in of_sides and _is_one_place(stated))


def _is_one_place(slots: Slots) -> bool:
    places: set[str] = set()
    for value in slots.values():
        stated = cast("dict[str, Json]", json.loads(value)["value"])
        places.add(_json({name: one for name, one in stated.items() if name not in _SPOKEN}))
    return len(places) == 1


def _torn(outcomes: list[Meaning], sides: tuple[Meaning, Meaning]) -> set[About]:
    """Relations of an outcome, with those of their ends that an outcome is without."""
    torn: set[About] = set()
    for relation in {about for one in outcomes for about in one.abouts if about[0] == "relation"}:
        for end in (("region", name) for name in relation[1:]):
            is_missing = any(end not in one.abouts for one in outcomes)
            holders = [side for side in sides if relation in side.abouts]
            if is_missing and all(end in side.abouts for side in holders):
                torn |= {relation, end}
    return torn


def _disputes(base: Meaning | None, ours: Meaning | None, theirs: Meaning | None) -> set[str]:
    """What regions are called that keep an annotation from being merged; none: all of it does."""
    if base is None or ours is None or theirs is None:
        return set()
    if len({one.whole for one in (base, ours, theirs)}) > 1:
        return set()
    sides = (ours, theirs)
    agreed: Slots = {}
    disputed: set[About] = set()
    for about in base.abouts | ours.abouts | theirs.abouts:
        local = [
            one.about(about)
            for one in _local(about, base, sides)
            if _is_sound(about, one, base, sides)
        ]
        if local:
            agreed.update(local[0])
        else:
            disputed.add(about)
    outcomes = [
        Meaning(
            whole=base.whole,
            slots={
                **agreed,
                **{slot: one for slot, one in side.slots.items() if slot[0] in disputed},
            },
        )
        for side in sides
    ]
    return {_name(about) for about in disputed | _torn(outcomes, sides)}


def _local(about: About, base: Meaning, sides: tuple[Meaning, Meaning]) -> Iterator[Meaning]:
    """Every conceivable way to speak of one thing alone."""
    ones = [Meaning(whole=base.whole, slots=one.about(about)) for one in (base, *sides)]
    for candidate in _conceivable(*ones):
        if candidate is not None:
            yield candidate


def _name(about: About) -> str:
    return " → ".join(about[1:])


def _expect_task(expected: Expected, base: Document, ours: Document, theirs: Document) -> None:
    before, mine, other = _facts(base), _facts(ours), _facts(theirs)
    names = before.keys() | mine.keys() | other.keys()
    if mine["media"] != other["media"]:
        if before.get("media") not in (mine["media"], other["media"]):
            expected.conflicts.add("media")
        else:
            # A picture comes with what is known of it.
            taken = other if before.get("media") == mine["media"] else mine
            expected.task = {name: taken[name] for name in ("media", *_FACTS) if name in taken}
        names -= {"media", *_FACTS}
    elif before.get("media") != mine["media"]:
        # What is known of another picture says nothing of this one.
        before = {name: one for name, one in before.items() if name not in _FACTS}
    for name in sorted(names):
        values = [_json([side[name]] if name in side else []) for side in (before, mine, other)]
        changed = {value for value in values[1:] if value != values[0]} or {values[0]}
        if len(changed) > 1:
            expected.conflicts.add("data" if name.startswith("data.") else "media")
        elif value := cast("list[Json]", json.loads(changed.pop())):
            expected.task[name] = value[0]


def _facts(record: Document) -> dict[str, Json]:
    """What a record says beside its annotations, flat."""
    if not record:
        return {"quarantined": False}
    task = cast("dict[str, Json]", record["task"])
    media = cast("dict[str, Json]", task["media"])
    data = cast("dict[str, Json]", task.get("data", {}))
    return {
        "quarantined": record.get("quarantined", False),
        "media": [media["checksum"], media["size_bytes"]],
        **{name: media[name] for name in _FACTS if name in media},
        **{f"data.{name}": value for name, value in data.items()},
    }
