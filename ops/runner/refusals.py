"""Why a finish refuses, in words a labeling lead can act on.

Owns the wording. Does not decide what is asked of a round: the gates do (ops/core/gates.py).
"""

from collections.abc import Sequence
from typing import NoReturn

from ops.core.gates import Finding
from ops.core.index import Standing
from ops.core.records import TaskKey, TaskState
from ops.errors import RefusedError
from ops.runner.context import Round, sample_of
from ops.runner.sync import Synced


def refuse_unfinished(synced: Synced, *, least: float) -> None:
    """Refuse a round of which fewer tasks than `least`, 0 to 1, have an answer.

    Raises:
        RefusedError: it is so.
    """
    counts, name = synced.counts, synced.round.name
    asked = counts.tasks - counts.quarantined
    if not counts.unfinished or (asked - counts.unfinished) / asked >= least:
        return
    raise RefusedError(
        "unlabeled-tasks",
        f"{counts.unfinished} of {counts.tasks} tasks have no annotation",
        subject=name,
        where=(
            ("round", f"{name} (Label Studio project {synced.round.project})"),
            ("tasks", sample_of(_in_state(synced.round, TaskState.UNFINISHED))),
        ),
        unchanged=f"nothing was merged; {_saved(synced)}",
        hint=f"finish labeling, or: ops round finish {name} --allow-unlabeled",
    )


def refuse_undecided(synced: Synced) -> None:
    """Refuse a round with quarantined tasks whose answers nobody has touched.

    Raises:
        RefusedError: there are some.
    """
    keys, name = _in_state(synced.round, TaskState.QUARANTINED), synced.round.name
    if not keys:
        return
    raise RefusedError(
        "undecided-tasks",
        f"{len(keys)} of {synced.counts.tasks} tasks are still quarantined",
        subject=name,
        where=(
            ("round", f"{name} (Label Studio project {synced.round.project})"),
            ("tasks", sample_of(keys)),
        ),
        unchanged=f"nothing was merged; {_saved(synced)}",
        hint="decide in Label Studio: change, delete or star one of the answers; or leave them "
        f"quarantined: ops round finish {name} --allow-unlabeled",
    )


def _in_state(round_: Round, state: TaskState) -> Sequence[TaskKey]:
    unseen = Standing()
    standings = round_.index.standings
    return [key for key in round_.tasks if standings.get(key, unseen).state is state]


def _saved(synced: Synced) -> str:
    return f"the branch holds the sync of {(synced.round.index.synced_at or '')[11:16]} UTC"


def refuse_findings(round_: Round, findings: Sequence[Finding]) -> NoReturn:
    """Refuse what a gate holds against a finish.

    Raises:
        RefusedError: always, with the code of the first finding's gate.
    """
    first, name = findings[0], round_.name
    lines = [f"{one.task}: {one.message}" if one.task else one.message for one in findings]
    is_about_tasks = all(one.task for one in findings)
    raise RefusedError(
        first.code,
        f"main's gates refuse {len(findings)} things in round {name}",
        subject=first.task or name,
        where=(("tasks" if is_about_tasks else "gates", sample_of(lines)),),
        unchanged="nothing was merged",
        hint="correct these tasks in Label Studio, then finish again;\n"
        f"or merge the others, and label these again: ops round finish {name} --quarantine"
        if is_about_tasks
        else "what main asks for: ops gates show",
        details={
            "findings": [
                {"gate": one.gate.value, "task": one.task, "message": one.message}
                for one in findings
            ]
        },
    )
