"""Which tasks a selection takes of a real history, and that they come again from its manifest."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ops.core.prediction_rules import Matching
from ops.core.predictions import ModelVersion
from ops.core.ranking import Ranking, RankKind
from ops.core.records import Json, TaskKey
from ops.core.rounds import decode_manifest, encode_manifest
from ops.core.selection import Selection
from ops.core.task_list import encode_tasks, tasks_digest
from ops.errors import InvalidDataError, NotFoundError, OpsError, RefusedError, UsageError
from ops.runner.context import main_head
from ops.runner.finish import finish_round
from ops.runner.prediction_files import open_predictions
from ops.runner.predictions import add_predictions
from ops.runner.queries import save_query
from ops.runner.ranking_file import read_ranking
from ops.runner.round_tasks import add_tasks, drop_tasks, reselect
from ops.runner.selection import Choice, choose_tasks
from ops.runner.start import start_round
from ops.runner.status import find_manifest
from tests.runner.test_crash import Killed
from tests.runner.world import World, region
from tests.toy_clip import DIMENSIONS, write_toy_clip

IMAGES = 12


def names(*numbers: int) -> list[str]:
    """Keys of pictures by number."""
    return [f"p{number:03}.png" for number in numbers]


def taken(choice: Choice) -> list[str]:
    """Which tasks were chosen."""
    return [entry.task.key for entry in choice.tasks]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Twelve pictures, of which the first seven are done, in version v1.

    0 and 1 brie, 2 gouda; 3: two people agree; 4: they disagree; 5 is empty, 6 skipped.
    """
    world = World(IMAGES)
    start_round(world.context, "first", Selection(limit=7))
    for key in names(0, 1, 3, 4):
        world.label(key, "brie")
    world.label("p002.png", "gouda")
    world.label("p003.png", "brie", by=world.ben)
    world.label("p004.png", "gouda", "gouda", by=world.ben)
    world.label("p005.png")
    world.label("p006.png", skipped=True)
    finish_round(world.context, "first")
    save_query(world.context, "bries", "label = 'brie' AND annotator = 'ann@example.org'")
    several = "SELECT key FROM annotations GROUP BY key HAVING count(*) > 1"
    save_query(world.context, "big", several)
    predict(world, tmp_path)
    return world


def predict(world: World, folder: Path) -> None:
    """A model that is ever less sure of 7 to 10, states regions' scores for 11, and none for 0."""
    rows: list[Mapping[str, Json]] = [
        {"key": f"p{number:03}.png", "score": 1 - number / 20, "result": []}
        for number in range(7, 11)
    ]
    scored = [
        {**region("brie", n), "id": f"r{n}", "score": score} for n, score in ((0, 0.9), (1, 0.2))
    ]
    rows.append({"key": "p011.png", "result": [dict(one) for one in scored]})
    rows.append({"key": "p000.png", "result": []})
    file = folder / "predictions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    of = ModelVersion(model="net", version="3")
    add_predictions(world.context, open_predictions(file), of, matching=Matching())


def choose(world: World, selection: Selection) -> Choice:
    """What it takes at main."""
    return choose_tasks(world.context, main_head(world.context.lake), selection)


def ranked(by: str, *, kind: RankKind = RankKind.EXPRESSION, ascending: bool = False) -> Ranking:
    """An order among tasks."""
    return Ranking(kind=kind, by=by, ascending=ascending)


def test_an_expression_finds_tasks_whatever_their_state(world: World) -> None:
    for where, wanted in (
        ("label = 'brie'", (0, 1, 3, 4)),
        ("label = 'gouda' AND annotator <> 'ann@example.org'", (4,)),
        ("state = 'skipped'", (6,)),
        ("region_count = 0 AND key LIKE 'p00%'", (5, 6, 7, 8, 9)),
        ("width BETWEEN 29 AND 31 AND label = 'gouda'", (2, 4)),
    ):
        assert taken(choose(world, Selection(where=where))) == names(*wanted), where
    only = Selection(where="key < 'p009'", unlabeled=True)
    assert taken(choose(world, only)) == names(7, 8)
    edit = Selection(
        where="annotation_count > 0 AND state <> 'skipped'", edit=True, labeled_too=True
    )
    assert taken(choose(world, edit)) == names(0, 1, 2, 3, 4, 5)


def test_a_choice_says_how_it_was_made(world: World) -> None:
    choice = choose(world, Selection(where="key >= 'p004'"))
    assert (choice.looked_at_count, choice.counts.tasks) == (IMAGES, 8)
    assert (choice.counts.labeled, choice.counts.skipped, choice.counts.unfinished) == (1, 1, 5)
    assert choice.notes == ()


