"""An import from files to a version, on the servers in memory."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.core.canonical import decode_record
from ops.core.label_config import LabelKind
from ops.core.names import import_path
from ops.core.pixels import corners_of_box, to_pixels
from ops.core.records import Json, Origin, TaskKey, TaskState
from ops.core.regions import value_of
from ops.core.selection import Selection
from ops.errors import ConflictError, OpsError, RefusedError
from ops.ports import Upload
from ops.runner.abort import abort_round
from ops.runner.finish import finish_round
from ops.runner.round_tasks import drop_tasks
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.runner.importing import Desk, voc


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty repository for cats and dogs."""
    return Desk(tmp_path)


def corners(region: Mapping[str, Json], size: tuple[int, int] = (640, 480)) -> tuple[float, ...]:
    """A box's corners in pixels."""
    value = value_of(region)
    sides = [value[name] for name in ("x", "y", "width", "height")]
    x, y, width, height = (one for one in sides if isinstance(one, int | float))
    return corners_of_box(to_pixels((x, y, width, height), *size))


def two_files(desk: Desk) -> Path:
    """A VOC file with two boxes, and one with none."""
    desk.draw("a.jpg", "b.jpg", "c.jpg")
    desk.write("voc/a.xml", voc("a.jpg", ("cat", 87, 1, 640, 479), ("dog", 3, 5, 4, 6)))
    return desk.write("voc/b.xml", voc("b.jpg")).parent


def test_an_import_becomes_a_version(desk: Desk) -> None:
    """Pictures come along, people look, finish makes v1; every corner is the one of the file."""
    found = desk.take("voc", two_files(desk), annotator="old@example.org")
    assert (found.pictures, found.counts.labeled, found.counts.empty) == (2, 1, 1)
    assert (found.annotation_count, found.region_count, found.unspoken) == (2, 2, 1)
    assert found.added
    assert found.added.added == ("a.jpg", "b.jpg")
    synced = sync_round(desk.context, "old")
    assert synced.counts == found.counts
    finished = finish_round(desk.context, "old")
    assert finished.version == 1
    [annotation] = desk.record("a.jpg").annotations
    assert annotation.annotator == "old@example.org"
    assert set(annotation.origins.values()) == {Origin.IMPORTED}
    boxes = sorted(corners(region) for region in annotation.result)
    assert boxes == [(3, 5, 4, 6), (87, 1, 640, 479)]
    assert desk.record("b.jpg").state is TaskState.EMPTY


def test_a_dry_run_writes_nothing_and_says_what_the_run_does(desk: Desk) -> None:
    """The same figures and the same steps."""
    folder = two_files(desk)
    planned = desk.take("voc", folder, dry_run=True)
    assert list(desk.lake.branches()) == [("main", desk.lake.find_commit("main"))]
    assert not list(desk.lake.list_objects("main", "images/"))
    done = desk.take("voc", folder)
    assert planned.started
    assert done.started
    kinds = [step.kind for step in done.started.steps]
    assert [step.kind for step in planned.started.steps] == kinds
    assert (planned.counts, planned.region_count) == (done.counts, done.region_count)
    assert planned.started.keys == done.started.keys


def test_what_nobody_touched_stays_byte_for_byte(desk: Desk) -> None:
    """Though Label Studio gave it other ids and times; what somebody changed is theirs."""
    desk.take("voc", two_files(desk))
    [line, _] = (desk.lake.read("round-old", import_path("old")) or b"").splitlines()
    [put] = decode_record(line).annotations
    desk.clock.advance(60)
    document = next(iter(desk.studio.export(1, [desk.task("b.jpg")])))
    annotations = document["annotations"]
    assert isinstance(annotations, list)
    [theirs] = annotations
    assert isinstance(theirs, dict)
    number = theirs["id"]
    assert isinstance(number, int)
    desk.studio.update_annotation(number, [_box("cat")])
    finish_round(desk.context, "old")
    assert desk.record("a.jpg").annotations == (put,)
    [edited] = desk.record("b.jpg").annotations
    assert (edited.origins, edited.annotator) == ({}, desk.context.actor)
    assert edited.unique_id != put.unique_id
    assert desk.record("b.jpg").state is TaskState.LABELED


