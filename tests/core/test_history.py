"""Blame and log of a task, against an oracle that knows who did what because it did it."""

import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from ops.core.canonical import content, normalise_record
from ops.core.history import Blame, Change, Place, Revision, TaskChange, Verb, blame, task_log
from ops.core.records import Annotation, CommitId, Json, Media, Record, Task, TaskKey, TaskState
from tests.laws import note

KEY = TaskKey("cheese/1.jpg")
TASK = Task(key=KEY, media=Media(path=f"images/{KEY}", checksum="c", size_bytes=1))
PEOPLE = ("ada@example.com", "bob@example.com", "eve@example.com")

Spoken: TypeAlias = dict[tuple[str, str], tuple[str, int]]
"""What an annotation says, as the oracle keeps it: label and x by region and control."""


@dataclass
class Sheet:
    """One annotation as the oracle keeps it."""

    annotator: str
    editor: str
    round: str
    skipped: bool = False
    spoken: Spoken = field(default_factory=Spoken)


Desk: TypeAlias = dict[str, Sheet]


@dataclass
class Stand:
    """A version as the oracle keeps it: what was said, and what made it."""

    desk: Desk | None
    kind: str
    round: str | None
    actor: str


def entry(region: str, control: str, spoken: tuple[str, int], dice: random.Random) -> Json:
    """An entry of a result, in a form that differs from save to save where nothing is said."""
    label, x = spoken
    place: dict[str, Json] = {"x": float(x) if dice.random() < 0.5 else x, "y": 5}
    noise: dict[str, Json] = {"origin": "manual"} if dice.random() < 0.3 else {}
    if control == "":
        start, _, end = region.partition(" → ")
        return {"type": "relation", "from_id": start, "to_id": end, "labels": [f"{label}{x}"]}
    return {
        "id": region,
        "type": "choices" if control == "kind" else "rectanglelabels",
        "from_name": control,
        "to_name": "image",
        "value": {**place, "choices" if control == "kind" else "rectanglelabels": [label]},
        **noise,
    }


def record(desk: Desk | None, dice: random.Random) -> Record | None:
    """The record that says what is on the desk, with times and order by chance."""
    if desk is None:
        return None
    moment = f"2026-11-21T14:03:00.{dice.randrange(10**6):06}Z"
    annotations: list[Annotation] = []
    for unique_id, sheet in desk.items():
        entries = [entry(*place, spoken, dice) for place, spoken in sheet.spoken.items()]
        dice.shuffle(entries)
        annotations.append(
            Annotation(
                unique_id=unique_id,
                annotator=sheet.annotator,
                updated_by=None if sheet.editor == sheet.annotator else sheet.editor,
                round=sheet.round,
                created_at="2026-11-21T14:02:00.000000Z",
                updated_at=moment,
                ontology_digest="0" * 64,
                lead_time_s=dice.random(),
                skipped=sheet.skipped,
                result=tuple(one for one in entries if isinstance(one, dict)),
            )
        )
    return normalise_record(Record(task=TASK, annotations=tuple(annotations)))


def edit(sheet: Sheet, who: str, round_name: str, dice: random.Random) -> None:
    """One person's edits in one round; whose result says the same stays the earlier round's."""
    before = deepcopy((sheet.skipped, sheet.spoken))
    for _ in range(dice.randrange(4)):
        region = dice.choice("abc")
        act = dice.randrange(6)
        if act <= 2:
            x = dice.choice((0, 10))
            sheet.spoken[region, dice.choice(("label", "kind"))] = (dice.choice("mn"), x)
        elif act == 3:
            sheet.spoken.pop((region, dice.choice(("label", "kind"))), None)
        elif act == 4:
            sheet.spoken[f"a → {region}", ""] = (dice.choice("mn"), 0)
        else:
            sheet.skipped = not sheet.skipped
    if (sheet.skipped, sheet.spoken) != before:
        sheet.editor, sheet.round = who, round_name


def work(desk: Desk, round_name: str, dice: random.Random) -> None:
    """What people do in a round: edit, annotate anew, delete."""
    for unique_id in sorted(desk):
        if dice.random() < 0.15:
            del desk[unique_id]
        elif dice.random() < 0.6:
            edit(desk[unique_id], dice.choice(PEOPLE), round_name, dice)
    if dice.random() < 0.5:
        who = dice.choice(PEOPLE)
        sheet = Sheet(annotator=who, editor=who, round=round_name)
        edit(sheet, who, round_name, dice)
        desk[f"u{dice.randrange(10**9):09}"] = sheet


def play(dice: random.Random) -> list[Stand]:
    """A task's life: rounds, reverts, the record's end and its return."""
    stands: list[Stand] = []
    for number in range(dice.randrange(2, 12)):
        desk = deepcopy(stands[-1].desk) if stands else None
        act = dice.random()
        if stands and act < 0.2:
            desk = deepcopy(dice.choice(stands).desk)
            stands.append(Stand(desk=desk, kind="revert", round=None, actor="lena@example.org"))
        elif stands and act < 0.25:
            stands.append(Stand(desk=None, kind="revert", round=None, actor="rita@example.org"))
        else:
            desk = desk or {}
            work(desk, f"r{number}", dice)
            stands.append(Stand(desk=desk, kind="finish", round=f"r{number}", actor="lena"))
    return stands


