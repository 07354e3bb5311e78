"""`ontology`: labels added at once, and migrations proposed for review.

Owns what a migration does to a commit of main, as the rule of a change, and the checks that need
every record: nothing says a label that is removed, every region of a split is decided. Merging is
change_merge.py's, what open rounds make of it ontology_news.py's.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.core.canonical import decode_record
from ops.core.changes import ChangeRequest, DatasetChangeKind, Edit, Effect, Rule
from ops.core.conflicts import Merged
from ops.core.migration import (
    Migration,
    MigrationRequest,
    Operation,
    Place,
    plan_label,
    plan_migration,
)
from ops.core.migration_arguments import change_request, migration_request
from ops.core.names import CHANGE_PREFIX, LABEL_CONFIG_PATH, MAIN, path_change
from ops.core.ontology import parse_ontology
from ops.core.records import CommitId
from ops.core.relabel import Use, relabel, uses
from ops.errors import ConflictError, NotFoundError, RefusedError
from ops.ports import Upload
from ops.runner.change_merge import find_change
from ops.runner.changes import Proposed, propose, read_change, with_free_name
from ops.runner.context import Context, main_head, read_ontology, sample_of
from ops.runner.every_record import every_record
from ops.runner.publish import publish

ATTEMPTS = 5
"""How often an addition starts over because main moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding labels did, or would do.

    Attributes:
        labels: those that were not there.
        label_config: as it is then.
        commit: the merge commit; None with a dry run, or with nothing to do.
    """

    labels: tuple[str, ...]
    label_config: str
    commit: CommitId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A migration that main has already: its change, and the version it made."""

    name: str
    version: int
    commit: CommitId


def add_labels(
    context: Context, labels: Sequence[str], *, control: str | None = None, dry_run: bool = False
) -> Added:
    """Offer more labels, on main at once: no record changes, so there is nothing to review.

    About eight requests. Repeatable: what main offers already is not added again.

    Raises:
        NotFoundError: there is no such control, or no ontology.
        UsageError: a name no label can have, or more than one control may be meant.
        RefusedError: the control's labels are not the label config's, or a gate refuses.
        ConflictError: main kept moving.
    """
    attempt = 1
    while True:
        try:
            return _add(context, labels, control, dry_run=dry_run)
        except ConflictError as error:
            if error.code != "main-moved" or attempt == ATTEMPTS:
                raise
        attempt += 1


def _add(context: Context, labels: Sequence[str], control: str | None, *, dry_run: bool) -> Added:
    main = main_head(context.lake)
    text, _ = read_ontology(context.lake, main)
    new: list[str] = []
    for label in labels:
        before, text = text, plan_label(text, label, control=control)
        new += [label] if text != before else []
    commit = _merge_label_config(context, main, text, new) if new and not dry_run else None
    if not dry_run:
        _remove_branches(context, text)
    return Added(labels=tuple(new), label_config=text, commit=commit)


def _merge_label_config(
    context: Context, main: CommitId, text: str, new: Sequence[str]
) -> CommitId | None:
    lake, branch = context.lake, _branch(text) + main[:12]
    if not lake.create_branch(branch, main):
        # What an interrupted run left there.
        lake.delete_branch(branch)
        lake.create_branch(branch, main)
    config = Upload(path=LABEL_CONFIG_PATH, data=text.encode(), content_type="application/xml")
    lake.write_many(branch, [config])
    message = f"Add {', '.join(new)} to the ontology"
    metadata = context.metadata(
        DatasetChangeKind.ONTOLOGY.value,
        ontology_operation="add",
        ontology_labels=json.dumps(new, ensure_ascii=False),
        ontology_digest=parse_ontology(text).digest,
    )
    head = lake.commit(branch, message, metadata) or lake.find_commit(branch)
    try:
        return publish(context, str(head), onto=main, message=message, metadata=metadata)
    except ConflictError:
        lake.delete_branch(branch)
        raise


def _branch(text: str) -> str:
    """What the branches begin with on which a label config comes to main."""
    return f"ontology-{hashlib.sha256(text.encode()).hexdigest()[:12]}-"


def _remove_branches(context: Context, text: str) -> None:
    """What this run, or an interrupted one, needed to bring a label config to main."""
    for branch, _ in list(context.lake.branches(_branch(text))):
        context.lake.delete_branch(branch)


def propose_migration(
    context: Context, asked: MigrationRequest, *, name: str | None = None, dry_run: bool = False
) -> Proposed | Done:
    """Put a migration on a branch for review, or find it merged.

    Cost: one listing of all records, one read a record that main's snapshot does not hold, one
    write a record that changes, about 15 requests. Repeatable.

    Raises:
        NotFoundError: main's ontology has no such label or control.
        UsageError, RefusedError: as plan_migration.
        RefusedError: records say a label that is to be removed, regions are not decided, the table
            decides regions that say something else, or a change of that name is open.
    """
    request = change_request(asked, name=name)
    if name is None:
        request = with_free_name(context, request)
    try:
        if asked.decisions:
            _check_decisions(context, asked)
        return propose(context, request, migration_rule(context, request), dry_run=dry_run)
    except (NotFoundError, RefusedError):
        # Merged already, its labels are as it left them: what it names is gone.
        if done := _find_done(context, request):
            return done
        raise


