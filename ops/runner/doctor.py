"""`doctor`: is everything there that a round needs, and is it as ops left it?

Owns what is asked of the two servers, in the order in which one thing needs the other. Looks only,
but for one branch of its own that it makes and removes at once: lakeFS says no otherwise whether it
may, nor whether it can read the repository's hooks. Mends nothing (repair.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice

from ops.core.audit import is_version
from ops.core.audit_versions import tag_finding
from ops.core.health import (
    Diagnosis,
    Repair,
    RepairKind,
    failed,
    healthy,
    skipped,
    suspect,
)
from ops.core.names import (
    GATES_PREFIX,
    LABEL_CONFIG_PATH,
    MAIN,
    branch_round,
    media_path,
    round_branch,
)
from ops.core.records import CommitId
from ops.core.rounds import Manifest, RoundState
from ops.errors import ConfigurationError, InvalidDataError, OpsError
from ops.ports import Lake, Studio
from ops.runner.context import Context, branch_manifest, main_head, read_ontology
from ops.runner.gates import gate_state
from ops.runner.sources import look_at_sources
from ops.runner.verify import unaccounted_commits

TESTED_LAKEFS = "1.84."
TESTED_LABEL_STUDIO = "1.23."
LEFTOVERS = ("ops-", "data-", "revert-")
"""How the branches begin that ops removes when it is done with them."""

Look = Callable[[str, Context], Diagnosis]
"""Looks at one thing, given what it is called."""

_FIX = "ops doctor --fix"


def examine_lake(context: Context) -> Iterator[Diagnosis]:
    """Look at lakeFS and the repository. About 20 requests, and two a branch.

    Nothing is raised: what cannot be looked at is a finding, and what needs it is skipped.
    """
    return _in_turn(context, _LAKE_LOOKS, vital=_LAKE_VITAL)


def examine_studio(context: Context, *, has_lake: bool) -> Iterator[Diagnosis]:
    """Look at Label Studio, and at the projects of open rounds.

    Four requests, two a round and three for a picture. Nothing is raised.

    Args:
        context: the servers.
        has_lake: whether lakeFS can be asked which rounds are open.
    """
    looks = {**_STUDIO_LOOKS, **(_ROUND_LOOKS if has_lake else {})}
    yield from _in_turn(context, looks, vital=_STUDIO_LOOKS)
    if not has_lake:
        yield from (skipped(name, "lakeFS cannot be asked") for name in _ROUND_LOOKS)


def _in_turn(
    context: Context, looks: Mapping[str, Look], *, vital: Collection[str]
) -> Iterator[Diagnosis]:
    missing: str | None = None
    for name, look in looks.items():
        if missing is not None:
            yield skipped(name, f"not looked at: {missing} comes first")
            continue
        try:
            yield look(name, context)
        except OpsError as error:
            yield failed(name, error)
            missing = name if name in vital else None


def _server(name: str, context: Context) -> Diagnosis:
    """It answers, takes the credentials, and is of a version ops was tried on."""
    return _version(name, context.lake.server_version(), TESTED_LAKEFS, context.lake.url)


def _version(name: str, version: str, tested: str, url: str) -> Diagnosis:
    said = f"{version} at {url}"
    if version.startswith(tested):
        return healthy(name, said)
    return suspect(name, f"{said}: tried on {tested}x", remedy=f"run {name} {tested}x")


def _repository(name: str, context: Context) -> Diagnosis:
    """It is there."""
    return healthy(name, f"{context.lake.repository}, main at {_head(context)[:12]}")


def _head(context: Context) -> CommitId:
    """Main's newest commit: read by it, what is staged on main is not seen."""
    return main_head(context.lake)


def _hooks(name: str, context: Context) -> Diagnosis:
    """LakeFS can read them, and these credentials may write.

    Without that, every commit, merge and new branch is answered with status 500.

    Raises:
        ConfigurationError: lakeFS cannot be asked for another reason.
    """
    branch = f"ops-doctor-{context.new_id()[:12]}"
    try:
        context.lake.create_branch(branch, MAIN)
        context.lake.delete_branch(branch)
    except ConfigurationError as error:
        if error.code != "broken-gate":
            raise
        text = "replace main's malformed hook files, through a branch of an older commit"
        return failed(name, error, (Repair(kind=RepairKind.HOOKS, subject=MAIN, text=text),))
    return healthy(name, "lakeFS reads them, and takes branches from these credentials")


