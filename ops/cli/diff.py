"""`ops dataset diff`, and how it and `ops round diff` show a label diff.

Owns the tables, and their two forms for people. Counts nothing (ops/core/diff.py).
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.dataset import app
from ops.cli.markdown import folded, link, paragraph, section
from ops.cli.output import Result, Table
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.core.churn import Churn, TaskDiff
    from ops.core.diff import LabelDiff
    from ops.core.spread import Spread
    from ops.runner.diff import RefDiff


class Part(StrEnum):
    """What a label diff can be broken down by."""

    CLASS = "class"
    ANNOTATOR = "annotator"
    TASK = "task"


BY_DEFAULT = f"{Part.CLASS},{Part.ANNOTATOR}"
By = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="The tables beside the totals, with commas: class, annotator, task. --json has all.",
    ),
]
AsMarkdown = Annotated[
    bool, typer.Option("--markdown", help="Print Markdown, fit for a pull request.")
]


@verb(app, "dataset", "diff")
def diff(
    session: Session,
    left: Annotated[str, typer.Argument(metavar="A", help="The ref to compare from.")],
    right: Annotated[str, typer.Argument(metavar="B", help="The ref to compare to.")] = "main",
    *,
    by: By = BY_DEFAULT,
    as_markdown: AsMarkdown = False,
) -> Result:
    """Show what people say differently at two refs: by class, person and task.

    A ref is a branch, tag, commit id, or an expression like main~1.
    """
    view = View.asked(session, by, as_markdown=as_markdown)
    from ops.runner.diff import ref_diff

    return view.result(ref_diff(session.context(), left, right))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a person wants to see of a diff, and in which form."""

    parts: frozenset[Part]
    as_markdown: bool

    @classmethod
    def asked(cls, session: Session, by: str, *, as_markdown: bool) -> "View":
        """The view that the options ask for.

        Raises:
            UsageError: --by names something else, or two forms are asked for.
        """
        if as_markdown and session.as_json:
            raise UsageError(
                "two-forms",
                "--json and --markdown are two forms of one result",
                unchanged="nothing was read or written",
                hint="give one of them",
            )
        words = [word.strip() for word in by.split(",")]
        unknown = [word for word in words if word not in set(Part)]
        if unknown:
            raise UsageError(
                "unknown-by",
                f"--by does not know {', '.join(word or 'an empty word' for word in unknown)}",
                where=(("known", ", ".join(Part)),),
                unchanged="nothing was read or written",
                hint=f"for example: --by {','.join(Part)}",
            )
        return cls(parts=frozenset(Part(word) for word in words), as_markdown=as_markdown)

    def result(self, found: "RefDiff") -> Result:
        """A diff as the command's result."""
        return Result(
            data=found.as_json(),
            body=self._markdown(found) if self.as_markdown else self._text(found),
        )

    def _text(self, found: "RefDiff") -> list[str | Table]:
        body: list[str | Table] = [_heading(found)]
        for title, note, table in self._sections(found.labels):
            body += ["", *([title] if title else []), *([f"  {note}"] if note else []), table]
        if note := _verdict(found.labels):
            body += ["", note]
        return [*body, "", f"object by object: {found.url}"]

    def _markdown(self, found: "RefDiff") -> list[str | Table]:
        parts = [f"### {paragraph(_heading(found))}"]
        for title, note, table in self._sections(found.labels):
            is_long = title == _TASKS
            parts.append(folded(title, table) if is_long else section(title, note, table))
        if note := _verdict(found.labels):
            parts.append(paragraph(note))
        parts.append(link("object by object in lakeFS", found.url))
        return ["\n\n".join(parts)]

    def _sections(self, labels: "LabelDiff") -> list[tuple[str, str, Table]]:
        """Title, note and table of each section that has something to show."""
        if labels.is_empty:
            return []
        sections = [("", "", _totals(labels)), ("states", "", _states(labels))]
        if Part.CLASS in self.parts:
            sections += [
                ("classes", "", _classes(labels)),
                ("from class to class", "", _transitions(labels)),
                ("moved or reshaped", _spread(labels.geometry), _histogram(labels.geometry)),
            ]
        if Part.ANNOTATOR in self.parts:
            sections.append(("annotators", "", _annotators(labels)))
        if Part.TASK in self.parts:
            sections.append((_TASKS, "", _tasks(labels)))
        return [one for one in sections if one[1] or one[2].rows]


