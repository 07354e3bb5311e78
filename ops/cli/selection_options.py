"""The options that say which tasks: those of `round start`, `round add` and `round drop`.

Owns their wording, what does not go together, and the Selection they make. Asks no server.
"""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, NoReturn, cast

import typer

from ops.cli.output import Result
from ops.core.disagreement import MEASURE
from ops.core.names import check_table_name
from ops.core.ranking import Ranking, RankKind
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import NotFoundError, UsageError

_WHICH = "Which tasks"
_CHANCE = "By chance"
_ORDER = "The first of an order"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOptions:
    """What was typed, as the command line took it apart."""

    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Tasks of which a row of labels fulfils this, in any state: \"label = 'brie'\".",
            rich_help_panel=_WHICH,
        ),
    ] = None
    saved: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The same, by a query that was saved.", rich_help_panel=_WHICH
        ),
    ] = None
    unlabeled: Annotated[
        bool,
        typer.Option(
            "--unlabeled", help="Of these only what nobody has labeled.", rich_help_panel=_WHICH
        ),
    ] = False
    take_all: Annotated[
        bool, typer.Option("--all", help="Labeled tasks too.", rich_help_panel=_WHICH)
    ] = False
    edit: Annotated[
        bool,
        typer.Option(
            "--edit",
            help="Labeled tasks, their labels there to be changed.",
            rich_help_panel=_WHICH,
        ),
    ] = False
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="KEY",
            help="This task, labeled or not; may be repeated.",
            rich_help_panel=_WHICH,
        ),
    ] = None
    tasks: Annotated[
        Path | None,
        typer.Option(
            "--tasks",
            metavar="FILE",
            help="The tasks a file names, a key a line.",
            rich_help_panel=_WHICH,
        ),
    ] = None
    sample: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%", help="So many tasks by chance, or this part.", rich_help_panel=_CHANCE
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            help="Same seed, same sample, on any machine; 0 if none is given.",
            rich_help_panel=_CHANCE,
        ),
    ] = None
    by: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Sample each value of this in proportion: state, or a joined column.",
            rich_help_panel=_CHANCE,
        ),
    ] = None
    rank_by: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="The highest first: of an SQL expression, or of FILE:COLUMN, a .csv or .parquet "
            "with a column key.",
            rich_help_panel=_ORDER,
        ),
    ] = None
    uncertain: Annotated[
        str | None,
        typer.Option(
            metavar="PREDICTIONS",
            help="What these are least sure of first: MODEL@VERSION.",
            rich_help_panel=_ORDER,
        ),
    ] = None
    disagreement: Annotated[
        bool,
        typer.Option(
            "--disagreement",
            help="Tasks whose annotators disagree, the worst first.",
            rich_help_panel=_ORDER,
        ),
    ] = False
    text: Annotated[
        str | None,
        typer.Option(help="What looks most like this text first.", rich_help_panel=_ORDER),
    ] = None
    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --text: the pictures' embeddings.", rich_help_panel=_ORDER
        ),
    ] = None
    ascending: Annotated[
        bool,
        typer.Option("--ascending", help="The lowest first instead.", rich_help_panel=_ORDER),
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many: the first.", rich_help_panel=_ORDER),
    ] = None

    def selection(self) -> Selection:
        """What is asked for.

        Raises:
            UsageError: options do not go together, or one has a value it cannot have.
            NotFoundError: a file cannot be read.
            InvalidDataError: a file does not hold what it is to hold.
        """
        self._check()
        count, percent = _amount(self.sample)
        if self.saved is not None:
            check_table_name(self.saved, noun="saved query")
        return Selection(
            labeled_too=self.take_all or self.edit,
            limit=self.limit,
            sample=count,
            percent=percent,
            seed=self.seed or 0,
            by=self.by,
            edit=self.edit,
            keys=_named(self.task or (), self.tasks),
            where=self.where,
            saved=self.saved,
            unlabeled=self.unlabeled,
            ranking=self._ranking(),
        )

    def _check(self) -> None:
        """Refuse what does not go together, and what makes no sense alone."""
        given = {
            "--all": self.take_all,
            "--ascending": self.ascending,
            "--by": self.by is not None,
            "--disagreement": self.disagreement,
            "--edit": self.edit,
            "--embeddings": self.embeddings is not None,
            "--limit": self.limit is not None,
            "--rank-by": self.rank_by is not None,
            "--sample": self.sample is not None,
            "--saved": self.saved is not None,
            "--seed": self.seed is not None,
            "--text": self.text is not None,
            "--uncertain": self.uncertain is not None,
            "--unlabeled": self.unlabeled,
            "--where": self.where is not None,
        }
        for options, reason in _EXCLUDE:
            said = [name for name in options if given[name]]
            if len(said) > 1:
                _refuse("options-exclude", f"{said[0]} and {said[1]} exclude each other: {reason}")
        for name, needed in _NEED:
            if given[name] and not any(given[one] for one in needed):
                _refuse("missing-value", f"{name} goes with {' or '.join(needed)} only")
        for name in ("--where", "--saved", "--by", "--rank-by", "--uncertain", "--text"):
            value = getattr(self, name[2:].replace("-", "_"))
            if value is not None and not value.strip():
                _refuse("wrong-value", f"{name} takes a text, and got an empty one")

    def _ranking(self) -> Ranking | None:
        """What tasks are ranked by; of a file, with what it holds."""
        if self.rank_by is not None:
            if match := _FILE.fullmatch(self.rank_by):
                from ops.runner.ranking_file import read_ranking

                path, column = Path(match["path"]), match["column"]
                return read_ranking(path, column, ascending=self.ascending)
            kind, by = RankKind.EXPRESSION, self.rank_by
        elif self.uncertain is not None:
            kind, by = RankKind.UNCERTAIN, self.uncertain
        elif self.text is not None:
            kind, by = RankKind.TEXT, self.text
        elif self.disagreement:
            kind, by = RankKind.DISAGREEMENT, MEASURE.value
        else:
            return None
        file = str(self.embeddings) if self.embeddings is not None else None
        return Ranking(kind=kind, by=by, file=file, ascending=self.ascending)


