"""What a migration makes of records: nothing lost, nothing invented, nothing else touched."""

from collections import Counter
from dataclasses import replace

import pytest

from ops.core.canonical import encode_record
from ops.core.label_edits import Path
from ops.core.migration import MigrationRequest, Operation, plan_migration
from ops.core.ontology import parse_ontology
from ops.core.records import Origin, Record, TaskKey, TaskState
from ops.core.regions import label_paths, said
from ops.core.relabel import carried, migrate_record, relabel, uses
from tests.controls import CASES, Case
from tests.core.relabels import (
    CONFIG,
    OLD,
    Region,
    annotation_of,
    answer,
    box,
    labels_of,
    plan,
    record_of,
    related,
)
from tests.laws import note

RENAME, MERGE, SPLIT, REMOVE = Operation


def test_a_rename_changes_the_label_and_what_it_is_read_under() -> None:
    """Who made the annotation, when, in which round and how long it took stay."""
    before = record_of(
        annotation_of(box("r", "A", "D"), updated_by="ben@example.org"),
        annotation_of(box("r", "D"), unique_id="v"),
    )
    migration = plan(RENAME, "A", into=("N",))
    after = relabel(before, migration)
    first, second = after.annotations
    assert first == replace(
        before.annotations[0],
        result=(box("r", "N", "D"),),
        ontology_digest=migration.ontology_digest,
    )
    assert second is not before.annotations[1] or second == before.annotations[1]
    assert second.ontology_digest == OLD


def test_an_alias_and_what_is_seen_mean_one_label() -> None:
    """Results say the alias; an import may say the other."""
    after = relabel(
        record_of(annotation_of(box("r", "b"), box("s", "B"))), plan(RENAME, "b", into=("N",))
    )
    assert labels_of(after) == {"r": ["N"], "s": ["N"]}


def test_a_region_that_said_both_says_the_merged_one_once() -> None:
    """Where the first of them stood; twins that were there before stay."""
    before = record_of(
        annotation_of(box("r", "D", "A", "C", "b"), box("s", "C"), box("t", "D", "D", "A"))
    )
    after = relabel(before, plan(MERGE, "A", "C", "b", into=("C",)))
    assert [*after.annotations[0].result] == [
        box("r", "D", "C"),
        box("s", "C"),
        box("t", "D", "D", "C"),
    ]


def test_a_split_does_what_was_decided_and_says_who_decided() -> None:
    """Regions nobody decided stay; with a rest they become that."""
    before = record_of(annotation_of(box("r", "A"), box("s", "A", "D"), box("t", "A")))
    decisions = {(TaskKey("a.png"), "u", "r"): "N", (TaskKey("a.png"), "u", "s"): "M"}
    lead = "lead@example.org"
    asked = {"decisions": decisions, "decided_by": lead}
    after = relabel(before, plan(SPLIT, "A", into=("N", "M"), **asked))
    assert labels_of(after) == {"r": ["N"], "s": ["M", "D"], "t": ["A"]}
    assert after.annotations[0].updated_by == lead
    after = relabel(before, plan(SPLIT, "A", into=("N", "M"), rest="M", **asked))
    assert labels_of(after) == {"r": ["N"], "s": ["M", "D"], "t": ["M"]}
    own = relabel(
        before,
        plan(SPLIT, "A", into=("N", "M"), decisions=decisions, decided_by="ann@example.org"),
    )
    assert own.annotations[0].updated_by is None


def test_a_removal_takes_the_region_what_was_said_of_it_and_what_leads_to_it() -> None:
    """A region that says another label too stays; without leave nothing goes."""
    before = record_of(
        annotation_of(
            box("r", "A"),
            answer("r", "kind", "choices", "A"),
            answer("r", "note", "textarea", "left"),
            box("s", "A", "D"),
            box("t", "D"),
            related("r", "t"),
            related("s", "t"),
            origins={"r": Origin.IMPORTED, "s": Origin.IMPORTED},
        )
    )
    after = relabel(before, plan(REMOVE, "A", drops=True))
    [left] = after.annotations
    assert [*left.result] == [box("s", "D"), box("t", "D"), related("s", "t")]
    assert left.origins == {"s": Origin.IMPORTED}
    assert relabel(before, plan(REMOVE, "A")) is before


