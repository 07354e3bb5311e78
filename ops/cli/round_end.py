"""`ops round rebase`, `finish` and `abort`: how a round meets main, or does not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Warn
from ops.cli.round import app
from ops.cli.round_text import DryRun, Name, Yes, count_line, counts_json, few, sync_warnings
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.core.rounds import Held, HoldReason, Manifest
from ops.core.settle import Policy

if TYPE_CHECKING:
    from ops.runner.attempt import Finished
    from ops.runner.rebase import Rebased

OnConflict = Annotated[
    Policy | None,
    typer.Option(
        "--on-conflict",
        help="Whose answer counts where main changed the same thing: this round's (ours), main's "
        "(theirs), both, or both with the task held back (quarantine).",
        show_default="fail",
    ),
]


@verb(app, "round", "rebase")
def rebase(
    session: Session, name: Name, *, on_conflict: OnConflict = None, dry_run: DryRun = False
) -> Result:
    """Take what main changed meanwhile into an open round; annotators go on as before.

    Labels of both sides are merged task by task. Where both changed the same thing, nothing is
    done until somebody says whose answer counts.
    """
    from ops.runner.rebase import rebase_round

    found = rebase_round(session.context(), name, on_conflict=on_conflict, dry_run=dry_run)
    taken = found.taken
    return Result(
        data={
            "round": name,
            "changed": list(found.changed),
            "already_done": taken is None,
            **_merge_json(found.manifest),
            "conflicts": taken.conflicts_json if taken else [],
            "held": _held_json(taken.held if taken else ()),
        },
        body=_rebase_lines(found, dry_run=dry_run),
        status="planned" if dry_run and taken else "ok",
        warnings=_held_warnings(name, taken.held if taken else ()),
    )


def _rebase_lines(found: "Rebased", *, dry_run: bool) -> list[str]:
    name, taken_in = found.manifest.name, found.manifest.taken_in
    if found.taken is None or taken_in is None:
        return [f"round {name} stands on main already: nothing to do"]
    done = "would take" if dry_run else "took"
    heading = f"{done} main at {taken_in.main[:12]} into round {name}: "
    return [heading + f"{len(found.changed)} records changed", *_merge_lines(found.manifest)]


@verb(app, "round", "finish")
def finish(
    session: Session,
    name: Name,
    *,
    allow_unlabeled: Annotated[
        bool, typer.Option("--allow-unlabeled", help="Merge though tasks are unfinished.")
    ] = False,
    on_conflict: OnConflict = None,
    quarantine: Annotated[
        bool,
        typer.Option(
            "--quarantine",
            help="Merge what is clean; hold back tasks in conflict or refused by a gate, and open "
            "NAME-rework with them.",
        ),
    ] = False,
    say: Annotated[
        list[str] | None,
        typer.Option(
            "--say",
            metavar="NAME=VALUE",
            help="Have the merge commit say this too, as main's gates may ask for; repeatable.",
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Read everything once more, check it, merge to main as one tagged version.

    Where main has moved, its labels and the round's are merged task by task first.
    """
    from ops.core.gates import read_said
    from ops.runner.finish import finish_round

    said = read_said(say or [])
    if not dry_run:
        session.confirm(f"Merge round {name} to main as a new version?", yes=yes)
    found = finish_round(
        session.context(),
        name,
        allow_unlabeled=allow_unlabeled,
        on_conflict=on_conflict,
        quarantine=quarantine,
        said=said,
        dry_run=dry_run,
    )
    card = found.packed.card if found.packed else None
    return Result(
        data={
            "round": name,
            "version": found.version,
            "tag": f"v{found.version}",
            "commit": found.commit,
            "already_done": found.already_done,
            "counts": counts_json(found.counts),
            "changed": list(found.changed),
            **_merge_json(found.manifest),
            "conflicts": list(found.conflicts),
            "held": _held_json(found.manifest.held),
            "around": list(found.around),
            "late": list(found.late),
            "rework": found.manifest.rework,
            "dataset_counts": counts_json(card.counts) if card else None,
            "snapshot_digest": card.digest if card else None,
        },
        body=_finish_lines(found, dry_run=dry_run),
        status="planned" if dry_run and not found.already_done else "ok",
        warnings=[
            *(sync_warnings(found.synced) if found.synced else ()),
            *_held_warnings(name, found.manifest.held),
            *_around_warnings(found.around),
            *_late_warnings(found),
        ],
    )


def _late_warnings(found: "Finished") -> list[Warn]:
    """What was answered while the round was being finished: Label Studio takes it all the same."""
    if not found.late:
        return []
    return [
        Warn(
            code="answered-too-late",
            message=f"{len(found.late)} tasks were answered while the round was being finished, "
            f"and what came after they were read is not in v{found.version}: {few(found.late)}; "
            f"look at them in Label Studio project {found.manifest.project}, and answer them again "
            "in another round",
            subject=found.manifest.name,
        )
    ]


