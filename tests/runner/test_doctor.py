"""A check-up finds each fault that is planted; a repair mends it and loses nothing."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace

import pytest

from ops.core.health import Diagnosis, Repair, RepairKind, Verdict, plan_repairs, worst
from ops.core.names import (
    ACTION_PATH,
    GATE_SCRIPT_PATH,
    GATES_PATH,
    LABEL_CONFIG_PATH,
    media_path,
    record_path,
)
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    OpsError,
    RefusedError,
    UnavailableError,
)
from ops.ports import Upload
from ops.runner.doctor import examine_lake, examine_studio
from ops.runner.finish import finish_round
from ops.runner.repair import apply_repair
from ops.runner.start import start_round
from ops.runner.verify import verify_dataset
from tests.fakes.lake import FakeLake
from tests.fakes.studio import FakeStudio
from tests.laws import note
from tests.runner.raw import change_main, head, repository, stage_on_main
from tests.runner.world import World

FIRST = record_path(TaskKey("p000.png"))


@pytest.fixture
def world() -> World:
    """A dataset of one version, with a round that is open."""
    world = World()
    start_round(world.context, "cheese", Selection(limit=2))
    world.label("p000.png", "brie")
    world.label("p001.png", "gouda")
    finish_round(world.context, "cheese")
    start_round(world.context, "ham", Selection(limit=2))
    return world


def look(world: World) -> dict[str, Diagnosis]:
    """How every check comes out."""
    lake = list(examine_lake(world.context))
    return {one.name: one for one in [*lake, *examine_studio(world.context, has_lake=True)]}


def ill(world: World) -> dict[str, Verdict]:
    """What is not as it should be."""
    return {one.name: one.verdict for one in look(world).values() if one.verdict is not Verdict.OK}


def fix(world: World) -> list[str]:
    """Make every repair, and say what was done."""
    plan = plan_repairs(look(world).values())
    return [apply_repair(world.context, world.lake, repair) for repair in plan]


def test_a_dataset_made_by_ops_is_well(world: World) -> None:
    """Nothing to mend, and looking leaves nothing behind."""
    branches = dict(world.lake.branches())
    assert ill(world) == {}
    assert plan_repairs(look(world).values()) == ()
    assert dict(world.lake.branches()) == branches


def lose_gate(world: World) -> None:
    change_main(world, {ACTION_PATH: None, GATE_SCRIPT_PATH: None}, is_merge=True)


def change_gate(world: World) -> None:
    change_main(world, {GATES_PATH: b"# none", "_lakefs_actions/more.yaml": b"name: more"})


def dirty_main(world: World) -> None:
    stage_on_main(world, {"odd.txt": b"stray", FIRST: b"{}", LABEL_CONFIG_PATH: None})


def unprotect(world: World) -> None:
    repository(world).protected.clear()


def lose_tag(world: World) -> None:
    repository(world).tags.clear()


def move_tag(world: World) -> None:
    repository(world).tags["v1"] = head(world, "round-ham")


def leave_branches(world: World) -> None:
    world.lake.create_branch("ops-init", "main")
    world.lake.create_branch("data-0123456789ab", "v1")


Plant = Callable[[World], None]
FAULTS: Mapping[str, tuple[Plant, Verdict]] = {
    "gate": (lose_gate, Verdict.FAIL),
    "main": (dirty_main, Verdict.FAIL),
    "protection": (unprotect, Verdict.FAIL),
    "tags": (lose_tag, Verdict.FAIL),
    "branches": (leave_branches, Verdict.WARN),
}
"""By the check that finds it."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_said_and_mended(world: World, name: str) -> None:
    """A merge around ops stays in history; everything else is as it was before."""
    plant, verdict = FAULTS[name]
    gates, records = world.lake.read("main", GATE_SCRIPT_PATH), world.records()
    plant(world)
    looked = look(world)
    assert looked[name].verdict is verdict
    assert "ops doctor --fix" in looked[name].remedy
    assert fix(world)
    assert ill(world).keys() <= {"history"}
    assert (world.lake.read("main", GATE_SCRIPT_PATH), world.records()) == (gates, records)
    wrong = [one.code for one in verify_dataset(world.context).findings]
    assert wrong == (["around-ops"] if name == "gate" else [])
    assert fix(world) == []


@pytest.mark.parametrize("plant", [lose_gate, change_gate, dirty_main, lose_tag, leave_branches])
def test_a_repair_that_was_killed_is_made_again(world: World, plant: Plant) -> None:
    """At every request, before and after it."""
    tree = {found.path: found.checksum for found in world.lake.list_objects(head(world))}
    plant(world)
    planted = repository(world)
    points = 1
    while True:
        world.lake_server.repositories["dataset"] = deepcopy(planted)
        was_killed = _is_killed(world, points)
        fix(world)
        fix(world)
        assert ill(world).keys() <= {"history"}
        assert {found.path: found.checksum for found in world.lake.list_objects("main")} == tree
        if plant is dirty_main:
            assert world.lake.read(f"rescue-{head(world)[:12]}", "odd.txt") == b"stray"
        if not was_killed:
            break
        points += 1
    assert points > 5
    note("repairs", f"{plant.__name__}: killed around each of {points // 2} requests, same main")


