"""Pictures by how much they look like a text.

Owns whose vectors are compared: an embedding file's, or those of a model that reads the pictures
here, once for their bytes. Chooses nothing: that is ops/runner/selection.py's.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.core.names import MEDIA_PREFIX, media_key, media_path
from ops.core.records import TaskKey
from ops.embedding import Clip
from ops.embedding_file import Embeddings, read_embeddings, stacked
from ops.errors import InvalidDataError, UsageError
from ops.ports import StoredObject
from ops.profiling import upright
from ops.runner.context import Context, sample_of
from ops.vector_cache import VectorCache

if TYPE_CHECKING:
    from ops.embedding import Vector


def rank_by_text(
    context: Context,
    commit: str,
    text: str,
    *,
    embeddings: Path | None = None,
    keys: Sequence[TaskKey],
) -> Mapping[TaskKey, float]:
    """How much each picture looks like a text, -1 to 1: the cosine of their vectors.

    Pictures without a vector are left out: the file lacks them, or they cannot be decoded.

    Args:
        context: the servers, and where the model is.
        commit: whose pictures are looked at.
        text: in the model's language, English for CLIP.
        embeddings: a file of the pictures' vectors, made by the image half of the same model; None
            to make them here, which reads each picture once (a request each) and keeps its vector.
        keys: the tasks to rank.

    Raises:
        UsageError: the text is empty.
        ConfigurationError: the extra `text` is not installed, or the model is none.
        UnavailableError: the model has to be downloaded, and cannot be.
        NotFoundError: there is no such file.
        InvalidDataError: the file holds no embeddings, vectors of another length than the model's,
            or none of these tasks'; or none of the pictures can be decoded.
    """
    if not text.strip():
        raise UsageError(
            "text-empty",
            "there is no text to compare pictures with",
            unchanged="nothing was read or written",
            hint='--text "a dog in snow"',
        )
    clip = Clip(context.clip_path, context.cache_dir)
    if not keys:
        return {}
    wanted = clip.embed_text(text)
    found = (
        read_embeddings(embeddings)
        if embeddings is not None
        else _embed(context, commit, clip, keys)
    )
    if found.dimensions != len(wanted):
        raise InvalidDataError(
            "embedding-dimensions",
            f"the text's vector has {len(wanted)} dimensions, the pictures' have "
            f"{found.dimensions}",
            subject=str(embeddings) if embeddings else None,
            unchanged="nothing was written",
            hint="make both with the two halves of one model; the text's is named by OPS_CLIP_PATH",
        )
    cosines = found.cosines(wanted)
    ranks = {key: cosines[key] for key in keys if key in cosines}
    if not ranks:
        _refuse_strangers(embeddings, found, keys)
    return ranks


def _refuse_strangers(embeddings: Path | None, found: Embeddings, keys: Sequence[TaskKey]) -> None:
    """Refuse a file that is about other pictures.

    Raises:
        InvalidDataError: always.
    """
    raise InvalidDataError(
        "embedding-keys",
        f"{embeddings} has {len(found.keys)} vectors, and none is of one of the {len(keys)} tasks",
        subject=str(embeddings),
        where=(("keys there", sample_of(found.keys, 3)), ("tasks", sample_of(keys, 3))),
        unchanged="nothing was written",
        hint="name each row by its task: the picture's path below images/, as ops data list shows",
    )


def _embed(context: Context, commit: str, clip: Clip, keys: Sequence[TaskKey]) -> Embeddings:
    """The vectors of pictures, made here or kept from before; those of unreadable ones left out.

    Raises:
        InvalidDataError: all of them are unreadable.
    """
    wanted = set(keys)
    listed = context.lake.list_objects(commit, MEDIA_PREFIX, metadata=True)
    media = {media_key(one.path): one for one in listed if media_key(one.path) in wanted}
    cache = VectorCache(context.cache_dir, clip.image_digest)
    vectors: dict[TaskKey, Vector] = {}
    with context.reporter.phase("comparing pictures with the text", len(media)) as phase:
        for key, one in media.items():
            if (vector := cache.find(_name(one))) is not None:
                vectors[key] = vector
                phase.advance()
        missing = [key for key in media if key not in vectors]
        for key, vector in _made(context, commit, clip, missing):
            phase.advance()
            if vector is not None:
                vectors[key] = vector
                cache.keep(_name(media[key]), vector)
    if not vectors:
        raise InvalidDataError(
            "no-embeddings",
            f"none of the {len(keys)} pictures can be decoded",
            subject=keys[0],
            unchanged="nothing was written",
            hint="see what is wrong with them: ops data profile",
        )
    return stacked(vectors)


def _made(
    context: Context, commit: str, clip: Clip, keys: Sequence[TaskKey]
) -> "Iterator[tuple[TaskKey, Vector | None]]":
    """Each picture's vector, None where it cannot be decoded. One request each."""
    if not keys:
        return
    for path, data in context.lake.read_many(commit, [media_path(key) for key in keys]):
        try:
            yield media_key(path), clip.embed_image(upright(data))
        except InvalidDataError:
            yield media_key(path), None


def _name(found: StoredObject) -> str:
    """What the bytes are told by: their SHA-256, or lakeFS's checksum and the size."""
    return found.metadata.get("sha256") or f"{found.checksum}-{found.size_bytes}"
