"""`dataset revert` on the servers in memory: to a version, without a round, without a person."""

from typing import cast

import pytest

from ops.core.canonical import decode_record, encode_record
from ops.core.names import change_branch, media_path, record_path
from ops.core.records import Record, TaskKey, TaskState
from ops.core.regions import labels as labels_of
from ops.core.selection import Selection
from ops.core.settle import Policy
from ops.core.undo import Target
from ops.errors import ConflictError, InvalidDataError, NotFoundError, OpsError, RefusedError
from ops.ports import Upload
from ops.runner.change_merge import MergedChange, merge_change
from ops.runner.changes import Proposed
from ops.runner.dataset import list_versions, read_card
from ops.runner.finish import finish_round
from ops.runner.revert import (
    propose_revert,
    revert_round,
    revert_to,
    round_request,
    work_request,
)
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from tests.runner.world import World, region

ANN, BEN = "ann@example.org", "ben@example.org"


def finish(world: World, name: str) -> None:
    finish_round(world.context, name, allow_unlabeled=True)


def key(number: int) -> str:
    return f"p{number:03}.png"


def record(world: World, number: int, ref: str = "main") -> Record:
    data = world.lake.read(ref, record_path(TaskKey(key(number))))
    assert data is not None
    return decode_record(data, key=TaskKey(key(number)))


def paths(*numbers: int) -> set[str]:
    return {record_path(TaskKey(key(number))) for number in numbers}


def said_by(record: Record, annotator: str) -> list[bytes]:
    """One person's annotations as bytes, each as a record of its own."""
    return [
        encode_record(Record(task=record.task, annotations=(one,)))
        for one in record.annotations
        if one.annotator == annotator
    ]


def edit(world: World, number: int, of: str, *labels: str) -> None:
    """Change what somebody's annotation of the newest round says, as the administrator."""
    world.clock.advance(1)
    task = world.task(key(number))
    wanted = {email: user for user, email in world.studio.members().items()}[of]
    [annotation] = [
        one.id
        for one in world.studio.annotations.values()
        if (one.task, one.completed_by) == (task, wanted)
    ]
    regions = [region(label, place) for place, label in enumerate(labels)]
    world.studio.update_annotation(annotation, regions)


@pytest.fixture
def world() -> World:
    """v1: ann on 0 to 3. v2: ben on 2 to 5, and so beside her on 2 and 3."""
    world = World(8)
    start_round(world.context, "first", Selection(limit=4))
    for number in range(4):
        world.label(key(number), "brie")
    finish(world, "first")
    start_round(world.context, "second", Selection(labeled_too=True, limit=6))
    for number in range(2, 6):
        world.label(key(number), "gouda", by=world.ben)
    finish(world, "second")
    return world


def refused(world: World, name: str, code: str, error: type[OpsError]) -> None:
    with pytest.raises(error) as caught:
        revert_round(world.context, name)
    assert caught.value.code == code


def facts(done: MergedChange, world: World) -> dict[str, str]:
    assert done.commit
    return dict(world.lake.commit_facts(done.commit).metadata)


def test_back_to_a_version_is_a_new_version_with_its_records(world: World) -> None:
    """History stays; card and metadata say what it was; done again there is nothing to do."""
    planned = revert_to(world.context, "v1", dry_run=True)
    done = revert_to(world.context, "v1")
    assert planned.computed
    assert done.computed
    assert planned.version == done.version == 3
    assert planned.computed.as_json() == done.computed.as_json()
    assert world.records() == world.records("v1")
    assert facts(done, world)["ops.reverted_to"] == world.lake.find_commit("v1")
    assert "'cause': 'revert to v1'" in str(read_card(world.context, "v3"))
    again = revert_to(world.context, "v1")
    assert (again.version, again.already_done) == (None, True)
    assert [one.number for one in list_versions(world.context)] == [3, 2, 1]
    start_round(world.context, "open", Selection(labeled_too=True))
    with pytest.raises(RefusedError, match="not in main's history"):
        revert_to(world.context, "round-open")


def test_a_revert_of_a_revert(world: World) -> None:
    """Each has a name of its own on main."""
    second = world.records()
    revert_to(world.context, "v1")
    revert_to(world.context, "v2")
    assert world.records() == second
    third = revert_to(world.context, "v1")
    assert third.change.name == "revert-to-v1-2"
    assert world.records() == world.records("v1")


def test_back_from_what_nobody_can_read(world: World) -> None:
    """Something that is no record came onto main around ops: an older version replaces it."""
    good = world.records()
    lake = world.lake
    lake.create_branch("around", "main")
    odd = [next(iter(paths(0))), next(iter(paths(7)))]
    lake.write_many("around", [Upload(path=path, data=b"{}") for path in odd])
    lake.commit("around", "around", {})
    lake.merge("around", "main", "around", {})
    with pytest.raises(InvalidDataError):
        revert_round(world.context, "first")
    done = revert_to(world.context, "v2")
    assert done.computed
    assert len(done.computed.changed) == 2
    assert world.records() == good


