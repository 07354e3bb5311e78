"""What is known of a picture from its bytes alone.

Owns the fields of a profile and why there may be none. Does not read pictures (ops/profiling.py),
nor know where profiles are kept (ops/runner/profile.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ops.core.records import Json, TaskKey
from ops.errors import InvalidDataError

_Value = TypeVar("_Value", str, int)


class Problem(StrEnum):
    """Why a picture cannot be decoded."""

    EMPTY = "empty"
    NO_IMAGE = "no-image"
    DAMAGED = "damaged"
    TOO_LARGE = "too-large"

    @property
    def text(self) -> str:
        """The problem in words, to follow a picture's name."""
        return _TEXTS[self]


_TEXTS = {
    Problem.EMPTY: "has no bytes",
    Problem.NO_IMAGE: "is not an image",
    Problem.DAMAGED: "is cut off or damaged",
    Problem.TOO_LARGE: "claims more pixels than can be true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProfile:
    """One picture's profile.

    Attributes:
        key: the task the picture is of.
        checksum: lakeFS's checksum of the object that was profiled.
        sha256: of its bytes, 64 hexadecimal digits.
        size_bytes: their number.
        width, height: pixels as stored, before it is turned upright; None where no header says so.
        orientation: EXIF's, 1 to 8; 1 where it says none. None where the picture cannot be decoded.
        format, mode: Pillow's words, as `JPEG` and `RGB`.
        dhash: difference hash of the picture turned upright, 16 hexadecimal digits; None where it
            cannot be decoded, or where nothing was there to hash with.
        problem: why it cannot be decoded; None where it can.
    """

    key: TaskKey
    checksum: str
    sha256: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    format: str | None = None
    mode: str | None = None
    dhash: str | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, key: TaskKey, checksum: str, found: Mapping[str, Json]) -> "ImageProfile":
        """The profile of an object from what was found in its bytes, or from a stored row.

        Raises:
            InvalidDataError: it is neither.
        """
        try:
            return cls(
                key=key,
                checksum=checksum,
                sha256=_stated(_text(found["sha256"])),
                size_bytes=_stated(_whole(found["size_bytes"])),
                width=_whole(found["width"]),
                height=_whole(found["height"]),
                orientation=_whole(found["orientation"]),
                format=_text(found["format"]),
                mode=_text(found["mode"]),
                dhash=_text(found["dhash"]),
                problem=Problem(str(found["problem"])) if found["problem"] is not None else None,
            )
        except (KeyError, ValueError) as error:
            raise InvalidDataError(
                "profile-invalid",
                f"the profile of {key} is none of this version of ops",
                subject=key,
                where=(("field", str(error)),),
                unchanged="nothing was written",
                hint="profile every picture anew: ops data profile --again\n"
                "machines that profile must have the same labeling-ops as this one",
            ) from error

    def as_row(self) -> dict[str, Json]:
        """The profile with every field, in the order of `profile/images.parquet`."""
        return {
            "key": self.key,
            "checksum": self.checksum,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "width": self.width,
            "height": self.height,
            "orientation": self.orientation,
            "format": self.format,
            "mode": self.mode,
            "dhash": self.dhash,
            "problem": self.problem.value if self.problem else None,
        }


def _text(value: Json) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(value)
    return value


def _whole(value: Json) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(value)
    return value


def _stated(value: _Value | None) -> _Value:
    if value is None:
        raise ValueError(value)
    return value
