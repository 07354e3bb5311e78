"""What every writer takes and gives: tasks in, pieces of files out.

Owns the plan of an export (Plan), its tasks, the tally of what a format could not hold, and the
side file `states.csv` that every export has: the five states, told apart.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Protocol

from ops.core.classes import Classes, resolved
from ops.core.exporting.marks import Answer, Reading, picture_size
from ops.core.exporting.policy import Chosen
from ops.core.exporting.words import MediaMode
from ops.core.names import media_path
from ops.core.ontology import Ontology
from ops.core.records import Annotation, Counts, Json, Record, TaskKey, TaskState

STATES_FILE = "states.csv"
CHOICES_FILE = "choices.csv"
FACTS_FILE = "export.json"
ALL = "all"
"""What the one part of an export without a split is called."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file.

    Files whose pieces come one after the other name the same path; those of part 0 come before
    those of part 1, whatever the order they are given in.
    """

    path: str
    data: bytes
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """One task of an export.

    Attributes:
        record: what is known of it; of an image that nobody has labeled a record without answers.
        chosen: which of its answers are exported.
        part: its part of the split; empty where there is none.
        size: width and height of the picture as its annotators saw it, or None where unknown.
        has_picture: its picture is in the commit.
    """

    record: Record
    chosen: Chosen
    part: str = ""
    size: tuple[int, int] | None = None
    has_picture: bool = True

    @property
    def key(self) -> TaskKey:
        """Its identity."""
        return self.record.task.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an export is to be.

    Attributes:
        repository, commit: what is exported.
        frozen_count: so many of the classes have their ids from a version; the others get theirs
            with the next one.
        label_config: the ontology's own text.
        parts: the parts of the split, sorted; none without a split.
        media: where pictures are said to be.
    """

    repository: str
    commit: str
    classes: Classes
    ontology: Ontology
    frozen_count: int
    label_config: str = ""
    parts: tuple[str, ...] = ()
    media: MediaMode = MediaMode.URI
    _ids: dict[tuple[str, str], int | None] = field(
        default_factory=dict[tuple[str, str], int | None], repr=False
    )

    @property
    def pictures_are_files(self) -> bool:
        """Whether the export holds pictures, or links to them."""
        return self.media in {MediaMode.COPY, MediaMode.LINK}

    def address(self, key: TaskKey) -> str:
        """Where lakeFS's S3 gateway has a task's picture at the commit."""
        return f"s3://{self.repository}/{self.commit}/{media_path(key)}"

    def class_id(self, control: str, name: str) -> int | None:
        """The id of what a region says, or None where it has none."""
        said = control, name
        if said not in self._ids:
            self._ids[said] = self.classes.ids().get(resolved(self.ontology, control, name))
        return self._ids[said]


@dataclass(slots=True)
class Losses:
    """What a format could not hold, counted by what it is."""

    counts: Counter[str] = field(default_factory=Counter[str])
    rewritten: Counter[str] = field(default_factory=Counter[str])

    def lose(self, what: str, count: int = 1) -> None:
        """Something is not in the export, or in a form it cannot be read back from."""
        if count:
            self.counts[what] += count

    def rewrite(self, what: str, count: int = 1) -> None:
        """Something is there in another form: worth a word, and no loss."""
        if count:
            self.rewritten[what] += count

    def relations(self, reading: Reading) -> None:
        """The relations between regions."""
        self.lose("relations", reading.relation_count)

    def unchosen(self, answers: Iterable[Answer]) -> None:
        """Answers about the whole task that name no class."""
        for one in answers:
            if not one.is_choice:
                self.lose(f"answers of type {one.type}")


class HasPictures(Protocol):
    """Says where pictures are in an export."""

    def picture_path(self, task: ExportTask) -> str | None:
        """Where the export's own picture of a task is."""
        ...


class Writer(Protocol):
    """Writes one format; a new one for each export.

    Attributes:
        needs_sizes: it writes pixels, so a picture of unknown size cannot be exported.
        is_one_answer: two people's answers to one task cannot be told apart in it.
    """

    losses: Losses
    needs_sizes: bool
    is_one_answer: bool

    def picture_path(self, task: ExportTask) -> str | None:
        """Where the export's own picture of a task is; None where the format embeds it."""
        ...

    def begin(self) -> Iterable[Piece]:
        """What comes before the first task."""
        ...

    def task(self, task: ExportTask) -> Iterable[Piece]:
        """One task whose answers are exported, or nothing of one that is not."""
        ...

    def end(self) -> Iterable[Piece]:
        """What comes after the last task."""
        ...


