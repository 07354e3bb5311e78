"""What two people say of the quickstart's pictures.

Ann says what is written there. Ben looks at some of them only, and says what a very small
classifier says that has learned from digits nobody is shown: where the two disagree, they really
do. Owns these answers and how long each took; pure, the same on any machine. Does not put them
into Label Studio (labeling.py).
"""

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from ops.core.records import Json, TaskKey
from ops.quickstart.pictures import PHOTOGRAPHS, Digit

ANN = "ann@example.org"
BEN = "ben@example.org"

_BEN_SHARE = 0.6
_ANN_SKIPS = frozenset(PHOTOGRAPHS[:2])
_FEWEST_LEFT, _LEFT_OF = 3, 50
_TYPICAL_S, _SPREAD, _LONGEST_S = 3.2, 0.5, 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One person's answer to one task: a label, a skip, or (neither) nothing, on purpose."""

    key: TaskKey
    annotator: str
    label: str | None = None
    skipped: bool = False

    @property
    def lead_time_s(self) -> float:
        """How long it took: a few seconds, seldom many. Invented, as nobody sat there."""
        chance = random.Random(f"{self.annotator} {self.key}")  # noqa: S311 - to be repeated
        taken_s = chance.lognormvariate(math.log(_TYPICAL_S), _SPREAD)
        return round(min(taken_s, _LONGEST_S), 2)

    def unique_id(self, round_id: str) -> str:
        """The identity it is submitted under in a round: submitted twice, it is there once."""
        return str(uuid5(NAMESPACE_URL, f"ops:round/{round_id}/{self.annotator}/{self.key}"))

    def result(self) -> list[Mapping[str, Json]]:
        """What Label Studio is given: one region for a label, none otherwise."""
        if self.label is None:
            return []
        region_id = hashlib.sha256(f"{self.annotator} {self.key}".encode()).hexdigest()[:10]
        return [
            {
                "id": region_id,
                "from_name": "label",
                "to_name": "image",
                "type": "choices",
                "origin": "manual",
                "value": {"choices": [self.label]},
            }
        ]


class NearestMean:
    """The smallest classifier there is: a digit is what it looks most like on average."""

    def __init__(self, digits: Iterable[Digit]) -> None:
        """Learn the mean picture of each label."""
        by_label: dict[str, list[Digit]] = {}
        for digit in digits:
            by_label.setdefault(digit.label, []).append(digit)
        self._means = {label: _mean(group) for label, group in sorted(by_label.items())}

    def label(self, digit: Digit) -> str:
        """The label whose mean is nearest."""
        return min(self._means, key=lambda label: math.dist(self._means[label], digit.ink))


def _mean(digits: Sequence[Digit]) -> tuple[float, ...]:
    return tuple(sum(column) / len(digits) for column in zip(*(d.ink for d in digits), strict=True))


def make_answers(
    keys: Iterable[TaskKey],
    truth: Callable[[TaskKey], str],
    guess: Callable[[TaskKey], str],
) -> tuple[Answer, ...]:
    """Everything Ann and Ben say of some tasks, by task.

    The last digits nobody gets to. Photographs hold no digit: Ann submits most of them empty, and
    skips two, as Ben skips those he sees.

    Args:
        keys: the round's tasks.
        truth: the true label of a digit.
        guess: what the classifier takes a digit for.
    """
    ordered = sorted(keys)
    digits = [key for key in ordered if key not in PHOTOGRAPHS]
    left = max(_FEWEST_LEFT, len(digits) // _LEFT_OF)
    answers = [Answer(key=key, annotator=ANN, label=truth(key)) for key in digits[:-left]]
    answers += [
        Answer(key=key, annotator=BEN, label=guess(key)) for key in digits[:-left] if ben_sees(key)
    ]
    for key in ordered:
        if key in PHOTOGRAPHS:
            answers.append(Answer(key=key, annotator=ANN, skipped=key in _ANN_SKIPS))
            answers += [Answer(key=key, annotator=BEN, skipped=True)] if ben_sees(key) else []
    return tuple(sorted(answers, key=lambda answer: (answer.key, answer.annotator)))


def ben_sees(key: TaskKey) -> bool:
    """Whether Ben looks at a task: three in five, chosen by its key."""
    return hashlib.sha256(key.encode()).digest()[0] < _BEN_SHARE * 256
