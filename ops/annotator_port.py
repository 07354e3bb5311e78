"""What people do in Label Studio, as acts of their own, for sample rounds and for tests.

Owns the Protocol. Verbs never act in people's names: what they need is `ops.ports.Studio`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ops.core.records import Json


class Annotators(Protocol):
    """People's own acts, done in their names: for sample rounds and for tests."""

    def ensure_member(self, email: str, *, first_name: str = "", last_name: str = "") -> int:
        """The id of the member with this e-mail, made where there is none. One or two requests.

        Raises:
            InvalidDataError: the server does not accept the e-mail.
        """
        ...

    def annotate(
        self,
        task: int,
        result: Sequence[Mapping[str, Json]],
        *,
        annotator: int,
        lead_time_s: float | None = None,
        skipped: bool = False,
        unique_id: str | None = None,
    ) -> int:
        """Submit an annotation in a member's name and give its id. One request.

        With `unique_id` (a UUID) repeatable: an annotation of this task that has it already is
        given back.

        Raises:
            NotFoundError: there is no such task.
            ConflictError: an annotation of another task has the `unique_id`.
            InvalidDataError: there is no such member.
        """
        ...

    def update_annotation(
        self,
        annotation: int,
        result: Sequence[Mapping[str, Json]],
        *,
        lead_time_s: float | None = None,
        skipped: bool = False,
    ) -> None:
        """Replace what an annotation says. One request; repeatable.

        Raises:
            NotFoundError: there is no such annotation.
        """
        ...

    def delete_annotation(self, annotation: int) -> bool:
        """Delete an annotation; False if there is none. One request."""
        ...