def _clean(name: str, context: Context) -> Diagnosis:
    """Nothing is staged on it, so that it can be merged into."""
    staged = list(islice(context.lake.uncommitted(MAIN), _MOST_STAGED))
    if not staged:
        return healthy(name, "nothing is staged on it")
    error = ConfigurationError(
        "dirty-main",
        f"{_at_least(len(staged))} objects are staged on main, so nothing can be merged",
        subject=staged[0].path,
        unchanged="main's commits are as they were",
        hint=_FIX,
    )
    text = f"keep what is staged on main on branch {rescue_branch(_head(context))}, and clear it"
    return failed(name, error, (Repair(kind=RepairKind.MAIN, subject=MAIN, text=text),))


_MOST_STAGED = 1_000


def _at_least(count: int) -> str:
    return str(count) if count < _MOST_STAGED else f"{count} or more"


def rescue_branch(commit: CommitId) -> str:
    """Where something is kept that a repair takes from where it was."""
    return f"rescue-{commit[:12]}"


def _gate(name: str, context: Context) -> Diagnosis:
    """Its files on main are as ops wrote them."""
    state = gate_state(context, _head(context))
    text = f"put main's {GATES_PREFIX} and hooks back as ops wrote them"
    repairs = (Repair(kind=RepairKind.GATE, subject=MAIN, text=text),)
    if state.problems:
        error = ConfigurationError(
            "gate-gone",
            f"main's gate is not as ops wrote it: {state.problems[0]}",
            subject=MAIN,
            where=tuple(("file", problem) for problem in state.problems),
            unchanged="nothing was changed",
            hint=_FIX,
        )
        return failed(name, error, repairs)
    if state.outdated:
        said = f"of another version of ops: {', '.join(state.outdated)}"
        return suspect(name, said, remedy=_FIX, repairs=repairs)
    return healthy(name, "as ops wrote it")


def _protection(name: str, context: Context) -> Diagnosis:
    """Nobody writes to main directly."""
    if context.lake.is_protected(MAIN):
        return healthy(name, "main changes by merges alone")
    error = ConfigurationError(
        "main-unprotected",
        "main is not protected: anybody writes to it directly",
        subject=MAIN,
        unchanged="nothing was changed",
        hint=_FIX,
    )
    text = "protect main, and wait until that bites"
    return failed(name, error, (Repair(kind=RepairKind.PROTECTION, subject=MAIN, text=text),))


def _ontology(name: str, context: Context) -> Diagnosis:
    """Main says what may be labeled."""
    _, ontology = read_ontology(context.lake, _head(context))
    count = len({label.value for control in ontology.controls for label in control.labels})
    return healthy(name, f"{count} labels in {LABEL_CONFIG_PATH}")


def _history(name: str, context: Context) -> Diagnosis:
    """Every commit on main came by ops."""
    found = unaccounted_commits(context, None, _head(context))
    if not found:
        return healthy(name, "every commit on main came by ops")
    said = f"{len(found)} commits came onto main around ops, the newest is {found[0].id[:12]}"
    return suspect(name, said, remedy="ops dataset verify")


def _tags(name: str, context: Context) -> Diagnosis:
    """Each version's tag names its commit."""
    tags = dict(context.lake.tags())
    versions = [c for c in context.lake.log(MAIN, first_parent=True) if is_version(c)]
    wrong = [found for one in versions if (found := tag_finding(one, tags)) is not None]
    if not wrong:
        return healthy(name, f"{len(versions)} versions, each with its tag")
    error = ConfigurationError(
        "tags-wrong",
        f"{len(wrong)} tags are not where their versions are: {wrong[0].message}",
        subject=wrong[0].subject,
        unchanged="nothing was changed",
        hint=_FIX,
    )
    return failed(
        name,
        error,
        tuple(
            Repair(
                kind=RepairKind.TAG,
                subject=found.subject,
                text=f"let tag {found.subject} name commit {(found.commit or '')[:12]}",
            )
            for found in wrong
        ),
    )


def _sources(name: str, context: Context) -> Diagnosis:
    """Those that lie in a bucket are what was imported."""
    report = look_at_sources(context, _head(context), most_probed=_MOST_PROBED)
    if report.stale:
        error = InvalidDataError(
            "sources-stale",
            f"{len(report.stale)} pictures are not what was imported: {report.stale[0].message}",
            subject=report.stale[0].picture.path,
            unchanged="nothing was changed",
            hint=f"{report.stale[0].remedy}\nops dataset verify",
        )
        return failed(name, error)
    if report.unasked:
        bucket, reason = next(iter(report.unasked.items()))
        said = f"lakeFS reads those in bucket {bucket}; whether they changed is not known: {reason}"
        return suspect(name, said, remedy=f"ops bucket info gs://{bucket}")
    return healthy(name, f"{report.count} pictures lie in a bucket, as they were imported")


