"""Class ids along a history: given once, never given again, whatever becomes of labels."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from ops.core.classes import Classes, Said, decode_classes, encode_classes
from ops.core.migration import Operation
from ops.core.names import CLASSES_PATH, LABEL_CONFIG_PATH
from ops.core.ontology import parse_ontology
from ops.core.records import Json
from ops.core.selection import Selection
from ops.errors import InvalidDataError
from ops.runner.classes import read_classes
from ops.runner.context import main_head, read_ontology
from ops.runner.finish import finish_round
from ops.runner.ontology import add_labels
from ops.runner.revert import revert_to
from ops.runner.start import start_round
from ops.runner.verify import verify_dataset
from tests.runner.raw import rewrite
from tests.runner.test_ontology import ask, labeled, migrate
from tests.runner.world import World

RENAME, MERGE, SPLIT, REMOVE = Operation
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="brie"/><Label value="gouda"/></RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="gouda"/><Label value="feta"/></PolygonLabels>
  <Choices name="light" toName="image"><Choice value="day"/><Choice value="night"/></Choices>
  <Taxonomy name="kind" toName="image"><Choice value="soft"><Choice value="young" alias="y"/></Choice></Taxonomy>
</View>"""  # noqa: E501 - one tag a line


def ids(world: World, ref: str = "main") -> Mapping[str, int]:
    """The id of each class of a version, as its file says."""
    data = world.lake.read(ref, CLASSES_PATH)
    assert data is not None
    return {one.name: one.id for one in decode_classes(data).listed}


def next_version(world: World, name: str, key: str) -> None:
    """Finish another round."""
    start_round(world.context, name, Selection(limit=1))
    world.label(key)
    finish_round(world.context, name, allow_unlabeled=True)


def test_no_change_of_the_ontology_renumbers() -> None:
    """Added, renamed, merged, split, removed, brought back: ids are only ever added."""
    world = labeled()
    assert ids(world) == {"brie": 0, "gouda": 1}
    history = [ids(world)]
    migrate(world, ask(RENAME, "brie", into=("camembert",)))
    history.append(ids(world))
    assert history[-1] == {"brie": 0, "gouda": 1, "camembert": 2}
    add_labels(world.context, ["feta"])
    next_version(world, "more", "p004.png")
    history.append(ids(world))
    assert history[-1]["feta"] == 3
    migrate(world, ask(MERGE, "camembert", "gouda", into=("cheese",)))
    history.append(ids(world))
    migrate(world, ask(REMOVE, "feta"))
    history.append(ids(world))
    # What comes back has the id it had.
    add_labels(world.context, ["brie", "edam"])
    next_version(world, "again", "p005.png")
    history.append(ids(world))
    assert history[-1] == {"brie": 0, "gouda": 1, "camembert": 2, "feta": 3, "cheese": 4, "edam": 5}
    for before, after in pairwise(history):
        assert before.items() <= after.items()
    assert verify_dataset(world.context, every_version=True).findings == []
    classes = read_classes(world.context, main_head(world.lake))
    _, ontology = read_ontology(world.lake, "main")
    assert [one.name for one in classes.retired(ontology)] == ["gouda", "camembert", "feta"]


def test_a_revert_takes_no_id_back() -> None:
    """The labels of the version it goes back to have the ids they had, the others keep theirs."""
    world = labeled()
    migrate(world, replace(ask(SPLIT, "gouda", into=("young", "old")), rest="old"))
    before = ids(world)
    revert_to(world.context, "v1")
    assert ids(world) == before == {"brie": 0, "gouda": 1, "young": 2, "old": 3}


