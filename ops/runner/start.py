"""`round start`: from main's head to an open round with its tasks before annotators.

Owns the order that makes a start repeatable: the branch pins the base, the manifest reserves the
round, the marker in the manifest finds the project, the task keys find the tasks. A start killed
anywhere goes on where it stopped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ops.core.names import (
    MAIN,
    check_round_name,
    manifest_path,
    round_branch,
    tasks_path,
)
from ops.core.plan import StartObservation, StartStep, Step, plan_start
from ops.core.predictions import parse_model_version
from ops.core.records import CommitId, TaskKey
from ops.core.rounds import (
    Manifest,
    RoundState,
    encode_manifest,
    project_description,
    project_title,
)
from ops.core.selection import Selection
from ops.core.task_list import RoundTask, decode_tasks, encode_tasks, tasks_digest
from ops.errors import ConfigurationError, RefusedError
from ops.ports import TaskRow, Upload
from ops.runner.attach import Attachment
from ops.runner.context import (
    Context,
    batches,
    branch_manifest,
    main_head,
    read_manifest,
    read_ontology,
    read_tasks,
    refuse_state,
)
from ops.runner.copies import find_copies
from ops.runner.imported import Bring, Brought, refuse_begun_import, write_import
from ops.runner.selection import Choice, choose_tasks
from ops.runner.sources import refuse_stale
from ops.runner.task_items import TaskItems

BATCH = 1000
"""Tasks an import request: 1 000 to 2 500 is fastest on Label Studio 1.23."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a start did, or would do.

    Attributes:
        steps: what was done, in order; with a dry run, what would be done. Empty: already open.
        manifest: the round's, or None where a dry run has not reserved it.
        keys: the tasks it takes.
        choice: how they were chosen; None where an earlier run chose them.
    """

    name: str
    steps: tuple[Step, ...]
    manifest: Manifest | None
    base: CommitId
    keys: tuple[TaskKey, ...]
    choice: Choice | None = None


@dataclass(kw_only=True)
class _Seen:
    """What is known of the servers; a part is None once a step has made it stale.

    Attributes:
        selected_at: the commit `tasks` were selected at, before a manifest names them.
        copies: Label Studio's tasks that came in by an import which a network delivered twice.
        unpredicted: predictions that the tasks there lack.
    """

    branch: CommitId | None = None
    selected_at: CommitId | None = None
    manifest: Manifest | None = None
    tasks: Mapping[TaskKey, RoundTask] = field(default_factory=dict[TaskKey, RoundTask])
    project: int | None = None
    rows: list[TaskRow] | None = None
    copies: frozenset[int] = frozenset()
    unpredicted: int = 0
    media_connected: bool = False
    picture_shown: bool = False


def start_round(
    context: Context,
    name: str,
    selection: Selection,
    *,
    bring: Bring | None = None,
    predictions: Sequence[str] = (),
    dry_run: bool = False,
) -> Started:
    """Start a round, go on starting it, or find it open.

    About 20 requests and one a 1 000 tasks to each server, and for pictures that lie in a bucket
    what ops/runner/sources.py says. Repeatable: a second run finds what the first one did.

    Args:
        context: the servers.
        name: the round's.
        selection: which tasks it takes.
        bring: gives the tasks and their annotations instead, where the round reviews an import.
        predictions: model versions whose predictions annotators begin with, as `model@version`.
        dry_run: do nothing, say what would be done.

    Raises:
        UsageError: the name cannot name a round, or a prediction's none.
        NotFoundError: the repository is not set up, a task that was named has no image, or there
            are no such predictions.
        RefusedError: no task is selected, a picture in a bucket is gone or changed, the round is
            finished or aborted, or it is open with another selection.
        ConfigurationError: Label Studio cannot show the pictures.
    """
    check_round_name(name)
    names = [str(parse_model_version(one)) for one in dict.fromkeys(predictions)]
    start = _Start(context, name, selection, bring)
    start.attachment = Attachment(context, names)
    seen = start.observe(_Seen())
    plan = plan_start(start.observation(seen))
    done: list[Step] = []
    while plan and not dry_run:
        start.apply(plan[0], seen)
        done.append(plan[0])
        seen = start.observe(seen)
        plan = plan_start(start.observation(seen))
    return Started(
        name=name,
        steps=plan if dry_run else tuple(done),
        manifest=seen.manifest,
        base=start.base,
        keys=tuple(seen.tasks),
        choice=start.choice,
    )


class _Start:
    """One run of a start."""

    def __init__(
        self, context: Context, name: str, selection: Selection, bring: Bring | None
    ) -> None:
        self._context = context
        self._name = name
        self._selection = selection
        self._bring = bring
        self._brought: Brought | None = None
        self.attachment = Attachment(context, ())
        self._branch = round_branch(name)
        self.base = CommitId("")
        self.choice: Choice | None = None

    def observe(self, seen: _Seen) -> _Seen:
        """Ask the servers for what is not known, or no longer."""
        lake, studio = self._context.lake, self._context.studio
        if seen.manifest is None:
            head = lake.find_commit(self._branch)
            self.base = head or main_head(lake)
            self._refuse_taken_name()
            seen.branch = head
            seen.manifest = self._branch_manifest() if head else None
            if seen.manifest is not None:
                seen.tasks = read_tasks(lake, self._branch, seen.manifest)
            elif seen.selected_at != self.base:
                if head and self._bring is None and seen.selected_at is None:
                    refuse_begun_import(lake, self._name)
                seen.tasks, seen.selected_at = self._select(), self.base
        if seen.manifest is not None:
            self.base = seen.manifest.base
            self._refuse_other_round(seen.manifest)
            if self.attachment.names != seen.manifest.predictions:
                self.attachment = Attachment(self._context, seen.manifest.predictions)
            if seen.manifest.state is RoundState.OPEN and seen.project is None:
                # An open round got to the end once, in its present project.
                seen.media_connected = seen.picture_shown = True
            if seen.project is None:
                projects = studio.find_projects(seen.manifest.marker)
                seen.project = projects[0].id if projects else None
            if seen.project is not None and seen.rows is None:
                seen.rows = list(studio.task_rows(seen.project))
                answered = [r for r in seen.rows if r.key in seen.tasks and _is_answered(r)]
                seen.copies = find_copies(studio, seen.project, answered)
                seen.unpredicted = len(self.attachment.gaps(seen.project, seen.tasks).missing)
        return seen

    def observation(self, seen: _Seen) -> StartObservation:
        """What the plan needs of all that."""
        return StartObservation(
            name=self._name,
            has_branch=seen.branch is not None,
            manifest=seen.manifest,
            task_count=len(seen.tasks),
            project=seen.project,
            missing_count=len(_missing(seen)),
            duplicate_count=len(_spoilt(seen)),
            unpredicted_count=seen.unpredicted,
            media_connected=seen.media_connected,
            picture_shown=seen.picture_shown,
        )

    def apply(self, step: Step, seen: _Seen) -> None:
        """Do one step and forget what it made stale."""
        match step.kind:
            case StartStep.BRANCH:
                self._context.lake.create_branch(self._branch, self.base)
            case StartStep.RESERVE:
                self._reserve(seen)
            case StartStep.PROJECT:
                seen.project = self._create_project(_manifest(seen))
                seen.media_connected = seen.picture_shown = False
            case StartStep.MEDIA:
                self._connect_media(_project(seen))
                seen.media_connected = True
            case StartStep.IMPORT:
                self._import(seen)
            case StartStep.DEDUPLICATE:
                self._context.studio.delete_tasks(_project(seen), _spoilt(seen))
                seen.rows = None
            case StartStep.PREDICT:
                self.attachment.fill(_project(seen), seen.tasks)
                seen.rows = None
            case StartStep.CHECK:
                self._check_picture(seen)
                seen.picture_shown = True
            case StartStep.OPEN:
                self._open(seen)

    def _branch_manifest(self) -> Manifest | None:
        """The manifest on the branch; one that a killed start staged and did not commit opens yet.

        Raises:
            InvalidDataError: it is not a manifest.
        """
        lake = self._context.lake
        manifest = branch_manifest(lake, self._name)
        if manifest is None or manifest.state is not RoundState.OPEN:
            return manifest
        # With records beside it, it is the next sync that commits them, together with their index.
        staged = [change.path for change in lake.uncommitted(self._branch)]
        if staged != [manifest_path(self._name)]:
            return manifest
        return replace(manifest, state=RoundState.STARTING)

    def _select(self) -> Mapping[TaskKey, RoundTask]:
        """The tasks asked for, at the base; what the round will need of it can be read.

        Raises:
            RefusedError: there are none, or a picture's bytes are not those that were imported.
        """
        read_ontology(self._context.lake, self.base)
        entries = self._entries()
        refuse_stale(self._context, self.base, [entry.task.media.path for entry in entries])
        self.attachment.refuse_none(self._name, [entry.task.key for entry in entries])
        return {entry.task.key: entry for entry in entries}

    def _entries(self) -> Sequence[RoundTask]:
        if self._bring is not None:
            self._brought = self._bring(self.base)
            looked_at, said, entries = "what is imported", self._selection, self._brought.tasks
        else:
            self.choice = choose_tasks(self._context, self.base, self._selection)
            looked_at = f"{self.choice.looked_at_count} images"
            said, entries = self.choice.selection, self.choice.tasks
        if not entries:
            raise RefusedError(
                "nothing-to-label",
                f"of {looked_at} no task is left to label",
                subject=self._name,
                where=(("selection", said.in_words), ("at", self.base[:12])),
                unchanged="nothing was written",
                hint="add pictures with: ops data add PATH\nor take labeled ones too: --all",
            )
        return entries

    def _refuse_taken_name(self) -> None:
        """A name that main knows cannot be used again: its manifest would be overwritten."""
        taken = read_manifest(self._context.lake, MAIN, self._name)
        if taken is not None:
            refuse_state(taken)

    def _refuse_other_round(self, manifest: Manifest) -> None:
        if manifest.state not in {RoundState.STARTING, RoundState.OPEN}:
            refuse_state(manifest)
        self.attachment.refuse_new(manifest)
        asked = self._selection
        if asked.as_asked not in {Selection(), manifest.selection.as_asked}:
            raise RefusedError(
                "round-exists",
                f"round {self._name} exists with another selection",
                subject=self._name,
                where=(
                    ("there", manifest.selection.in_words),
                    ("asked", asked.in_words),
                ),
                unchanged="the round is as it was",
                hint=f"go on with it: ops round start {self._name}\nor take another name",
            )

    def _reserve(self, seen: _Seen) -> None:
        """Write the task list, then the manifest that names it; of two starts, one wins each.

        What an import brings is written before them.
        """
        lake, context = self._context.lake, self._context
        digest = write_import(lake, self._name, self._brought.data) if self._brought else None
        _, ontology = read_ontology(lake, self.base)
        listed = encode_tasks(seen.tasks.values())
        upload = Upload(path=tasks_path(self._name), data=listed)
        if not lake.write_if_absent(self._branch, upload):
            listed = lake.read(self._branch, tasks_path(self._name)) or listed
        is_other = listed != upload.data
        manifest = Manifest(
            id=context.new_id(),
            name=self._name,
            base=self.base,
            actor=context.actor,
            created_at=context.timestamp(),
            selection=self._named_selection(listed if is_other else None),
            task_count=listed.count(b"\n"),
            tasks_digest=tasks_digest(listed),
            ontology_digest=ontology.digest,
            import_digest=digest,
            predictions=self.attachment.names,
        )
        path = manifest_path(self._name)
        lake.write_if_absent(self._branch, Upload(path=path, data=encode_manifest(manifest)))
        metadata = context.metadata("start", round=self._name)
        lake.commit(self._branch, f"Reserve round {self._name}", metadata)

    def _named_selection(self, other: bytes | None) -> Selection:
        """What the manifest says was asked for: of an import, its tasks one by one.

        So are another start's, killed before its manifest or running just now: nobody knows its
        words any more, and this one's would give other tasks.
        """
        if other is not None:
            self.choice = None
            keys = (entry.task.key for entry in decode_tasks(other, self._name))
            return Selection(
                keys=tuple(keys), edit=self._selection.edit, labeled_too=self._selection.labeled_too
            )
        if self._brought is None:
            return self.choice.selection if self.choice else self._selection
        return replace(self._selection, keys=tuple(one.task.key for one in self._brought.tasks))

    def _create_project(self, manifest: Manifest) -> int:
        """Create the project; where two starts each made one, the older is the round's."""
        studio = self._context.studio
        text, _ = read_ontology(self._context.lake, manifest.base)
        made = studio.create_project(
            title=project_title(manifest),
            description=project_description(manifest, self._context.lake.repository),
            label_config=text,
        )
        oldest = min(project.id for project in studio.find_projects(manifest.marker))
        if oldest != made.id:
            studio.delete_project(made.id)
        return oldest

    def _connect_media(self, project: int) -> None:
        access = self._context.media
        if access is None:
            raise ConfigurationError(
                "no-media-access",
                "there are no credentials Label Studio could read pictures with",
                unchanged=f"project {project} is there, without tasks",
                hint="set OPS_LAKEFS_ACCESS_KEY_ID and OPS_LAKEFS_SECRET_ACCESS_KEY",
            )
        connect = partial(
            self._context.studio.connect_media,
            project,
            bucket=self._context.lake.repository,
            access_key_id=access.access_key_id,
            secret_access_key=access.secret_access_key,
        )
        try:
            connect()
        except ConfigurationError:
            # lakeFS may have been away while Label Studio asked it: this waits for it, or says so.
            main_head(self._context.lake)
            connect()

    def _import(self, seen: _Seen) -> None:
        missing, project = _missing(seen), _project(seen)
        items = TaskItems(self._context, _manifest(seen))
        with self._context.reporter.phase("importing tasks", len(missing)) as phase:
            for batch in batches(missing, BATCH):
                entries = [seen.tasks[key] for key in batch]
                self._context.studio.import_tasks(project, items.of(entries))
                phase.advance(len(batch))
        seen.rows = None

    def _check_picture(self, seen: _Seen) -> None:
        rows = [row for row in seen.rows or () if row.key in seen.tasks]
        if not rows or rows[0].key is None:
            return
        uri = TaskItems(self._context, _manifest(seen)).uri(seen.tasks[rows[0].key])
        studio = self._context.studio
        if not studio.shows_media(rows[0].id, uri):
            # lakeFS may have been away while Label Studio asked it: this waits for it, or says so.
            main_head(self._context.lake)
            if studio.shows_media(rows[0].id, uri):
                return
            raise ConfigurationError(
                "picture-not-shown",
                f"Label Studio cannot show {uri}",
                subject=rows[0].key,
                where=(("project", str(seen.project)),),
                unchanged="the tasks are imported; the round is not open yet",
                hint="Label Studio must run with LABEL_STUDIO_S3_ENDPOINT set to lakeFS's address "
                f"({self._context.lake.url});\nthen: ops round start {self._name}",
            )

    def _open(self, seen: _Seen) -> None:
        self._remove_spare_projects(seen)
        self.attachment.settle(_project(seen), seen.tasks)
        manifest = replace(_manifest(seen), state=RoundState.OPEN, project=seen.project)
        upload = Upload(path=manifest_path(self._name), data=encode_manifest(manifest))
        self._context.lake.write_many(self._branch, [upload])
        self._context.lake.commit(
            self._branch,
            f"Open round {self._name}: {manifest.task_count} tasks",
            self._context.metadata("open", round=self._name, project=str(seen.project)),
        )
        seen.manifest = manifest

    def _remove_spare_projects(self, seen: _Seen) -> None:
        """Remove what a creation left that a network delivered twice: newer, and without a task."""
        studio, project = self._context.studio, _project(seen)
        for other in studio.find_projects(_manifest(seen).marker):
            if other.id > project and not studio.totals(other.id).task_count:
                studio.delete_project(other.id)


