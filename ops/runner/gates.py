"""The gates of a repository: read as main states them, and kept from being changed by a branch.

lakeFS takes its hooks from the commit that is merged, so a branch can leave the gate behind
(lakeFS 1.84: `pkg/graveler`, PreMergeHook). Owns refusing such a branch before the merge, telling
whether main still holds the gate, and writing the gate's files. Does not decide what a gate asks
(ops/core/gates.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ops.core.action import lint_action
from ops.core.audit import GATE_KINDS, came_around
from ops.core.gates import GateSettings, compile_gates, decode_gates
from ops.core.names import (
    ACTION_PATH,
    ACTIONS_PREFIX,
    COMPILED_GATES_PATH,
    GATE_SCRIPT_PATH,
    GATES_PATH,
    GATES_PREFIX,
    MAIN,
)
from ops.core.records import CommitId
from ops.core.snapshot import record_checksum
from ops.errors import RefusedError
from ops.gate import default_settings, hook_files
from ops.ports import Change, Upload
from ops.runner.context import Context, main_head, sample_of
from ops.runner.publish import publish

GATE_PREFIXES = (ACTIONS_PREFIX, GATES_PREFIX)
"""What only `ops init`, `ops gates set` and `ops doctor --fix` may change."""

_CONTENT_TYPES = {
    "json": "application/json",
    "lua": "text/x-lua",
    "md": "text/markdown",
    "toml": "application/toml",
    "xml": "application/xml",
    "yaml": "application/yaml",
}


def read_gates(context: Context, ref: str) -> GateSettings:
    """The gates' settings at a ref of main; the defaults where it has none. One request.

    Raises:
        InvalidDataError: they are no settings of this version of ops.
    """
    return decode_gates(context.lake.read(ref, GATES_PATH))


def refuse_gate_changes(context: Context, main: str, head: str) -> None:
    """Refuse a branch that changed the gate since it left main. Two requests.

    Raises:
        RefusedError: code `gate-changed`: it holds another gate; the files are named.
    """
    changed = [
        f"{change.kind.value} {change.path}"
        for prefix in GATE_PREFIXES
        for change in context.lake.diff(main, head, prefix, since_base=True)
    ]
    if changed:
        raise RefusedError(
            "gate-changed",
            f"the branch changes {len(changed)} of the gate's files",
            subject=changed[0].partition(" ")[2],
            where=(("files", sample_of(changed)),),
            unchanged="nothing was merged",
            hint="undo that on the branch, then run the same command again\n"
            "settings are changed with: ops gates set FILE",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """How the gate at a ref of main stands against what ops wrote there last.

    Attributes:
        written_by: the newest commit of main whose kind may change the gate; None for none.
        changed: what differs since, by path: changed around ops.
        missing: files that every gate has and that neither of the two holds: `ops init` adds them.
        outdated: hook files that are as ops wrote them, but not as this version ships them.
    """

    written_by: CommitId | None
    changed: tuple[Change, ...]
    missing: tuple[str, ...]
    outdated: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the gate is there and as ops wrote it."""
        return not self.changed and not self.missing

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line a file; none where the gate is whole."""
        return (
            *(f"{change.path} was {change.kind.value} around ops" for change in self.changed),
            *(f"{path} is missing" for path in self.missing),
        )


def gate_state(context: Context, ref: str = MAIN) -> GateState:
    """How the gate at a ref of main stands. Five requests, and one a 1 000 commits to look through.

    Raises:
        NotFoundError: there is no such ref.
    """
    lake = context.lake
    log = (one for one in lake.log(ref, first_parent=True) if not came_around(one))
    written_by = next((c.id for c in log if c.metadata.get("ops.kind") in GATE_KINDS), None)
    since = written_by or ref
    changed = [c for prefix in GATE_PREFIXES for c in lake.diff(since, ref, prefix)]
    there = {
        found.path: found.checksum
        for prefix in GATE_PREFIXES
        for found in lake.list_objects(ref, prefix)
    }
    odd = {change.path for change in changed}
    shipped = hook_files()
    return GateState(
        written_by=written_by,
        changed=tuple(changed),
        missing=tuple(
            path
            for path in (GATES_PATH, COMPILED_GATES_PATH, *shipped)
            if path not in there and path not in odd
        ),
        outdated=tuple(
            path
            for path, data in shipped.items()
            if path in there and path not in odd and there[path] != record_checksum(data)
        ),
    )


def refuse_tampered_gate(state: GateState) -> None:
    """Refuse to go on from a main whose gate was changed around ops.

    Raises:
        RefusedError: code `gate-tampered`: it was; the files are named.
    """
    if not state.changed:
        return
    raise RefusedError(
        "gate-tampered",
        f"main's gate was changed around ops: {len(state.changed)} files",
        subject=state.changed[0].path,
        where=(("files", sample_of(state.problems)),),
        unchanged="nothing was merged",
        hint="see how it came there: ops dataset verify\nput it back: ops doctor --fix",
    )


def wanted_gate_files(context: Context, ref: str | None) -> Mapping[str, bytes]:
    """The gate's files that a ref lacks or has otherwise than this ops writes them, by path.

    Settings that are there stay as they are. Four requests; none for None, which lacks all.

    Raises:
        InvalidDataError: its settings are none, or this ops ships a hook that lakeFS would refuse.
    """
    stored = context.lake.read(ref, GATES_PATH) if ref is not None else None
    files = gate_files(stored if stored is not None else default_settings())
    return files if ref is None else _differing(context, ref, files)


def _differing(context: Context, ref: str, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {path: data for path, data in files.items() if context.lake.read(ref, path) != data}


def gate_files(settings: bytes) -> Mapping[str, bytes]:
    """A whole gate with these settings (a `gates.toml`), by path, fit to be committed.

    Raises:
        InvalidDataError: they are no settings, or this ops ships a hook that lakeFS would refuse.
    """
    shipped = hook_files()
    lint_action(shipped[ACTION_PATH], present=[GATE_SCRIPT_PATH])
    return {GATES_PATH: settings, COMPILED_GATES_PATH: compile_gates(settings), **shipped}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates at a ref: what they ask, the file that says so, and how they stand.

    Attributes:
        text: the `gates.toml`; the one a new repository gets where there is none.
    """

    settings: GateSettings
    text: str
    state: GateState