class Counted:
    """The five counts of an export, of the tasks and of those that are exported."""

    def __init__(self) -> None:
        self._states: Counter[TaskState] = Counter()
        self._exported: Counter[TaskState] = Counter()
        self.undecided: list[TaskKey] = []
        self.unexported: Counter[str] = Counter()
        self.outvoted = self.ties = 0
        self.turned_count = 0

    def add(self, task: ExportTask) -> None:
        """Count one task in."""
        chosen = task.chosen
        self._states[task.record.state] += 1
        if chosen.exported_as is not None:
            self._exported[chosen.exported_as] += 1
        elif chosen.why:
            self.unexported[chosen.why] += 1
        if chosen.is_undecided:
            self.undecided.append(task.key)
        self.outvoted += chosen.outvoted
        self.ties += chosen.ties
        media = task.record.task.media
        stored = (media.height, media.width)
        self.turned_count += chosen.exported_as is not None and (
            task.size == stored and stored[0] != stored[1]
        )

    @property
    def counts(self) -> Counts:
        """Tasks by state: the count law."""
        return Counts(**{state.value: self._states[state] for state in TaskState})

    @property
    def exported(self) -> Mapping[str, int]:
        """Tasks by what they are exported as."""
        states = (TaskState.LABELED, TaskState.EMPTY)
        return {state.value: self._exported[state] for state in states}


def export(tasks: Iterable[ExportTask], plan: Plan, writer: Writer) -> Iterator[Piece]:
    """The pieces of every file of an export but `export.json`; in the order of the tasks.

    Memory: what the writer keeps, a few bytes a task at most.
    """
    yield Piece(STATES_FILE, csv_line(_STATE_COLUMNS))
    yield from writer.begin()
    for task in tasks:
        yield Piece(STATES_FILE, csv_line(_state_row(task, plan, writer)))
        yield from writer.task(task)
    yield from writer.end()


_STATE_COLUMNS = ("key", "state", "exported_as", "split", "picture", "why")


def _state_row(task: ExportTask, plan: Plan, writer: Writer) -> Sequence[str]:
    exported_as = task.chosen.exported_as
    return (
        task.key,
        task.record.state.value,
        exported_as.value if exported_as else "",
        task.part,
        picture_of(task, plan, writer) or "",
        task.chosen.why,
    )


def picture_of(task: ExportTask, plan: Plan, writer: HasPictures) -> str | None:
    """Where a task's picture is: a path within the export, an address, or nowhere."""
    if plan.media is MediaMode.NONE or not task.has_picture:
        return None
    if plan.media is MediaMode.URI:
        return plan.address(task.key)
    return writer.picture_path(task) if task.chosen.exported_as else None


def csv_line(cells: Iterable[Json]) -> bytes:
    """One line of a CSV file, quoted where it must be; nothing for None."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(["" if one is None else one for one in cells])
    return text.getvalue().encode()


def size_of(
    record: Record, answers: Sequence[Annotation], profiled: tuple[int, int] | None
) -> tuple[int, int] | None:
    """A picture's size as people see it, else as it is stored; None where nobody knows.

    Args:
        record: the task.
        answers: whose regions say which size their annotators saw.
        profiled: what a profile of the picture says.
    """
    for answer in answers:
        if (seen := picture_size(answer.result)) is not None:
            return seen
    media = record.task.media
    stored = (media.width, media.height) if media.width and media.height else None
    return profiled or stored


def choice_rows(task: ExportTask, answer: Annotation, reading: Reading, plan: Plan) -> bytes:
    """The lines of `choices.csv` for one answer."""
    return b"".join(
        csv_line(
            (
                task.key,
                task.part,
                answer.annotator,
                answer.unique_id,
                one.control,
                name,
                plan.class_id(one.control, name),
            )
        )
        for one in reading.answers
        for name in one.labels
    )


CHOICE_COLUMNS = ("key", "split", "annotator", "unique_id", "control", "choice", "class_id")
