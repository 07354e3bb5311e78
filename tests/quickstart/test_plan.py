"""Which chapters are left, and what is read out of a version; no server."""

from dataclasses import replace

import pytest

from ops.core.records import CommitId, TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection
from ops.quickstart.plan import Chapter, Seen, plan_story
from ops.quickstart.reading import Row, VersionRead

KEY = TaskKey("digits/0001.png")
OPEN = Manifest(
    id="0" * 32,
    name="first",
    base=CommitId("c" * 64),
    actor="ann",
    created_at="2026-11-21T14:02:00.000000Z",
    selection=Selection(),
    task_count=2,
    tasks_digest="sha256:00",
    ontology_digest="sha256:11",
    state=RoundState.OPEN,
)
STARTING = replace(OPEN, state=RoundState.STARTING)
FINISHED = replace(OPEN, state=RoundState.FINISHED, version=1)
ALL = tuple(Chapter)


@pytest.mark.parametrize(
    ("seen", "left"),
    [
        (Seen(), ALL),
        (Seen(has_pictures=True), (ALL[0], *ALL[2:])),
        (Seen(is_set_up=True), ALL[1:]),
        (Seen(is_set_up=True, has_pictures=True), ALL[2:]),
        (Seen(is_set_up=True, first=STARTING), ALL[2:]),
        (Seen(is_set_up=True, first=OPEN), ALL[3:]),
        (Seen(is_set_up=True, first=FINISHED, disputed=(KEY,)), ALL[4:]),
        (Seen(is_set_up=True, first=FINISHED, disputed=()), ()),
        (Seen(is_set_up=True, first=FINISHED, second=STARTING), ALL[4:]),
        (Seen(is_set_up=True, first=FINISHED, second=OPEN), ALL[5:]),
        (Seen(is_set_up=True, first=FINISHED, second=FINISHED), ()),
    ],
)
def test_what_is_there_is_left_alone(seen: Seen, left: tuple[Chapter, ...]) -> None:
    """The plan is the rest of the chapters, in their order."""
    steps = plan_story(seen, repository="cheese", count=20)
    assert tuple(step.chapter for step in steps) == left


def test_steps_say_what_they_do_and_what_a_person_would_type() -> None:
    """In words, with the command, and numbered."""
    steps = plan_story(Seen(), repository="cheese", count=20)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[0].text == "set up repository cheese for the labels 0 to 9"
    assert steps[1].text == "add 20 hand-written digits and 5 photographs"
    assert all(step.command.startswith("ops ") for step in steps)


@pytest.mark.parametrize(("count", "words"), [(1, "the 1 task they"), (2, "the 2 tasks they")])
def test_the_disputed_tasks_are_counted(count: int, words: str) -> None:
    """Once it is known how many there are."""
    disputed = tuple(TaskKey(f"digits/{number:04}.png") for number in range(count))
    seen = Seen(is_set_up=True, first=FINISHED, disputed=disputed)
    assert words in plan_story(seen, repository="cheese", count=20)[0].text


def _row(key: str, annotator: str, label: str | None, *, region: str = "r") -> Row:
    return Row(
        key=TaskKey(key),
        annotator=annotator,
        unique_id=f"{annotator} {key}",
        region_id=region,
        label=label,
    )


def _read(*rows: Row) -> VersionRead:
    return VersionRead(tag="v1", uri="s3://cheese/v1", size_bytes=1, rows=rows)


def test_disputed_is_what_two_people_label_differently() -> None:
    """Not what one person saw alone, nor the same labels in another order."""
    read = _read(
        _row("agreed", "ann", "3"),
        _row("agreed", "ben", "3"),
        _row("disputed", "ann", "3"),
        _row("disputed", "ben", "8"),
        _row("alone", "ann", "1"),
        _row("both", "ann", "1", region="a"),
        _row("both", "ann", "2", region="b"),
        _row("both", "ben", "2", region="a"),
        _row("both", "ben", "1", region="b"),
        _row("twice", "ann", "1"),
        _row("twice", "ben", "1", region="a"),
        _row("twice", "ben", "1", region="b"),
    )
    assert read.disputed() == ("disputed", "twice")


def test_labels_differ_by_region() -> None:
    """Another label, a region more and a region fewer each count once; its row's place does not."""
    before = _read(_row("a", "ann", "3"), _row("b", "ann", "4"), _row("c", "ann", "5"))
    after = _read(_row("d", "ann", "6"), _row("b", "ann", "9"), _row("a", "ann", "3"))
    assert before.differing_count(before) == 0
    assert before.differing_count(after) == after.differing_count(before) == 3


def test_labels_are_counted_and_relations_are_none() -> None:
    """By label, in order."""
    read = _read(_row("a", "ann", "3"), _row("b", "ann", "1"), _row("b", "ben", "3"),
                 _row("c", "ann", None))  # fmt: skip
    assert list(read.labels.items()) == [("1", 1), ("3", 2)]