def look_at_gates(context: Context, ref: str = MAIN) -> Gates:
    """The gates at a ref. Seven requests, and one a 1 000 commits to look through.

    Raises:
        NotFoundError: there is no such ref.
        InvalidDataError: the settings there are none of this version of ops.
    """
    state = gate_state(context, ref)
    stored = context.lake.read(ref, GATES_PATH)
    text = stored if stored is not None else default_settings()
    return Gates(settings=decode_gates(text), text=text.decode(), state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesSet:
    """What a change of the settings did, or would do.

    Attributes:
        before, after: the settings.
        changed: the files that are written; none where all is as wanted.
        commit: the merge commit on main; None with a dry run, and where nothing changed.
    """

    before: GateSettings
    after: GateSettings
    changed: tuple[str, ...]
    commit: CommitId | None


def set_gates(context: Context, settings: bytes, *, name: str, dry_run: bool = False) -> GatesSet:
    """Make a `gates.toml` main's, through a branch. Twenty requests; nothing to do where it is.

    The hook is brought up to this version of ops on the way.

    Args:
        context: the servers.
        settings: the file's bytes.
        name: what the file is called, for errors.
        dry_run: check it and say what would change, and do nothing.

    Raises:
        InvalidDataError: they are no settings.
        NotFoundError: the repository is not set up.
        RefusedError: somebody changed the gate around ops: that would become ops's own.
        ConflictError: main moved meanwhile.
    """
    after = decode_gates(settings, name=name)
    main = main_head(context.lake)
    refuse_tampered_gate(gate_state(context, main))
    files = _differing(context, main, gate_files(settings))
    done = GatesSet(
        before=read_gates(context, main), after=after, changed=tuple(sorted(files)), commit=None
    )
    if dry_run or not files:
        return done
    message = "Change the gates"
    return replace(done, commit=publish_files(context, files, kind="gates", message=message))


def publish_files(
    context: Context,
    files: Mapping[str, bytes],
    *,
    removed: Sequence[str] = (),
    kind: str,
    message: str,
) -> CommitId | None:
    """Put files onto main through a branch of their own, in one merge. Seven requests.

    Killed anywhere it leaves main as it was or with all of them.

    Args:
        context: the servers.
        files: what is written, by path.
        removed: paths of what goes away.
        kind: of the merge; also part of the branch's name.
        message: of the merge.

    Raises:
        ConflictError: main moved meanwhile.
        RefusedError: a gate refuses.
    """
    lake, main = context.lake, main_head(context.lake)
    branch = f"ops-{kind}-{main[:12]}"
    if not lake.create_branch(branch, main):
        # What an interrupted run left there.
        lake.delete_branch(branch)
        lake.create_branch(branch, main)
    lake.write_many(
        branch,
        [
            Upload(path=path, data=data, content_type=_content_type(path))
            for path, data in files.items()
        ],
    )
    lake.delete_many(branch, removed)
    metadata = context.metadata(kind)
    head = lake.commit(branch, message, metadata) or lake.find_commit(branch)
    commit = publish(context, str(head), onto=main, message=message, metadata=metadata)
    lake.delete_branch(branch)
    return commit


def _content_type(path: str) -> str:
    return _CONTENT_TYPES.get(path.rpartition(".")[2], "application/octet-stream")
