"""The words an export is asked for with: formats, policies, and where pictures are.

Owns the words alone, so that the command line can name them without loading what they do.
"""

from enum import StrEnum


class Format(StrEnum):
    """What an export is written for."""

    COCO = "coco"
    YOLO = "yolo"
    VOC = "voc"
    CSV = "csv"
    JSONL = "jsonl"
    JSON_MIN = "json-min"
    PARQUET = "parquet"
    HF = "hf"
    LABEL_STUDIO = "labelstudio"


class MediaMode(StrEnum):
    """How an export says where a task's picture is."""

    COPY = "copy"
    """Its bytes are in the export."""
    LINK = "link"
    """A link in the export leads to them."""
    URI = "uri"
    """Its address in the repository, at the commit."""
    NONE = "none"
    """Not at all: by its key alone."""


class Policy(StrEnum):
    """Whose answer counts where a task has several."""

    GROUND_TRUTH = "ground-truth"
    """The one annotation marked as ground truth, and no other."""
    LATEST = "latest"
    """The one that was updated last."""
    MAJORITY = "majority"
    """What more than half of the people say."""
    ALL = "all"
    """Every one, each with its annotator."""
