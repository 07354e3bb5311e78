"""One labeling round on the real servers, told the same way every time, and what it leaves.

Owns what people do in it and the comparison of its end with that of another one: everything but
times, ids and the repository's name. Does not know what goes wrong meanwhile.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import (
    CARD_JSON_PATH,
    MAIN,
    RECORD_PREFIX,
    TASKS_PARQUET,
    manifest_path,
    record_key,
    round_branch,
)
from ops.core.rounds import Manifest, RoundState, decode_manifest
from ops.core.snapshot import snapshot_digest
from ops.lake import LakeFS
from ops.local import Connection
from ops.parquet import read_tasks
from ops.runner.data import add_media
from ops.runner.init import init_repository
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.context import real_context
from tests.pictures import draw_pictures
from tests.runner.world import region

NAME = "cheese"
START = ("round", "start", NAME)
SYNC = ("round", "sync", NAME)
FINISH = ("round", "finish", NAME, "--allow-unlabeled", "--yes")
COMMANDS = (START, SYNC, FINISH)
PICTURE_COUNT = 6


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a finished round left behind, without times, ids and the repository's name.

    Attributes:
        records: each record on main, its annotations named by who made them in the story.
        paths: everything on main.
        kinds: `ops.kind` and `ops.version` of the commits along main, newest first.
        tasks: the tasks of the one project that bears the round's marker, by key.
    """

    records: Mapping[str, Any]
    paths: Sequence[str]
    kinds: Sequence[tuple[str, str | None]]
    branches: Sequence[str]
    manifest: Manifest
    tasks: Sequence[str]


