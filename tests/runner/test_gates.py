"""The gate's files on main: written whole, killed at any request, missed when they are changed."""

from dataclasses import replace

import pytest

from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import (
    ACTION_PATH,
    COMPILED_GATES_PATH,
    GATE_SCRIPT_PATH,
    GATES_PATH,
    MAIN,
)
from ops.core.selection import Selection
from ops.errors import ConflictError, InvalidDataError, RefusedError, UsageError
from ops.gate import default_settings, hook_files
from ops.ports import Upload
from ops.runner.context import main_head
from ops.runner.finish import finish_round
from ops.runner.gates import (
    gate_state,
    look_at_gates,
    read_gates,
    refuse_gate_changes,
    set_gates,
)
from ops.runner.init import init_repository
from ops.runner.start import start_round
from tests.fakes.lake import FakeLake
from tests.runner.raw import change_main
from tests.runner.test_crash import Killed, kill_at
from tests.runner.world import LABELS, World

HALF = b"[coverage]\nanswered = 0.5\n"
EVERY_FILE = {GATES_PATH, COMPILED_GATES_PATH, *hook_files()}
CONFIG = write_label_config(LABELS, LabelKind.BOXES)


def gate_objects(world: World, ref: str = MAIN) -> dict[str, bytes | None]:
    return {path: world.lake.read(ref, path) for path in sorted(EVERY_FILE)}


def test_init_writes_a_whole_gate() -> None:
    world = World()
    state = gate_state(world.context)
    assert (state.is_whole, state.problems, state.outdated) == (True, (), ())
    assert world.lake.read(MAIN, GATES_PATH) == default_settings()
    assert world.lake.read(MAIN, GATE_SCRIPT_PATH) == hook_files()[GATE_SCRIPT_PATH]


def test_settings_are_set_once() -> None:
    world = World()
    before = main_head(world.lake)
    plan = set_gates(world.context, HALF, name="mine.toml", dry_run=True)
    assert (plan.commit, main_head(world.lake)) == (None, before)
    done = set_gates(world.context, HALF, name="mine.toml")
    assert done.changed == plan.changed == (COMPILED_GATES_PATH, GATES_PATH)
    assert (done.before.answered, done.after.answered) == (1.0, 0.5)
    assert done.commit == main_head(world.lake)
    said = world.lake.commit_facts(MAIN)
    assert (said.metadata["ops.kind"], said.metadata["ops.expected_head"]) == ("gates", before)
    assert read_gates(world.context, MAIN).answered == 0.5
    assert read_gates(world.context, before).answered == 1.0
    assert set_gates(world.context, HALF, name="mine.toml").commit is None
    assert [name for name, _ in world.lake.branches() if name != MAIN] == []
    assert look_at_gates(world.context).text == HALF.decode()


def test_bad_settings_are_not_written() -> None:
    world = World()
    before = main_head(world.lake)
    with pytest.raises(InvalidDataError):
        set_gates(world.context, b"[coverage]\nanswered = 2", name="mine.toml")
    assert main_head(world.lake) == before


def test_another_change_of_main_in_between_is_told() -> None:
    world = World()

    def meanwhile(method: str) -> None:
        if method == "merge":
            world.lake.before = lambda _: None
            change_main(world, {"images/new.png": b"picture"}, metadata={"ops.kind": "data-add"})

    world.lake.before = meanwhile
    # The hook inside lakeFS compares heads; here that is the fake's part.
    world.lake_server.gate = lambda _, metadata: (
        None if metadata.get("ops.expected_head") == main_head(world.lake) else "main moved"
    )
    with pytest.raises(ConflictError) as caught:
        set_gates(world.context, HALF, name="mine.toml")
    assert caught.value.code == "main-moved"
    assert read_gates(world.context, MAIN).answered == 1.0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_killed_at_any_request_it_is_all_or_nothing(number: int, *, after: bool) -> None:
    """And run again, it is done."""
    world = World(image_count=0)
    whole = gate_objects(world)
    world.watch(*kill_at(number, after=after))
    try:
        set_gates(world.context, HALF, name="mine.toml")
    except Killed:
        world.watch(lambda _: None, lambda _: None)
        assert gate_objects(world) == whole or read_gates(world.context, MAIN).answered == 0.5
    world.watch(lambda _: None, lambda _: None)
    set_gates(world.context, HALF, name="mine.toml")
    assert read_gates(world.context, MAIN).answered == 0.5
    assert gate_state(world.context).is_whole


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 21))
def test_an_init_killed_at_any_request_is_ended_by_the_next(number: int, *, after: bool) -> None:
    """The same files on main, protected, and nothing staged."""
    wanted = gate_objects(World(image_count=0))
    world = World(image_count=0)
    lake = FakeLake("another", server=world.lake_server)
    context = replace(world.context, lake=lake)

    def run(config: str = CONFIG) -> tuple[str, ...]:
        return init_repository(context, label_config=config, namespace="mem://another").steps

    lake.before, lake.after = kill_at(number, after=after)
    try:
        run(write_label_config(["other"], LabelKind.BOXES))
    except Killed:
        lake.before = lake.after = lambda _: None
        if lake.find_commit(MAIN) is None or lake.read(MAIN, ACTION_PATH) is None:
            run()
    lake.before = lake.after = lambda _: None
    init_repository(context, label_config=None, namespace="mem://another")
    assert {path: lake.read(MAIN, path) for path in sorted(EVERY_FILE)} == wanted
    assert lake.is_protected(MAIN)
    assert not list(lake.uncommitted(MAIN))
    assert init_repository(context, label_config=None, namespace="mem://another").steps == ()


