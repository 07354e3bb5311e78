"""Which labels may become which: for every kind of control, and what is refused."""

import pytest

from ops.core.changes import ChangeRequest, DatasetChangeKind
from ops.core.decisions import COLUMNS, read_decisions, write_decisions
from ops.core.migration import (
    MigrationRequest,
    Operation,
    Place,
    plan_label,
    plan_migration,
)
from ops.core.migration_arguments import change_request, migration_request
from ops.core.ontology import parse_ontology
from ops.core.records import TaskKey
from ops.errors import InvalidDataError, NotFoundError, OpsError, RefusedError, UsageError
from tests.controls import CASES

RENAME, MERGE, SPLIT, REMOVE = Operation

_BY_NAME = {case.name: case for case in CASES}

MIGRATABLE = {
    "choices-single": ("Cat", "label"),
    "choices-multiple": ("Cat", "label"),
    "rectangle": ("Cat", "label"),
    "rectangle-and-labels": ("Cat", "label"),
    "polygon": ("Cat", "label"),
    "keypoint": ("Cat", "label"),
    "ellipse": ("Cat", "label"),
    "brush": ("Cat", "label"),
    "taxonomy": ("Animal", "label"),
    "per-region": ("Cat", "kind"),
    "relations": ("Cat", "label"),
    "text": ("PER", "label"),
    "audio": ("Speech", "label"),
    "video": ("Car", "labels"),
}
WITHOUT_LABELS = {"textarea", "rating", "number", "datetime", "pairwise"}


def test_every_kind_of_control_is_in_one_of_the_tables() -> None:
    """A new kind cannot go unnoticed."""
    assert MIGRATABLE.keys() | WITHOUT_LABELS == set(_BY_NAME)
    assert not MIGRATABLE.keys() & WITHOUT_LABELS


@pytest.mark.parametrize("name", MIGRATABLE)
def test_a_label_of_a_control_that_offers_some_can_be_renamed(name: str) -> None:
    """The label config differs in that name alone, and back it is what it was."""
    label, control = MIGRATABLE[name]
    before = _BY_NAME[name].label_config
    planned = plan_migration(
        before,
        MigrationRequest(operation=RENAME, sources=(label,), targets=("New",), control=control),
    )
    assert planned.migration.control == control
    assert planned.migration.ontology_digest == parse_ontology(planned.label_config).digest
    back = MigrationRequest(operation=RENAME, sources=("New",), targets=(label,), control=control)
    assert plan_migration(planned.label_config, back).label_config == before
    now = parse_ontology(planned.label_config).control(control)
    was = parse_ontology(before).control(control)
    assert now is not None
    assert was is not None
    new = [tuple("New" if x == label else x for x in one.path) for one in was.labels]
    assert [one.path for one in now.labels] == new


@pytest.mark.parametrize("name", sorted(WITHOUT_LABELS))
def test_a_control_without_labels_has_none_to_change(name: str) -> None:
    """Typed text, ratings, numbers, times and sides are no labels; nor can one be added."""
    config = _BY_NAME[name].label_config
    asked = MigrationRequest(operation=RENAME, sources=("Cat",), targets=("New",))
    for change in (lambda: plan_migration(config, asked), lambda: plan_label(config, "New")):
        with pytest.raises(RefusedError) as caught:
            change()
        assert caught.value.code == "no-labels"


def test_shapes_that_borrow_labels_speak_with_the_control() -> None:
    """A video's boxes say the labels of the video's other control."""
    asked = MigrationRequest(operation=RENAME, sources=("Car",), targets=("New",))
    assert plan_migration(_BY_NAME["video"].label_config, asked).migration.speakers == (
        "labels",
        "box",
    )


def _config(*tags: str) -> str:
    return f'<View><Image name="i" value="$i"/>{"".join(tags)}</View>'


_A = '<Labels name="a" toName="i"><Label value="X"/><Label value="Y" alias="y"/></Labels>'
_B = '<Choices name="b" toName="i"><Choice value="X"/><Choice value="Z"/></Choices>'
_T = (
    '<Taxonomy name="t" toName="i"><Choice value="P"><Choice value="Q"/><Choice value="R"/>'
    '</Choice><Choice value="S"/></Taxonomy>'
)
_D = '<Labels name="d" toName="i" value="$classes"><Label value="W"/></Labels>'
_R = '<Relations><Relation value="on"/></Relations>'
_ALL = _config(_A, _B, _T, _D, _R)


