"""Texts and pictures as vectors of one space: the only file that imports fastembed.

Owns the loading of a CLIP model, from a directory or by download, and what its vectors are. Does
not know tasks (ops/runner/text_search.py), nor read files of embeddings (ops/embedding_file.py).
"""

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ops.errors import ConfigurationError, InvalidDataError, UnavailableError

TEXT_HALF, IMAGE_HALF = "text", "vision"
_MODELS = {TEXT_HALF: "Qdrant/clip-ViT-B-32-text", IMAGE_HALF: "Qdrant/clip-ViT-B-32-vision"}
_FILES = {
    TEXT_HALF: ("model.onnx", "tokenizer.json", "tokenizer_config.json"),
    IMAGE_HALF: ("model.onnx", "preprocessor_config.json"),
}

Vector = Sequence[float]


class _Half(Protocol):
    """One half of a model, as fastembed has it."""

    def embed(self, things: object, batch_size: int = 16) -> Iterable["_Array"]: ...


class _Array(Protocol):
    def tolist(self) -> list[float]: ...


class Clip:
    """A text-to-image model; each half is loaded when it is needed first."""

    def __init__(self, directory: Path | None, cache: Path | None = None) -> None:
        """Say where the model is; reads nothing yet.

        Args:
            directory: holds the model's halves in text/ and vision/; None for CLIP ViT-B/32, which
                is downloaded once, 600 MB.
            cache: where what is downloaded is kept; None for a place that may not last.

        Raises:
            ConfigurationError: the extra `text` is not installed.
        """
        if find_spec("fastembed") is None:
            raise ConfigurationError(
                "text-extra",
                "comparing pictures with a text needs fastembed, which is not installed",
                unchanged="nothing was read or written",
                hint="pip install 'labeling-ops[text]'",
            )
        self._directory = directory
        self._cache = cache

    def embed_text(self, text: str) -> Vector:
        """The vector of a text.

        Raises:
            ConfigurationError: there is no model where one should be, or it is none.
            UnavailableError: it has to be downloaded, and cannot be.
        """
        try:
            [vector] = self._text.embed([text])
            return _checked(vector)
        except Exception as error:  # noqa: BLE001 - onnxruntime raises its own, which share no base
            self._refuse(TEXT_HALF, error)

    def embed_image(self, data: bytes) -> Vector:
        """The vector of a picture.

        Raises:
            InvalidDataError: these bytes are no picture that can be decoded.
            ConfigurationError, UnavailableError: as embed_text.
        """
        half = self._image
        try:
            with warnings.catch_warnings():
                # What Pillow thinks of odd pictures is none of the person's business.
                warnings.simplefilter("ignore")
                [vector] = half.embed([BytesIO(data)])
        except Exception as error:
            raise InvalidDataError(
                "picture-unreadable",
                "the picture cannot be decoded, or is no picture",
                unchanged="nothing was written",
                hint="see which pictures are damaged: ops data profile",
            ) from error
        return _checked(vector)

    @cached_property
    def image_digest(self) -> str:
        """What tells this model's picture vectors from another's: the SHA-256 of its weights.

        Raises:
            ConfigurationError, UnavailableError: as embed_text.
        """
        with (self._where(IMAGE_HALF) / "model.onnx").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def _text(self) -> _Half:
        return self._load(TEXT_HALF)

    @cached_property
    def _image(self) -> _Half:
        return self._load(IMAGE_HALF)

    def _load(self, half: str) -> _Half:
        where = self._where(half)
        library, _ = _fastembed(half)
        try:
            return library(_MODELS[half], specific_model_path=str(where))
        except Exception as error:  # noqa: BLE001 - onnxruntime and tokenizers raise their own
            self._refuse(half, error)

    def _where(self, half: str) -> Path:
        """The directory of a half of the model, with every file it needs.

        Raises:
            ConfigurationError: a file is missing.
        """
        if self._directory is None:
            return _download(half, self._cache)
        where = self._directory / half
        missing = [name for name in _FILES[half] if not (where / name).is_file()]
        if missing:
            raise ConfigurationError(
                "clip-files",
                f"{where} lacks {', '.join(missing)}",
                subject=str(where),
                where=(("setting", "clip_path"),),
                unchanged="nothing was read or written",
                hint=f"put the files of {_MODELS[TEXT_HALF]} into text/ and those of "
                f"{_MODELS[IMAGE_HALF]} into vision/, both from Hugging Face",
            )
        return where

    def _refuse(self, half: str, cause: Exception) -> NoReturn:
        if isinstance(cause, ConfigurationError | UnavailableError):
            raise cause
        where = self._directory / half if self._directory else _MODELS[half]
        raise ConfigurationError(
            "clip-model",
            f"{where} cannot be loaded, or is no half of a CLIP model",
            subject=str(where),
            unchanged="nothing was read or written",
            hint="name a directory with the model: OPS_CLIP_PATH, or clip_path in ops.toml",
        ) from cause


def _checked(vector: _Array) -> Vector:
    """The vector as numbers.

    Raises:
        ValueError: the model gives something else, such as one for each word.
    """
    values = vector.tolist()
    if not values or not all(isinstance(one, float) for one in values):
        raise ValueError(len(values))
    return values


def _download(half: str, cache: Path | None) -> Path:
    """Where a half lies once it is downloaded; asks the hub the first time only.

    Raises:
        UnavailableError: it is not here, and cannot be had.
    """
    import tempfile

    library, known = _fastembed(half)
    model = _MODELS[half]
    [described] = (one for one in known if one.model == model)
    place = (cache or Path(tempfile.gettempdir()) / "labeling-ops") / "models"
    try:
        # Once: three times, as it does by itself, is 39 s of waiting without a network.
        return Path(library.download_model(described, str(place), retries=1))
    except Exception as error:
        raise UnavailableError(
            "clip-download",
            f"{model} is not on this machine and cannot be downloaded from Hugging Face",
            subject=model,
            unchanged="nothing was read or written",
            hint="let this machine reach Hugging Face once\n"
            "or fetch the model elsewhere and name its directory: OPS_CLIP_PATH",
        ) from error


def _fastembed(half: str) -> tuple[Any, Sequence[Any]]:
    """The class fastembed has for a half of a model, and the models it knows; imported late: 0.5 s.

    It is told to keep its narration to itself: what matters of it is in our errors.
    """
    from loguru import logger

    logger.disable("fastembed")
    if half == TEXT_HALF:
        from fastembed.text.clip_embedding import CLIPOnnxEmbedding, supported_clip_models

        return CLIPOnnxEmbedding, supported_clip_models
    from fastembed.image.onnx_embedding import OnnxImageEmbedding, supported_onnx_models

    return OnnxImageEmbedding, supported_onnx_models