def test_a_saved_query_is_a_condition_or_gives_keys(world: World) -> None:
    choice = choose(world, Selection(saved="bries"))
    assert taken(choice) == names(0, 1, 3, 4)
    assert choice.selection.where == "label = 'brie' AND annotator = 'ann@example.org'"
    assert taken(choose(world, Selection(saved="big"))) == names(3, 4)


def test_a_sample_is_shared_among_the_values_of_an_expression(world: World) -> None:
    every = Selection(labeled_too=True, sample=6, by="state", seed=1)
    found = Counter(world_state(key) for key in taken(choose(world, every)))
    # 12 tasks, 6 taken: 5, 5, 1 and 1 give 2.5, 2.5, 0.5 and 0.5; ties go by name.
    assert found == {"empty": 1, "labeled": 3, "unfinished": 2}
    part = choose(world, Selection(percent=50, seed=3))
    assert len(part.tasks) == 3
    assert part.looked_at_count == IMAGES


def world_state(key: str) -> str:
    """The state of a picture in the fixture's version."""
    number = int(key[1:4])
    return {5: "empty", 6: "skipped"}.get(number, "labeled" if number < 5 else "unfinished")


def test_an_expression_ranks_and_a_limit_takes_the_first(world: World) -> None:
    most = Selection(labeled_too=True, limit=2, ranking=ranked("region_count"))
    assert taken(choose(world, most)) == names(3, 4)
    least = replace(most, ranking=ranked("region_count", ascending=True), limit=1)
    assert taken(choose(world, least)) == names(5)
    last = Selection(limit=2, ranking=ranked("key"))
    assert taken(choose(world, last)) == names(10, 11)
    nulls = Selection(labeled_too=True, limit=1, ranking=ranked("nullif(region_count, 3)"))
    assert taken(choose(world, nulls)) == names(3)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_ranks_the_tasks_it_names(world: World, tmp_path: Path, suffix: str) -> None:
    file = score_file(tmp_path, suffix, {8: 0.5, 9: 2.5, 10: -1, 3: 9})
    ranking = read_ranking(file, "score")
    choice = choose(world, Selection(limit=2, ranking=ranking))
    assert taken(choice) == names(8, 9)
    kept = choice.selection.ranking
    assert kept is not None
    assert kept.ranks == ((TaskKey("p008.png"), 0.5), (TaskKey("p009.png"), 2.5))
    assert (kept.file, kept.sha256) == (file.name, ranking.sha256)
    worst = read_ranking(file, "score", ascending=True)
    assert taken(choose(world, Selection(limit=1, ranking=worst))) == names(10)
    assert taken(choose(world, Selection(ranking=ranking, labeled_too=True))) == names(3, 8, 9, 10)


def score_file(folder: Path, suffix: str, scores: Mapping[int, float]) -> Path:
    """A file of scores by picture."""
    from ops.parquet import Column, write_rows

    file = folder / f"scores{suffix}"
    rows: list[Mapping[str, Json]] = [
        {"key": f"p{number:03}.png", "score": score} for number, score in scores.items()
    ]
    if suffix == ".csv":
        file.write_text("key,score\n" + "".join(f"{row['key']},{row['score']}\n" for row in rows))
    else:
        file.write_bytes(write_rows(rows, {"key": Column.TEXT, "score": Column.NUMBER}))
    return file


def test_strangers_in_a_ranking_file_are_told_unless_all_are(world: World, tmp_path: Path) -> None:
    some = score_file(tmp_path, ".csv", {8: 1, 77: 2})
    choice = choose(world, Selection(limit=5, ranking=read_ranking(some, "score")))
    assert taken(choice) == names(8)
    assert "1 of the 2 keys of scores.csv are no task's here: p077.png" in choice.notes
    none = score_file(tmp_path, ".csv", {77: 1, 78: 2})
    with pytest.raises(InvalidDataError) as caught:
        choose(world, Selection(limit=5, ranking=read_ranking(none, "score")))
    assert caught.value.code == "ranking-matches-nothing"
    shown = dict(caught.value.where)
    assert ("p077.png" in shown["in the file"], "p000.png" in shown["tasks"]) == (True, True)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("key,other\np000.png,1\n", "no-such-ranking-column"),
        ("name,score\np000.png,1\n", "no-such-ranking-column"),
        ("key,score\np000.png,nan\n", "ranking-file"),
        ("key,score\np000.png,\n", "ranking-file"),
        ("key,score\np000.png,high\n", "ranking-file"),
        ("key,score\np000.png,inf\n", "ranking-file"),
        ("key,score\np000.png\n", "ranking-file"),
        ("key,score\n,1\n", "ranking-file"),
        ("key,score\np000.png,1\np000.png,2\n", "ranking-file"),
        ("key,score\n", "ranking-file"),
        ("", "ranking-file"),
        ('key,score\n"p000.png,1\n', "ranking-file"),
        ("key,score\np000.png,1\n\xe9,2\n", "ranking-file"),
    ],
)
def test_a_ranking_file_is_read_strictly(tmp_path: Path, content: str, code: str) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(OpsError) as caught:
        read_ranking(file, "score")
    assert caught.value.code == code
    if code == "no-such-ranking-column":
        assert caught.value.exit_code == 2