_MOST_PROBED = 100


def _branches(name: str, context: Context) -> Diagnosis:
    """None is left over from a command that was interrupted."""
    lake = context.lake
    found = [branch for start in LEFTOVERS for branch, _ in lake.branches(start)]
    if not found:
        return healthy(name, "none is left over")
    done = [branch for branch in found if is_merged(lake, branch)]
    repairs = tuple(
        Repair(kind=RepairKind.BRANCH, subject=branch, text=f"delete branch {branch}: main has it")
        for branch in done
    )
    rest = [branch for branch in found if branch not in done]
    remedy = _FIX if done else ""
    if rest:
        said = f"{rest[0]} holds something main has not: run the command again that made it, or "
        remedy = f"{remedy}\n{said}delete it in the lakeFS UI".strip()
    return suspect(name, f"left over: {', '.join(found)}", remedy=remedy, repairs=repairs)


def is_merged(lake: Lake, branch: str) -> bool:
    """Say whether main has all a branch holds, and nothing is staged there. Three requests."""
    head = lake.find_commit(branch)
    if head is None or next(lake.uncommitted(branch), None) is not None:
        return False
    return lake.merge_base(head, MAIN) == head


def _studio(name: str, context: Context) -> Diagnosis:
    """It answers, and is of a version ops was tried on."""
    studio: Studio = context.studio
    return _version(name, studio.server_version(), TESTED_LABEL_STUDIO, studio.url)


def _account(name: str, context: Context) -> Diagnosis:
    """The token is accepted."""
    return healthy(name, f"the token is accepted; {len(context.studio.members())} members")


def _rounds(name: str, context: Context) -> Diagnosis:
    """Each open one has its project."""
    rounds = list(_open_rounds(context.lake))
    starting = [one.name for one in rounds if one.state is RoundState.STARTING]
    gone = [
        one.name
        for one in rounds
        if one.state is RoundState.OPEN and not context.studio.find_projects(one.marker)
    ]
    wrong = [*gone, *starting]
    if not wrong:
        return healthy(name, f"{len(rounds)} open, each with its project")
    parts = [
        f"without its project: {', '.join(gone)}" if gone else "",
        f"not started to the end: {', '.join(starting)}" if starting else "",
    ]
    remedy = "\n".join(f"go on with it: ops round start {one}" for one in wrong)
    return suspect(name, "; ".join(part for part in parts if part), remedy=remedy)


def _open_rounds(lake: Lake) -> Iterator[Manifest]:
    for branch, _ in lake.branches(round_branch("")):
        name = branch_round(branch)
        manifest = branch_manifest(lake, name) if name is not None else None
        if manifest and manifest.state in {RoundState.OPEN, RoundState.STARTING}:
            yield manifest


def _pictures(name: str, context: Context) -> Diagnosis:
    """Label Studio shows those of an open round.

    Raises:
        ConfigurationError: it does not.
    """
    lake, studio = context.lake, context.studio
    for manifest in _open_rounds(lake):
        projects = studio.find_projects(manifest.marker)
        row = next(studio.task_rows(projects[0].id), None) if projects else None
        if row is None or row.key is None:
            continue
        uri = f"s3://{lake.repository}/{manifest.base}/{media_path(row.key)}"
        if studio.shows_media(row.id, uri):
            return healthy(name, f"those of round {manifest.name} are shown")
        raise ConfigurationError(
            "picture-not-shown",
            f"Label Studio cannot show {uri}",
            subject=row.key,
            unchanged="nothing was changed",
            hint="Label Studio must run with LABEL_STUDIO_S3_ENDPOINT set to lakeFS's address "
            f"({lake.url})",
        )
    return skipped(name, "no open round has any")


_LAKE_VITAL = ("lakefs", "repository")
_LAKE_LOOKS: Mapping[str, Look] = {
    "lakefs": _server,
    "repository": _repository,
    "hooks": _hooks,
    "main": _clean,
    "protection": _protection,
    "gate": _gate,
    "ontology": _ontology,
    "history": _history,
    "tags": _tags,
    "sources": _sources,
    "branches": _branches,
}
_STUDIO_LOOKS: Mapping[str, Look] = {"label-studio": _studio, "account": _account}
_ROUND_LOOKS: Mapping[str, Look] = {"rounds": _rounds, "pictures": _pictures}
