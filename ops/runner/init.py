"""`init`: a repository that is ready for its first round, in the order that leaves no trap.

The order matters (lakeFS 1.84): the files are written through a branch and a merge, and main is
protected last; a protection rule takes seconds to bite, and a stray write in that time would leave
main dirty, which no merge accepts and no reset may mend. The hook of the gate comes in the merge
that it is the first to check. Owns that order. Changes nothing that is there already, but a hook
that this version of ops ships otherwise.
"""

from dataclasses import dataclass

from ops.core.markup import markup_text
from ops.core.names import GATES_PREFIX, LABEL_CONFIG_PATH, MAIN
from ops.core.ontology import Ontology, parse_ontology
from ops.errors import ConflictError, UsageError
from ops.runner.context import Context
from ops.runner.gates import (
    gate_state,
    publish_files,
    refuse_tampered_gate,
    wanted_gate_files,
)

_README = GATES_PREFIX + "README.md"
_README_TEXT = b"""# Gates

What must be fulfilled before anything is merged into main.

| file | is |
| --- | --- |
| `gates.toml` | what a round must fulfil; change it with `ops gates set FILE` |
| `gates.json` | the same for the hook, made by ops |
| `gate.lua` | the hook that lakeFS runs; `_lakefs_actions/ops.yaml` says when |

All of it is read from main, never from a round's own branch. A branch that changes it is not merged
by ops.
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
    """Set up the repository: ontology, gates, and main's protection.

    About twenty requests; repeatable. A repository that was set up by an older ops gets what it
    lacks.

    Args:
        context: the servers.
        label_config: the label config to start with; None to keep the one that is there.
        namespace: where lakeFS puts the repository's objects; used when it is created.
        dry_run: say what would be done, and do nothing.

    Raises:
        UsageError: there is no ontology yet, and none was given.
        InvalidDataError: the label config is not one.
        RefusedError: somebody changed the gate around ops: that would become ops's own.
        ConflictError: another label config is there already, or main moved meanwhile.
    """
    lake = context.lake
    wanted = parse_ontology(label_config) if label_config is not None else None
    exists = lake.repository_exists()
    stored = lake.read(MAIN, LABEL_CONFIG_PATH) if exists else None
    ontology = _agreed_ontology(lake.repository, stored, wanted)
    if exists:
        refuse_tampered_gate(gate_state(context, MAIN))
    steps: list[str] = []
    if not exists:
        steps.append(f"create repository {lake.repository} at {namespace}")
        if not dry_run:
            lake.create_repository(namespace)
    files = wanted_gate_files(context, MAIN if exists else None)
    if stored is None and label_config is not None:
        files = {LABEL_CONFIG_PATH: label_config.encode(), _README: _README_TEXT, **files}
    if files:
        steps.append(f"commit {', '.join(sorted(files))} to main")
        if not dry_run:
            publish_files(context, files, kind="init", message="Set up the ontology and the gates")
    if not exists or not lake.is_protected(MAIN):
        steps.append("protect main, and wait until that bites")
        if not dry_run:
            with context.reporter.phase("protecting main"):
                lake.protect(MAIN)
    labels = {label.value for control in ontology.controls for label in control.labels}
    return Initialised(
        steps=tuple(steps), ontology_digest=ontology.digest, labels=tuple(sorted(labels))
    )


def _agreed_ontology(repository: str, stored: bytes | None, wanted: Ontology | None) -> Ontology:
    """The ontology that is there, or else the one that is wanted.

    Raises:
        UsageError: there is neither.
        ConflictError: there are both, and they differ.
    """
    if stored is None and wanted is None:
        raise UsageError(
            "no-ontology",
            "the repository has no ontology yet",
            subject=repository,
            unchanged="nothing was written",
            hint="ops init --label-config FILE, or: ops init --labels a,b,c --kind boxes",
        )
    ontology = parse_ontology(markup_text(stored)) if stored is not None else wanted
    assert ontology is not None, "refused above"  # noqa: S101
    if wanted is not None and wanted.digest != ontology.digest:
        raise ConflictError(
            "other-ontology",
            f"repository {repository} has another ontology already",
            subject=LABEL_CONFIG_PATH,
            unchanged="nothing was written",
            hint="leave the label config out to keep the one that is there,\n"
            "or take another repository: ops init --repository NAME …",
        )
    return ontology
