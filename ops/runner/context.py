"""What every verb works with, and how it finds a round.

Owns the reading of a round's documents and the errors for rounds that are not there or not in the
right state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ops.bucket_port import OpenBucket
from ops.core.index import TIME_FORMAT, SyncIndex, decode_index
from ops.core.markup import markup_text
from ops.core.names import (
    LABEL_CONFIG_PATH,
    MAIN,
    check_round_name,
    index_path,
    manifest_path,
    round_branch,
    tasks_path,
)
from ops.core.ontology import Ontology, parse_ontology
from ops.core.records import CommitId, TaskKey
from ops.core.rounds import (
    Manifest,
    RoundState,
    decode_manifest,
    project_description,
    project_title,
)
from ops.core.task_list import RoundTask, decode_tasks, tasks_digest
from ops.errors import InvalidDataError, NotFoundError, RefusedError
from ops.in_place import LakeInPlace
from ops.ports import Lake, MediaReader, Reporter, Studio


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaAccess:
    """The credentials Label Studio fetches pictures with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The servers, the person and the clock a verb works with.

    Attributes:
        actor: who is named in commits.
        now: gives the time, UTC.
        tool_version: named in commits.
        media: what Label Studio reads pictures with; None for verbs that start no round.
        overlap_s: how far before the newest change a sync looks again.
        in_place: the same repository, where it can tell of objects whose bytes lie elsewhere.
        open_bucket: gives a bucket by name; None for verbs that ask none.
        open_gateway: gives another media reader than lakeFS's S3 gateway, as tests have one.
        clip_path: where the model lies that pictures are compared with texts by; None where it is
            to be downloaded.
        cache_dir: where media once read are kept, by digest; None for nowhere.
    """

    lake: Lake
    studio: Studio
    reporter: Reporter
    actor: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    tool_version: str
    media: MediaAccess | None = None
    overlap_s: int = 120
    in_place: LakeInPlace | None = None
    open_bucket: OpenBucket | None = None
    open_gateway: Callable[[], MediaReader] | None = None
    cache_dir: Path | None = None
    clip_path: Path | None = None

    def timestamp(self) -> str:
        """The time in the canonical form."""
        return self.now().astimezone(UTC).strftime(TIME_FORMAT)

    def metadata(self, kind: str, **facts: str | int) -> Mapping[str, str]:
        """Commit metadata: `ops.`-prefixed strings."""
        every = {"kind": kind, "actor": self.actor, "tool_version": self.tool_version, **facts}
        return {f"ops.{name}": str(value) for name, value in every.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round as its branch states it.

    Attributes:
        head: the branch's newest commit.
        tasks: by key, in order.
        index: what the branch reflects of Label Studio.
    """

    manifest: Manifest
    branch: str
    head: CommitId
    tasks: Mapping[TaskKey, RoundTask]
    index: SyncIndex

    @property
    def name(self) -> str:
        """The round's name."""
        return self.manifest.name

    @property
    def project(self) -> int:
        """Label Studio's project id; 0 for a round that is still starting."""
        return self.manifest.project or 0


def read_manifest(lake: Lake, ref: str, name: str) -> Manifest | None:
    """A round's manifest at a ref, or None. One request.

    Raises:
        InvalidDataError: it is not a manifest.
    """
    data = lake.read(ref, manifest_path(name))
    return decode_manifest(data, name) if data is not None else None


def branch_manifest(lake: Lake, name: str) -> Manifest | None:
    """A round's manifest on its branch, or None. One request, or two.

    A finish that was killed before its merge, or lost to another one, leaves a branch that calls
    the round finished; as long as main does not, it is open.

    Raises:
        InvalidDataError: it is not a manifest.
    """
    manifest = read_manifest(lake, round_branch(name), name)
    if manifest is None or manifest.state is not RoundState.FINISHED:
        return manifest
    if (merged := read_manifest(lake, MAIN, name)) is not None:
        return merged
    return replace(
        manifest,
        state=RoundState.OPEN,
        ended_at=None,
        ended_by=None,
        version=None,
        counts=None,
        annotators=(),
        held=(),
        rework=None,
    )