_TASKS = "tasks"
_CHURN = ("added", "removed", "changed")


def _heading(found: "RefDiff") -> str:
    subject = f"round {found.round}: labels" if found.round else "labels"
    return f"{subject} from {found.left} to {found.right}"


def _verdict(labels: "LabelDiff") -> str:
    """What a person would otherwise look for in the tables."""
    if labels.is_empty:
        return "no label differs"
    if not any(_cells(labels.annotations)):
        return "no annotation says anything else: the records differ in times, states or pictures"
    return ""


def _cells(churn: "Churn") -> tuple[int, int, int]:
    return churn.added, churn.removed, churn.changed


def _totals(labels: "LabelDiff") -> Table:
    tasks = (len(labels.added), len(labels.removed), len(labels.changed))
    return Table(
        columns=("", *_CHURN),
        rows=[
            ("tasks", *tasks),
            ("annotations", *_cells(labels.annotations)),
            ("regions", *_cells(labels.regions)),
        ],
    )


def _states(labels: "LabelDiff") -> Table:
    rows = [
        (before.value if before else "(new)", after.value if after else "(gone)", count)
        for (before, after), count in labels.states.items()
    ]
    return Table(columns=("from", "to", "tasks"), rows=rows)


def _classes(labels: "LabelDiff") -> Table:
    rows = [(label, *_cells(churn)) for label, churn in labels.labels.items()]
    return Table(columns=("class", *(f"regions {word}" for word in _CHURN)), rows=rows)


def _transitions(labels: "LabelDiff") -> Table:
    moves = sorted(labels.transitions.items(), key=lambda move: (-move[1], move[0]))
    rows = [(before, after, count) for (before, after), count in moves]
    return Table(columns=("from", "to", "regions"), rows=rows)


def _spread(geometry: "Spread") -> str:
    """The distribution in one line; empty where nothing was moved."""
    unmeasured = geometry.unmeasured_count
    count = geometry.count + unmeasured
    said = [f"{count} region{'s' if count > 1 else ''}"] if count else []
    if geometry.count:
        said.append(
            f"overlap with their old place (IoU): median {_share(geometry.median)}, "
            f"quartiles {_share(geometry.lower_quartile)} and {_share(geometry.upper_quartile)}, "
            f"mean {_share(geometry.mean)}, lowest {_share(geometry.minimum)}"
        )
    if unmeasured:
        said.append(f"{unmeasured} without an area to measure")
    return "; ".join(said)


def _histogram(geometry: "Spread") -> Table:
    from ops.core.spread import BOUNDS

    bins = zip(pairwise(BOUNDS), geometry.histogram, strict=True)
    rows = [(f"{low:.2f} – {high:.2f}", count) for (low, high), count in bins]
    return Table(columns=("IoU", "regions"), rows=rows if geometry.count else [])


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def _annotators(labels: "LabelDiff") -> Table:
    rows = [
        (who, part.task_count, _signed(part.annotations), _signed(part.regions))
        for who, part in labels.annotators.items()
    ]
    return Table(columns=("annotator", "tasks", "annotations", "regions"), rows=rows)


def _tasks(labels: "LabelDiff") -> Table:
    columns = ("task", "record", "state", "annotations", "regions", "classes", "lowest IoU")
    return Table(columns=columns, rows=[_task(task) for task in labels.tasks])


def _task(task: "TaskDiff") -> tuple[str, ...]:
    before, after = (state.value if state else "" for state in task.states)
    moves = [
        f"{old} → {new}" + (f" ×{count}" if count > 1 else "")
        for (old, new), count in task.transitions.items()
    ]
    shares = [share for share in task.overlaps if share is not None]
    return (
        task.key,
        f"{task.kind.value}{_remark(task)}",
        f"{before} → {after}" if before and after and before != after else after or before,
        _signed(task.annotations),
        _signed(task.regions),
        ", ".join(moves),
        _share(min(shares, default=None)),
    )


def _remark(task: "TaskDiff") -> str:
    """What of a record that changed no other column tells."""
    if task.is_subject_changed:
        return ", picture or data"
    is_quiet = task.kind.value == "changed" and not any(_cells(task.annotations))
    return ", says the same" if is_quiet and task.states[0] == task.states[1] else ""


def _signed(churn: "Churn") -> str:
    signs = zip("+-~", _cells(churn), strict=True)
    return " ".join(f"{sign}{count}" for sign, count in signs if count)
