"""`init`: a repository that is ready for its first round, in the order that leaves no trap.

The order matters (lakeFS 1.84): the ontology is written through a branch and a merge and main is
protected last; a protection rule takes seconds to bite, and a stray write in that time would leave
main dirty, which no merge accepts and no reset may mend. Owns that order. Changes nothing that is
there already.
"""

from dataclasses import dataclass

from ops.core.names import GATES_PREFIX, LABEL_CONFIG_PATH, MAIN
from ops.core.ontology import parse_ontology
from ops.errors import ConflictError, UsageError
from ops.ports import Upload
from ops.runner.context import Context

BRANCH = "ops-init"
GATES_README = GATES_PREFIX + "README.md"
_GATES_TEXT = b"""# Gates

What a round must fulfil before `ops round finish` merges it. Settings kept here are read from main,
never from a
round's own branch.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """What an init did, or would do: steps in words, none where all was there."""

    steps: tuple[str, ...]
    ontology_digest: str
    labels: tuple[str, ...]


def init_repository(
    context: Context, *, label_config: str | None, namespace: str, dry_run: bool = False
) -> Initialised:
    """Set up the repository, its ontology and main's protection. About ten requests; repeatable.

    Args:
        context: the servers.
        label_config: the label config to start with; None to keep the one that is there.
        namespace: where lakeFS puts the repository's objects; used when it is created.
        dry_run: say what would be done, and do nothing.

    Raises:
        UsageError: there is no ontology yet, and none was given.
        InvalidDataError: the label config is not one.
        ConflictError: another label config is there already.
    """
    lake = context.lake
    wanted = parse_ontology(label_config) if label_config is not None else None
    exists = lake.repository_exists()
    stored = lake.read(MAIN, LABEL_CONFIG_PATH) if exists else None
    if stored is None and wanted is None:
        raise UsageError(
            "no-ontology",
            "the repository has no ontology yet",
            subject=lake.repository,
            unchanged="nothing was written",
            hint="ops init --label-config FILE, or: ops init --labels a,b,c --kind boxes",
        )
    ontology = parse_ontology(stored.decode()) if stored is not None else wanted
    assert ontology is not None, "refused above"  # noqa: S101
    if wanted is not None and wanted.digest != ontology.digest:
        _refuse_other_ontology(lake.repository)
    steps: list[str] = []
    if not exists:
        steps.append(f"create repository {lake.repository} at {namespace}")
        if not dry_run:
            lake.create_repository(namespace)
    if stored is None and label_config is not None:
        steps.append(f"commit {LABEL_CONFIG_PATH} and {GATES_PREFIX} to main")
        if not dry_run:
            _commit_ontology(context, label_config)
    if not exists or not lake.is_protected(MAIN):
        steps.append("protect main, and wait until that bites")
        if not dry_run:
            with context.reporter.phase("protecting main"):
                lake.protect(MAIN)
    labels = {label.value for control in ontology.controls for label in control.labels}
    return Initialised(
        steps=tuple(steps), ontology_digest=ontology.digest, labels=tuple(sorted(labels))
    )


def _commit_ontology(context: Context, label_config: str) -> None:
    """Write through a branch, so that an interrupted init leaves main clean."""
    lake = context.lake
    lake.create_branch(BRANCH, MAIN)
    uploads = [
        Upload(path=LABEL_CONFIG_PATH, data=label_config.encode(), content_type="application/xml"),
        Upload(path=GATES_README, data=_GATES_TEXT, content_type="text/markdown"),
    ]
    lake.write_many(BRANCH, uploads)
    metadata = context.metadata("init")
    lake.commit(BRANCH, "Set up the ontology", metadata)
    lake.merge(BRANCH, MAIN, "Set up the ontology", metadata)
    lake.delete_branch(BRANCH)


def _refuse_other_ontology(repository: str) -> None:
    raise ConflictError(
        "other-ontology",
        f"repository {repository} has another ontology already",
        subject=LABEL_CONFIG_PATH,
        unchanged="nothing was written",
        hint="leave the label config out to keep the one that is there,\n"
        "or take another repository: ops init --repository NAME …",
    )
