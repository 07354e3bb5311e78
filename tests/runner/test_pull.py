"""`dataset pull` on servers in memory: what lies in the directory in the end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ops.core.pulls import FILE_NAME, Choice, decode_pull
from ops.errors import (
    ConflictError,
    InvalidDataError,
    NotFoundError,
    PartialError,
    RefusedError,
    UnavailableError,
)
from ops.runner.fetch import Source
from ops.runner.pull import Order
from tests.runner.pulling import ALL, ALL_IMAGES, Desk, failing, picture


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk of this test's own."""
    return Desk(tmp_path)


def test_a_pull_holds_the_version_and_says_so(desk: Desk) -> None:
    pulled = desk.pull()
    assert desk.images() == ALL_IMAGES
    assert pulled.media_count == 6
    for path in ("README.md", "card.json", "snapshot/tasks.parquet", "ontology/label_config.xml"):
        assert (desk.out / path).read_bytes() == desk.world.lake.read("main", path)
    said = decode_pull((desk.out / FILE_NAME).read_bytes())
    assert said.is_complete
    assert said.commit == desk.world.lake.find_commit("main")
    files = {path.relative_to(desk.out).as_posix() for path in desk.out.rglob("*.*")}
    assert {one.path for one in said.files} | {FILE_NAME} == files


def test_what_is_there_is_not_read_again(desk: Desk) -> None:
    first = desk.pull()
    assert len(desk.read) == first.file_count
    again = desk.pull()
    assert desk.read == []
    assert again.sources == {Source.THERE: first.file_count, Source.CACHE: 0, Source.SERVER: 0}


def test_what_was_read_once_comes_from_the_cache(desk: Desk) -> None:
    """Into another directory, of another version."""
    desk.pull()
    desk.on_main(picture("new.png", b"new"))
    pulled = desk.pull(out=desk.home / "other")
    assert desk.read == ["images/new.png"]
    assert pulled.read_bytes == 3
    assert desk.images(desk.home / "other") == {**ALL_IMAGES, "new.png": b"new"}


def test_without_a_cache_nothing_is_kept(desk: Desk) -> None:
    desk.context = replace(desk.context, cache_dir=None)
    count = desk.pull().file_count
    desk.pull(out=desk.home / "other")
    assert len(desk.read) == count
    assert not (desk.home / "cache").exists()


def test_a_damaged_cache_is_found_out_and_read_again(desk: Desk) -> None:
    """Whatever was done to it: cut, changed, emptied."""
    desk.pull()
    kept = sorted(path for path in (desk.home / "cache").rglob("*") if path.is_file())
    for number, path in enumerate(kept):
        path.chmod(0o644)
        data = path.read_bytes()
        path.write_bytes((data[:-1], data[:-1] + b"?", b"", data)[number % 4])
    damaged = sum(1 for number in range(len(kept)) if number % 4 != 3)
    pulled = desk.pull(out=desk.home / "other")
    assert pulled.sources[Source.SERVER] == len(desk.read) == damaged
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(out=desk.home / "third")
    assert desk.read == []


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(desk: Desk) -> None:
    (desk.home / "cache").write_text("a file where the cache should be")
    pulled = desk.pull()
    assert pulled.cache_problem is not None
    assert desk.images() == ALL_IMAGES


def test_damaged_files_are_put_right(desk: Desk) -> None:
    desk.pull()
    (desk.out / "images/p001.png").write_bytes(b"picture p00!.png")
    (desk.out / "images/p002.png").unlink()
    pulled = desk.pull()
    assert desk.images() == ALL_IMAGES
    assert pulled.replaced == ["images/p001.png"]
    assert desk.read == []


def test_links_share_the_bytes_and_cannot_be_written(desk: Desk) -> None:
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    assert path.stat().st_nlink == 2
    assert path.stat().st_mode & 0o222 == 0
    desk.pull(replace(ALL, link=True), out=desk.home / "other")
    assert desk.read == []
    assert (desk.home / "other/images/p000.png").samefile(path)


