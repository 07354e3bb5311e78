"""An edit round on the real servers: of sixty answers twelve are changed, and only their records.

Answers of two people, empty and skipped ones are put before annotators again; a third person edits
some of them in each way there is, and saves others as they are.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.core.canonical import decode_record
from ops.core.names import RECORD_PREFIX, record_key
from ops.core.records import Annotation, Json, Record, TaskKey
from ops.core.regions import labels
from ops.lake import LakeFS
from ops.local import Connection
from ops.parquet import read_rows
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers

COUNT = 60
Result = Sequence[Mapping[str, Json]]


def box(name: str, label: str, x: float = 10.0) -> dict[str, Json]:
    """A region as Label Studio's editor makes it."""
    return {
        "id": name, "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "original_width": 160, "original_height": 120, "image_rotation": 0,
        "value": {
            "x": x, "y": 20.125, "width": 30.0625, "height": 25, "rotation": 0,
            "rectanglelabels": [label],
        },
    }  # fmt: skip


def key(number: int) -> TaskKey:
    return TaskKey(f"p{number:03}.png")


def pair(number: int) -> tuple[dict[str, Json], dict[str, Json]]:
    return box("a", "brie", x=number / 3), box("b", "gouda", x=50.5)


def answer(number: int) -> Result:
    """What is said of a picture at first: two boxes, or for every twelfth none."""
    return [] if number % 12 == 11 else pair(number)


SKIPPED = frozenset({20, 40})
TWICE = frozenset({5, 15})
"""Pictures a second person answered, too."""


@dataclass(kw_only=True)
class Floor:
    """The dataset, its rounds and the people in them."""

    ops: Ops
    lake: LakeFS
    studio: LabelStudio
    people: StudioAnnotators
    members: dict[str, int] = field(default_factory=dict[str, int])

    def records(self, ref: str) -> dict[str, bytes]:
        """Every record's bytes at a ref, by path."""
        paths = [found.path for found in self.lake.list_objects(ref, RECORD_PREFIX)]
        return dict(self.lake.read_many(ref, paths))

    def answers(self, project: int) -> dict[TaskKey, list[Mapping[str, Json]]]:
        """Label Studio's annotations of each task, as they were put there."""
        rows = {row.id: row.key for row in self.studio.task_rows(project)}
        found: dict[TaskKey, list[Mapping[str, Json]]] = {}
        for document in self.studio.export(project, list(rows)):
            task, listed = document["id"], document["annotations"]
            assert isinstance(task, int)
            assert isinstance(listed, list)
            name = rows[task]
            assert name is not None
            found[name] = [one for one in listed if isinstance(one, dict)]
        return found


