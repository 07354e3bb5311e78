"""Bad input: a clear error of the right class that names the place, and nothing written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ops.core.names import record_path
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import InvalidDataError, OpsError
from ops.runner.start import start_round
from ops.runner.sync import BATCH, sync_round
from tests.bad_input import commands, documents, exports, records, repository
from tests.bad_input.scene import Case, Document, LyingStudio, Scene, check_error, drop
from tests.laws import note
from tests.runner.world import World

CASES: tuple[Case, ...] = (
    *records.cases(),
    *exports.cases(),
    *documents.cases(),
    *repository.cases(),
)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_bad_input_is_refused_and_changes_nothing(case: Case) -> None:
    """Whatever lies in lakeFS, or comes from Label Studio or a person."""
    scene = Scene()
    case.spoil(scene)
    before = scene.state()
    with pytest.raises(OpsError) as caught:
        case.act(scene)
    check_error(caught.value, case)
    assert scene.state() == before


def test_every_kind_of_input_has_its_cases() -> None:
    """Each case once; the summary at the end of a run says how many of what."""
    ids = [case.id for case in (*CASES, *commands.cases())]
    assert len(ids) == len(set(ids))
    kinds = Counter(name.partition("-")[0] for name in ids)
    assert len(ids) >= 200
    assert min(kinds.values()) >= 5, kinds
    note("bad input", f"{len(ids)} cases refused, nothing written: " + _in_words(kinds))


def _in_words(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))


def test_a_bad_document_behind_good_ones_commits_nothing() -> None:
    """Records go up batch by batch: the error says so, and the next sync starts from there."""
    world = World(BATCH + 2)
    start_round(world.context, "big", Selection())
    sync_round(world.context, "big")
    for key in ("p000.png", f"p{BATCH + 1:03}.png"):
        world.label(key, "brie")

    def lie(document: Document) -> Document:
        is_last = document["data"]["key"] == f"p{BATCH + 1:03}.png"
        return drop("annotations", 0, "was_cancelled")(document) if is_last else document

    lying = replace(world.context, studio=LyingStudio(world.studio, lie))
    before = world.lake.find_commit("round-big")
    with pytest.raises(InvalidDataError) as caught:
        sync_round(lying, "big", full=True)
    staged = [change.path for change in world.lake.uncommitted("round-big")]
    assert staged == [record_path(TaskKey("p000.png"))]
    assert world.lake.find_commit("round-big") == before
    assert caught.value.unchanged.startswith("nothing was committed; what is staged")
    assert sync_round(world.context, "big").counts.labeled == 2
