"""`dataset verify`: an audit that trusts nothing but bytes.

Owns what is read for it of main's history, its rounds and its gate, and in which order; what lies
at a commit is verify_state.py's, and what is a finding ops/core/audit*.py's. Changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.core.audit import (
    AREAS,
    Area,
    Check,
    Extent,
    Finding,
    around_ops,
    beyond_its_kind,
    came_around,
    forbidden_areas,
    is_version,
    version_number,
)
from ops.core.audit_state import round_commit, round_findings, round_problem
from ops.core.audit_versions import card_history_findings, version_findings
from ops.core.classes import class_findings
from ops.core.names import (
    CARD_JSON_PATH,
    CLASSES_PATH,
    MAIN,
    MANIFEST_PREFIX,
    RECORD_PREFIX,
    manifest_round,
    record_key,
    tasks_path,
)
from ops.core.records import CommitId, Json
from ops.core.task_list import decode_tasks
from ops.errors import InvalidDataError, RefusedError
from ops.ports import Commit, Lake
from ops.runner.context import Context, main_head, read_manifest
from ops.runner.dataset import resolve
from ops.runner.gates import gate_state
from ops.runner.imported import read_import
from ops.runner.sources import look_at_sources
from ops.runner.verify_state import StateAudit


def unaccounted_commits(
    context: Context, since_base: CommitId | None, main: CommitId
) -> Sequence[Commit]:
    """The commits that came onto main around ops after a base, newest first.

    One request a 1 000 commits. Of a commit that is a merge, main's side is followed: what was
    merged is judged by its merge.

    Args:
        context: the servers.
        since_base: a commit of main's own line; it and what is older are passed over. None for all.
        main: the head of main to walk back from.
    """
    found: list[Commit] = []
    for commit in context.lake.log(main, first_parent=True):
        if commit.id == since_base:
            break
        if came_around(commit):
            found.append(commit)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One check that was made: of how many things, and what it found."""

    check: Check
    looked_at: str
    findings: Sequence[Finding]

    @property
    def fault_count(self) -> int:
        """Findings that are faults."""
        return sum(not finding.is_info for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What an audit saw.

    Attributes:
        ref, commit: what was audited.
        since: the commit after which history was looked at; None for all of it.
        checks: in their order.
    """

    ref: str
    commit: CommitId
    since: CommitId | None
    checks: Sequence[Checked]

    @property
    def findings(self) -> Sequence[Finding]:
        """All findings, by check."""
        return [finding for checked in self.checks for finding in checked.findings]

    @property
    def fault_count(self) -> int:
        """Findings that are faults."""
        return sum(checked.fault_count for checked in self.checks)

    def as_json(self) -> dict[str, Json]:
        """The audit for programs."""
        return {
            "ref": self.ref,
            "commit": self.commit,
            "since": self.since,
            "checks": [
                {
                    "check": checked.check.value,
                    "looked_at": checked.looked_at,
                    "faults": checked.fault_count,
                    "findings": len(checked.findings),
                }
                for checked in self.checks
            ],
            "findings": [finding.as_json() for finding in self.findings],
        }

    def lines(self) -> list[tuple[str, str]]:
        """A line a check: its name, and what came of it."""
        return [(checked.check.value, _outcome(checked)) for checked in self.checks]


def _outcome(checked: Checked) -> str:
    count = len(checked.findings)
    said = f"{count} finding{'s' if count != 1 else ''}" if count else "passed"
    return f"{said} ({checked.looked_at})"


def verify_dataset(
    context: Context,
    ref: str = MAIN,
    *,
    since: str | None = None,
    every_version: bool = False,
    deep: bool = False,
) -> Verified:
    """Audit main as it is at a ref.

    Cost: up to seven requests a commit; one a version; two a round, and a listing of its
    version's records; of the
    state, two listings, four files, and one read a record that the snapshot does not hold; of
    pictures that lie in a bucket, what ops/runner/sources.py says. Memory:
    one version's records, 2 KB each, and its rows.

    Args:
        context: the servers.
        ref: a commit of main's own line.
        since: another; history, versions and rounds are looked at after it only.
        every_version: look at the snapshot and the records of each version, too.
        deep: read every record, though bytes of the listed checksum are at hand.

    Raises:
        NotFoundError: there is no such ref.
        RefusedError: a ref is no commit of main's own line.
    """
    audit = _Audit(context, ref, since, deep=deep)
    snapshot, records = audit.states(every_version=every_version)
    return Verified(
        ref=ref,
        commit=audit.commit,
        since=audit.since,
        checks=[
            *(audit.history(), audit.versions(), snapshot),
            *(audit.rounds(), records, audit.images(), audit.gates()),
        ],
    )


def refuse_faults(verified: Verified) -> None:
    """Say that data is not what it claims to be; findings that are no faults are let pass.

    Raises:
        InvalidDataError: something is not as it should be; everything that is, is in its details.
    """
    if not verified.fault_count:
        return
    faults = [finding for finding in verified.findings if not finding.is_info]
    named = [f"{fault.check.value}: {_named(fault)}" for fault in faults[:_MOST_NAMED]]
    rest = len(faults) - len(named)
    raise InvalidDataError(
        "audit-failed",
        f"the audit of {verified.ref} found {len(faults)} fault{'s' if len(faults) > 1 else ''}",
        subject=verified.commit,
        where=(
            *verified.lines(),
            ("faults", "\n".join([*named, *([f"… and {rest} more: --json"] if rest else [])])),
        ),
        unchanged="nothing was changed: an audit only reads",
        hint="\n".join(dict.fromkeys(fault.remedy for fault in faults[:_MOST_NAMED])),
        details=verified.as_json(),
    )


_MOST_NAMED = 10


def _named(fault: Finding) -> str:
    is_named = fault.commit is None or fault.commit[:12] in fault.message
    return fault.message if is_named else f"{(fault.commit or '')[:12]}: {fault.message}"


class _Audit:
    """One audit: the line of main, and what was read of it."""

    def __init__(self, context: Context, ref: str, since: str | None, *, deep: bool) -> None:
        self._context = context
        self._lake: Lake = context.lake
        self._deep = deep
        self._line = list(self._lake.log(main_head(self._lake), first_parent=True))[::-1]
        self._places = {commit.id: place for place, commit in enumerate(self._line)}
        self.commit = self._on_main(ref)
        self.since = None if since is None else self._on_main(since)
        first = 0 if self.since is None else self._places[self.since] + 1
        self._span = self._line[first : self._places[self.commit] + 1]
        self._tags = dict(self._lake.tags())

    def _on_main(self, ref: str) -> CommitId:
        """The commit of a ref.

        Raises:
            NotFoundError: there is no such ref.
            RefusedError: it is no commit of main's own line.
        """
        found = resolve(self._context, ref)
        if found in self._places:
            return found
        raise RefusedError(
            "not-on-mains-line",
            f"{ref} is no commit of {MAIN}'s own line",
            subject=ref,
            unchanged="nothing was changed: an audit only reads",
            hint="list versions with: ops dataset log",
        )

    def history(self) -> Checked:
        """Every commit came by ops, and did what its kind does. Up to seven requests a commit."""
        found: list[Finding] = []
        with self._context.reporter.phase("reading the history", len(self._span)) as phase:
            for commit in self._span:
                if came_around(commit):
                    before = self._newest_version(commit.parents[0])
                    number = None if before is None else version_number(before)
                    found.append(around_ops(commit, self._extent(commit), version_before=number))
                elif commit.parents:
                    found += beyond_its_kind(commit, self._touched(commit))
                phase.advance()
        return Checked(check=Check.HISTORY, looked_at=f"{len(self._span)} commits", findings=found)

    def _extent(self, commit: Commit) -> Extent:
        changes = self._lake.diff(commit.parents[0], commit.id)
        return Extent.of((change.path, change.kind.value) for change in changes)

    def _touched(self, commit: Commit) -> Iterator[Area]:
        """The forbidden areas a commit changed; one object of each is proof."""
        for area in forbidden_areas(commit):
            changes = (self._lake.diff(commit.parents[0], commit.id, one) for one in AREAS[area])
            if any(next(change, None) is not None for change in changes):
                yield area

    def _newest_version(self, at: CommitId) -> Commit | None:
        """The newest version at a commit of main, made by ops."""
        before = reversed(self._line[: self._places[at] + 1])
        return next((one for one in before if is_version(one)), None)

    def versions(self) -> Checked:
        """Numbers, tags, and the card's list of versions. One request."""
        audited = frozenset(commit.id for commit in self._span)
        found = list(version_findings(self._line, self._tags, audited=audited))
        upto = [one for one in self._line[: self._places[self.commit] + 1] if is_version(one)]
        card = self._lake.read(self.commit, CARD_JSON_PATH)
        found += card_history_findings(card, upto, at=self.commit)
        count = sum(is_version(commit) for commit in self._span)
        return Checked(check=Check.VERSIONS, looked_at=f"{count} versions", findings=found)

    def states(self, *, every_version: bool) -> tuple[Checked, Checked]:
        """Snapshot and records: at the ref, and at each version if asked for."""
        wanted = {commit.id for commit in self._span if is_version(commit) and every_version}
        audited = sorted({*wanted, self.commit}, key=self._places.__getitem__)
        packed: list[Finding] = []
        records: list[Finding] = []
        count = 0
        for commit in audited:
            state = StateAudit(self._context, commit, deep=self._deep)
            wrong, claims = state.findings(
                self._newest_version(commit), is_newest=commit == self.commit
            )
            records += wrong
            packed += claims
            count += len(state.checksums)
        packed += self._classes()
        places = f"{count} records" + (f" of {len(audited)} commits" if every_version else "")
        return (
            Checked(check=Check.SNAPSHOT, looked_at=places, findings=packed),
            Checked(check=Check.RECORDS, looked_at=places, findings=records),
        )

    def _classes(self) -> Iterator[Finding]:
        """Class ids, along all versions up to the ref. One request a version, and one a change."""
        upto = [one.id for one in self._line[: self._places[self.commit] + 1] if is_version(one)]
        checksums = self._lake.checksums_at(upto, CLASSES_PATH)
        history: list[tuple[CommitId, bytes | None]] = []
        before: str | None = None
        for version, checksum in zip(upto, checksums, strict=True):
            if checksum is None or checksum != before:
                data = None if checksum is None else self._lake.read(version, CLASSES_PATH)
                history.append((version, data))
            before = checksum
        audited = frozenset(commit.id for commit in self._span)
        yield from (found for found in class_findings(history) if found.commit in audited)

    def rounds(self) -> Checked:
        """Every round that reached main. Three requests a round, and a listing."""
        names = [
            name
            for found in self._lake.list_objects(self.commit, MANIFEST_PREFIX)
            if (name := manifest_round(found.path)) is not None
        ]
        found: list[Finding] = []
        with self._context.reporter.phase("looking at rounds", len(names)) as phase:
            for name in names:
                found += self._round(name)
                phase.advance()
        return Checked(check=Check.ROUNDS, looked_at=f"{len(names)} rounds", findings=found)

    def _round(self, name: str) -> Iterator[Finding]:
        try:
            manifest = read_manifest(self._lake, self.commit, name)
            assert manifest is not None, "it was listed"  # noqa: S101
            task_list = self._lake.read(self.commit, tasks_path(name))
            keys = {entry.task.key for entry in decode_tasks(task_list or b"", name)}
            read_import(self._lake, self.commit, manifest)
        except InvalidDataError as error:
            yield round_problem(name, error.message)
            return
        commit = round_commit(manifest, self._line)
        if commit is not None and commit not in self._span and self.since is not None:
            return
        recorded = {record_key(path) for path in _records_at(self._lake, commit)} & keys
        yield from round_findings(manifest, task_list=task_list, line=self._line, recorded=recorded)

    def images(self) -> Checked:
        """Pictures that lie in a bucket are what was imported; lakeFS keeps the others itself."""
        report = look_at_sources(self._context, self.commit)
        found = [
            Finding(
                check=Check.IMAGES,
                code=f"picture-{stale.fate.value}",
                message=stale.message,
                subject=stale.picture.path,
                commit=self.commit,
                remedy=stale.remedy,
            )
            for stale in report.stale
        ]
        found += [
            Finding(
                check=Check.IMAGES,
                code="bucket-not-asked",
                message=f"bucket {bucket} was not asked whether pictures changed: {reason}; lakeFS "
                "was asked whether they are there",
                subject=bucket,
                remedy=f"ops bucket info gs://{bucket}",
                is_info=True,
            )
            for bucket, reason in report.unasked.items()
        ]
        return Checked(check=Check.IMAGES, looked_at=f"{report.count} in a bucket", findings=found)

    def gates(self) -> Checked:
        """Main's gate files and its protection, as they are now. Six requests."""
        state = gate_state(self._context, self._line[-1].id)
        found = [_gate("gate-changed", problem, problem.split()[0]) for problem in state.problems]
        found += [
            _gate("gate-outdated", f"{path} is of another version of ops", path, is_info=True)
            for path in state.outdated
        ]
        if not self._lake.is_protected(MAIN):
            found.append(
                _gate("main-unprotected", "main is not protected: anybody writes to it", MAIN)
            )
        return Checked(check=Check.GATES, looked_at="main as it is now", findings=found)


def _records_at(lake: Lake, commit: object) -> Iterator[str]:
    if isinstance(commit, Commit):
        yield from (found.path for found in lake.list_objects(commit.id, RECORD_PREFIX))


def _gate(code: str, message: str, subject: str, *, is_info: bool = False) -> Finding:
    return Finding(
        check=Check.GATES,
        code=code,
        message=message,
        subject=subject,
        remedy="ops doctor --fix",
        is_info=is_info,
    )
