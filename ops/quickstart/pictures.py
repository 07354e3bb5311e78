"""The quickstart's pictures: hand-written digits with their true labels, and a few photographs.

Owns where they come from (scikit-learn's and scikit-image's own data, nothing is downloaded), what
they look like, their task keys, and which half of the digits nobody is shown. Does not know what
anybody says of them (answers.py).
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from ops.core.records import TaskKey
from ops.errors import ConfigurationError
from ops.quickstart import MOST_DIGITS

LABELS = tuple("0123456789")
LABEL_CONFIG = "\n".join(
    [
        "<View>",
        '  <Choices name="label" toName="image" choice="single" showInline="true">',
        # Of itself Label Studio would give the first choice, 0, the key 1.
        *(f'    <Choice value="{label}" hotkey="{label}"/>' for label in LABELS),
        "  </Choices>",
        '  <Image name="image" value="$image" zoom="true" maxWidth="400px"/>',
        "</View>",
        "",
    ]
)
"""The choices above the picture, for a picture of a few pixels fills the page."""

PHOTOGRAPHS = tuple(
    TaskKey(f"photos/{name}")
    for name in ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg")
)
"""What has no digit in it. All are in the public domain, and in scikit-image's own package."""

_MODULES = ("boto3", "skimage", "sklearn")
_SEED = 1797
_DIGIT_KEY = re.compile(r"digits/[0-9]{4}\.png", re.ASCII)
_SIDE, _MARGIN, _ENLARGEMENT = 8, 1, 32
_WHITE, _MOST_INK = 255, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """One digit as somebody wrote it.

    Attributes:
        ink: (64,), row by row, 0 to 16 a pixel.
        label: what it is.
    """

    ink: tuple[float, ...]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All digits. `shown` are put before people, by task key; `hidden` never are."""

    shown: Mapping[TaskKey, Digit]
    hidden: Sequence[Digit]


def need_modules(names: Sequence[str] = _MODULES) -> None:
    """Make sure that the quickstart's libraries are installed. Imports none of them.

    Raises:
        ConfigurationError: one is missing.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "quickstart-extra",
            f"the quickstart's pictures need libraries that are not installed: "
            f"{', '.join(missing)}",
            unchanged="nothing was started or written",
            hint="pip install 'labeling-ops[local,quickstart]', or: uv sync --all-extras\n"
            "or take pictures of your own: ops quickstart --images DIR --labels cat,dog",
        )


def is_ours(key: TaskKey) -> bool:
    """Whether a task can be one of the quickstart's."""
    return key in PHOTOGRAPHS or _DIGIT_KEY.fullmatch(key) is not None


def picture_keys(count: int) -> tuple[TaskKey, ...]:
    """The task keys of the first `count` digits and all photographs."""
    return (*_digit_keys(count), *PHOTOGRAPHS)


def _digit_keys(count: int) -> Sequence[TaskKey]:
    return [TaskKey(f"digits/{number:04}.png") for number in range(1, count + 1)]


def load_sample() -> Sample:
    """The digits, in an order that is the same everywhere. About two seconds, for scikit-learn."""
    from sklearn.datasets import load_digits  # pyright: ignore[reportUnknownVariableType]

    # scikit-learn ships no types: they begin here.
    bunch = cast("Any", load_digits())
    digits = [
        Digit(ink=tuple(float(pixel) for pixel in ink), label=LABELS[int(target)])
        for ink, target in zip(bunch.data.tolist(), bunch.target.tolist(), strict=True)
    ]
    # The set comes in runs of 0 1 2 … 9 by the same hand.
    random.Random(_SEED).shuffle(digits)  # noqa: S311 - a shuffle to be repeated, not a secret
    shown = dict(zip(_digit_keys(MOST_DIGITS), digits, strict=False))
    return Sample(shown=shown, hidden=digits[MOST_DIGITS:])


def write_pictures(sample: Sample, count: int, folder: Path) -> Iterator[TaskKey]:
    """Write the pictures of `picture_keys` below a folder, one at each step."""
    for name in ("digits", "photos"):
        (folder / name).mkdir()
    for key in _digit_keys(count):
        (folder / key).write_bytes(draw(sample.shown[key]))
        yield key
    for key in PHOTOGRAPHS:
        source = files("skimage") / "data" / Path(key).name
        (folder / key).write_bytes(source.read_bytes())
        yield key


def draw(digit: Digit) -> bytes:
    """A digit as a PNG of 320×320, black on white: large enough to be read, as smooth as it was."""
    from PIL import Image

    side = _SIDE + 2 * _MARGIN
    small = Image.new("L", (side, side), _WHITE)
    grey = bytes(round(_WHITE * (1 - ink / _MOST_INK)) for ink in digit.ink)
    small.paste(Image.frombytes("L", (_SIDE, _SIDE), grey), (_MARGIN, _MARGIN))
    large = small.resize((side * _ENLARGEMENT, side * _ENLARGEMENT), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    large.save(buffer, format="PNG")
    return buffer.getvalue()