def test_a_round_goes_and_what_came_later_stays(world: World) -> None:
    """Beside ann's annotations and on other tasks; the tasks only she had are open again."""
    before = {number: record(world, number) for number in range(6)}
    planned = revert_round(world.context, "first", dry_run=True)
    done = revert_round(world.context, "first")
    assert done.computed
    assert planned.computed
    assert planned.computed.as_json() == done.computed.as_json()
    assert done.computed.reopened == (key(0), key(1))
    assert set(world.records()) == paths(2, 3, 4, 5)
    for number in (2, 3):
        assert said_by(record(world, number), ANN) == []
        assert said_by(record(world, number), BEN) == said_by(before[number], BEN)
    for number in (4, 5):
        assert record(world, number) == before[number]
    assert facts(done, world)["ops.reverted_round"] == "first"
    assert revert_round(world.context, "first").version is None
    revert_to(world.context, "v2")
    assert {number: record(world, number) for number in range(6)} == before


def test_the_newest_round_goes_to_the_byte(world: World) -> None:
    """Nothing came later: main has the records of before."""
    revert_round(world.context, "second")
    assert world.records() == world.records("v1")


@pytest.fixture
def corrected(world: World) -> World:
    """v3 corrects ben's answers of v2 on task 2, and adds to ann's on task 3."""
    start_round(world.context, "third", Selection(labeled_too=True, edit=True))
    edit(world, 2, BEN, "brie")
    edit(world, 3, ANN, "brie", "gouda")
    finish(world, "third")
    return world


def test_later_work_on_the_same_is_asked(corrected: World) -> None:
    """Both answers are listed; nothing is written; each policy decides."""
    main = corrected.lake.find_commit("main")
    with pytest.raises(ConflictError) as caught:
        revert_round(corrected.context, "second")
    assert caught.value.code == "conflicts"
    [told] = caught.value.where
    assert "gone" in told[1] or "removed" in told[1]
    [conflict] = cast("list[dict[str, object]]", caught.value.details["conflicts"])
    assert conflict["task"] == key(2)
    assert corrected.lake.find_commit("main") == main
    done = revert_round(corrected.context, "second", Policy.OURS)
    assert done.computed
    assert done.computed.settled == (key(2),)
    assert len(said_by(record(corrected, 2), BEN)) == 1
    assert said_by(record(corrected, 3), BEN) == []
    assert facts(done, corrected)["ops.settled"] == "1"
    card = corrected.lake.read("main", "README.md")
    assert card
    assert "| revert round second |" in card.decode()
    assert "2 reopened, 1 in conflict (ours) |" in card.decode()
    assert revert_round(corrected.context, "second", Policy.OURS).version is None
    revert_round(corrected.context, "second", Policy.THEIRS)
    assert said_by(record(corrected, 2), BEN) == []


def test_a_round_can_be_reviewed_first(world: World) -> None:
    """The same change on a branch; merged, it is the same version."""
    request = round_request(world.context, "first", Policy.FAIL)
    found = propose_revert(world.context, request, None)
    assert found.branch == "change-revert-round-first"
    assert world.lake.find_commit("v3") is None
    reviewed = world.records(found.branch)
    merged = merge_change(world.context, found.change.name, rule_of)
    assert merged.version == 3
    assert world.records() == reviewed
    assert world.lake.find_commit(found.branch) is None


def test_rounds_that_cannot_be_undone(world: World) -> None:
    """There is none; it is open; it was aborted."""
    refused(world, "third", "no-such-round", NotFoundError)
    start_round(world.context, "third", Selection())
    refused(world, "third", "round-not-finished", RefusedError)


def without(world: World, annotator: str, since: str, **options: str) -> Proposed:
    target = Target(annotator=annotator or None, label=options.get("label"))
    request = work_request(world.context, target, since)
    return propose_revert(world.context, request, None)


def test_without_a_person_others_stay_to_the_byte(world: World) -> None:
    """Ann's since the start; the tasks she was alone on are what the next round takes."""
    before = {number: record(world, number) for number in range(6)}
    base = [c.id for c in world.lake.log("main", first_parent=True)][-3]
    found = without(world, ANN, base)
    merged = merge_change(world.context, found.change.name, rule_of)
    assert merged.computed
    assert merged.computed.reopened == (key(0), key(1))
    for number in range(6):
        assert said_by(record(world, number), ANN) == []
        assert said_by(record(world, number), BEN) == said_by(before[number], BEN)
    assert [record(world, number).state for number in (0, 1)] == [TaskState.UNFINISHED] * 2
    assert facts(merged, world)["ops.reverted_annotator"] == ANN
    start_round(world.context, "again", Selection())
    taken = {row.key for row in world.studio.task_rows(max(world.studio.projects))}
    assert taken == {key(0), key(1), key(6), key(7)}


