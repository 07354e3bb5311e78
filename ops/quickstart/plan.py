"""What is left of the quickstart's story: a pure function from how far a repository is to chapters.

Owns the chapters, their order and their words. Does not tell them (story.py).
"""

from dataclasses import dataclass
from enum import StrEnum

from ops.core.records import TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.quickstart.pictures import PHOTOGRAPHS

FIRST, SECOND = "first", "second"


class Chapter(StrEnum):
    """The story's chapters, in their order."""

    SET_UP = "set-up"
    PICTURES = "pictures"
    START_FIRST = "start-first"
    LABEL_FIRST = "label-first"
    START_SECOND = "start-second"
    LABEL_SECOND = "label-second"


_COMMANDS = {
    Chapter.SET_UP: "ops init --label-config FILE",
    Chapter.PICTURES: "ops data add DIR",
    Chapter.START_FIRST: f"ops round start {FIRST}",
    Chapter.LABEL_FIRST: f"ops round sync {FIRST}, diff {FIRST}, finish {FIRST} --allow-unlabeled",
    Chapter.START_SECOND: f"ops round start {SECOND} --edit --tasks FILE",
    Chapter.LABEL_SECOND: f"ops round sync {SECOND}, diff {SECOND}, finish {SECOND}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How far a repository is.

    Attributes:
        is_set_up: repository, ontology and protection are there.
        has_pictures: so are all pictures; no matter once there is a round.
        first, second: the rounds' manifests, or None.
        disputed: the tasks with two answers in the first round's version; None before there is one,
            and where the second round is there already.
    """

    is_set_up: bool = False
    has_pictures: bool = False
    first: Manifest | None = None
    second: Manifest | None = None
    disputed: tuple[TaskKey, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One chapter that is still to come, in words."""

    chapter: Chapter
    text: str

    @property
    def number(self) -> int:
        """The chapter's, from one."""
        return 1 + list(Chapter).index(self.chapter)

    @property
    def command(self) -> str:
        """What a person would type for it; Ann and Ben would use their browsers."""
        return _COMMANDS[self.chapter]


def plan_story(seen: Seen, *, repository: str, count: int) -> tuple[Step, ...]:
    """The chapters that are left, in order; none where the whole story is there.

    A first round keeps the pictures it has: with one there, none are added.
    """
    steps: list[Step] = []

    def add(chapter: Chapter, text: str) -> None:
        steps.append(Step(chapter=chapter, text=text))

    if not seen.is_set_up:
        add(Chapter.SET_UP, f"set up repository {repository} for the labels 0 to 9")
    if seen.first is None and not seen.has_pictures:
        photographs = len(PHOTOGRAPHS)
        add(Chapter.PICTURES, f"add {count} hand-written digits and {photographs} photographs")
    if seen.first is None or seen.first.state is RoundState.STARTING:
        add(Chapter.START_FIRST, f"start round {FIRST}: put every picture before Ann and Ben")
    if seen.first is None or seen.first.state is not RoundState.FINISHED:
        add(Chapter.LABEL_FIRST, "Ann and Ben label; sync, compare and finish")
    if seen.disputed == ():
        return tuple(steps)
    which = "what" if seen.disputed is None else f"the {count_tasks(len(seen.disputed))}"
    if seen.second is None or seen.second.state is RoundState.STARTING:
        add(Chapter.START_SECOND, f"start round {SECOND}: put {which} they disagree on before Ben")
    if seen.second is None or seen.second.state is not RoundState.FINISHED:
        add(Chapter.LABEL_SECOND, "Ben corrects himself; sync, compare and finish")
    return tuple(steps)


def count_tasks(count: int) -> str:
    """A number of tasks, in words."""
    return "1 task" if count == 1 else f"{count} tasks"
