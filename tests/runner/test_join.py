"""Joining a table of one's own to the images: on the fakes, the trap of the outer merge first."""

import csv
import json
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ops.core.joining import Alike, MatchOn, Rule
from ops.core.names import MAIN
from ops.core.records import CommitId
from ops.core.table_columns import LABEL_COLUMNS, TASK_COLUMNS
from ops.errors import InvalidDataError, NotFoundError, OpsError, RefusedError, UsageError
from ops.ports import Upload
from ops.runner.deposit import deposit
from ops.runner.join import Joined, Source, drop_table, join_table, table_name
from ops.runner.tables import open_tables
from tests.runner.asked import CountingLake
from tests.runner.world import World

PANDAS: Any = import_module("pandas")
PARQUET: Any = import_module("pyarrow.parquet")
ARROW: Any = import_module("pyarrow")


@pytest.fixture
def world() -> World:
    return World(3)


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


def join(
    world: World,
    path: Path,
    rule: Rule | None = None,
    *,
    name: str | None = None,
    needs_all: bool = False,
    dry_run: bool = False,
) -> Joined:
    source = Source(path=path, key="image")
    return join_table(
        world.context, source, rule or Rule(), name=name, needs_all=needs_all, dry_run=dry_run
    )


def ask(world: World, sql: str) -> list[tuple[object, ...]]:
    commit = world.lake.find_commit(MAIN)
    assert commit is not None
    with open_tables(world.context, commit) as tables:
        return list(tables.query(sql))


IMAGES = 10_000
ROWS = 1_521
EMPTY = 15


