"""What somebody does to a lakeFS in memory around ops: the raw API, the UI, a script."""

from collections.abc import Mapping
from dataclasses import replace

from ops.core.records import CommitId
from ops.ports import Upload
from tests.fakes.lake_state import Entry, Repository
from tests.runner.world import World

STRATEGY = ".lakefs.merge.strategy"


def repository(world: World) -> Repository:
    """The state behind the port."""
    return world.lake_server.repositories["dataset"]


def head(world: World, branch: str = "main") -> CommitId:
    """A branch's newest commit."""
    return repository(world).branches[branch].head


def change_main(
    world: World,
    files: Mapping[str, bytes | None] | None = None,
    *,
    message: str = "by hand",
    metadata: Mapping[str, str] | None = None,
    is_merge: bool = False,
) -> CommitId:
    """Put a commit on main whatever protects it; None removes a file."""
    state, before = repository(world), head(world)
    tree = dict(state.nodes[before].tree)
    for path, data in (files or {}).items():
        tree.pop(path, None)
        if data is not None:
            tree[path] = Entry.of(Upload(path=path, data=data))
    parents = (before,)
    if is_merge:
        parents = (before, state.add(tree, (before,), message, {}))
        metadata = {**(metadata or {}), STRATEGY: "default"}
    state.branches["main"].head = state.add(tree, parents, message, metadata or {})
    return head(world)


def rewrite(
    world: World,
    files: Mapping[str, bytes | None] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Make main's newest commit hold and say something else, as no server lets anybody."""
    state, commit = repository(world), head(world)
    node = state.nodes[commit]
    tree = dict(node.tree)
    for path, data in (files or {}).items():
        tree.pop(path, None)
        if data is not None:
            tree[path] = Entry.of(Upload(path=path, data=data))
    said = replace(node.commit, metadata={**node.commit.metadata, **(metadata or {})})
    state.nodes[commit] = replace(node, tree=tree, commit=said)


def stage_on_main(world: World, files: Mapping[str, bytes | None]) -> None:
    """Leave something staged on main, as before its protection bit."""
    staged = repository(world).branches["main"].staged
    for path, data in files.items():
        staged[path] = None if data is None else Entry.of(Upload(path=path, data=data))
