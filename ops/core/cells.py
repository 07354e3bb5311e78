"""Values of a table's cells in a form that programs of any kind read.

Owns how Python's numbers, times and nested values become JSON. Does not write a document.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import cast

from ops.core.records import Json


def plain(value: object) -> Json:  # noqa: PLR0911 - a line a kind of value
    """A cell as JSON has it.

    Times are text in ISO 8601, UTC with a `Z`; exact decimals are whole numbers where they are
    whole, else floats; bytes are hexadecimal. A float that is no number stays one.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {str(name): plain(part) for name, part in named.items()}
    if isinstance(value, Sequence):
        return [plain(part) for part in cast("Sequence[object]", value)]
    return str(value)


def strict(value: Json) -> Json:
    """A value as strict JSON has it: floats that are no numbers are text, `NaN` or `Infinity`."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: strict(part) for name, part in value.items()}
    return [strict(part) for part in value] if isinstance(value, list) else value
