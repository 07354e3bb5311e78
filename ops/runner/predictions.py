"""`predict add` and `predict list`: what models say, kept beside the labels.

Owns that a model's version never changes, that nothing of a file is taken or left out in silence,
and where predictions lie. Never touches a label: predictions get onto main by a commit of their own
and count as nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ops.core.classes import Classes, decode_classes
from ops.core.names import (
    CLASSES_PATH,
    MAIN,
    MEDIA_PREFIX,
    PREDICTION_PREFIX,
    facts_path,
    media_key,
)
from ops.core.ontology import Ontology
from ops.core.prediction_formats import ClassName
from ops.core.prediction_rules import Matching, Problem, Size, judge
from ops.core.predictions import (
    COLUMNS,
    ModelVersion,
    Predicted,
    Prediction,
    PredictionFacts,
    decode_facts,
    encode_facts,
    parse_model_version,
    prediction_of,
    prediction_rows,
    predictions_digest,
)
from ops.core.records import CommitId, TaskKey
from ops.errors import ConflictError, InvalidDataError, NotFoundError
from ops.parquet import Column
from ops.ports import Upload
from ops.runner.context import Context, main_head, read_ontology, sample_of
from ops.runner.deposit import deposit
from ops.runner.prediction_files import PredictionFile, by_number

_COLUMNS = dict.fromkeys(COLUMNS, Column.TEXT) | {"score": Column.NUMBER, "labels": Column.TEXTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What an addition did, or would do.

    Attributes:
        facts: what the table's side document says.
        problems: what of the file was left out, as was asked for.
        commit: main's new head; None where the very same is there, or with a dry run.
        already_done: it was there.
    """

    facts: PredictionFacts
    problems: tuple[Problem, ...]
    commit: CommitId | None
    already_done: bool


def add_predictions(
    context: Context,
    file: PredictionFile,
    of: ModelVersion,
    *,
    matching: Matching,
    skip_unknown: bool = False,
    dry_run: bool = False,
) -> Added:
    """Keep what a model says of tasks, or find it kept.

    One request a 1 000 pictures, two for the label config and class ids, two for what is there, and
    ops.runner.deposit's. Repeatable: the same predictions are there already.

    Args:
        context: the servers.
        file: what the model wrote.
        of: the model's version.
        matching: how the file's names become task keys.
        skip_unknown: take what can be taken, and name the rest.
        dry_run: do nothing, say what would be done.

    Raises:
        InvalidDataError: the file cannot be read, or something in it cannot be taken.
        NotFoundError: it is of no task at all; or the repository is not set up.
        ConflictError: other predictions are kept under this version, or were just now.
    """
    head = main_head(context.lake)
    _, ontology = read_ontology(context.lake, head)
    sizes = _sizes(context, head)
    stated = list(file.read(of, _class_name(context, head, ontology)))
    said: list[Prediction] = []
    problems: list[Problem] = []
    for found in judge(stated, of=of, sizes=sizes, ontology=ontology, matching=matching):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            said.append(found)
    _refuse_strangers(file.path, said, problems, sizes)
    if problems and not skip_unknown:
        _refuse(file.path, said, problems)
    facts = PredictionFacts(
        of=of,
        file=file.path.name,
        sha256=file.sha256,
        rows=len(said),
        digest=predictions_digest(said),
        left_out=len(problems),
        made_by=context.actor,
        made_at=context.timestamp(),
    )
    known = read_facts(context, of, head)
    if known is not None and known.digest != facts.digest:
        _refuse_change(known, facts)
    commit = None if known or dry_run else _deposit(context, facts, said, head)
    return Added(
        facts=known or facts,
        problems=tuple(problems),
        commit=commit,
        already_done=known is not None,
    )


def _deposit(
    context: Context, facts: PredictionFacts, said: Sequence[Prediction], head: CommitId
) -> CommitId:
    from ops.parquet import write_rows

    of = facts.of
    table = write_rows(prediction_rows(of, said), _COLUMNS)
    uploads = [
        Upload(path=of.path, data=table, content_type="application/vnd.apache.parquet"),
        Upload(path=facts_path(of.path), data=encode_facts(facts)),
    ]
    message = f"Keep predictions of {of} for {facts.rows} tasks"
    # Not by the name `version`: with that, a commit says it is a version of the dataset.
    commit = deposit(
        context,
        "predict",
        uploads,
        message=message,
        base=head,
        predictions=str(of),
        rows=facts.rows,
    )
    return commit or main_head(context.lake)


