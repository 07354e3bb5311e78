"""A migration as the arguments of a change, and the way back.

Owns the texts that `changes/<name>.json` keeps, from which the migration is made again on any main.
Knows neither main nor records.
"""

import json
from collections.abc import Mapping

from ops.core.changes import ChangeRequest, DatasetChangeKind, change_name
from ops.core.decisions import read_decisions, write_decisions
from ops.core.documents import Source, parse
from ops.core.migration import MigrationRequest, Operation
from ops.errors import InvalidDataError

_DROP = "drop"


def change_request(asked: MigrationRequest, *, name: str | None = None) -> ChangeRequest:
    """The change that makes a migration; its name says what it does unless one is given.

    Raises:
        UsageError: nothing in the labels can be part of a name, and none was given.
    """
    into = ["to", *asked.targets] if asked.targets else []
    return ChangeRequest(
        name=name or change_name(asked.operation.value, *asked.sources, *into),
        kind=DatasetChangeKind.ONTOLOGY,
        title=_title(asked),
        arguments=_arguments(asked),
    )


def _title(asked: MigrationRequest) -> str:
    noun = "label" if len(asked.sources) == 1 else "labels"
    words = [asked.operation.value, noun, ", ".join(asked.sources)]
    words += ["to" if asked.operation is Operation.RENAME else "into"] if asked.targets else []
    words += [", ".join(asked.targets)] if asked.targets else []
    words += ["and the regions that say it"] if asked.drops else []
    return " ".join(words)


def _arguments(asked: MigrationRequest) -> Mapping[str, str]:
    stated = {
        "operation": asked.operation.value,
        "labels": json.dumps(asked.sources, ensure_ascii=False),
        "into": json.dumps(asked.targets, ensure_ascii=False) if asked.targets else None,
        "control": asked.control,
        "regions": _DROP if asked.drops else None,
        "decisions": write_decisions(asked.decisions) if asked.decisions else None,
        "rest": asked.rest,
        "decided_by": asked.decided_by,
    }
    return {name: value for name, value in stated.items() if value is not None}


def migration_request(request: ChangeRequest) -> MigrationRequest:
    """The inverse of change_request.

    Raises:
        InvalidDataError: these are no arguments of a migration.
    """
    stated = request.arguments
    if stated.get("operation") not in {*Operation}:
        raise InvalidDataError(
            "change-invalid",
            f"change {request.name} is no migration of the ontology that this version knows",
            subject=request.name,
            unchanged="nothing was written",
            hint="update ops, or drop the change and propose it again",
        )
    decisions = stated.get("decisions", "").encode()
    return MigrationRequest(
        operation=Operation(stated["operation"]),
        sources=_names(request, "labels"),
        targets=_names(request, "into"),
        control=stated.get("control"),
        decisions=read_decisions(decisions, request.name),
        rest=stated.get("rest"),
        drops=stated.get("regions") == _DROP,
        decided_by=stated.get("decided_by"),
    )


def _names(request: ChangeRequest, name: str) -> tuple[str, ...]:
    source = Source(
        code="change-invalid",
        noun=f"change {request.name}",
        subject=request.name,
        hint="drop the change and propose it again",
    )
    stated = parse(request.arguments.get(name, "[]").encode(), source)
    if not isinstance(stated, list):
        source.refuse(f"arguments.{name}", "is no list of labels")
    return tuple(str(one) for one in stated)