def revisions(stands: Sequence[Stand], dice: random.Random) -> list[Revision]:
    """The same life as the runner reads it."""
    found: list[Revision] = []
    kept: dict[int, Record | None] = {}
    for number, stand in enumerate(stands):
        # A version that says what an earlier one said may have its record to the byte, or not.
        same = [i for i in range(number) if stands[i].desk == stand.desk]
        kept[number] = kept[same[-1]] if same and dice.random() < 0.5 else record(stand.desk, dice)
        found.append(
            Revision(
                commit=CommitId(f"{number:064}"),
                made_at=f"2026-11-{number + 1:02}T00:00:00.000000Z",
                kind=stand.kind,
                round=stand.round,
                actor=stand.actor,
                version=number + 1,
                record=kept[number],
            )
        )
    return found


def told(desk: Desk | None) -> dict[Place, object]:
    """Everything that is said on a desk, by place."""
    found: dict[Place, object] = {}
    for unique_id, sheet in (desk or {}).items():
        found[Place(annotation=unique_id)] = (sheet.skipped, not sheet.spoken)
        for (region, control), spoken in sheet.spoken.items():
            place = Place(annotation=unique_id, region=region, control=control)
            found[place] = spoken
    return found


Verdict: TypeAlias = tuple[int, Verb, str | None, str | None]


def expected(stands: Sequence[Stand]) -> list[dict[Place, Verdict]]:
    """For each version, what it did to which place, and who did it, by comparing neighbours."""
    found: list[dict[Place, Verdict]] = []
    old: dict[Place, object] = {}
    for number, stand in enumerate(stands):
        new, verdicts = told(stand.desk), dict[Place, Verdict]()
        for place in old.keys() | new.keys():
            if old.get(place) == new.get(place):
                continue
            verb = Verb.ADDED if place not in old else Verb.CHANGED
            verb = verb if place in new else Verb.REMOVED
            sheet = (stand.desk or {}).get(place.annotation)
            person = sheet.editor if sheet else None
            if stand.round is None:
                person = stand.actor
            verdicts[place] = (number + 1, verb, person, stand.round)
        found.append(verdicts)
        old = new
    return found


def verdict(change: Change) -> Verdict:
    """The same of what the code under test says."""
    return (change.revision.version or 0, change.verb, change.person, change.round)


def compare(stands: Sequence[Stand], log: Sequence[TaskChange], found: Blame) -> None:
    """Hold log and blame against the oracle."""
    wanted = expected(stands)
    by_version = {entry.revision.version: entry for entry in log}
    last: dict[Place, Verdict] = {}
    for number, verdicts in enumerate(wanted, start=1):
        entry = by_version.get(number)
        changes = entry.changes if entry else ()
        assert {one.place: verdict(one) for one in changes} == verdicts
        last.update(verdicts)
    gone = {place: one for place, one in last.items() if one[1] is Verb.REMOVED}
    assert {one.place: verdict(one) for one in found.removed} == gone
    assert {one.place: verdict(one) for one in found.present} == {
        place: one for place, one in last.items() if place not in gone
    }


@given(st.randoms(use_true_random=False))
def test_blame_is_who_did_it(dice: random.Random) -> None:
    """The last version in which it was said otherwise, and the person who then said it."""
    stands = play(dice)
    log = list(task_log(revisions(stands, dice)))
    compare(stands, log, blame(log))


def test_many_lives_are_told_as_they_were() -> None:
    """A thousand, and most have an edit, a removal, a return and a revert in them."""
    seen: dict[str, int] = {}
    for seed in range(1_000):
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        stands = play(dice)
        log = list(task_log(revisions(stands, dice)))
        compare(stands, log, blame(log))
        for name in {f"{one.verb.value} {one.revision.kind}" for e in log for one in e.changes}:
            seen[name] = seen.get(name, 0) + 1
    assert min(seen.values()) > 50, seen
    assert len(seen) == 6
    note("blame", "1000 histories of a task: every region to the version and person, as done")


@given(st.randoms(use_true_random=False))
def test_log_says_what_differs(dice: random.Random) -> None:
    """An entry without a change has equal content; states follow one on the other."""
    lives = revisions(play(dice), dice)
    records = {one.commit: one.record for one in lives}
    state: TaskState | None = None
    for entry in task_log(lives):
        assert entry.before == state
        state = entry.after
        position = [one.commit for one in lives].index(entry.revision.commit)
        before_record = lives[position - 1].record if position else None
        assert entry.revision.record != before_record
        before = _said(before_record)
        assert bool(entry.changes) == (before != _said(records[entry.revision.commit]))


