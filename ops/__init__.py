"""labeling-ops: labeling rounds over Label Studio and lakeFS, run by the command `ops`.

`from ops import Dataset` is what a training job reads with (ops/api.py). Nothing is imported before
it is asked for: `ops --help` answers at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.api import Dataset

__all__ = ["Dataset"]


def __getattr__(name: str) -> object:
    if name == "Dataset":
        from ops.api import Dataset

        return Dataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
