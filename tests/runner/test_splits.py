"""Splits on main: made once, extended, never changed, and leaks told."""

from dataclasses import replace
from fractions import Fraction

import pytest

from ops.core.names import MAIN, facts_path, split_path
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.core.splits import parse_ratios
from ops.engines.threads import ThreadEngine
from ops.errors import ConflictError, InvalidDataError, NotFoundError, RefusedError, UsageError
from ops.ports import Upload
from ops.runner.dataset import resolve
from ops.runner.finish import finish_round
from ops.runner.profile import profile_images
from ops.runner.splits import (
    Asked,
    check_split,
    list_splits,
    load_split,
    make_split,
    read_split,
)
from ops.runner.start import start_round
from tests.looks import look, picture, put
from tests.runner.world import World

RATIOS = parse_ratios("train=0.6,val=0.2,test=0.2")
ASKED = Asked(ratios=RATIOS)


@pytest.fixture
def world() -> World:
    """Twenty pictures that look like nothing else."""
    world = World(image_count=0)
    put(world, {f"{number:02}.png": picture(look(number)) for number in range(20)})
    return world


def head(world: World) -> str:
    return str(world.lake.find_commit(MAIN))


def test_a_split_assigns_every_picture_and_is_read_again(world: World) -> None:
    made = make_split(world.context, "first", ASKED)
    parts = read_split(world.context, head(world), "first")
    assert made.is_new
    assert made.commit == head(world)
    assert parts == made.added
    assert len(parts) == 20
    assert set(parts.values()) <= {"train", "val", "test"}
    [facts] = list_splits(world.context, MAIN)
    assert facts == made.facts == load_split(world.context, MAIN, "first").facts
    assert sum(facts.counts.values()) == 20
    assert world.lake.commit_facts(MAIN).metadata["ops.kind"] == "split"


def test_the_same_command_again_writes_nothing(world: World) -> None:
    """Nor does it with the ratios left out, or put as fractions."""
    make_split(world.context, "first", ASKED)
    before = head(world)
    world.clock.advance(60)
    for asked in (ASKED, Asked(), Asked(ratios=parse_ratios("test=1/5,train=3/5,val=1/5"))):
        made = make_split(world.context, "first", asked)
        assert (made.added, made.commit, made.is_new) == ({}, None, False)
    assert head(world) == before


def test_a_dry_run_says_what_the_run_then_does(world: World) -> None:
    planned = make_split(world.context, "first", ASKED, dry_run=True)
    assert planned.commit is None
    assert world.lake.read(MAIN, split_path("first")) is None
    assert make_split(world.context, "first", ASKED).added == planned.added


def test_new_pictures_are_taken_in_and_no_other_moves(world: World) -> None:
    make_split(world.context, "first", ASKED)
    before = read_split(world.context, MAIN, "first")
    put(world, {f"new/{number}.png": picture(look(100 + number)) for number in range(9)})
    made = make_split(world.context, "first", Asked())
    after = read_split(world.context, MAIN, "first")
    assert {key: after[key] for key in before} == before
    assert set(made.added) == {f"new/{number}.png" for number in range(9)}


@pytest.mark.parametrize(
    "asked",
    [
        Asked(ratios=parse_ratios("train=0.5,val=0.25,test=0.25")),
        Asked(seed=1),
        Asked(by="key"),
        Asked(near_distance=2),
    ],
)
def test_another_split_of_the_same_name_is_refused(world: World, asked: Asked) -> None:
    make_split(world.context, "first", ASKED)
    with pytest.raises(RefusedError) as caught:
        make_split(world.context, "first", asked)
    assert caught.value.code == "split-differs"


def test_equal_pictures_stay_together_without_a_profile(world: World) -> None:
    """Whatever was known of them when they came."""
    make_split(world.context, "first", ASKED)
    put(world, {f"copy/{number:02}.png": picture(look(number)) for number in range(20)})
    made = make_split(world.context, "first", Asked())
    parts = read_split(world.context, MAIN, "first")
    assert [parts[TaskKey(f"copy/{n:02}.png")] for n in range(20)] == [
        parts[TaskKey(f"{n:02}.png")] for n in range(20)
    ]
    assert made.leaks == []


def test_near_pictures_stay_together_where_there_is_a_profile(world: World) -> None:
    half = {f"half/{n:02}.png": picture(look(n), size=(80, 60)) for n in range(20)}
    put(world, half)
    profile_images(world.context, ThreadEngine(world.lake.read_many))
    made = make_split(world.context, "first", ASKED)
    parts = read_split(world.context, MAIN, "first")
    assert [parts[TaskKey(key)] for key in half] == [
        parts[TaskKey(f"{n:02}.png")] for n in range(20)
    ]
    assert (made.pictures.unprofiled, made.leaks) == (0, [])


def test_a_picture_near_two_parts_is_a_leak_that_check_names(world: World) -> None:
    """Split first, profiled later: the copies were put apart, and stay apart."""
    put(world, {f"half/{n:02}.png": picture(look(n), size=(80, 60)) for n in range(20)})
    made = make_split(world.context, "first", ASKED)
    assert (made.leaks, made.pictures.unprofiled) == ([], 40)
    assert check_split(world.context, resolve(world.context, MAIN), "first").leaks == []
    profile_images(world.context, ThreadEngine(world.lake.read_many))
    parts = read_split(world.context, MAIN, "first")
    apart = {
        f"{n:02}.png"
        for n in range(20)
        if parts[TaskKey(f"{n:02}.png")] != parts[TaskKey(f"half/{n:02}.png")]
    }
    assert apart
    again = make_split(world.context, "first", Asked())
    found = check_split(world.context, resolve(world.context, MAIN), "first")
    assert {leak.link.one for leak in found.leaks} == apart
    assert found.leaks == again.leaks
    assert again.commit is None
    assert read_split(world.context, MAIN, "first") == parts