def read_tasks(lake: Lake, ref: str, manifest: Manifest) -> Mapping[TaskKey, RoundTask]:
    """A round's task list at a ref, by key. One request.

    Raises:
        NotFoundError: there is no such ref any more.
        InvalidDataError: it is missing, or not the one the manifest names.
    """
    path = tasks_path(manifest.name)
    data = lake.read(ref, path)
    if data is not None and tasks_digest(data) == manifest.tasks_digest:
        tasks = {entry.task.key: entry for entry in decode_tasks(data, manifest.name)}
        if len(tasks) == manifest.task_count:
            return tasks
    if data is None and lake.find_commit(ref) is None:
        raise NotFoundError(
            "no-such-round",
            f"round {manifest.name} was removed by somebody else just now",
            subject=manifest.name,
            unchanged="nothing was written",
            hint="list rounds with: ops round list",
        )
    raise InvalidDataError(
        "task-list",
        f"the task list of round {manifest.name} is not the one its manifest names",
        subject=path,
        where=(("path", path), ("ref", ref)),
        unchanged="nothing was written",
        hint=f"see who changed it in the history of branch {round_branch(manifest.name)}",
    )


def load_round(context: Context, name: str) -> Round:
    """A round that is open, with everything its branch holds of it. Four requests.

    Raises:
        NotFoundError: there is no such round.
        RefusedError: it is still starting, finished or aborted.
    """
    lake, branch = context.lake, round_branch(check_round_name(name))
    head = lake.find_commit(branch)
    manifest = branch_manifest(lake, name) if head else read_manifest(lake, MAIN, name)
    if manifest is None:
        raise NotFoundError(
            "no-such-round",
            f"there is no round {name}",
            subject=name,
            unchanged="nothing was written",
            hint=f"list rounds with: ops round list\nor start it with: ops round start {name}",
        )
    if head is None or manifest.state is not RoundState.OPEN:
        refuse_state(manifest)
    return Round(
        manifest=manifest,
        branch=branch,
        head=CommitId(str(head)),
        tasks=read_tasks(lake, branch, manifest),
        index=read_index(lake, branch, name),
    )


def read_index(lake: Lake, ref: str, name: str) -> SyncIndex:
    """A round's sync index at a ref; an empty one where there is none. One request."""
    data = lake.read(ref, index_path(name))
    return decode_index(data, name) if data is not None else SyncIndex()


def refuse_state(manifest: Manifest) -> None:
    """Refuse a round that is not open, saying what would help.

    Raises:
        RefusedError: always.
    """
    name, when = manifest.name, f" by {manifest.ended_by} at {manifest.ended_at}"
    hints = {
        RoundState.STARTING: f"go on starting it with: ops round start {name}",
        RoundState.OPEN: "its branch is gone; see main's history with: ops dataset log",
        RoundState.FINISHED: f"see it with: ops round show {name}",
        RoundState.ABORTED: "start a round of another name",
    }
    raise RefusedError(
        f"round-{manifest.state.value}",
        f"round {name} is {manifest.state.value}" + (when if manifest.ended_at else ""),
        subject=name,
        unchanged="nothing was written",
        hint=hints[manifest.state],
    )


def close_project(context: Context, manifest: Manifest) -> None:
    """Tell annotators in the round's project that it is over; a project that is gone needs none.

    One request; repeatable.
    """
    if manifest.project is None:
        return
    with suppress(NotFoundError):
        context.studio.close_project(
            manifest.project,
            title=project_title(manifest),
            description=project_description(manifest, context.lake.repository),
        )


def read_ontology(lake: Lake, ref: str) -> tuple[str, Ontology]:
    """The label config and its meaning at a ref. One request.

    Raises:
        NotFoundError: there is none.
        InvalidDataError: it is not a label config.
    """
    data = lake.read(ref, LABEL_CONFIG_PATH)
    if data is None:
        raise NotFoundError(
            "ontology-gone",
            f"{ref} has no {LABEL_CONFIG_PATH}",
            subject=LABEL_CONFIG_PATH,
            unchanged="nothing was written",
            hint="ops init --label-config FILE, or: ops init --labels a,b,c --kind boxes",
        )
    text = markup_text(data)
    return text, parse_ontology(text)


def main_head(lake: Lake) -> CommitId:
    """The head of main. One request.

    Raises:
        NotFoundError: the repository is not set up.
    """
    head = lake.find_commit(MAIN)
    if head is None:
        raise NotFoundError(
            "no-repository",
            f"there is no lakeFS repository {lake.repository}",
            subject=lake.repository,
            unchanged="nothing was written",
            hint="set it up with: ops init --labels a,b,c --kind boxes",
        )
    return head


def sample_of(keys: Sequence[str], most: int = 10) -> str:
    """The first few of many names, a line each, and how many more there are."""
    rest = [f"… and {len(keys) - most} more"] if len(keys) > most else []
    return "\n".join([*keys[:most], *rest])


def batches(keys: Sequence[TaskKey], size: int) -> Iterator[Sequence[TaskKey]]:
    """The keys in their order, `size` at a time, the last ones as many as are left."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
