"""`data profile`: what each picture of main says of itself, measured once and kept as a table.

Owns `profile/images.parquet` and which pictures it lacks. Does not know what is measured
(ops/profiling.py), nor what machines do it (ops/engines).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.core.encoding import encode
from ops.core.image_profile import ImageProfile
from ops.core.names import (
    IMAGE_PROFILE_PATH,
    MEDIA_PREFIX,
    facts_path,
    media_key,
    media_path,
)
from ops.core.records import CommitId, Json, TaskKey
from ops.engines import Engine
from ops.errors import NotFoundError, UnavailableError
from ops.parquet import Column, read_rows, write_rows
from ops.ports import Upload
from ops.profiling import can_hash, profile
from ops.runner.context import Context, main_head, sample_of
from ops.runner.deposit import deposit

SCHEMA = "ops.profile/1"

COLUMNS: Mapping[str, Column] = {
    "key": Column.TEXT,
    "checksum": Column.TEXT,
    "sha256": Column.TEXT,
    "size_bytes": Column.WHOLE,
    "width": Column.WHOLE,
    "height": Column.WHOLE,
    "orientation": Column.WHOLE,
    "format": Column.TEXT,
    "mode": Column.TEXT,
    "dhash": Column.TEXT,
    "problem": Column.TEXT,
}
"""The columns of `profile/images.parquet`, in their order; the rows are by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """What a run measured, or would measure.

    Attributes:
        measured: the pictures that had no profile.
        kept: how many had one.
        problems: every picture of main that cannot be decoded, measured now or before, by key;
            with a dry run those known before.
        hashed: whether what was measured has perceptual hashes.
        commit: main's new head; None where nothing was new, or with a dry run.
    """

    measured: tuple[TaskKey, ...]
    kept: int
    problems: tuple[ImageProfile, ...]
    hashed: bool
    commit: CommitId | None


def read_profile(context: Context, commit: str) -> Mapping[TaskKey, ImageProfile]:
    """The profile of each picture at a commit that has one, by key.

    A picture whose bytes were replaced since it was measured has none. One request, and one a 1 000
    images.

    Raises:
        InvalidDataError: the table is damaged.
    """
    return _current(_stored(context, commit), _listed(context, commit))


def profile_images(
    context: Context, engine: Engine, *, again: bool = False, dry_run: bool = False
) -> Profiled:
    """Measure the pictures of main that have no profile for their present bytes.

    Repeatable: where every picture has one, nothing is written. One request a picture measured, one
    a 1 000 images, and eight.

    Args:
        context: the servers.
        engine: what works on the bytes; started only where a picture has to be measured.
        again: measure every picture, and look at no earlier table.
        dry_run: measure nothing.

    Raises:
        NotFoundError: pictures vanished during the run, or the repository is not set up.
        InvalidDataError: the earlier table is damaged.
        ConflictError: another run brought its profiles onto main meanwhile.
        UnavailableError: the engine cannot read pictures that are there.
    """
    head = main_head(context.lake)
    listed = _listed(context, head)
    known = {} if again else _current(_stored(context, head), listed)
    hashed = can_hash()
    if hashed:
        known = {key: one for key, one in known.items() if one.dhash or one.problem}
    wanted = tuple(sorted(listed.keys() - known.keys()))
    commit = None
    if wanted and not dry_run:
        measured = _measure(context, engine, head, {key: listed[key] for key in wanted})
        known = {**known, **measured}
        commit = _deposit(context, known, count=len(wanted), base=head)
    return Profiled(
        measured=wanted,
        kept=len(listed) - len(wanted),
        problems=tuple(known[key] for key in sorted(known) if known[key].problem),
        hashed=hashed,
        commit=commit,
    )


def _listed(context: Context, commit: str) -> Mapping[TaskKey, str]:
    """The checksum of each picture."""
    listed = context.lake.list_objects(commit, MEDIA_PREFIX)
    return {media_key(found.path): found.checksum for found in listed}