_RANKINGS = ("--rank-by", "--uncertain", "--text", "--disagreement")
_EXCLUDE: Sequence[tuple[Sequence[str], str]] = (
    (("--where", "--saved"), "a saved query is a condition"),
    (_RANKINGS, "tasks have one order"),
    *((("--sample", ranking), "by chance, or the first of an order") for ranking in _RANKINGS),
    (("--unlabeled", "--all"), "without labels, or whether labeled or not"),
    (("--unlabeled", "--edit"), "there are no labels to change"),
    (("--unlabeled", "--disagreement"), "nobody can disagree without labels"),
)
_NEED: Sequence[tuple[str, Sequence[str]]] = (
    ("--by", ("--sample",)),
    ("--seed", ("--sample",)),
    ("--ascending", _RANKINGS),
    ("--embeddings", ("--text",)),
    ("--uncertain", ("--limit",)),
    ("--text", ("--limit",)),
)
_FILE = re.compile(r"(?P<path>.+\.(?:csv|parquet)):(?P<column>[^:].*)", re.DOTALL)
_COUNT = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,12})?) ?%", re.ASCII)
_ALL = 100


def _amount(text: str | None) -> tuple[int | None, float | None]:
    """A number of tasks, or a part of them in percent; neither for no text."""
    if text is None:
        return None, None
    if _COUNT.fullmatch(text):
        return int(text), None
    match = _PERCENT.fullmatch(text)
    percent = float(match[1]) if match else 0.0
    if not 0 < percent <= _ALL:
        _refuse(
            "wrong-value",
            "--sample takes a whole number, 1 or more, or a part above 0% and up to 100%, "
            f"not {text!r}",
        )
    return None, percent


def _refuse(code: str, message: str) -> NoReturn:
    raise UsageError(
        code, message, unchanged="nothing was read or written", hint="ops round start --help"
    )


def _named(keys: Sequence[str], listing: Path | None) -> tuple[TaskKey, ...] | None:
    """The tasks named one by one, sorted, each once; None where none is."""
    if not keys and listing is None:
        return None
    listed = _lines(listing) if listing else []
    return tuple(sorted({TaskKey(key) for key in [*keys, *listed]}))


def _lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises:
        NotFoundError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            "no-task-file",
            f"{path} cannot be read as UTF-8 text",
            subject=str(path),
            unchanged="nothing was written",
            hint="check the path; the file holds a task key a line, as ops data list shows them",
        ) from error
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def with_selection(*left_out: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a verb the options of a selection; it gets them as `asked`, a SelectionOptions.

    Args:
        left_out: names of SelectionOptions that the verb has no use for.
    """
    taken = [field for field in fields(SelectionOptions) if field.name not in left_out]

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def run(*args: object, **values: object) -> Result:
            typed = {field.name: values.pop(field.name) for field in taken}
            # Typer gives what the fields say.
            asked = cast("Callable[..., SelectionOptions]", SelectionOptions)(**typed)
            return function(*args, asked=asked, **values)

        own = list(inspect.signature(function).parameters.values())
        before = [one for one in own if one.kind is not inspect.Parameter.KEYWORD_ONLY]
        behind = [one for one in own if one not in before and one.name != "asked"]
        options = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=field.type,
                default=field.default,
            )
            for field in taken
        ]
        # What the verb, and Typer, read instead of the real signature.
        setattr(run, "__signature__", inspect.Signature([*before, *options, *behind]))  # noqa: B010
        return run

    return decorate