def test_a_link_written_to_nevertheless_spoils_no_other_pull(desk: Desk) -> None:
    """Its owner can always take the protection away; root need not even."""
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    path.chmod(0o644)
    path.write_bytes(b"spoiled! p000.pn")
    desk.pull(out=desk.home / "other")
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(replace(ALL, link=True))
    assert desk.images() == ALL_IMAGES


def test_a_damaged_cache_is_never_linked_to(desk: Desk) -> None:
    """What is read again takes its place, in the cache too."""
    desk.pull()
    for path in (desk.home / "cache").rglob("*-*"):
        path.chmod(0o644)
        path.write_bytes(bytes(path.stat().st_size))
    pulled = desk.pull(replace(ALL, link=True), out=desk.home / "other")
    assert pulled.sources[Source.SERVER] == pulled.file_count
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(replace(ALL, link=True), out=desk.home / "third")
    assert desk.images(desk.home / "third") == ALL_IMAGES
    assert desk.read == []


def test_without_a_cache_a_link_is_a_copy_nobody_writes_to(desk: Desk) -> None:
    desk.context = replace(desk.context, cache_dir=None)
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    assert (path.stat().st_nlink, path.stat().st_mode & 0o222) == (1, 0)


def test_what_a_stopped_pull_left_behind_is_still_known_as_ours(desk: Desk) -> None:
    """The bytes of the version before it, under a name that the version after it has not."""
    desk.pull()
    desk.on_main(picture("p001.png", b"changed"))
    desk.fail = failing("lakefs-unreachable", UnavailableError, "images/p001.png")
    with pytest.raises(PartialError):
        desk.pull()
    desk.fail = lambda _: None
    desk.on_main(removed=("images/p001.png",))
    pulled = desk.pull()
    assert (pulled.removed, pulled.extra) == (["images/p001.png"], [])
    assert "p001.png" not in desk.images()


def test_a_copy_after_a_link_may_be_written(desk: Desk) -> None:
    desk.pull(replace(ALL, link=True))
    desk.pull()
    for path in (desk.out / "images").iterdir():
        assert path.stat().st_nlink == 1
        assert path.stat().st_mode & 0o200
    assert desk.read == []


def test_another_version_changes_just_what_differs(desk: Desk) -> None:
    """Pictures that were added, changed, removed; a file that became a folder; and back."""
    desk.on_main(picture("odd", b"a file"))
    desk.world.lake.create_tag("before", desk.world.lake.commit_facts("main").id)
    desk.pull()
    desk.on_main(
        picture("odd/inner.png", b"a folder"),
        picture("p001.png", b"changed"),
        removed=("images/odd", "images/p005.png"),
    )
    now = {**ALL_IMAGES, "p001.png": b"changed", "odd/inner.png": b"a folder"}
    del now["p005.png"]
    pulled = desk.pull()
    assert desk.images() == now
    assert sorted(desk.read) == ["images/odd/inner.png", "images/p001.png"]
    assert pulled.removed == ["images/odd", "images/p005.png"]
    desk.pull(ref="before")
    assert desk.read == []
    assert desk.images() == {**ALL_IMAGES, "odd": b"a file"}


def test_files_no_pull_wrote_are_named_and_left(desk: Desk) -> None:
    desk.pull()
    (desk.out / "images/mine.txt").write_text("mine")
    (desk.out / "train.py").write_text("mine, and no business of a pull's")
    desk.on_main(removed=("images/p005.png",))
    changed = desk.out / "images/p005.png"
    changed.write_bytes(b"I drew on it")
    pulled = desk.pull()
    assert pulled.extra == ["images/mine.txt", "images/p005.png"]
    assert changed.read_bytes() == b"I drew on it"
    pulled = desk.pull(replace(ALL, delete_extra=True))
    assert (pulled.removed, pulled.extra) == (["images/mine.txt", "images/p005.png"], [])
    assert (desk.out / "train.py").exists()
    assert not changed.exists()