@pytest.fixture(scope="module")
def pictures() -> World:
    """Ten thousand pictures in a folder that an annotation file does not know of."""
    world = World(0)
    world.add_images([f"images-root/{n // 1000:02}/{n:04}.jpg" for n in range(IMAGES)])
    return world


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of which fifteen were looked at and left without a label."""
    path = tmp_path_factory.mktemp("trap") / "annotations.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "animal"])
        for number in range(ROWS):
            key = f"{number * 6 // 1000:02}/{number * 6:04}.jpg"
            writer.writerow([key, "" if number % 100 == 7 and number < 1500 else "dog"])
    return path


def test_the_trap_an_outer_merge_falls_into(pictures: World, annotations: Path) -> None:
    """What the tutorial computes: more rows than pictures, no match, a share of nothing."""
    commit = pictures.lake.find_commit(MAIN)
    assert commit is not None
    images = [one.path for one in pictures.lake.list_objects(commit, "images/")]
    listing = PANDAS.DataFrame({"image": images})
    table = PANDAS.read_csv(annotations)
    merged = listing.merge(table, on="image", how="outer", indicator=True)
    assert (len(listing), len(table), len(merged)) == (IMAGES, ROWS, 11_521)
    assert (merged["_merge"] == "both").sum() == 0
    assert merged["animal"].notna().sum() == ROWS - EMPTY == 1_506
    assert f"{100 * 1_506 / len(merged):.2f}" == "13.07"


def test_the_trap_is_refused_and_the_way_out_named(pictures: World, annotations: Path) -> None:
    """Not one match is an error; both shapes stand side by side, the option below."""
    before = pictures.lake.find_commit(MAIN)
    with pytest.raises(InvalidDataError) as caught:
        join(pictures, annotations)
    error = caught.value
    assert (error.code, error.exit_code) == ("no-match", 9)
    assert (
        error.message == "not one of the 1521 rows of annotations.csv names one of the 10000 images"
    )
    shapes = dict(error.where)
    assert shapes["key in annotations.csv"].startswith("00/0000.jpg\n")
    assert shapes["image"].startswith("images-root/00/0000.jpg\n")
    assert error.hint == "1521 of 1521 rows match with: --add-prefix images-root/"
    assert pictures.lake.find_commit(MAIN) == before


def test_with_the_option_named_the_truth_comes_out(pictures: World, annotations: Path) -> None:
    """Every picture once, 1 506 of 10 000 labeled, fifteen looked at and empty."""
    done = join(pictures, annotations, Rule(add_prefix="images-root/"))
    found = done.facts.match
    assert (len(found.rows), len(found.unmatched_rows)) == (ROWS, 0)
    assert len(found.unmatched_images) == IMAGES - ROWS
    [figures] = ask(
        pictures,
        "SELECT count(*), count(m.key), count(m.animal),"
        " count(m.key) - count(m.animal), round(100.0 * count(m.animal) / count(*), 2)"
        " FROM tasks LEFT JOIN meta_annotations m USING (key)",
    )
    assert figures == (IMAGES, ROWS, 1_506, EMPTY, 15.06)
    # The joined column stands among a task's own, too.
    assert ask(pictures, "SELECT count(*), count(animal) FROM tasks") == [(IMAGES, 1_506)]


def test_a_table_is_kept_with_what_is_known_of_it(world: World, tmp_path: Path) -> None:
    path = write(
        tmp_path / "Cameras 2.csv",
        "image,camera,iso,blurred",
        "p001.png,left,100,true",
        "nope.png,left,100,true",
        "p000.png,,200,",
    )
    done = join(world, path)
    assert (done.facts.name, done.is_new, done.replaces) == ("cameras_2", True, False)
    data = world.lake.read(MAIN, "metadata/cameras_2.parquet")
    assert data is not None
    assert PARQUET.read_table(BytesIO(data)).to_pylist() == [
        {"key": "p000.png", "image": "p000.png", "camera": None, "iso": 200, "blurred": None},
        {"key": "p001.png", "image": "p001.png", "camera": "left", "iso": 100, "blurred": True},
    ]
    document = json.loads(world.lake.read(MAIN, "metadata/cameras_2.json") or b"")
    assert document["schema"] == "ops.metadata/1"
    assert (document["rows"], document["matched"], document["unmatched_rows"]) == (2, 2, 1)
    assert document["unmatched_row_examples"] == ["nope.png"]
    assert document["unmatched_image_examples"] == ["p002.png"]
    assert document["columns"][3] == {"name": "iso", "type": "int64"}
    assert document["made_by"] == "lena@example.org"
    commit = world.lake.find_commit(MAIN)
    assert commit == done.commit
    assert commit is not None
    facts = world.lake.commit_facts(commit).metadata
    assert (facts["ops.kind"], facts["ops.rows"], facts["ops.name"]) == (
        "data-join",
        "2",
        "cameras_2",
    )


def test_the_same_join_again_is_nothing_to_do(world: World, tmp_path: Path) -> None:
    """Another one replaces it, and the older commit keeps the older table."""
    path = write(tmp_path / "cams.csv", "image,cam", "p000.png,a")
    first = join(world, path)
    head = world.lake.find_commit(MAIN)
    world.clock.advance(60)
    again = join(world, path)
    assert (again.is_new, again.commit, world.lake.find_commit(MAIN)) == (False, None, head)
    write(path, "image,cam", "p000.png,b")
    planned = join(world, path, dry_run=True)
    assert (planned.is_new, planned.replaces, world.lake.find_commit(MAIN)) == (True, True, head)
    replaced = join(world, path)
    assert replaced.replaces
    assert ask(world, "SELECT cam FROM meta_cams") == [("b",)]
    with open_tables(world.context, CommitId(str(first.commit))) as tables:
        assert list(tables.query("SELECT cam FROM meta_cams")) == [("a",)]


def test_a_table_is_dropped_from_main(world: World, tmp_path: Path) -> None:
    join(world, write(tmp_path / "cams.csv", "image,cam", "p000.png,a"))
    assert drop_table(world.context, "cams", dry_run=True) is None
    assert world.lake.read(MAIN, "metadata/cams.json") is not None
    assert drop_table(world.context, "cams") is not None
    assert [one.path for one in world.lake.list_objects(MAIN, "metadata/")] == []
    with pytest.raises(NotFoundError) as caught:
        drop_table(world.context, "cams")
    assert caught.value.code == "no-such-table"


def test_parquet_keeps_its_types(world: World, tmp_path: Path) -> None:
    """Times and lists, which CSV has no form for; words of one kind stay words."""
    path = tmp_path / "shots.parquet"
    frame = PANDAS.DataFrame(
        {
            "image": PANDAS.Categorical(["p001.png", "p000.png"]),
            "taken": PANDAS.to_datetime(["2026-01-02", "2026-01-01"]),
            "tags": [["a", "b"], []],
        }
    )
    frame.to_parquet(path)
    join(world, path)
    assert ask(world, "SELECT key, taken::DATE::VARCHAR, len(tags) FROM tasks ORDER BY key") == [
        ("p000.png", "2026-01-01", 0),
        ("p001.png", "2026-01-02", 2),
        ("p002.png", None, None),
    ]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"image": [1, 2]}, "key-not-text"),
        ({"image": ["p000.png", None]}, "key-missing"),
        ({"image": ["p000.png", "p000.png"]}, "key-repeated"),
        ({"image": ["p000.png"], "Image": ["x"]}, "columns-invalid"),
        ({"image": ["p000.png"], "key": ["x"]}, "columns-invalid"),
        ({"other": ["p000.png"]}, "no-such-column"),
    ],
)
def test_parquet_is_held_to_the_same(
    columns: dict[str, list[object]], code: str, world: World, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    PARQUET.write_table(ARROW.table(columns), path)
    with pytest.raises(OpsError) as caught:
        join(world, path)
    assert caught.value.code == code


def test_parquet_without_a_row_is_refused(world: World, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    PARQUET.write_table(ARROW.table({"image": ARROW.array([], ARROW.string())}), path)
    with pytest.raises(InvalidDataError) as caught:
        join(world, path)
    assert caught.value.code == "no-rows"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(InvalidDataError) as damaged:
        join(world, path)
    assert damaged.value.code == "join-file-invalid"


def test_files_that_cannot_be_read_are_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as gone:
        join(world, tmp_path / "gone.csv")
    with pytest.raises(NotFoundError) as folder:
        join(world, tmp_path)
    assert {gone.value.code, folder.value.code} == {"no-join-file"}
    with pytest.raises(UsageError) as other:
        join(world, write(tmp_path / "t.xlsx", "x"))
    assert other.value.code == "join-file-kind"


def test_the_file_of_other_pictures_is_refused_and_nothing_is_left(
    world: World, tmp_path: Path
) -> None:
    before = world.lake.find_commit(MAIN)
    with pytest.raises(InvalidDataError) as caught:
        join(world, write(tmp_path / "t.csv", "image,a", "dog-1.jpg,1"))
    assert caught.value.code == "no-match"
    assert (world.lake.find_commit(MAIN), [name for name, _ in world.lake.branches()]) == (
        before,
        [MAIN],
    )


def test_all_or_nothing_can_be_asked_for(world: World, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "image,a", "p000.png,1", "p001.png,1")
    with pytest.raises(RefusedError) as caught:
        join(world, path, needs_all=True)
    assert dict(caught.value.where) == {"images": "p002.png"}
    write(path, "image,a", "p000.png,1", "p001.png,1", "p002.png,1")
    assert join(world, path, needs_all=True).commit


def test_odd_names_find_their_images(tmp_path: Path) -> None:
    """Accents, percent signs, quotes, case: to the letter, or by the option for it."""
    world = World(0)
    names = ["Ä/a%20b.png", "ä/A b.png", 'quote".png', "n\u0303.png"]
    world.add_images(names)
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(
            [["image", "n"], *([name, place] for place, name in enumerate(names))]
        )
    assert len(join(world, path).facts.match.rows) == len(names)
    assert ask(world, "SELECT n FROM tasks WHERE key = 'Ä/a%20b.png'") == [(0,)]
    write(path, "image,n", "ñ.png,7", encoding="latin-1")
    source = Source(path=path, key="image", encoding="latin-1")
    with pytest.raises(InvalidDataError) as caught:
        join_table(world.context, source, Rule())
    assert caught.value.hint.endswith("--alike unicode")
    join_table(world.context, source, Rule(alike=(Alike.UNICODE,)))
    assert ask(world, "SELECT key FROM meta_t") == [("n\u0303.png",)]


def test_by_name_alone(world: World, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "image,a", "/data/ann/p000.png,1")
    assert join(world, path, Rule(on=MatchOn.NAME)).facts.match.rows == {"p000.png": 0}


@pytest.mark.parametrize("name", ["a/b", "", "-x", "x" * 65, "a b"])
def test_a_table_has_a_name_that_files_and_people_take(
    name: str, world: World, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", "image,a", "p000.png,1")
    if not name:
        assert table_name(Path("%%%.csv")) == "table"
        return
    with pytest.raises(UsageError) as caught:
        join(world, path, name=name)
    assert caught.value.code == "table-name"


def test_two_names_that_sql_cannot_tell_apart(world: World, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "image,a", "p000.png,1")
    join(world, path, name="Cams")
    with pytest.raises(UsageError) as caught:
        join(world, path, name="cams")
    assert caught.value.code == "table-spelling"
    assert ask(world, "SELECT a FROM meta_cams") == ask(world, 'SELECT a FROM "meta_Cams"')


def test_columns_of_the_same_name_stay_in_their_table(world: World, tmp_path: Path) -> None:
    """A task's own state is not overwritten by somebody's; two tables' sizes are both kept."""
    one = write(tmp_path / "one.csv", "image,state,size,own", "p000.png,good,1,a")
    two = write(tmp_path / "two.csv", "image,SIZE,label", "p000.png,2,brie")
    join(world, one)
    join(world, two)
    assert ask(world, "SELECT state, own FROM tasks WHERE key = 'p000.png'") == [
        ("unfinished", "a")
    ]
    assert ask(world, "SELECT a.state, a.size, b.size, b.label FROM meta_one a JOIN meta_two b"
               " USING (key)") == [("good", 1, 2, "brie")]  # fmt: skip
    with open_tables(world.context, CommitId(str(world.lake.find_commit(MAIN)))) as tables:
        assert [one for one in tables.columns("tasks") if one not in TASK_COLUMNS] == ["own"]
        assert [one for one in tables.columns("labels") if one not in LABEL_COLUMNS] == ["own"]
    with pytest.raises(UsageError) as caught:
        ask(world, "SELECT size FROM tasks")
    assert caught.value.code == "sql-unknown-column"


