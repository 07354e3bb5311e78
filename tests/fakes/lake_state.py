"""What a lakeFS in memory holds: repositories, commits, branches with what is staged on them.

Owns the graph and the arithmetic of trees. Does not refuse anything (lake.py does).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from ops.core.records import CommitId
from ops.ports import Change, ChangeKind, Commit, StoredObject, Upload

_EXPRESSION = re.compile(r"(?P<name>[^~^@]+)(?P<steps>(?:~\d*|\^\d*|@)*)")
_STEP = re.compile(r"([~^@])(\d*)")
_COMMIT_ID_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object. Two are the same to lakeFS where checksum, content type and metadata are.

    Attributes:
        address: of bytes that lie elsewhere; empty for lakeFS's own, which are `data`.
    """

    checksum: str
    size_bytes: int
    content_type: str
    metadata: Mapping[str, str]
    data: bytes = field(default=b"", compare=False)
    address: str = field(default="", compare=False)

    @classmethod
    def of(cls, upload: Upload) -> "Entry":
        """What an upload leaves."""
        return cls(
            checksum=hashlib.md5(upload.data, usedforsecurity=False).hexdigest(),
            size_bytes=len(upload.data),
            content_type=upload.content_type,
            metadata=dict(upload.metadata),
            data=upload.data,
        )

    def listed(self, path: str, *, metadata: bool) -> StoredObject:
        """The object as a listing shows it."""
        return StoredObject(
            path=path,
            checksum=self.checksum,
            size_bytes=self.size_bytes,
            metadata=self.metadata if metadata else {},
        )


Tree = Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A commit with its tree. `number` counts commits, parents before children."""

    commit: Commit
    tree: Tree
    number: int


@dataclass(slots=True, kw_only=True)
class Branch:
    """A branch: its head, and what is staged on it. None stages a removal."""

    head: CommitId
    staged: dict[str, Entry | None] = field(default_factory=dict[str, Entry | None])


@dataclass(slots=True, kw_only=True)
class Repository:
    """One repository."""

    namespace: str
    nodes: dict[CommitId, Node] = field(default_factory=dict[CommitId, Node])
    branches: dict[str, Branch] = field(default_factory=dict[str, Branch])
    tags: dict[str, CommitId] = field(default_factory=dict[str, CommitId])
    protected: list[str] = field(default_factory=list[str])
    _numbers: Iterator[int] = field(default_factory=count)

    def add(
        self,
        tree: Tree,
        parents: tuple[CommitId, ...],
        message: str,
        metadata: Mapping[str, str],
        *,
        committer: str = "ops",
    ) -> CommitId:
        """Add a commit and give its id; no branch moves."""
        number = next(self._numbers)
        commit = Commit(
            id=CommitId(hashlib.sha256(f"{self.namespace} {number}".encode()).hexdigest()),
            parents=parents,
            message=message,
            committer=committer,
            created_at=1_767_225_600 + number,
            metadata=dict(metadata),
        )
        self.nodes[commit.id] = Node(commit=commit, tree=tree, number=number)
        return commit.id

    def resolve(self, ref: str) -> Node | None:
        """The commit a ref or an expression stands for."""
        match = _EXPRESSION.fullmatch(ref)
        node = self._named(match["name"]) if match else None
        for sign, digits in _STEP.findall(match["steps"]) if match else ():
            node = self._step(node, sign, digits)
        return node

    def tree_at(self, ref: str) -> Tree | None:
        """The objects at a ref; of a branch, with what is staged."""
        if ref in self.branches:
            return self.staged_tree(self.branches[ref])
        node = self.resolve(ref)
        return None if node is None else node.tree

    def staged_tree(self, branch: Branch) -> Tree:
        """The tree a commit of the branch would have."""
        tree = dict(self.nodes[branch.head].tree)
        for path, entry in branch.staged.items():
            if entry is None:
                tree.pop(path, None)
            else:
                tree[path] = entry
        return tree

    def ancestors(self, start: CommitId) -> dict[CommitId, Node]:
        """A commit with everything it descends from."""
        found: dict[CommitId, Node] = {}
        open_ids = [start]
        while open_ids:
            commit_id = open_ids.pop()
            if commit_id not in found:
                found[commit_id] = self.nodes[commit_id]
                open_ids.extend(self.nodes[commit_id].commit.parents)
        return found

    def merge_base(self, left: CommitId, right: CommitId) -> Node:
        """The newest common ancestor."""
        shared = self.ancestors(left).keys() & self.ancestors(right).keys()
        return max((self.nodes[commit_id] for commit_id in shared), key=lambda node: node.number)

    def _named(self, name: str) -> Node | None:
        if name in self.branches:
            return self.nodes[self.branches[name].head]
        if name in self.tags:
            return self.nodes[self.tags[name]]
        found = [node for commit_id, node in self.nodes.items() if commit_id.startswith(name)]
        return found[0] if len(found) == 1 else None

    def _step(self, node: Node | None, sign: str, digits: str) -> Node | None:
        if node is None or sign == "@":
            return node
        if sign == "^":
            number = int(digits or "1")
            parents = node.commit.parents
            return self.nodes[parents[number - 1]] if 1 <= number <= len(parents) else None
        here = node
        for _ in range(int(digits or "1")):
            if not here.commit.parents:
                return None
            here = self.nodes[here.commit.parents[0]]
        return here


def changes(before: Tree, after: Tree) -> list[Change]:
    """What differs at one tree from another, by path."""
    found: list[Change] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        kind = ChangeKind.CHANGED
        if old is None or new is None:
            kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
        checksum = new.listed(path, metadata=False).checksum if new else None
        found.append(Change(path=path, kind=kind, checksum=checksum))
    return found


def changes_since(base: Tree, left: Tree, right: Tree) -> list[Change]:
    """What `right` changed since the base, with what both changed differently as conflicts."""
    found: list[Change] = []
    for change in changes(base, right):
        theirs = left.get(change.path)
        if theirs == right.get(change.path):
            continue
        untouched = theirs == base.get(change.path)
        kind = change.kind if untouched else ChangeKind.CONFLICT
        checksum = change.checksum if untouched else None
        found.append(replace(change, kind=kind, checksum=checksum))
    return found


def merged(base: Tree, source: Tree, destination: Tree) -> Tree:
    """The destination with what the source changed; where both did, the destination stays."""
    tree = dict(destination)
    for change in changes_since(base, destination, source):
        if change.kind is ChangeKind.CONFLICT:
            continue
        entry = source.get(change.path)
        if entry is None:
            tree.pop(change.path, None)
        else:
            tree[change.path] = entry
    return tree
