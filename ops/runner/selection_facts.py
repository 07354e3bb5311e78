"""What a selection has to know of the tasks at a commit: what its expression finds, ranks, groups.

Owns where each of these comes from: the tables of the commit, its predictions, its packed records,
or a file a person brought. Chooses nothing: that is ops/core/selection.py. Reads no picture.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ops.core.canonical import decode_record
from ops.core.disagreement import disagreement
from ops.core.names import TASKS_PARQUET
from ops.core.queries import is_select
from ops.core.ranking import Rank, Ranking, RankKind
from ops.core.records import CommitId, TaskKey, TaskState
from ops.core.selection import Facts, Selection, candidates
from ops.errors import InvalidDataError, UsageError
from ops.ports import StoredObject
from ops.runner.context import Context, main_head, sample_of
from ops.runner.predictions import read_predictions
from ops.runner.queries import read_query

if TYPE_CHECKING:
    from ops.runner.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is known of the tasks.

    Attributes:
        facts: for the choice.
        notes: what a person should know of it, a line each.
    """

    facts: Facts
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The tasks a selection is to choose among.

    Attributes:
        keys: their keys.
        states: the state of each that has a record.
        images: every image of the commit with its metadata, where they are listed already; they
            are looked at once.
    """

    keys: Collection[TaskKey]
    states: Mapping[TaskKey, TaskState] = field(default_factory=dict[TaskKey, TaskState])
    images: Iterable[StoredObject] | None = None


def with_query(context: Context, selection: Selection) -> Selection:
    """The selection with the text of the saved query it names, as main has it. Two requests.

    Raises:
        NotFoundError: there is no such query.
        InvalidDataError: what is there is no query.
    """
    if selection.saved is None or selection.where is not None:
        return selection
    text = read_query(context, main_head(context.lake), selection.saved)
    return replace(selection, where=text)


def gather(context: Context, commit: CommitId, selection: Selection, offered: Offered) -> Gathered:
    """What a selection has to know; nothing is read where it asks for states and names alone.

    What the tables of the commit cost (ops/runner/tables.py) where there is an expression, else one
    request; and what ops/runner/text_search.py says, for a text.

    Raises:
        UsageError: an expression cannot be read, writes, or gives a task several values.
        NotFoundError: the saved query or the predictions are not there.
        InvalidDataError: what tasks are ranked by names none of them, or is no number.
    """
    with ExitStack() as stack:
        gathering = _Gathering(context, commit, offered, stack)
        found = gathering.found(selection.where) if selection.where else None
        groups: Mapping[TaskKey, object] = {}
        if selection.by:
            groups = gathering.tables.values(selection.by)
        ranks: Mapping[TaskKey, Rank | None] = {}
        if selection.ranking is not None:
            among = candidates(offered.keys, offered.states, selection, Facts(found=found))
            ranks = gathering.ranks(selection.ranking, among)
    return Gathered(
        facts=Facts(found=found, groups=groups, ranks=ranks), notes=tuple(gathering.notes)
    )


class _Gathering:
    """Opens the tables of a commit once, when the first question needs them."""

    def __init__(
        self, context: Context, commit: CommitId, offered: Offered, stack: ExitStack
    ) -> None:
        self._context = context
        self._commit = commit
        self._offered = offered
        self._stack = stack
        self.notes: list[str] = []

    @cached_property
    def tables(self) -> "Tables":
        """The commit's tables, open until the gathering is over."""
        from ops.runner.tables import open_tables

        images = self._offered.images
        return self._stack.enter_context(open_tables(self._context, self._commit, images=images))

    def found(self, text: str) -> frozenset[TaskKey]:
        """The tasks an expression finds, or those whose keys a query gives.

        Raises:
            UsageError: the query gives no column of keys.
        """
        if not is_select(text):
            return frozenset(self.tables.keys_where(text))
        rows = self.tables.query(text)
        names = [column.name for column in rows.columns]
        if "key" not in names:
            raise UsageError(
                "query-without-keys",
                "a query that chooses tasks must give a column key",
                subject=text,
                where=(("columns", ", ".join(names)),),
                unchanged="nothing was written",
                hint="SELECT key FROM labels WHERE …, or the condition alone",
            )
        place = names.index("key")
        return frozenset(TaskKey(str(row[place])) for row in rows)

    def ranks(self, ranking: Ranking, among: Sequence[TaskKey]) -> Mapping[TaskKey, Rank | None]:
        """What each task is ranked by."""
        if ranking.ranks is not None:
            return self._matched(ranking, dict(ranking.ranks))
        match ranking.kind:
            case RankKind.FILE:
                return {}
            case RankKind.EXPRESSION:
                values = self.tables.values(ranking.by)
                return {key: _rank(ranking.by, key, values[key]) for key in among if key in values}
            case RankKind.UNCERTAIN:
                return self._uncertainties(ranking, among)
            case RankKind.DISAGREEMENT:
                return self._disputed(frozenset(among))
            case RankKind.TEXT:
                return self._likenesses(ranking, among)

    def _matched(
        self, ranking: Ranking, ranks: Mapping[TaskKey, float]
    ) -> Mapping[TaskKey, Rank | None]:
        """The ranks of a file, whose keys must be tasks.

        Raises:
            InvalidDataError: none of them is.
        """
        unknown = sorted(ranks.keys() - frozenset(self._offered.keys))
        if ranks and len(unknown) == len(ranks):
            raise InvalidDataError(
                "ranking-matches-nothing",
                f"none of the {len(ranks)} keys of {ranking.file} is a task's",
                subject=ranking.file,
                where=(
                    ("in the file", sample_of(unknown, 3)),
                    ("tasks", sample_of(sorted(self._offered.keys)[:3])),
                ),
                unchanged="nothing was written",
                hint="its column key must hold images' paths below images/, as ops data list shows",
            )
        if unknown:
            self.notes.append(
                f"{len(unknown)} of the {len(ranks)} keys of {ranking.file} are no task's here: "
                f"{unknown[0]}"
            )
        return dict(ranks)

    def _uncertainties(
        self, ranking: Ranking, among: Sequence[TaskKey]
    ) -> Mapping[TaskKey, Rank | None]:
        """1 - score; a prediction without a score has the lowest of its regions."""
        said = read_predictions(self._context, ranking.by, self._commit).by_key
        scores = {key: one.shown_score for key, one in said.items()}
        ranks = {key: None if score is None else 1 - score for key, score in scores.items()}
        without = sum(key not in ranks for key in among)
        unscored = sum(key in ranks and ranks[key] is None for key in among)
        if without:
            self.notes.append(f"{without} tasks have no prediction of {ranking.by}: left out")
        if unscored:
            self.notes.append(f"{unscored} predictions of {ranking.by} have no score: last")
        return dict(ranks)

    def _disputed(self, among: frozenset[TaskKey]) -> Mapping[TaskKey, Rank | None]:
        """The disagreement of each task that has any."""
        from ops.parquet import read_rows, read_tasks

        data = self._context.lake.read(self._commit, TASKS_PARQUET)
        if data is None:
            return {}
        rows = read_rows(data, ["key", "annotation_count"], path=TASKS_PARQUET)
        several = among & {str(row["key"]) for row in rows if _several(row["annotation_count"])}
        found: dict[TaskKey, Rank | None] = {}
        for stored in read_tasks(data):
            if stored.key in several:
                value = disagreement(decode_record(stored.data, key=stored.key))
                if value:
                    found[stored.key] = value
        return found

    def _likenesses(
        self, ranking: Ranking, among: Sequence[TaskKey]
    ) -> Mapping[TaskKey, Rank | None]:
        from ops.runner.text_search import rank_by_text

        embeddings = Path(ranking.file) if ranking.file else None
        ranks = rank_by_text(
            self._context, self._commit, ranking.by, embeddings=embeddings, keys=among
        )
        if without := sum(key not in ranks for key in among):
            self.notes.append(f"{without} tasks have no embedding: left out")
        return dict(ranks)