def test_a_joined_table_is_read_only_where_a_column_of_it_is_named(
    world: World, tmp_path: Path
) -> None:
    """The document beside it says what is in it."""
    join(world, write(tmp_path / "cams.csv", "image,cam", "p000.png,a"))
    commit = CommitId(str(world.lake.find_commit(MAIN)))
    for condition, is_read in (("state = 'unfinished'", False), ("cam = 'a'", True)):
        lake = CountingLake(world)
        with open_tables(replace(world.context, lake=lake), commit) as tables:
            assert tables.keys_where(condition)
        assert "metadata/cams.json" in lake.paths
        assert ("metadata/cams.parquet" in lake.paths) is is_read


@pytest.mark.parametrize(
    "document",
    [b"{}", b"no", b'{"schema":"ops.metadata/2","columns":[]}',
     b'{"schema":"ops.metadata/1","columns":[{"type":"x"}]}',
     b'{"schema":"ops.metadata/1","columns":{}}'],
)  # fmt: skip
def test_a_document_that_is_none_is_refused(document: bytes, world: World, tmp_path: Path) -> None:
    join(world, write(tmp_path / "cams.csv", "image,cam", "p000.png,a"))
    upload = Upload(path="metadata/cams.json", data=document)
    deposit(world.context, "data-join", [upload], message="x")
    with pytest.raises(InvalidDataError) as caught:
        ask(world, "SELECT cam FROM tasks")
    assert caught.value.code == "metadata-invalid"
