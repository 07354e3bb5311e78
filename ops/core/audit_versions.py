"""What an audit looks for in versions: their numbers, their tags, and what the card tells of them.

Owns the findings about names of commits. What a version holds is audit_state.py's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ops.core.audit import (
    EXPECTED_HEAD,
    Check,
    CommitFacts,
    Finding,
    came_around,
    version_number,
)
from ops.core.card import VersionLine, decode_history
from ops.core.names import CARD_JSON_PATH, MAIN, tag_version, version_tag
from ops.core.records import CommitId
from ops.errors import InvalidDataError


def version_findings(
    line: Sequence[CommitFacts], tags: Mapping[str, CommitId], *, audited: frozenset[CommitId]
) -> Iterable[Finding]:
    """What is wrong with the numbers and tags of versions.

    Numbers must be gapless and unique along main, each version's tag must name its commit, and each
    version must say which head of main it was made for.

    Args:
        line: all of main's first-parent line, oldest first.
        tags: every tag.
        audited: the commits that are looked at; what is wrong with others is passed over.
    """
    wanted = 1
    known: set[int] = set()
    for commit in line:
        number = version_number(commit)
        if number is None or came_around(commit):
            continue
        known.add(number)
        if commit.id in audited:
            yield from _number_findings(commit, number, wanted)
            if (wrong := tag_finding(commit, tags)) is not None:
                yield wrong
        wanted = number + 1
    newest = line[-1].id if line else None
    for tag, tagged in tags.items():
        if newest in audited and (number := tag_version(tag)) is not None and number not in known:
            yield _version_finding(
                "tag-without-version",
                f"tag {tag} names commit {tagged[:12]}, but main has no version {number}",
                subject=tag,
                commit=tagged,
                remedy=f"see what it holds: ops dataset show {tag}",
            )


def _number_findings(commit: CommitFacts, number: int, wanted: int) -> Iterable[Finding]:
    if number != wanted:
        yield _version_finding(
            "version-number",
            f"version {number} follows where version {wanted} belongs",
            subject=version_tag(number),
            commit=commit.id,
            remedy="read that version by its commit id; numbers that are given stay",
        )
    if EXPECTED_HEAD not in commit.metadata:
        yield _version_finding(
            "head-not-stated",
            f"version {number} does not say which head of {MAIN} it was made for",
            subject=version_tag(number),
            commit=commit.id,
            remedy=f"see what it changed: ops dataset diff {commit.id[:12]}~1 {commit.id[:12]}",
        )


def tag_finding(commit: CommitFacts, tags: Mapping[str, CommitId]) -> Finding | None:
    """What is wrong with the tag of a version's commit, or None."""
    tag = version_tag(version_number(commit) or 0)
    if (tagged := tags.get(tag)) == commit.id:
        return None
    return _version_finding(
        "tag-moved" if tagged else "tag-missing",
        f"tag {tag} names commit {tagged[:12]}, not {commit.id[:12]}"
        if tagged
        else f"there is no tag {tag} for commit {commit.id[:12]}",
        subject=tag,
        commit=commit.id,
        remedy="ops doctor --fix",
    )


def _version_finding(
    code: str, message: str, *, subject: str, commit: CommitId, remedy: str
) -> Finding:
    return Finding(
        check=Check.VERSIONS,
        code=code,
        message=message,
        subject=subject,
        commit=commit,
        remedy=remedy,
    )


def card_history_findings(
    card: bytes | None, versions: Sequence[CommitFacts], *, at: CommitId
) -> Iterator[Finding]:
    """Where the card's list of versions says something else than the commits.

    Args:
        card: `card.json`.
        versions: the commits of ops that made versions, up to where the card lies; oldest first.
        at: the commit where it lies.
    """
    try:
        lines = {line.version: line for line in decode_history(card)}
    except InvalidDataError as error:
        yield _card_finding("card-invalid", error.message, at)
        return
    numbers = {version_number(commit): commit for commit in versions}
    for number in sorted(lines.keys() - numbers.keys()):
        yield _card_finding("card-history", f"the card tells of v{number}, which main has not", at)
    for number, commit in numbers.items():
        line = lines.get(number or 0)
        if line is None:
            said = f"the card does not tell of {version_tag(number or 0)}"
            yield _card_finding("card-history", said, commit.id)
        elif problem := _line_problem(line, commit):
            said = f"the card says of {version_tag(number or 0)} {problem}"
            yield _card_finding("card-history", said, commit.id)


def _line_problem(line: VersionLine, commit: CommitFacts) -> str | None:
    stated: dict[str, str | int] = {"actor": line.actor, **line.counts.as_mapping()}
    for name, value in stated.items():
        if (other := commit.metadata.get(f"ops.{name}")) != str(value):
            return f"{name} {value}, its commit {other}"
    return None


def _card_finding(code: str, message: str, commit: CommitId) -> Finding:
    remedy = "see which commit changed it: ops dataset log"
    return _version_finding(code, message, subject=CARD_JSON_PATH, commit=commit, remedy=remedy)