def _around_warnings(commits: Sequence[str]) -> list[Warn]:
    """What reached main past every check ops makes."""
    if not commits:
        return []
    named = few([commit[:12] for commit in commits])
    return [
        Warn(
            code="merged-around-ops",
            message=f"{len(commits)} commits came onto main around ops since this round started: "
            f"{named}; see what they changed: ops dataset verify",
            subject="main",
        )
    ]


def _finish_lines(found: "Finished", *, dry_run: bool) -> list[str]:
    name, tag, rework = found.manifest.name, f"v{found.version}", found.manifest.rework
    if found.already_done:
        lines = [f"round {name} is finished already: {tag} is commit {(found.commit or '')[:12]}"]
        return lines + ([f"held back tasks are in round {rework}"] if rework else [])
    done = "would merge" if dry_run else "merged"
    lines = [
        f"{done} round {name} to main as {tag}: {len(found.changed)} records changed",
        count_line(found.counts),
        *_merge_lines(found.manifest),
        *([f"dataset: {count_line(found.packed.card.counts)}"] if found.packed else []),
    ]
    if rework:
        opened = "would open" if dry_run else "opened"
        lines.append(f"{opened} round {rework} with {len(found.manifest.held)} tasks held back")
    return (
        lines if dry_run else [*lines, f"commit {found.commit}", f"read it: ops dataset uri {tag}"]
    )


def _merge_lines(manifest: Manifest) -> list[str]:
    """What was merged and what had to be settled, where main had moved."""
    taken_in = manifest.taken_in
    if taken_in is None:
        return []
    lines = [f"main had moved to {taken_in.main[:12]}: {taken_in.merged_count} tasks merged"]
    if taken_in.settled:
        policy = taken_in.on_conflict.value
        lines.append(
            f"  in conflict, settled by {policy}: {len(taken_in.settled)} ({few(taken_in.settled)})"
        )
    return lines


def _merge_json(manifest: Manifest) -> dict[str, Json]:
    taken_in = manifest.taken_in
    return {
        "taken_in": taken_in.main if taken_in else None,
        "on_conflict": taken_in.on_conflict.value if taken_in else None,
        "merged": taken_in.merged_count if taken_in else 0,
        "settled": list(taken_in.settled) if taken_in else [],
    }


def _held_json(held: Sequence[Held]) -> list[Json]:
    return [{"task": one.key, "reason": one.reason.value, "detail": one.detail} for one in held]


_HELD = {
    HoldReason.CONFLICT: "both sides changed the same thing",
    HoldReason.PICTURE: "the picture on main is another one by now, or gone",
    HoldReason.GATE: "a gate refused the task",
    HoldReason.UNDECIDED: "nobody has decided between the answers",
}


def _held_warnings(name: str, held: Sequence[Held]) -> list[Warn]:
    """Which tasks are quarantined, and why: the next round takes them."""
    warnings: list[Warn] = []
    for reason, because in _HELD.items():
        keys = [one.key for one in held if one.reason is reason]
        if keys:
            warnings.append(
                Warn(
                    code=f"held-{reason.value}",
                    message=f"{len(keys)} tasks are quarantined, {because}: {few(keys)}; their "
                    "answers are kept, and the next round that takes them shows them",
                    subject=name,
                )
            )
    return warnings


@verb(app, "round", "abort")
def abort(
    session: Session,
    name: Name,
    *,
    remove_branch: Annotated[
        bool, typer.Option("--remove-branch", help="Delete the branch with what was synced.")
    ] = False,
    remove_project: Annotated[
        bool, typer.Option("--remove-project", help="Delete the Label Studio project.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """End a round; nothing of it reaches main. Keeps branch and project unless told otherwise."""
    from ops.runner.abort import abort_round

    context = session.context()
    plan = abort_round(
        context,
        name,
        remove_branch=remove_branch,
        remove_project=remove_project,
        dry_run=True,
    )
    if not dry_run and not plan.already_done:
        lost = (
            f" {len(plan.labeled)} tasks with annotations will not reach main."
            if plan.labeled
            else ""
        )
        session.confirm(f"Abort round {name}?{lost}", yes=yes)
        abort_round(context, name, remove_branch=remove_branch, remove_project=remove_project)
    lines = [_abort_heading(name, dry_run=dry_run, already_done=plan.already_done)]
    lines.append(count_line(plan.counts))
    lines += [f"  not on main: {few(plan.labeled)}"] if plan.labeled else []
    lines.append(f"  branch round-{name}: {'removed' if remove_branch else 'kept'}")
    removed = "removed" if plan.removed_project else "kept"
    lines.append(f"  project {plan.manifest.project}: {removed}")
    return Result(
        data={
            "round": name,
            "counts": counts_json(plan.counts),
            "labeled": list(plan.labeled),
            "removed_branch": plan.removed_branch,
            "removed_project": plan.removed_project,
            "already_done": plan.already_done,
        },
        body=lines,
        status="planned" if dry_run and not plan.already_done else "ok",
    )


def _abort_heading(name: str, *, dry_run: bool, already_done: bool) -> str:
    if already_done:
        return f"round {name} is aborted already"
    return f"would abort round {name}:" if dry_run else f"aborted round {name}:"