def test_an_answer_that_is_removed_leaves_the_region_it_was_about() -> None:
    """The box says what it is; the question was another one."""
    one, two = box("r", "A", choices=["C"]), answer("r", "kind", "choices", "C")
    tree = answer("r", "tree", "taxonomy", ["C"])
    for control, left in (("kind", [box("r", "A"), tree]), ("tree", [two, one])):
        asked = MigrationRequest(operation=REMOVE, sources=("C",), control=control, drops=True)
        migration = plan_migration(CONFIG, asked).migration
        after = relabel(record_of(annotation_of(one, two, tree)), migration)
        assert [*after.annotations[0].result] == left
        bare: Region = {**one, "type": "rectangle", "from_name": "shape", "value": {"x": 1}}
        after = relabel(record_of(annotation_of(bare, two, tree)), migration)
        assert bare in after.annotations[0].result


def test_nobody_said_that_nothing_is_there() -> None:
    """An annotation that loses its last region goes; its task is unfinished, not empty."""
    gone, kept = annotation_of(box("r", "A")), annotation_of(box("r", "D"), unique_id="v")
    empty = annotation_of(unique_id="w")
    skipped = annotation_of(box("r", "A"), unique_id="x", skipped=True)
    migration = plan(REMOVE, "A", drops=True)
    assert relabel(record_of(gone), migration).state is TaskState.UNFINISHED
    after = relabel(record_of(gone, kept, empty, skipped), migration)
    assert [one.unique_id for one in after.annotations] == ["v", "w", "x"]
    assert after.annotations[2].skipped
    assert not after.annotations[2].result


def test_the_editors_copies_follow() -> None:
    """Of what the entry says that they copy; then nobody seems to have said anything else."""
    before = record_of(
        annotation_of(box("r", "D", choices=["A"]), answer("r", "kind", "choices", "A"))
    )
    asked = MigrationRequest(operation=RENAME, sources=("A",), targets=("N",), control="kind")
    after = relabel(before, plan_migration(CONFIG, asked).migration)
    assert [*after.annotations[0].result] == [
        answer("r", "kind", "choices", "N"),
        box("r", "D", choices=["N"]),
    ]
    assert said(after.annotations[0].result)[1] == box("r", "D")


_TWO = (
    '<View><Image name="image" value="$image"/><Rectangle name="shape" toName="image"/>'
    '<Labels name="what" toName="image"><Label value="A"/><Label value="B"/></Labels>'
    '<Labels name="how" toName="image"><Label value="A"/><Label value="B"/></Labels></View>'
)


def test_two_controls_may_say_what_one_region_is() -> None:
    """One of them changes; the region stays as long as it is something."""
    shape: Region = {**answer("r", "shape", "rectangle"), "value": {"x": 1}}
    what, how = answer("r", "what", "labels", "A"), answer("r", "how", "labels", "A")
    record = record_of(annotation_of(shape, what, how))
    rename = MigrationRequest(operation=RENAME, sources=("A",), targets=("N",), control="what")
    after = relabel(record, plan_migration(_TWO, rename).migration)
    assert [*after.annotations[0].result] == [how, shape, answer("r", "what", "labels", "N")]
    remove = MigrationRequest(operation=REMOVE, sources=("A",), control="what", drops=True)
    after = relabel(record, plan_migration(_TWO, remove).migration)
    assert [*after.annotations[0].result] == [how, shape]
    remove = replace(remove, control="how")
    assert relabel(after, plan_migration(_TWO, remove).migration).annotations == ()


def test_each_row_of_a_repeated_control_is_changed() -> None:
    """It has one name in the label config and one a row in results."""
    config = _TWO.replace('name="what"', 'name="what_{{idx}}"')
    first, other = answer("r", "what_0", "labels", "A"), answer("r", "how", "labels", "A")
    asked = MigrationRequest(
        operation=RENAME, sources=("A",), targets=("N",), control="what_{{idx}}"
    )
    after = relabel(record_of(annotation_of(first, other)), plan_migration(config, asked).migration)
    assert [*after.annotations[0].result] == [other, answer("r", "what_0", "labels", "N")]