class Story:
    """A repository with pictures and the people who label them, in one round."""

    def __init__(self, directory: Path, servers: Connection) -> None:
        """Name a repository; no request."""
        self.servers = servers
        self.ops = Ops(directory, servers)
        self.directory = directory
        self._names: dict[str, str] = {}

    def prepare(self) -> None:
        """Set the repository up with its pictures. Takes the seconds a protection rule takes."""
        pictures = self.directory / "pictures"
        if not pictures.exists():
            draw_pictures(pictures, PICTURE_COUNT)
        context = real_context(self.servers, self.ops.repository)
        config = write_label_config(("brie", "gouda"), LabelKind.BOXES)
        init_repository(context, label_config=config, namespace=f"local://{self.ops.repository}")
        add_media(context, [pictures])

    def annotate(self) -> None:
        """What people do before the sync."""
        with closing(self._studio()) as studio:
            people, tasks = StudioAnnotators(studio), self._tasks(studio)
            ann, ben = (people.ensure_member(f"{who}@example.org") for who in ("ann", "ben"))
            for name, key, who, labels in (
                ("ann's first", "p000.png", ann, ["brie", "gouda"]),
                ("ben's", "p000.png", ben, ["gouda"]),
                ("to be changed", "p001.png", ann, ["brie"]),
                ("skip", "p002.png", ben, None),
                ("empty", "p003.png", ann, []),
                ("to be deleted", "p004.png", ann, ["brie"]),
            ):
                self._submit(people, tasks[key], name, annotator=who, labels=labels)

    def annotate_more(self) -> None:
        """What people do between the sync and the finish."""
        with closing(self._studio()) as studio:
            people, tasks = StudioAnnotators(studio), self._tasks(studio)
            ben = people.ensure_member("ben@example.org")
            ids = {str(one["unique_id"]): int(one["id"]) for one in self._annotations(studio)}
            changed, deleted = (
                next(id_ for unique, id_ in ids.items() if self._names[unique] == name)
                for name in ("to be changed", "to be deleted")
            )
            people.update_annotation(changed, [region("gouda", 7)])
            people.delete_annotation(deleted)
            self._submit(people, tasks["p005.png"], "late", annotator=ben, labels=["brie"])

    def manifest(self, ref: str) -> Manifest:
        """The round's manifest at a ref."""
        data = self._lake().read(ref, manifest_path(NAME))
        assert data is not None, f"{ref} has no manifest"
        return decode_manifest(data, NAME)

    def check_started(self) -> None:
        """Hold what a start leaves: one project, each task once, nothing staged."""
        lake, manifest = self._lake(), self.manifest(round_branch(NAME))
        assert manifest.state is RoundState.OPEN
        assert not list(lake.uncommitted(round_branch(NAME)))
        assert not list(lake.uncommitted(MAIN))
        with closing(self._studio()) as studio:
            self._check_project(studio, manifest)

    def check_synced(self) -> Mapping[str, Any]:
        """Hold what a sync leaves, and give the records."""
        lake = self._lake()
        assert not list(lake.uncommitted(round_branch(NAME)))
        return self._records(round_branch(NAME))

    def ending(self) -> Ending:
        """Hold what must be so after any finish, and give what can be compared."""
        lake, manifest = self._lake(), self.manifest(MAIN)
        assert manifest.state is RoundState.FINISHED
        assert manifest.counts is not None
        assert manifest.counts.tasks == manifest.task_count == PICTURE_COUNT
        assert sum(manifest.counts.as_mapping().values()) == 2 * PICTURE_COUNT
        assert not list(lake.uncommitted(MAIN))
        branches = sorted(name for name, _ in lake.branches())
        for branch in branches:
            assert not list(lake.uncommitted(branch)), f"{branch} has something staged"
        self._check_version()
        with closing(self._studio()) as studio:
            tasks = self._check_project(studio, manifest)
        commits = list(lake.log(MAIN, first_parent=True))
        return Ending(
            records=self._records(MAIN),
            paths=[found.path for found in lake.list_objects(MAIN)],
            kinds=[
                (c.metadata.get("ops.kind", ""), c.metadata.get("ops.version")) for c in commits
            ],
            branches=branches,
            manifest=_timeless(manifest),
            tasks=tasks,
        )

    def _check_version(self) -> None:
        """One version: tagged at the merge, its snapshot and card what its records say."""
        lake = self._lake()
        head = lake.commit_facts(MAIN)
        assert list(lake.tags()) == [("v1", head.id)]
        assert len(head.parents) == 2
        stored = self._stored(MAIN)
        packed = {str(row.key): row.data for row in read_tasks(_read(lake, TASKS_PARQUET))}
        assert packed == {str(record_key(path)): data for path, data in stored.items()}
        digest = snapshot_digest(
            (key, hashlib.sha256(data).hexdigest()) for key, data in packed.items()
        )
        card = json.loads(_read(lake, CARD_JSON_PATH))
        assert digest == card["snapshot_digest"] == head.metadata["ops.snapshot_digest"]
        assert [line["version"] for line in card["history"]] == [1]

    def _check_project(self, studio: LabelStudio, manifest: Manifest) -> Sequence[str]:
        """One project with the marker, the one the manifest names, each task in it once."""
        projects = studio.find_projects(manifest.marker)
        assert [project.id for project in projects] == [manifest.project]
        keys = sorted(str(row.key) for row in studio.task_rows(projects[0].id))
        assert keys == [f"p{number:03}.png" for number in range(PICTURE_COUNT)]
        return keys

    def _stored(self, ref: str) -> Mapping[str, bytes]:
        lake = self._lake()
        paths = [found.path for found in lake.list_objects(ref, RECORD_PREFIX)]
        return dict(lake.read_many(ref, paths))

    def _records(self, ref: str) -> Mapping[str, Any]:
        return {path: self._nameless(json.loads(data)) for path, data in self._stored(ref).items()}

    def _nameless(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record with its annotations under their names in the story, and without times."""
        annotations: list[dict[str, Any]] = record["annotations"]
        named = {
            self._names[one["unique_id"]]: {
                name: value
                for name, value in one.items()
                if name not in {"unique_id", "created_at", "updated_at"}
            }
            for one in annotations
        }
        assert len(named) == len(annotations), "an annotation is there twice"
        return {**record, "annotations": named}

    def _submit(
        self,
        people: StudioAnnotators,
        task: int,
        name: str,
        *,
        annotator: int,
        labels: Sequence[str] | None,
    ) -> None:
        unique_id = str(uuid5(NAMESPACE_URL, f"{self.ops.repository} {name}"))
        self._names[unique_id] = name
        people.annotate(
            task,
            [region(label, number) for number, label in enumerate(labels or ())],
            annotator=annotator,
            lead_time_s=2.5,
            skipped=labels is None,
            unique_id=unique_id,
        )

    def _annotations(self, studio: LabelStudio) -> Sequence[dict[str, Any]]:
        project = self.manifest(round_branch(NAME)).project or 0
        documents: Any = studio.export(project, list(self._tasks(studio).values()))
        return [one for document in documents for one in document["annotations"]]

    def _tasks(self, studio: LabelStudio) -> Mapping[str, int]:
        project = self.manifest(round_branch(NAME)).project or 0
        return {str(row.key): row.id for row in studio.task_rows(project)}

    def _studio(self) -> LabelStudio:
        return LabelStudio(self.servers.label_studio_url, self.servers.label_studio_token)

    def _lake(self) -> LakeFS:
        servers = self.servers
        return LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            self.ops.repository,
        )


def _read(lake: LakeFS, path: str) -> bytes:
    data = lake.read(MAIN, path)
    assert data is not None, f"main has no {path}"
    return data


def _timeless(manifest: Manifest) -> Manifest:
    return replace(
        manifest, id="", base="", created_at="", ended_at=None, project=None, tasks_digest=""
    )
