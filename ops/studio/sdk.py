"""Label Studio's own SDK: the one file that imports it.

Owns how the SDK is set up: over our HTTP client, so that the token, the tries and the errors are
the same as for what is sent without it. Does not know what is asked of it (client.py,
annotators.py).
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase as Client

    from ops.studio.transport import Exchange

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header of a POST that may be repeated, since what it makes has an identity."""


def open_client(exchange: "Exchange") -> "Client":
    """The SDK's client, sending through the exchange; nothing is sent yet. 0.3 s CPU, once.

    `label_studio_sdk.client.LabelStudio`, which is this one and helpers ops has no use for, brings
    pandas and three clouds' SDKs with it: 1.3 s CPU and 184 MB instead of 0.4 s and 55 MB.
    """
    from label_studio_sdk.base_client import LabelStudioBase

    return LabelStudioBase(
        base_url=exchange.address,
        api_key="the exchange has it",
        httpx_client=exchange,
        # By itself it repeats a POST after a 5xx, a 408 or a 409: a second project, a batch twice.
        max_retries=0,
    )


def index_query(*, after: int, since: str | None) -> str:
    """What the task index is asked for: tasks by id, of a higher id than `after`.

    With `since`, a time with a fraction, only those updated at or after it. 10 ms CPU, once.
    """
    from label_studio_sdk import data_manager

    words: Any = data_manager  # it has no types
    column, operator, kind, filters = words.Column, words.Operator, words.Type, words.Filters
    items = [filters.item(column.id, operator.GREATER, kind.Number, after)]
    if since is not None:
        updated = (column.updated_at, operator.GREATER_OR_EQUAL, kind.Datetime)
        items.append(filters.item(*updated, since))
    return json.dumps({"filters": filters.create(filters.AND, items), "ordering": [column.id]})


def identified(unique_id: str | None) -> dict[str, Any]:
    """The arguments by which an annotation is given its identity, and may be sent again."""
    if unique_id is None:
        return {}
    options = {"additional_headers": {IDEMPOTENCY_KEY: unique_id}}
    return {"unique_id": unique_id, "request_options": options}