def _sizes(context: Context, ref: CommitId) -> Mapping[TaskKey, Size | None]:
    """The pixels of every picture, where they are known."""
    found: dict[TaskKey, Size | None] = {}
    with context.reporter.phase("listing pictures") as phase:
        for one in context.lake.list_objects(ref, MEDIA_PREFIX, metadata=True):
            width, height = (one.metadata.get(name, "") for name in ("width", "height"))
            is_known = width.isdecimal() and height.isdecimal()
            found[media_key(one.path)] = (int(width), int(height)) if is_known else None
            phase.advance()
    return found


def _class_name(context: Context, ref: CommitId, ontology: Ontology) -> ClassName:
    """The name of a class by its frozen id: the version's, else what the ontology would get."""
    data = context.lake.read(ref, CLASSES_PATH)
    names = (decode_classes(data) if data else Classes().extended(ontology)).names()
    return by_number(names)


def read_facts(context: Context, of: ModelVersion, ref: str = MAIN) -> PredictionFacts | None:
    """What is said of a model version's predictions at a ref; None where there are none."""
    data = context.lake.read(ref, facts_path(of.path))
    return decode_facts(data, of) if data is not None else None


def read_predictions(context: Context, name: str, ref: str = MAIN) -> Predicted:
    """The predictions of `model@version` at a ref. Two requests.

    Raises:
        UsageError: it is no such name.
        NotFoundError: there are none.
        InvalidDataError: they cannot be read.
    """
    from ops.parquet import read_rows

    of = parse_model_version(name)
    facts = read_facts(context, of, ref)
    data = context.lake.read(ref, of.path)
    if facts is None or data is None:
        raise NotFoundError(
            "no-such-predictions",
            f"there are no predictions of {of}",
            subject=str(of),
            where=(("path", of.path), ("at", ref)),
            unchanged="nothing was written",
            hint=f"see which there are: ops predict list\n"
            f"keep them: ops predict add FILE --model {of.model} --version {of.version}",
        )
    rows = read_rows(data, COLUMNS, path=of.path)
    said = (prediction_of(row, of.path) for row in rows)
    return Predicted(of=of, made_at=facts.made_at, by_key={one.key: one for one in said})


def list_predictions(context: Context, ref: str = MAIN) -> Iterator[PredictionFacts]:
    """What is said of every model version's predictions at a ref, by name.

    One request a 1 000 objects, and one a model version.
    """
    lake = context.lake
    listed = (found.path for found in lake.list_objects(ref, PREDICTION_PREFIX))
    paths = [path for path in listed if path.endswith(".json")]
    for path, data in lake.read_many(ref, paths):
        model, _, version = (
            path.removeprefix(PREDICTION_PREFIX).removesuffix(".json").partition("/")
        )
        yield decode_facts(data, ModelVersion(model=model, version=version))


def _refuse_strangers(
    path: Path,
    said: Sequence[Prediction],
    problems: Sequence[Problem],
    sizes: Mapping[TaskKey, Size | None],
) -> None:
    """Refuse a file that is of no task at all: its names are of another shape than the keys.

    Raises:
        NotFoundError: it is so.
    """
    strangers = [one for one in problems if one.is_unknown_task]
    if said or not strangers or len(strangers) < len(problems):
        return
    raise NotFoundError(
        "no-task-matches",
        f"none of the {len(strangers)} pictures named in {path.name} is a task",
        subject=str(path),
        where=(
            ("named there", sample_of([one.name for one in strangers], 3)),
            ("task keys", sample_of(sorted(sizes), 3) or "there are no pictures yet"),
        ),
        unchanged="nothing was written",
        hint="take the names' first part off: --strip-prefix TEXT\n"
        "or compare the last part alone: --match-on name",
    )


def _refuse(path: Path, said: Sequence[Prediction], problems: Sequence[Problem]) -> NoReturn:
    whole = len(problems) + len(said)
    raise InvalidDataError(
        "predictions-invalid",
        f"{len(problems)} of {whole} predictions in {path.name} cannot be taken",
        subject=str(path),
        where=(("problems", sample_of([str(one) for one in problems])),),
        unchanged="nothing was written",
        hint="correct them where they were made\nor take the rest alone: --skip-unknown",
        details={"problems": [as_json(one) for one in problems]},
    )


def as_json(problem: Problem) -> dict[str, str]:
    """A problem for programs."""
    return {"place": problem.place, "name": problem.name, "reason": problem.reason}


def _refuse_change(known: PredictionFacts, asked: PredictionFacts) -> NoReturn:
    of = known.of
    raise ConflictError(
        "predictions-exist",
        f"{of} is kept already, and says something else",
        subject=str(of),
        where=(
            ("kept", f"{known.rows} tasks, from {known.file}, by {known.made_by}"),
            ("asked", f"{asked.rows} tasks, from {asked.file}"),
        ),
        unchanged="nothing was written",
        hint="a version does not change, for labels name it: give these another --version",
    )
