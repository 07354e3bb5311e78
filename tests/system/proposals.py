"""Versions proposed to a real lakeFS around ops: right ones, and ones that lie somewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import httpx

from ops.core.canonical import encode_record
from ops.core.card import Card, decode_history, encode_card
from ops.core.names import CARD_JSON_PATH, MAIN, record_path
from ops.core.records import Annotation, CommitId, Media, Record, Task, TaskKey
from ops.local import Connection
from ops.ports import ChangeKind, Upload
from ops.runner.context import Context, main_head
from ops.runner.publish import EXPECTED_HEAD
from ops.runner.snapshot import Cause, pack_version
from tests.runner.world import region


def record(key: str, *labels: str, skipped: bool = False) -> Record:
    """One person's answer: a region a label."""
    answer = Annotation(
        unique_id=f"answer to {key}",
        annotator="ann@example.org",
        round="cheese",
        created_at="2026-11-21T14:00:00.000000Z",
        updated_at="2026-11-21T14:00:00.000000Z",
        ontology_digest="0" * 64,
        skipped=skipped,
        result=tuple(region(label, number) for number, label in enumerate(labels)),
    )
    media = Media(path=f"images/{key}", checksum="0" * 32, size_bytes=1)
    return Record(task=Task(key=TaskKey(key), media=media), annotations=(answer,))


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A version on a branch, and what its merge would say."""

    head: CommitId
    branch: str
    metadata: Mapping[str, str]

    def saying(self, **changed: str | None) -> Mapping[str, str]:
        """What the merge would say, with some of it changed, or left out with None."""
        new = {**self.metadata, **{f"ops.{name}": value for name, value in changed.items()}}
        return {name: value for name, value in new.items() if value is not None}


def propose(
    context: Context,
    records: Sequence[Record],
    *,
    kind: str = "revert",
    lie: Callable[[Card], Card] = lambda card: card,
    files: Mapping[str, bytes] | None = None,
) -> Proposal:
    """Write records and the version they make onto a branch of main, and commit them.

    Args:
        context: the servers.
        records: what the version changes.
        kind: what the merge would say it is.
        lie: makes the card say something else.
        files: written after everything was packed.
    """
    lake = context.lake
    main, branch = main_head(lake), f"proposal-{uuid4().hex[:8]}"
    lake.create_branch(branch, main)
    lake.write_many(
        branch, [Upload(path=record_path(r.task.key), data=encode_record(r)) for r in records]
    )
    head = lake.commit(branch, "records", {}) or main
    history = decode_history(lake.read(main, CARD_JSON_PATH))
    version = 1 + max((line.version for line in history), default=0)
    cause = Cause(version=version, reason="test", made_at=context.timestamp(), history=history)
    changed = {record.task.key: ChangeKind.CHANGED for record in records}
    packed = pack_version(context, cause, main=main, changes_at=head, changed=changed)
    card = lie(packed.card)
    late = {CARD_JSON_PATH: encode_card(card), **(files or {})}
    uploads = [one for one in packed.uploads if one.path not in late]
    uploads += [Upload(path=path, data=data) for path, data in late.items()]
    lake.write_many(branch, uploads)
    metadata = context.metadata(
        kind,
        version=card.version,
        snapshot_digest=card.digest,
        expected_head=main,
        **card.counts.as_mapping(),
    )
    assert EXPECTED_HEAD in metadata
    committed = lake.commit(branch, "version", {})
    assert committed is not None
    return Proposal(head=committed, branch=branch, metadata=metadata)


def with_files(context: Context, files: Mapping[str, bytes | None]) -> Proposal:
    """Only these files, None to remove one, on a branch of main."""
    lake = context.lake
    main, branch = main_head(lake), f"proposal-{uuid4().hex[:8]}"
    lake.create_branch(branch, main)
    written = {path: data for path, data in files.items() if data is not None}
    lake.write_many(branch, [Upload(path=path, data=data) for path, data in written.items()])
    lake.delete_many(branch, sorted(files.keys() - written.keys()))
    head = lake.commit(branch, "files", {})
    assert head is not None
    return Proposal(head=head, branch=branch, metadata={})


class RawLake:
    """lakeFS's own API, as scripts and its UI use it."""

    def __init__(self, servers: Connection, repository: str) -> None:
        self._client = httpx.Client(
            base_url=f"{servers.lakefs_url}/api/v1/repositories/{repository}",
            auth=(servers.lakefs_access_key_id, servers.lakefs_secret_access_key),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def revert(self, ref: str) -> httpx.Response:
        """Revert a merge commit on main."""
        return self._client.post(f"/branches/{MAIN}/revert", json={"ref": ref, "parent_number": 1})

    def cherry_pick(self, ref: str) -> httpx.Response:
        """Put a commit of elsewhere onto main."""
        return self._client.post(f"/branches/{MAIN}/cherry-pick", json={"ref": ref})

    def said_by_the_hook(self, commit: str | None) -> str:
        """What the hook printed about a merge commit."""
        run = self._first(f"/actions/runs?commit={commit}", "run_id")
        hook = self._first(f"/actions/runs/{run}/hooks", "hook_run_id")
        return self._client.get(f"/actions/runs/{run}/hooks/{hook}/output").text

    def _first(self, path: str, field: str) -> str:
        return str(self._client.get(path).json()["results"][0][field])


def another_count(card: Card) -> Card:
    """One task less labeled, one more empty."""
    counts = card.counts
    return replace(card, counts=replace(counts, labeled=counts.labeled - 1, empty=counts.empty + 1))


def another_total(card: Card) -> Card:
    """A task that is not there."""
    return replace(card, counts=replace(card.counts, unfinished=1))


def another_digest(card: Card) -> Card:
    """The digest of something else."""
    return replace(card, digest="0" * 64)


def another_listing(card: Card) -> Card:
    """The digest of another listing."""
    return replace(card, listing_digest="0" * 64)


def an_old_number(card: Card) -> Card:
    """The number of a version that is there."""
    return replace(card, version=1)