def _box(label: str) -> dict[str, Json]:
    return {
        "id": "new", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "original_width": 640, "original_height": 480, "image_rotation": 0,
        "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0,
                  "rectanglelabels": [label]},
    }  # fmt: skip


def test_what_main_has_stays_beside_what_is_imported(desk: Desk) -> None:
    """The earlier answer keeps its bytes; the task counts once."""
    folder = two_files(desk)
    desk.put("a.jpg")
    start_round(desk.context, "first", Selection())
    desk.label("a.jpg", "cat")
    finish_round(desk.context, "first")
    [before] = desk.record("a.jpg").annotations
    desk.take("voc", folder)
    project = max(desk.studio.projects)
    document = next(iter(desk.studio.export(project, [desk.task("a.jpg", project)])))
    assert isinstance(document["annotations"], list)
    assert len(document["annotations"]) == 1
    finished = finish_round(desk.context, "old")
    assert (finished.counts.tasks, finished.counts.labeled) == (2, 1)
    after = desk.record("a.jpg").annotations
    assert len(after) == 2
    assert before in after


def test_the_same_files_again_bring_nothing(desk: Desk) -> None:
    """While the round is open, under another name, after it is finished, and after an edit."""
    folder = two_files(desk)
    desk.take("voc", folder)
    again = desk.take("voc", folder)
    assert again.started
    assert again.started.steps == ()
    other = desk.take("voc", folder, round_name="other")
    assert (other.started, other.there) == (None, ("a.jpg", "b.jpg"))
    finish_round(desk.context, "old")
    records = desk.records()
    for name in ("old", "third"):
        found = desk.take("voc", folder, round_name=name)
        assert (found.started, len(found.there)) == (None, 2)
    assert desk.records() == records


def test_what_people_removed_does_not_come_back(desk: Desk) -> None:
    """Somebody looked at it, and decided."""
    folder = two_files(desk)
    desk.take("voc", folder)
    task = desk.task("a.jpg")
    [number] = [a.id for a in desk.studio.annotations.values() if a.task == task]
    desk.studio.delete_annotation(number)
    desk.label("a.jpg", "dog")
    finish_round(desk.context, "old")
    found = desk.take("voc", folder, round_name="again")
    assert (found.started, found.there) == (None, ("a.jpg", "b.jpg"))


def test_a_changed_file_is_named_and_replaces_only_if_asked(desk: Desk) -> None:
    """One answer stays one answer, with its identity."""
    folder = two_files(desk)
    desk.take("voc", folder)
    finish_round(desk.context, "old")
    [before] = desk.record("a.jpg").annotations
    desk.clock.advance(60)
    desk.write("voc/a.xml", voc("a.jpg", ("cat", 88, 1, 640, 479)))
    with pytest.raises(ConflictError) as caught:
        desk.take("voc", folder, round_name="newer")
    assert (caught.value.code, caught.value.subject) == ("import-changed", "a.jpg")
    assert "--replace" in caught.value.hint
    assert desk.lake.find_commit("round-newer") is None
    found = desk.take("voc", folder, round_name="newer", replace=True)
    assert (found.counts.tasks, found.there) == (1, ("b.jpg",))
    finish_round(desk.context, "newer")
    [after] = desk.record("a.jpg").annotations
    assert (after.unique_id, after.created_at) == (before.unique_id, before.created_at)
    assert [corners(region) for region in after.result] == [(88, 1, 640, 479)]
    other = desk.take("voc", folder, round_name="another", source="another")
    assert other.counts.tasks == 2


def test_an_import_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    """Before and after each request that writes; the version is the same each time."""
    expected: Mapping[str, bytes] = {}
    for place in range(200):
        folder = tmp_path / str(place)
        folder.mkdir()
        desk = Desk(folder)
        source = two_files(desk)
        crashes = _Crash(place)
        desk.watch(crashes, crashes)
        try:
            desk.take("voc", source)
        except _KilledError:
            desk.watch(lambda _: None, lambda _: None)
            desk.take("voc", source)
        desk.watch(lambda _: None, lambda _: None)
        finish_round(desk.context, "old")
        assert len(desk.studio.projects) == 1
        records = desk.records()
        expected = expected or records
        assert records == expected, place
        if not crashes.happened:
            return
    pytest.fail("an import has no end")


