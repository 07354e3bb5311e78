"""`ops dataset revert`, `changes`, `merge` and `discard`: undoing, and changes under review."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ops.cli.dataset import app
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.names import version_tag
from ops.core.records import Json
from ops.core.settle import Policy
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.core.changes import DatasetChange
    from ops.runner.change_merge import MergedChange
    from ops.runner.changes import OpenChange, Proposed
    from ops.runner.effects import Computed

Name = Annotated[str, typer.Argument(help="The change's name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@verb(app, "dataset", "revert")
def revert(
    session: Session,
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REF", help="Go back to this version's records.")
    ] = None,
    undone_round: Annotated[
        str | None,
        typer.Option("--round", metavar="NAME", help="Undo what this round's merge changed."),
    ] = None,
    annotator: Annotated[
        str | None,
        typer.Option("--annotator", metavar="EMAIL", help="Undo this person's work; with --since."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--class", metavar="LABEL", help="Undo this class's regions; with --since."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="REF", help="Undo what was done after this version."),
    ] = None,
    on_conflict: Annotated[
        Policy,
        typer.Option(
            "--on-conflict",
            help="Where later work touched the same: ours is main's answer, theirs the undone one.",
        ),
    ] = Policy.FAIL,
    review: Annotated[
        bool, typer.Option("--review", help="Put --round on a branch instead of merging it.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name the change for review.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Result:
    """Undo labels by a new version; nothing is erased from history.

    --to and --round make the new version at once. --annotator and --class (or both) put it on a
    branch for review, which ops dataset merge merges. Tasks left without a label are taken by the
    next round.

    Raises:
        UsageError: not exactly one of --to, --round, and --annotator or --class, or an option that
            does not go with it.
    """
    asked = _Asked(
        to=to,
        round=undone_round,
        annotator=annotator,
        label=label,
        since=since,
        policy=on_conflict,
        is_reviewed=review,
        name=name,
    )
    asked.check()
    if asked.needs_review:
        return _propose(session, asked, dry_run=dry_run)
    if not dry_run:
        what = f"with the records of {to}" if to else f"without what round {undone_round} changed"
        session.confirm(f"Make a new version {what}?", yes=yes)
    return _revert(session, asked, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What `dataset revert` was asked for."""

    to: str | None
    round: str | None
    annotator: str | None
    label: str | None
    since: str | None
    policy: Policy
    is_reviewed: bool
    name: str | None

    @property
    def is_work(self) -> bool:
        """Whether it is about a person or a class."""
        return self.annotator is not None or self.label is not None

    @property
    def needs_review(self) -> bool:
        """Whether it goes on a branch."""
        return self.is_work or self.is_reviewed

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            UsageError: something does not.
        """
        given = [self.to is not None, self.round is not None, self.is_work].count(True)
        if given != 1:
            code = "options-exclude" if given else "missing-value"
            _refuse(code, "give one of --to, --round, and --annotator or --class")
        if self.is_work and self.since is None:
            _refuse("missing-value", "--since is missing: undo what was done after which version?")
        for option, is_given, fits, partner in (
            ("--since", self.since is not None, self.is_work, "--annotator or --class"),
            ("--review", self.is_reviewed, self.round is not None, "--round"),
            ("--name", self.name is not None, self.needs_review, "a change for review"),
            ("--on-conflict", self.policy is not Policy.FAIL, self.to is None, "--round"),
        ):
            if is_given and not fits:
                _refuse("options-exclude", f"{option} goes with {partner} only")

    def as_json(self) -> dict[str, Json]:
        """What is undone, for programs."""
        return {
            "to": self.to,
            "round": self.round,
            "annotator": self.annotator,
            "class": self.label,
            "since": self.since,
        }


def _refuse(code: str, message: str) -> NoReturn:
    raise UsageError(
        code,
        message,
        unchanged="nothing was read or written",
        hint="ops dataset revert --help",
    )


def _revert(session: Session, asked: _Asked, *, dry_run: bool) -> Result:
    from ops.runner.revert import revert_round, revert_to

    context = session.context()
    if asked.to is not None:
        found = revert_to(context, asked.to, dry_run=dry_run)
        what = f"as in {asked.to}"
        nothing = f"main holds the records of {asked.to} already: nothing to do"
    else:
        found = revert_round(context, asked.round or "", asked.policy, dry_run=dry_run)
        what = f"changed to undo round {asked.round}"
        nothing = f"main holds nothing of round {asked.round} any more: nothing to do"
    result = merge_result(found, what, nothing, dry_run=dry_run)
    return _with(result, asked.as_json())


def _propose(session: Session, asked: _Asked, *, dry_run: bool) -> Result:
    from ops.core.undo import Target
    from ops.runner.revert import propose_revert, round_request, work_request

    context = session.context()
    if asked.round is not None:
        request = round_request(context, asked.round, asked.policy)
    else:
        target = Target(annotator=asked.annotator, label=asked.label)
        request = work_request(context, target, asked.since or "", asked.policy)
    found = propose_revert(context, request, asked.name, dry_run=dry_run)
    return _with(proposal_result(session, found, dry_run=dry_run), asked.as_json())


def _with(result: Result, data: dict[str, Json]) -> Result:
    return Result(
        data={**data, **result.data},
        body=result.body,
        status=result.status,
        warnings=result.warnings,
    )


def proposal_result(session: Session, found: "Proposed", *, dry_run: bool) -> Result:
    """What proposing a change did, for people and programs."""
    change, computed = found.change, found.computed
    url = session.compare_url(found.branch)
    data: dict[str, Json] = {
        **_change_json(change),
        "branch": None if computed.is_empty else found.branch,
        "commit": found.commit,
        "url": url,
        "already_done": found.already_done or computed.is_empty,
        **_effect_json(computed),
    }
    if computed.is_empty:
        return Result(
            data=data,
            body=["main holds nothing to undo: nothing to do"],
            warnings=_warnings(computed),
        )
    did = "is on" if found.already_done else "would go on" if dry_run else "put on"
    body = [f"{change.request.title}: {did} branch {found.branch}", *_effect_lines(computed)]
    if not dry_run:
        body += [f"review it  {url}", f"merge it   ops dataset merge {change.name}"]
    return Result(
        data=data,
        body=body,
        status="planned" if dry_run and not found.already_done else "ok",
        warnings=_warnings(computed),
    )


def merge_result(found: "MergedChange", what: str, nothing: str, *, dry_run: bool) -> Result:
    """What merging a change did, for people and programs.

    Args:
        found: what it did.
        what: which records the new version has, in words.
        nothing: what to say where there was nothing to do.
        dry_run: it was only planned.
    """
    change, computed = found.change, found.computed
    data: dict[str, Json] = {
        **_change_json(change),
        "version": found.version,
        "commit": found.commit,
        "replayed": found.is_replayed,
        "already_done": found.already_done,
        **(_effect_json(computed) if computed else {"changed": change.counts.changed}),
    }
    warnings = _warnings(computed) if computed else []
    if found.version is None:
        return Result(data=data, body=[nothing], warnings=warnings)
    tag = version_tag(found.version)
    if computed is None:
        return Result(data=data, body=[f"change {change.name} is {tag} already: nothing to do"])
    body = [f"{'would make' if dry_run else 'made'} {tag}: {len(computed.changed)} records {what}"]
    if found.is_replayed:
        body.append("main has moved since the review: the change was made anew on it")
    return Result(
        data=data,
        body=[*body, *_effect_lines(computed)],
        status="planned" if dry_run else "ok",
        warnings=warnings,
    )


def _change_json(change: "DatasetChange") -> dict[str, Json]:
    request = change.request
    return {
        "name": change.name,
        "kind": request.kind.value,
        "title": request.title,
        "arguments": dict(request.arguments),
        "on_conflict": request.policy.value,
    }


def _effect_json(computed: "Computed") -> dict[str, Json]:
    return {"changed": len(computed.changed), **computed.as_json()}


def _effect_lines(computed: "Computed") -> list[str]:
    lines = computed.labels.lines() if computed.changed else []
    if computed.settled:
        lines.append(f"settled      {len(computed.settled)} tasks by --on-conflict")
    if computed.reopened:
        lines.append(f"reopened     {len(computed.reopened)} tasks: the next round takes them")
    return lines


def _warnings(computed: "Computed") -> list[Warn]:
    gone, other = computed.without_image, computed.other_image
    found = [
        Warn(
            code="image-gone",
            message=f"{len(gone)} records stay out: main no longer has their image",
            subject=gone[0] if gone else None,
        ),
        Warn(
            code="other-picture",
            message=f"{len(other)} records come back that were made on another picture than main's",
            subject=other[0] if other else None,
        ),
    ]
    return [one for one in found if one.subject]


@verb(app, "dataset", "changes")
def changes(session: Session) -> Result:
    """List the changes under review, and whether main has moved since they were made."""
    from ops.runner.changes import list_changes

    found = list(list_changes(session.context()))
    columns = ("name", "what", "who", "when (UTC)", "records", "reopened", "main")
    rows = [_change_row(one) for one in found]
    return Result(
        data={"changes": [_open_json(one, session.compare_url(one.branch)) for one in found]},
        body=[Table(columns=columns, rows=rows)] if rows else ["no changes under review"],
    )


def _change_row(one: "OpenChange") -> tuple[str | int, ...]:
    main = "moved since" if one.is_behind else "same"
    if one.change is None:
        return (one.name, "interrupted", "", "", 0, 0, main)
    change = one.change
    moment = change.created_at[:16].replace("T", " ")
    counts = change.counts
    title = change.request.title
    return (one.name, title, change.actor, moment, counts.changed, counts.reopened, main)


def _open_json(one: "OpenChange", url: str) -> dict[str, Json]:
    data: dict[str, Json] = {
        "name": one.name,
        "branch": one.branch,
        "commit": one.head,
        "behind": one.is_behind,
        "url": url,
        "state": "proposed" if one.change else "interrupted",
        "change": None,
    }
    if one.change is not None:
        data["change"] = {
            **_change_json(one.change),
            "base": one.change.base,
            "actor": one.change.actor,
            "created_at": one.change.created_at,
            "counts": dict(one.change.counts.as_mapping()),
        }
    return data


@verb(app, "dataset", "merge")
def merge(session: Session, name: Name, *, dry_run: DryRun = False, yes: Yes = False) -> Result:
    """Merge a reviewed change as a new version, made anew on main as it is now."""
    from ops.runner.change_merge import merge_change
    from ops.runner.rules import rule_of

    if not dry_run:
        session.confirm(f"Merge change {name} to main?", yes=yes)
    found = merge_change(session.context(), name, rule_of, dry_run=dry_run)
    nothing = f"main has all of {name} already: nothing to do; drop it: ops dataset discard {name}"
    return merge_result(found, f"changed by {name}", nothing, dry_run=dry_run)


@verb(app, "dataset", "discard")
def discard(session: Session, name: Name, *, dry_run: DryRun = False, yes: Yes = False) -> Result:
    """Drop a change under review with its branch; main is not touched."""
    from ops.runner.changes import discard_change

    if not dry_run:
        session.confirm(f"Drop change {name} and its branch?", yes=yes)
    gone = discard_change(session.context(), name, dry_run=dry_run)
    did = "would remove" if dry_run else "removed"
    return Result(
        data={"name": name, "branches": list(gone)},
        body=[f"{did} branch {branch}" for branch in gone],
        status="planned" if dry_run else "ok",
    )
