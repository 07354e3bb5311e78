"""`dataset revert`: what somebody wants undone, as a change.

Owns finding what was named (a version, a round, an annotator, a class) and the words for what
cannot be. The rules are revert_rules.py's, making and merging the change changes.py's and
change_merge.py's.
"""

from dataclasses import replace
from typing import NoReturn

from ops.core.changes import ChangeRequest, DatasetChangeKind, change_name
from ops.core.documents import Fields, parse
from ops.core.lines import stored
from ops.core.names import CARD_JSON_PATH, MAIN, check_change_name, check_round_name
from ops.core.rounds import Manifest, RoundState
from ops.core.settle import Policy
from ops.core.undo import Target
from ops.errors import NotFoundError, RefusedError
from ops.runner.change_merge import MergedChange, apply_change
from ops.runner.changes import Proposed, propose, with_free_name
from ops.runner.context import (
    Context,
    branch_manifest,
    main_head,
    read_manifest,
    read_ontology,
    refuse_state,
    sample_of,
)
from ops.runner.dataset import resolve
from ops.runner.finish import find_merge
from ops.runner.revert_rules import (
    ANNOTATOR,
    CLASS,
    MERGE,
    ROUND,
    SINCE,
    TO,
    WorkRule,
    line_since,
    revert_rule,
    target_of,
)


def revert_to(context: Context, ref: str, *, dry_run: bool = False) -> MergedChange:
    """Make a new version whose records are those of an older one; history stays whole.

    One read and one write a record that differs, and about 25 requests. Repeatable: with no record
    different there is nothing to do.

    Raises:
        NotFoundError: there is no such ref.
        RefusedError: it is no ancestor of main, such as a round's branch.
    """
    main, wanted = main_head(context.lake), resolve(context, ref)
    if context.lake.merge_base(wanted, main) != wanted:
        _refuse_not_on_main(ref)
    request = ChangeRequest(
        name=change_name("revert", "to", ref),
        kind=DatasetChangeKind.REVERT,
        title=f"revert to {ref}",
        arguments={TO: wanted},
    )
    request = with_free_name(context, request)
    return apply_change(context, request, revert_rule(context, request), dry_run=dry_run)


def round_request(context: Context, name: str, policy: Policy) -> ChangeRequest:
    """The request to undo what a round's merge changed. Up to four requests, and main's log.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is not finished.
        ConflictError: main holds the round, but no merge of it by ops.
    """
    request = ChangeRequest(
        name=change_name("revert", "round", name),
        kind=DatasetChangeKind.REVERT,
        title=f"revert round {name}",
        arguments={ROUND: name, MERGE: find_merge(context, _finished(context, name))},
        policy=policy,
    )
    return with_free_name(context, request)


def _finished(context: Context, name: str) -> Manifest:
    """A round's manifest on main.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is not finished.
    """
    lake = context.lake
    manifest = read_manifest(lake, MAIN, check_round_name(name))
    if manifest is None and (manifest := branch_manifest(lake, name)) is None:
        main_head(lake)
        raise NotFoundError(
            "no-such-round",
            f"there is no round {name}",
            subject=name,
            unchanged="nothing was changed",
            hint="list rounds with: ops round list",
        )
    if manifest.state is RoundState.ABORTED:
        refuse_state(manifest)
    if manifest.state is not RoundState.FINISHED:
        raise RefusedError(
            "round-not-finished",
            f"round {name} is {manifest.state.value}: main has nothing of it yet",
            subject=name,
            unchanged="nothing was changed",
            hint=f"end it without a trace on main with: ops round abort {name}",
        )
    return manifest


def revert_round(
    context: Context, name: str, policy: Policy = Policy.FAIL, *, dry_run: bool = False
) -> MergedChange:
    """Make a new version without what a round's merge changed, keeping what came later.

    Up to four reads and one write a record the round changed, and about 25 requests. Repeatable.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is not finished.
        ConflictError: later work changed the same, and the policy is to fail.
    """
    request = round_request(context, name, policy)
    return apply_change(context, request, revert_rule(context, request), dry_run=dry_run)


def propose_revert(
    context: Context, request: ChangeRequest, name: str | None, *, dry_run: bool = False
) -> Proposed:
    """Put a revert on a branch for review, under a name of its own where one is given.

    Cost and repeatability: as changes.propose.

    Raises:
        ConflictError, NotFoundError, RefusedError: as changes.propose; NotFoundError too where the
            annotator or the class named is nobody's and nothing's.
    """
    if name is not None:
        request = replace(request, name=check_change_name(name))
    rule = revert_rule(context, request)
    found = propose(context, request, rule, dry_run=dry_run)
    if found.computed.is_empty and isinstance(rule, WorkRule):
        _refuse_strangers(context, request, rule)
    return found


def work_request(
    context: Context, target: Target, since: str, policy: Policy = Policy.FAIL
) -> ChangeRequest:
    """The request to undo an annotator's work, or what is said of a class, since a version.

    Three requests, and main's log.

    Raises:
        NotFoundError: there is no such version.
        RefusedError: it is none of main's.
    """
    main, wanted = main_head(context.lake), resolve(context, since)
    try:
        line_since(context, wanted, main)
    except RefusedError:
        _refuse_not_on_main(since)
    named = [(ANNOTATOR, target.annotator), (CLASS, target.label)]
    arguments = {name: value for name, value in named if value is not None}
    words = [word for pair in arguments.items() for word in pair]
    request = ChangeRequest(
        name=change_name("revert", *words, SINCE, since),
        kind=DatasetChangeKind.REVERT,
        title=" ".join(["revert", *words, SINCE, since]),
        arguments={**arguments, SINCE: wanted},
        policy=policy,
    )
    return with_free_name(context, request)


def _refuse_not_on_main(ref: str) -> NoReturn:
    raise RefusedError(
        "not-on-main",
        f"{ref} is not in main's history",
        subject=ref,
        unchanged="nothing was changed",
        hint="list versions with: ops dataset log",
    )


def _refuse_strangers(context: Context, request: ChangeRequest, rule: WorkRule) -> None:
    """Refuse an annotator or a class that neither main nor the version knows: a slip of the pen.

    Raises:
        NotFoundError: it is one.
    """
    target, refs = target_of(request.arguments), (MAIN, request.arguments[SINCE])
    if target.annotator is not None:
        known = rule.seen.people.union(*(_named(context, ref, "annotators") for ref in refs))
        _refuse_unknown("annotator", target.annotator, known)
    if target.label is not None:
        _, ontology = read_ontology(context.lake, MAIN)
        offered = {label for control in ontology.controls for label in control.labels}
        known = rule.seen.labels.union(*(_named(context, ref, "labels") for ref in refs))
        _refuse_unknown("class", target.label, known | {"/".join(one.path) for one in offered})


def _named(context: Context, ref: str, figure: str) -> set[str]:
    """The annotators, or the labels, that a commit's card counts; none where it has no card."""
    data = context.lake.read(ref, CARD_JSON_PATH)
    if data is None:
        return set()
    source = stored(CARD_JSON_PATH, "card-invalid")
    return set(Fields.of(parse(data, source), "", source).mapping(figure))


def _refuse_unknown(noun: str, name: str, known: set[str]) -> None:
    if name in known:
        return
    raise NotFoundError(
        f"no-such-{noun}",
        f"nothing on main names {noun} {name}",
        subject=name,
        where=(("known", sample_of(sorted(known)) or "none"),),
        unchanged="nothing was changed",
        hint="see whom and what a version counts: ops dataset show",
    )
