"""What a migration makes of a record.

Owns the mapping, entry by entry of each result: nothing but the labels in question is touched, and
a record that says none of them is given back as it is. Does not know label configs (migration.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.core.canonical import normalise_record
from ops.core.label_edits import Path
from ops.core.migration import Migration, Operation, Place
from ops.core.ontology import is_named
from ops.core.records import Annotation, Json, Record, TaskKey
from ops.core.regions import is_relation, label_field, value_of

_Entry = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One region that says a label in question, and who said so."""

    place: Place
    annotator: str


def uses(record: Record, migration: Migration) -> Iterator[Use]:
    """The regions of a record that say a source of the migration, once each."""
    for annotation in record.annotations:
        for region in dict.fromkeys(
            _region(entry)
            for entry in annotation.result
            if any(_is_source(path, migration) for _, path in _said(entry, migration))
        ):
            place = (record.task.key, annotation.unique_id, region)
            yield Use(place=place, annotator=annotation.annotator)


def relabel(record: Record, migration: Migration) -> Record:
    """The record after a migration; itself where it says none of the labels.

    An annotation that changes is to be read under the new ontology; who made it, when and in which
    round stays, for that is not what changed. A region that nobody decided stays as it is. Where a
    removal takes the last region of an annotation, the annotation goes too: left empty it would
    say that nothing is there, which nobody said.
    """
    annotations = [_relabel(one, record.task.key, migration) for one in record.annotations]
    if all(one is two for one, two in zip(annotations, record.annotations, strict=True)):
        return record
    kept = tuple(one for one in annotations if one is not None)
    return normalise_record(replace(record, annotations=kept))


def migrate_record(record: Record, migrations: Iterable[Migration]) -> Record:
    """The record of a round that started before these migrations, under the names they gave.

    A removal is not made again: what people said since is theirs to take back.

    Args:
        record: the round's, or its base's: for a merge with main both are to be migrated.
        migrations: in the order in which main took them.
    """
    for migration in migrations:
        if migration.operation is not Operation.REMOVE:
            record = relabel(record, migration)
    return record


def carried(path: Path, migration: Migration) -> Path | None:
    """What a label of the migration's control becomes wherever it is said.

    None where that is decided region by region, or it is removed.
    """
    if not _is_source(path, migration):
        return path
    if migration.operation is Operation.REMOVE:
        return None
    return migration.rest if migration.operation is Operation.SPLIT else _becomes(path, migration)


def _relabel(annotation: Annotation, key: TaskKey, migration: Migration) -> Annotation | None:
    """The annotation, itself where nothing changes, or None where nothing is left of it."""
    entries = [
        _Moved(entry, _move(entry, (key, annotation.unique_id, _region(entry)), migration))
        for entry in annotation.result
    ]
    if all(one.before is one.after for one in entries):
        return annotation
    result = _without_lost([one.after for one in entries], _lost(entries))
    result = _with_copies(result, entries)
    if not result and not annotation.skipped:
        return None
    return replace(
        annotation,
        result=tuple(result),
        ontology_digest=migration.ontology_digest,
        updated_by=_last(annotation, migration),
    )


@dataclass(frozen=True, slots=True)
class _Moved:
    """An entry of a result and what became of it; None where its last label was removed."""

    before: _Entry
    after: _Entry | None


def _last(annotation: Annotation, migration: Migration) -> str | None:
    who = migration.decided_by or annotation.updated_by
    return None if who == annotation.annotator else who


def _move(entry: _Entry, place: Place, migration: Migration) -> _Entry | None:
    """The entry with its labels mapped."""
    stated = [*_said(entry, migration)]
    if not any(_is_source(path, migration) for _, path in stated):
        return entry
    labels: list[Json] = []
    given: set[Path] = set()
    for written, path in stated:
        wanted = _target(path, place, migration) if path else path
        # A region that says a label and one that becomes it says it once.
        if wanted is None or (wanted in migration.targets and wanted in given):
            continue
        given.add(wanted)
        labels.append(written if wanted == path else _written(wanted, written))
    if [written for written, _ in stated] == labels:
        return entry
    if not labels:
        return None
    return {**entry, "value": {**value_of(entry), str(label_field(entry)): labels}}


