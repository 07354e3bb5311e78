"""What only repairs do, on the real lakeFS and on the one in memory."""

import pytest

from ops.errors import RefusedError
from ops.mending import MendableLake
from ops.ports import Upload
from tests.lake_bench import BENCHES, MAIN, kinds, open_bench, put, save


@pytest.fixture(params=BENCHES)
def lake(request: pytest.FixtureRequest) -> MendableLake:
    """A new repository on each server in turn."""
    return open_bench(request).lake()


def test_an_unprotected_branch_takes_writes_again(lake: MendableLake) -> None:
    """As soon as unprotecting has returned; what was staged is there still."""
    put(lake, MAIN, {"stray": b"1"})
    lake.protect(MAIN)
    with pytest.raises(RefusedError):
        lake.discard(MAIN)
    lake.unprotect(MAIN)
    lake.unprotect(MAIN)
    assert not lake.is_protected(MAIN)
    assert list(kinds(lake.uncommitted(MAIN))) == ["stray"]
    lake.discard(MAIN)
    assert list(lake.uncommitted(MAIN)) == []


def test_unprotecting_keeps_other_rules(lake: MendableLake) -> None:
    """They are nobody's business here."""
    lake.create_branch("side", MAIN)
    lake.protect("side")
    lake.protect(MAIN)
    lake.unprotect(MAIN)
    assert lake.is_protected("side")
    assert not lake.is_protected(MAIN)


def test_a_tag_can_be_removed_and_set_again(lake: MendableLake) -> None:
    """The commit stays where it is."""
    first = save(lake, MAIN, {"a": b"1"})
    second = save(lake, MAIN, {"a": b"2"})
    lake.create_tag("v1", second)
    assert lake.delete_tag("v1")
    assert not lake.delete_tag("v1")
    assert lake.create_tag("v1", first)
    assert dict(lake.tags()) == {"v1": first}
    assert lake.find_commit(second) == second


def test_the_source_can_overrule(lake: MendableLake) -> None:
    """Of what both changed, the source's bytes; of the rest, both sides' changes."""
    save(lake, MAIN, {"both": b"0", "ours": b"0", "theirs": b"0"})
    lake.create_branch("side", MAIN)
    save(lake, MAIN, {"both": b"main", "ours": b"main"})
    save(lake, "side", {"both": b"side", "theirs": b"side"})
    commit = lake.overrule("side", MAIN, "Overrule", {"why": "test"})
    assert commit == lake.find_commit(MAIN)
    assert lake.commit_facts(MAIN).metadata["why"] == "test"
    read = {path: lake.read(MAIN, path) for path in ("both", "ours", "theirs")}
    assert read == {"both": b"side", "ours": b"main", "theirs": b"side"}
    assert lake.overrule("side", MAIN, "Again", {}) is None


def test_nothing_overrules_what_is_staged(lake: MendableLake) -> None:
    """It would be lost."""
    lake.create_branch("side", MAIN)
    save(lake, "side", {"a": b"1"})
    lake.write_many(MAIN, [Upload(path="a", data=b"2")])
    with pytest.raises(RefusedError) as caught:
        lake.overrule("side", MAIN, "Overrule", {})
    assert caught.value.code == "dirty-branch"
