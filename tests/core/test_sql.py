"""What the parser's tree says of a statement."""

from typing import cast

import pytest

from ops.core.records import Json
from ops.core.sql import Statement, check_expression, did_you_mean, read_statement
from ops.errors import UsageError


def tree(expression: Json, **more: Json) -> Json:
    """A SELECT of one expression, as the parser has it."""
    node: dict[str, Json] = {
        "type": "SELECT_NODE",
        "cte_map": {},
        "select_list": [expression],
        "from_table": {"type": "EMPTY"},
        "aggregate_handling": "STANDARD_HANDLING",
        **more,
    }
    return {"error": False, "statements": [{"node": node}]}


def column(*names: str, place: int = 0) -> Json:
    """A column that is named."""
    return {
        "class": "COLUMN_REF",
        "type": "COLUMN_REF",
        "column_names": cast("list[Json]", [*names]),
        "query_location": place,
    }


def test_one_expression_stands_alone_as_in_parentheses() -> None:
    """Wherever it stands."""
    check_expression(tree(column("a", place=7)), tree(column("a", place=9)))


@pytest.mark.parametrize(
    ("bare", "wrapped"),
    [
        (tree(column("a")), tree(column("b"))),
        (tree(column("a"), modifiers=[]), tree(column("a"), modifiers=[])),
        (tree(column("a"), where_clause=None), tree(column("a"), where_clause=None)),
        (tree({"class": "STAR"}), tree({"class": "STAR"})),
        (tree({"class": "CONSTANT", "alias": "x"}), tree({"class": "CONSTANT", "alias": "x"})),
        ({}, {}),
    ],
)
def test_anything_else_is_none(bare: Json, wrapped: Json) -> None:
    """Another tree in parentheses, above all."""
    with pytest.raises(UsageError) as caught:
        check_expression(bare, wrapped)
    assert caught.value.code == "sql-not-expression"


@pytest.mark.parametrize(
    ("names", "takes_all"),
    [(("state",), False), (("t",), True), (("t", "state"), False), (("labels",), False)],
)
def test_a_row_as_a_whole_needs_all_columns(names: tuple[str, ...], takes_all: bool) -> None:
    """`labels` is a column of the table of that name."""
    source: Json = {"type": "BASE_TABLE", "table_name": "Labels", "alias": "t"}
    found = read_statement(tree(column(*names), from_table=source), ["labels"])
    assert (found.tables, found.takes_all) == ({"labels"}, takes_all)
    assert found.needs(["State"]) is (takes_all or "state" in names)
    assert isinstance(found, Statement)


def test_names_are_guessed_and_listed() -> None:
    assert did_you_mean("lable", ["label", "state"]).splitlines() == [
        "did you mean label?", "there is: label, state",
    ]  # fmt: skip
    assert did_you_mean("zzz", []) == "there is none"