@pytest.fixture
def floor(servers: Connection, tmp_path: Path) -> Iterator[Floor]:
    """Sixty answered pictures, finished as v1."""
    ops = Ops(tmp_path, servers)
    draw_pictures(tmp_path / "pictures", COUNT)
    ops.run("init", "--labels", "brie,gouda,edam", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    project = ops.run("round", "start", "first").data["project"]
    keys = servers.lakefs_access_key_id, servers.lakefs_secret_access_key
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        floor = Floor(
            ops=ops,
            lake=LakeFS(servers.lakefs_url, *keys, ops.repository),
            studio=studio,
            people=people,
        )
        for name in ("ann", "ben"):
            floor.members[name] = people.ensure_member(f"{name}@example.org")
        tasks = {row.key: row.id for row in studio.task_rows(project)}
        for number in range(COUNT):
            who = floor.members["ann" if number % 2 else "ben"]
            skipped = number in SKIPPED
            people.annotate(
                tasks[key(number)], answer(number), annotator=who, skipped=skipped, lead_time_s=1.5
            )
        for number in TWICE:
            result = [box("c", "brie", x=33)]
            people.annotate(tasks[key(number)], result, annotator=floor.members["ben"])
        ops.run("round", "finish", "first", "--yes")
        yield floor


def edits(number: int) -> tuple[Result, bool] | None:
    """The twelve edits: what each task's first answer becomes, and whether it is a skip."""
    first, second = pair(number)
    found: dict[int, tuple[Result, bool]] = {
        1: ([box("a", "brie", x=1.75), second], False),  # a box moved
        2: ([first, box("b", "edam", x=50.5)], False),  # a label changed
        3: ([first], False),  # a region deleted
        4: ([first, second, box("new", "gouda", x=65)], False),  # a region added
        5: ([first, box("b", "gouda", x=51)], False),  # one of two people's answers
        6: ([], False),  # emptied
        7: ([first, second], True),  # skipped
        11: ([box("found", "edam")], False),  # no more empty
        20: ([first, second], False),  # a skip taken back
        8: ([box("b", "brie"), box("a", "gouda")], False),  # everything at once
        9: ([second], True),  # skipped with a rest
        10: ([first, second, box("b2", "gouda", x=50.5)], False),  # drawn twice
    }
    return found.get(number)


SAVED_AGAIN = range(30, 40)
"""Pictures whose answer somebody opened and saved as it was."""


def edit(floor: Floor, project: int) -> set[TaskKey]:
    """Do all that through Label Studio's API, by its administrator; the keys of what was edited."""
    edited: set[TaskKey] = set()
    for name, found in floor.answers(project).items():
        number = int(name[1:4])
        [mine, *_] = sorted(found, key=lambda one: "c" in str(one["result"]).split("'id': '")[-1])
        ident, said = mine["id"], mine["result"]
        assert isinstance(ident, int)
        assert isinstance(said, list)
        regions = [one for one in said if isinstance(one, dict)]
        if (change := edits(number)) is not None:
            result, skipped = change
            floor.people.update_annotation(ident, result, skipped=skipped, lead_time_s=9)
            edited.add(name)
        elif number in SAVED_AGAIN:
            # As the editor saves what nobody changed: with a note of where each region came from.
            noted = [{**one, "origin": "manual"} for one in regions]
            floor.people.update_annotation(ident, noted, lead_time_s=9)
    return edited


def test_twelve_edits_are_a_diff_of_twelve(floor: Floor) -> None:
    """Every other record stays as it is, to the byte; what is counted is what the records hold."""
    before = floor.records("v1")
    assert len(before) == COUNT
    where = "label in ('brie', 'gouda') or state in ('empty', 'skipped')"
    started = floor.ops.run("round", "start", "fix", "--edit", "--where", where).data
    assert started["tasks"] == COUNT
    put = floor.answers(started["project"])
    assert sum(map(len, put.values())) == COUNT + len(TWICE)
    assert floor.ops.run("round", "sync", "fix").data["changed"] == []

    edited = edit(floor, started["project"])
    assert len(edited) == 12
    assert set(floor.ops.run("round", "sync", "fix").data["changed"]) == edited
    told = floor.ops.run("round", "diff", "fix").data["tasks"]
    assert (told["added"], told["removed"], len(told["changed"])) == ([], [], 12)
    floor.ops.run("round", "finish", "fix", "--yes")

    changes = list(floor.lake.diff("v1", "v2", RECORD_PREFIX))
    assert {record_key(one.path) for one in changes} == edited
    assert {one.kind.value for one in changes} == {"changed"}
    after = floor.records("v2")
    same = {path for path in before if record_key(path) not in edited}
    assert len(same) == COUNT - 12
    assert {path: after[path] for path in same} == {path: before[path] for path in same}
    _check_attribution(before, after, edited)
    _recount(floor, after)
    assert floor.ops.run("dataset", "verify", "--all").data["findings"] == []


def first(record: Record, ident: str) -> Annotation:
    return next(one for one in record.annotations if one.unique_id == ident)


def _check_attribution(
    before: Mapping[str, bytes], after: Mapping[str, bytes], edited: set[TaskKey]
) -> None:
    """An edited answer keeps its identity and annotator, and says who changed it and where."""
    for path in before:
        name = record_key(path)
        if name not in edited:
            continue
        old, new = (decode_record(data[path], key=name) for data in (before, after))
        assert [one.unique_id for one in new.annotations] == [
            one.unique_id for one in old.annotations
        ]
        touched = 0
        for one in old.annotations:
            now = first(new, one.unique_id)
            assert (now.annotator, now.created_at) == (one.annotator, one.created_at)
            if now != one:
                touched += 1
                assert now.round == "fix"
                assert now.updated_by not in {None, one.annotator}
                assert now.updated_at > one.updated_at
        assert touched == 1


def _recount(floor: Floor, records: Mapping[str, bytes]) -> None:
    """The snapshot's rows and the card's figures, counted again from the records' own JSON."""
    decoded = [decode_record(data, key=record_key(path)) for path, data in records.items()]
    answers = [one for record in decoded for one in record.annotations]
    regions = [region for one in answers for region in one.result]
    counted = [region for one in answers if not one.skipped for region in one.result]
    snapshot = floor.lake.read("v2", "snapshot/annotations.parquet")
    assert snapshot is not None
    rows = list(read_rows(snapshot, ["key", "label", "skipped"], path="annotations"))
    assert len(rows) == len(regions)
    named = Counter(label for region in counted for label in labels(region))
    assert Counter(str(row["label"]) for row in rows if not row["skipped"]) == named
    card = floor.lake.read("v2", "card.json")
    assert card is not None
    figures = json.loads(card)
    states = Counter(record.state.value for record in decoded)
    assert {name: count for name, count in figures["tasks"].items() if count} == {
        "tasks": COUNT, **states,
    }  # fmt: skip
    assert (figures["annotations"], figures["regions"]) == (len(answers), len(counted))
    told = {name: used["regions"] for name, used in figures["labels"].items()}
    assert {name: count for name, count in told.items() if count} == dict(named)