@pytest.mark.parametrize(
    ("operation", "sources", "targets", "control", "code"),
    [
        (RENAME, ["X"], ["N"], None, "labels"),  # of two controls
        (RENAME, ["X"], ["N"], "c", "no-such-control"),
        (RENAME, ["N"], ["M"], None, "no-such-label"),
        (RENAME, ["Z"], ["N"], "a", "no-such-label"),
        (RENAME, ["Y"], ["N"], "a", "no-such-label"),  # it is said as y
        (RENAME, ["y"], ["X"], None, "label-exists"),
        (RENAME, ["X"], ["Y"], "a", "label-exists"),  # what annotators see of y
        (RENAME, ["Z"], ["Z"], None, "labels"),
        (RENAME, ["Z"], [" N"], None, "labels"),
        (RENAME, ["Z"], [""], None, "labels"),
        (RENAME, ["Z"], ["a\nb"], None, "labels"),
        (RENAME, ["P/Q"], ["S/Q"], None, "labels"),  # labels are not moved
        (RENAME, ["P/Q"], ["R"], None, "label-exists"),
        (RENAME, ["W"], ["N"], "d", "dynamic-labels"),
        (RENAME, ["on"], ["N"], None, "relation-name"),
        (MERGE, ["X", "X"], ["N"], "a", "labels"),
        (MERGE, ["X"], ["X"], "a", "labels"),
        (MERGE, ["y", "Z"], ["N"], None, "labels"),  # of different controls
        (MERGE, ["P", "S"], ["N"], None, "labels-below"),
        (MERGE, ["P", "S"], ["S"], None, "labels-below"),
        (SPLIT, ["Z"], ["N"], None, "labels"),
        (SPLIT, ["Z"], ["N", "N"], None, "labels"),
        (SPLIT, ["Z"], ["Z", "N"], None, "labels"),  # what of those nobody decides?
        (REMOVE, ["P"], [], None, "labels-below"),
        (REMOVE, ["Q"], [], None, "no-such-label"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    *, operation: Operation, sources: list[str], targets: list[str], control: str | None, code: str
) -> None:
    """With what is there, or what to do instead."""
    asked = MigrationRequest(
        operation=operation, sources=(*sources,), targets=(*targets,), control=control
    )
    with pytest.raises(OpsError) as caught:
        plan_migration(_ALL, asked)
    assert isinstance(caught.value, UsageError | NotFoundError | RefusedError)
    assert caught.value.code == code
    assert caught.value.unchanged
    assert caught.value.hint


def test_labels_that_cannot_be_told_apart_are_refused() -> None:
    """Twice in a control; what annotators see of another; a borrowed one of two controls."""
    twice = _config('<Labels name="a" toName="i"><Label value="X"/><Label value="X"/></Labels>')
    shown = _config(
        '<Labels name="a" toName="i"><Label value="X"/><Label value="X" alias="x"/></Labels>'
    )
    borrowed = _config(
        _A, '<TimelineLabels name="l" toName="i"><Label value="X"/></TimelineLabels>'
    ).replace("</View>", '<VideoRectangle name="box" toName="i"/></View>')
    asked = MigrationRequest(operation=RENAME, sources=("X",), targets=("N",), control="a")
    for config in (twice, shown, borrowed):
        with pytest.raises(RefusedError) as caught:
            plan_migration(config, asked)
        assert caught.value.code == "ambiguous-label"


def test_other_labels_of_that_name_are_no_matter() -> None:
    """An answer to a question about a film is nothing a box in it may say."""
    config = _config(_A, _B).replace("</View>", '<VideoRectangle name="box" toName="i"/></View>')
    asked = MigrationRequest(operation=RENAME, sources=("X",), targets=("N",), control="a")
    assert plan_migration(config, asked).migration.speakers == ("a", "box")
    assert plan_migration(_config(_A, _B, '<Rating name="r" toName="i"/>'), asked)


def test_a_label_may_have_an_alias_alone() -> None:
    """Then that is its name, and nothing else means it."""
    config = _config('<Labels name="a" toName="i"><Label alias="x"/><Label value="Y"/></Labels>')
    asked = MigrationRequest(operation=MERGE, sources=("x", "Y"), targets=("N",))
    planned = plan_migration(config, asked)
    assert planned.migration.sources == (("x",), ("Y",))
    assert '<Label alias="N"/></Labels>' in planned.label_config


def test_the_last_label_of_a_control_stays() -> None:
    """A control without labels cannot be answered."""
    config = _config('<Labels name="a" toName="i"><Label value="X"/></Labels>')
    with pytest.raises(RefusedError) as caught:
        plan_migration(config, MigrationRequest(operation=REMOVE, sources=("X",)))
    assert caught.value.code == "last-label"


@pytest.mark.parametrize(
    ("operation", "sources", "targets", "labels"),
    [
        (RENAME, ["P"], ["N"], ["N", "N/Q", "N/R", "S"]),
        (RENAME, ["P/Q"], ["N"], ["P", "P/N", "P/R", "S"]),
        (RENAME, ["P/Q"], ["P/N"], ["P", "P/N", "P/R", "S"]),
        (MERGE, ["P/Q", "P/R"], ["N"], ["P", "P/N", "S"]),
        (MERGE, ["P/Q", "S"], ["S"], ["P", "P/R", "S"]),
        (MERGE, ["P/Q", "S"], ["P"], ["P", "P/R"]),
        (SPLIT, ["S"], ["N", "M"], ["P", "P/Q", "P/R", "N", "M"]),
        (REMOVE, ["P/R"], [], ["P", "P/Q", "S"]),
    ],
)
def test_labels_with_a_path(
    operation: Operation, sources: list[str], targets: list[str], labels: list[str]
) -> None:
    """A new one stands beside the first; what is below a renamed one goes with it."""
    asked = MigrationRequest(operation=operation, sources=(*sources,), targets=(*targets,))
    after = parse_ontology(plan_migration(_ALL, asked).label_config).control("t")
    assert after is not None
    assert ["/".join(one.path) for one in after.labels] == labels


def test_a_label_is_added_where_it_is_meant() -> None:
    """Once; below another by its path; only where the control is clear."""
    added = plan_label(_ALL, "P/N", control="t")
    assert 'value="R"/><Choice value="N"/></Choice>' in added
    assert plan_label(added, "P/N", control="t") == added
    slash = plan_label(_config(_A), "X/1")
    assert '<Label value="X/1"/>' in slash
    for config, name, control, code in [
        (_ALL, "N", None, "labels"),
        (_ALL, "N", "d", "dynamic-labels"),
        (_ALL, "Y", "a", "label-exists"),
        (_ALL, "N/M", "t", "labels"),
    ]:
        with pytest.raises(OpsError) as caught:
            plan_label(config, name, control=control)
        assert caught.value.code == code


_PLACE: Place = (TaskKey("a, b.png"), "u-1", 'r"1')


@pytest.mark.parametrize(
    "asked",
    [
        MigrationRequest(operation=RENAME, sources=("a",), targets=("b",)),
        MigrationRequest(operation=MERGE, sources=("ä", "b"), targets=('"c"',), control="kind"),
        MigrationRequest(operation=REMOVE, sources=("a",), drops=True),
        MigrationRequest(operation=REMOVE, sources=("a",)),
        MigrationRequest(
            operation=SPLIT,
            sources=("a",),
            targets=("b", "c"),
            decisions={_PLACE: "b", (TaskKey("é"), "u", ""): "c"},
            rest="b",
            decided_by="lena@example.org",
        ),
    ],
)
def test_a_migration_is_read_back_from_a_changes_arguments(asked: MigrationRequest) -> None:
    """All of it: so it is made again on any main."""
    request = change_request(asked)
    assert migration_request(request) == asked
    assert request.kind is DatasetChangeKind.ONTOLOGY
    assert all(asked.sources[0][1:] in one for one in (request.title, request.arguments["labels"]))
    assert change_request(asked, name="mine").name == "mine"


@pytest.mark.parametrize(
    "arguments", [{}, {"operation": "x"}, {"operation": "rename", "labels": "1"}]
)
def test_other_changes_are_no_migrations(arguments: dict[str, str]) -> None:
    """A later version's, or one that was edited."""
    request = ChangeRequest(
        name="x", kind=DatasetChangeKind.ONTOLOGY, title="x", arguments=arguments
    )
    with pytest.raises(InvalidDataError) as caught:
        migration_request(request)
    assert caught.value.code == "change-invalid"


def test_a_table_of_decisions_is_read_as_it_is_written() -> None:
    """With tabs or commas, with or without headings, and as spreadsheets save it."""
    decisions = {_PLACE: "b", (TaskKey("p"), "u", "r"): "c"}
    text = write_decisions(decisions)
    assert text.splitlines()[0] == "\t".join(COLUMNS)
    assert read_decisions(text.encode(), "t") == decisions
    saved = '\ufeffp,u,r,c\r\n"a, b.png",u-1,"r""1",b\r\n\r\np,u,s,\r\n'
    assert read_decisions(saved.encode(), "t") == decisions


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a\tb\tc\n", "has 3 columns on line 1"),
        (b"p\tu\tr\tx\np\tu\tr\ty\n", "decides region r of p twice, line 2"),
        (b"\xff\xfe", "is not UTF-8 (byte 0)"),
    ],
)
def test_a_table_that_is_none_is_refused(data: bytes, problem: str) -> None:
    """With the line."""
    with pytest.raises(InvalidDataError) as caught:
        read_decisions(data, "cats.tsv")
    assert caught.value.message.startswith(f"cats.tsv {problem}")


def test_a_decision_for_another_label_is_refused() -> None:
    """It would bring in a label nobody asked for."""
    asked = MigrationRequest(
        operation=SPLIT, sources=("Z",), targets=("N", "M"), decisions={_PLACE: "O"}
    )
    with pytest.raises(UsageError):
        plan_migration(_ALL, asked)
