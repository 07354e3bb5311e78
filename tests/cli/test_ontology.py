"""`ops ontology`: what is refused before any server is asked."""

from pathlib import Path

import pytest

from tests.cli.calls import check_envelope
from tests.cli.conftest import Call

SPLIT = ("ontology", "split", "brie", "young", "old")


def test_a_table_that_is_not_there_is_named(call: Call) -> None:
    """With the way to get one."""
    document = check_envelope(call(*SPLIT, "--by", "cheese.tsv", "--json"), SPLIT[:2])
    [error] = document["errors"]
    assert (document["exit_code"], error["code"]) == (3, "no-such-file")
    assert error["subject"] == "cheese.tsv"
    assert "--list FILE" in error["hint"]


@pytest.mark.parametrize(
    ("table", "part"),
    [
        (b"p000.png\tu\tr\n", "has 3 columns on line 1, not key, unique_id, region_id, label"),
        (b"p\tu\tr\told\np\tu\tr\tyoung\n", "decides region r of p twice, line 2"),
        (b"p,u,r,\xe4\n", "is not UTF-8 (byte 6)"),
    ],
)
def test_a_table_that_is_none_is_refused(
    call: Call, tmp_path: Path, table: bytes, part: str
) -> None:
    """With the line."""
    (tmp_path / "cheese.tsv").write_bytes(table)
    document = check_envelope(call(*SPLIT, "--by", "cheese.tsv", "--json"), SPLIT[:2])
    [error] = document["errors"]
    assert (document["exit_code"], error["code"]) == (9, "decisions-invalid")
    assert error["message"] == f"cheese.tsv {part}"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["merge", "brie", "gouda"], "missing-value"),
        (["merge", "--into", "cheese"], "missing-value"),
        (["remove", "brie", "--regions", "keep"], "wrong-value"),
        (["split", "brie"], "missing-value"),
        (["rename", "brie"], "missing-value"),
        (["add"], "missing-value"),
    ],
)
def test_what_is_missing_is_asked_for(call: Call, arguments: list[str], code: str) -> None:
    """Before anything is read."""
    document = check_envelope(call("ontology", *arguments, "--json"), ["ontology", arguments[0]])
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, code)
