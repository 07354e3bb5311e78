"""`dataset pull`: a version's pictures and label files in a directory, exactly.

Owns what belongs to a pull, what an earlier pull left that belongs no more, and `pull.json`, which
says what lies there. How each file gets there is fetch.py's. Touches no file that no pull wrote.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops.cache import MediaCache, fingerprint_of
from ops.core.fingerprint import Expected, Measure
from ops.core.names import (
    CARD_JSON_PATH,
    CARD_PATH,
    MEDIA_PREFIX,
    METADATA_PREFIX,
    SPLIT_PREFIX,
    TASKS_PARQUET,
    media_key,
)
from ops.core.pulls import FILE_NAME, Choice, PulledFile, PullManifest, decode_pull, encode_pull
from ops.core.records import CommitId, TaskKey, TaskState
from ops.errors import ConflictError, NotFoundError, RefusedError
from ops.files import held, ignores_case, place, scratch_in, write_whole, writing
from ops.ports import StoredObject
from ops.runner.context import Context, sample_of
from ops.runner.dataset import resolve
from ops.runner.fetch import JOBS, Fetched, Source, expected_of, fetch_held, refuse_names

LABEL_FILES = ("snapshot/", "ontology/", METADATA_PREFIX, SPLIT_PREFIX, CARD_PATH, CARD_JSON_PATH)
FOLDERS = tuple(path for path in (MEDIA_PREFIX, *LABEL_FILES) if path.endswith("/"))
"""Where a pull writes, and where files that are no part of it are looked for."""

_ANSWERED = frozenset({TaskState.LABELED, TaskState.EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a pull is to be carried out.

    Attributes:
        choice: which pictures.
        jobs: requests under way at once.
        link: files share their bytes with the cache, and are read-only.
        delete_extra: files in its folders that no pull wrote are removed.
        dry_run: nothing is written or read but listings.
    """

    choice: Choice
    jobs: int = JOBS
    link: bool = False
    delete_extra: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did, or would do.

    Attributes:
        commit: what was read.
        media_count: pictures among the files.
        sources: files by where their bytes came from.
        read_bytes: bytes asked of the server.
        replaced: files that had other bytes before.
        removed: files of an earlier pull that belong no more, and extra ones if asked for.
        extra: files in its folders that no pull wrote.
        measures: files by what their bytes were held against.
        cache_problem: why files could not be kept in the cache, or None.
    """

    repository: str
    commit: CommitId
    file_count: int
    media_count: int
    size_bytes: int
    sources: Mapping[Source, int]
    read_bytes: int
    replaced: Sequence[str]
    removed: Sequence[str]
    extra: Sequence[str]
    measures: Mapping[Measure, int]
    cache_problem: str | None


def pull(context: Context, ref: str, *, out: Path, order: Order) -> Pulled:
    """Bring a directory to what a ref holds: its pictures, and the files that say what they show.

    Repeatable: what is there with the right bytes is left, and a pull that was stopped goes on. A
    pull of another ref into the same directory changes what differs. One request a 1 000 pictures,
    seven more, those of the choice, and one a file that is neither there nor in the cache.

    Raises:
        NotFoundError: there is no such ref, or the choice takes nothing.
        ConflictError: a file no pull wrote has a name that one of these needs, and other bytes.
        RefusedError: the directory holds a pull of another repository, or another command writes.
        PartialError: some files could not be had; each is named.
        ConfigurationError: the directory cannot be written.
    """
    commit = resolve(context, ref)
    media = choose(context, commit, order.choice)
    labels = [f for prefix in LABEL_FILES for f in context.lake.list_objects(commit, prefix)]
    wanted = {found.path: found for found in [*media, *labels]}
    plan = _Plan(
        manifest=PullManifest(
            repository=context.lake.repository,
            ref=ref,
            commit=commit,
            choice=order.choice,
            is_complete=False,
            files=[_ahead(expected_of(wanted[path])) for path in sorted(wanted)],
        ),
        wanted=[wanted[path] for path in sorted(wanted)],
        media_count=len(media),
        out=out,
        order=order,
    )
    with writing(out):
        if order.dry_run:
            return _planned(context, plan)
        with held(out):
            return _carried_out(context, plan)


def choose(context: Context, commit: CommitId, choice: Choice) -> Sequence[StoredObject]:
    """The pictures of a commit that a choice takes, by path.

    One request a 1 000 pictures, one for `labeled_only`, two for a split, and those of the
    expression (ops.runner.tables).

    Raises:
        NotFoundError: it takes none, or there is no such split.
        UsageError: the expression is wrong.
    """
    with context.reporter.phase("listing pictures") as phase:
        listed: list[StoredObject] = []
        for found in context.lake.list_objects(commit, MEDIA_PREFIX, metadata=True):
            listed.append(found)
            phase.advance()
    for keys in _restrictions(context, commit, choice, listed):
        listed = [found for found in listed if media_key(found.path) in keys]
    if not listed and not choice.is_all:
        raise NotFoundError(
            "nothing-to-pull",
            "no picture of that commit is asked for",
            subject=commit,
            unchanged="nothing was written",
            hint="see what it holds: ops dataset query, or ops data list --ref REF",
        )
    return listed


def _restrictions(
    context: Context, commit: CommitId, choice: Choice, listed: Sequence[StoredObject]
) -> Iterator[frozenset[TaskKey]]:
    """The tasks each part of a choice takes."""
    if choice.labeled_only:
        yield _answered(context, commit)
    if choice.split is not None:
        from ops.runner.splits import read_split

        parts = read_split(context, commit, choice.split)
        yield frozenset(key for key, part in parts.items() if choice.part in {None, part})
    if choice.where is not None:
        from ops.runner.tables import open_tables

        with open_tables(context, commit, images=listed) as tables:
            yield frozenset(tables.keys_where(choice.where))


def _answered(context: Context, commit: CommitId) -> frozenset[TaskKey]:
    from ops.parquet import read_states

    data = context.lake.read(commit, TASKS_PARQUET)
    states = read_states(data) if data is not None else {}
    return frozenset(key for key, state in states.items() if state in _ANSWERED)


def read_manifest(out: Path) -> PullManifest | None:
    """What a directory says was pulled into it, or None.

    Raises:
        InvalidDataError: it is no such document.
        OSError: it cannot be read.
    """
    try:
        return decode_pull((out / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A pull before it begins."""

    manifest: PullManifest
    wanted: Sequence[StoredObject]
    media_count: int
    out: Path
    order: Order


