"""`data dedup`: which pictures of a commit are the same, or nearly, and what their labels say.

Owns what is known of the pictures (listing and profile) and what is put beside each group. Deletes
nothing. How near ones are found is ops/core/duplicates.py's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ops.core.duplicates import (
    NEAR_DISTANCE,
    Group,
    Link,
    Why,
    check_distance,
    equal_links,
    groups,
    is_plain,
    near_links,
)
from ops.core.names import MEDIA_PREFIX, TASKS_PARQUET, media_key
from ops.core.records import CommitId, Json, TaskKey, TaskState
from ops.ports import StoredObject
from ops.runner.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures of a commit, as far as they can be compared.

    Attributes:
        objects: every one, by key.
        sha256: of the bytes, where it is known.
        hashes: perceptual ones, of those that have a profile and can be decoded.
        unprofiled: how many have no perceptual hash for want of a profile (or of the extra dedup).
        undecodable: how many have none because nobody can decode them.
    """

    objects: Mapping[TaskKey, StoredObject]
    sha256: Mapping[TaskKey, str]
    hashes: Mapping[TaskKey, int]
    unprofiled: int
    undecodable: int

    def plain_count(self, distance: int) -> int:
        """How many are too plain to be compared at a distance."""
        return sum(is_plain(value, distance) for value in self.hashes.values())

    def links(self, distance: int, *, first: Iterable[TaskKey] = ()) -> Iterator[Link]:
        """Links between pictures with equal bytes, and between near ones.

        Bytes are equal where the SHA-256 is, or checksum and size are: of pictures imported in
        place the SHA-256 may be unknown.

        Args:
            distance: bits in which the hashes of near ones may differ.
            first: tasks that equal ones are linked to rather than to the first by key.
        """
        first = tuple(first)
        listed = {key: f"{one.checksum} {one.size_bytes}" for key, one in self.objects.items()}
        yield from equal_links(self.sha256, why=Why.EXACT, first=first)
        yield from equal_links(listed, why=Why.EXACT, first=first)
        yield from near_links(self.hashes, distance)


def read_pictures(context: Context, commit: str) -> Pictures:
    """What is known of a commit's pictures. Two requests a 1 000 pictures, and one.

    Raises:
        InvalidDataError: the profile is damaged.
    """
    from ops.runner.profile import read_profile

    with context.reporter.phase("listing pictures") as phase:
        objects: dict[TaskKey, StoredObject] = {}
        for found in context.lake.list_objects(commit, MEDIA_PREFIX, metadata=True):
            objects[media_key(found.path)] = found
            phase.advance()
    profiles = read_profile(context, commit)
    stated = {
        key: one.metadata["sha256"] for key, one in objects.items() if "sha256" in one.metadata
    }
    measured = {key: one.sha256 for key, one in profiles.items()}
    hashes = {key: int(one.dhash, 16) for key, one in profiles.items() if one.dhash}
    undecodable = sum(one.problem is not None for one in profiles.values())
    return Pictures(
        objects=objects,
        sha256={**stated, **measured},
        hashes=hashes,
        unprofiled=len(objects) - len(hashes) - undecodable,
        undecodable=undecodable,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a task stands.

    Attributes:
        labels: of its regions, distinct, sorted.
        region_count: of its annotations that are not skipped.
    """

    state: TaskState = TaskState.UNFINISHED
    labels: tuple[str, ...] = ()
    region_count: int = 0


def read_said(context: Context, commit: str) -> Mapping[TaskKey, Said]:
    """How each task that has a record stands, from the snapshot. One request.

    Raises:
        InvalidDataError: the snapshot is damaged.
    """
    from ops.parquet import read_rows

    data = context.lake.read(commit, TASKS_PARQUET)
    columns = ["key", "state", "labels", "region_count"]
    rows = read_rows(data, columns, path=TASKS_PARQUET) if data else ()
    return {
        TaskKey(str(row["key"])): Said(
            state=TaskState(str(row["state"])),
            labels=tuple(_texts(row["labels"])),
            region_count=int(str(row["region_count"])),
        )
        for row in rows
    }


def _texts(value: Json) -> Iterator[str]:
    yield from map(str, value if isinstance(value, list) else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """What was found among a commit's pictures.

    Attributes:
        groups: of tasks whose pictures are the same, or near, by first key.
        said: how the tasks in them stand.
        distance: bits in which hashes were allowed to differ.
    """

    commit: CommitId
    pictures: Pictures
    groups: tuple[Group, ...]
    said: Mapping[TaskKey, Said]
    distance: int

    def contradicts(self, group: Group) -> bool:
        """Whether two tasks of a group are labeled, or empty, and not with the same labels."""
        answered = {TaskState.LABELED, TaskState.EMPTY}
        told = [self.said[key] for key in group.keys if key in self.said]
        return len({one.labels for one in told if one.state in answered}) > 1


def find_duplicates(
    context: Context, commit: CommitId, *, distance: int = NEAR_DISTANCE
) -> Duplicates:
    """The groups of equal and near pictures at a commit. Two requests a 1 000 pictures, and two.

    Raises:
        UsageError: the distance does not tell near pictures from others.
        InvalidDataError: profile or snapshot is damaged.
    """
    check_distance(distance)
    pictures = read_pictures(context, commit)
    with context.reporter.phase("comparing pictures"):
        found = groups(pictures.links(distance))
    return Duplicates(
        commit=commit,
        pictures=pictures,
        groups=tuple(found),
        said=read_said(context, commit),
        distance=distance,
    )