def test_what_somebody_changed_goes_back(corrected: World) -> None:
    """The administrator's edits of both people's annotations: to the byte what v2 says."""
    assert record(corrected, 3) != record(corrected, 3, "v2")
    assert without(corrected, ANN, "v2").computed.is_empty
    found = without(corrected, corrected.studio.members()[1], "v2")
    merge_change(corrected.context, found.change.name, rule_of)
    assert corrected.records() == corrected.records("v2")


def test_a_class_goes_since_a_version(corrected: World) -> None:
    """The regions that have the label now; ann's other region stays."""
    found = without(corrected, "", "v2", label="gouda")
    assert [(label, one.removed) for label, one in found.computed.labels.labels.items()] == [
        ("gouda", 1)
    ]
    merge_change(corrected.context, found.change.name, rule_of)
    assert record(corrected, 3) == record(corrected, 3, "v2")


def test_nothing_of_theirs_since_is_nothing_to_do(world: World) -> None:
    """An annotator, or a class, that is known but did nothing."""
    found = without(world, ANN, "v2")
    assert found.computed.is_empty
    assert found.commit is None
    assert without(world, "", "v2", label="brie").computed.is_empty
    assert list(world.lake.branches(change_branch(""))) == []


def test_strangers_are_refused(world: World) -> None:
    """A slip of the pen is no success; who is known is told."""
    with pytest.raises(NotFoundError) as caught:
        without(world, "anne@example.org", "v1")
    assert caught.value.code == "no-such-annotator"
    assert ANN in caught.value.where[0][1]
    with pytest.raises(NotFoundError) as caught:
        without(world, "", "v1", label="bri")
    assert caught.value.code == "no-such-class"
    with pytest.raises(NotFoundError):
        without(world, ANN, "v9")
    start_round(world.context, "open", Selection())
    with pytest.raises(RefusedError, match="not in main's history"):
        without(world, ANN, "round-open")


def test_a_record_whose_image_is_gone_stays_out(world: World) -> None:
    """And one whose picture is another now comes back, and is named."""
    revert_to(world.context, "v1")
    lake = world.lake
    lake.create_branch("pictures", "main")
    lake.delete_many("pictures", [media_path(TaskKey(key(4)))])
    other = Upload(path=media_path(TaskKey(key(5))), data=b"another", content_type="image/png")
    lake.write_many("pictures", [other])
    lake.commit("pictures", "pictures", {})
    lake.merge("pictures", "main", "pictures", world.context.metadata("data-add"))
    done = revert_to(world.context, "v2")
    assert done.computed
    assert done.computed.without_image == (key(4),)
    assert done.computed.other_image == (key(5),)
    assert set(world.records()) == paths(0, 1, 2, 3, 5)
    assert revert_to(world.context, "v2").version is None


def test_labels_that_main_lacks_do_not_come_back(world: World) -> None:
    """Its ontology lost one of them since."""
    revert_to(world.context, "v1")
    lake = world.lake
    config = lake.read("main", "ontology/label_config.xml")
    assert config
    lake.create_branch("labels", "main")
    smaller = config.replace(b'value="gouda"', b'value="edam"')
    lake.write_many("labels", [Upload(path="ontology/label_config.xml", data=smaller)])
    lake.commit("labels", "labels", {})
    lake.merge("labels", "main", "labels", {})
    with pytest.raises(RefusedError) as caught:
        revert_to(world.context, "v2")
    assert caught.value.code == "unknown-labels"
    assert world.records() == world.records("v1")


def correct(world: World, name: str, labels: tuple[str, str], saver: int) -> None:
    """Correct the one annotation of a round's task 0 in the editor, as this person."""
    [project] = [one.id for one in world.studio.projects.values() if one.title == name]
    task = world.task(key(0), project)
    [annotation] = [one for one in world.studio.annotations.values() if one.task == task]
    regions = [region(label, number) for number, label in enumerate(labels)]
    world.clock.advance(60)
    world.studio.update_annotation(annotation.id, regions)
    annotation.updated_by = saver


@pytest.mark.parametrize(("who", "left"), [(ANN, ["brie", "brie"]), (BEN, ["gouda", "gouda"])])
def test_two_people_in_two_rounds_on_one_annotation(who: str, left: list[str]) -> None:
    """Merged region by region, the record names one saving; the rounds' branches know the other."""
    world = World(1)
    max_ = world.studio.ensure_member("max@example.org")
    start_round(world.context, "first", Selection())
    world.label(key(0), "brie", "gouda", by=max_)
    finish(world, "first")
    for name in ("earlier", "later"):
        start_round(world.context, name, Selection(labeled_too=True, edit=True))
    correct(world, "earlier", ("brie", "brie"), world.ben)
    correct(world, "later", ("gouda", "gouda"), world.ann)
    finish(world, "later")
    finish(world, "earlier")

    def labels(ref: str) -> list[str]:
        [one] = record(world, 0, ref).annotations
        return [label for entry in one.result for label in labels_of(entry)]

    assert labels("main") == ["gouda", "brie"]
    assert record(world, 0).annotations[0].updated_by == ANN
    found = without(world, who, "v1")
    merge_change(world.context, found.change.name, rule_of)
    assert labels("main") == left