def _carried_out(context: Context, plan: _Plan) -> Pulled:
    out = plan.out
    before = _before(plan)
    _refuse_in_the_way(plan, before)
    with scratch_in(out) as scratch:
        refuse_names([one.path for one in plan.wanted], ignores_case=ignores_case(scratch))
    gone = _gone(plan, before)
    # From here on the directory is neither what it was nor what it will be, and says so; all that
    # is ours in it stays known as ours.
    _write_manifest(out, _joined(plan.manifest, before))
    for path in gone:
        _remove(out, path)
    fetched = fetch_held(
        context,
        plan.manifest.commit,
        plan.wanted,
        into=out,
        jobs=plan.order.jobs,
        link=plan.order.link,
    )
    extra = _extra(plan)
    removed = [*gone, *(extra if plan.order.delete_extra else ())]
    for path in extra if plan.order.delete_extra else ():
        _remove(out, path)
    _write_manifest(out, _finished(plan, fetched))
    return _told(plan, fetched, removed=removed, extra=[] if plan.order.delete_extra else extra)


def _planned(context: Context, plan: _Plan) -> Pulled:
    """What a pull would do, without asking the server for any file."""
    before = _before(plan)
    _refuse_in_the_way(plan, before)
    cache = MediaCache(context.cache_dir) if context.cache_dir is not None else None
    sources = dict.fromkeys(Source, 0)
    replaced: list[str] = []
    read_bytes = 0
    for wanted in map(expected_of, plan.wanted):
        path = plan.out / wanted.path
        if _holds(path, wanted):
            sources[Source.THERE] += 1
            continue
        replaced += [wanted.path] if path.exists() else []
        kept = cache.path(wanted) if cache is not None else None
        source = Source.CACHE if kept is not None and kept.exists() else Source.SERVER
        sources[source] += 1
        read_bytes += wanted.size_bytes if source is Source.SERVER else 0
    extra = _extra(plan)
    gone = _gone(plan, before)
    told = _told(plan, Fetched(), removed=gone, extra=[path for path in extra if path not in gone])
    return replace(told, sources=sources, read_bytes=read_bytes, replaced=replaced)


def _before(plan: _Plan) -> PullManifest | None:
    """What an earlier pull left.

    Raises:
        RefusedError: it was of another repository; or there was none, and extra files are to go.
    """
    before = read_manifest(plan.out)
    if before is not None and before.repository != plan.manifest.repository:
        raise RefusedError(
            "other-pull",
            f"{plan.out} holds a pull of repository {before.repository}",
            subject=str(plan.out),
            where=(("holds", f"{before.repository} at {before.ref}"),),
            unchanged="nothing was written",
            hint="pull into another directory",
        )
    if before is None and plan.order.delete_extra and _extra(plan):
        raise RefusedError(
            "not-a-pull",
            f"{plan.out} holds no pull, so nothing in it is removed",
            subject=str(plan.out),
            unchanged="nothing was written",
            hint="pull without --delete-extra first; it names the files that are no part of it",
        )
    return before


