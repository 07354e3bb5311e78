"""Sync is exact under twenty concurrent writers, proven against a full read that is not its own.

The writers do what people, scripts and the Data Manager do to a project that is being labeled, half
of it to the same few tasks. What is expected is read here, from one export of the whole project,
without anything of ops/core/exports.py.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import RECORD_PREFIX, record_key
from ops.core.records import Json
from ops.core.selection import Selection
from ops.errors import NotFoundError, UnavailableError
from ops.local import Connection
from ops.ports import Studio
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.runner.sync import Synced, sync_round
from ops.studio import LabelStudio, StudioAnnotators
from ops.studio.failures import UnexpectedAnswerError
from tests.acts import StudioActs
from tests.context import real_context
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers

NAME = "busy"
TASK_COUNT = 150
HOT_COUNT = 6
WRITER_COUNT = 20
ACTS_PER_WRITER = 24
PATIENCE_S = 30.0
OVERLAP_S = 15
"""Shorter than the writers are at work, so that a delta really leaves changes out."""

Answer = tuple[str, str, bool, str]
"""`unique_id`, annotator, skipped, regions."""


def box(rng: random.Random) -> dict[str, Json]:
    """A region as Label Studio's editor makes it, different each time."""
    return {
        "id": f"r{rng.getrandbits(40):x}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 160,
        "original_height": 120,
        "image_rotation": 0,
        "value": {
            "x": rng.randrange(60), "y": rng.random() * 60, "width": 20.5, "height": 30,
            "rotation": 0, "rectanglelabels": [rng.choice(("brie", "gouda"))],
        },
    }  # fmt: skip


@dataclass(kw_only=True)
class Board:
    """What the writers know in common of the project; threads only append and pick."""

    project: int
    data: dict[str, dict[str, Json]]
    tasks: list[int]
    hot: list[int]
    annotations: list[int] = field(default_factory=list[int])
    done: Counter[str] = field(default_factory=Counter[str])


class Writer:
    """One of the twenty: acts chosen by its own seed."""

    def __init__(self, servers: Connection, board: Board, *, seed: int, member: int) -> None:
        self._studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
        self._people = StudioAnnotators(self._studio)
        self._others = StudioActs(self._studio)
        self._board, self._member = board, member
        self._rng = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self._acts: Mapping[Callable[[], None], int] = {
            self.answer: 30,
            self.skip: 10,
            self.change: 20,
            self.take_back: 14,
            self.delete_task: 4,
            self.delete_answers: 4,
            self.import_foreign: 3,
            self.import_again: 5,
            self.remove_duplicates: 1,
            self.move_key: 4,
            self.draft: 3,
            self.predict: 2,
        }

    def work(self, deadline: float) -> None:
        """Do anything."""
        self._act(self._acts, deadline)

    def label(self, deadline: float) -> None:
        """Do what annotators do, and nothing else; mostly change their minds."""
        self._act({self.answer: 3, self.skip: 3, self.change: 8, self.take_back: 4}, deadline)

    def _act(self, acts: Mapping[Callable[[], None], int], deadline: float) -> None:
        """Act until the count or the time is up; what others deleted meanwhile is passed over."""
        for _ in range(ACTS_PER_WRITER):
            if time.monotonic() > deadline:
                break
            [act] = self._rng.choices([*acts], [*acts.values()])
            try:
                act()
            except (NotFoundError, UnavailableError):
                # Two people at one thing: Label Studio says 404, or 500 if it is gone midway.
                self._board.done["overtaken"] += 1
            self._board.done[act.__name__] += 1
        self._studio.close()

    def _task(self) -> int:
        return self._rng.choice(self._board.hot if self._rng.random() < 0.5 else self._board.tasks)

    def _regions(self) -> list[dict[str, Json]]:
        return [box(self._rng) for _ in range(self._rng.randrange(3))]

    def answer(self) -> None:
        """Submit regions, or none."""
        self._board.annotations.append(
            self._people.annotate(
                self._task(), self._regions(), annotator=self._member, lead_time_s=1.5
            )
        )

    def skip(self) -> None:
        """Skip a task, perhaps with regions begun."""
        self._board.annotations.append(
            self._people.annotate(
                self._task(), self._regions(), annotator=self._member, skipped=True
            )
        )

    def change(self) -> None:
        """Change anybody's answer, or make a skip of it."""
        if self._board.annotations:
            self._people.update_annotation(
                self._rng.choice(self._board.annotations[-40:]),
                self._regions(),
                skipped=self._rng.random() < 0.3,
            )

    def take_back(self) -> None:
        """Delete anybody's answer."""
        if self._board.annotations:
            self._people.delete_annotation(self._rng.choice(self._board.annotations[-40:]))

    def delete_task(self) -> None:
        """Delete a task with all its answers."""
        self._studio.delete_tasks(self._board.project, [self._rng.choice(self._board.tasks)])

    def delete_answers(self) -> None:
        """Use the Data Manager's action on a few tasks."""
        chosen: Any = {"all": False, "included": [self._task() for _ in range(3)]}
        self._studio.sdk.actions.create(
            id="delete_tasks_annotations",
            project=self._board.project,
            selected_items=chosen,
            ordering=[],
        )

    def import_foreign(self) -> None:
        """Bring in an answered task the round does not know, with a key or without."""
        data: dict[str, Json] = {"image": "s3://elsewhere/x.png"}
        if self._rng.random() < 0.5:
            data["key"] = f"foreign-{self._rng.getrandbits(40):x}.png"
        self._import(data)

    def import_again(self) -> None:
        """Bring in one of the round's tasks a second time, answered."""
        self._import(self._board.data[self._rng.choice([*self._board.data])])

    def _import(self, data: dict[str, Json]) -> None:
        answer: Json = {"result": [*self._regions()], "ground_truth": False}
        tasks = self._studio.import_tasks(
            self._board.project, [{"data": data, "annotations": [answer]}]
        )
        self._board.tasks.extend(tasks)

    def remove_duplicates(self) -> None:
        """Use the Data Manager's action on the whole project."""
        # It stops halfway, with 400, where somebody answers what it is about to delete.
        with suppress(UnexpectedAnswerError):
            self._others.remove_duplicates(self._board.project)

    def move_key(self) -> None:
        """Change what a task points at: another task of the round, the same, or nothing known."""
        data = dict(self._board.data[self._rng.choice([*self._board.data])])
        if self._rng.random() < 0.3:
            data["key"] = "moved-away.png"
        self._others.replace_data(self._rng.choice(self._board.tasks), data)

    def draft(self) -> None:
        """Begin an answer and leave it."""
        self._others.draft(self._task(), self._regions())

    def predict(self) -> None:
        """Add a model's answer."""
        self._others.predict(self._task(), self._regions(), model_version="m1")