def test_a_label_without_a_path_gets_one_where_it_needs_one() -> None:
    """Whoever imported it wrote the name alone."""
    before = record_of(annotation_of(answer("t", "tree", "taxonomy", "C", ["A"])))
    asked = MigrationRequest(operation=MERGE, sources=("C",), targets=("A/B",), control="tree")
    after = relabel(before, plan_migration(CONFIG, asked).migration)
    assert [*after.annotations[0].result] == [answer("t", "tree", "taxonomy", ["A", "B"], ["A"])]


def test_what_is_below_a_renamed_label_goes_with_it() -> None:
    """The path names it; a label of that name elsewhere is another one."""
    result = answer("t", "tree", "taxonomy", ["A", "B"], ["A"], ["A", "A"], ["C"])
    before = record_of(annotation_of(result, box("r", "A")))
    asked = MigrationRequest(operation=RENAME, sources=("A",), targets=("N",), control="tree")
    migration = plan_migration(CONFIG, asked).migration
    wanted = answer("t", "tree", "taxonomy", ["N", "B"], ["N"], ["N", "A"], ["C"])
    assert [*relabel(before, migration).annotations[0].result] == [box("r", "A"), wanted]


def test_a_removal_is_not_made_again() -> None:
    """What people said since is theirs; renames and what was decided are."""
    record = record_of(annotation_of(box("r", "A"), box("s", "D"), box("t", "C")))
    one = plan(RENAME, "A", into=("N",))
    two = replace(plan(RENAME, "A", into=("M",)), sources=(("N",),))
    removal, split = plan(REMOVE, "D", drops=True), plan(SPLIT, "C", into=("X", "Y"), rest="Y")
    after = migrate_record(record, [one, removal, two, split])
    assert labels_of(after) == {"r": ["M"], "s": ["D"], "t": ["Y"]}
    assert migrate_record(record, [removal]) is record
    assert migrate_record(record, []) is record


def test_what_a_label_becomes_wherever_it_is_said() -> None:
    """Not told where it is decided region by region, or removed."""
    assert carried(("A",), plan(RENAME, "A", into=("N",))) == ("N",)
    assert carried(("A",), plan(MERGE, "A", "C", into=("C",))) == ("C",)
    assert carried(("A",), plan(SPLIT, "A", into=("N", "M"))) is None
    assert carried(("A",), plan(SPLIT, "A", into=("N", "M"), rest="M")) == ("M",)
    assert carried(("A",), plan(REMOVE, "A")) is None
    assert carried(("D",), plan(REMOVE, "A")) == ("D",)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_for_each_control_every_label_can_be_renamed(case: Case) -> None:
    """In real results: each use, nothing else; and renamed back the record is what it was."""
    config, digest = case.label_config, parse_ontology(case.label_config).digest
    first = annotation_of(*case.first, ontology_digest=digest)
    record = record_of(first, annotation_of(*case.second, unique_id="v", ontology_digest=digest))
    for control in parse_ontology(config).controls:
        for label in control.labels:
            name, new = "/".join(label.path), (*label.path[:-1], "New")
            to = MigrationRequest(
                operation=RENAME, sources=(name,), targets=("New",), control=control.name
            )
            planned = plan_migration(config, to)
            after = relabel(record, planned.migration)
            back = replace(to, sources=("/".join(new),), targets=(label.path[-1],))
            undo = plan_migration(planned.label_config, back)
            assert undo.label_config == config
            assert encode_record(relabel(after, undo.migration)) == encode_record(record)
            speakers = planned.migration.speakers
            assert _texts(after, speakers) == _texts(record, speakers, label.path, new)
            assert not parse_ontology(planned.label_config).unknown_labels(after)
            assert bool([*uses(record, planned.migration)]) == (after is not record)
    note("migrations", f"{len(CASES)} kinds of control: each label renamed there and back")


def _texts(
    record: Record, speakers: tuple[str, ...], old: Path = (), new: Path = ()
) -> Counter[tuple[bool, Path]]:
    """Every label that is said, by these controls or others, with one of them under a new name."""
    said_by = [
        (region.get("from_name") in speakers, path)
        for one in record.annotations
        for region in one.result
        for path in label_paths(region)
    ]
    return Counter(
        (own, (*new, *path[len(old) :]) if own and old and path[: len(old)] == old else path)
        for own, path in said_by
    )
