"""Two people at work in Label Studio.

Owns how their answers get there: through Label Studio's own API, in their names, a few at a time,
each exactly once however often it is tried. Does not decide what they say (answers.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar, cast

from ops.annotator_port import Annotators
from ops.core.exports import document_key
from ops.core.records import Json, TaskKey
from ops.quickstart.answers import ANN, BEN, Answer
from ops.runner.context import Context, Round

T = TypeVar("T")

_HANDS = 4
_NAMES = {ANN: "Ann", BEN: "Ben"}


def make_members(people: Annotators) -> Mapping[str, int]:
    """The two members' ids by e-mail, made where they are not there. Up to four requests."""
    return {
        email: people.ensure_member(email, first_name=name, last_name="Example")
        for email, name in _NAMES.items()
    }


def submit(context: Context, people: Annotators, round_: Round, answers: Sequence[Answer]) -> int:
    """Have the two submit what they have not yet, and give how much that was.

    One request an answer, and a few to see which are there. Repeatable: each answer has an identity
    of its own in this round.

    Raises:
        InvalidDataError: Label Studio does not accept an answer.
        NotFoundError: a task was deleted meanwhile.
    """
    members = make_members(people)
    ids = _task_ids(context, round_)
    there = {
        str(annotation["unique_id"])
        for document in context.studio.export(round_.project, list(ids.values()))
        for annotation in _annotations(document)
    }
    round_id = round_.manifest.id
    missing = [a for a in answers if a.key in ids and a.unique_id(round_id) not in there]

    def one(answer: Answer) -> None:
        people.annotate(
            ids[answer.key],
            answer.result(),
            annotator=members[answer.annotator],
            lead_time_s=answer.lead_time_s,
            skipped=answer.skipped,
            unique_id=answer.unique_id(round_id),
        )

    if missing:
        _each(context, "Ann and Ben answer in Label Studio", missing, one)
    return len(missing)


def correct(
    context: Context, people: Annotators, round_: Round, truth: Mapping[TaskKey, str]
) -> int:
    """Have Ben change those of his answers that differ from `truth`, and give their number.

    One request an answer changed, one a 250 tasks. Repeatable: a right answer is left alone.

    Raises:
        NotFoundError: an answer was deleted meanwhile.
    """
    ben = make_members(people)[BEN]
    documents = context.studio.export(round_.project, list(_task_ids(context, round_).values()))
    wrong = list(_wrong(documents, ben, truth))

    def one(found: tuple[int, list[Mapping[str, Json]]]) -> None:
        annotation, result = found
        people.update_annotation(annotation, result)

    if wrong:
        _each(context, "Ben corrects himself in Label Studio", wrong, one)
    return len(wrong)


def _wrong(
    documents: Iterable[Mapping[str, Json]], ben: int, truth: Mapping[TaskKey, str]
) -> Iterator[tuple[int, list[Mapping[str, Json]]]]:
    """Ben's annotations that say something else than they should, with what they should."""
    for document in documents:
        key = document_key(document)
        for annotation in _annotations(document):
            if key is None or key not in truth or _user(annotation["completed_by"]) != ben:
                continue
            said = cast("list[dict[str, Json]]", annotation["result"])
            value: dict[str, Json] = {"choices": [truth[key]]}
            right: list[Mapping[str, Json]] = [{**region, "value": value} for region in said]
            if said != right:
                yield cast("int", annotation["id"]), right


def _user(value: Json) -> Json:
    """The id of an export's `completed_by`: Label Studio gives it bare, or in an object."""
    return value.get("id") if isinstance(value, dict) else value


def _annotations(document: Mapping[str, Json]) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", document["annotations"])


def _task_ids(context: Context, round_: Round) -> Mapping[TaskKey, int]:
    rows = context.studio.task_rows(round_.project)
    return {row.key: row.id for row in rows if row.key is not None and row.key in round_.tasks}


def _each(context: Context, title: str, work: Sequence[T], do: Callable[[T], None]) -> None:
    pool = ThreadPoolExecutor(_HANDS)
    try:
        with context.reporter.phase(title, len(work)) as phase:
            for done in as_completed([pool.submit(do, one) for one in work]):
                done.result()
                phase.advance()
    finally:
        # What has not begun when one fails, or the person interrupts, is left for the next run.
        pool.shutdown(cancel_futures=True)
