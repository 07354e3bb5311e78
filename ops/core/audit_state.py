"""What an audit looks for in what lies at one commit: records, snapshot, card, manifests.

Owns the findings about bytes: each claim (a card's counts, a commit's metadata, a manifest's task
list) is held against what the records say, never against another claim. Reads nothing itself
(ops/runner/verify.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.audit import Check, CommitFacts, Finding, came_around, version_number
from ops.core.canonical import decode_record, encode_record
from ops.core.documents import Fields, parse
from ops.core.lines import stored
from ops.core.names import (
    CARD_JSON_PATH,
    LABEL_CONFIG_PATH,
    manifest_path,
    record_key,
    record_path,
    tasks_path,
    version_tag,
)
from ops.core.ontology import Ontology
from ops.core.records import CommitId, Json, Record, TaskKey, TaskState
from ops.core.rounds import Manifest, RoundState
from ops.core.snapshot import Figures
from ops.core.task_list import tasks_digest
from ops.errors import InvalidDataError

_LOG = "see which commit changed it: ops dataset log"


@dataclass(kw_only=True)
class RecordAudit:
    """Looks at records one by one; memory grows by a line an annotation.

    Attributes:
        commit: where they lie.
        ontology: what may be said there; None where there is none.
        images: checksum by path of every image there.
        tells_stale: pictures that changed since they were labeled are worth a word.
    """

    commit: CommitId
    ontology: Ontology | None
    images: Mapping[str, str]
    tells_stale: bool = True
    _owners: dict[str, TaskKey] = field(default_factory=dict[str, TaskKey])

    def look(self, path: str, data: bytes | None) -> tuple[Record | None, list[Finding]]:
        """The record, None where the bytes are none or gone, and what is wrong with it."""
        key = record_key(path)
        if data is None:
            return None, [self._finding("bytes-gone", f"{path} is listed, its bytes are gone", key)]
        if path != record_path(key):
            return None, [self._finding("no-record", f"{path} is no record's path", path)]
        try:
            record = decode_record(data, key=key)
        except InvalidDataError as error:
            return None, [self._finding("record-invalid", error.message, key)]
        found = [*self._form(record, data), *self._identity(record), *self._media(record)]
        # Held back for such a label by a gate, a record counts for nothing until that is settled.
        if self.ontology is not None and not record.quarantined:
            found += [
                self._finding("unknown-label", f"says {one}, which the ontology lacks", key)
                for one in self.ontology.unknown_labels(record)
            ]
        return record, found

    def _form(self, record: Record, data: bytes) -> Iterator[Finding]:
        if encode_record(record) != data:
            yield self._finding(
                "not-canonical", "is not in the form ops writes records in", record.task.key
            )

    def _identity(self, record: Record) -> Iterator[Finding]:
        for annotation in record.annotations:
            owner = self._owners.setdefault(annotation.unique_id, record.task.key)
            if owner != record.task.key:
                said = f"annotation {annotation.unique_id} is in the record of {owner}, too"
                yield self._finding("annotation-twice", said, record.task.key)

    def _media(self, record: Record) -> Iterator[Finding]:
        media = record.task.media
        there = self.images.get(media.path)
        if there is None:
            yield self._finding(
                "image-gone", f"its picture {media.path} is not there", record.task.key
            )
        elif there != media.checksum and self.tells_stale:
            yield self._finding(
                "image-stale",
                f"its picture {media.path} is not the one it was labeled on",
                record.task.key,
                is_info=True,
            )

    def _finding(self, code: str, said: str, subject: str, *, is_info: bool = False) -> Finding:
        return Finding(
            check=Check.RECORDS,
            code=code,
            message=said if said.startswith(subject) else f"{subject}: {said}",
            subject=subject,
            commit=self.commit,
            remedy=f"see who changed it: ops dataset log {subject}",
            is_info=is_info,
        )


def ontology_gone(commit: CommitId) -> Finding:
    """The finding for a state whose label config is not there, or none: nobody knows its labels."""
    return Finding(
        check=Check.RECORDS,
        code="ontology-gone",
        message=f"there is no {LABEL_CONFIG_PATH} that can be read: labels are not looked at",
        subject=LABEL_CONFIG_PATH,
        commit=commit,
        remedy=_LOG,
    )


def figure_findings(
    figures: Figures, version: CommitFacts | None, card: bytes | None, further: Mapping[str, Json]
) -> Iterator[Finding]:
    """Where card and commit metadata say something else than the records.

    Args:
        figures: counted over the records themselves.
        version: the commit of the newest version there; None where there is none yet.
        card: `card.json` there.
        further: more fields of the card, as found.
    """
    if version is None:
        if figures.counts.tasks:
            said = f"{figures.counts.tasks} records are there, but no version holds them"
            yield _snapshot("records-without-version", said, "annotations/", None)
        return
    counts = figures.counts.as_mapping()
    metadata = {"snapshot_digest": figures.digest, **counts}
    stated = {name: version.metadata.get(f"ops.{name}") for name in metadata}
    wrong = [name for name, value in metadata.items() if stated[name] != str(value)]
    for name in wrong:
        said = f"its commit says {name} {stated[name]}, its records {metadata[name]}"
        yield _snapshot("metadata-wrong", said, f"ops.{name}", version.id)
    if card is None:
        yield _snapshot("card-gone", f"there is no {CARD_JSON_PATH}", CARD_JSON_PATH, version.id)
        return
    expected: dict[str, Json] = {
        "version": version_number(version),
        "tasks": dict(counts),
        "annotations": figures.annotation_count,
        "regions": figures.region_count,
        "labels": {
            label: {"regions": count.regions, "tasks": count.tasks}
            for label, count in figures.labels.items()
        },
        "annotators": dict(figures.annotators),
        "snapshot_digest": figures.digest,
        **further,
    }
    yield from _card_findings(card, expected, version.id)


def _card_findings(
    data: bytes, expected: Mapping[str, Json], commit: CommitId
) -> Iterator[Finding]:
    source = stored(CARD_JSON_PATH, "card-invalid")
    try:
        card = Fields.of(parse(data, source), "", source).values
    except InvalidDataError as error:
        yield _snapshot("card-invalid", error.message, CARD_JSON_PATH, commit)
        return
    for name, value in expected.items():
        if card.get(name) != value:
            said = f"{CARD_JSON_PATH} says {name} {_brief(card.get(name))}, it is {_brief(value)}"
            yield _snapshot("card-wrong", said, f"{CARD_JSON_PATH}#{name}", commit)


def _brief(value: Json) -> str:
    text = str(value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


_MOST_SHOWN = 80


def file_finding(path: str, keys: Sequence[str], commit: CommitId) -> Finding:
    """The finding for a packed file whose rows are not those of the records.

    Args:
        path: the file.
        keys: the tasks whose rows differ; none where the file cannot be read.
        commit: where.
    """
    what = f"differs from the records of {len(keys)} tasks: {keys[0]}" if keys else "is no snapshot"
    return _snapshot("snapshot-wrong", f"{path} {what}", path, commit)


def _snapshot(code: str, message: str, subject: str, commit: CommitId | None) -> Finding:
    return Finding(
        check=Check.SNAPSHOT,
        code=code,
        message=message,
        subject=subject,
        commit=commit,
        remedy="do not train on it; the records are the truth, and the next version packs them "
        f"anew\n{_LOG}",
    )


def round_findings(
    manifest: Manifest,
    *,
    task_list: bytes | None,
    line: Iterable[CommitFacts],
    recorded: Iterable[TaskKey],
) -> Iterator[Finding]:
    """What is wrong with a finished round as main has it.

    Its counts are what its people answered; from later versions they cannot be counted again, since
    others answer the same tasks. What can be: whoever counts as answered has a record.

    Args:
        manifest: the round's, whose counts add up, or decoding it fails.
        task_list: `rounds/<name>.tasks.jsonl`.
        line: main's commits.
        recorded: the round's tasks that have a record in the version it made.
    """
    name, counts = manifest.name, manifest.counts
    if task_list is None or tasks_digest(task_list) != manifest.tasks_digest:
        said = "its task list is not the one its manifest names"
        yield _round("task-list", said, name, tasks_path(name))
    if manifest.state is not RoundState.FINISHED or counts is None or manifest.version is None:
        said = f"main says it is {manifest.state.value}; only finished rounds reach main"
        yield _round("round-not-finished", said, name, manifest_path(name))
        return
    commit = round_commit(manifest, line)
    if commit is None:
        said = f"no commit of ops on main brought it as {version_tag(manifest.version)}"
        yield _round("round-without-version", said, name, manifest_path(name))
        return
    for state, count in counts.as_mapping().items():
        if (stated := commit.metadata.get(f"ops.round_{state}")) != str(count):
            said = f"its manifest says {count} {state}, its commit {stated}"
            yield _round("round-counts", said, name, manifest_path(name))
    answered = sum(getattr(counts, state.value) for state in _ANSWERED)
    there = len(frozenset(recorded))
    if there < answered:
        said = f"{answered} tasks were answered, {there} have a record in its version"
        yield _round("answers-lost", said, name, manifest_path(name))


_ANSWERED = (TaskState.LABELED, TaskState.EMPTY, TaskState.SKIPPED)


def round_commit(manifest: Manifest, line: Iterable[CommitFacts]) -> CommitFacts | None:
    """The commit of ops on main that brought a round as the version its manifest says, or None."""
    for commit in line:
        is_round = commit.metadata.get("ops.round_id") == manifest.id
        if is_round and version_number(commit) == manifest.version and not came_around(commit):
            return commit
    return None


def round_problem(name: str, message: str) -> Finding:
    """The finding for a manifest or task list that cannot be read."""
    return _round("manifest-invalid", message, name, manifest_path(name))


def _round(code: str, said: str, name: str, subject: str) -> Finding:
    return Finding(
        check=Check.ROUNDS,
        code=code,
        message=f"round {name}: {said}",
        subject=subject,
        remedy=_LOG,
    )
