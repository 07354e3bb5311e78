"""Tables as pandas' DataFrames: the one place that imports pandas."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ops.errors import ConfigurationError

if TYPE_CHECKING:
    from pandas import DataFrame


class _Arrow(Protocol):
    def to_pandas(self) -> "DataFrame": ...


def to_data_frame(read: Callable[[], _Arrow]) -> "DataFrame":
    """What is read, an Arrow table, as a DataFrame.

    Raises:
        ConfigurationError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigurationError(
            "extra-missing",
            "DataFrames need an extra that is not installed",
            subject="pandas",
            unchanged="nothing was read",
            hint="pip install 'labeling-ops[pandas]'",
        ) from error
    frame = read().to_pandas()
    assert isinstance(frame, pd.DataFrame), "pyarrow makes nothing else of a table"  # noqa: S101
    return frame
