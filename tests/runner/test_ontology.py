"""Changing the ontology: labels at once, migrations by review, open rounds told."""

from dataclasses import replace

import pytest

from ops.core.canonical import decode_record
from ops.core.card import decode_history
from ops.core.migration import MigrationRequest, Operation, Place
from ops.core.migration_arguments import change_request
from ops.core.names import CARD_JSON_PATH, LABEL_CONFIG_PATH, record_key
from ops.core.ontology import Ontology
from ops.core.records import Record, TaskKey, TaskState
from ops.core.regions import labels
from ops.core.relabel import migrate_record
from ops.core.selection import Selection
from ops.errors import NotFoundError, OpsError, RefusedError, UsageError
from ops.ports import Upload
from ops.runner.change_merge import MergedChange, merge_change
from ops.runner.changes import Proposed
from ops.runner.context import read_ontology
from ops.runner.finish import finish_round
from ops.runner.ontology import Added, Done, add_labels, list_uses, propose_migration
from ops.runner.ontology_news import migrations_since, ontology_moved, open_rounds
from ops.runner.rules import rule_of
from ops.runner.start import start_round
from ops.runner.status import find_manifest
from ops.runner.sync import sync_round
from tests.runner.test_crash import Killed, kill_at
from tests.runner.world import World

RENAME, MERGE, SPLIT, REMOVE = Operation


def labeled() -> World:
    """Four labeled tasks on main, v1; two images nobody has labeled."""
    world = World()
    start_round(world.context, "cheese", Selection(limit=4))
    world.label("p000.png", "brie", "gouda")
    world.label("p000.png", "brie", by=world.ben)
    world.label("p001.png", "gouda")
    world.label("p002.png")
    world.label("p003.png", "brie")
    finish_round(world.context, "cheese")
    return world


@pytest.fixture
def world() -> World:
    """A labeled dataset."""
    return labeled()


def ask(operation: Operation, *sources: str, into: tuple[str, ...] = ()) -> MigrationRequest:
    return MigrationRequest(operation=operation, sources=sources, targets=into)


def to_camembert() -> MigrationRequest:
    return ask(RENAME, "brie", into=("camembert",))


def propose(world: World, asked: MigrationRequest) -> Proposed:
    found = propose_migration(world.context, asked)
    assert isinstance(found, Proposed)
    return found


def migrate(world: World, asked: MigrationRequest) -> MergedChange:
    """Propose and merge."""
    return merge_change(world.context, propose(world, asked).change.name, rule_of)


def said(world: World, ref: str = "main") -> dict[str, list[list[str]]]:
    """What each annotation's regions say, by task."""
    return {
        record_key(path): [
            [label for region in one.result for label in labels(region)]
            for one in decode_record(data).annotations
        ]
        for path, data in world.records(ref).items()
    }


def ontology(world: World, ref: str = "main") -> Ontology:
    return read_ontology(world.lake, ref)[1]


def offered(world: World, ref: str = "main") -> list[str]:
    return [label.value for label in ontology(world, ref).controls[0].labels]


def test_a_label_is_added_at_once_and_once(world: World) -> None:
    """No version, for no record changes; only the label config does."""
    before, records = world.lake.find_commit("main"), world.records()
    planned = add_labels(world.context, ["feta", "brie"], dry_run=True)
    assert (planned.labels, planned.commit) == (("feta",), None)
    assert world.lake.find_commit("main") == before
    added = add_labels(world.context, ["feta", "brie"])
    assert added == replace(planned, commit=added.commit)
    assert offered(world) == ["brie", "gouda", "feta"]
    assert [one.path for one in world.lake.diff(str(before), "main")] == [LABEL_CONFIG_PATH]
    assert world.records() == records
    facts = world.lake.commit_facts("main").metadata
    assert (facts["ops.kind"], facts["ops.expected_head"]) == ("ontology", before)
    assert "ops.version" not in facts
    assert add_labels(world.context, ["feta"]) == Added(
        labels=(), label_config=added.label_config, commit=None
    )
    assert [name for name, _ in world.lake.branches("ontology-")] == []


def test_an_addition_starts_over_where_main_moved(world: World) -> None:
    """Both of two people's labels are there in the end."""
    rival = world.another("rita@example.org")
    armed = True

    def overtake(name: str) -> None:
        nonlocal armed
        if name == "merge" and armed:
            armed = False
            add_labels(rival, ["feta"])

    world.lake.before = overtake
    add_labels(world.context, ["edam"])
    assert not armed
    assert offered(world) == ["brie", "gouda", "feta", "edam"]
    assert [name for name, _ in world.lake.branches("ontology-")] == []