def test_groups_of_an_expression_stay_together(world: World) -> None:
    """Tasks of one value, and new ones of that value later."""
    put(world, {f"p{n % 7}/{n:02}.png": picture(look(200 + n)) for n in range(40)})
    asked = replace(ASKED, by="split_part(key, '/', 1)")
    make_split(world.context, "patients", asked)
    put(world, {f"p{n % 7}/later{n}.png": picture(look(300 + n)) for n in range(14)})
    made = make_split(world.context, "patients", asked)
    parts = read_split(world.context, MAIN, "patients")
    for patient in range(7):
        assert len({part for key, part in parts.items() if key.startswith(f"p{patient}/")}) == 1
    assert made.ungrouped == 0


def test_groups_that_share_a_picture_stay_together(world: World) -> None:
    """Each patient's pictures, and those of the one they share a picture with."""
    every = {f"p{n}/{m}.png": picture(look(400 + 2 * n + m)) for n in range(12) for m in range(2)}
    shared = {f"p{n}/{n - 1}.png": every[f"p{n - 1}/0.png"] for n in range(1, 12, 2)}
    put(world, every | shared)
    made = make_split(world.context, "patients", replace(ASKED, by="split_part(key, '/', 1)"))
    found = {key: part for key, part in made.added.items() if key.startswith("p")}
    for n in range(0, 12, 2):
        pair = {part for key, part in found.items() if key.startswith((f"p{n}/", f"p{n + 1}/"))}
        assert len(pair) == 1
    assert len(set(found.values())) > 1


def test_an_expression_of_several_values_a_task_is_refused(world: World) -> None:
    """Rather than one of them taken by accident."""
    start_round(world.context, "cheese", Selection(limit=2))
    for key in ("00.png", "01.png"):
        world.label(key, "brie", "gouda")
    finish_round(world.context, "cheese")
    with pytest.raises(UsageError) as caught:
        make_split(world.context, "odd", replace(ASKED, by="label"))
    assert caught.value.subject in {"00.png", "01.png"}


def test_tasks_without_a_value_are_counted(world: World) -> None:
    made = make_split(world.context, "odd", replace(ASKED, by="nullif(key, '00.png')"))
    assert made.ungrouped == 1


def test_a_repository_without_pictures_is_refused() -> None:
    world = World(image_count=0)
    with pytest.raises(RefusedError) as caught:
        make_split(world.context, "first", ASKED)
    assert caught.value.code == "nothing-to-split"


def test_a_split_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_split(world.context, MAIN, "nope")
    assert caught.value.code == "no-such-split"
    with pytest.raises(UsageError):
        make_split(world.context, "nope", Asked())
    with pytest.raises(UsageError):
        make_split(world.context, "no/slash", ASKED)


def test_what_somebody_else_assigned_meanwhile_is_not_lost(world: World) -> None:
    """The later one is told, and its next run takes theirs as it is."""
    make_split(world.context, "first", ASKED)
    put(world, {"new.png": picture(look(50))})
    other, was_there = world.another("ben@example.org"), False

    def overtake(method: str) -> None:
        nonlocal was_there
        if method == "create_branch" and not was_there:
            was_there = True
            world.clock.advance(5)
            make_split(other, "first", Asked())

    world.lake.before = overtake
    with pytest.raises(ConflictError):
        make_split(world.context, "first", Asked())
    assert load_split(world.context, MAIN, "first").facts.made_by == "ben@example.org"
    assert make_split(world.context, "first", Asked()).added == {}
    assert [name for name, _ in world.lake.branches()] == [MAIN]


@pytest.mark.parametrize("ending", [".json", ".parquet"])
def test_a_damaged_split_is_never_extended(world: World, ending: str) -> None:
    make_split(world.context, "first", ASKED)
    path = split_path("first").removesuffix(".parquet") + ending
    world.lake.create_branch("odd", MAIN)
    world.lake.write_many("odd", [Upload(path=path, data=b"nonsense")])
    world.lake.commit("odd", "odd", {})
    world.lake.merge("odd", MAIN, "odd", {})
    for run in (read_split, load_split):
        with pytest.raises(InvalidDataError):
            run(world.context, MAIN, "first")
    with pytest.raises(InvalidDataError):
        make_split(world.context, "first", Asked())


def test_a_table_that_is_not_the_documents_is_damaged(world: World) -> None:
    """Each can be read; together they are no split."""
    make_split(world.context, "first", ASKED)
    make_split(world.context, "second", replace(ASKED, seed=9))
    other = world.lake.read(MAIN, split_path("second"))
    assert other is not None
    world.lake.create_branch("odd", MAIN)
    world.lake.write_many("odd", [Upload(path=split_path("first"), data=other)])
    world.lake.commit("odd", "odd", {})
    world.lake.merge("odd", MAIN, "odd", {})
    with pytest.raises(InvalidDataError) as caught:
        read_split(world.context, MAIN, "first")
    assert caught.value.code == "split-damaged"


def test_shares_come_back_as_they_were_put(world: World) -> None:
    thirds = {part: Fraction(1, 3) for part in ("a", "b", "c")}
    made = make_split(world.context, "thirds", Asked(ratios=thirds, seed=-3))
    assert made.facts.ratios == thirds
    assert load_split(world.context, MAIN, "thirds").facts.seed == -3
    assert b'"1/3"' in (world.lake.read(MAIN, facts_path(split_path("thirds"))) or b"")
