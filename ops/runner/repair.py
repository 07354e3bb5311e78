"""`doctor --fix`: mends what can be mended without touching a label.

Owns how each repair is made so that nothing is lost by it, not even what should not have been
there: what was staged on main, or what a tag named, is kept on a branch `rescue-…`. Every repair
may be killed anywhere and made again. Does not decide what needs one (doctor.py).
"""

from collections.abc import Callable, Mapping, Sequence
from mimetypes import guess_type

from ops.core.audit import EXPECTED_HEAD, is_version, version_number
from ops.core.health import Repair, RepairKind
from ops.core.names import ACTIONS_PREFIX, MAIN, version_tag
from ops.core.records import CommitId
from ops.errors import ConfigurationError, NotFoundError, RefusedError
from ops.mending import MendableLake
from ops.ports import Change, ChangeKind, Commit, Upload
from ops.runner.context import Context, main_head
from ops.runner.doctor import is_merged, rescue_branch
from ops.runner.gates import gate_state, publish_files, wanted_gate_files

_PLACEHOLDER = """# Put here by ops doctor in place of a malformed file, which main's history keeps.
name: placeholder {number}
on:
  post-create-tag:
hooks:
  - id: placeholder
    type: lua
    properties:
      script: return
"""


def apply_repair(context: Context, lake: MendableLake, repair: Repair) -> str:
    """Make one repair and say what was done; a no-op where it was made meanwhile.

    Args:
        context: the servers; its lakeFS is the next one.
        lake: the repository.
        repair: what to mend.

    Raises:
        RefusedError, ConflictError, ConfigurationError: it cannot be made; what it says is left as
            it was.
    """
    mend: Mapping[RepairKind, Callable[[], str]] = {
        RepairKind.MAIN: lambda: _clear_main(context, lake),
        RepairKind.HOOKS: lambda: _replace_hooks(context, lake),
        RepairKind.GATE: lambda: _restore_gate(context),
        RepairKind.PROTECTION: lambda: _protect(context, lake),
        RepairKind.TAG: lambda: _move_tag(lake, repair.subject),
        RepairKind.BRANCH: lambda: _delete_branch(context, lake, repair.subject),
    }
    return mend[repair.kind]()


def _clear_main(context: Context, lake: MendableLake) -> str:
    """Keep what is staged on main on a branch, then drop it from main.

    While main is protected nobody changes what is staged there, so it is copied before the rule is
    taken off, and once more if somebody wrote in the seconds until it was.
    """
    saved = _staged(lake)
    if not saved:
        return "nothing is staged on main any more"
    branch = _rescue_staged(context, lake)
    was_protected = lake.is_protected(MAIN)
    if was_protected:
        with context.reporter.phase("taking the protection off main"):
            lake.unprotect(MAIN)
    try:
        if _staged(lake) != saved:
            _rescue_staged(context, lake)
        lake.discard(MAIN)
    finally:
        if was_protected:
            _protect(context, lake)
    return f"kept what was staged on main on branch {branch}, and cleared main"


def _staged(lake: MendableLake) -> Mapping[str, tuple[ChangeKind, str | None]]:
    """What is staged on main, with the checksums of its bytes."""
    changes = list(lake.uncommitted(MAIN))
    checksums = {
        found.path: found.checksum
        for change in changes
        for found in lake.list_objects(MAIN, change.path)
    }
    return {change.path: (change.kind, checksums.get(change.path)) for change in changes}


def _rescue_staged(context: Context, lake: MendableLake) -> str:
    """Commit what is staged on main to a branch of its own; content types are guessed by name."""
    branch = rescue_branch(main_head(lake))
    _branch_off(lake, branch)
    changes = list(lake.uncommitted(MAIN))
    removed = [change.path for change in changes if change.kind is ChangeKind.REMOVED]
    with context.reporter.phase("keeping what is staged on main", len(changes)):
        lake.write_many(branch, (_copy(lake, change) for change in changes if _is_kept(change)))
        lake.delete_many(branch, removed)
    message = f"Keep {len(changes)} objects that were staged on main"
    lake.commit(branch, message, context.metadata("rescue"))
    return branch


def _is_kept(change: Change) -> bool:
    return change.kind is not ChangeKind.REMOVED


def _copy(lake: MendableLake, change: Change) -> Upload:
    path = change.path
    found = next(one for one in lake.list_objects(MAIN, path, metadata=True) if one.path == path)
    return Upload(
        path=path,
        data=lake.read(MAIN, path) or b"",
        content_type=guess_type(path)[0] or "application/octet-stream",
        metadata=found.metadata,
    )


def _branch_off(lake: MendableLake, name: str) -> CommitId:
    """A branch from the newest commit of main that lakeFS makes one from, and that commit.

    Where a hook file on main is malformed it makes none from there.

    Raises:
        ConfigurationError: it makes none from any commit.
    """
    refusal: ConfigurationError | None = None
    for commit in lake.log(MAIN, first_parent=True):
        try:
            lake.create_branch(name, commit.id)
        except ConfigurationError as error:
            if error.code != "broken-gate":
                raise
            refusal = error
        else:
            return commit.id
    assert refusal is not None, "main has a commit"  # noqa: S101
    raise refusal


