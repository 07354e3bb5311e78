"""lakeFS in memory: ports.Lake with lakeFS's ways.

Honest about what hurts: only what is committed is merged, equal bytes of another content type are a
change, merges are of whole objects, a merge with nothing new is none. tests/contract/test_lake.py
holds it to the real server.
"""

import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Concatenate, ParamSpec, TypeVar

from ops.core.records import CommitId
from ops.errors import (
    ConfigurationError,
    ConflictError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    RefusedError,
)
from ops.lake.objects import check_path, metadata_headers
from ops.ports import Change, ChangeKind, Commit, StoredObject, Upload
from tests.fakes.lake_state import (
    Branch,
    Entry,
    Node,
    Repository,
    Tree,
    changes,
    changes_since,
    merged,
)

Hook = Callable[[str], None]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_S = TypeVar("_S", bound="FakeLake")

_MAIN = "main"
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
_NO_TAG = re.compile(r"[\x00-\x20^:?*\[\\/]|\.\.|@\{|\.$|\.lock$|^@$|^$")
_STRATEGY = ".lakefs.merge.strategy"


def watched(
    method: Callable[Concatenate[_S, _P], _R],
) -> Callable[Concatenate[_S, _P], _R]:
    """Call the hooks around a method, and let one thread in at a time."""

    @functools.wraps(method)
    def around(self: _S, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        self.before(method.__name__)
        with self.server.lock:
            answer = method(self, *args, **kwargs)
        self.after(method.__name__)
        return answer

    return around


class FakeLakeServer:
    """One lakeFS server in memory.

    Attributes:
        repositories: the state, by name.
        gate: stands for the server's pre-merge hooks: given the destination and the metadata of a
            merge, it gives the reason to refuse it, or None.
        outside: gives the bytes at a gs:// address, or None.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.repositories: dict[str, Repository] = {}
        self.gate: Callable[[str, Mapping[str, str]], str | None] = lambda _, __: None
        self.outside: Callable[[str], bytes | None] = lambda _: None
        self.lock = threading.RLock()


class FakeLake:
    """One repository on a lakeFS in memory; it is there once it was created.

    Attributes:
        before, after: called with a method's name around each method; what they raise, the caller
            gets. Raising in `after` is a crash between the deed and the answer.
        stored: called with the path of each object write_many has staged: a crash on the way.
        server: what holds the state; other FakeLakes may share it.
    """

    def __init__(self, repository: str, server: FakeLakeServer | None = None) -> None:
        """Name the repository, on a server of its own where none is given."""
        self.before: Hook = lambda _: None
        self.after: Hook = lambda _: None
        self.stored: Hook = lambda _: None
        self.server = server or FakeLakeServer()
        self._name = repository

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return "http://lake.invalid"

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._name

    @watched
    def server_version(self) -> str:
        """The version whose ways these are."""
        return "1.84.0"

    @watched
    def repository_exists(self) -> bool:
        """Say whether the repository was created."""
        return self._name in self.server.repositories

    @watched
    def create_repository(self, namespace: str) -> bool:
        """Create the repository with branch main; False if it was there already."""
        if self._name in self.server.repositories:
            return False
        if not _REPOSITORY.fullmatch(self._name):
            raise refusal(InvalidDataError, "lakefs-name", self._name)
        if "://" not in namespace:
            raise refusal(ConfigurationError, "storage-namespace", namespace)
        if any(other.namespace == namespace for other in self.server.repositories.values()):
            raise refusal(ConflictError, "namespace-in-use", namespace)
        made = Repository(namespace=namespace)
        made.branches[_MAIN] = Branch(head=made.add({}, (), "Repository created", {}, committer=""))
        self.server.repositories[self._name] = made
        return True

    @watched
    def is_protected(self, branch: str) -> bool:
        """Say whether a protection rule names the branch."""
        return self._is_protected(branch)

    @watched
    def protect(self, branch: str) -> None:
        """Forbid direct writes to a branch that is there, at once."""
        if not self._is_protected(branch):
            self._state.protected.append(branch)

    @watched
    def unprotect(self, branch: str) -> None:
        """Allow direct writes to a branch again, at once."""
        left = [pattern for pattern in self._state.protected if pattern != branch]
        if any(fnmatchcase(branch, pattern) for pattern in left):
            raise refusal(RefusedError, "wider-protection", branch)
        self._state.protected[:] = left

    @watched
    def find_commit(self, ref: str) -> CommitId | None:
        """The commit a ref stands for, or None."""
        if self._name not in self.server.repositories:
            return None
        node = self._state.resolve(ref)
        return None if node is None else node.commit.id

    @watched
    def commit_facts(self, ref: str) -> Commit:
        """What the commit of a ref says of itself."""
        return self._node(ref).commit

    @watched
    def log(self, ref: str, *, first_parent: bool = False) -> Iterator[Commit]:
        """The commits from a ref back to the first, newest first."""
        return self._lazily(lambda: self._history(ref, first_parent=first_parent))

    @watched
    def branches(self, prefix: str = "") -> Iterator[tuple[str, CommitId]]:
        """Branches with their heads, by name."""
        return self._lazily(
            lambda: sorted(
                (name, branch.head)
                for name, branch in self._state.branches.items()
                if name.startswith(prefix)
            )
        )

    @watched
    def create_branch(self, name: str, source: str) -> bool:
        """Create a branch at a ref; False if a branch of that name is there already."""
        if not _BRANCH.fullmatch(name):
            raise refusal(InvalidDataError, "lakefs-name", name)
        if name in self._state.branches:
            return False
        if name in self._state.tags:
            raise refusal(ConflictError, "name-taken", name)
        self._state.branches[name] = Branch(head=self._node(source).commit.id)
        return True

    @watched
    def delete_branch(self, name: str) -> bool:
        """Delete a branch, with what is staged on it; False if there is none."""
        if name == _MAIN:
            raise refusal(RefusedError, "default-branch", name)
        return self._state.branches.pop(name, None) is not None

    @watched
    def list_objects(
        self, ref: str, prefix: str = "", *, metadata: bool = False
    ) -> Iterator[StoredObject]:
        """Objects below a prefix, by path; on a branch, staged ones too."""
        return self._lazily(
            lambda: [
                entry.listed(path, metadata=metadata)
                for path, entry in sorted(self._tree(ref).items())
                if path.startswith(prefix)
            ]
        )

    @watched
    def read(self, ref: str, path: str) -> bytes | None:
        """An object's bytes; None where there is no such object, or no such ref."""
        check_path(path)
        entry = (self._state.tree_at(ref) or {}).get(path)
        return None if entry is None else self._bytes(entry)

    @watched
    def checksums_at(self, refs: Iterable[str], path: str) -> Iterator[str | None]:
        """One object's checksum at each ref, in their order; None where it is not there."""
        return self._look_each(refs, path)

    @watched
    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, in the order of `paths`."""
        return self._read_each(ref, paths)

    @watched
    def write_many(
        self,
        branch: str,
        uploads: Iterable[Upload],
        *,
        done: Callable[[Upload], None] | None = None,
    ) -> int:
        """Stage objects on a branch and give their number."""
        count = 0
        for upload in uploads:
            entry = _entry(upload)
            self._writable(branch).staged[upload.path] = entry
            self.stored(upload.path)
            count += 1
            if done is not None:
                done(upload)
        return count

    @watched
    def write_if_absent(self, branch: str, upload: Upload) -> bool:
        """Stage one object unless an object of that path is there; False if one is."""
        entry = _entry(upload)
        if upload.path in self._state.staged_tree(self._branch(branch)):
            return False
        self._writable(branch).staged[upload.path] = entry
        return True

    @watched
    def delete_many(self, branch: str, paths: Sequence[str]) -> None:
        """Stage the removal of objects; those that are not there are passed over."""
        for path in paths:
            self._writable(branch).staged[path] = None

    @watched
    def uncommitted(self, branch: str) -> Iterator[Change]:
        """What is staged on a branch and differs from its head."""
        return self._lazily(lambda: self._staged_changes(self._branch(branch)))

    @watched
    def discard(self, branch: str) -> None:
        """Drop everything staged on a branch."""
        self._writable(branch).staged.clear()

    @watched
    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> CommitId | None:
        """Commit what is staged; None where there is nothing to commit."""
        target = self._writable(branch)
        if not self._staged_changes(target):
            return None
        tree = self._state.staged_tree(target)
        target.head = self._state.add(tree, (target.head,), message, metadata)
        target.staged.clear()
        return target.head

    @watched
    def diff(
        self, left: str, right: str, prefix: str = "", *, since_base: bool = False
    ) -> Iterator[Change]:
        """What differs at `right` from `left`, by path; of a branch, what is committed."""
        return self._lazily(
            lambda: [
                change
                for change in self._differences(left, right, since_base=since_base)
                if change.path.startswith(prefix)
            ]
        )

    @watched
    def merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        keep_destination: bool = False,
    ) -> CommitId | None:
        """Merge what is committed at a ref into a branch; None where it has nothing new."""
        return self._merge(
            source,
            destination,
            message,
            {**metadata, _STRATEGY: "dest-wins" if keep_destination else "default"},
        )

    @watched
    def overrule(
        self, source: str, destination: str, message: str, metadata: Mapping[str, str]
    ) -> CommitId | None:
        """Merge a ref into a branch, the source winning what both changed; None for nothing new."""
        return self._merge(source, destination, message, {**metadata, _STRATEGY: "source-wins"})

    def _merge(
        self, source: str, destination: str, message: str, metadata: Mapping[str, str]
    ) -> CommitId | None:
        target, strategy = self._branch(destination), metadata[_STRATEGY]
        if self._staged_changes(target):
            raise refusal(RefusedError, "dirty-branch", destination)
        ours, theirs = self._state.nodes[target.head], self._node(source)
        base = self._state.merge_base(ours.commit.id, theirs.commit.id)
        if theirs.tree == base.tree:
            return None
        clashes = changes_since(base.tree, ours.tree, theirs.tree)
        if strategy == "default" and any(c.kind is ChangeKind.CONFLICT for c in clashes):
            raise refusal(ConflictError, "merge-conflict", destination)
        if (reason := self.server.gate(destination, metadata)) is not None:
            raise refusal(RefusedError, "gate", destination, reason)
        sides = (theirs.tree, ours.tree) if strategy != "source-wins" else (ours.tree, theirs.tree)
        target.head = self._state.add(
            merged(base.tree, *sides), (ours.commit.id, theirs.commit.id), message, metadata
        )
        target.staged.clear()
        return target.head

    @watched
    def merge_base(self, source: str, destination: str) -> CommitId:
        """The common ancestor a merge would use."""
        ours, theirs = self._node(destination), self._node(source)
        return self._state.merge_base(ours.commit.id, theirs.commit.id).commit.id

    @watched
    def tags(self) -> Iterator[tuple[str, CommitId]]:
        """Tags with their commits, by name."""
        return self._lazily(lambda: sorted(self._state.tags.items()))

    @watched
    def create_tag(self, name: str, commit: CommitId) -> bool:
        """Tag a commit; False if the tag is there already at the same commit."""
        if _NO_TAG.search(name):
            raise refusal(InvalidDataError, "lakefs-name", name)
        if name in self._state.branches:
            raise refusal(ConflictError, "name-taken", name)
        if name in self._state.tags:
            if self._state.tags[name] == commit:
                return False
            raise refusal(ConflictError, "tag-elsewhere", name)
        self._state.tags[name] = self._node(commit).commit.id
        return True

    @watched
    def delete_tag(self, name: str) -> bool:
        """Remove a tag; False if there is none."""
        return self._state.tags.pop(name, None) is not None

    @property
    def _state(self) -> Repository:
        if self._name not in self.server.repositories:
            raise refusal(NotFoundError, "no-repository", self._name)
        return self.server.repositories[self._name]

    def _branch(self, name: str) -> Branch:
        if name not in self._state.branches:
            raise refusal(NotFoundError, "not-in-lakefs", name)
        return self._state.branches[name]

    def _writable(self, name: str) -> Branch:
        branch = self._branch(name)
        if self._is_protected(name):
            raise refusal(RefusedError, "protected-branch", name)
        return branch

    def _is_protected(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._state.protected)

    def _node(self, ref: str) -> Node:
        node = self._state.resolve(ref)
        if node is None:
            raise refusal(NotFoundError, "not-in-lakefs", ref)
        return node

    def _tree(self, ref: str) -> Tree:
        tree = self._state.tree_at(ref)
        if tree is None:
            raise refusal(NotFoundError, "not-in-lakefs", ref)
        return tree

    def _lazily(self, find: Callable[[], Iterable[_R]]) -> Iterator[_R]:
        """What is there when the first of it is asked for; that is when a failure shows, too."""
        with self.server.lock:
            found = tuple(find())
        yield from found

    def _history(self, ref: str, *, first_parent: bool) -> list[Commit]:
        node = self._node(ref)
        if not first_parent:
            found = self._state.ancestors(node.commit.id).values()
            newest_first = sorted(found, key=lambda each: each.number, reverse=True)
            return [each.commit for each in newest_first]
        line = [node.commit]
        while line[-1].parents:
            line.append(self._state.nodes[line[-1].parents[0]].commit)
        return line

    def _differences(self, left: str, right: str, *, since_base: bool) -> list[Change]:
        ours, theirs = self._node(left), self._node(right)
        if not since_base:
            return changes(ours.tree, theirs.tree)
        base = self._state.merge_base(ours.commit.id, theirs.commit.id)
        return changes_since(base.tree, ours.tree, theirs.tree)

    def _staged_changes(self, branch: Branch) -> list[Change]:
        found = changes(self._state.nodes[branch.head].tree, self._state.staged_tree(branch))
        return [replace(change, checksum=None) for change in found]

    def _read_each(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            check_path(path)
            with self.server.lock:
                entry = (self._state.tree_at(ref) or {}).get(path)
            if entry is None:
                raise refusal(NotFoundError, "not-in-lakefs", path)
            yield path, self._bytes(entry)

    def _bytes(self, entry: Entry) -> bytes:
        """An object's bytes, wherever they lie."""
        data = self.server.outside(entry.address) if entry.address else entry.data
        if data is None:
            raise refusal(NotFoundError, "object-data-gone", entry.address)
        return data

    def _look_each(self, refs: Iterable[str], path: str) -> Iterator[str | None]:
        for ref in refs:
            check_path(path)
            with self.server.lock:
                entry = (self._state.tree_at(ref) or {}).get(path)
            yield entry and entry.listed(path, metadata=False).checksum


def _entry(upload: Upload) -> Entry:
    check_path(upload.path)
    metadata_headers(upload.path, upload.metadata)
    return Entry.of(upload)


def refusal(error: type[OpsError], code: str, subject: str, message: str = "") -> OpsError:
    """An error with all its parts, as the real server's adapter would raise it."""
    return error(
        code,
        message or f"{code}: {subject}",
        subject=subject,
        unchanged="nothing was changed",
        hint="look at what is there",
    )
