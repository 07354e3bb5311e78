"""`data add` and `data list`: media into main, through a branch and a merge.

Owns the order: upload to a branch named by what is added, commit, merge, remove the branch; so main
is never written to directly and an interrupted upload goes on. Never replaces a picture unless
asked: labels belong to its bytes.
"""

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.core.names import MAIN, MEDIA_PREFIX, media_key, media_path
from ops.core.records import CommitId, TaskKey, TaskState
from ops.errors import ConflictError, InvalidDataError
from ops.media import Ignored, Image, MediaFile, find_files, read_image
from ops.ports import StoredObject, Upload
from ops.runner.context import Context, main_head, sample_of
from ops.runner.publish import publish
from ops.runner.selection import task_states


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What an addition did, or would do.

    Attributes:
        added, replaced, unchanged: task keys.
        ignored: files that are no media, by name, with the reason.
        commit: main's new head; None where there was nothing to add or with a dry run.
    """

    added: tuple[TaskKey, ...]
    replaced: tuple[TaskKey, ...]
    unchanged: tuple[TaskKey, ...]
    ignored: tuple[Ignored, ...]
    commit: CommitId | None


def add_media(
    context: Context,
    paths: Sequence[Path],
    *,
    prefix: str = "",
    only: Container[TaskKey] | None = None,
    replace: bool = False,
    dry_run: bool = False,
) -> Added:
    """Bring images into main.

    Every file is read twice, once to check it and once to upload it, so memory stays flat. One
    request a new image, one
    a 1 000 images there are, and five more. Repeatable: images that are there are left alone.

    Args:
        context: the servers.
        paths: images, or folders of them.
        prefix: put before each key.
        only: leave other keys out; None for none.
        replace: replace images whose bytes differ.
        dry_run: do nothing, say what would be done.

    Raises:
        NotFoundError: a path does not exist, or the repository is not set up.
        InvalidDataError: two files would have the same key.
        ConflictError: an image of that key is there with other bytes, and `replace` is false.
    """
    head = main_head(context.lake)
    files = [f for f in find_files(paths, prefix) if only is None or f.key in only]
    _refuse_same_keys(files)
    there = {
        found.path: found for found in context.lake.list_objects(head, MEDIA_PREFIX, metadata=True)
    }
    images, ignored = _check(context, files)
    new = {key: found.sha256 for key, found in images.items() if media_path(key) not in there}
    changed = {
        key: found.sha256
        for key, found in images.items()
        if media_path(key) in there and not _is_same(there[media_path(key)], found)
    }
    if changed and not replace:
        _refuse_replacement(sorted(changed))
    upload = {**new, **changed}
    by_key = {file.key: file for file in files}
    commit = None
    if upload and not dry_run:
        commit = _upload(context, {key: by_key[key] for key in sorted(upload)}, upload)
    return Added(
        added=tuple(sorted(new)),
        replaced=tuple(sorted(changed)),
        unchanged=tuple(sorted(images.keys() - upload.keys())),
        ignored=tuple(ignored),
        commit=commit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Digests:
    """What tells an image's bytes from others, in hex."""

    sha256: str
    md5: str


def _check(
    context: Context, files: Sequence[MediaFile]
) -> tuple[Mapping[TaskKey, _Digests], Sequence[Ignored]]:
    """Each image's digests by key, and the files that are no images."""
    images: dict[TaskKey, _Digests] = {}
    ignored: list[Ignored] = []
    with context.reporter.phase("checking files", len(files)) as phase:
        for file in files:
            found = read_image(file)
            if isinstance(found, Image):
                md5 = hashlib.md5(found.data, usedforsecurity=False).hexdigest()
                images[file.key] = _Digests(sha256=found.sha256, md5=md5)
            else:
                ignored.append(found)
            phase.advance()
    return images, ignored


def _upload(
    context: Context, files: Mapping[TaskKey, MediaFile], digests: Mapping[TaskKey, str]
) -> CommitId | None:
    lake = context.lake
    listed = "".join(f"{key}\t{digests[key]}\n" for key in files)
    branch = "data-" + hashlib.sha256(listed.encode()).hexdigest()[:12]
    lake.create_branch(branch, MAIN)
    with context.reporter.phase("uploading pictures", len(files)) as phase:
        lake.write_many(branch, _uploads(files), done=lambda _: phase.advance())
    message = f"Add {len(files)} images"
    metadata = context.metadata("data-add", images=len(files))
    lake.commit(branch, message, metadata)
    commit = publish(context, branch, onto=None, message=message, metadata=metadata)
    lake.delete_branch(branch)
    return commit


def _uploads(files: Mapping[TaskKey, MediaFile]) -> Iterator[Upload]:
    for key, file in files.items():
        image = read_image(file)
        if isinstance(image, Ignored):
            raise InvalidDataError(
                "file-changed",
                f"{file.path} changed while it was being added: it {image.reason}",
                subject=str(file.path),
                unchanged="main is as it was",
                hint="run the same command again",
            )
        yield Upload(
            path=media_path(key),
            data=image.data,
            content_type=image.content_type,
            metadata=image.metadata,
        )


def _is_same(found: StoredObject, image: _Digests) -> bool:
    """Whether the stored object has these bytes.

    Of one imported without its SHA-256, lakeFS's checksum tells: the md5 the bucket knew.
    """
    stated = found.metadata.get("sha256")
    return stated == image.sha256 if stated else found.checksum == image.md5


def _refuse_same_keys(files: Sequence[MediaFile]) -> None:
    first: dict[TaskKey, MediaFile] = {}
    for file in files:
        other = first.setdefault(file.key, file)
        if other is not file and other.path.resolve() != file.path.resolve():
            raise InvalidDataError(
                "same-key",
                f"{other.path} and {file.path} would both be task {file.key}",
                subject=file.key,
                unchanged="nothing was uploaded",
                hint="give one of the folders a prefix: ops data add PATH --prefix NAME/",
            )


def _refuse_replacement(keys: Sequence[TaskKey]) -> None:
    raise ConflictError(
        "image-exists",
        f"{len(keys)} images are there already with other bytes",
        subject=keys[0],
        where=(("images", sample_of(keys)),),
        unchanged="nothing was uploaded",
        hint="add these under other names: --prefix NAME/\n"
        "or replace the bytes that labels were made on: --replace",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One media object and how its task stands; None where no round has taken it."""

    object: StoredObject
    key: TaskKey
    state: TaskState | None


def list_media(context: Context, ref: str = MAIN) -> Iterator[Listed]:
    """The media at a ref with their tasks' states, by key, lazily.

    One request a 1 000 and two more.
    """
    states = task_states(context, ref)
    for found in context.lake.list_objects(ref, MEDIA_PREFIX, metadata=True):
        key = media_key(found.path)
        yield Listed(object=found, key=key, state=states.get(key))