def test_an_addition_killed_anywhere_and_run_again_adds_once(world: World) -> None:
    """Whatever the first run left."""
    number, is_over = 1, False
    while not is_over:
        for after in (False, True):
            world = World()
            world.watch(*kill_at(number, after=after))
            try:
                add_labels(world.context, ["feta"])
                is_over = True
            except Killed:
                pass
            world.watch(lambda _: None, lambda _: None)
            add_labels(world.context, ["feta"])
            assert offered(world) == ["brie", "gouda", "feta"]
        number += 1
    assert number > 6


def test_a_rename_is_reviewed_and_makes_a_version(world: World) -> None:
    """Every record that says it changes, and no other; older versions are what they were."""
    old, old_config = world.records(), world.lake.read("main", LABEL_CONFIG_PATH)
    planned = propose_migration(world.context, to_camembert(), dry_run=True)
    assert isinstance(planned, Proposed)
    assert not [*world.lake.branches("change-")]
    proposed = propose(world, to_camembert())
    assert proposed.computed == planned.computed
    assert proposed.branch == "change-rename-brie-to-camembert"
    assert world.records() == old
    assert world.lake.read(proposed.branch, LABEL_CONFIG_PATH) != old_config
    assert propose(world, to_camembert()).already_done

    done = merge_change(world.context, proposed.change.name, rule_of)
    assert (done.version, done.is_replayed) == (2, False)
    assert offered(world) == ["camembert", "gouda"]
    assert said(world) == {
        "p000.png": [["camembert", "gouda"], ["camembert"]],
        "p001.png": [["gouda"]],
        "p002.png": [[]],
        "p003.png": [["camembert"]],
    }
    now = world.records()
    assert {path for path in old if old[path] == now[path]} == {
        "annotations/p001.png.json",
        "annotations/p002.png.json",
    }
    assert world.records("v1") == old
    assert world.lake.read("v1", LABEL_CONFIG_PATH) == old_config
    facts = world.lake.commit_facts("v2").metadata
    assert facts["ops.kind"] == "ontology"
    assert facts["ops.ontology_operation"] == "rename"
    assert facts["ops.ontology_digest"] == ontology(world).digest
    history = decode_history(world.lake.read("main", CARD_JSON_PATH))
    assert history[-1].cause == "rename label brie to camembert"

    again = propose_migration(world.context, to_camembert())
    assert isinstance(again, Done)
    assert (again.version, again.commit) == (2, world.lake.find_commit("v2"))


def test_a_rename_taken_back_gives_the_same_records(world: World) -> None:
    """To the byte: what was said is what was said."""
    old = world.records()
    migrate(world, to_camembert())
    migrate(world, ask(RENAME, "camembert", into=("brie",)))
    assert world.records() == old
    assert migrate(world, to_camembert()).change.name == "rename-brie-to-camembert-2"


def test_a_merge_of_a_change_takes_in_what_came_meanwhile(world: World) -> None:
    """A round's labels that main got after the review are renamed as well."""
    start_round(world.context, "more", Selection())
    world.label("p004.png", "brie")
    world.label("p005.png", "gouda")
    name = propose(world, to_camembert()).change.name
    finish_round(world.context, "more")
    done = merge_change(world.context, name, rule_of)
    assert (done.version, done.is_replayed) == (3, True)
    assert said(world)["p004.png"] == [["camembert"]]
    assert "brie" not in str(said(world))


def test_labels_are_merged_into_one_that_is_there(world: World) -> None:
    """One label less; each region says it once."""
    migrate(world, ask(MERGE, "brie", "gouda", into=("gouda",)))
    assert offered(world) == ["gouda"]
    assert said(world)["p000.png"] == [["gouda", "gouda"], ["gouda"]]


def test_a_label_that_is_said_is_not_removed_unasked(world: World) -> None:
    """Who says it, and where, is told; with a leave the task is open again."""
    with pytest.raises(RefusedError) as caught:
        propose(world, ask(REMOVE, "brie"))
    assert caught.value.code == "label-in-use"
    assert caught.value.message == "3 regions in 2 tasks say 'brie', and it cannot be removed"
    assert dict(caught.value.where)["annotators"] == "ann@example.org 2, ben@example.org 1"
    assert not [*world.lake.branches("change-")]

    done = migrate(world, replace(ask(REMOVE, "brie"), drops=True))
    assert done.change.counts.as_mapping() == {
        "changed": 2, "removed": 0, "reopened": 1, "settled": 0,
    }  # fmt: skip
    assert said(world)["p000.png"] == [["gouda"]]
    assert said(world)["p003.png"] == []
    key = TaskKey("p003.png")
    assert record(world, key).state is TaskState.UNFINISHED
    assert key in start_round(world.context, "again", Selection()).keys
    assert isinstance(
        propose_migration(world.context, replace(ask(REMOVE, "brie"), drops=True)), Done
    )


