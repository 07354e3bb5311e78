"""Whatever Label Studio answers: it is refused, or what it says is what the version says."""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.canonical import content, decode_record
from ops.core.names import MAIN
from ops.errors import InvalidDataError, OpsError, RefusedError
from ops.runner.finish import finish_round
from tests.bad_input.scene import KEY, RECORD, Document, LyingStudio, Scene

VALUES: tuple[Document, ...] = (
    None, True, 0, -1, 1.5, 2**63, -(2**70), 10**400, 1e308, float("nan"), "", "r0", "\0", "\ud800",
    "2026-11-21", [], [1], ["brie"], [["brie"]], [["a", 1]], [None], [{}], {}, {"x": {"y": [1]}},
)  # fmt: skip


def places(document: Document, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field of a document, at any depth."""
    if path:
        yield path
    inner: list[tuple[str | int, Document]] = []
    if isinstance(document, dict):
        inner = list(cast("dict[str, Document]", document).items())
    elif isinstance(document, list):
        inner = list(enumerate(cast("list[Document]", document)))
    for step, one in inner:
        yield from places(one, (*path, step))


def spoil(annotation: Document, dice: random.Random) -> None:
    """Take a field away, add one, or put anything in its place."""
    *way, last = dice.choice(list(places(annotation)))
    inner = annotation
    for step in way:
        inner = inner[step]
    act = dice.randrange(5)
    if act == 0 and isinstance(inner, dict):
        del inner[last]
    elif act == 1 and isinstance(inner, dict):
        inner["new"] = deepcopy(dice.choice(VALUES))
    else:
        inner[last] = deepcopy(dice.choice(VALUES))


def told_by(scene: Scene, seed: int) -> tuple[Document, OpsError | None]:
    """Finish a round on spoilt exports: what was said of the task, and why it was refused."""
    told: list[Document] = []

    def lie(document: Document) -> Document:
        if document["data"]["key"] == KEY:
            dice = random.Random(seed)  # noqa: S311 - a test's dice
            for _ in range(dice.randrange(1, 4)):
                spoil(document["annotations"][0], dice)
            told[:] = document["annotations"]
        return document

    lying = replace(scene.context, studio=LyingStudio(scene.world.studio, lie))
    try:
        finish_round(lying, "two")
    except OpsError as error:
        return told, error
    return told, None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_spoilt_export_is_refused_or_kept_as_it_is(seed: int) -> None:
    """Up to three fields of one annotation are anything; nothing else than an error of ours."""
    scene = Scene()
    main = scene.world.lake.find_commit(MAIN)
    told, error = told_by(scene, seed)
    if error is not None:
        assert error.exit_code in {RefusedError.exit_code, InvalidDataError.exit_code}
        assert scene.world.lake.find_commit(MAIN) == main
        return
    [said] = told
    [kept] = decode_record(scene.read(MAIN, RECORD), key=KEY).annotations
    as_said = replace(
        kept,
        result=tuple(said["result"] or ()),
        skipped=said["was_cancelled"],
        ground_truth=said["ground_truth"],
    )
    assert content(kept) == content(as_said)
