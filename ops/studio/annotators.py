"""The port `Annotators`: people's own acts in Label Studio, for sample rounds and for tests.

Owns the making of members and of annotations in their name. No round of real people needs it: they
act in Label Studio themselves.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

from ops.core.records import Json
from ops.errors import ConflictError
from ops.studio.client import LabelStudio
from ops.studio.failures import GoneError, RefusedDataError, UnexpectedAnswerError, about
from ops.studio.sdk import identified


class StudioAnnotators:
    """Acts in members' names, by an account that administers the server.

    Label Studio notes the account as who changed an annotation last (`updated_by`), beside the
    member whose annotation it is (`completed_by`).
    """

    def __init__(self, studio: LabelStudio) -> None:
        """Act through this connection."""
        self._studio = studio

    def ensure_member(self, email: str, *, first_name: str = "", last_name: str = "") -> int:
        """The id of the member with this e-mail, made where there is none. One or two requests.

        Raises:
            RefusedDataError: Label Studio does not accept the e-mail.
        """
        for user, known in self._studio.members().items():
            if known.lower() == email.lower():
                return user
        with about(
            "account",
            refused=lambda body: RefusedDataError(
                "member-refused",
                f"Label Studio does not accept {email} as a member",
                body=body,
                hint="use an e-mail address that nobody on this server has",
            ),
        ):
            made = self._studio.sdk.users.create(
                email=email, username=email, first_name=first_name, last_name=last_name
            )
        return cast("int", made.id)

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
        given back, after two requests more.

        Raises:
            NotFoundError: there is no such task.
            ConflictError: an annotation of another task has the `unique_id`.
            RefusedDataError: there is no such member.
            UnexpectedAnswerError: Label Studio refused for a reason of its own.
        """
        try:
            with about(
                "task",
                task,
                refused=lambda body: RefusedDataError(
                    "annotation-refused",
                    f"Label Studio does not accept an annotation of task {task}",
                    body=body,
                    hint="check the annotator and the result",
                ),
            ):
                made = self._studio.sdk.annotations.create(
                    task,
                    result=[dict(region) for region in result],
                    completed_by=annotator,
                    lead_time=lead_time_s,
                    was_cancelled=skipped,
                    **identified(unique_id),
                )
        except UnexpectedAnswerError as answer:
            if answer.status == HTTPStatus.CONFLICT and unique_id is not None:
                return self._annotation_with(task, unique_id)
            raise
        return cast("int", made.id)

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
        said: dict[str, Any] = {} if lead_time_s is None else {"lead_time": lead_time_s}
        with about("annotation", annotation):
            self._studio.sdk.annotations.update(
                annotation,
                result=[dict(region) for region in result],
                was_cancelled=skipped,
                **said,
            )

    def delete_annotation(self, annotation: int) -> bool:
        """Delete an annotation; False if there is none. One request."""
        with suppress(GoneError), about("annotation", annotation):
            self._studio.sdk.annotations.delete(annotation)
            return True
        return False

    def _annotation_with(self, task: int, unique_id: str) -> int:
        project: int = self._studio.task(task)["project"]
        for document in self._studio.export(project, [task]):
            for annotation in cast("list[dict[str, Any]]", document["annotations"]):
                if annotation["unique_id"] == unique_id:
                    return annotation["id"]
        raise ConflictError(
            "annotation-elsewhere",
            f"an annotation of another task than {task} has the unique id {unique_id}",
            subject=unique_id,
            unchanged="nothing was written",
            hint="submit it under another unique id",
        )