def record(world: World, key: TaskKey) -> Record:
    return decode_record(world.records()[f"annotations/{key}.json"])


def test_a_label_nobody_says_is_removed(world: World) -> None:
    """No record changes; it is a version all the same, for what may be said did."""
    add_labels(world.context, ["feta"])
    old = world.records()
    done = migrate(world, ask(REMOVE, "feta"))
    assert done.version == 2
    assert offered(world) == ["brie", "gouda"]
    assert world.records() == old


def test_a_split_is_decided_region_by_region(world: World) -> None:
    """By a table of all of them, or with a word for the rest."""
    asked = replace(ask(SPLIT, "brie", into=("young", "old")), decided_by="lena@example.org")
    places = [use.place for use in list_uses(world.context, asked)]
    assert [place[0] for place in places] == ["p000.png", "p000.png", "p003.png"]
    decisions: dict[Place, str] = dict.fromkeys(places, "young")
    decisions[places[2]] = "old"
    for missing in (places[:1], places):
        some = {place: label for place, label in decisions.items() if place not in missing}
        with pytest.raises(RefusedError) as caught:
            propose(world, replace(asked, decisions=some))
        assert caught.value.code == "undecided-regions"
        assert caught.value.details["regions"] == [
            {"task": key, "annotation": unique_id, "region": region}
            for key, unique_id, region in missing
        ]
    strange = {(TaskKey("p001.png"), "x", "r0"): "old"}
    with pytest.raises(RefusedError) as caught:
        propose(world, replace(asked, decisions=decisions | strange))
    assert caught.value.code == "decisions-about-others"
    assert not [*world.lake.branches("change-")]

    migrate(world, replace(asked, decisions=decisions))
    assert offered(world) == ["young", "old", "gouda"]
    assert said(world)["p000.png"] == [["young", "gouda"], ["young"]]
    assert said(world)["p003.png"] == [["old"]]
    assert [one.updated_by for one in record(world, TaskKey("p003.png")).annotations] == [
        "lena@example.org"
    ]
    assert isinstance(propose_migration(world.context, replace(asked, decisions=decisions)), Done)


def test_long_decisions_are_in_the_changes_document_alone(world: World) -> None:
    """Not in the commit's metadata; and the change is made again from it."""
    asked = replace(ask(SPLIT, "brie", into=("young", "x" * 1000)), rest="x" * 1000)
    done = migrate(world, asked)
    assert offered(world) == ["young", "x" * 1000, "gouda"]
    assert "ops.ontology_rest" in world.lake.commit_facts(str(done.commit)).metadata
    assert "ops.ontology_into" not in world.lake.commit_facts(str(done.commit)).metadata
    again = propose_migration(world.context, asked)
    assert isinstance(again, Done)
    assert again.commit == done.commit


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (ask(RENAME, "x", into=("y",)), NotFoundError),
        (ask(RENAME, "brie", into=("gouda",)), RefusedError),
        (ask(RENAME, "brie", into=(" ",)), UsageError),
        (replace(ask(REMOVE, "brie"), control="x"), NotFoundError),
        (ask(REMOVE, "brie"), RefusedError),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    world: World, asked: MigrationRequest, error: type[OpsError]
) -> None:
    """Main and branches are as they were."""
    before = world.lake.find_commit("main"), [*world.lake.branches()]
    with pytest.raises(error):
        propose_migration(world.context, asked)
    with pytest.raises(UsageError):
        add_labels(world.context, [" feta"])
    assert (world.lake.find_commit("main"), [*world.lake.branches()]) == before


def test_a_record_that_no_snapshot_holds_is_migrated_too(world: World) -> None:
    """Somebody wrote to main around ops: the snapshot there still says what was."""
    path = "annotations/p001.png.json"
    changed = world.records()[path].replace(b'"gouda"', b'"brie"')
    world.lake.create_branch("around", "main")
    world.lake.write_many("around", [Upload(path=path, data=changed)])
    world.lake.commit("around", "around", {})
    world.lake.merge("around", "main", "around", {})
    migrate(world, to_camembert())
    assert said(world)["p001.png"] == [["camembert"]]


