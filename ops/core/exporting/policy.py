"""Which of several answers to one task is exported.

Owns the policies but the vote (majority.py). Skips are no answers, and a quarantined task has none
that counts. A task is exported as labeled, as empty, or not at all: which of them is never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ops.core.exporting.majority import vote
from ops.core.exporting.words import Policy
from ops.core.records import Annotation, Record, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is exported of a task.

    Attributes:
        exported_as: labeled or empty; None where none of the task's answers is exported.
        answers: the annotations; several with the policy all only.
        why: what is to be known of it, for the side file; empty where nothing is.
        is_undecided: the policy leaves it open; without one, several answers.
        outvoted: regions and answers that people gave and the vote left out.
        ties: of them, those exactly half of the people gave.
    """

    exported_as: TaskState | None
    answers: tuple[Annotation, ...] = ()
    why: str = ""
    is_undecided: bool = False
    outvoted: int = 0
    ties: int = 0


NOTHING = Chosen(exported_as=None)


def choose(record: Record, policy: Policy | None) -> Chosen:
    """What is exported of a task; with policy None only a task with one answer is decided."""
    if record.state not in {TaskState.LABELED, TaskState.EMPTY}:
        return NOTHING
    answers = [one for one in record.annotations if not one.skipped]
    if policy is None and len(answers) > 1:
        said = f"{len(answers)} answers and no policy"
        return Chosen(exported_as=None, why=said, is_undecided=True)
    match policy:
        case None | Policy.ALL:
            return _of(answers)
        case Policy.GROUND_TRUTH:
            return _truth([one for one in answers if one.ground_truth])
        case Policy.LATEST:
            return _of([max(answers, key=lambda one: (one.updated_at, one.unique_id))])
        case Policy.MAJORITY:
            return _majority(answers)
        case _:
            assert_never(policy)


def _of(answers: Sequence[Annotation], why: str = "") -> Chosen:
    state = TaskState.LABELED if any(one.result for one in answers) else TaskState.EMPTY
    return Chosen(exported_as=state, answers=tuple(answers), why=why)


def _truth(marked: Sequence[Annotation]) -> Chosen:
    if not marked:
        return Chosen(exported_as=None, why="no ground truth")
    if len(marked) > 1:
        said = f"{len(marked)} annotations are marked as ground truth"
        return Chosen(exported_as=None, why=said, is_undecided=True)
    return _of(marked)


def _majority(answers: Sequence[Annotation]) -> Chosen:
    found = vote(answers)
    if found.answer is None:
        return Chosen(exported_as=None, why="no majority", outvoted=found.outvoted, ties=found.ties)
    said = f"{found.outvoted} outvoted, {found.ties} of them ties" if found.outvoted else ""
    state = TaskState.LABELED if found.answer.result else TaskState.EMPTY
    return Chosen(
        exported_as=state,
        answers=(found.answer,),
        why=said,
        outvoted=found.outvoted,
        ties=found.ties,
    )
