"""`dataset runs`: records of training runs, on main beside the labels they learned from.

Owns how a run comes there and is found again. Trains nothing and looks at no model but for its
digest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.core.audit import is_version, version_number
from ops.core.names import MAIN, RUN_PREFIX, run_path, version_tag
from ops.core.runs import (
    Run,
    Training,
    check_training,
    decode_run,
    encode_run,
    named,
    same_run,
)
from ops.errors import NotFoundError
from ops.ports import Upload
from ops.runner.context import Context, main_head
from ops.runner.dataset import resolve
from ops.runner.deposit import deposit


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A run, and whether it was recorded by this call."""

    run: Run
    is_new: bool


def record_run(
    context: Context,
    ref: str,
    training: Training,
    *,
    run_id: str | None = None,
    dry_run: bool = False,
) -> Recorded:
    """Record on main which commit a model was trained on. Eleven requests.

    Repeatable: the same run recorded again is the same record.

    Args:
        context: the servers.
        ref: what it was trained on; the commit it means now is kept. On main or not.
        training: what is said of the run.
        run_id: its name; one that follows from what is said where it is None.
        dry_run: nothing is written.

    Raises:
        NotFoundError: there is no such ref.
        InvalidDataError: what is said cannot be kept.
        ConflictError: another run has this id.
    """
    check_training(training)
    facts = context.lake.commit_facts(resolve(context, ref))
    run = named(
        Run(
            id="",
            commit=facts.id,
            version=version_number(facts) if is_version(facts) else None,
            training=training,
            made_by=context.actor,
            made_at=context.timestamp(),
            tool_version=context.tool_version,
        ),
        run_id,
    )
    data = context.lake.read(MAIN, run_path(run.id))
    if data is not None:
        return Recorded(run=same_run(decode_run(data, run.id), run), is_new=False)
    if not dry_run:
        on = run.commit[:12] if run.version is None else version_tag(run.version)
        deposit(
            context,
            "run",
            [Upload(path=run_path(run.id), data=encode_run(run))],
            message=f"Record run {run.id} on {on}",
            run=run.id,
            trained_on=run.commit,
        )
    return Recorded(run=run, is_new=True)


def list_runs(context: Context, ref: str | None = None) -> Sequence[Run]:
    """The runs that are recorded on main, by version and time; of one commit where `ref` is given.

    One request a 1 000 runs, one each, and one or two more.

    Raises:
        NotFoundError: there is no such ref.
        InvalidDataError: a record is damaged.
    """
    head = main_head(context.lake)
    commit = resolve(context, ref) if ref is not None else None
    listed = [found.path for found in context.lake.list_objects(head, RUN_PREFIX)]
    paths = [path for path in listed if path.endswith(".json")]
    read = context.lake.read_many(head, paths)
    runs = [decode_run(data, _id_of(path)) for path, data in read]
    chosen = [run for run in runs if commit is None or run.commit == commit]
    return sorted(chosen, key=lambda run: (run.version or 0, run.made_at, run.id))


def _id_of(path: str) -> str:
    return path.removeprefix(RUN_PREFIX).removesuffix(".json")


def runs_of_model(context: Context, model_file: Path) -> Sequence[Run]:
    """The runs that made a model, found by its file's digest. As list_runs.

    Raises:
        NotFoundError: there is no such file.
    """
    digest = model_digest(model_file)
    return [run for run in list_runs(context) if run.training.model_digest == digest]


def model_digest(model_file: Path) -> str:
    """`sha256:…` of a model's file.

    Raises:
        NotFoundError: it cannot be read.
    """
    try:
        with model_file.open("rb") as source:
            return "sha256:" + hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise NotFoundError(
            "no-model-file",
            f"{model_file} cannot be read: {error.strerror}",
            subject=str(model_file),
            unchanged="nothing was recorded",
            hint="name the file the model was saved to",
        ) from error