def _is_killed(world: World, point: int) -> bool:
    """Kill the repairs at one of their requests; say whether they have so many."""
    plan = plan_repairs(examine_lake(world.context))
    left = point

    def die(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    world.lake.before = world.lake.after = die
    try:
        for repair in plan:
            apply_repair(world.context, world.lake, repair)
    except KeyboardInterrupt:
        return True
    finally:
        world.lake.before = world.lake.after = lambda _: None
    return False


def test_what_was_staged_on_main_is_kept_on_a_branch(world: World) -> None:
    """Bytes, facts, and what was to be removed; main is protected again."""
    path = media_path(TaskKey("new.png"))
    main = repository(world).branches["main"]
    dirty_main(world)
    picture = Upload(path=path, data=b"new", content_type="image/png", metadata={"width": "3"})
    world.lake.create_branch("side", "main")
    world.lake.write_many("side", [picture])
    main.staged[path] = repository(world).branches["side"].staged[path]
    before, commit = head(world), head(world)
    [said] = fix(world)
    branch = f"rescue-{commit[:12]}"
    assert branch in said
    assert head(world) == before
    assert list(world.lake.uncommitted("main")) == []
    assert world.lake.is_protected("main")
    kept = {one.path: one for one in world.lake.list_objects(branch, metadata=True)}
    assert world.lake.read(branch, "odd.txt") == b"stray"
    assert world.lake.read(branch, FIRST) == b"{}"
    assert kept[path].metadata == {"width": "3"}
    assert LABEL_CONFIG_PATH not in kept
    assert list(world.lake.uncommitted(branch)) == []


def test_what_is_staged_while_main_is_open_is_kept_too(world: World) -> None:
    """Somebody writes in the seconds in which main is not protected."""
    dirty_main(world)
    rival = world.another("rita@example.org").lake

    def write(name: str) -> None:
        if name == "unprotect":
            rival.write_many("main", [Upload(path="late.txt", data=b"late")])

    world.lake.after = write
    fix(world)
    assert world.lake.read(f"rescue-{head(world)[:12]}", "late.txt") == b"late"
    assert list(world.lake.uncommitted("main")) == []


def test_a_dirty_main_under_a_wider_rule_is_left_alone(world: World) -> None:
    """A rule for more than main is for people to change."""
    repository(world).protected[:] = ["mai*"]
    dirty_main(world)
    [repair] = plan_repairs(look(world).values())
    with pytest.raises(RefusedError) as caught:
        apply_repair(world.context, world.lake, repair)
    assert caught.value.code == "wider-protection"
    assert len(list(world.lake.uncommitted("main"))) == 3


def test_a_gate_that_was_changed_is_as_ops_left_it(world: World) -> None:
    """Settings somebody chose by ops stay; files that came around ops go."""
    settings = world.lake.read("main", GATES_PATH)
    change_gate(world)
    looked = look(world)["gate"]
    assert looked.error is not None
    assert len(looked.error.where) == 2
    fix(world)
    assert world.lake.read("main", GATES_PATH) == settings
    assert world.lake.read("main", "_lakefs_actions/more.yaml") is None
    assert world.lake.commit_facts("main").metadata["ops.kind"] == "repair"
    assert "ops-repair" not in " ".join(name for name, _ in world.lake.branches())


def test_a_moved_tag_goes_back_and_what_it_named_is_kept(world: World) -> None:
    """Unless main has it anyway."""
    version, other = repository(world).tags["v1"], head(world, "round-ham")
    repository(world).tags["v1"] = other
    [said] = fix(world)
    assert f"rescue-{other[:12]}" in said
    assert dict(world.lake.tags()) == {"v1": version}
    assert head(world, f"rescue-{other[:12]}") == other
    repository(world).tags["v1"] = repository(world).nodes[version].commit.parents[0]
    fix(world)
    assert dict(world.lake.tags()) == {"v1": version}
    assert sum(name.startswith("rescue-") for name, _ in world.lake.branches()) == 1


def test_branches_that_hold_something_are_left(world: World) -> None:
    """What main has not is never deleted, not even if it came after the look."""
    world.lake.create_branch("data-staged", "main")
    world.lake.write_many("data-staged", [Upload(path="a", data=b"1")])
    world.lake.create_branch("ops-gates-0123", "main")
    world.lake.write_many("ops-gates-0123", [Upload(path="a", data=b"1")])
    world.lake.commit("ops-gates-0123", "More", {})
    world.lake.create_branch("revert-v3-0123", "main")
    plan = plan_repairs(look(world).values())
    assert [repair.subject for repair in plan] == ["revert-v3-0123"]
    world.lake.write_many("revert-v3-0123", [Upload(path="a", data=b"1")])
    with pytest.raises(RefusedError, match="main has not"):
        apply_repair(world.context, world.lake, plan[0])
    assert ill(world) == {"branches": Verdict.WARN}
    assert "run the command again that made it" in look(world)["branches"].remedy


def test_malformed_hooks_on_main_are_found(world: World) -> None:
    """LakeFS then makes no branch; tests/system/test_doctor.py mends it on the real one."""
    world.lake.before = _breaking(world, "create_branch", ConfigurationError, "broken-gate")
    looked = look(world)["hooks"]
    assert (looked.verdict, [one.kind for one in looked.repairs]) == (
        Verdict.FAIL,
        [RepairKind.HOOKS],
    )
    world.lake.before = _breaking(world, "create_branch", ConfigurationError, "other")
    assert look(world)["hooks"].repairs == ()


def test_hooks_that_can_be_read_are_left_alone(world: World) -> None:
    """Somebody mended them meanwhile."""
    before = head(world)
    repair = Repair(kind=RepairKind.HOOKS, subject="main", text="")
    assert "nothing to do" in apply_repair(world.context, world.lake, repair)
    assert head(world) == before


def _breaking(_: World, method: str, kind: type[OpsError], code: str) -> Callable[[str], None]:
    def before(name: str) -> None:
        if method in {name, ""}:
            raise kind(code, "it is so", unchanged="nothing", hint="do that")

    return before


@pytest.mark.parametrize("kind", [UnavailableError, DeniedError])
def test_where_lakefs_is_down_the_rest_is_still_looked_at(
    world: World, kind: type[OpsError]
) -> None:
    """What needs it is skipped, with the reason."""
    world.lake.before = _breaking(world, "", kind, "down")
    lake = list(examine_lake(world.context))
    assert [one.verdict for one in lake] == [Verdict.FAIL] + [Verdict.SKIPPED] * (len(lake) - 1)
    assert {one.message for one in lake[1:]} == {"not looked at: lakefs comes first"}
    assert isinstance(worst(lake), kind)
    studio = {one.name: one.verdict for one in examine_studio(world.context, has_lake=False)}
    assert studio == {
        "label-studio": Verdict.OK, "account": Verdict.OK,
        "rounds": Verdict.SKIPPED, "pictures": Verdict.SKIPPED,
    }  # fmt: skip


def test_where_label_studio_is_down_its_rounds_are_not_looked_at(world: World) -> None:
    """LakeFS is asked all the same."""
    world.studio.before = _breaking(world, "", UnavailableError, "down")
    assert ill(world) == {
        "label-studio": Verdict.FAIL, "account": Verdict.SKIPPED,
        "rounds": Verdict.SKIPPED, "pictures": Verdict.SKIPPED,
    }  # fmt: skip


def test_a_token_that_is_not_taken(world: World) -> None:
    """The server answers, and nothing can be asked of it."""
    world.studio.before = _breaking(world, "members", DeniedError, "label-studio-token")
    assert ill(world)["account"] is Verdict.FAIL
    assert ill(world)["rounds"] is Verdict.SKIPPED


def test_a_repository_that_is_not_there() -> None:
    """Says how it is made."""
    world = World()
    nothing = replace(world.context, lake=FakeLake("nothing", world.lake_server))
    looked = list(examine_lake(nothing))
    assert [one.name for one in looked if one.verdict is Verdict.FAIL] == ["repository"]
    assert isinstance(worst(looked), NotFoundError)
    assert "ops init" in looked[1].remedy


class NewerLake(FakeLake):
    """A lakeFS nobody has tried."""

    def server_version(self) -> str:
        """What it says."""
        return "1.99.0"


class NewerStudio(FakeStudio):
    """A Label Studio nobody has tried."""

    def server_version(self) -> str:
        """What it says."""
        return "2.0.0"


def test_servers_nobody_has_tried_are_told(world: World) -> None:
    """It may work all the same."""
    newer = replace(
        world.context,
        lake=NewerLake("dataset", world.lake_server),
        studio=NewerStudio(world.clock),
    )
    lake, studio = next(examine_lake(newer)), next(examine_studio(newer, has_lake=False))
    assert (lake.verdict, studio.verdict) == (Verdict.WARN, Verdict.WARN)
    assert "tried on 1.84.x" in lake.message
    assert "tried on 1.23.x" in studio.message


def test_rounds_whose_project_is_gone_or_not_there_yet(world: World) -> None:
    """Starting them again makes it anew."""
    world.studio.delete_project(max(world.studio.projects))
    assert ill(world) == {"rounds": Verdict.WARN, "pictures": Verdict.SKIPPED}
    looked = look(world)["rounds"]
    assert "without its project: ham" in looked.message
    assert "ops round start ham" in looked.remedy
    start_round(world.context, "ham", Selection())
    assert ill(world) == {}


def test_commits_around_ops_are_told(world: World) -> None:
    """What they did, verify says."""
    commit = change_main(world, {"odd.txt": b"x"})
    looked = look(world)["history"]
    assert looked.verdict is Verdict.WARN
    assert commit[:12] in looked.message
    assert looked.remedy == "ops dataset verify"


def test_an_ontology_that_is_gone(world: World) -> None:
    """No round could start."""
    change_main(world, {LABEL_CONFIG_PATH: None})
    assert look(world)["ontology"].verdict is Verdict.FAIL