def _stored(context: Context, commit: str) -> Iterable[ImageProfile]:
    data = context.lake.read(commit, IMAGE_PROFILE_PATH)
    for row in read_rows(data, [*COLUMNS], path=IMAGE_PROFILE_PATH) if data else ():
        yield ImageProfile.of(TaskKey(str(row["key"])), str(row["checksum"]), row)


def _current(
    profiles: Iterable[ImageProfile], listed: Mapping[TaskKey, str]
) -> dict[TaskKey, ImageProfile]:
    return {one.key: one for one in profiles if listed.get(one.key) == one.checksum}


def _measure(
    context: Context, engine: Engine, commit: CommitId, wanted: Mapping[TaskKey, str]
) -> Mapping[TaskKey, ImageProfile]:
    measured: dict[TaskKey, ImageProfile] = {}
    unread: list[TaskKey] = []
    paths = [media_path(key) for key in wanted]
    with engine, context.reporter.phase("profiling pictures", len(paths)) as phase:
        for path, found in engine.map(profile, commit, paths):
            key = media_key(path)
            if found is None:
                unread.append(key)
            else:
                measured[key] = ImageProfile.of(key, wanted[key], found)
            phase.advance()
    if unread:
        _refuse_unread(context, commit, sorted(unread))
    return measured


_ASKED_AGAIN = 10


def _refuse_unread(context: Context, commit: CommitId, unread: Sequence[TaskKey]) -> None:
    """Say whether pictures are gone, or are there and only out of the engine's reach.

    Raises:
        NotFoundError: one of them is gone.
        UnavailableError: they are there.
    """
    gone = [key for key in unread[:_ASKED_AGAIN] if _is_gone(context, commit, key)]
    if gone:
        raise NotFoundError(
            "pictures-gone",
            f"{len(unread)} pictures could not be read; {gone[0]} is not there any more",
            subject=gone[0],
            where=(("pictures", sample_of(unread)),),
            unchanged="nothing was written",
            hint="what lies in a bucket in place can be removed there; see: ops bucket info",
        )
    raise UnavailableError(
        "engine-cannot-read",
        f"{len(unread)} pictures can be read from here, but not from where they are profiled",
        subject=unread[0],
        where=(("pictures", sample_of(unread)),),
        unchanged="nothing was written",
        hint="see that the workers reach lakeFS's address, then run the same command again\n"
        "or profile on this machine: ops data profile --engine threads",
    )


def _is_gone(context: Context, commit: CommitId, key: TaskKey) -> bool:
    try:
        return context.lake.read(commit, media_path(key)) is None
    except NotFoundError:
        # Listed, but its bytes lay in a bucket and are there no more.
        return True


def _deposit(
    context: Context, profiles: Mapping[TaskKey, ImageProfile], *, count: int, base: CommitId
) -> CommitId | None:
    rows = [profiles[key].as_row() for key in sorted(profiles)]
    data = write_rows(rows, COLUMNS)
    problems = Counter(one.problem.value for one in profiles.values() if one.problem)
    facts: dict[str, Json] = {
        "schema": SCHEMA,
        "rows": len(rows),
        "hashed": sum(1 for one in profiles.values() if one.dhash),
        "problems": dict[str, Json](sorted(problems.items())),
        "sha256": hashlib.sha256(data).hexdigest(),
        "made_by": context.actor,
        "made_at": context.timestamp(),
    }
    parquet = "application/vnd.apache.parquet"
    return deposit(
        context,
        "profile",
        [
            Upload(path=IMAGE_PROFILE_PATH, data=data, content_type=parquet),
            Upload(path=facts_path(IMAGE_PROFILE_PATH), data=encode(facts)),
        ],
        message=f"Profile {count} pictures",
        # What another run measures meanwhile is not lost: the later one says so, and goes on.
        base=base,
        images=count,
    )