def test_versions_without_ids_get_them_from_their_label_configs() -> None:
    """The same as they would have been given; the next version goes on from there."""
    world = labeled()
    migrate(world, ask(RENAME, "brie", into=("camembert",)))
    expected = {ref: ids(world, ref) for ref in ("v1", "v2")}
    # As an older ops left it.
    rewrite(world, {CLASSES_PATH: None})
    derived = read_classes(world.context, main_head(world.lake))
    assert {one.name: one.id for one in derived.listed} == expected["v2"]
    next_version(world, "more", "p004.png")
    assert ids(world) == expected["v2"]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("swap", "class-renumbered"),
        ("drop", "class-gone"),
        ("remove", "classes-gone"),
        ("damage", "classes-invalid"),
    ],
)
def test_an_audit_finds_a_renumbering(edit: str, code: str) -> None:
    """Whoever made a version with other ids."""
    world = labeled()
    next_version(world, "more", "p004.png")
    names = ["gouda"] if edit == "drop" else ["gouda", "brie"]
    classes = [
        {"id": number, "kind": "regions", "control": "label", "name": name}
        for number, name in enumerate(names)
    ]
    document = json.dumps({"schema": "ops.classes/1", "classes": classes}).encode()
    rewrite(world, {CLASSES_PATH: {"remove": None, "damage": b"[]"}.get(edit, document)})
    found = {one.code for one in verify_dataset(world.context).findings}
    assert code in found
    # What is wrong stays wrong in the eyes of a later audit.
    if edit != "damage":
        next_version(world, "again", "p005.png")
        assert code in {one.code for one in verify_dataset(world.context).findings}


def test_a_label_of_a_version_without_an_id_is_found() -> None:
    """The label config came around ops, beside a version."""
    world = labeled()
    text, _ = read_ontology(world.lake, "main")
    grown = text.replace('<Label value="gouda"/>', '<Label value="gouda"/><Label value="edam"/>')
    rewrite(world, {LABEL_CONFIG_PATH: grown.encode()})
    found = verify_dataset(world.context).findings
    assert [one.subject for one in found if one.code == "class-without-id"] == ["edam"]


def test_labels_added_since_a_version_are_no_finding() -> None:
    """They get their ids with the next one."""
    world = labeled()
    add_labels(world.context, ["edam"])
    assert verify_dataset(world.context).findings == []


def test_regions_share_a_number_and_each_question_has_its_own() -> None:
    """One class of gouda, whichever tool drew it; answers are counted from 0."""
    classes = Classes().extended(parse_ontology(CONFIG))
    assert classes.names() == ["brie", "gouda", "feta"]
    assert classes.ids()["outline", "gouda"] == classes.ids()["box", "gouda"] == 1
    assert classes.answers("light") == ["day", "night"]
    assert classes.answers("kind") == ["soft", "soft/y"]
    assert decode_classes(encode_classes(classes)) == classes
    assert classes.extended(parse_ontology(CONFIG)) == classes


def test_what_only_records_say_gets_an_id_too() -> None:
    """Out of the task's own data: after the label config's, sorted; an alias is its label."""
    said = [
        Said(control="box", type="rectanglelabels", name="zebra"),
        Said(control="box", type="rectanglelabels", name="ape"),
        Said(control="kind", type="taxonomy", name="soft/young"),
    ]
    classes = Classes().extended(parse_ontology(CONFIG), said)
    assert classes.names() == ["brie", "gouda", "feta", "ape", "zebra"]
    assert classes.answers("kind") == ["soft", "soft/y"]


@pytest.mark.parametrize(
    "classes",
    [
        [{"id": 1, "kind": "regions", "control": "box", "name": "brie"}],
        [{"id": 0, "kind": "regions", "control": "box", "name": "brie"}] * 2,
        [
            {"id": 0, "kind": "regions", "control": "box", "name": "brie"},
            {"id": 1, "kind": "regions", "control": "outline", "name": "brie"},
        ],
        [{"id": 0, "kind": "odd", "control": "box", "name": "brie"}],
    ],
    ids=["gap", "twice", "two-ids-of-a-name", "kind"],
)
def test_a_list_that_is_none_is_refused(classes: list[Json]) -> None:
    """Before anybody trains on it."""
    with pytest.raises(InvalidDataError) as caught:
        decode_classes(json.dumps({"schema": "ops.classes/1", "classes": classes}).encode())
    assert caught.value.code == "classes-invalid"