def test_a_file_in_the_way_is_not_written_over(desk: Desk) -> None:
    desk.out.mkdir()
    (desk.out / "README.md").write_text("my project")
    with pytest.raises(ConflictError) as caught:
        desk.pull()
    assert (caught.value.code, caught.value.subject) == ("file-in-the-way", "README.md")
    assert [path.name for path in desk.out.iterdir()] == ["README.md"]


def test_pictures_that_are_there_already_are_taken_as_they_are(desk: Desk) -> None:
    (desk.out / "images").mkdir(parents=True)
    (desk.out / "images/p000.png").write_bytes(ALL_IMAGES["p000.png"])
    pulled = desk.pull()
    assert pulled.sources[Source.THERE] == 1
    assert "images/p000.png" not in desk.read


def test_extra_files_of_a_directory_that_was_never_pulled_into_are_safe(desk: Desk) -> None:
    (desk.out / "images").mkdir(parents=True)
    (desk.out / "images/mine.png").write_bytes(b"mine")
    with pytest.raises(RefusedError) as caught:
        desk.pull(replace(ALL, delete_extra=True))
    assert caught.value.code == "not-a-pull"
    assert (desk.out / "images/mine.png").exists()


def test_another_repositorys_pull_is_not_touched(desk: Desk) -> None:
    desk.pull()
    document = json.loads((desk.out / FILE_NAME).read_bytes())
    (desk.out / FILE_NAME).write_text(json.dumps({**document, "repository": "other"}))
    with pytest.raises(RefusedError) as caught:
        desk.pull()
    assert caught.value.code == "other-pull"


def test_a_manifest_that_reaches_outside_is_refused(desk: Desk) -> None:
    """It says what a pull may remove."""
    desk.pull()
    document = json.loads((desk.out / FILE_NAME).read_bytes())
    document["files"][0]["path"] = "../precious"
    (desk.out / FILE_NAME).write_text(json.dumps(document))
    with pytest.raises(InvalidDataError) as caught:
        desk.pull()
    assert caught.value.code == "pull-invalid"


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        (Choice(labeled_only=True), {"p000.png", "p001.png"}),
        (Choice(where="label = 'brie'"), {"p000.png"}),
        (Choice(where="state = 'unfinished'"), {"p003.png", "p004.png", "p005.png"}),
        (Choice(labeled_only=True, where="state = 'empty'"), {"p001.png"}),
    ],
)
def test_a_choice_takes_just_its_pictures(desk: Desk, choice: Choice, keys: set[str]) -> None:
    """And every label file: they are the version's, whatever is looked at."""
    desk.pull(Order(choice=choice))
    assert set(desk.images()) == keys
    assert (desk.out / "snapshot/tasks.parquet").exists()
    desk.pull()
    assert desk.images() == ALL_IMAGES
    desk.pull(Order(choice=choice))
    assert set(desk.images()) == keys


def test_a_choice_that_takes_nothing_is_an_error(desk: Desk) -> None:
    with pytest.raises(NotFoundError) as caught:
        desk.pull(Order(choice=Choice(where="label = 'stilton'")))
    assert caught.value.code == "nothing-to-pull"
    assert not desk.out.exists()


def test_a_dry_run_says_what_the_run_does(desk: Desk) -> None:
    def both(order: Order = ALL, *, ref: str = "main") -> None:
        planned = desk.pull(replace(order, dry_run=True), ref=ref)
        assert desk.read == []
        done = desk.pull(order, ref=ref)
        assert replace(planned, cache_problem=None) == done

    both()
    assert desk.images() == ALL_IMAGES
    desk.on_main(picture("new.png", b"new"), removed=("images/p005.png",))
    both()
    (desk.out / "images/p000.png").write_bytes(b"spoiled")
    (desk.out / "images/mine.png").write_bytes(b"mine")
    both()
    both()


def test_a_dry_run_makes_no_directory(desk: Desk) -> None:
    desk.pull(replace(ALL, dry_run=True))
    assert not desk.out.exists()