class _KilledError(Exception):
    """The end of the process."""


class _Crash:
    """Ends the process at the n-th moment before or after a request that writes."""

    def __init__(self, place: int) -> None:
        self._left = place
        self.happened = False

    def __call__(self, method: str) -> None:
        if not method.startswith(_WRITES):
            return
        self._left -= 1
        if self._left < 0 and not self.happened:
            self.happened = True
            raise _KilledError


_WRITES = ("write", "create", "commit", "merge", "delete", "import", "connect", "close")


def test_a_begun_import_is_not_taken_for_a_plain_round(desk: Desk) -> None:
    """A killed import without a manifest is gone on with by importing alone."""
    folder = two_files(desk)
    kill = _Crash(_place_of(desk, "write_if_absent"))
    desk.watch(kill, lambda _: None)
    with pytest.raises(_KilledError):
        desk.take("voc", folder)
    desk.watch(lambda _: None, lambda _: None)
    with pytest.raises(RefusedError) as caught:
        start_round(desk.context, "old", Selection())
    assert caught.value.code == "import-begun"
    assert desk.take("voc", folder).counts.tasks == 2


def _place_of(desk: Desk, method: str) -> int:
    """How many writes come before the second call of a method, on a desk like this one."""
    folder = desk.folder / "rehearsal"
    folder.mkdir()
    other = Desk(folder)
    called: list[str] = []
    other.watch(called.append, lambda _: None)
    other.take("voc", two_files(other))
    writes = [name for name in called if name.startswith(_WRITES)]
    first = writes.index(method)
    return writes.index(method, first + 1)


def test_a_round_that_reviews_something_else_is_left_alone(desk: Desk) -> None:
    """Another import, or none, of the same name."""
    folder = two_files(desk)
    desk.put("c.jpg")
    start_round(desk.context, "plain", Selection())
    with pytest.raises(RefusedError) as caught:
        desk.take("voc", folder, round_name="plain")
    assert caught.value.code == "round-exists"
    desk.take("voc", folder)
    desk.write("voc/c.xml", voc("c.jpg", ("cat", 1, 2, 3, 4)))
    with pytest.raises(RefusedError) as caught:
        desk.take("voc", folder)
    assert caught.value.code == "round-exists"


def test_an_aborted_import_counts_for_nothing(desk: Desk) -> None:
    """The same files come in by another round; the aborted one's name is taken."""
    folder = two_files(desk)
    desk.take("voc", folder)
    abort_round(desk.context, "old")
    with pytest.raises(RefusedError) as caught:
        desk.take("voc", folder)
    assert caught.value.code == "round-aborted"
    assert desk.take("voc", folder, round_name="again").counts.tasks == 2
    assert finish_round(desk.context, "again").version == 1


def test_a_task_removed_in_label_studio_brings_no_label(desk: Desk) -> None:
    """It counts as unfinished, a start puts it back, and nothing is taken unseen."""
    desk.take("voc", two_files(desk))
    desk.studio.delete_tasks(1, [desk.task("a.jpg")])
    synced = sync_round(desk.context, "old", full=True)
    assert (synced.vanished, synced.counts.unfinished) == (("a.jpg",), 1)
    with pytest.raises(OpsError) as caught:
        finish_round(desk.context, "old")
    assert caught.value.code == "unlabeled-tasks"
    start_round(desk.context, "old", Selection())
    assert finish_round(desk.context, "old").counts.labeled == 1