def migration_rule(context: Context, request: ChangeRequest) -> Rule:
    """What a migration makes of any commit of main.

    Raises:
        InvalidDataError: the request is no migration.
    """
    asked = migration_request(request)

    def rule(commit: CommitId) -> Effect:
        text, _ = read_ontology(context.lake, commit)
        planned = plan_migration(text, asked)
        return Effect(
            edits=_edits(context, commit, planned.migration),
            label_config=planned.label_config.encode(),
        )

    return rule


def list_uses(context: Context, asked: MigrationRequest) -> Sequence[Use]:
    """The regions on main that say a label in question. One listing, and reads as needed.

    Raises:
        NotFoundError, UsageError, RefusedError: as plan_migration.
    """
    main = main_head(context.lake)
    text, _ = read_ontology(context.lake, main)
    migration = plan_migration(text, asked).migration
    return [
        use
        for key, data in every_record(context.lake, main)
        for use in uses(decode_record(data, key=key), migration)
    ]


def _edits(context: Context, commit: CommitId, migration: Migration) -> Iterator[Edit]:
    """Every record that says a label in question, and what it becomes.

    Raises:
        RefusedError: behind the last one, where a record says what the migration cannot change.
    """
    left: list[Use] = []
    for key, data in every_record(context.lake, commit):
        before = decode_record(data, key=key)
        after = relabel(before, migration)
        left += _left(uses(before, migration), migration)
        if after is not before:
            yield Edit(key=key, before=before, after=Merged(record=after))
    if left:
        _refuse_left(left, migration)


def _left(found: Iterator[Use], migration: Migration) -> Iterator[Use]:
    match migration.operation:
        case Operation.REMOVE:
            return (use for use in found if not migration.drops)
        case Operation.SPLIT:
            decided = migration.decisions
            return (use for use in found if not migration.rest and use.place not in decided)
        case Operation.RENAME | Operation.MERGE:
            return iter(())


def _refuse_left(left: Sequence[Use], migration: Migration) -> None:
    label = "/".join(migration.sources[0])
    by_annotator: dict[str, int] = {}
    for use in left:
        by_annotator[use.annotator] = by_annotator.get(use.annotator, 0) + 1
    tasks = {use.place[0] for use in left}
    is_split = migration.operation is Operation.SPLIT
    problem = "nobody decided what becomes of it" if is_split else "it cannot be removed"
    raise RefusedError(
        "undecided-regions" if is_split else "label-in-use",
        f"{len(left)} regions in {len(tasks)} tasks say {label!r}, and {problem}",
        subject=label,
        where=(
            ("annotators", ", ".join(f"{who} {n}" for who, n in sorted(by_annotator.items()))),
            ("regions", sample_of([f"{key}: region {region}" for key, _, region in _places(left)])),
        ),
        unchanged="nothing was written",
        hint=_SPLIT_HINT if is_split else _REMOVE_HINT,
        details={
            "regions": [
                {"task": key, "annotation": unique_id, "region": region}
                for key, unique_id, region in _places(left)
            ]
        },
    )


_SPLIT_HINT = (
    "write the regions down, fill in the last column, and decide by it:\n"
    "ops ontology split LABEL INTO… --list FILE, then --by FILE; or name what all others become:"
    " --rest LABEL"
)
_REMOVE_HINT = (
    "let people change these labels in a round: ops round start NAME --edit\n"
    "or make another label of it: ops ontology merge\n"
    "or remove these regions with it: --regions drop"
)


def _places(found: Sequence[Use]) -> list[Place]:
    return [use.place for use in found]


def _check_decisions(context: Context, asked: MigrationRequest) -> None:
    """Refuse a table that decides regions nobody asked about: it is another label's, or old.

    Asked once, when it is proposed: main may move on before it is merged.

    Raises:
        RefusedError: it does.
    """
    known = set(_places(list_uses(context, asked)))
    strange = sorted(asked.decisions.keys() - known)
    if strange:
        lines = [f"{key}: region {region} of {unique_id}" for key, unique_id, region in strange]
        raise RefusedError(
            "decisions-about-others",
            f"{len(strange)} lines of the table decide regions that do not say"
            f" {asked.sources[0]!r} on main",
            where=(("lines", sample_of(lines)),),
            unchanged="nothing was written",
            hint="write the table anew: ops ontology split LABEL INTO… --list FILE",
        )


def _find_done(context: Context, request: ChangeRequest) -> Done | None:
    """The newest change on main that made the same migration. One request a change, and two."""
    lake, found = context.lake, dict[int, Done]()
    for listed in lake.list_objects(MAIN, CHANGE_PREFIX):
        name = path_change(listed.path)
        change = read_change(lake, MAIN, name) if name else None
        if change and change.version and _is_same(change.request, request):
            commit = find_change(context, change)
            found[change.version] = Done(name=change.name, version=change.version, commit=commit)
    return found[max(found)] if found else None


def _is_same(one: ChangeRequest, two: ChangeRequest) -> bool:
    return (one.kind, dict(one.arguments)) == (two.kind, dict(two.arguments))
