"""Examples as a PyTorch dataset: the one place that imports torch.

Owns the default way from an example to tensors. A map-style dataset is anything with a length and
items by number, so this is none of torch's own classes: it can be made, pickled and looked at where
torch is not installed.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from ops.core.exporting.marks import Shape
from ops.errors import ConfigurationError, RefusedError
from ops.examples import Example, Examples
from ops.media import decode_rgb

Item = TypeVar("Item")
_UNBOXED = frozenset({Shape.BRUSH, Shape.OTHER})


class TorchDataset(Generic[Item]):
    """What `torch.utils.data.DataLoader` takes; each of its workers reads for itself."""

    def __init__(self, examples: Examples, transform: Callable[[Example], Item]) -> None:
        """Take what is to be read and what is made of it.

        Args:
            examples: by number.
            transform: called in the worker with each example; a function of a module, not a
                lambda, where workers are started by the method spawn.
        """
        self.examples = examples
        self.transform = transform

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Item:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.transform(self.examples[index])


def to_tensors(example: Example) -> "tuple[Any, dict[str, Any]]":
    """An example as torchvision's detectors take it.

    Returns:
        The picture, `uint8` of `(3, height, width)`, turned upright; and its target: `boxes`,
        `float32` of `(n, 4)`, left, top, right, bottom in pixels; `labels`, `int64` of `(n,)`, the
        class ids; `choices`, by control, `int64` of `(m,)`, the class ids of what is said of the
        whole picture. A picture that is empty on purpose has no boxes.

    Raises:
        RefusedError: a region has no box, as a brush stroke.
        InvalidDataError: the bytes are no picture.
        ConfigurationError: torch is not installed.
    """
    torch = _torch()
    for mark in example.marks:
        if mark.shape in _UNBOXED:
            raise RefusedError(
                "region-without-box",
                f"a {mark.shape.value} of {example.key} has no box",
                subject=example.key,
                unchanged="nothing was left out",
                hint="say what is to become of it: torch(transform=…), with example.result",
            )
    width, height, pixels = decode_rgb(example.data, key=example.key)
    # A bytearray: torch warns of memory that cannot be written to.
    flat = torch.frombuffer(bytearray(pixels), dtype=torch.uint8)
    found = example.boxes((width, height))
    boxes = torch.tensor([list(box) for box, _ in found], dtype=torch.float32).reshape(-1, 4)
    target = {
        "boxes": boxes,
        "labels": torch.tensor([label for _, label in found], dtype=torch.int64),
        "choices": {
            control: torch.tensor(ids, dtype=torch.int64)
            for control, ids in example.choice_ids.items()
        },
    }
    return flat.reshape(height, width, 3).permute(2, 0, 1).contiguous(), target


def _torch() -> Any:  # noqa: ANN401 - a library that need not be installed
    """The library, imported late: it takes a second or more.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigurationError(
            "extra-missing",
            "tensors need PyTorch, which is not installed",
            subject="torch",
            unchanged="nothing was read",
            hint="install it as its makers say for your machine: https://pytorch.org\n"
            "or give a transform that makes something else: torch(transform=…)",
        ) from error
    return cast("ModuleType", torch)