def _refuse_in_the_way(plan: _Plan, before: PullManifest | None) -> None:
    """Refuse to write over a file that no pull wrote.

    Raises:
        ConflictError: there is one, with other bytes.
    """
    own = {one.path for one in before.files} if before is not None else set[str]()
    strange = [one for one in map(expected_of, plan.wanted) if one.path not in own]
    found = [one.path for one in strange if _is_in_the_way(plan.out, one, own)]
    if found:
        raise ConflictError(
            "file-in-the-way",
            f"{len(found)} files in {plan.out} have names this pull needs, and other bytes",
            subject=found[0],
            where=(("files", sample_of(found)),),
            unchanged="nothing was written",
            hint="move them away, or pull into another directory",
        )


def _is_in_the_way(out: Path, wanted: Expected, own: Container[str]) -> bool:
    path = out / wanted.path
    if path.is_dir() and not path.is_symlink():
        # What an earlier pull wrote in it goes, and the folder with it.
        below = (one for one in path.rglob("*") if not one.is_dir() or one.is_symlink())
        return any(one.relative_to(out).as_posix() not in own for one in below)
    return (path.exists() or path.is_symlink()) and not _holds(path, wanted)


def _gone(plan: _Plan, before: PullManifest | None) -> Sequence[str]:
    """Files an earlier pull wrote that belong no more, and that nobody has changed since."""
    wanted = {found.path for found in plan.wanted}
    left = [one for one in (before.files if before else ()) if one.path not in wanted]
    return sorted({one.path for one in left if _holds(plan.out / one.path, _expected(one))})


def _extra(plan: _Plan) -> Sequence[str]:
    """Files in a pull's folders that are no part of it."""
    wanted = {found.path for found in plan.wanted}
    return [path for path in _files_below(plan.out) if path not in wanted]


def _files_below(out: Path) -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((out / folder).rglob("*")):
            if not path.is_dir() or path.is_symlink():
                yield path.relative_to(out).as_posix()


def _remove(out: Path, path: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (out / path).unlink(missing_ok=True)
    for folder in (out / path).parents:
        if folder == out or any(folder.iterdir()):
            return
        folder.rmdir()


def _holds(path: Path, wanted: Expected) -> bool:
    """Whether a file has these bytes."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size != wanted.size_bytes:
        return False
    fingerprint = fingerprint_of(path, wanted)
    return fingerprint is not None and fingerprint.problem is None


def _expected(file: PulledFile) -> Expected:
    return Expected.of(
        file.path, size_bytes=file.size_bytes, checksum=file.md5 or "", sha256=file.sha256
    )


def _ahead(wanted: Expected) -> PulledFile:
    """A file that is still to come, with what is known of it."""
    return PulledFile(
        path=wanted.path,
        size_bytes=wanted.size_bytes,
        sha256=wanted.digest if wanted.measure is Measure.SHA256 else None,
        md5=wanted.digest if wanted.measure is Measure.MD5 else None,
    )


def _joined(manifest: PullManifest, before: PullManifest | None) -> PullManifest:
    """The manifest of a pull under way: what is ours by it, and what was."""
    # Of a path that both have, both stand there: whichever bytes lie there are ours.
    files = {*manifest.files, *(before.files if before is not None else ())}
    return replace(manifest, files=sorted(files, key=_order))


def _order(file: PulledFile) -> tuple[str, str]:
    return file.path, file.sha256 or file.md5 or ""


def _finished(plan: _Plan, fetched: Fetched) -> PullManifest:
    ahead = plan.manifest.files
    files = [replace(one, sha256=fetched.files[one.path].sha256) for one in ahead]
    counts = {
        "files": len(files),
        "images": plan.media_count,
        "size_bytes": fetched.size_bytes(),
    }
    return replace(plan.manifest, is_complete=True, counts=counts, files=files)


def _write_manifest(out: Path, manifest: PullManifest) -> None:
    with scratch_in(out) as scratch:
        write_whole(scratch / FILE_NAME, [encode_pull(manifest)])
        place(scratch / FILE_NAME, out / FILE_NAME)


def _told(plan: _Plan, fetched: Fetched, *, removed: Sequence[str], extra: Sequence[str]) -> Pulled:
    expected = [expected_of(found) for found in plan.wanted]
    return Pulled(
        repository=plan.manifest.repository,
        commit=plan.manifest.commit,
        file_count=len(expected),
        media_count=plan.media_count,
        size_bytes=sum(one.size_bytes for one in expected),
        sources={source: fetched.count(source) for source in Source},
        read_bytes=fetched.size_bytes(Source.SERVER),
        replaced=[one.path for one in fetched.files.values() if one.replaced],
        removed=removed,
        extra=extra,
        measures={
            measure: sum(1 for one in expected if one.measure is measure) for measure in Measure
        },
        cache_problem=fetched.cache_problem,
    )