def test_a_ranking_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as missing:
        read_ranking(tmp_path / "nowhere.csv", "score")
    assert missing.value.code == "no-ranking-file"
    (tmp_path / "odd.parquet").write_bytes(b"key,score\n")
    with pytest.raises(InvalidDataError, match="no Parquet file"):
        read_ranking(tmp_path / "odd.parquet", "score")
    file = score_file(tmp_path, ".parquet", {1: 1.0})
    with pytest.raises(UsageError, match="no column 'points'"):
        read_ranking(file, "points")
    file = score_file(tmp_path, ".parquet", {1: float("nan")})
    with pytest.raises(InvalidDataError, match=r"nan for 'p001\.png'"):
        read_ranking(file, "score")


def test_what_a_model_is_least_sure_of_comes_first(world: World) -> None:
    """By score, without one by the lowest of its regions, without any last; unpredicted: out."""
    unsure = ranked("net@3", kind=RankKind.UNCERTAIN)
    choice = choose(world, Selection(limit=3, ranking=unsure))
    assert taken(choice) == names(9, 10, 11)
    assert taken(choose(world, Selection(limit=1, ranking=unsure))) == names(11)
    every = choose(world, Selection(limit=9, ranking=unsure, labeled_too=True))
    assert taken(every) == names(0, 7, 8, 9, 10, 11)
    assert every.notes == (
        "6 tasks have no prediction of net@3: left out",
        "1 predictions of net@3 have no score: last",
    )
    sure = ranked("net@3", kind=RankKind.UNCERTAIN, ascending=True)
    assert taken(choose(world, Selection(limit=1, ranking=sure))) == names(7)
    last = choose(world, Selection(limit=5, ranking=unsure, labeled_too=True))
    assert "p000.png" not in taken(last)


def test_disputed_tasks_are_those_whose_people_disagree(world: World) -> None:
    disputed = Selection(ranking=ranked("combined", kind=RankKind.DISAGREEMENT))
    assert taken(choose(world, disputed)) == names(4)


@pytest.mark.parametrize(
    ("selection", "kind", "code"),
    [
        (Selection(where="colour = 'red'"), UsageError, None),
        (Selection(where="label = 'brie'; DROP TABLE tasks"), UsageError, None),
        (Selection(where="(DELETE FROM tasks)"), UsageError, None),
        (Selection(where="COPY tasks TO 'x.csv'"), UsageError, None),
        (Selection(where="SELECT label FROM labels"), UsageError, "query-without-keys"),
        (Selection(sample=2, by="label", labeled_too=True), UsageError, None),
        (Selection(sample=2, by="colour"), UsageError, None),
        (Selection(limit=1, ranking=ranked("label"), labeled_too=True), UsageError, None),
        (Selection(limit=1, ranking=ranked("annotators")), InvalidDataError, "ranking-value"),
        (Selection(limit=1, ranking=ranked("'NaN'::DOUBLE")), InvalidDataError, "ranking-value"),
        (Selection(saved="nope"), NotFoundError, "no-such-query"),
        (
            Selection(limit=1, ranking=ranked("net@4", kind=RankKind.UNCERTAIN)),
            NotFoundError,
            "no-such-predictions",
        ),
        (
            Selection(limit=1, ranking=ranked("net", kind=RankKind.UNCERTAIN)),
            UsageError,
            "prediction-name",
        ),
        (Selection(keys=(TaskKey("p077.png"),)), NotFoundError, "no-such-task"),
    ],
)
def test_bad_wishes_are_told(
    world: World, selection: Selection, kind: type[OpsError], code: str | None
) -> None:
    """Nothing is written; the commit is as it was."""
    before = world.lake.find_commit("main")
    with pytest.raises(kind) as caught:
        choose(world, selection)
    assert code in {None, caught.value.code}
    assert world.lake.find_commit("main") == before


def test_nothing_found_is_refused_with_how_many_were_looked_at(world: World) -> None:
    with pytest.raises(RefusedError, match="of 12 images no task") as caught:
        start_round(world.context, "none", Selection(where="label = 'edam'"))
    assert caught.value.code == "nothing-to-label"
    assert "where label = 'edam'" in dict(caught.value.where)["selection"]


