"""Predictions are kept once, and nothing of a file is taken or left out in silence."""

from pathlib import Path

import pytest

from ops.core.names import MAIN
from ops.core.prediction_rules import Matching, MatchOn
from ops.core.predictions import check_model_version
from ops.core.records import Json, TaskKey
from ops.errors import (
    ConflictError,
    InvalidDataError,
    NotFoundError,
)
from ops.runner.prediction_files import open_predictions
from ops.runner.predictions import add_predictions, list_predictions, read_predictions
from tests.runner.predicting import NAME, NET, keep, said, write
from tests.runner.world import World, region


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def world() -> World:
    return World()


def test_what_a_model_says_is_kept_and_read_again(world: World, tmp_path: Path) -> None:
    """On main, beside the labels; a second time it is there."""
    path = write(tmp_path, said())
    planned = keep(world, path, dry_run=True)
    assert (planned.commit, planned.already_done, planned.facts.rows) == (None, False, 4)
    assert world.lake.read(MAIN, NET.path) is None
    before = world.lake.find_commit(MAIN)
    kept = keep(world, path)
    assert kept.commit == world.lake.find_commit(MAIN) != before
    found = read_predictions(world.context, NAME)
    assert sorted(found.by_key) == [f"p{number:03}.png" for number in range(4)]
    [one] = found.by_key[TaskKey("p000.png")].result
    assert one == region("brie")
    again = keep(world, path)
    assert (again.already_done, again.commit) == (True, None)
    assert world.lake.find_commit(MAIN) == kept.commit
    [facts] = list_predictions(world.context)
    assert (str(facts.of), facts.rows, facts.made_by) == (NAME, 4, "lena@example.org")
    assert not list(world.lake.branches("predict-"))


def test_a_version_does_not_change(world: World, tmp_path: Path) -> None:
    """The same said from another file is the same; something else needs another version."""
    keep(world, write(tmp_path, said()))
    assert keep(world, write(tmp_path, said()[::-1], "other.jsonl")).already_done
    emptied: dict[str, Json] = {"key": "p003.png", "boxes": []}
    for entries in (said(3), [*said(3), emptied]):
        with pytest.raises(ConflictError) as caught:
            keep(world, write(tmp_path, entries))
        assert caught.value.code == "predictions-exist"
        assert "another --version" in caught.value.hint
    assert keep(world, write(tmp_path, said(3)), version="4").facts.rows == 3
    assert [str(one.of) for one in list_predictions(world.context)] == [NAME, "cheese-net@4"]


def test_nothing_is_left_out_in_silence(world: World, tmp_path: Path) -> None:
    """Refused with each problem named; with --skip-unknown the rest is taken, and they are told."""
    wrong: list[dict[str, Json]] = [
        {"key": "elsewhere.png", "boxes": []},
        {"key": "p004.png", "result": [region("edam")]},
    ]
    path = write(tmp_path, [*said(), *wrong])
    with pytest.raises(InvalidDataError) as caught:
        keep(world, path)
    assert caught.value.code == "predictions-invalid"
    assert caught.value.message == "2 of 6 predictions in said.jsonl cannot be taken"
    told = dict(caught.value.where)["problems"]
    assert "line 5 (elsewhere.png): there is no such task" in told
    assert "line 6 (p004.png): says the label 'edam'" in told
    assert world.lake.read(MAIN, NET.path) is None
    kept = keep(world, path, skip_unknown=True)
    assert (kept.facts.rows, kept.facts.left_out) == (4, 2)
    assert [one.place for one in kept.problems] == ["line 5", "line 6"]


