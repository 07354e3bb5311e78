"""`dataset log`, `show`, `uri` and `revert`: versions of the dataset.

A version is a commit on main; its tag is a name for it. Owns how versions are found and how an
older one comes back, as a new one. Reads no labels beyond the card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.core.card import decode_history
from ops.core.documents import parse
from ops.core.lines import stored
from ops.core.names import (
    CARD_JSON_PATH,
    MAIN,
    RECORD_PREFIX,
    record_key,
    record_path,
    tag_version,
    version_tag,
)
from ops.core.records import CommitId, Json, TaskKey
from ops.errors import NotFoundError, RefusedError
from ops.ports import ChangeKind, Commit, Upload
from ops.runner.context import Context, main_head
from ops.runner.publish import publish
from ops.runner.snapshot import Cause, Packed, pack_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its number, commit, and whether the tag names that commit."""

    number: int
    commit: Commit
    has_tag: bool

    @property
    def facts(self) -> Mapping[str, str]:
        """The merge commit's metadata, without the prefix `ops.`."""
        pairs = self.commit.metadata.items()
        return {name.removeprefix("ops."): v for name, v in pairs if name.startswith("ops.")}


def list_versions(context: Context) -> Iterator[Version]:
    """The versions along main, newest first, lazily. One request a 1 000 commits and tags."""
    main_head(context.lake)
    tags = dict(context.lake.tags())
    for commit in context.lake.log(MAIN, first_parent=True):
        number = tag_version("v" + commit.metadata.get("ops.version", ""))
        if number is not None:
            has_tag = tags.get(version_tag(number)) == commit.id
            yield Version(number=number, commit=commit, has_tag=has_tag)


def resolve(context: Context, ref: str) -> CommitId:
    """The commit a ref names. One request.

    Raises:
        NotFoundError: there is no such branch, tag or commit.
    """
    commit = context.lake.find_commit(ref)
    if commit is None:
        raise NotFoundError(
            "no-such-ref",
            f"there is no branch, tag or commit {ref}",
            subject=ref,
            unchanged="nothing was changed",
            hint="list versions with: ops dataset log",
        )
    return commit


def read_card(context: Context, ref: str) -> Json:
    """The card of a ref, as `card.json` holds it. Two requests.

    Raises:
        NotFoundError: there is no such ref, or it is no version and holds no card.
    """
    commit = resolve(context, ref)
    data = context.lake.read(commit, CARD_JSON_PATH)
    if data is None:
        raise NotFoundError(
            "no-card",
            f"{ref} holds no version yet",
            subject=ref,
            unchanged="nothing was changed",
            hint="a version is made by: ops round finish NAME",
        )
    return parse(data, stored(CARD_JSON_PATH, "card-invalid"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """What a revert did, or would do. `changed_count` records differ; none: already there."""

    version: int | None
    commit: CommitId | None
    changed_count: int
    packed: Packed | None = None


def revert_to(context: Context, ref: str, *, dry_run: bool = False) -> Reverted:
    """Make a new version whose records are those of an older one; history stays whole.

    One read and one write a record that differs, and about 20 requests. Repeatable: with no record
    different there is nothing to do.

    Raises:
        NotFoundError: there is no such ref.
        RefusedError: it is no ancestor of main, such as a round's branch.
    """
    lake = context.lake
    main, wanted = main_head(lake), resolve(context, ref)
    if lake.merge_base(wanted, main) != wanted:
        raise RefusedError(
            "not-on-main",
            f"{ref} is not in main's history",
            subject=ref,
            unchanged="nothing was changed",
            hint="list versions with: ops dataset log",
        )
    changed = {
        record_key(change.path): change.kind for change in lake.diff(main, wanted, RECORD_PREFIX)
    }
    if not changed:
        return Reverted(version=None, commit=None, changed_count=0)
    history = decode_history(lake.read(main, CARD_JSON_PATH))
    version = 1 + max((line.version for line in history), default=0)
    packed = pack_version(
        context,
        Cause(
            version=version,
            reason=f"revert to {ref}",
            made_at=context.timestamp(),
            history=history,
        ),
        main=main,
        changes_at=wanted,
        changed=changed,
    )
    if dry_run:
        return Reverted(version=version, commit=None, changed_count=len(changed), packed=packed)
    commit = _merge_revert(context, packed, main=main, wanted=wanted, changed=changed)
    return Reverted(version=version, commit=commit, changed_count=len(changed), packed=packed)


def _merge_revert(
    context: Context,
    packed: Packed,
    *,
    main: CommitId,
    wanted: CommitId,
    changed: Mapping[TaskKey, ChangeKind],
) -> CommitId | None:
    lake, version = context.lake, packed.card.version
    branch = f"revert-{version_tag(version)}-{main[:12]}"
    lake.create_branch(branch, main)
    written = [record_path(key) for key, kind in changed.items() if kind is not ChangeKind.REMOVED]
    removed = [record_path(key) for key, kind in changed.items() if kind is ChangeKind.REMOVED]
    with context.reporter.phase("restoring records", len(changed)) as phase:
        records = (
            Upload(path=path, data=data) for path, data in lake.read_many(wanted, sorted(written))
        )
        lake.write_many(branch, records, done=lambda _: phase.advance())
        lake.delete_many(branch, removed)
    lake.write_many(branch, packed.uploads)
    metadata = context.metadata(
        "revert",
        version=version,
        reverted_to=wanted,
        snapshot_digest=packed.card.digest,
        **packed.card.counts.as_mapping(),
    )
    message = f"Revert to {wanted[:12]}, {version_tag(version)}"
    head = lake.commit(branch, message, metadata) or lake.find_commit(branch)
    commit = publish(context, str(head), onto=main, message=message, metadata=metadata)
    if commit is not None:
        lake.create_tag(version_tag(version), commit)
    lake.delete_branch(branch)
    return commit
