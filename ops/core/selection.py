"""Which tasks a round is asked to take.

Owns what can be asked for, how the manifest words it, and the choice among keys and states; pure,
so the same input gives the same tasks on any machine. Reads no repository: that is
ops/runner/selection.py.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.core.documents import Fields, kind
from ops.core.lines import maybe, texts
from ops.core.records import Json, TaskKey, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tasks a round was asked to take.

    Attributes:
        labeled_too: tasks that have an annotation already are not left out.
        limit: at most so many, the first by key.
        sample: so many by chance, the same for one seed on any machine.
        seed: the seed of the sample.
        edit: annotators see the tasks' annotations and may change them.
        keys: only these, named one by one and sorted, whatever their state; None for any.
    """

    labeled_too: bool = False
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    edit: bool = False
    keys: tuple[TaskKey, ...] | None = None

    def as_mapping(self) -> dict[str, Json]:
        """The selection as the manifest holds it."""
        return {
            "edit": self.edit,
            "keys": None if self.keys is None else list(self.keys),
            "labeled_too": self.labeled_too,
            "limit": self.limit,
            "sample": self.sample,
            "seed": self.seed,
        }

    @property
    def in_words(self) -> str:
        """The selection for people: `tasks nobody has labeled, 50 by chance (seed 7)`."""
        if self.keys is not None:
            said = [f"{len(self.keys)} tasks named one by one"]
        elif self.edit:
            said = ["labeled tasks"]
        else:
            said = ["labeled tasks too" if self.labeled_too else "tasks nobody has labeled"]
        said += ["with their labels to be changed"] if self.edit else []
        said += [f"{self.sample} by chance (seed {self.seed})"] if self.sample is not None else []
        said += [f"at most {self.limit}"] if self.limit is not None else []
        return ", ".join(said)


def decode_selection(fields: Fields) -> Selection:
    """A selection from the manifest that holds it.

    Raises:
        InvalidDataError: it is none.
    """
    fields.only(_SELECTION_FIELDS)
    return Selection(
        edit=fields.boolean("edit"),
        keys=maybe(
            fields, "keys", lambda name: tuple(map(TaskKey, texts(fields, name, "task key")))
        ),
        labeled_too=fields.boolean("labeled_too"),
        limit=maybe(fields, "limit", fields.integer),
        sample=maybe(fields, "sample", fields.integer),
        seed=_seed(fields),
    )


_SELECTION_FIELDS = frozenset(Selection().as_mapping())


def _seed(fields: Fields) -> int:
    """A whole number, below zero too."""
    seed = fields.any("seed")
    if not isinstance(seed, int) or isinstance(seed, bool):
        fields.refuse("seed", f"must be a whole number, not {kind(seed)}")
    return seed


def select(
    keys: Iterable[TaskKey], states: Mapping[TaskKey, TaskState], selection: Selection
) -> Sequence[TaskKey]:
    """The keys a selection takes, by key; the same for the same input on any machine.

    A sample orders the candidates by the SHA-256 of `seed:key` and takes the first: adding images
    changes a sample only by the new ones that come before its last. Tasks named one by one are
    taken in whatever state they are; a name nobody has is passed over.

    Args:
        keys: every image's key.
        states: the state of each task that has a record.
        selection: what was asked for.
    """
    if selection.keys is not None:
        named = frozenset(selection.keys)
        taken = [key for key in keys if key in named]
    else:
        taken = [key for key in keys if _fits(states.get(key, TaskState.UNFINISHED), selection)]
    if selection.sample is not None:
        taken = sorted(taken, key=lambda key: _chance(selection.seed, key))[: selection.sample]
    return sorted(taken)[: selection.limit]


def _fits(state: TaskState, selection: Selection) -> bool:
    if selection.edit:
        return state in {TaskState.LABELED, TaskState.EMPTY} and selection.labeled_too
    return selection.labeled_too or state in {TaskState.UNFINISHED, TaskState.QUARANTINED}


def _chance(seed: int, key: TaskKey) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()
