"""The formats `ops import` reads, by the names people type."""

from enum import StrEnum


class LabelFormat(StrEnum):
    """What label files are."""

    COCO = "coco"
    YOLO = "yolo"
    VOC = "voc"
    CSV = "csv"
    JSON_MIN = "json-min"
    LABEL_STUDIO = "labelstudio"
    FOLDERS = "folders"