def _replace_hooks(context: Context, lake: MendableLake) -> str:
    """Get out of what a malformed hook file on main does: no commit, no merge, no branch.

    lakeFS reads the hooks of a merge from its source (1.84). So a branch of an older commit, whose
    hooks it can read, overwrites every hook file that main has with a placeholder, and wins over
    main where both changed a file; main works again then, and a second merge puts the files back:
    the gate as ops wrote it, others as the older commit has them.
    """
    main, branch = main_head(lake), f"ops-unlock-{main_head(lake)[:12]}"
    base = _branch_off(lake, branch)
    if base == main:
        lake.delete_branch(branch)
        return "lakeFS reads main's hooks: nothing to do"
    paths = [found.path for found in lake.list_objects(MAIN, ACTIONS_PREFIX)]
    lake.write_many(
        branch,
        [
            Upload(path=path, data=_PLACEHOLDER.format(number=number).encode())
            for number, path in enumerate(paths, start=1)
        ],
    )
    message = f"Replace {len(paths)} hook files that lakeFS cannot read"
    metadata = {**context.metadata("repair"), EXPECTED_HEAD: main}
    head = lake.commit(branch, message, metadata) or lake.find_commit(branch)
    lake.overrule(str(head), MAIN, message, metadata)
    lake.delete_branch(branch)
    older = {path: lake.read(base, path) for path in paths}
    files = {path: data for path, data in older.items() if data is not None}
    gate = wanted_gate_files(context, base)
    removed = [path for path in paths if path not in {*files, *gate}]
    _publish(context, {**files, **gate}, removed, "Put the hooks back")
    return f"replaced main's hooks by those of {base[:12]}: {', '.join(paths)}"


def _restore_gate(context: Context) -> str:
    """Put the gate's files back as the newest commit of ops that may write them left them.

    What that commit had not, and this ops writes, is added; what came around ops is removed.
    """
    lake, main = context.lake, main_head(context.lake)
    state = gate_state(context, main)
    source = state.written_by or main
    files = dict(wanted_gate_files(context, source))
    removed: list[str] = []
    for path in (change.path for change in state.changed):
        data = lake.read(source, path)
        if data is None:
            removed.append(path)
        else:
            files.setdefault(path, data)
    commit = _publish(context, files, removed, "Put the gate back")
    if commit is None:
        return "main's gate is as ops wrote it"
    return f"put main's gate back in commit {commit[:12]}: {', '.join(sorted({*files, *removed}))}"


def _publish(
    context: Context, files: Mapping[str, bytes], removed: Sequence[str], message: str
) -> CommitId | None:
    return publish_files(context, files, removed=removed, kind="repair", message=message)


def _protect(context: Context, lake: MendableLake) -> str:
    with context.reporter.phase("protecting main"):
        lake.protect(MAIN)
    return "protected main"


def _move_tag(lake: MendableLake, tag: str) -> str:
    """Let a version's tag name its commit; what it named is kept on a branch.

    Raises:
        NotFoundError: main has no such version any more.
    """
    commit = next((one.id for one in lake.log(MAIN, first_parent=True) if _is(one, tag)), None)
    if commit is None:
        raise NotFoundError(
            "no-such-version",
            f"main has no version {tag}",
            subject=tag,
            unchanged="the tag is as it was",
            hint="list versions with: ops dataset log",
        )
    named = dict(lake.tags()).get(tag)
    kept = ""
    if named is not None and named != commit:
        if lake.merge_base(named, MAIN) != named:
            lake.create_branch(rescue_branch(named), named)
            kept = f"; what it named is kept on branch {rescue_branch(named)}"
        lake.delete_tag(tag)
    lake.create_tag(tag, commit)
    return f"tag {tag} names commit {commit[:12]}{kept}"


def _is(commit: Commit, tag: str) -> bool:
    return is_version(commit) and version_tag(version_number(commit) or 0) == tag


def _delete_branch(context: Context, lake: MendableLake, branch: str) -> str:
    """Delete a branch that main has all of; looked at once more right before.

    Raises:
        RefusedError: it holds something that main has not.
        ConfigurationError: lakeFS cannot be asked.
    """
    if lake.find_commit(branch) is None:
        return f"branch {branch} is gone already"
    if not is_merged(lake, branch):
        raise RefusedError(
            "branch-in-use",
            f"branch {branch} holds something that main has not",
            subject=branch,
            unchanged="the branch is as it was",
            hint="run the command again that made it",
        )
    try:
        lake.delete_branch(branch)
    except ConfigurationError as error:
        if error.code != "broken-gate":
            raise
        # lakeFS asks the hooks of the branch itself (1.84), and cannot read them: main's it can.
        message = f"Take main's hooks to {branch}"
        lake.merge(MAIN, branch, message, context.metadata("repair"))
        lake.delete_branch(branch)
    return f"deleted branch {branch}"