def _missing(seen: _Seen) -> Sequence[TaskKey]:
    there = {row.key for row in seen.rows or ()}
    return [key for key in seen.tasks if key not in there]


def _duplicates(rows: Iterable[TaskRow]) -> Sequence[int]:
    """Tasks to delete so that each key is there once.

    The newer ones, if nobody has answered them.
    """
    first: set[TaskKey] = set()
    extra: list[int] = []
    for row in sorted(rows, key=lambda row: (not _is_answered(row), row.id)):
        if row.key is None:
            continue
        if row.key in first and not _is_answered(row):
            extra.append(row.id)
        first.add(row.key)
    return extra


def _spoilt(seen: _Seen) -> Sequence[int]:
    """Tasks an interrupted import left wrong: there twice, or without what was put before them.

    A task with carried annotations that has none came in by an import whose answer was lost and
    whose annotations were too. Once the round is open, people may delete them.
    """
    rows = seen.rows or ()
    hollow: list[int] = []
    if seen.manifest and seen.manifest.state is RoundState.STARTING:
        put = {key for key, entry in seen.tasks.items() if entry.is_answered_before}
        hollow = [row.id for row in rows if row.key in put and not _is_answered(row)]
    return sorted({*hollow, *_duplicates(rows), *seen.copies})


def _is_answered(row: TaskRow) -> bool:
    return row.annotation_count + row.skipped_count > 0


def _manifest(seen: _Seen) -> Manifest:
    assert seen.manifest is not None, "the plan reserves before anything else"  # noqa: S101
    return seen.manifest


def _project(seen: _Seen) -> int:
    assert seen.project is not None, "the plan creates the project first"  # noqa: S101
    return seen.project