def _target(path: Path, place: Place, migration: Migration) -> Path | None:
    """What a label becomes; None where it is removed, itself where it stays or is undecided."""
    if not _is_source(path, migration):
        return path
    match migration.operation:
        case Operation.REMOVE:
            return None if migration.drops else path
        case Operation.SPLIT:
            return migration.decisions.get(place, migration.rest or path)
        case Operation.RENAME | Operation.MERGE:
            return _becomes(path, migration)


def _becomes(path: Path, migration: Migration) -> Path:
    """What a source of a rename or a merge becomes, with what is below it."""
    target = migration.targets[0]
    is_rename = migration.operation is Operation.RENAME
    return (*target, *path[len(target) :]) if is_rename else target


def _is_source(path: Path, migration: Migration) -> bool:
    # What is below a renamed label has its name in its path.
    if migration.operation is Operation.RENAME:
        return any(path[: len(source)] == source for source in migration.sources)
    return path in migration.sources


def _said(entry: _Entry, migration: Migration) -> Iterator[tuple[Json, Path]]:
    """The labels an entry says of the control, as written and by path; none of other controls'."""
    field, name = label_field(entry), str(entry.get("from_name"))
    if is_relation(entry) or field is None:
        return
    stated = value_of(entry).get(field)
    if isinstance(stated, list) and any(is_named(one, name) for one in migration.speakers):
        for written in stated:
            yield written, _path(written)


def _path(written: Json) -> Path:
    """A label's path; empty for what is no label."""
    if isinstance(written, str):
        return (written,)
    return tuple(str(step) for step in written) if isinstance(written, list) else ()


def _written(path: Path, like: Json) -> Json:
    return path[0] if isinstance(like, str) and len(path) == 1 else [*path]


def _region(entry: _Entry) -> str:
    return str(entry.get("id", ""))


def _lost(entries: Sequence[_Moved]) -> frozenset[str]:
    """The regions that were drawn as a label that is gone, and are drawn as no other."""
    drawn = {_region(one.before) for one in entries if one.after is None and _draws(one.before)}
    still = {_region(one.after) for one in entries if one.after is not None and _draws(one.after)}
    return frozenset(drawn - still)


def _draws(entry: _Entry) -> bool:
    """Whether an entry's labels say what a region is, rather than answer a question about it."""
    return label_field(entry) is not None and entry.get("type") not in {"choices", "taxonomy"}


def _without_lost(result: Iterable[_Entry | None], lost: frozenset[str]) -> list[_Entry]:
    """Without entries that say nothing any more, all that was said of lost regions, and relations.

    A relation leads from one region to another: with either gone it leads nowhere.
    """
    kept = [one for one in result if one is not None and _region(one) not in lost]
    if not lost:
        return kept
    ends = ("from_id", "to_id")
    return [
        one for one in kept if not (is_relation(one) and any(str(one.get(x)) in lost for x in ends))
    ]


def _with_copies(result: Sequence[_Entry], entries: Iterable[_Moved]) -> list[_Entry]:
    """The result with the editor's copies of what changed changed alike.

    The editor copies each entry's labels into the region's others (regions.said).
    """
    changed: dict[tuple[str, str], list[tuple[Json, Json]]] = {}
    for one in entries:
        field = label_field(one.before)
        if one.before is not one.after and field is not None:
            after = None if one.after is None else value_of(one.after)[field]
            pair = (value_of(one.before)[field], after)
            changed.setdefault((_region(one.before), field), []).append(pair)
    return [_with_copy(entry, changed) for entry in result]


def _with_copy(
    entry: _Entry, changed: Mapping[tuple[str, str], Sequence[tuple[Json, Json]]]
) -> _Entry:
    value = dict(value_of(entry))
    for name in [*value]:
        for before, after in changed.get((_region(entry), name), ()):
            if name != label_field(entry) and value.get(name) == before:
                if after is None:
                    del value[name]
                else:
                    value[name] = after
    return entry if value == value_of(entry) else {**entry, "value": value}
