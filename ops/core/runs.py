"""Training runs: which commit a model was trained on, and how well it did.

Owns what is kept of a run, `runs/<id>.json`, and when two are the same. Does not look at a model or
a repository.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import NoReturn
from urllib.parse import urlsplit

from ops.core.documents import Fields, Source, parse
from ops.core.encoding import encode
from ops.core.lines import maybe
from ops.core.names import check_table_name, run_path
from ops.core.records import CommitId, Json
from ops.errors import ConflictError, InvalidDataError

SCHEMA = "ops.run/1"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_LONGEST_STEM = 40
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What somebody says of a training run.

    Attributes:
        model: what it is called.
        metrics: finite numbers by name.
        params: what it was trained with: any JSON values.
        url: where more of it is to be seen, or None.
        model_digest: `sha256:…` of the model's file, by which the run is found from it; or None.
    """

    model: str
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    params: Mapping[str, Json] = field(default_factory=dict[str, Json])
    url: str | None = None
    model_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A training run as it is kept.

    Attributes:
        id: its name in the repository.
        commit: of the dataset, what it was trained on.
        version: the number of the version that commit is, or None.
        made_by, made_at, tool_version: of the record, not of the training.
    """

    id: str
    commit: CommitId
    version: int | None
    training: Training
    made_by: str
    made_at: str
    tool_version: str


def run_id(commit: CommitId, training: Training) -> str:
    """A name for a run that the same run has again: the model's, and a digest of what is said."""
    said = hashlib.sha256(encode([commit, _said(training)])).hexdigest()
    stem = _NOT_IN_ID.sub("-", training.model).strip("-._")[:_LONGEST_STEM]
    return f"{stem or 'run'}-{said[:12]}"


def check_training(training: Training) -> Training:
    """Give it back if it can be kept.

    Raises:
        InvalidDataError: a name is empty, a metric is no finite number, a parameter no JSON, the
            address none of a page or one that carries credentials, or the digest none.
    """
    if not training.model.strip() or not training.model.isprintable():
        _refuse("model", "must be one line of printable characters")
    for name, value in training.metrics.items():
        if not name.strip() or not isfinite(value):
            _refuse(f"metric {name!r}", f"is {value!r}, which is no finite number")
    if training.url is not None:
        _check_url(training.url)
    if training.model_digest is not None and not _SHA256.fullmatch(training.model_digest):
        _refuse("model digest", "must be sha256: and 64 hexadecimal digits")
    # Raises where a parameter is none that JSON can hold.
    encode(_said(training))
    return training


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_page = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_page, parts = False, urlsplit("")
    if not is_page:
        _refuse("url", f"{url!r} is not the address of a page")
    if parts.username is not None or parts.password is not None:
        _refuse("url", "must not carry credentials: everybody who sees the dataset sees it")


def _refuse(what: str, problem: str) -> NoReturn:
    raise InvalidDataError(
        "run-invalid",
        f"{what} {problem}",
        subject=what,
        unchanged="nothing was recorded",
        hint="correct it, then record the run again",
    )


def same_run(kept: Run, new: Run) -> Run:
    """The kept run, if the new one says the same of the training.

    Raises:
        ConflictError: it says something else under that name.
    """
    if (kept.commit, encode(_said(kept.training))) == (new.commit, encode(_said(new.training))):
        return kept
    raise ConflictError(
        "run-exists",
        f"run {new.id} is there and says something else",
        subject=new.id,
        where=(("recorded", f"{kept.made_at} by {kept.made_by}"),),
        unchanged="nothing was recorded",
        hint="give this run another id, or none: it is named by what it says then",
    )


def encode_run(run: Run) -> bytes:
    """The canonical bytes of `runs/<id>.json`."""
    return encode(
        {
            "schema": SCHEMA,
            "id": run.id,
            "commit": run.commit,
            "version": run.version,
            **_said(run.training),
            "made_by": run.made_by,
            "made_at": run.made_at,
            "tool_version": run.tool_version,
        }
    )


def _said(training: Training) -> dict[str, Json]:
    return {
        "model": training.model,
        "metrics": dict(training.metrics),
        "params": dict(training.params),
        "url": training.url,
        "model_digest": training.model_digest,
    }


def decode_run(data: bytes, run: str) -> Run:
    """The inverse of encode_run.

    Args:
        data: the object's bytes.
        run: its id.

    Raises:
        InvalidDataError: it is no record of that run.
    """
    source = Source(
        code="run-invalid",
        noun=f"run {run}",
        subject=run_path(run),
        hint="see what changed it in the object's history in the lakeFS UI",
    )
    fields = Fields.of(parse(data, source), "", source)
    if fields.text("schema") != SCHEMA:
        fields.refuse("schema", f"is not {SCHEMA}: another version of ops wrote it")
    if fields.text("id") != run:
        fields.refuse("id", "is not the one it lies under")
    metrics = fields.fields("metrics")
    return Run(
        id=run,
        commit=CommitId(fields.text("commit")),
        version=maybe(fields, "version", fields.integer),
        training=Training(
            model=fields.text("model"),
            metrics={name: metrics.number(name) for name in metrics.values},
            params=fields.mapping("params"),
            url=maybe(fields, "url", fields.text),
            model_digest=maybe(fields, "model_digest", fields.text),
        ),
        made_by=fields.text("made_by"),
        made_at=fields.timestamp("made_at"),
        tool_version=fields.text("tool_version"),
    )


def named(run: Run, given: str | None) -> Run:
    """The run under the id that was given, or under one that follows from what it says.

    Raises:
        UsageError: no run can have that id.
    """
    if given is None:
        return replace(run, id=run_id(run.commit, run.training))
    return replace(run, id=check_table_name(given, noun="run"))


def metric_names(runs: Sequence[Run]) -> Sequence[str]:
    """The metrics any of them has, sorted."""
    return sorted({name for run in runs for name in run.training.metrics})
