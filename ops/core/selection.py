"""Which tasks a round is asked to take.

Owns what can be asked for, how the manifest words it, and the choice among keys and states; pure,
so the same input gives the same tasks on any machine. Reads no repository: that is
ops/runner/selection.py.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ops.core.documents import Fields, kind
from ops.core.lines import maybe, texts
from ops.core.ranking import Rank, Ranking, RankKind, decode_ranking, in_order
from ops.core.records import Json, TaskKey, TaskState
from ops.core.sampling import by_chance, part_of, stratified


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tasks a round was asked to take.

    Attributes:
        labeled_too: tasks that have an annotation already are not left out.
        limit: at most so many, the first by rank, or else by key.
        sample: so many by chance, the same for one seed on any machine.
        percent: this part of the candidates by chance, instead of a number.
        seed: the seed of the sample.
        by: an SQL expression of one value a task: the sample holds each value in proportion.
        edit: annotators see the tasks' annotations and may change them.
        keys: only these, named one by one and sorted, whatever their state; None for any.
        where: an SQL expression over `labels`, or a query that gives keys: only tasks it finds, in
            whatever state.
        saved: the name of the saved query that `where` is, as it read when the tasks were chosen.
        unlabeled: with `where` and `keys`, too, only tasks nobody has labeled.
        ranking: which come first.
    """

    labeled_too: bool = False
    limit: int | None = None
    sample: int | None = None
    percent: float | None = None
    seed: int = 0
    by: str | None = None
    edit: bool = False
    keys: tuple[TaskKey, ...] | None = None
    where: str | None = None
    saved: str | None = None
    unlabeled: bool = False
    ranking: Ranking | None = None

    def as_mapping(self) -> dict[str, Json]:
        """The selection as the manifest holds it; what came later is left out where unasked."""
        later: dict[str, Json] = {
            "by": self.by,
            "percent": self.percent,
            "ranking": self.ranking.as_mapping() if self.ranking else None,
            "saved": self.saved,
            "unlabeled": self.unlabeled or None,
            "where": self.where,
        }
        return {
            "edit": self.edit,
            "keys": None if self.keys is None else list(self.keys),
            "labeled_too": self.labeled_too,
            "limit": self.limit,
            "sample": self.sample,
            "seed": self.seed,
            **{name: value for name, value in later.items() if value is not None},
        }

    @property
    def as_asked(self) -> "Selection":
        """What a person asked for, without what was found at the commit: two can be compared."""
        ranking = self.ranking
        if ranking is not None:
            own = ranking.kind is RankKind.FILE
            ranking = replace(
                ranking,
                file=ranking.file and ranking.file.rpartition("/")[2],
                sha256=ranking.sha256 if own else None,
                ranks=None,
            )
        return replace(self, where=None if self.saved else self.where, ranking=ranking)

    @property
    def in_words(self) -> str:
        """The selection for people: `tasks nobody has labeled, 50 by chance (seed 7)`."""
        said = [self._whose]
        said += [f"of saved query {self.saved}: {self.where}"] if self.saved else []
        said += [f"where {self.where}"] if self.where and not self.saved else []
        said += ["with their labels to be changed"] if self.edit else []
        said += [f"{self._sample} by chance (seed {self.seed})"] if self._sample else []
        said += [f"each {self.by} in proportion"] if self.by else []
        said += [self.ranking.in_words] if self.ranking else []
        said += [f"at most {self.limit}"] if self.limit is not None else []
        return ", ".join(said)

    @property
    def _whose(self) -> str:
        if self.keys is not None:
            named = f"{len(self.keys)} tasks named one by one"
            return f"{named}, if nobody has labeled them" if self.unlabeled else named
        if self.edit:
            return "labeled tasks"
        if self.is_disputed:
            return "tasks whose annotators disagree"
        if self.where or self.saved:
            return "tasks nobody has labeled" if self.unlabeled else "tasks in any state"
        return "labeled tasks too" if self.labeled_too else "tasks nobody has labeled"

    @property
    def _sample(self) -> str:
        if self.sample is not None:
            return str(self.sample)
        return f"{self.percent:g} %" if self.percent is not None else ""

    @property
    def is_disputed(self) -> bool:
        """Whether only tasks are asked for whose annotators disagree."""
        return self.ranking is not None and self.ranking.kind is RankKind.DISAGREEMENT


