"""Whether the servers can use their databases: what their health checks do not look at.

Owns what tells a database that is down from credentials that are wrong: lakeFS 1.84 answers both
with 401 and the same words, and stays healthy (/_health 200) meanwhile.
"""

import json
from typing import cast

from ops.core.health import Diagnosis, Verdict, failed, healthy, skipped
from ops.errors import ConfigurationError, UnavailableError
from ops.live.web import ask

_SETUP = "/api/v1/setup_lakefs"
_OK = 200
_FAILED = 500
_NEVER_SET_UP = "not_initialized"
_CREDENTIALS = "lakefs-credentials"
_LABEL_STUDIO_FAILED = "label-studio-failed"
_NOTHING = "nothing was changed"


def examine_lakefs_database(url: str) -> Diagnosis:
    """Ask lakeFS whether it was ever set up: the one question it reads its database for, unasked.

    One request, without credentials.
    """
    name = "lakefs-database"
    answer = ask(url + _SETUP)
    if answer.status == _FAILED:
        error = UnavailableError(
            "lakefs-database",
            "lakeFS runs, but its database does not answer",
            subject=url,
            unchanged=_NOTHING,
            hint="see whether PostgreSQL runs: gcloud sql instances list\n"
            "or, in the cluster: kubectl --namespace labeling-ops get pods; then: ops doctor",
        )
        return failed(name, error)
    state = _state(answer.body) if answer.status == _OK else None
    if state is None:
        return skipped(name, "lakeFS does not say")
    if state == _NEVER_SET_UP:
        error = ConfigurationError(
            "lakefs-not-set-up",
            "lakeFS was never set up: whoever reaches it first becomes its administrator",
            subject=url,
            unchanged=_NOTHING,
            hint="set it up at once: lakefs setup --user-name ops, in its pod;\n"
            "k8s/ does so before the port is open",
        )
        return failed(name, error)
    return healthy(name, "it answers")


def _state(body: bytes) -> str | None:
    try:
        found = cast("object", json.loads(body))
    except ValueError:
        return None
    state = cast("dict[str, object]", found).get("state") if isinstance(found, dict) else None
    return state if isinstance(state, str) else None


def with_database(looked: Diagnosis, database: Diagnosis) -> Diagnosis:
    """A look at lakeFS, read again by one who knows its database: 401 then says nothing of keys."""
    is_denied = looked.error is not None and looked.error.code == _CREDENTIALS
    if is_denied and database.verdict is Verdict.FAIL:
        return skipped(looked.name, "whether the credentials are right cannot be told: see above")
    return looked


def label_studio_database(looked: Diagnosis) -> Diagnosis:
    """A look at Label Studio, read again: 500 on its simplest routes is its database, or its disk.

    With PostgreSQL or SQLite gone, every route that asks for anything answers 500.
    """
    error = looked.error
    if error is None or error.code != _LABEL_STUDIO_FAILED or " 500 " not in error.message:
        return looked
    return failed(
        looked.name,
        UnavailableError(
            "label-studio-database-down",
            "Label Studio runs, but fails (500) at all that needs its database",
            where=error.where,
            unchanged=_NOTHING,
            hint="see whether PostgreSQL runs: gcloud sql instances list\n"
            "or, in the cluster: kubectl --namespace labeling-ops get pods\n"
            "or, of local servers, what it says: ops local logs label-studio; then: ops doctor",
        ),
    )