WISHES = {
    "plain": Selection(),
    "all": Selection(labeled_too=True),
    "edit": Selection(labeled_too=True, edit=True, where="label = 'brie'"),
    "named": Selection(keys=(TaskKey("p001.png"), TaskKey("p009.png"))),
    "limit": Selection(limit=3),
    "sample": Selection(sample=3, seed=9),
    "percent": Selection(percent=33.3, seed=-9, labeled_too=True),
    "shared": Selection(sample=5, by="state", seed=2, labeled_too=True),
    "where": Selection(where="label = 'brie'", unlabeled=False, limit=2),
    "saved": Selection(saved="bries"),
    "query": Selection(saved="big"),
    "expression": Selection(limit=2, ranking=ranked("key")),
    "file": Selection(limit=2, ranking=ranked("score", kind=RankKind.FILE)),
    "uncertain": Selection(limit=2, ranking=ranked("net@3", kind=RankKind.UNCERTAIN)),
    "disputed": Selection(ranking=ranked("combined", kind=RankKind.DISAGREEMENT)),
}


@pytest.mark.parametrize("wish", WISHES)
def test_the_same_tasks_come_again_from_the_manifest_alone(
    world: World, wish: str, tmp_path: Path
) -> None:
    """Whatever became of main, of the file and of the person since; amended or not."""
    selection = WISHES[wish]
    if wish == "file":
        file = score_file(tmp_path, ".csv", {7: 3, 8: 0.1, 9: 2, 10: 1})
        selection = replace(selection, ranking=read_ranking(file, "score"))
        file.unlink()
    start_round(world.context, "again", selection)
    assert start_round(world.context, "again", selection).steps == ()
    world.add_images(["a.png", "p0085.png"])
    save_query(world.context, "bries", "label = 'gouda'")
    if wish not in {"all", "disputed"}:
        add_tasks(world.context, "again", Selection(sample=1, seed=4, labeled_too=True))
        drop_tasks(world.context, "again", Selection(limit=1, ranking=ranked("key")))
    found = find_manifest(world.context, "again")
    data = encode_manifest(found)
    again = reselect(world.another("rita@example.org"), decode_manifest(data, "again"))
    assert tasks_digest(encode_tasks(again.values())) == found.tasks_digest
    assert len(again) == found.task_count > 0


def test_a_texts_order_comes_again_without_model_or_embeddings(
    world: World, tmp_path: Path
) -> None:
    """The manifest holds the likeness of the tasks that were taken."""
    file = tmp_path / "folder" / "vectors.npz"
    file.parent.mkdir()
    red = {8: 0.9, 9: 0.1, 10: 0.5, 3: 1.0}
    vectors = [[like, 1 - like, *[0.0] * (DIMENSIONS - 2)] for like in red.values()]
    np.savez(file, key=np.array(names(*red)), vector=np.array(vectors))
    context = replace(world.context, clip_path=write_toy_clip(tmp_path / "clip"))
    by_text = Ranking(kind=RankKind.TEXT, by="red", file=str(file))
    asked = Selection(limit=2, ranking=by_text)
    started = start_round(context, "reds", asked)
    assert [*started.keys] == names(8, 10)
    assert started.choice is not None
    assert started.choice.notes == ("2 tasks have no embedding: left out",)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    assert start_round(context, "reds", asked).steps == ()
    found = find_manifest(world.context, "reds")
    kept = found.selection.ranking
    assert kept is not None
    assert (kept.file, kept.sha256) == ("vectors.npz", digest)
    again = reselect(world.context, found)
    assert tasks_digest(encode_tasks(again.values())) == found.tasks_digest


def test_a_task_list_of_words_nobody_knows_is_told_as_what_it_is() -> None:
    """Its start was killed before the manifest; another start by other words goes on with it."""
    world = World()

    def kill(method: str) -> None:
        if method == "write_if_absent":
            raise Killed

    world.watch(lambda _: None, kill)
    with pytest.raises(Killed):
        start_round(world.context, "cheese", Selection(limit=2))
    world.watch(lambda _: None, lambda _: None)
    with pytest.raises(RefusedError) as caught:
        start_round(world.context, "cheese", Selection(sample=4))
    assert caught.value.code == "round-exists"
    assert "2 tasks named one by one" in dict(caught.value.where)["there"]
    assert [*start_round(world.context, "cheese", Selection()).keys] == names(0, 1)
    found = find_manifest(world.context, "cheese")
    again = reselect(world.context, found)
    assert tasks_digest(encode_tasks(again.values())) == found.tasks_digest
