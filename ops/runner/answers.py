"""A round's tasks by its own answers: what Label Studio holds, as records.

Owns which annotations a task had at the round's base and what became of them. Does not find what
changed (sync.py), nor take main's side in (main_side.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NoReturn

from ops.core.canonical import content, decode_record
from ops.core.documents import Source
from ops.core.exports import KEY_FIELD, RoundFacts, build_record, document_key
from ops.core.index import Seen, Standing
from ops.core.names import record_path
from ops.core.records import Annotation, Json, Record, Task, TaskKey
from ops.runner.attach import Attachment
from ops.runner.context import Context, Round
from ops.runner.imported import read_import

TASK_MOVED = "task-moved"
"""The code of the error where Label Studio's index and its export differ on a task's key."""

Documents = Mapping[TaskKey, Sequence[Mapping[str, Json]]]
"""Label Studio's export documents of each task; none for one it does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A task by the round's own answers.

    Attributes:
        base: its record at the round's base; None where there was none.
        record: as the round has it: base's annotations, and what its annotators made of them.
        standing: how it stands by the answers given in this round.
    """

    base: Record | None
    record: Record
    standing: Standing

    @property
    def key(self) -> TaskKey:
        """The task's key."""
        return self.record.task.key


class Answers:
    """Reads a round's own records. The members of Label Studio are read once."""

    def __init__(self, context: Context, round_: Round) -> None:
        """Nothing is read yet."""
        self._context = context
        self._round = round_
        self._attachment = Attachment(context, round_.manifest.predictions)

    def own(self, keys: Sequence[TaskKey], documents: Documents) -> Iterator[Own]:
        """Each task of the round as it stands, in the order of `keys`.

        One read a task that has a record at the base, one request for the members, one where the
        round reviews an import, and two a model version whose predictions are in it.

        Raises:
            InvalidDataError: a document is malformed or of another task.
        """
        bases = self._bases(keys)
        for key in keys:
            entry, base, answers = self._round.tasks[key], bases.get(key), documents.get(key, ())
            before = base.annotations if base else ()
            # A task that is gone from Label Studio brings nothing: nobody could look at it there.
            imported = self._imported[key].annotations if entry.imported and answers else ()
            put = (*(before if entry.carried else ()), *imported)
            record = build_record(
                _with_data(entry.task, base),
                answers,
                self._facts,
                carried={one.unique_id: one for one in put},
                kept=() if entry.carried else before,
                shown=self._attachment.shown(key) if any(map(_is_answered, answers)) else (),
            )
            kept = _without(before, put) if answers else before
            standing = _standing(record, kept)
            if base and before and is_untouched(base, record):
                # Its answers are about base's picture, whichever the round has shown.
                record = replace(record, task=base.task, quarantined=base.quarantined)
            elif base and base.quarantined and is_untouched(_joined(base, imported), record):
                # An import beside them decides nothing about answers that are held back.
                record = replace(record, quarantined=True)
            yield Own(base=base, record=record, standing=standing)

    @cached_property
    def _imported(self) -> Mapping[TaskKey, Record]:
        """What the round's import put before annotators."""
        return read_import(self._context.lake, self._round.branch, self._round.manifest)

    @cached_property
    def _facts(self) -> RoundFacts:
        manifest = self._round.manifest
        return RoundFacts(
            round=manifest.name,
            ontology_digest=manifest.ontology_digest,
            members=self._context.studio.members(),
        )

    def _bases(self, keys: Sequence[TaskKey]) -> Mapping[TaskKey, Record]:
        """The tasks' records at the round's base."""
        paths = {record_path(key): key for key in keys if self._round.tasks[key].has_record}
        if not paths:
            return {}
        read = self._context.lake.read_many(self._round.manifest.base, list(paths))
        return {paths[path]: decode_record(data, key=paths[path]) for path, data in read}


def export_answers(
    context: Context, round_: Round, tasks: Sequence[int], seen: Mapping[int, Seen]
) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Label Studio's export documents of tasks, by its task id, lazily. One request a 250 tasks.

    Args:
        context: the servers.
        round_: whose project is read.
        tasks: which, by Label Studio's ids; none for no request.
        seen: what the task index says of them, which a document is held against.

    Raises:
        InvalidDataError: a document is of no task that was asked for; with the code `task-moved`
            it is of another key than the index says, as it is where somebody edits a task's data
            between the two requests.
    """
    for document in context.studio.export(round_.project, tasks) if tasks else ():
        task = document.get("id")
        if not isinstance(task, int) or task not in seen:
            problem = f"is {task!r}, which is no task that was asked for"
            _refuse_document(round_, "export-invalid", "id", problem)
        key, known = document_key(document), seen[task].key
        if (key if key in round_.tasks else None) != known:
            problem = f"of task {task} is {key!r}, the index says {known!r}"
            _refuse_document(round_, TASK_MOVED, f"data.{KEY_FIELD}", problem)
        yield task, document


def _refuse_document(round_: Round, code: str, field_name: str, problem: str) -> NoReturn:
    Source(
        code=code,
        noun="Label Studio's export",
        hint="if somebody changed tasks just now, run the same command again;"
        f" else look at them in Label Studio project {round_.project}",
        subject=round_.name,
    ).refuse(field_name, problem)


def by_task(documents: Iterable[Mapping[str, Json]]) -> Documents:
    """The documents by the task key they state."""
    found: dict[TaskKey, list[Mapping[str, Json]]] = {}
    for document in documents:
        if key := document_key(document):
            found.setdefault(key, []).append(document)
    return found


def _is_answered(document: Mapping[str, Json]) -> bool:
    return bool(document.get("annotations"))


def _with_data(task: Task, base: Record | None) -> Task:
    """The task with the data its record at the base has of it, too."""
    return replace(task, data={**base.task.data, **task.data}) if base else task


def _without(before: Sequence[Annotation], put: Sequence[Annotation]) -> Sequence[Annotation]:
    """Earlier annotations that were not put before annotators."""
    ids = {one.unique_id for one in put}
    return [one for one in before if one.unique_id not in ids]


def _joined(base: Record, imported: Sequence[Annotation]) -> Record:
    """The record with what was imported beside its annotations, or in their place."""
    return replace(base, annotations=(*_without(base.annotations, imported), *imported))


def is_untouched(base: Record | None, record: Record | None) -> bool:
    """Whether the annotations of both say the same, none for none."""
    return _said(base) == _said(record)


def _said(record: Record | None) -> Mapping[str, bytes]:
    return {one.unique_id: content(one) for one in record.annotations} if record else {}


def _standing(record: Record, kept: Sequence[Annotation]) -> Standing:
    """How a task stands by this round's answers alone."""
    earlier = {annotation.unique_id for annotation in kept}
    answers = tuple(a for a in record.annotations if a.unique_id not in earlier)
    return Standing(
        state=replace(record, annotations=answers).state,
        annotators=tuple(sorted({a.annotator for a in answers})),
    )
