"""What the runner needs of the two servers, in the domain's words.

Owns the two Protocols and the plain data that crosses them. `ops/lake` and `ops/studio` implement
them on the real servers, `tests/fakes/` in memory; `tests/contract/` holds both to the same suite.

Every method raises DeniedError, UnavailableError or ConfigurationError where the server cannot be
used; what else a method raises it says itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ops.core.records import CommitId, Json, TaskKey
from ops.prediction_port import Predicting


class Phase(Protocol):
    """One phase of work in progress."""

    def advance(self, count: int = 1) -> None:
        """Say that so many more units are done."""
        ...


class Reporter(Protocol):
    """Where narration goes: a progress bar, plain lines, or nowhere."""

    def phase(self, title: str, total: int | None = None) -> AbstractContextManager[Phase]:
        """Open a phase of `total` units, or of unknown length."""
        ...

    def note(self, text: str) -> None:
        """Say one line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object in a listing. `metadata` is filled only where it was asked for."""

    path: str
    checksum: str
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One object to write."""

    path: str
    data: bytes
    content_type: str = "application/json"
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit. `created_at` is seconds since the epoch, as the committer stated it."""

    id: CommitId
    parents: tuple[CommitId, ...]
    message: str
    committer: str
    created_at: int
    metadata: Mapping[str, str]


class ChangeKind(StrEnum):
    """How an object differs between two refs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that differs between two refs.

    Attributes:
        checksum: what the right side's listing shows for it; None for what is removed, in conflict
            or staged.
    """

    path: str
    kind: ChangeKind
    checksum: str | None = None


class Lake(Protocol):
    """One lakeFS repository."""

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end; the S3 gateway is there too."""
        ...

    @property
    def repository(self) -> str:
        """The repository's name."""
        ...

    def server_version(self) -> str:
        """The server's version, as `1.84.0`. One request."""
        ...

    def repository_exists(self) -> bool:
        """Say whether the repository is there. One request."""
        ...

    def create_repository(self, namespace: str) -> bool:
        """Create the repository with branch main; False if it was there already. One request.

        Raises:
            ConflictError: the storage namespace belongs to another repository.
        """
        ...

    def is_protected(self, branch: str) -> bool:
        """Say whether a protection rule names the branch. One request."""
        ...

    def protect(self, branch: str) -> None:
        """Forbid direct writes to a branch that is there, keeping other rules.

        Repeatable. Two to four requests, plus a wait until it bites.
        """
        ...

    def find_commit(self, ref: str) -> CommitId | None:
        """The commit a branch, tag, commit id or expression (`main~1`) stands for, or None.

        None too where there is no such repository. One request.
        """
        ...

    def commit_facts(self, ref: str) -> Commit:
        """What the commit of a ref says of itself. One request.

        Raises:
            NotFoundError: there is no such ref.
        """
        ...

    def log(self, ref: str, *, first_parent: bool = False) -> Iterator[Commit]:
        """The commits from a ref back to the first, newest first, lazily.

        One request a 1 000 commits.

        Raises:
            NotFoundError: there is no such ref.
        """
        ...

    def branches(self, prefix: str = "") -> Iterator[tuple[str, CommitId]]:
        """Branches with their heads, by name. One request a 1 000."""
        ...

    def create_branch(self, name: str, source: str) -> bool:
        """Create a branch at a ref.

        False if a branch of that name is there already. One request.
        """
        ...

    def delete_branch(self, name: str) -> bool:
        """Delete a branch; False if there is none. One request."""
        ...

    def list_objects(
        self, ref: str, prefix: str = "", *, metadata: bool = False
    ) -> Iterator[StoredObject]:
        """Objects below a prefix, by path.

        On a branch, staged ones too. One request a 1 000, lazily.
        """
        ...

    def read(self, ref: str, path: str) -> bytes | None:
        """An object's bytes; None where there is no such object, or no such ref. One request."""
        ...

    def checksums_at(self, refs: Iterable[str], path: str) -> Iterator[str | None]:
        """One object's checksum at each ref, in their order; None where it is not there.

        One request a ref, at least 25 in flight; lazily.
        """
        ...

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, in the order of `paths`, at least 25 requests in flight; flat memory.

        Raises:
            NotFoundError: one of them is not there.
        """
        ...

    def write_many(
        self,
        branch: str,
        uploads: Iterable[Upload],
        *,
        done: Callable[[Upload], None] | None = None,
    ) -> int:
        """Stage objects on a branch and give their number.

        Keeps at least 25 requests in flight, in flat memory; repeatable. Of two uploads to one
        path, either may be the one that stays. `done` is called on the caller's thread for each
        object that is stored.

        Raises:
            InvalidDataError: no object can have that path or metadata; those before it may be
                stored.
            RefusedError: the branch is protected (code `protected-branch`), as in every other
                direct write.
        """
        ...

    def write_if_absent(self, branch: str, upload: Upload) -> bool:
        """Stage one object unless an object of that path is there.

        False if one is. One request, atomic.
        """
        ...

    def delete_many(self, branch: str, paths: Sequence[str]) -> None:
        """Stage the removal of objects.

        Those that are not there are passed over. One request a 1 000, and one for the branch.
        """
        ...

    def uncommitted(self, branch: str) -> Iterator[Change]:
        """What is staged on a branch and differs from its head. One request a 1 000, lazily."""
        ...

    def discard(self, branch: str) -> None:
        """Drop everything staged on a branch. One request."""
        ...

    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> CommitId | None:
        """Commit what is staged; None where there is nothing to commit. One request."""
        ...

    def diff(
        self, left: str, right: str, prefix: str = "", *, since_base: bool = False
    ) -> Iterator[Change]:
        """What differs at `right` from `left`, by path, lazily.

        With `since_base`: what `right` changed since their common ancestor, an object both sides
        changed showing as CONFLICT. One request a 1 000.
        """
        ...

    def merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        keep_destination: bool = False,
    ) -> CommitId | None:
        """Merge a ref into a branch; None where there is nothing to merge. One request.

        `keep_destination` settles every object both sides changed for the destination: only for
        paths the caller rewrites at once.

        Raises:
            ConflictError: both sides changed an object and `keep_destination` is false.
            RefusedError: a hook of the server refused (code `gate`), or something is staged on the
                destination (code `dirty-branch`).
        """
        ...

    def merge_base(self, source: str, destination: str) -> CommitId:
        """The common ancestor a merge would use. One request."""
        ...

    def tags(self) -> Iterator[tuple[str, CommitId]]:
        """Tags with their commits, by name. One request a 1 000."""
        ...

    def create_tag(self, name: str, commit: CommitId) -> bool:
        """Tag a commit; False if the tag is there already at the same commit. One or two requests.

        Raises:
            ConflictError: the tag names another commit.
        """
        ...


class MediaReader(Protocol):
    """The objects of one repository, read fast: over lakeFS's S3 gateway."""

    def read_many(
        self, ref: str, paths: Iterable[str], *, workers: int = 32
    ) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, as they come, in no order, `workers` requests in flight; flat memory.

        Args:
            ref: a branch, tag or commit id; no expression such as `main~1`.
            paths: pulled lazily.
            workers: requests under way at once.

        Raises:
            NotFoundError: one of them is not there.
        """
        ...

    def pieces(self, ref: str, path: str) -> Iterator[bytes]:
        """One object's bytes in pieces of some megabytes, in their order. One request.

        Raises:
            NotFoundError: it is not there, or its bytes are gone.
            UnavailableError: also where the connection breaks between two pieces.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One Label Studio project."""

    id: int
    title: str
    description: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One line of a project's task index. `updated_at` is Label Studio's, UTC, canonical form."""

    id: int
    key: TaskKey | None
    updated_at: str
    annotation_count: int
    skipped_count: int
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A project's own counts.

    `annotation_count` leaves out the skipped ones, as Label Studio does.
    """

    task_count: int
    annotation_count: int
    skipped_count: int


class Studio(Predicting, Protocol):
    """One Label Studio server, seen by one account."""

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        ...

    def server_version(self) -> str:
        """The server's version, as `1.23.2`. One request."""
        ...

    def find_projects(self, marker: str) -> tuple[Project, ...]:
        """The projects whose description holds the marker as a word, oldest first.

        One request a 100 projects.
        """
        ...

    def create_project(self, *, title: str, description: str, label_config: str) -> Project:
        """Create a project. One request; not repeatable: look for its marker first.

        Raises:
            InvalidDataError: Label Studio does not accept the label config; its reason is in the
                error.
        """
        ...

    def close_project(self, project: int, *, title: str, description: str) -> None:
        """Rename a project whose round is over, and tell annotators that nothing more is read.

        Who opens it can still annotate: Label Studio has no closed projects. A title is cut to 50
        characters; the marker must be in the new description too, or the project is not found any
        more. One request; repeatable.

        Raises:
            NotFoundError: there is no such project.
            InvalidDataError: the title is too short: it needs 3 characters.
        """
        ...

    def delete_project(self, project: int) -> bool:
        """Delete a project with its tasks and annotations; False if there is none. One request."""
        ...

    def connect_media(
        self, project: int, *, bucket: str, access_key_id: str, secret_access_key: str
    ) -> bool:
        """Let the project show objects of the S3 bucket.

        False if it was set up already; it is brought up to date then. Two requests.

        Raises:
            ConfigurationError: the server cannot reach the bucket with these credentials.
        """
        ...

    def shows_media(self, task: int, uri: str) -> bool:
        """Say whether an annotator's browser gets the bytes of `uri` with this task.

        Two requests.
        """
        ...

    def import_tasks(self, project: int, items: Sequence[Mapping[str, Json]]) -> tuple[int, ...]:
        """Import one batch and give the new task ids in its order. One request; not repeatable.

        Raises:
            PartialError: the server took other counts than were sent, twice (stock SQLite loses
                annotations); the batch's tasks were deleted again.
            InvalidDataError: the server refused an item; nothing was imported.
        """
        ...

    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks with their annotations; those that are gone are passed over.

        One request a 500; none for none.
        """
        ...

    def totals(self, project: int) -> Totals:
        """The project's own counts, straight from its tables. One request.

        Raises:
            NotFoundError: there is no such project.
        """
        ...

    def task_rows(self, project: int, *, since: str | None = None) -> Iterator[TaskRow]:
        """The task index, by id: all of it, or the tasks updated at or after `since`.

        One request a 1 000 tasks. Every task that is there from the first request to the last is
        given, once, whatever is imported or deleted meanwhile.

        Raises:
            NotFoundError: there is no such project.
        """
        ...

    def export(self, project: int, tasks: Sequence[int]) -> Iterator[Mapping[str, Json]]:
        """Tasks in Label Studio's export form, with `unique_id`, in the order asked for.

        Tasks that are gone are left out; skipped, empty and unfinished ones are there. One request
        a 250, in flat memory.

        Raises:
            NotFoundError: there is no such project.
        """
        ...

    def members(self) -> Mapping[int, str]:
        """E-mail by user id, of everyone on the server. One request."""
        ...