def decode_selection(fields: Fields) -> Selection:
    """A selection from the manifest that holds it, by whichever version of ops.

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
        percent=maybe(fields, "percent", fields.number),
        seed=_seed(fields),
        by=maybe(fields, "by", fields.text),
        where=maybe(fields, "where", fields.text),
        saved=maybe(fields, "saved", fields.text),
        unlabeled=maybe(fields, "unlabeled", fields.boolean) or False,
        ranking=maybe(fields, "ranking", lambda name: decode_ranking(fields.fields(name))),
    )


_SELECTION_FIELDS = frozenset({
    "by", "edit", "keys", "labeled_too", "limit", "percent", "ranking", "sample", "saved", "seed",
    "unlabeled", "where",
})  # fmt: skip


def _seed(fields: Fields) -> int:
    """A whole number, below zero too."""
    seed = fields.any("seed")
    if not isinstance(seed, int) or isinstance(seed, bool):
        fields.refuse("seed", f"must be a whole number, not {kind(seed)}")
    return seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a selection has to know of the tasks beyond their states.

    Attributes:
        found: the tasks its expression finds; None where it has none.
        groups: the value of each task that a sample is shared by.
        ranks: what each task is ranked by; a task that is not there is not taken.
    """

    found: Container[TaskKey] | None = None
    groups: Mapping[TaskKey, object] = field(default_factory=dict[TaskKey, object])
    ranks: Mapping[TaskKey, Rank | None] = field(default_factory=dict[TaskKey, Rank | None])


def select(
    keys: Iterable[TaskKey],
    states: Mapping[TaskKey, TaskState],
    selection: Selection,
    facts: Facts | None = None,
) -> Sequence[TaskKey]:
    """The keys a selection takes, by key; the same for the same input on any machine.

    A sample orders the candidates by the SHA-256 of `seed:key` and takes the first: adding images
    changes a sample only by the new ones that come before its last, unless it is shared among
    groups or is a percentage, whose sizes change. Tasks named one by one are taken in whatever
    state they are; a name nobody has is passed over.

    Args:
        keys: every image's key.
        states: the state of each task that has a record.
        selection: what was asked for.
        facts: what it has to know besides; needed where it asks for more than states and names.
    """
    facts = facts or Facts()
    taken = candidates(keys, states, selection, facts)
    if selection.ranking is not None:
        ascending = selection.ranking.ascending
        ranked = in_order(taken, facts.ranks, ascending=ascending)
        return sorted(ranked[: selection.limit])
    count = selection.sample
    if selection.percent is not None:
        count = part_of(len(taken), selection.percent)
    if count is not None and selection.by is not None:
        taken = stratified(taken, count, selection.seed, facts.groups)
    elif count is not None:
        taken = by_chance(taken, count, selection.seed)
    return sorted(taken)[: selection.limit]


def candidates(
    keys: Iterable[TaskKey],
    states: Mapping[TaskKey, TaskState],
    selection: Selection,
    facts: Facts,
) -> Sequence[TaskKey]:
    """The keys a selection chooses among, before chance, rank or a limit; in the order of `keys`.

    Args:
        keys: every image's key.
        states: the state of each task that has a record.
        selection: what was asked for.
        facts: what its expression finds.
    """
    named = None if selection.keys is None else frozenset(selection.keys)
    return [
        key
        for key in keys
        if (named is None or key in named)
        and _fits(states.get(key, TaskState.UNFINISHED), selection)
        and (facts.found is None or key in facts.found)
    ]


_OPEN = frozenset({TaskState.UNFINISHED, TaskState.QUARANTINED})
_LABELED = frozenset({TaskState.LABELED, TaskState.EMPTY})


def _fits(state: TaskState, selection: Selection) -> bool:
    if selection.unlabeled:
        return state in _OPEN
    if selection.keys is not None:
        return True
    is_found = selection.where is not None or selection.saved is not None
    if selection.edit:
        # A skipped task has an answer to change, too, where somebody asks for it.
        is_answered = state in _LABELED or (is_found and state is TaskState.SKIPPED)
        return is_answered and selection.labeled_too
    return is_found or selection.is_disputed or selection.labeled_too or state in _OPEN