def open_round(context: Context, directory: Path, count: int) -> int:
    """A repository with a started round of `count` tasks; gives the Label Studio project."""
    config = write_label_config(["brie", "gouda"], LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{context.lake.repository}")
    draw_pictures(directory, count)
    add_media(context, [directory])
    manifest = start_round(context, NAME, Selection()).manifest
    assert manifest is not None
    assert manifest.project is not None
    return manifest.project


def read_project(servers: Connection, project: int) -> Mapping[str, frozenset[Answer]]:
    """Every answer in the project by key, from one export of everything."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    emails = studio.members()
    found: dict[str, set[Answer]] = {}
    for document in export_everything(studio, project):
        for one in document["annotations"]:
            answer = (
                one["unique_id"],
                emails[one["completed_by"]],
                one["was_cancelled"],
                regions(one["result"]),
            )
            found.setdefault(str(document["data"].get("key")), set()).add(answer)
    studio.close()
    return {key: frozenset(answers) for key, answers in found.items()}


def export_everything(studio: LabelStudio, project: int) -> list[dict[str, Any]]:
    """The whole project in Label Studio's export form."""
    asked = {"exportType": "JSON", "download_all_tasks": "true"}
    return studio.http.get(f"/api/projects/{project}/export", params=asked).json()


def miscounted(studio: Studio, project: int) -> int:
    """How many tasks hold other annotations than their own counters say."""
    rows = {row.id: (row.annotation_count, row.skipped_count) for row in studio.task_rows(project)}
    documents = studio.export(project, [*rows])
    return sum(rows[cast("int", one["id"])] != held(one) for one in documents)


def held(document: Mapping[str, Json]) -> tuple[int, int]:
    """The answers and the skips in an exported task."""
    annotations = cast("list[dict[str, Any]]", document["annotations"])
    skipped = sum(one["was_cancelled"] for one in annotations)
    return len(annotations) - skipped, skipped


def regions(result: list[dict[str, Any]] | None) -> str:
    """The regions in an order of their own; Python calls 30 and 30.0 equal, and so do we here."""
    plain = json.loads(json.dumps(result or []), parse_int=float)
    return json.dumps(sorted(plain, key=lambda one: str(one["id"])), sort_keys=True)


def read_branch(context: Context) -> Mapping[str, frozenset[Answer]]:
    """Every answer in the branch's records, by key."""
    branch = f"round-{NAME}"
    paths = [found.path for found in context.lake.list_objects(branch, RECORD_PREFIX)]
    answers: dict[str, frozenset[Answer]] = {}
    for path, data in context.lake.read_many(branch, paths):
        answers[record_key(path)] = frozenset(
            (one["unique_id"], one["annotator"], one["skipped"], regions(one["result"]))
            for one in json.loads(data)["annotations"]
        )
    return answers


def different(
    found: Mapping[str, frozenset[Answer]], expected: Mapping[str, frozenset[Answer]]
) -> Mapping[str, tuple[list[Answer], list[Answer]]]:
    """The keys whose answers are not the expected ones: those found, those expected."""
    wanted = {key: expected.get(key, frozenset[Answer]()) for key in found}
    return {
        key: (sorted(answers - wanted[key]), sorted(wanted[key] - answers))
        for key, answers in found.items()
        if answers != wanted[key]
    }


def states(answers: Mapping[str, frozenset[Answer]], keys: list[str]) -> Counter[str]:
    """How many of the tasks are labeled, empty, skipped, unfinished."""
    tally = Counter[str]()
    for key in keys:
        own = answers.get(key, frozenset())
        shown = [one for one in own if not one[2]]
        labeled = any(one[3] != "[]" for one in shown)
        rest = "empty" if shown else "skipped" if own else "unfinished"
        tally["labeled" if labeled else rest] += 1
    return tally


def check_counts(synced: Synced) -> None:
    """The count law: every task of the manifest, in one state each."""
    assert synced.counts.tasks == synced.round.manifest.task_count == TASK_COUNT


def chance() -> int:
    """The seed of this run, shown where the test fails."""
    seed = int(os.environ.get("OPS_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"OPS_TEST_SEED={seed}")  # noqa: T201 - pytest shows it where the test fails
    return seed


def board_of(context: Context, project: int, *, hot_count: int) -> Board:
    """What the writers start from."""
    rows = list(context.studio.task_rows(project))
    return Board(
        project=project,
        data={str(row.key): dict(row.data) for row in rows},
        tasks=[row.id for row in rows],
        hot=[row.id for row in rows[:hot_count]],
    )


def members_of(servers: Connection, count: int) -> list[int]:
    """Some people's ids."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ids = [people.ensure_member(f"ann-{number}@example.org") for number in range(count)]
    studio.close()
    return ids


def test_twenty_writers(servers: Connection, tmp_path: Path) -> None:
    seed = chance()
    context = real_context(servers, f"test-{uuid4().hex[:12]}", overlap_s=OVERLAP_S)
    project = open_round(context, tmp_path / "pictures", TASK_COUNT)
    members = members_of(servers, 4)
    board = board_of(context, project, hot_count=HOT_COUNT)
    keys = sorted(board.data)
    check_counts(sync_round(context, NAME))

    deadline = time.monotonic() + PATIENCE_S
    writers = [
        Writer(servers, board, seed=seed + number, member=members[number % len(members)])
        for number in range(WRITER_COUNT)
    ]
    synced = 0
    with ThreadPoolExecutor(WRITER_COUNT) as pool:
        futures: list[Future[None]] = [pool.submit(one.work, deadline) for one in writers]
        while not all(future.done() for future in futures):
            check_counts(sync_round(context, NAME))
            synced += 1
    for future in futures:
        future.result()
    wrong = miscounted(context.studio, project)
    print(f"{synced} syncs beside {dict(board.done)}; {wrong} tasks miscount themselves")  # noqa: T201
    assert synced >= 2
    assert board.done["answer"] >= 20

    last = sync_round(context, NAME)
    check_counts(last)
    expected, found = read_project(servers, project), read_branch(context)
    assert sorted(found) == keys
    assert different(found, expected) == {}
    counts = last.counts.as_mapping()
    assert states(expected, keys) == {
        name: count for name, count in counts.items() if count and name != "tasks"
    }

    proof = sync_round(context, NAME, full=True)
    check_counts(proof)
    assert (proof.changed, proof.commit) == ((), None)
    assert (proof.foreign, proof.repeated) == (last.foreign, last.repeated)


def test_several_people_at_the_same_few_tasks(servers: Connection, tmp_path: Path) -> None:
    """Tasks may miscount themselves for good then: it costs no sync a scan, and no answer."""
    seed = chance()
    context = real_context(servers, f"test-{uuid4().hex[:12]}")
    project = open_round(context, tmp_path / "pictures", 3)
    board = board_of(context, project, hot_count=3)
    sync_round(context, NAME)
    [member] = members_of(servers, 1)
    writers = [Writer(servers, board, seed=seed + number, member=member) for number in range(8)]
    with ThreadPoolExecutor(len(writers)) as pool:
        for one in [pool.submit(writer.label, time.monotonic() + 20) for writer in writers]:
            one.result()
    sync_round(context, NAME)
    wrong = miscounted(context.studio, project)
    print(f"{dict(board.done)}; {wrong} tasks miscount themselves")  # noqa: T201
    assert different(read_branch(context), read_project(servers, project)) == {}
    again = sync_round(context, NAME)
    assert (again.scanned, again.commit) == (False, None)
    assert sync_round(context, NAME, full=True).commit is None