def test_label_studio_json_comes_in_whole(desk: Desk) -> None:
    """Identity, people, times, skips and ground truth, and what else the task says."""
    desk.put("a.jpg")
    annotations: list[Json] = [
        {"unique_id": "11111111-1111-4111-8111-111111111111", "result": [_box("cat")],
         "completed_by": {"id": 4, "email": "ann@example.org"}, "lead_time": 2.5,
         "created_at": "2026-01-02T03:04:05.678901Z", "updated_at": "2026-01-02T03:04:06Z",
         "was_cancelled": False, "ground_truth": True},
        {"unique_id": "22222222-2222-4222-8222-222222222222", "result": [], "completed_by": 9,
         "was_cancelled": True, "ground_truth": False},
    ]  # fmt: skip
    data: Json = {"image": "/data/upload/1/0a1b2c3d-a.jpg", "title": "A cat"}
    export: list[Json] = [{"id": 1, "data": data, "annotations": annotations}]
    path = desk.write("export.json", json.dumps(export))
    found = desk.take("labelstudio", path, given=False)
    assert [one.what for one in found.losses] == ["annotators' e-mails: the file has none"]
    finish_round(desk.context, "old")
    record = desk.record("a.jpg")
    assert record.task.data == {"title": "A cat"}
    by_id = {one.unique_id[:1]: one for one in record.annotations}
    first, second = by_id["1"], by_id["2"]
    assert first.result == (_box("cat"),)
    assert (first.annotator, first.lead_time_s, first.ground_truth) == (
        "ann@example.org",
        2.5,
        True,
    )
    assert first.created_at == "2026-01-02T03:04:05.678901Z"
    assert first.updated_at == "2026-01-02T03:04:06.000000Z"
    assert (second.annotator, second.skipped) == ("unknown-user-9", True)


def test_a_later_round_keeps_the_data_of_a_task(desk: Desk) -> None:
    """Though it is told nothing of it."""
    desk.put("a.jpg")
    path = desk.write("labels.csv", "image,label,shop\na.jpg,cat,north\n")
    choices = Desk(desk.folder / "choices", kind=LabelKind.CHOICES)
    choices.put("a.jpg")
    choices.take("csv", path, given=False)
    finish_round(choices.context, "old")
    assert choices.record("a.jpg").task.data == {"shop": "north"}
    start_round(choices.context, "more", Selection(labeled_too=True))
    choices.studio.annotate(choices.task("a.jpg"), [], annotator=choices.ann)
    finish_round(choices.context, "more")
    record = choices.record("a.jpg")
    assert (record.task.data, len(record.annotations)) == ({"shop": "north"}, 2)


@pytest.mark.parametrize("is_labeled", [False, True])
def test_a_task_dropped_from_the_round_can_be_imported_again(
    desk: Desk, *, is_labeled: bool
) -> None:
    """Its labels never came to main, though the round's import had them, and main others."""
    folder = two_files(desk)
    if is_labeled:
        desk.put("a.jpg")
        start_round(desk.context, "first", Selection())
        desk.label("a.jpg", "cat")
        finish_round(desk.context, "first")
    desk.take("voc", folder)
    sync_round(desk.context, "old")
    one = Selection(keys=(TaskKey("a.jpg"),))
    with pytest.raises(RefusedError) as caught:
        drop_tasks(desk.context, "old", one)
    assert caught.value.code == "answered-tasks"
    drop_tasks(desk.context, "old", one, discard_answers=True)
    assert finish_round(desk.context, "old").counts.tasks == 1
    again = desk.take("voc", folder, round_name="again")
    assert (again.there, again.counts.labeled) == (("b.jpg",), 1)
    assert finish_round(desk.context, "again").counts.labeled == 1
    assert len(desk.record("a.jpg").annotations) == 1 + is_labeled


def test_an_import_that_somebody_edits_in_the_repository_is_noticed(desk: Desk) -> None:
    """By the round, before anything is taken from it."""
    desk.take("voc", two_files(desk))
    sync_round(desk.context, "old")
    path = import_path("old")
    data = desk.lake.read("round-old", path) or b""
    desk.lake.write_many("round-old", [Upload(path=path, data=data.replace(b"cat", b"dog"))])
    with pytest.raises(OpsError) as caught:
        sync_round(desk.context, "old", full=True)
    assert (caught.value.code, caught.value.subject) == ("import-list", path)
