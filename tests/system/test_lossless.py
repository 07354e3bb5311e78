"""What people said survives Label Studio → record → a fresh Label Studio project → record."""

import uuid
from collections.abc import Iterator, Sequence

import pytest

from ops.core.canonical import content, decode_record, encode_record
from ops.core.exports import identity_number
from ops.core.ontology import parse_ontology
from ops.core.records import Annotation, Origin, Record, TaskState
from ops.core.regions import value_of
from ops.local.state import Connection
from tests.controls import CASES, Case, Region, Result
from tests.desk import Desk, item, open_desk, prediction

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def desk(servers: Connection) -> Iterator[Desk]:
    """Label Studio, and two people at it."""
    with open_desk(servers) as desk:
        yield desk


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def _by_id(record: Record) -> dict[str, Annotation]:
    return {annotation.unique_id: annotation for annotation in record.annotations}


def _moved(region: Region, x: float) -> Region:
    return {**region, "value": {**value_of(region), "x": x}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fresh_project_gives_back_the_same_bytes(desk: Desk, case: Case) -> None:
    """Export, record, import, export, record: no byte differs, and no memory of ours helped."""
    project, tasks = desk.fill(case)
    record = desk.read(case, project, tasks)
    data = encode_record(record)

    fresh = desk.open(case)
    copies = desk.put(fresh, case, decode_record(data))
    again = desk.read(case, fresh, copies, _by_id(record))
    assert encode_record(again) == data
    assert parse_ontology(case.label_config).unknown_labels(again) == ()

    # Nothing of it is owed to our memory: what Label Studio holds now says the same.
    unaided = desk.read(case, fresh, copies)
    assert sorted(map(content, unaided.annotations)) == sorted(map(content, record.annotations))
    assert len(unaided.annotations) == 4
    assert not _by_id(unaided).keys() & _by_id(record).keys()


def test_reading_twice_gives_the_same_bytes(desk: Desk) -> None:
    """The same project makes the same record."""
    case = _case("per-region")
    project, tasks = desk.fill(case)
    one, two = desk.read(case, project, tasks), desk.read(case, project, tasks)
    assert encode_record(one) == encode_record(two)


def test_an_import_carries_the_identity(desk: Desk) -> None:
    """Label Studio gives the sent `id` back as `import_id`."""
    case = _case("rectangle")
    project, tasks = desk.fill(case)
    record = desk.read(case, project, tasks)
    fresh = desk.open(case)
    [document] = desk.studio.export(fresh, desk.put(fresh, case, record))
    found = document["annotations"]
    assert isinstance(found, list)
    numbers = [one["import_id"] for one in found if isinstance(one, dict)]
    # Label Studio keeps the order in which they were sent.
    assert numbers == [identity_number(one.unique_id) for one in record.annotations]


def test_an_edited_annotation_stays_itself(desk: Desk) -> None:
    """An edit keeps identity, author and birthday; taken back, nothing has happened."""
    case = _case("rectangle")
    project, tasks = desk.fill(case)
    before = desk.read(case, project, tasks)
    mine = next(one for one in before.annotations if one.ground_truth)
    fresh = desk.open(case)
    copies = desk.put(fresh, case, before)
    [copy] = _ids(desk, fresh, copies, identity_number(mine.unique_id))
    desk.people.update_annotation(
        copy, [_moved(case.first[0], 90.5), case.first[1]], lead_time_s=30
    )

    after = desk.read(case, fresh, copies, _by_id(before))
    assert _by_id(after).keys() == _by_id(before).keys()
    for unique_id, unchanged in _by_id(before).items():
        if unique_id != mine.unique_id:
            assert _by_id(after)[unique_id] == unchanged
    edited = _by_id(after)[mine.unique_id]
    assert (edited.annotator, edited.created_at) == (mine.annotator, mine.created_at)
    assert edited.round == f"round-of-{fresh}"
    assert edited.lead_time_s == 30
    assert edited.updated_at > mine.updated_at
    assert edited.ground_truth
    # In the record regions are ordered by id.
    assert edited.result == (case.first[1], _moved(case.first[0], 90.5))

    desk.people.update_annotation(copy, case.first)
    assert encode_record(desk.read(case, fresh, copies, _by_id(before))) == encode_record(before)


def _ids(desk: Desk, project: int, tasks: Sequence[int], import_id: int) -> list[int]:
    return [
        annotation["id"]
        for document in desk.studio.export(project, tasks)
        if isinstance(found := document["annotations"], list)
        for annotation in found
        if isinstance(annotation, dict)
        and annotation["import_id"] == import_id
        and isinstance(annotation["id"], int)
    ]


def test_a_deleted_annotation_is_gone_and_a_new_one_comes(desk: Desk) -> None:
    """Deletions and additions of a later round are followed."""
    case = _case("polygon")
    project, tasks = desk.fill(case)
    before = desk.read(case, project, tasks)
    gone = next(one for one in before.annotations if one.ground_truth)
    fresh = desk.open(case)
    copies = desk.put(fresh, case, before)
    [copy] = _ids(desk, fresh, copies, identity_number(gone.unique_id))
    assert desk.people.delete_annotation(copy)
    unique_id = str(uuid.uuid4())
    desk.people.annotate(copies[0], case.second, annotator=desk.first, unique_id=unique_id)

    after = desk.read(case, fresh, copies, _by_id(before))
    expected = _by_id(before).keys() - {gone.unique_id} | {unique_id}
    assert _by_id(after).keys() == expected


def test_a_record_imported_twice_counts_once(desk: Desk) -> None:
    """Two tasks of one key, as a crash between import and note leaves them."""
    case = _case("keypoint")
    project, tasks = desk.fill(case)
    before = desk.read(case, project, tasks)
    fresh = desk.open(case)
    copies = desk.put(fresh, case, before) + desk.put(fresh, case, before)
    after = desk.read(case, fresh, copies, _by_id(before))
    assert encode_record(after) == encode_record(before)


def test_drafts_and_predictions_are_no_labels(desk: Desk) -> None:
    """A task with a draft and a prediction is unfinished."""
    case = _case("rectangle")
    project = desk.open(case)
    [task] = desk.studio.import_tasks(project, [item(case, predictions=[prediction(case)])])
    desk.draft(case, project, task)
    [document] = desk.studio.export(project, [task])
    assert document["drafts"]
    assert document["predictions"]
    record = desk.read(case, project, [task])
    assert record.state is TaskState.UNFINISHED
    assert record.annotations == ()


def test_an_accepted_prediction_is_remembered(desk: Desk) -> None:
    """A region taken from a prediction says so; one that merely lay beside it does not."""
    case = _case("rectangle")
    project = desk.open(case)
    [task] = desk.studio.import_tasks(project, [item(case, predictions=[prediction(case)])])
    taken: Result = [
        {**case.first[0], "origin": "prediction"},
        {**case.first[1], "origin": "manual"},
    ]
    desk.people.annotate(task, taken, annotator=desk.first)
    desk.people.annotate(task, case.first, annotator=desk.second)

    record = desk.read(case, project, [task])
    accepted, alone = record.annotations
    assert accepted.prediction == {"model_version": "m1", "score": 0.5}
    assert accepted.origins == {"b2": Origin.ACCEPTED}
    assert alone.prediction is None
    assert alone.origins == {}


def test_people_are_told_apart(desk: Desk) -> None:
    """Who said what survives a second project."""
    case = _case("choices-single")
    project, tasks = desk.fill(case)
    members = desk.studio.members()
    record = desk.read(case, project, tasks)
    by_annotator = {(one.annotator, one.skipped) for one in record.annotations}
    assert {(members[desk.first], True), (members[desk.first], False)} <= by_annotator
    assert (members[desk.second], False) in by_annotator

    fresh = desk.open(case)
    unaided = desk.read(case, fresh, desk.put(fresh, case, record))
    assert {(one.annotator, one.skipped) for one in unaided.annotations} == by_annotator


@pytest.mark.parametrize(
    ("results", "skipped", "state"),
    [
        ([], False, TaskState.EMPTY),
        ([], True, TaskState.SKIPPED),
        (_case("rectangle").first, True, TaskState.SKIPPED),
        (_case("rectangle").first, False, TaskState.LABELED),
    ],
    ids=["empty", "skipped", "skipped-with-a-rest", "labeled"],
)
def test_the_four_states(desk: Desk, results: Result, skipped: bool, state: TaskState) -> None:
    """Empty, skipped and labeled, each told from unfinished."""
    case = _case("rectangle")
    project = desk.open(case)
    tasks = desk.studio.import_tasks(project, [item(case)])
    assert desk.read(case, project, tasks).state is TaskState.UNFINISHED
    desk.people.annotate(tasks[0], results, annotator=desk.first, skipped=skipped)
    assert desk.read(case, project, tasks).state is state
