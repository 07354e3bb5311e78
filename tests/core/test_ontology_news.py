"""What a round is told of main's labels: by control, along the migrations in between."""

from ops.core.migration import Migration, MigrationRequest, Operation, plan_migration
from ops.core.ontology import parse_ontology
from ops.core.ontology_news import ontology_news

_FROZEN = (
    '<View><Image name="i" value="$i"/>'
    '<Labels name="what" toName="i"><Label value="A"/><Label value="B"/></Labels>'
    '<Taxonomy name="tree" toName="i"><Choice value="A"><Choice value="B"/></Choice></Taxonomy>'
    "</View>"
)


def _rename(label_config: str, control: str, old: str, new: str) -> tuple[str, Migration]:
    asked = MigrationRequest(
        operation=Operation.RENAME, sources=(old,), targets=(new,), control=control
    )
    planned = plan_migration(label_config, asked)
    return planned.label_config, planned.migration


def _told(after: str, *migrations: Migration) -> list[tuple[str, str | None, str | None]]:
    found = ontology_news(parse_ontology(_FROZEN), parse_ontology(after), migrations)
    return [(one.control, one.old, one.new) for one in found]


def test_a_migration_is_news_of_its_control_alone() -> None:
    """Another control's label of that name is another label."""
    after, migration = _rename(_FROZEN, "what", "A", "N")
    assert _told(after, migration) == [("what", "A", "N")]


def test_what_is_below_a_renamed_label_is_news_too() -> None:
    """Its path is another one."""
    after, migration = _rename(_FROZEN, "tree", "A", "N")
    assert _told(after, migration) == [("tree", "A", "N"), ("tree", "A/B", "N/B")]


def test_without_a_migration_what_differs_is_gone_and_new() -> None:
    """Somebody changed the label config around ops; a control may be gone as a whole."""
    after, _ = _rename(_FROZEN, "what", "A", "N")
    assert _told(after) == [("what", "A", None), ("what", None, "N")]
    only = _FROZEN[: _FROZEN.index("<Taxonomy")] + "</View>"
    assert _told(only) == [("tree", "A", None), ("tree", "A/B", None)]
    assert _told(_FROZEN) == []