def test_another_change_of_that_name_is_not_taken_for_it(world: World) -> None:
    """Two requests, one name: the second is told which it is."""
    propose_migration(world.context, to_camembert(), name="mine")
    with pytest.raises(RefusedError) as caught:
        propose_migration(world.context, ask(RENAME, "gouda", into=("edam",)), name="mine")
    assert caught.value.code == "change-exists"
    assert change_request(to_camembert()).name == "rename-brie-to-camembert"


def test_open_rounds_are_told(world: World) -> None:
    """What their labels will be, what is gone, what is new; nothing where nothing changed."""
    start_round(world.context, "open", Selection())
    manifest = find_manifest(world.context, "open")
    assert ontology_moved(world.context, manifest) is None
    world.add_images(["p9.png"])
    assert ontology_moved(world.context, manifest) is None
    add_labels(world.context, ["feta", "edam"])
    migrate(world, to_camembert())
    migrate(world, ask(RENAME, "camembert", into=("soft",)))
    migrate(world, replace(ask(REMOVE, "gouda"), drops=True))
    migrate(world, ask(SPLIT, "feta", into=("sheep", "goat")))
    moved = ontology_moved(world.context, manifest)
    assert moved is not None
    assert moved.in_words == (
        "main's ontology has changed since round open started:"
        " 'brie' will be 'soft' when the round is merged;"
        " 'gouda' is gone: answers that say it cannot be merged;"
        " 'sheep' is new, and not offered in this round;"
        " 'goat' is new, and not offered in this round;"
        " 'edam' is new, and not offered in this round"
    )
    assert moved.digest == ontology(world).digest
    text, _ = read_ontology(world.lake, "main")
    assert [*open_rounds(world.context, text)] == [moved]
    start_round(world.context, "new", Selection(labeled_too=True))
    assert [one.round for one in open_rounds(world.context, text)] == ["open"]


def test_a_split_leaves_an_open_round_to_decide(world: World) -> None:
    """Unless it was said what the rest is."""
    start_round(world.context, "open", Selection())
    manifest = find_manifest(world.context, "open")
    migrate(world, replace(ask(SPLIT, "brie", into=("young", "brie")), rest="brie"))
    moved = ontology_moved(world.context, manifest)
    assert moved is not None
    assert [one.in_words for one in moved.news] == ["'young' is new, and not offered in this round"]
    decided = {
        use.place: "a" for use in list_uses(world.context, ask(SPLIT, "gouda", into=("a", "b")))
    }
    migrate(world, replace(ask(SPLIT, "gouda", into=("a", "b")), decisions=decided))
    moved = ontology_moved(world.context, manifest)
    assert moved is not None
    assert moved.news[0].in_words == (
        "'gouda' was split: regions that say it anew have to be decided"
    )
    assert moved.news[0].as_json() == {
        "control": "label", "old": "gouda", "new": None, "split": True,
    }  # fmt: skip


def test_labels_that_change_places_are_news_though_the_ontology_is_the_same(world: World) -> None:
    """Brie becomes gouda and gouda brie: the digest cannot tell."""
    start_round(world.context, "open", Selection())
    manifest = find_manifest(world.context, "open")
    migrate(world, ask(RENAME, "brie", into=("x",)))
    migrate(world, ask(RENAME, "gouda", into=("brie",)))
    migrate(world, ask(RENAME, "x", into=("gouda",)))
    assert ontology(world).digest == manifest.ontology_digest
    moved = ontology_moved(world.context, manifest)
    assert moved is not None
    assert [(one.old, one.new) for one in moved.news] == [("brie", "gouda"), ("gouda", "brie")]


def test_a_rounds_answers_get_the_names_main_has_now(world: World) -> None:
    """Migrations since its base, in their order, over what it says and what its base says."""
    start_round(world.context, "open", Selection(labeled_too=True, edit=True))
    base = find_manifest(world.context, "open").base
    main = world.lake.find_commit("main")
    assert main is not None
    assert migrations_since(world.context, base, main) == ()
    add_labels(world.context, ["feta"])
    migrate(world, to_camembert())
    migrate(world, ask(RENAME, "camembert", into=("soft",)))
    between = world.lake.find_commit("v2")
    main = world.lake.find_commit("main")
    assert main is not None
    assert between is not None
    migrations = migrations_since(world.context, base, main)
    assert [one.targets for one in migrations] == [(("camembert",),), (("soft",),)]
    assert migrations_since(world.context, between, main) == migrations[1:]
    sync_round(world.context, "open")
    for path, data in world.records("round-open").items():
        own, now = decode_record(data), decode_record(world.records()[path])
        assert migrate_record(own, migrations) == now