def test_a_file_of_other_pictures_shows_both_shapes(world: World, tmp_path: Path) -> None:
    """Not one fits: the names are put otherwise, and the error shows how."""
    path = write(tmp_path, [{**one, "key": f"/data/x/{one['key']}"} for one in said()])
    with pytest.raises(NotFoundError) as caught:
        keep(world, path, skip_unknown=True)
    assert caught.value.code == "no-task-matches"
    where = dict(caught.value.where)
    assert "/data/x/p000.png" in where["named there"]
    assert where["task keys"].startswith("p000.png")
    assert "--strip-prefix" in caught.value.hint
    assert keep(world, path, matching=Matching(on=MatchOn.NAME), dry_run=True).facts.rows == 4
    assert keep(world, path, matching=Matching(strip_prefix="/data/x/")).facts.rows == 4


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("said.jsonl", b""),
        ("said.jsonl", b'{"key": "p000.png", "boxes": [\xff]}'),
        ("said.json", b"[]"),
        ("said.json", b"[[["),
    ],
)
def test_what_is_no_file_of_predictions_is_refused(
    world: World, tmp_path: Path, name: str, data: bytes
) -> None:
    """Empty, not UTF-8, not JSON; with --skip-unknown too."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidDataError) as caught:
        keep(world, tmp_path / name, skip_unknown=True)
    assert caught.value.code == "predictions-unreadable"
    with pytest.raises(NotFoundError):
        keep(world, tmp_path / "nowhere.jsonl")


def test_a_folder_of_yolo_texts_names_classes_itself_or_by_the_datasets_ids(
    world: World, tmp_path: Path
) -> None:
    """The same number is another class where a file says so."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "p000.txt").write_text("0 0.5 0.5 0.2 0.2 0.75\n")
    keep(world, folder)
    (tmp_path / "data.yaml").write_text("path: ../x\nnames:\n  0: gouda\n  1: brie\n")
    opened = open_predictions(folder, names=tmp_path / "data.yaml")
    other = check_model_version("cheese-net", "4")
    add_predictions(world.context, opened, other, matching=Matching())
    (folder / "classes.txt").write_text("gouda\nbrie\n")
    keep(world, folder, version="5")
    labels = [
        str(read_predictions(world.context, f"cheese-net@{version}").by_key[TaskKey("p000.png")])
        for version in (3, 4, 5)
    ]
    assert [("brie" in one, "gouda" in one) for one in labels] == [
        (True, False),
        (False, True),
        (False, True),
    ]


def test_of_two_who_keep_one_version_at_once_one_wins(world: World, tmp_path: Path) -> None:
    """The other is told; run again, it says that something else is kept."""
    mine, other = write(tmp_path, said()), write(tmp_path, said(3), "other.jsonl")

    def meanwhile(method: str) -> None:
        if method == "create_branch":
            world.watch(lambda _: None, lambda _: None)
            add_predictions(
                world.another("olga@example.org"), open_predictions(other), NET, matching=Matching()
            )

    world.watch(meanwhile, lambda _: None)
    with pytest.raises(ConflictError):
        keep(world, mine)
    with pytest.raises(ConflictError) as caught:
        keep(world, mine)
    assert caught.value.code == "predictions-exist"
    assert keep(world, other).already_done


def test_killed_at_any_request_they_are_kept_once(tmp_path: Path) -> None:
    """Time passes between the runs, so the second is another commit: main gets one of them."""
    path = write(tmp_path, said())
    number, is_over = 0, False
    while not is_over:
        number += 1
        world = World()
        is_over = _killed(world, path, number)
        assert keep(world, path).already_done or not is_over
        kinds = [one.metadata.get("ops.kind") for one in world.lake.log(MAIN, first_parent=True)]
        assert kinds.count("predict") == 1
        assert len(read_predictions(world.context, NAME).by_key) == 4
    assert number > 8


def _killed(world: World, path: Path, number: int) -> bool:
    """Keep them, dying after so many requests; whether it ended before that."""
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise Killed

    world.watch(lambda _: None, count)
    try:
        keep(world, path)
    except Killed:
        return False
    finally:
        world.watch(lambda _: None, lambda _: None)
        world.clock.advance(5)
    return True


def test_keeping_them_makes_no_version(world: World, tmp_path: Path) -> None:
    """The commit names the model; what an audit takes for a version's number is not there."""
    commit = keep(world, write(tmp_path, said())).commit
    assert commit
    facts = world.lake.commit_facts(commit).metadata
    assert (facts["ops.kind"], facts["ops.predictions"], facts["ops.rows"]) == (
        "predict",
        NAME,
        "4",
    )
    assert "ops.version" not in facts
