"""Packs a version: every record that main will hold, as snapshot and card.

Owns where each record's bytes come from: the packed snapshot of main where main's listing still
shows that checksum, else the object itself. So a version costs reads for what changed, not for
everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from ops.core.card import Card, VersionLine, encode_card, render_card
from ops.core.classes import encode_classes
from ops.core.names import (
    ANNOTATIONS_PARQUET,
    CARD_JSON_PATH,
    CARD_PATH,
    CLASSES_PATH,
    MEDIA_PREFIX,
    RECORD_PREFIX,
    TASKS_PARQUET,
    record_key,
    record_path,
)
from ops.core.ontology import Ontology
from ops.core.records import CommitId, TaskKey
from ops.core.snapshot import Figures, listing_digest, record_checksum
from ops.ports import ChangeKind, Phase, Upload
from ops.runner.classes import read_classes
from ops.runner.context import Context, read_ontology

GENERATED = frozenset({ANNOTATIONS_PARQUET, TASKS_PARQUET, CLASSES_PATH, CARD_PATH, CARD_JSON_PATH})
"""What every version rewrites: two finishes at once collide here instead of mixing."""


_NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A version's generated objects.

    Attributes:
        uploads: snapshot, class ids and card.
        checksums: every record the version holds, by path, as lakeFS must list them.
        changed: keys of the records that are not as main has them.
    """

    card: Card
    uploads: Sequence[Upload]
    checksums: Mapping[str, str]
    changed: tuple[TaskKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What makes a version.

    Attributes:
        version: its number.
        reason: the round's name, or what else made it.
        made_at: when, UTC, canonical form.
        history: the versions before it.
        remark: what else the card's line says, such as conflicts and how they were settled.
    """

    version: int
    reason: str
    made_at: str
    history: Sequence[VersionLine]
    remark: str = ""


def pack_version(
    context: Context,
    cause: Cause,
    *,
    main: CommitId,
    changes_at: CommitId,
    changed: Mapping[TaskKey, ChangeKind],
    pending: Mapping[str, bytes] = _NOTHING,
    ontology: Ontology | None = None,
) -> Packed:
    """Pack main's records with the changed ones in their place.

    Cost: two listings, three reads, and one read a record the last snapshot does not hold; after a
    version without class ids, what read_classes says. Memory: one version's records, 2 KB each.

    Args:
        context: the servers.
        cause: what makes the version.
        main: the commit the version follows.
        changes_at: where the changed records are read.
        changed: what differs from main, by key.
        pending: changed records that are not written yet, by path.
        ontology: what the version's label config means; None where it is main's.
    """
    pack = _Pack(context, main=main, changes_at=changes_at, changed=changed)
    pack.overlay(pending)
    tasks, annotations = BytesIO(), BytesIO()
    figures = pack.write(tasks, annotations)
    if ontology is None:
        _, ontology = read_ontology(context.lake, main)
    line = VersionLine(
        version=cause.version,
        cause=cause.reason,
        actor=context.actor,
        made_at=cause.made_at,
        counts=figures.counts,
        remark=cause.remark,
    )
    card = Card(
        version=cause.version,
        repository=context.lake.repository,
        image_count=sum(1 for _ in context.lake.list_objects(main, MEDIA_PREFIX)),
        counts=figures.counts,
        annotation_count=figures.annotation_count,
        region_count=figures.region_count,
        labels=figures.labels,
        annotators=figures.annotators,
        ontology_digest=ontology.digest,
        digest=figures.digest,
        listing_digest=listing_digest(pack.checksums),
        history=(*cause.history, line),
    )
    classes = read_classes(context, main).extended(ontology, figures.said)
    parquet = "application/vnd.apache.parquet"
    return Packed(
        card=card,
        uploads=(
            Upload(path=TASKS_PARQUET, data=tasks.getvalue(), content_type=parquet),
            Upload(path=ANNOTATIONS_PARQUET, data=annotations.getvalue(), content_type=parquet),
            Upload(path=CLASSES_PATH, data=encode_classes(classes)),
            Upload(path=CARD_JSON_PATH, data=encode_card(card)),
            Upload(path=CARD_PATH, data=render_card(card).encode(), content_type="text/markdown"),
        ),
        checksums=pack.checksums,
        changed=pack.changed,
    )


class _Pack:
    """One packing."""

    def __init__(
        self,
        context: Context,
        *,
        main: CommitId,
        changes_at: CommitId,
        changed: Mapping[TaskKey, ChangeKind],
    ) -> None:
        lake = context.lake
        self._context = context
        self._main = main
        self._changes_at = changes_at
        self._pending: Mapping[str, bytes] = _NOTHING
        self._written = {
            record_path(key) for key, kind in changed.items() if kind is not ChangeKind.REMOVED
        }
        self._before = {f.path: f.checksum for f in lake.list_objects(main, RECORD_PREFIX)}
        self.checksums = dict(self._before)
        for key, kind in changed.items():
            if kind is ChangeKind.REMOVED:
                self.checksums.pop(record_path(key), None)
        if self._written:
            for found in lake.list_objects(changes_at, RECORD_PREFIX):
                if found.path in self._written:
                    self.checksums[found.path] = found.checksum

    def overlay(self, pending: Mapping[str, bytes]) -> None:
        """Take these records' bytes from memory."""
        self._pending = pending
        self.checksums.update({path: record_checksum(data) for path, data in pending.items()})

    @property
    def changed(self) -> tuple[TaskKey, ...]:
        """Keys of the records that are not as main has them."""
        paths = {path for path, _ in self._before.items() ^ self.checksums.items()}
        return tuple(sorted(record_key(path) for path in paths))

    def write(self, tasks: BytesIO, annotations: BytesIO) -> Figures:
        """Write both files and give what was counted."""
        from ops.parquet import write_snapshot

        with self._context.reporter.phase("packing the snapshot", len(self.checksums)) as phase:
            return write_snapshot(self._records(phase), tasks=tasks, annotations=annotations)

    def _records(self, phase: Phase) -> Iterator[tuple[str, bytes]]:
        packed = self._packed()
        ordered = sorted(self.checksums, key=record_key)
        at_hand = {**packed, **self._pending}
        away = [path for path in ordered if path not in at_hand]
        changed = self._read(self._changes_at, [p for p in away if p in self._written])
        others = self._read(self._main, [p for p in away if p not in self._written])
        for path in ordered:
            if path in at_hand:
                yield path, at_hand[path]
            else:
                yield path, next(changed if path in self._written else others)
            phase.advance()

    def _read(self, ref: CommitId, paths: Sequence[str]) -> Iterator[bytes]:
        return (data for _, data in self._context.lake.read_many(ref, paths))

    def _packed(self) -> Mapping[str, bytes]:
        """Records in main's snapshot that main still lists with that checksum."""
        from ops.parquet import read_tasks

        data = self._context.lake.read(self._main, TASKS_PARQUET)
        if data is None:
            return {}
        stored = ((record_path(found.key), found) for found in read_tasks(data))
        return {
            path: found.data
            for path, found in stored
            if path not in self._written and self.checksums.get(path) == found.checksum
        }