def _said(record: Record | None) -> Mapping[str, bytes]:
    return {one.unique_id: content(one) for one in record.annotations} if record else {}


def test_editor_additions_are_nobodys_words() -> None:
    """A save of what nobody changed, with the answer copied into the box."""
    box = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    answer = entry("a", "kind", ("n", 1), random.Random(1))  # noqa: S311
    assert isinstance(box, dict)
    assert isinstance(answer, dict)
    value = box["value"]
    assert isinstance(value, dict)
    saved: dict[str, Json] = {**box, "origin": "manual", "value": {**value, "choices": ["n"]}}
    first = _one(box, answer)
    second = replace(first, result=(saved, answer), updated_by=PEOPLE[1], round="r2")
    lives = [_revision(1, first), _revision(2, second)]
    log = list(task_log(lives))
    assert [len(entry.changes) for entry in log] == [3, 0]
    assert {one.person for one in blame(log).present} == {PEOPLE[0]}


def test_one_of_two_equal_entries_is_a_change() -> None:
    """Twins are two: nobody may lose one unseen."""
    box = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    assert isinstance(box, dict)
    log = list(
        task_log([_revision(1, _one(box, box)), _revision(2, replace(_one(box), round="r2"))])
    )
    assert [one.verb for one in log[1].changes] == [Verb.CHANGED]


def test_twins_in_another_order_are_no_change() -> None:
    """The editor's `origin` reorders the entries of one control about one region."""
    one = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    two = entry("a", "label", ("n", 1), random.Random(1))  # noqa: S311
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    plain = {name: value for name, value in one.items() if name != "origin"}
    marked = {**two, "origin": "manual"}
    first = _one(plain, marked)
    second = replace(_one({**one, "origin": "manual"}, marked), round="r2")
    log = list(task_log([_revision(1, first), _revision(2, second)]))
    assert [len(entry.changes) for entry in log] == [2, 0]


def test_merged_rounds_are_told_apart_by_the_branch() -> None:
    """Main's annotation has the other round's name and person; the branch has this round's."""
    one = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    two = entry("b", "label", ("m", 1), random.Random(1))  # noqa: S311
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    later = "2026-11-21T14:03:00.000000Z"
    first = replace(_one(one), updated_by=PEOPLE[1], updated_at=later)
    merged = replace(first, result=(one, two))
    branch = replace(_one(two), round="r2", updated_by=PEOPLE[2], updated_at=later)
    second = _revision(2, merged)
    told_apart = replace(
        second, in_round=normalise_record(Record(task=TASK, annotations=(branch,)))
    )
    for revision, person in ((second, None), (told_apart, PEOPLE[2])):
        [change] = list(task_log([_revision(1, first), revision]))[1].changes
        assert (change.person, change.round) == (person, "r2")


def test_submitting_in_a_name_is_that_persons_word() -> None:
    """Label Studio notes whose token it was, microseconds after; an hour later it is an edit."""
    box = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    assert isinstance(box, dict)
    for updated_at, person in (
        ("2026-11-21T14:02:00.000020Z", PEOPLE[0]),
        ("2026-11-21T15:02:00.000000Z", PEOPLE[1]),
    ):
        one = replace(_one(box), updated_by=PEOPLE[1], updated_at=updated_at)
        [entry_] = task_log([_revision(1, one)])
        assert {change.person for change in entry_.changes} == {person}


def test_around_ops_only_the_annotation_speaks() -> None:
    """No kind, no round: the record is all there is."""
    box = entry("a", "label", ("m", 1), random.Random(1))  # noqa: S311
    assert isinstance(box, dict)
    revision = replace(_revision(1, _one(box)), kind=None, round=None, actor=None, version=None)
    gone = replace(revision, record=None, commit=CommitId("9" * 64))
    log = list(task_log([revision, gone]))
    assert {(one.person, one.round) for one in log[0].changes} == {(PEOPLE[0], "r1")}
    assert {(one.person, one.round) for one in log[1].changes} == {(None, None)}
    assert (log[1].before, log[1].after) == (TaskState.LABELED, None)
    assert [log[1].count(verb) for verb in Verb] == [0, 0, 1]


def _one(*entries: Mapping[str, Json]) -> Annotation:
    return Annotation(
        unique_id="u",
        annotator=PEOPLE[0],
        round="r1",
        created_at="2026-11-21T14:02:00.000000Z",
        updated_at="2026-11-21T14:02:00.000000Z",
        ontology_digest="0" * 64,
        result=tuple(entries),
    )


def _revision(number: int, annotation: Annotation) -> Revision:
    return Revision(
        commit=CommitId(f"{number:064}"),
        made_at="2026-11-21T15:00:00.000000Z",
        kind="finish",
        round=f"r{number}",
        actor="lena@example.org",
        version=number,
        record=normalise_record(Record(task=TASK, annotations=(annotation,))),
    )
