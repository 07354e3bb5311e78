"""Two versions of a dataset to compare: real lakeFS, records as rounds write them.

Owns the records and the edits between the versions; Label Studio has no part in a diff.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid4, uuid5

from bench.round import boxes
from ops.cli.progress import QuietReporter
from ops.core.canonical import encode_record
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import LABEL_CONFIG_PATH, MAIN, record_key, record_path, version_tag
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.lake import LakeFS
from ops.local import connection
from ops.ports import ChangeKind, Upload
from ops.runner.context import Context, main_head
from ops.runner.snapshot import Cause, pack_version
from ops.studio import LabelStudio

UNPACKED = "unpacked"
"""A branch that holds v2's records and v1's snapshot, as a round's branch does."""

_PEOPLE = ("ann@example.org", "ben@example.org")


@dataclass(kw_only=True)
class Versions:
    """A repository whose v1 and v2 differ in some of its records.

    Attributes:
        before, after: every record of v1 and of v2, by path.
        environment: what `ops` needs to find it.
    """

    context: Context
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    environment: Mapping[str, str]


def set_up(home: Path, task_count: int, changed_count: int) -> Versions:
    """Make both versions; the lakeFS below `home` is up."""
    stack = connection(home)
    assert stack is not None, "the caller started it"
    repository = f"bench-{uuid4().hex[:8]}"
    context = Context(
        lake=LakeFS(
            stack.lakefs_url,
            stack.lakefs_access_key_id,
            stack.lakefs_secret_access_key,
            repository,
        ),
        studio=LabelStudio(stack.label_studio_url, stack.label_studio_token),
        reporter=QuietReporter(),
        actor="bench@example.org",
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        tool_version="bench",
    )
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES).encode()
    # No `ops init`: without protection and gates a version is one commit on main.
    context.lake.create_repository(f"local://{repository}")
    context.lake.write_many(MAIN, [Upload(path=LABEL_CONFIG_PATH, data=config)])
    context.lake.commit(MAIN, "label config", {})
    records = [_record(number) for number in range(task_count)]
    chosen = set(range(0, task_count, max(1, task_count // changed_count)))
    edited = [_edited(one) if n in chosen else one for n, one in enumerate(records)]
    before, after = (
        {record_path(one.task.key): encode_record(one) for one in side}
        for side in (records, edited)
    )
    _put(context, 1, before)
    _put(context, 2, {path: data for path, data in after.items() if before[path] != data})
    environment = {
        "OPS_REPOSITORY": repository,
        "OPS_LAKEFS_URL": stack.lakefs_url,
        "OPS_LAKEFS_ACCESS_KEY_ID": stack.lakefs_access_key_id,
        "OPS_LAKEFS_SECRET_ACCESS_KEY": stack.lakefs_secret_access_key,
        "OPS_LABEL_STUDIO_URL": stack.label_studio_url,
        "OPS_LABEL_STUDIO_TOKEN": stack.label_studio_token,
    }
    return Versions(context=context, before=before, after=after, environment=environment)


def _put(context: Context, version: int, written: Mapping[str, bytes]) -> None:
    """Make a version of these records on main, packed as a finish packs it."""
    lake, main = context.lake, main_head(context.lake)
    lake.write_many(MAIN, [Upload(path=path, data=data) for path, data in written.items()])
    head = lake.commit(MAIN, "records", {})
    assert head is not None
    if version > 1:
        lake.create_branch(UNPACKED, head)
    changed = {record_key(path): ChangeKind.CHANGED for path in written}
    cause = Cause(version=version, reason="bench", made_at=context.timestamp(), history=())
    packed = pack_version(context, cause, main=main, changes_at=head, changed=changed)
    lake.write_many(MAIN, packed.uploads)
    commit = lake.commit(MAIN, "snapshot", {})
    assert commit is not None
    lake.create_tag(version_tag(version), commit)


def _record(number: int) -> Record:
    """A task with one person's three boxes."""
    key = TaskKey(f"{number // 1000:03}/{number:06}.png")
    media = Media(
        path=f"images/{key}",
        checksum="0" * 32,
        size_bytes=15,
        sha256="0" * 64,
        width=640,
        height=480,
    )
    annotation = Annotation(
        unique_id=str(uuid5(NAMESPACE_URL, key)),
        annotator=_PEOPLE[number // 10 % 2],
        round="cheese-1",
        created_at="2026-11-20T09:00:00.000000Z",
        updated_at="2026-11-20T09:00:00.000000Z",
        ontology_digest="0" * 64,
        lead_time_s=12.5,
        result=tuple(boxes(3)),
    )
    return Record(task=Task(key=key, media=media), annotations=(annotation,))


def _edited(record: Record) -> Record:
    """One box relabelled, one moved, one drawn anew, by the other person."""
    [annotation] = record.annotations
    relabelled, moved, _ = (dict(region) for region in annotation.result)
    relabelled["value"] = {**_value(relabelled), "rectanglelabels": ["gouda"]}
    moved["value"] = {**_value(moved), "x": 50.1}
    fresh = {**moved, "id": "fresh"}
    other = _PEOPLE[annotation.annotator == _PEOPLE[0]]
    changed = replace(
        annotation,
        updated_by=other,
        round="cheese-2",
        updated_at="2026-11-21T09:00:00.000000Z",
        result=(relabelled, moved, fresh),
    )
    return replace(record, annotations=(changed,))


def _value(region: Mapping[str, Json]) -> dict[str, Json]:
    value = region["value"]
    assert isinstance(value, dict)
    return value
