"""Which tasks a selection takes, and that a manifest remembers what was asked for."""

from dataclasses import replace

import pytest

from ops.core.records import CommitId, TaskKey, TaskState
from ops.core.rounds import Manifest, decode_manifest, encode_manifest
from ops.core.selection import Selection, select
from ops.errors import InvalidDataError

KEYS = tuple(TaskKey(name) for name in ("a.png", "b.png", "c.png", "d.png"))
STATES = {
    KEYS[0]: TaskState.LABELED,
    KEYS[1]: TaskState.SKIPPED,
    KEYS[2]: TaskState.UNFINISHED,
}
MANIFEST = Manifest(
    id="0" * 32,
    name="cheese",
    base=CommitId("c" * 64),
    actor="ann",
    created_at="2026-11-21T14:02:00.000000Z",
    selection=Selection(),
    task_count=2,
    tasks_digest="sha256:00",
    ontology_digest="sha256:11",
)


def test_without_a_wish_the_tasks_nobody_finished_are_taken() -> None:
    """Labeled and skipped ones are done."""
    assert select(KEYS, STATES, Selection()) == [KEYS[2], KEYS[3]]


@pytest.mark.parametrize("edit", [False, True])
def test_tasks_named_one_by_one_are_taken_in_any_state(edit: bool) -> None:
    """Naming a task is asking for it, whatever became of it."""
    named = Selection(keys=(KEYS[0], KEYS[1], KEYS[3]), edit=edit)
    assert select(KEYS, STATES, named) == [KEYS[0], KEYS[1], KEYS[3]]


def test_no_task_named_is_not_the_same_as_any_task() -> None:
    """An empty list of names takes nothing."""
    assert select(KEYS, STATES, Selection(keys=())) == []


def test_a_limit_holds_for_named_tasks_too() -> None:
    """The first by key."""
    assert select(KEYS, STATES, Selection(keys=KEYS, limit=1)) == [KEYS[0]]


@pytest.mark.parametrize("keys", [None, (), (KEYS[1],), KEYS])
def test_a_manifest_remembers_the_named_tasks(keys: tuple[TaskKey, ...] | None) -> None:
    """What was asked for comes back from the bytes as it was."""
    asked = replace(MANIFEST, selection=Selection(edit=True, keys=keys))
    assert decode_manifest(encode_manifest(asked), "cheese") == asked


def test_a_manifest_with_a_key_that_is_no_text_is_refused() -> None:
    """The field is named."""
    damaged = encode_manifest(replace(MANIFEST, selection=Selection(keys=(KEYS[0],)))).replace(
        b'"a.png"', b"1"
    )
    with pytest.raises(InvalidDataError, match="no task key"):
        decode_manifest(damaged, "cheese")
