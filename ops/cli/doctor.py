"""`ops doctor`: is everything there that a round needs, and what to type where it is not."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.health import Diagnosis, Verdict, plan_repairs, skipped, worst
from ops.core.records import Json
from ops.errors import OpsError
from ops.local.home import Service

if TYPE_CHECKING:
    from ops.lake.probing import ProbedLakeFS
    from ops.runner.context import Context

_NOWHERE = "http://not-set.invalid"


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "doctor")(doctor)


def doctor(
    session: Session,
    *,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended without touching a label.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what --fix would do; do nothing.")
    ] = False,
) -> Result:
    """Check everything a round needs: machine, settings, servers, repository, gate, branches, tags.

    Says of each fault what to type. --fix puts main's gate and protection back, clears what is
    staged on main (and keeps it on a branch), sets versions' tags again, and removes branches that
    commands left behind; then it looks again. The exit code is 0 where nothing failed, else that of
    the fault to mend first: 8 for settings and set-up, 6 for credentials, 7 for a server that does
    not answer.
    """
    looked = list(_look(session))
    plan = plan_repairs(looked)
    if dry_run and plan:
        return _planned(looked, [repair.text for repair in plan])
    steps: list[str] = []
    if fix and not dry_run and plan:
        steps = [*_mend(session, looked)]
        looked = list(_look(session))
    _refuse_faults(looked, steps)
    return _well(looked, steps)


def _look(session: Session) -> Iterator[Diagnosis]:
    """Everything, as far as it can be looked at."""
    from ops.cli.live import examine_bucket, examine_reach, not_forwarded
    from ops.cli.machine import LAKE_SETTINGS, STUDIO_SETTINGS, examine_machine, has_settings
    from ops.live.database import label_studio_database
    from ops.runner.doctor import examine_studio

    yield from examine_machine(session)
    yield from examine_reach(session)
    has_lake = has_settings(session, *LAKE_SETTINGS)
    has_studio = has_settings(session, *STUDIO_SETTINGS)
    away = not_forwarded(session) if has_lake or has_studio else frozenset[Service]()
    for one in sorted(away):
        yield skipped(one.value, "not looked at: the way to it comes first")
    has_lake = has_lake and Service.LAKEFS not in away
    if has_lake:
        looked = list(_look_at_lake(session))
        yield from looked
        has_lake = not any(one.name in _LAKE_VITAL and not _is_well(one) for one in looked)
    if has_studio and Service.LABEL_STUDIO not in away:
        context, _ = _servers(session)
        yield from map(label_studio_database, examine_studio(context, has_lake=has_lake))
    yield from examine_bucket(session)


_LAKE_VITAL = frozenset({"lakefs", "repository"})


def _is_well(one: Diagnosis) -> bool:
    return one.verdict in {Verdict.OK, Verdict.WARN}


def _look_at_lake(session: Session) -> Iterator[Diagnosis]:
    from ops.cli.live import examine_signatures
    from ops.live.database import examine_lakefs_database, with_database
    from ops.runner.doctor import examine_lake

    context, lake = _servers(session)
    database = examine_lakefs_database(lake.url)
    yield database
    looked = [with_database(one, database) for one in examine_lake(context)]
    yield from looked
    has_lake = all(_is_well(one) for one in looked if one.name in _LAKE_VITAL)
    yield from examine_signatures(lake, has_lake=has_lake)


def _servers(session: Session) -> tuple["Context", "ProbedLakeFS"]:
    """Both servers as far as they are set; one that is not is never asked."""
    from ops.lake.probing import ProbedLakeFS
    from ops.studio import LabelStudio

    find = session.settings.find
    lake = ProbedLakeFS(
        find("lakefs.url") or _NOWHERE,
        find("lakefs.access_key_id") or "",
        find("lakefs.secret_access_key") or "",
        session.settings.need("repository"),
    )
    studio = LabelStudio(find("label_studio.url") or _NOWHERE, find("label_studio.token") or "")
    return session.context_of(lake, studio), lake


def _mend(session: Session, looked: Sequence[Diagnosis]) -> Iterator[str]:
    """Make every repair; what cannot be mended is said, and does not keep the rest from it."""
    from ops.runner.repair import apply_repair

    context, lake = _servers(session)
    for repair in plan_repairs(looked):
        try:
            said = apply_repair(context, lake, repair)
        except OpsError as error:
            said = f"could not {repair.text}: {error.message}"
        session.reporter.note(said)
        yield said


def _data(looked: Sequence[Diagnosis], steps: Sequence[str]) -> dict[str, Json]:
    return {"checks": [one.as_json() for one in looked], "steps": list(steps)}


def _planned(looked: Sequence[Diagnosis], steps: Sequence[str]) -> Result:
    return Result(
        data=_data(looked, steps),
        body=["would:", *(f"  {step}" for step in steps)],
        status="planned",
        warnings=_warnings(looked),
    )


def _well(looked: Sequence[Diagnosis], steps: Sequence[str]) -> Result:
    rows = [(one.name, one.verdict.value, one.message) for one in looked]
    return Result(
        data=_data(looked, steps),
        body=[*steps, Table(columns=("check", "result", "seen"), rows=rows)],
        warnings=_warnings(looked),
    )


def _warnings(looked: Sequence[Diagnosis]) -> list[Warn]:
    return [
        Warn(
            code=one.error.code if one.error else one.name,
            message=" ".join([f"{one.message}; next:", *one.remedy.splitlines()]),
            subject=one.name,
        )
        for one in looked
        if one.verdict in {Verdict.WARN, Verdict.FAIL}
    ]


def _refuse_faults(looked: Sequence[Diagnosis], steps: Sequence[str]) -> None:
    """Raise the fault to mend first, with how every check came out around it.

    Raises:
        OpsError: a check failed.
    """
    error = worst(looked)
    if error is None:
        return
    count = sum(one.verdict is Verdict.FAIL for one in looked)
    more = f"; {count - 1} more checks failed" if count > 1 else ""
    can_fix = "ops doctor --fix" in {one.remedy for one in looked} and not steps
    hints = [*error.hint.splitlines(), *(["ops doctor --fix"] if can_fix else [])]
    # Without what a subclass's own constructor takes.
    kind = next(one for one in type(error).__mro__ if one.__bases__ == (OpsError,))
    raise kind(
        error.code,
        error.message + more,
        subject=error.subject,
        where=tuple((one.name, f"{one.verdict.value}: {one.message}") for one in looked),
        unchanged="; ".join(steps) or "nothing was changed: it was only looked at",
        hint="\n".join(dict.fromkeys(hints)),
        details=_data(looked, steps),
    )
