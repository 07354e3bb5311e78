"""What lies at one commit, for an audit: records, and what snapshot, card and commit say of them.

Owns where a record's bytes come from. Which bytes prove what: lakeFS lists the md5 of an object's
bytes as its checksum. Bytes at hand whose md5, computed here, is the listed one are therefore taken
for the object's own; the packed snapshot is a store of such bytes, and what it claims about them is
derived anew. Only records without such a twin are read one by one. Whoever can write to lakeFS
around its upload routes could state a checksum that is not the bytes': `deep` reads every record.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO

from ops.core.audit import Finding
from ops.core.audit_state import RecordAudit, figure_findings, file_finding, ontology_gone
from ops.core.classes import decode_classes, missing_classes
from ops.core.names import (
    ANNOTATIONS_PARQUET,
    CARD_JSON_PATH,
    CLASSES_PATH,
    MEDIA_PREFIX,
    RECORD_PREFIX,
    TASKS_PARQUET,
    record_key,
    record_path,
)
from ops.core.ontology import Ontology
from ops.core.records import CommitId, Json, Record, TaskKey
from ops.core.snapshot import Figures, listing_digest, record_checksum
from ops.errors import InvalidDataError, NotFoundError
from ops.ports import Commit, Lake
from ops.runner.context import Context, read_ontology


class StateAudit:
    """What lies at one commit.

    Attributes:
        checksums: of every record, by path, as listed.
    """

    def __init__(self, context: Context, commit: CommitId, *, deep: bool) -> None:
        """List the records; `deep` is not content with bytes at hand."""
        self._context, self._commit, self._deep = context, commit, deep
        self._lake: Lake = context.lake
        listed = self._lake.list_objects(commit, RECORD_PREFIX)
        self.checksums: Mapping[str, str] = {found.path: found.checksum for found in listed}

    @cached_property
    def _images(self) -> Mapping[str, str]:
        listed = self._lake.list_objects(self._commit, MEDIA_PREFIX)
        return {found.path: found.checksum for found in listed}

    @cached_property
    def _tasks(self) -> bytes | None:
        return self._lake.read(self._commit, TASKS_PARQUET)

    @cached_property
    def _ontology(self) -> Ontology | None:
        try:
            return read_ontology(self._lake, self._commit)[1]
        except (NotFoundError, InvalidDataError):
            return None

    def findings(
        self, version: Commit | None, *, is_newest: bool
    ) -> tuple[Sequence[Finding], Sequence[Finding]]:
        """What is wrong with the records, and with what is claimed of them; each read once.

        Args:
            version: the newest version there.
            is_newest: pictures that changed since they were labeled are worth a word.
        """
        from ops.parquet import write_records

        found: list[Finding] = []
        tasks, annotations = BytesIO(), BytesIO()
        records = self._look(found, tells_stale=is_newest)
        figures = write_records(records, tasks=tasks, annotations=annotations)
        packed = {TASKS_PARQUET: tasks.getvalue(), ANNOTATIONS_PARQUET: annotations.getvalue()}
        return found, [*self._claims(figures, version, packed)]

    def _look(self, found: list[Finding], *, tells_stale: bool) -> Iterator[tuple[Record, bytes]]:
        """The records in order, with their bytes; what is wrong is put to the findings."""
        if self._ontology is None and self.checksums:
            found.append(ontology_gone(self._commit))
        audit = RecordAudit(
            commit=self._commit,
            ontology=self._ontology,
            images=self._images,
            tells_stale=tells_stale,
        )
        title = f"reading the records of {self._commit[:12]}"
        with self._context.reporter.phase(title, len(self.checksums)) as phase:
            for path, data in self._records():
                record, wrong = audit.look(path, data)
                found += wrong
                if record is not None and data is not None:
                    yield record, data
                phase.advance()

    def _records(self) -> Iterator[tuple[str, bytes | None]]:
        """Every record's bytes, in the order of their keys; None where they are gone."""
        at_hand = self._at_hand()
        paths = sorted(self.checksums, key=record_key)
        away = self._read([path for path in paths if path not in at_hand])
        for path in paths:
            yield path, at_hand[path] if path in at_hand else next(away)

    def _read(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """Objects' bytes; None for one that is listed and whose bytes the store has lost."""
        done = 0
        while done < len(paths):
            try:
                for _, data in self._lake.read_many(self._commit, paths[done:]):
                    done += 1
                    yield data
            except NotFoundError:
                done += 1
                yield None

    def _at_hand(self) -> Mapping[str, bytes]:
        """Packed bytes whose md5, computed here, is the listed one."""
        from ops.parquet import read_tasks

        if self._tasks is None or self._deep:
            return {}
        try:
            packed = {record_path(found.key): found.data for found in read_tasks(self._tasks)}
        except InvalidDataError:
            return {}
        listed = self.checksums.get
        return {
            path: data for path, data in packed.items() if listed(path) == record_checksum(data)
        }

    def _claims(
        self, figures: Figures, version: Commit | None, packed: Mapping[str, bytes]
    ) -> Iterator[Finding]:
        """Where snapshot, card and commit say something else than the records."""
        card = self._lake.read(self._commit, CARD_JSON_PATH)
        yield from figure_findings(figures, version, card, self._further(version))
        if version is not None:
            stored = self._lake.read(self._commit, ANNOTATIONS_PARQUET)
            yield from self._file(TASKS_PARQUET, self._tasks, packed)
            yield from self._file(ANNOTATIONS_PARQUET, stored, packed)
            yield from self._unnumbered(version)

    def _unnumbered(self, version: Commit) -> Iterator[Finding]:
        """The labels of a version that have no class id, where it gives ids. One request."""
        if version.id != self._commit or self._ontology is None:
            # Labels that were added since get theirs with the next version.
            return
        data = self._lake.read(version.id, CLASSES_PATH)
        if data is None:
            return
        try:
            yield from missing_classes(decode_classes(data), self._ontology, version.id)
        except InvalidDataError:
            # Said of the file itself, along the versions.
            return

    def _further(self, version: Commit | None) -> Mapping[str, Json]:
        """More of the card; pictures and ontology may have changed since the version."""
        found: dict[str, Json] = {"listing_digest": listing_digest(self.checksums)}
        if version is not None and version.id == self._commit:
            found["images"] = len(self._images)
            found["ontology_digest"] = self._ontology.digest if self._ontology else None
        return found

    def _file(
        self, path: str, stored: bytes | None, packed: Mapping[str, bytes]
    ) -> Iterator[Finding]:
        from ops.parquet import differing_keys

        keys: Sequence[TaskKey] = []
        try:
            if stored is not None and not (keys := differing_keys(stored, packed[path])):
                return
        except InvalidDataError:
            pass
        yield file_finding(path, keys, self._commit)
