"""Objects beside the labels come onto main once, whatever is killed or repeated."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from ops.core.names import MAIN, facts_path
from ops.core.records import CommitId
from ops.errors import ConflictError, NotFoundError
from ops.ports import Upload
from ops.runner.deposit import deposit
from tests.fakes.lake import FakeLake
from tests.runner.world import World

PATH = "metadata/cameras.parquet"
MESSAGE = "Join cameras"


class Killed(BaseException):
    """The process is gone."""


def kill_at(wanted: str) -> Callable[[str], None]:
    """A hook that kills at the first call of a method."""

    def hook(method: str) -> None:
        if method == wanted:
            raise Killed

    return hook


def nothing(method: str) -> None:
    """A hook that does nothing."""
    del method


@pytest.fixture
def world() -> World:
    return World()


def upload(text: str) -> Upload:
    return Upload(path=PATH, data=text.encode())


def test_a_deposit_is_one_merge_that_says_its_kind(world: World) -> None:
    """And its branch is gone."""
    before = world.lake.find_commit(MAIN)
    commit = deposit(world.context, "data-join", [upload("a")], message=MESSAGE, rows=3)
    assert commit is not None
    facts = world.lake.commit_facts(commit)
    assert facts.parents[0] == before
    assert (facts.metadata["ops.kind"], facts.metadata["ops.rows"]) == ("data-join", "3")
    assert [name for name, _ in world.lake.branches()] == [MAIN]
    assert world.lake.read(MAIN, PATH) == b"a"


def test_what_is_there_already_makes_no_commit(world: World) -> None:
    deposit(world.context, "data-join", [upload("a")], message=MESSAGE)
    head = world.lake.find_commit(MAIN)
    assert deposit(world.context, "data-join", [upload("a")], message=MESSAGE) is None
    assert world.lake.find_commit(MAIN) == head


def test_a_table_can_be_taken_away(world: World) -> None:
    deposit(world.context, "data-join", [upload("a")], message=MESSAGE)
    deposit(world.context, "data-join", [], message="Drop cameras", removed=[PATH])
    assert world.lake.read(MAIN, PATH) is None


def test_a_branch_left_after_its_merge_does_not_keep_the_old_state(world: World) -> None:
    """Killed between merge and clean-up; main went on to b, and a is wanted again."""
    world.watch(before=kill_at("delete_branch"), after=nothing)
    with pytest.raises(Killed):
        deposit(world.context, "data-join", [upload("a")], message=MESSAGE)
    world.watch(before=nothing, after=nothing)
    deposit(world.context, "data-join", [upload("b")], message=MESSAGE)
    assert deposit(world.context, "data-join", [upload("a")], message=MESSAGE) is not None
    assert world.lake.read(MAIN, PATH) == b"a"


def test_what_a_killed_run_left_is_taken_up_later(world: World) -> None:
    """The document beside the table says another time by then; no branch stays behind."""

    def run(made_at: str) -> CommitId | None:
        facts = Upload(path=facts_path(PATH), data=made_at.encode())
        return deposit(world.context, "data-join", [upload("a"), facts], message=MESSAGE)

    world.watch(before=kill_at("merge"), after=nothing)
    with pytest.raises(Killed):
        run("today")
    world.watch(before=nothing, after=nothing)
    assert run("tomorrow") is not None
    assert world.lake.read(MAIN, facts_path(PATH)) == b"tomorrow"
    assert [name for name, _ in world.lake.branches()] == [MAIN]


def test_two_at_once_with_other_bytes_do_not_mix(world: World) -> None:
    """The later one says so; main holds the earlier one's."""
    other = world.another("ben@example.org")

    def overtake(method: str) -> None:
        if method == "merge":
            deposit(other, "data-join", [upload("theirs")], message=MESSAGE)

    world.watch(before=overtake, after=nothing)
    with pytest.raises(ConflictError):
        deposit(world.context, "data-join", [upload("ours")], message=MESSAGE)
    assert world.lake.read(MAIN, PATH) == b"theirs"


def test_a_repository_that_is_not_set_up_is_named(world: World) -> None:
    nowhere = replace(world.context, lake=FakeLake("nowhere"))
    with pytest.raises(NotFoundError) as caught:
        deposit(nowhere, "data-join", [upload("a")], message=MESSAGE)
    assert caught.value.code == "no-repository"


def test_main_may_move_meanwhile(world: World) -> None:
    """The deposit follows what main has become, and says which: the gate asks for it."""
    news: list[str] = ["theirs"]
    other = world.another("ben@example.org")

    def overtake(method: str) -> None:
        if method == "merge" and news:
            news.clear()
            deposit(other, "query", [Upload(path="queries/a.sql", data=b"true")], message="Save a")

    def gate(destination: str, metadata: Mapping[str, str]) -> str | None:
        stated, head = metadata.get("ops.expected_head"), world.lake.find_commit(destination)
        return None if stated == head else "main is not where the merge expects it"

    world.lake_server.gate = gate
    world.watch(before=overtake, after=nothing)
    commit = deposit(world.context, "data-join", [upload("a")], message=MESSAGE)
    assert commit is not None
    facts = world.lake.commit_facts(commit)
    assert facts.metadata["ops.expected_head"] == facts.parents[0]
    assert world.lake.read(MAIN, "queries/a.sql") == b"true"