def test_without_an_ontology_there_is_no_init() -> None:
    world = World(image_count=0)
    world.lake_server.repositories.clear()
    with pytest.raises(UsageError) as caught:
        init_repository(world.context, label_config=None, namespace="mem://dataset")
    assert caught.value.code == "no-ontology"
    plan = init_repository(
        world.context, label_config=CONFIG, namespace="mem://dataset", dry_run=True
    )
    assert all(path in plan.steps[1] for path in EVERY_FILE)
    assert world.lake_server.repositories == {}


def test_an_older_hook_is_brought_up_to_date_and_settings_stay() -> None:
    world = World()
    set_gates(world.context, HALF, name="mine.toml")
    change_main(
        world,
        {GATE_SCRIPT_PATH: b"-- of an older ops"},
        metadata={"ops.kind": "gates"},
        is_merge=True,
    )
    assert gate_state(world.context).outdated == (GATE_SCRIPT_PATH,)
    assert gate_state(world.context).is_whole
    steps = init_repository(world.context, label_config=None, namespace="x").steps
    assert steps == (f"commit {GATE_SCRIPT_PATH} to main",)
    assert gate_state(world.context).outdated == ()
    assert world.lake.read(MAIN, GATES_PATH) == HALF


# A branch, or somebody else, changes the gate.


def tamper(world: World, branch: str, path: str, data: bytes | None) -> None:
    if data is None:
        world.lake.delete_many(branch, [path])
    else:
        world.lake.write_many(branch, [Upload(path=path, data=data)])
    assert world.lake.commit(branch, "tamper", {})


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        (ACTION_PATH, None, "removed"),
        (GATE_SCRIPT_PATH, b"-- agreed", "changed"),
        (GATES_PATH, b"[coverage]\nanswered = 0", "changed"),
        (COMPILED_GATES_PATH, b"{}", "changed"),
        ("_lakefs_actions/more.yaml", b"name: more", "added"),
        ("_gates/more.lua", b"-- more", "added"),
    ],
)
def test_a_branch_that_changes_the_gate_is_refused(
    path: str, data: bytes | None, said: str
) -> None:
    """By the finish, whatever else is right; main's settings count, not the branch's."""
    world = World()
    start_round(world.context, "cheese", Selection())
    tamper(world, "round-cheese", path, data)
    with pytest.raises(RefusedError) as caught:
        refuse_gate_changes(world.context, MAIN, "round-cheese")
    error = caught.value
    assert (error.code, error.subject) == ("gate-changed", path)
    assert dict(error.where) == {"files": f"{said} {path}"}
    before = main_head(world.lake)
    with pytest.raises(RefusedError) as caught:
        finish_round(world.context, "cheese", allow_unlabeled=True)
    assert caught.value.code == "gate-changed"
    assert main_head(world.lake) == before


def test_a_branch_behind_main_may_still_have_the_gate_it_began_with() -> None:
    """Only what the branch itself changed is held against it."""
    world = World()
    start_round(world.context, "cheese", Selection())
    set_gates(world.context, b"[coverage]\nanswered = 0", name="")
    refuse_gate_changes(world.context, MAIN, "round-cheese")
    assert finish_round(world.context, "cheese").version == 1


def test_what_main_wants_said_is_said_by_a_person() -> None:
    """And nobody says what ops says."""
    world = World()
    start_round(world.context, "cheese", Selection())
    set_gates(world.context, b"[metadata]\nrequired = ['ticket']", name="")

    def finish(**said: str) -> str | None:
        named = {f"ops.{name}": value for name, value in said.items()}
        return finish_round(world.context, "cheese", allow_unlabeled=True, said=named).commit

    with pytest.raises(RefusedError) as refused:
        finish()
    assert refused.value.code == "missing-metadata"
    for name in ("round", "snapshot_digest", "expected_head"):
        with pytest.raises(UsageError) as caught:
            finish(ticket="A-17", **{name: "mine"})
        assert caught.value.subject == f"ops.{name}"
    commit = finish(ticket="A-17", reason="it was due")
    said = world.lake.commit_facts(str(commit)).metadata
    assert (said["ops.ticket"], said["ops.reason"]) == ("A-17", "it was due")
    assert said["ops.expected_head"] != "mine"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"ops.kind": "finish"}, {"ops.kind": "gates", "ops.expected_head": "0" * 64}],
    ids=["saying nothing", "as a finish", "on another main than it says"],
)
def test_a_gate_changed_around_ops_is_missed(metadata: dict[str, str]) -> None:
    world = World()
    whole = gate_state(world.context)
    change_main(world, {ACTION_PATH: None, GATES_PATH: HALF}, metadata=metadata, is_merge=True)
    state = gate_state(world.context)
    assert state.problems == (
        f"{ACTION_PATH} was removed around ops",
        f"{GATES_PATH} was changed around ops",
    )
    assert (state.is_whole, state.written_by) == (False, whole.written_by)
    assert state.missing == ()
    for take_over in (_init_again, _set_half):
        with pytest.raises(RefusedError) as caught:
            take_over(world)
        assert (caught.value.code, caught.value.subject) == ("gate-tampered", ACTION_PATH)
    assert gate_state(world.context) == state


def _init_again(world: World) -> object:
    return init_repository(world.context, label_config=None, namespace="x")


def _set_half(world: World) -> object:
    return set_gates(world.context, HALF, name="")


def test_a_repository_without_a_gate_says_what_is_missing() -> None:
    world = World()
    change_main(world, dict.fromkeys(EVERY_FILE), metadata={"ops.kind": "init"}, is_merge=True)
    state = gate_state(world.context)
    assert set(state.missing) == EVERY_FILE
    assert state.changed == ()
    assert look_at_gates(world.context).settings == read_gates(world.context, MAIN)
