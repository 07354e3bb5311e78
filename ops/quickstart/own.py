"""A first round over somebody's own pictures.

Owns the order: set up, add, start. Makes up no annotation: people label these.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ops.core.names import LABEL_CONFIG_PATH, MAIN, round_branch
from ops.core.records import Json, TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection
from ops.errors import NotFoundError, UsageError
from ops.media import Ignored
from ops.runner.context import Context, read_manifest
from ops.runner.data import Added, add_media
from ops.runner.init import init_repository
from ops.runner.start import start_round


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRound:
    """A first round, open or finished.

    Attributes:
        steps: what was done, in words; with a dry run, what would be done.
        manifest: the round's; None with a dry run that would start it.
        added: keys of the pictures that are new in the repository.
        ignored: files that are no pictures.
    """

    steps: tuple[str, ...]
    manifest: Manifest | None
    added: tuple[TaskKey, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """What was done, for programs."""
        return {
            "steps": list(self.steps),
            "added": list(self.added),
            "ignored": [{"name": file.name, "reason": file.reason} for file in self.ignored],
            "tasks": self.manifest.task_count if self.manifest else None,
            "already_done": not self.steps,
        }


def unseen_steps(repository: str, name: str, folder: Path) -> tuple[str, ...]:
    """All there is to do where nothing is there yet."""
    return (
        f"set up repository {repository}",
        f"add the pictures of {folder}",
        f"start round {name}",
    )


def refuse_no_labels(folder: Path) -> NoReturn:
    """Refuse to make up what may be said of somebody's pictures.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "no-ontology",
        f"nothing says what the pictures of {folder} may be labeled as",
        subject=str(folder),
        unchanged="no repository was set up",
        hint=f"ops quickstart --images {folder} --labels cat,dog\n"
        f"or, for boxes: ops quickstart --images {folder} --labels cat,dog --kind boxes",
    )


def open_own_round(
    context: Context,
    name: str,
    folder: Path,
    *,
    label_config: str | None,
    namespace: str,
    dry_run: bool = False,
) -> OwnRound:
    """Set a repository up, add a folder's pictures, and put them before annotators. Repeatable.

    A finished round is left as it is, and nothing is added then.

    Args:
        context: the servers.
        name: the round's.
        folder: the pictures, with everything below it.
        label_config: what may be said of them; None to keep what the repository has.
        namespace: where lakeFS puts the repository's objects; used when it is created.
        dry_run: say what would be done, and do nothing.

    Raises:
        UsageError: there is no ontology yet, and none was given.
        ConflictError: the repository has another ontology, or other pictures of these names.
        NotFoundError: there is no picture in the folder.
        RefusedError: the round was aborted.
    """
    exists = context.lake.repository_exists()
    if label_config is None and not (exists and context.lake.read(MAIN, LABEL_CONFIG_PATH)):
        refuse_no_labels(folder)
    found = init_repository(
        context, label_config=label_config, namespace=namespace, dry_run=dry_run
    )
    if dry_run and not exists:
        steps = unseen_steps(context.lake.repository, name, folder)
        return OwnRound(steps=steps, manifest=None)
    manifest = _manifest(context, name)
    if manifest is not None and manifest.state is RoundState.FINISHED:
        return OwnRound(steps=found.steps, manifest=manifest)
    added = add_media(context, [folder], dry_run=dry_run)
    _refuse_nothing(context, folder, added)
    steps = [*found.steps, *([_addition(len(added.added))] if added.added else [])]
    if manifest is None or manifest.state is not RoundState.OPEN:
        steps.append(f"start round {name}")
    if not dry_run:
        started = start_round(context, name, Selection())
        manifest = started.manifest
    return OwnRound(steps=tuple(steps), manifest=manifest, added=added.added, ignored=added.ignored)


def _addition(count: int) -> str:
    return "add 1 picture" if count == 1 else f"add {count} pictures"


def _manifest(context: Context, name: str) -> Manifest | None:
    lake, branch = context.lake, round_branch(name)
    on_main = read_manifest(lake, MAIN, name)
    if on_main is not None or lake.find_commit(branch) is None:
        return on_main
    return read_manifest(lake, branch, name)


def _refuse_nothing(context: Context, folder: Path, added: Added) -> None:
    if added.added or added.unchanged:
        return
    raise NotFoundError(
        "no-pictures",
        f"there is no picture in {folder}",
        subject=str(folder),
        where=tuple((file.name, file.reason) for file in added.ignored[:10]),
        unchanged=f"repository {context.lake.repository} is there, and no round was started",
        hint="check the path; a folder is taken with everything below it",
    )