def _several(count: object) -> bool:
    return isinstance(count, int) and count > 1


def _rank(expression: str, key: TaskKey, value: object) -> Rank | None:
    """A value of an expression as a rank; a date by its ISO form, which sorts as it does.

    Raises:
        InvalidDataError: it is no number (NaN), or nothing tasks can be ranked by.
    """
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and isnan(value):
        _refuse_rank(expression, key, "NaN, which is no number")
    if isinstance(value, date):
        value = value.isoformat()
    if value is not None and not isinstance(value, int | float | str):
        _refuse_rank(expression, key, f"a {type(value).__name__}")
    return value


def _refuse_rank(expression: str, key: TaskKey, what: str) -> NoReturn:
    raise InvalidDataError(
        "ranking-value",
        f"{expression} is {what} for task {key}",
        subject=key,
        where=(("ranked by", expression),),
        unchanged="nothing was written",
        hint="rank by numbers, texts or times; nulls come last",
    )


def pinned(selection: Selection, facts: Facts, taken: Iterable[TaskKey]) -> Selection:
    """The selection from which the same tasks come again at the same commit, and nothing else.

    Values that are not the repository's are kept for the tasks that were taken.

    Args:
        selection: with its query's text.
        facts: what it was chosen by.
        taken: the tasks.
    """
    ranking = selection.ranking
    if ranking is None or not (ranking.ranks is not None or ranking.kind is RankKind.TEXT):
        return selection
    ranks = {key: facts.ranks.get(key) for key in taken}
    numbers = {key: rank for key, rank in ranks.items() if isinstance(rank, int | float)}
    name, sha256 = ranking.file, ranking.sha256
    if name is not None and sha256 is None:
        with Path(name).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    kept = replace(
        ranking,
        file=Path(name).name if name else None,
        sha256=sha256,
        ranks=tuple(sorted(numbers.items())),
    )
    return replace(selection, ranking=kept)
